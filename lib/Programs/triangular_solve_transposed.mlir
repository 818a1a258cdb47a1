// X = L^-T B, where L is the triangle of A that the solver says.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @triangular_solve_transposed(
    %solver: !tsgu.solver {tsgu.name = "solver"},
    %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
    %B: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?xf64> {
  %X = tsgu.triangular_solve %solver, %A, %B mode<T>
      : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}
