// RUN: tsgu-opt %programs/amax.mlir --tsgu-differentiate | FileCheck %s
// RUN: tsgu-opt %programs/amax.mlir --tsgu-differentiate --tsgu-differentiate | FileCheck %s --check-prefix=TWICE

// The entries that equal the maximum are counted, and share its cotangent. They are compared with the result at hand.
// CHECK-LABEL: func.func @amax_vjp0(
// CHECK-SAME: %[[A:.*]]: tensor<?x?xf64, #{{.*}}> {{.*}}, %[[Y:.*]]: tensor<?xf64> {{.*}}, %[[G:.*]]: tensor<?xf64>
// CHECK: %[[K:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[Y]] :
// CHECK: arith.cmpf oeq, %{{.*}}, %{{.*}} : f64
// CHECK: arith.addf
// CHECK: linalg.generic {{.*}} ins(%[[G]], %[[A]], %[[K]], %[[Y]] :
// CHECK: %[[SHARE:.*]] = arith.divf %{{.*}}, %{{.*}} : f64
// CHECK: arith.select %{{.*}}, %[[SHARE]], %{{.*}} : f64

// Which are equal does not change: by A the second derivative is zero.
// TWICE-LABEL: func.func @amax_vjp0_vjp0(
// TWICE-NEXT: %[[ZERO:.*]] = tsgu.zeros_like
// TWICE-NEXT: return %[[ZERO]]
