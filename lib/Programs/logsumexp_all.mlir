// L = log(exp(Z) + the sum of exp(A) over all stored entries).

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @logsumexp_all(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                         %Z: tensor<f64> {tsgu.name = "Z"}) -> tensor<f64> {
  %L = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>],
                       iterator_types = ["reduction", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%Z : tensor<f64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %l: f64):
    %sum = tsgu.logaddexp %l, %a : f64
    linalg.yield %sum : f64
  } -> tensor<f64>
  return %L : tensor<f64>
}
