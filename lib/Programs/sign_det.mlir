// s = det A / |det A|, for real A, by the solver's factorisation.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @sign_det(
    %solver: !tsgu.solver {tsgu.name = "solver"},
    %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A}) -> tensor<f64> {
  %s = tsgu.sign_det %solver, %A : tensor<?x?xf64, #CSR> -> tensor<f64>
  return %s : tensor<f64>
}
