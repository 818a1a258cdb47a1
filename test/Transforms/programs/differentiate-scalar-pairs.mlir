// RUN: tsgu-opt %s --tsgu-differentiate | FileCheck %s

// The rules for scalar functions of several operands, and chains of functions. Where the program's result y helps, the gradient reads it instead of computing it again.
// At kinks and ties the values are torch's; those of maxnumf and minnumf, at which versions of torch differ, are those of maximumf
// and minimumf at a tie, and 0 for an operand that is NaN.

// daddf/dx: g
// CHECK-LABEL: func @addf_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      linalg.yield %[[G]]
// daddf/dz: g
// CHECK-LABEL: func @addf_vjp1(
// CHECK:         ^bb0(%[[G:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      linalg.yield %[[G]]
func.func @addf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.addf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dsubf/dx: g
// CHECK-LABEL: func @subf_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      linalg.yield %[[G]]
// dsubf/dz: -g
// CHECK-LABEL: func @subf_vjp1(
// CHECK-DAG:     %[[MINUS_ONE:.*]] = arith.constant -1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[G]], %[[MINUS_ONE]] : f64
// CHECK-NEXT:      linalg.yield %[[V0]]
func.func @subf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.subf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dmulf/dx: g z
// CHECK-LABEL: func @mulf_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[G]], %[[Z]] : f64
// CHECK-NEXT:      linalg.yield %[[V0]]
// dmulf/dz: g x
// CHECK-LABEL: func @mulf_vjp1(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[G]], %[[X]] : f64
// CHECK-NEXT:      linalg.yield %[[V0]]
func.func @mulf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.mulf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// ddivf/dx: g / z
// CHECK-LABEL: func @divf_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.divf %[[ONE]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
// ddivf/dz: -g y / z
// CHECK-LABEL: func @divf_vjp1(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Z:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.divf %[[Y]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.negf %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.mulf %[[G]], %[[V1]] : f64
// CHECK-NEXT:      linalg.yield %[[V2]]
func.func @divf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.divf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dmaximumf/dx: g where x > z, half of it at a tie
// CHECK-LABEL: func @maximumf_vjp0(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ugt, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.select %[[V1]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.select %[[V0]], %[[HALF]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
// dmaximumf/dz: g where z > x, half of it at a tie; both get it where one is NaN
// CHECK-LABEL: func @maximumf_vjp1(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ugt, %[[Z]], %[[X]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.select %[[V1]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.select %[[V0]], %[[HALF]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
func.func @maximumf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.maximumf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dminimumf/dx: g where x < z, half of it at a tie
// CHECK-LABEL: func @minimumf_vjp0(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ult, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.select %[[V1]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.select %[[V0]], %[[HALF]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
// dminimumf/dz: g where z < x, half of it at a tie
// CHECK-LABEL: func @minimumf_vjp1(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ult, %[[Z]], %[[X]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.select %[[V1]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.select %[[V0]], %[[HALF]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
func.func @minimumf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.minimumf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dmaxnumf/dx: g where x > z, or z alone is NaN; half of it at a tie
// CHECK-LABEL: func @maxnumf_vjp0(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ugt, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.cmpf ord, %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.andi %[[V1]], %[[V2]] : i1
// CHECK-NEXT:      %[[V4:.*]] = arith.select %[[V3]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.select %[[V0]], %[[HALF]], %[[V4]] : f64
// CHECK-NEXT:      %[[V6:.*]] = arith.mulf %[[G]], %[[V5]] : f64
// CHECK-NEXT:      linalg.yield %[[V6]]
// dmaxnumf/dz: g where z > x, or x alone is NaN; half of it at a tie
// CHECK-LABEL: func @maxnumf_vjp1(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ugt, %[[Z]], %[[X]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.cmpf ord, %[[Z]], %[[Z]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.andi %[[V1]], %[[V2]] : i1
// CHECK-NEXT:      %[[V4:.*]] = arith.select %[[V3]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.select %[[V0]], %[[HALF]], %[[V4]] : f64
// CHECK-NEXT:      %[[V6:.*]] = arith.mulf %[[G]], %[[V5]] : f64
// CHECK-NEXT:      linalg.yield %[[V6]]
func.func @maxnumf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.maxnumf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dminnumf/dx: g where x < z, or z alone is NaN; half of it at a tie
// CHECK-LABEL: func @minnumf_vjp0(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ult, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.cmpf ord, %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.andi %[[V1]], %[[V2]] : i1
// CHECK-NEXT:      %[[V4:.*]] = arith.select %[[V3]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.select %[[V0]], %[[HALF]], %[[V4]] : f64
// CHECK-NEXT:      %[[V6:.*]] = arith.mulf %[[G]], %[[V5]] : f64
// CHECK-NEXT:      linalg.yield %[[V6]]
// dminnumf/dz: g where z < x, or x alone is NaN; half of it at a tie
// CHECK-LABEL: func @minnumf_vjp1(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[Z]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf ult, %[[Z]], %[[X]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.cmpf ord, %[[Z]], %[[Z]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.andi %[[V1]], %[[V2]] : i1
// CHECK-NEXT:      %[[V4:.*]] = arith.select %[[V3]], %[[ONE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.select %[[V0]], %[[HALF]], %[[V4]] : f64
// CHECK-NEXT:      %[[V6:.*]] = arith.mulf %[[G]], %[[V5]] : f64
// CHECK-NEXT:      linalg.yield %[[V6]]
func.func @minnumf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.minnumf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dpowf/dx: g z x^(z - 1), and 0 for z = 0
// CHECK-LABEL: func @powf_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.subf %[[Z]], %[[ONE]] : f64
// CHECK-NEXT:      %[[V1:.*]] = math.powf %[[X]], %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.cmpf oeq, %[[Z]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[Z]], %[[V1]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.select %[[V2]], %[[ZERO]], %[[V3]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.mulf %[[G]], %[[V4]] : f64
// CHECK-NEXT:      linalg.yield %[[V5]]
// dpowf/dz: g y log x, and 0 for x = 0 <= z
// CHECK-LABEL: func @powf_vjp1(
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.cmpf oeq, %[[X]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf oge, %[[Z]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.andi %[[V0]], %[[V1]] : i1
// CHECK-NEXT:      %[[V3:.*]] = math.log %[[X]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[Y]], %[[V3]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.select %[[V2]], %[[ZERO]], %[[V4]] : f64
// CHECK-NEXT:      %[[V6:.*]] = arith.mulf %[[G]], %[[V5]] : f64
// CHECK-NEXT:      linalg.yield %[[V6]]
func.func @powf(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.powf } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// datan2/dx: g z / (x^2 + z^2)
// CHECK-LABEL: func @atan2_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[Z]], %[[Z]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.addf %[[V0]], %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.divf %[[Z]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
// datan2/dz: -g x / (x^2 + z^2)
// CHECK-LABEL: func @atan2_vjp1(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[Z]], %[[Z]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.addf %[[V0]], %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.divf %[[X]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.negf %[[V3]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.mulf %[[G]], %[[V4]] : f64
// CHECK-NEXT:      linalg.yield %[[V5]]
func.func @atan2(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.atan2 } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dcopysign/dx: g sign(x) sign(z), and 0 for x = 0
// CHECK-LABEL: func @copysign_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = math.copysign %[[ONE]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = math.copysign %[[ONE]], %[[Z]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.cmpf oeq, %[[X]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[V0]], %[[V1]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.select %[[V2]], %[[ZERO]], %[[V3]] : f64
// CHECK-NEXT:      %[[V5:.*]] = arith.mulf %[[G]], %[[V4]] : f64
// CHECK-NEXT:      linalg.yield %[[V5]]
// dcopysign/dz: 0
// CHECK-LABEL: func @copysign_vjp1(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-NEXT:    tensor.empty
// CHECK-NEXT:    %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f64)
// CHECK-NEXT:    return %[[FILL]]
func.func @copysign(%x: tensor<4xf64>, %z: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.copysign } ins(%x, %z : tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dfma/dx: g z
// CHECK-LABEL: func @fma_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Z:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[G]], %[[Z]] : f64
// CHECK-NEXT:      linalg.yield %[[V0]]
// dfma/dz: g x
// CHECK-LABEL: func @fma_vjp1(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[G]], %[[X]] : f64
// CHECK-NEXT:      linalg.yield %[[V0]]
// dfma/dw: g
// CHECK-LABEL: func @fma_vjp2(
// CHECK:         ^bb0(%[[G:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      linalg.yield %[[G]]
func.func @fma(%x: tensor<4xf64>, %z: tensor<4xf64>, %w: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.fma } ins(%x, %z, %w : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// The branch that was taken, one after the other through the chain rule: g (x > 0 ? 2 x : 0).
// CHECK-LABEL: func @chain_vjp0(
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[P:.*]] = arith.cmpf ogt, %[[X]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[TWICE:.*]] = arith.addf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[S:.*]] = arith.select %[[P]], %[[TWICE]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[R:.*]] = arith.mulf %[[G]], %[[S]] : f64
// CHECK-NEXT:      linalg.yield %[[R]]
func.func @chain(%x: tensor<4xf64>) -> tensor<4xf64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
    (%a: f64, %o: f64) {
      %positive = arith.cmpf ogt, %a, %zero : f64
      %square = arith.mulf %a, %a : f64
      %r = arith.select %positive, %square, %zero : f64
      linalg.yield %r : f64
    }
  return %y : tensor<4xf64>
}

// Rounding to a shorter type has slope 1.
// CHECK-LABEL: func @rounded_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      linalg.yield %[[G]] : f64
func.func @rounded(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
    (%a: f64, %o: f64) {
      %short = arith.truncf %a : f64 to f32
      %long = arith.extf %short : f32 to f64
      linalg.yield %long : f64
    }
  return %y : tensor<4xf64>
}
