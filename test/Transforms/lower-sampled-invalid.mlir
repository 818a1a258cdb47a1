// RUN: tsgu-opt %s --tsgu-lower-sampled --verify-diagnostics --split-input-file

// Ops on sparse tensors that earlier passes should have turned into others.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @log_sum_exp(%A: tensor<?x?xf64, #CSR>, %out: tensor<?xf64>) -> tensor<?xf64> {
  // expected-error @+1 {{reduces by tsgu.logaddexp; run --tsgu-expand-log-sum-exp first}}
  %0 = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%out : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %l: f64):
    %sum = tsgu.logaddexp %l, %a : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  return %0 : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @exp_of_absent(%A: tensor<?x?xf64, #CSR>, %out: tensor<?xf64>) -> tensor<?xf64> {
  // expected-error @+1 {{is not zero where its sparse operand is absent; mark it tsgu.sampled to leave absent entries out}}
  %0 = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%out : tensor<?xf64>) {
  ^bb0(%a: f64, %l: f64):
    %exp = math.exp %a : f64
    %sum = arith.addf %l, %exp : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  return %0 : tensor<?xf64>
}

// -----

#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @product(%A: tensor<?x?xf64, #CSR>, %out: tensor<?xf64>) -> tensor<?xf64> {
  // expected-error @+1 {{the output may only be combined with one term}}
  %0 = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%out : tensor<?xf64>) {
  ^bb0(%a: f64, %l: f64):
    %product = arith.mulf %l, %a : f64
    linalg.yield %product : f64
  } -> tensor<?xf64>
  return %0 : tensor<?xf64>
}
