// One implicit Euler step of the heat equation u' = -L u:
//
//   u1 = (I + dt L)^-1 u
//
// L and the identity share a pattern: the diagonal is stored.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#scalar = affine_map<(i, j) -> ()>

func.func @heat(%solver: !tsgu.solver {tsgu.name = "solver"},
                %L: tensor<?x?xf64, #CSR> {tsgu.name = "L", tsgu.pattern = @L},
                %I: tensor<?x?xf64, #CSR> {tsgu.name = "I", tsgu.pattern = @L},
                %dt: tensor<f64> {tsgu.name = "dt"},
                %u: tensor<?x?xf64> {tsgu.name = "u"}) -> tensor<?x?xf64> {
  %zero = tsgu.zeros_like %L : tensor<?x?xf64, #CSR>
  %A = linalg.generic {indexing_maps = [#entry, #entry, #scalar, #entry],
                       iterator_types = ["parallel", "parallel"]}
      ins(%L, %I, %dt : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>, tensor<f64>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%l: f64, %i: f64, %t: f64, %a: f64):
    %step = arith.mulf %t, %l : f64
    %sum = arith.addf %i, %step : f64
    linalg.yield %sum : f64
  } -> tensor<?x?xf64, #CSR>
  %u1 = tsgu.solve %solver, %A, %u : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %u1 : tensor<?x?xf64>
}
