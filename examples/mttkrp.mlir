// Y_ir = sum over j, k of t_ijk B_jr C_kr: a sparse tensor of three dimensions times two factors.

#CSF = #sparse_tensor.encoding<{
  map = (i, j, k) -> (i : compressed, j : compressed, k : compressed)
}>

func.func @mttkrp(%T: tensor<?x?x?xf64, #CSF> {tsgu.name = "T", tsgu.pattern = @T},
                  %B: tensor<?x?xf64> {tsgu.name = "B"},
                  %C: tensor<?x?xf64> {tsgu.name = "C"}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %m = tensor.dim %T, %c0 : tensor<?x?x?xf64, #CSF>
  %r = tensor.dim %B, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%m, %r) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %Y = linalg.generic {indexing_maps = [affine_map<(i, r, j, k) -> (i, j, k)>,
                                        affine_map<(i, r, j, k) -> (j, r)>,
                                        affine_map<(i, r, j, k) -> (k, r)>,
                                        affine_map<(i, r, j, k) -> (i, r)>],
                       iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%T, %B, %C : tensor<?x?x?xf64, #CSF>, tensor<?x?xf64>, tensor<?x?xf64>)
      outs(%init : tensor<?x?xf64>) {
  ^bb0(%t: f64, %b: f64, %c: f64, %y: f64):
    %tb = arith.mulf %t, %b : f64
    %term = arith.mulf %tb, %c : f64
    %next = arith.addf %y, %term : f64
    linalg.yield %next : f64
  } -> tensor<?x?xf64>
  return %Y : tensor<?x?xf64>
}
