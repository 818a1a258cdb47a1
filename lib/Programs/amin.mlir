// Y = the smallest stored entry of each row; inf for a row without entries.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @amin(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %identity = arith.constant 0x7FF0000000000000 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%identity : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %Y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %y: f64):
    %extremum = arith.minimumf %y, %a : f64
    linalg.yield %extremum : f64
  } -> tensor<?xf64>
  return %Y : tensor<?xf64>
}
