// S = A^-1 at the stored entries of A, whose pattern is symmetric, by the solver's factorisation.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @inverse_on_pattern(
    %solver: !tsgu.solver {tsgu.name = "solver"},
    %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %H = tsgu.selected_inverse %solver, %A : tensor<?x?xf64, #CSR>
  %S = tsgu.adjoint %H : tensor<?x?xf64, #CSR>
  return %S : tensor<?x?xf64, #CSR>
}
