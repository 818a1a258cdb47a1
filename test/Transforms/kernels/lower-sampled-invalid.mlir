// RUN: tsgu-opt %s --pass-pipeline='builtin.module(func.func(tsgu-lower-sampled))' --verify-diagnostics --split-input-file

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @f(%A: tensor<?x?xf64, #CSR>, %Y: tensor<?xf64>) -> tensor<?xf64> {
  // expected-error @+1 {{the output may only be combined with one term}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%Y : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    %s = arith.mulf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @f(%A: tensor<?x?xf64, #CSR>, %Y: tensor<?xf64>) -> tensor<?xf64> {
  // expected-error @+1 {{reduces by tsgu.logaddexp; run --tsgu-expand-log-sum-exp first}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%Y : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    %s = tsgu.logaddexp %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @f(%A: tensor<?x?xf64, #CSR>, %Y: tensor<?xf64>) -> tensor<?xf64> {
  // expected-error @+1 {{is not zero where its sparse operand is absent; mark it tsgu.sampled to leave absent entries out}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%Y : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %e = math.exp %a : f64
    %s = arith.addf %o, %e : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
