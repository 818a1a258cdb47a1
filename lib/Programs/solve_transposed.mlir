// X = A^-T B by the solver's method, with what it prepared for A.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @solve_transposed(
    %solver: !tsgu.solver {tsgu.name = "solver"},
    %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
    %B: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?xf64> {
  %X = tsgu.solve %solver, %A, %B mode<T>
      : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}
