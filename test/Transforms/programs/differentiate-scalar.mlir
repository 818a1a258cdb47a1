// RUN: tsgu-opt %s --tsgu-differentiate | FileCheck %s

// The rules for scalars: one elementwise program y = f(x) for each function that may stand in a
// payload. Where the program's result y helps, the gradient reads it instead of computing it again.
// At kinks and ties the values are torch's.

// dnegf/dx: -g
// CHECK-LABEL: func @negf_vjp0(
// CHECK-DAG:     %[[MINUS_ONE:.*]] = arith.constant -1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[G]], %[[MINUS_ONE]] : f64
// CHECK-NEXT:      linalg.yield %[[V0]]
func.func @negf(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { arith.negf } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dabsf/dx: g sign(x), and 0 at 0
// CHECK-LABEL: func @absf_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = math.copysign %[[ONE]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.cmpf oeq, %[[X]], %[[ZERO]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.select %[[V1]], %[[ZERO]], %[[V0]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[G]], %[[V2]] : f64
// CHECK-NEXT:      linalg.yield %[[V3]]
func.func @absf(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.absf } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dexp/dx: g y
// CHECK-LABEL: func @exp_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[G]], %[[Y]] : f64
// CHECK-NEXT:      linalg.yield %[[V0]]
func.func @exp(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.exp } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dexp2/dx: g y log 2
// CHECK-LABEL: func @exp2_vjp0(
// CHECK-DAG:     %[[SCALE:.*]] = arith.constant 0.69314718055994529 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[Y]], %[[SCALE]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @exp2(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.exp2 } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dexpm1/dx: g (y + 1)
// CHECK-LABEL: func @expm1_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.addf %[[Y]], %[[ONE]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @expm1(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.expm1 } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dlog/dx: g / x
// CHECK-LABEL: func @log_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.divf %[[ONE]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @log(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.log } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dlog2/dx: g / (x log 2)
// CHECK-LABEL: func @log2_vjp0(
// CHECK-DAG:     %[[SCALE:.*]] = arith.constant 1.4426950408889634 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.divf %[[SCALE]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @log2(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.log2 } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dlog10/dx: g / (x log 10)
// CHECK-LABEL: func @log10_vjp0(
// CHECK-DAG:     %[[SCALE:.*]] = arith.constant 0.43429448190325176 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.divf %[[SCALE]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @log10(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.log10 } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dlog1p/dx: g / (x + 1)
// CHECK-LABEL: func @log1p_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.addf %[[X]], %[[ONE]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.divf %[[ONE]], %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.mulf %[[G]], %[[V1]] : f64
// CHECK-NEXT:      linalg.yield %[[V2]]
func.func @log1p(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.log1p } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dsqrt/dx: g / (2 y)
// CHECK-LABEL: func @sqrt_vjp0(
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 5.000000e-01 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.divf %[[HALF]], %[[Y]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @sqrt(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.sqrt } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// drsqrt/dx: -g y^3 / 2
// CHECK-LABEL: func @rsqrt_vjp0(
// CHECK-DAG:     %[[MINUS_HALF:.*]] = arith.constant -5.000000e-01 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[Y]], %[[Y]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[Y]], %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.mulf %[[V1]], %[[MINUS_HALF]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[G]], %[[V2]] : f64
// CHECK-NEXT:      linalg.yield %[[V3]]
func.func @rsqrt(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.rsqrt } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dcbrt/dx: g / (3 y^2)
// CHECK-LABEL: func @cbrt_vjp0(
// CHECK-DAG:     %[[THREE:.*]] = arith.constant 3.000000e+00 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[Y]], %[[Y]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[V0]], %[[THREE]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.divf %[[ONE]], %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[G]], %[[V2]] : f64
// CHECK-NEXT:      linalg.yield %[[V3]]
func.func @cbrt(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.cbrt } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dsin/dx: g cos x
// CHECK-LABEL: func @sin_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = math.cos %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @sin(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.sin } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dcos/dx: -g sin x
// CHECK-LABEL: func @cos_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = math.sin %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.negf %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.mulf %[[G]], %[[V1]] : f64
// CHECK-NEXT:      linalg.yield %[[V2]]
func.func @cos(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.cos } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dtan/dx: g (1 + y^2)
// CHECK-LABEL: func @tan_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[Y]], %[[Y]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.addf %[[V0]], %[[ONE]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.mulf %[[G]], %[[V1]] : f64
// CHECK-NEXT:      linalg.yield %[[V2]]
func.func @tan(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.tan } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dsinh/dx: g cosh x
// CHECK-LABEL: func @sinh_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = math.cosh %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @sinh(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.sinh } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dcosh/dx: g sinh x
// CHECK-LABEL: func @cosh_vjp0(
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = math.sinh %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[G]], %[[V0]] : f64
// CHECK-NEXT:      linalg.yield %[[V1]]
func.func @cosh(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.cosh } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dtanh/dx: g (1 - y^2)
// CHECK-LABEL: func @tanh_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[Y:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[Y]], %[[Y]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.subf %[[ONE]], %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.mulf %[[G]], %[[V1]] : f64
// CHECK-NEXT:      linalg.yield %[[V2]]
func.func @tanh(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.tanh } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dasin/dx: g / sqrt(1 - x^2)
// CHECK-LABEL: func @asin_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.subf %[[ONE]], %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = math.sqrt %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.divf %[[ONE]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
func.func @asin(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.asin } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dacos/dx: -g / sqrt(1 - x^2)
// CHECK-LABEL: func @acos_vjp0(
// CHECK-DAG:     %[[MINUS_ONE:.*]] = arith.constant -1.000000e+00 : f64
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.subf %[[ONE]], %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = math.sqrt %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.divf %[[MINUS_ONE]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
func.func @acos(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.acos } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// datan/dx: g / (1 + x^2)
// CHECK-LABEL: func @atan_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.addf %[[V0]], %[[ONE]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.divf %[[ONE]], %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[G]], %[[V2]] : f64
// CHECK-NEXT:      linalg.yield %[[V3]]
func.func @atan(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.atan } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dasinh/dx: g / sqrt(x^2 + 1)
// CHECK-LABEL: func @asinh_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.addf %[[V0]], %[[ONE]] : f64
// CHECK-NEXT:      %[[V2:.*]] = math.sqrt %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.divf %[[ONE]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
func.func @asinh(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.asinh } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dacosh/dx: g / sqrt(x^2 - 1)
// CHECK-LABEL: func @acosh_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.subf %[[V0]], %[[ONE]] : f64
// CHECK-NEXT:      %[[V2:.*]] = math.sqrt %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.divf %[[ONE]], %[[V2]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
func.func @acosh(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.acosh } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// datanh/dx: g / (1 - x^2)
// CHECK-LABEL: func @atanh_vjp0(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.subf %[[ONE]], %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = arith.divf %[[ONE]], %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[G]], %[[V2]] : f64
// CHECK-NEXT:      linalg.yield %[[V3]]
func.func @atanh(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.atanh } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// derf/dx: g 2/sqrt(pi) exp(-x^2)
// CHECK-LABEL: func @erf_vjp0(
// CHECK-DAG:     %[[SCALE:.*]] = arith.constant 1.1283791670955126 : f64
// CHECK:         ^bb0(%[[G:.*]]: f64, %[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[V0:.*]] = arith.mulf %[[X]], %[[X]] : f64
// CHECK-NEXT:      %[[V1:.*]] = arith.negf %[[V0]] : f64
// CHECK-NEXT:      %[[V2:.*]] = math.exp %[[V1]] : f64
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[V2]], %[[SCALE]] : f64
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[G]], %[[V3]] : f64
// CHECK-NEXT:      linalg.yield %[[V4]]
func.func @erf(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.erf } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// dfloor/dx: 0: piecewise constant, as are those that follow
// CHECK-LABEL: func @floor_vjp0(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-NEXT:    tensor.empty
// CHECK-NEXT:    %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f64)
// CHECK-NEXT:    return %[[FILL]]
func.func @floor(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.floor } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func @ceil_vjp0(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-NEXT:    tensor.empty
// CHECK-NEXT:    %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f64)
// CHECK-NEXT:    return %[[FILL]]
func.func @ceil(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.ceil } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func @round_vjp0(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-NEXT:    tensor.empty
// CHECK-NEXT:    %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f64)
// CHECK-NEXT:    return %[[FILL]]
func.func @round(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.round } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func @roundeven_vjp0(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-NEXT:    tensor.empty
// CHECK-NEXT:    %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f64)
// CHECK-NEXT:    return %[[FILL]]
func.func @roundeven(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.roundeven } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}

// CHECK-LABEL: func @trunc_vjp0(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-NEXT:    tensor.empty
// CHECK-NEXT:    %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f64)
// CHECK-NEXT:    return %[[FILL]]
func.func @trunc(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.map { math.trunc } ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
  return %y : tensor<4xf64>
}
