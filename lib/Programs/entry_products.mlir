// C_c = the sum of A_a B_b over the entries (c, a, b) of T, whose values are not read: where T has what entries a
// and b contribute to which entry c, the values of a product of sparse matrices.

#CSF = #sparse_tensor.encoding<{
  map = (c, a, b) -> (c : compressed, a : compressed, b : compressed)
}>

func.func @entry_products(%T: tensor<?x?x?xf64, #CSF> {tsgu.name = "T", tsgu.pattern = @T},
                          %A: tensor<?xf64> {tsgu.name = "A"},
                          %B: tensor<?xf64> {tsgu.name = "B"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %T, %c0 : tensor<?x?x?xf64, #CSF>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %C = linalg.generic {indexing_maps = [affine_map<(c, a, b) -> (c, a, b)>, affine_map<(c, a, b) -> (a)>,
                                        affine_map<(c, a, b) -> (b)>, affine_map<(c, a, b) -> (c)>],
                       iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%T, %A, %B : tensor<?x?x?xf64, #CSF>, tensor<?xf64>, tensor<?xf64>)
      outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%t: f64, %a: f64, %b: f64, %c: f64):
    %product = arith.mulf %a, %b : f64
    %sum = arith.addf %c, %product : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  return %C : tensor<?xf64>
}
