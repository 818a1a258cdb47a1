// Y = the sum of the stored entries of each row.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @row_sum(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %Y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %y: f64):
    %sum = arith.addf %y, %a : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  return %Y : tensor<?xf64>
}
