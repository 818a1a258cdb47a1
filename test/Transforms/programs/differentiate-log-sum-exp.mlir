// RUN: tsgu-opt %programs/logsumexp.mlir --tsgu-differentiate | FileCheck %s
// RUN: tsgu-opt %programs/logsumexp.mlir --tsgu-differentiate='mode=forward wrt=1' | FileCheck %s --check-prefix=FORWARD

// The share of each term is exp(term - L), with L computed anew; what the log-sum-exp starts from has
// a share of its own.
// CHECK-LABEL: func.func @logsumexp_vjp0(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: {{.*}}, %[[Z:[a-z0-9]+]]: {{.*}}, %[[G:[a-z0-9]+]]: {{.*}}
// CHECK:         %[[L:.*]] = linalg.generic {{.*}} ins(%[[A]] : {{.*}}) outs(%[[Z]] :
// CHECK:           tsgu.logaddexp
// CHECK:         %[[GRAD:.*]] = linalg.generic {{.*}} ins(%[[G]], %[[A]], %[[L]] :
// CHECK-NEXT:    ^bb0(%[[g:.*]]: f64, %[[a:.*]]: f64, %[[l:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[SHIFTED:.*]] = arith.subf %[[a]], %[[l]]
// CHECK-NEXT:      %[[SHARE:.*]] = math.exp %[[SHIFTED]]
// CHECK-NEXT:      arith.mulf %[[g]], %[[SHARE]]
// CHECK:         return %[[GRAD]]

// CHECK-LABEL: func.func @logsumexp_vjp1(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: {{.*}}, %[[Z:[a-z0-9]+]]: {{.*}}, %[[G:[a-z0-9]+]]: {{.*}}
// CHECK:         %[[L:.*]] = linalg.generic {{.*}} ins(%[[A]] : {{.*}}) outs(%[[Z]] :
// CHECK:         %[[GRAD:.*]] = linalg.generic {{.*}} ins(%[[G]], %[[Z]], %[[L]] :
// CHECK-NEXT:    ^bb0(%[[g:.*]]: f64, %[[z:.*]]: f64, %[[l:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[SHIFTED:.*]] = arith.subf %[[z]], %[[l]]
// CHECK-NEXT:      %[[SHARE:.*]] = math.exp %[[SHIFTED]]
// CHECK-NEXT:      arith.mulf %[[g]], %[[SHARE]]
// CHECK:         return %[[GRAD]]

// FORWARD-LABEL: func.func @logsumexp_jvp1(
// FORWARD-SAME:    %[[A:[a-z0-9]+]]: {{.*}}, %[[Z:[a-z0-9]+]]: {{.*}}, %[[T:[a-z0-9]+]]: tensor<?xf64> {{{.*}}}) -> tensor<?xf64>
// FORWARD:         %[[L:.*]] = linalg.generic {{.*}} ins(%[[A]] : {{.*}}) outs(%[[Z]] :
// FORWARD:         linalg.generic {{.*}} ins(%[[T]], %[[Z]], %[[L]] :
