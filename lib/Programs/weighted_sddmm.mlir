// Y = A times U V^T, entry by entry, on the pattern of A.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

func.func @weighted_sddmm(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                  %U: tensor<?x?xf64> {tsgu.name = "U"},
                  %V: tensor<?x?xf64> {tsgu.name = "V"})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %S = linalg.generic {indexing_maps = [affine_map<(i, j, p) -> (i, p)>, affine_map<(i, j, p) -> (j, p)>,
                                        affine_map<(i, j, p) -> (i, j)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%U, %V : tensor<?x?xf64>, tensor<?x?xf64>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%u: f64, %v: f64, %s: f64):
    %product = arith.mulf %u, %v : f64
    %sum = arith.addf %s, %product : f64
    linalg.yield %sum : f64
  } -> tensor<?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, #entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %S : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %s: f64, %y: f64):
    %product = arith.mulf %a, %s : f64
    linalg.yield %product : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}
