// RUN: tsgu-opt %s --pass-pipeline='builtin.module(func.func(tsgu-expand-log-sum-exp))' --verify-diagnostics --split-input-file

#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @starts_from_argument(%x: tensor<4x4xf64>, %b: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error @+1 {{must start from a tensor.empty filled with a constant, or from tsgu.zeros_like}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x4xf64>) outs(%b : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.addf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @product(%x: tensor<4x4xf64>, %b: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error @+1 {{the output may only be combined with one term}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x4xf64>) outs(%b : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.mulf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}
