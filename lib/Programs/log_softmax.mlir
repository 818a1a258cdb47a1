// Y = A - L on the pattern of A, where L is the log-sum-exp of the stored entries of each row.
// Absent entries take no part: they count as -inf.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @log_softmax(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %c0 = arith.constant 0 : index
  %neg_inf = arith.constant 0xFFF0000000000000 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%neg_inf : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %L = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %l: f64):
    %sum = tsgu.logaddexp %l, %a : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, #row, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %L : tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %l: f64, %y: f64):
    %log = arith.subf %a, %l : f64
    linalg.yield %log : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}
