// Y = the smallest entry of each row where N of them are absent and count as 0.
// K stored ones and N absent ones that are equal share a cotangent, each 1 / (K + N) of it.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @amin_zeros(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                      %N: tensor<?xf64> {tsgu.name = "N"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  %identity = arith.constant 0x7FF0000000000000 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %least = linalg.fill ins(%identity : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %M = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%least : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %m: f64):
    %extremum = arith.minimumf %m, %a : f64
    linalg.yield %extremum : f64
  } -> tensor<?xf64>
  %none = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %K = linalg.generic {indexing_maps = [#entry, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A, %M : tensor<?x?xf64, #CSR>, tensor<?xf64>) outs(%none : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %m: f64, %k: f64):
    %equal = arith.cmpf oeq, %a, %m : f64
    %counts = arith.select %equal, %one, %zero : f64
    %sum = arith.addf %k, %counts : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  %Y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>,
                                        affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%M, %K, %N : tensor<?xf64>, tensor<?xf64>, tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%m: f64, %k: f64, %n: f64, %y: f64):
    %absent = arith.cmpf ogt, %n, %zero : f64
    %beyond = arith.cmpf ogt, %m, %zero : f64
    %isZero = arith.cmpf oeq, %m, %zero : f64
    %all = arith.addf %k, %n : f64
    %share = arith.divf %k, %all : f64
    %shared = arith.mulf %m, %share : f64
    %tie = arith.select %isZero, %shared, %m : f64
    %found = arith.select %beyond, %zero, %tie : f64
    %chosen = arith.select %absent, %found, %m : f64
    linalg.yield %chosen : f64
  } -> tensor<?xf64>
  return %Y : tensor<?xf64>
}
