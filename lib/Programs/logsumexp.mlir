// L = log(exp(Z) + the sum of exp(A) over the stored entries of each row). Z may
// be -inf: a row without entries then gives -inf.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @logsumexp(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                     %Z: tensor<?xf64> {tsgu.name = "Z"}) -> tensor<?xf64> {
  %L = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%Z : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %l: f64):
    %sum = tsgu.logaddexp %l, %a : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  return %L : tensor<?xf64>
}
