// C = A B: a sparse matrix times a dense one.

#CSR = #sparse_tensor.encoding<{ map = (i, k) -> (i : dense, k : compressed) }>

func.func @spmm(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                %B: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %columns = tensor.dim %B, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%rows, %columns) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %C = linalg.matmul ins(%A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64>)
                     outs(%init : tensor<?x?xf64>) -> tensor<?x?xf64>
  return %C : tensor<?x?xf64>
}
