// l = log |det A|, or log det A of a complex A, by the solver's factorisation.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @logdet(
    %solver: !tsgu.solver {tsgu.name = "solver"},
    %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A}) -> tensor<f64> {
  %l = tsgu.logdet %solver, %A : tensor<?x?xf64, #CSR> -> tensor<f64>
  return %l : tensor<f64>
}
