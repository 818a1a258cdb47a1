// S = A^-H at the stored entries of A, by the solver's factorisation.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @selected_inverse(
    %solver: !tsgu.solver {tsgu.name = "solver"},
    %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %S = tsgu.selected_inverse %solver, %A : tensor<?x?xf64, #CSR>
  return %S : tensor<?x?xf64, #CSR>
}
