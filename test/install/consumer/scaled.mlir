// y = diag(d) A x

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @scaled(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                  %x: tensor<?xf64> {tsgu.name = "x"},
                  %d: tensor<?xf64> {tsgu.name = "d"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%A, %x, %d : tensor<?x?xf64, #CSR>, tensor<?xf64>, tensor<?xf64>)
      outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %xj: f64, %di: f64, %yi: f64):
    %ax = arith.mulf %a, %xj : f64
    %term = arith.mulf %ax, %di : f64
    %sum = arith.addf %yi, %term : f64
    linalg.yield %sum : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
