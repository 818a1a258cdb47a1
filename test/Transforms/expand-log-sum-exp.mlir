// RUN: tsgu-opt %programs/softmax.mlir --pass-pipeline='builtin.module(func.func(tsgu-expand-log-sum-exp))' | FileCheck %s

// log sum exp(a) = m + log sum exp(a - m), with m the greatest stored entry of the row, or 0 where
// that is infinite: an empty row, whose maximum is -inf, gets log 0 = -inf, and no inf - inf arises.
// CHECK-LABEL: func.func @softmax(
// CHECK-SAME:    %[[A:[a-z0-9]+]]:
// CHECK-NOT:     tsgu.logaddexp
// CHECK:         %[[NEG_INF:.*]] = arith.constant 0xFFF0000000000000 : f64
// CHECK:         %[[INIT:.*]] = linalg.fill ins(%[[NEG_INF]] : f64)
// CHECK:         %[[MAX:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK-SAME:      ins(%[[A]] : {{.*}}) attrs = {tsgu.sampled}
// CHECK:           arith.maximumf
// CHECK:         %[[SHIFT:.*]] = linalg.generic {{.*}} iterator_types = ["parallel"]} ins(%[[MAX]] :
// CHECK-NEXT:    ^bb0(%[[m:.*]]: f64, %{{.*}}: f64):
// CHECK-DAG:       %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-DAG:       %[[INF:.*]] = arith.constant 0x7FF0000000000000 : f64
// CHECK:           %[[ABS:.*]] = math.absf %[[m]]
// CHECK-NEXT:      %[[IS_INF:.*]] = arith.cmpf oeq, %[[ABS]], %[[INF]]
// CHECK-NEXT:      %[[S:.*]] = arith.select %[[IS_INF]], %[[ZERO]], %[[m]]
// CHECK-NEXT:      linalg.yield %[[S]]
// CHECK:         %[[SUM:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK-SAME:      ins(%[[A]], %[[SHIFT]] : {{.*}}) attrs = {tsgu.sampled}
// CHECK:           arith.subf
// CHECK-NEXT:      math.exp
// CHECK-NEXT:      arith.addf
// CHECK:         %[[L:.*]] = linalg.generic {{.*}} ins(%[[SHIFT]], %[[SUM]] :
// CHECK:           math.log
// CHECK-NEXT:      arith.addf
// CHECK:         linalg.generic {{.*}} ins(%[[A]], %[[L]] :
