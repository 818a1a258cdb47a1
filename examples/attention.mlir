// C = softmax(Q K^T) V: each row takes part with the entries of A's pattern alone.
// A's values are not read.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#query = affine_map<(i, j, p) -> (i, p)>
#key = affine_map<(i, j, p) -> (j, p)>
#score = affine_map<(i, j, p) -> (i, j)>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @attention(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                     %Q: tensor<?x?xf64> {tsgu.name = "Q"}, %K: tensor<?x?xf64> {tsgu.name = "K"},
                     %V: tensor<?x?xf64> {tsgu.name = "V"}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %neg_inf = arith.constant 0xFFF0000000000000 : f64
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %columns = tensor.dim %V, %c1 : tensor<?x?xf64>
  %none = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %S = linalg.generic {indexing_maps = [#query, #key, #score],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%Q, %K : tensor<?x?xf64>, tensor<?x?xf64>)
      outs(%none : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%q: f64, %k: f64, %s: f64):
    %product = arith.mulf %q, %k : f64
    %sum = arith.addf %s, %product : f64
    linalg.yield %sum : f64
  } -> tensor<?x?xf64, #CSR>
  %sums = tensor.empty(%rows) : tensor<?xf64>
  %start = linalg.fill ins(%neg_inf : f64) outs(%sums : tensor<?xf64>) -> tensor<?xf64>
  %L = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%S : tensor<?x?xf64, #CSR>) outs(%start : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%s: f64, %l: f64):
    %sum = tsgu.logaddexp %l, %s : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  %W = linalg.generic {indexing_maps = [#entry, #row, #entry],
                       iterator_types = ["parallel", "parallel"]}
      ins(%S, %L : tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%none : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%s: f64, %l: f64, %w: f64):
    %shifted = arith.subf %s, %l : f64
    %exp = math.exp %shifted : f64
    linalg.yield %exp : f64
  } -> tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows, %columns) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %C = linalg.matmul ins(%W, %V : tensor<?x?xf64, #CSR>, tensor<?x?xf64>)
                     outs(%init : tensor<?x?xf64>) -> tensor<?x?xf64>
  return %C : tensor<?x?xf64>
}
