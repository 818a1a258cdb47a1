// C_c = the sum of A_a over the entries (c, a) of S, whose values are not read.

#CSR = #sparse_tensor.encoding<{ map = (c, a) -> (c : dense, a : compressed) }>

func.func @entry_sums(%S: tensor<?x?xf64, #CSR> {tsgu.name = "S", tsgu.pattern = @S},
                      %A: tensor<?xf64> {tsgu.name = "A"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %S, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %C = linalg.generic {indexing_maps = [affine_map<(c, a) -> (c, a)>, affine_map<(c, a) -> (a)>,
                                        affine_map<(c, a) -> (c)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%S, %A : tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%s: f64, %a: f64, %c: f64):
    %sum = arith.addf %c, %a : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  return %C : tensor<?xf64>
}
