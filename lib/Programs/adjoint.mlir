// B = A^H on the pattern of A, which is symmetric.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @adjoint(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %B = tsgu.adjoint %A : tensor<?x?xf64, #CSR>
  return %B : tensor<?x?xf64, #CSR>
}
