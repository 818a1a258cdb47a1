// X = L^-1 P B, where the solver's method factorises P A P^T = L L^H.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @half_solve(
    %solver: !tsgu.solver {tsgu.name = "solver"},
    %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
    %B: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?xf64> {
  %X = tsgu.half_solve %solver, %A, %B
      : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}
