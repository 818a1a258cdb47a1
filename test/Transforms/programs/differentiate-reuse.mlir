// RUN: tsgu-opt %s --tsgu-differentiate="wrt=1" | FileCheck %s

// The result y_ij = exp(w_j) sin(w_j) is at hand in its derivative, but from w_j
// alone nobody can tell the row i in which to read it.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @weights(%S: tensor<?x?xf64, #CSR> {tsgu.name = "S", tsgu.pattern = @S},
                   %w: tensor<?xf64> {tsgu.name = "w"})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @S}) {
  %zeros = tsgu.zeros_like %S : tensor<?x?xf64, #CSR>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%S, %w : tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%zeros : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%s: f64, %e: f64, %o: f64):
    %x = math.exp %e : f64
    %y = math.sin %e : f64
    %z = arith.mulf %x, %y : f64
    linalg.yield %z : f64
  } -> tensor<?x?xf64, #CSR>
  return %y : tensor<?x?xf64, #CSR>
}

// CHECK-LABEL: func.func @weights_vjp1
// CHECK: math.exp
// CHECK: math.cos
