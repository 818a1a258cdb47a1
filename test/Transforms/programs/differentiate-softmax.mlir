// RUN: tsgu-opt %programs/softmax.mlir --tsgu-differentiate | FileCheck %s
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-differentiate=wrt=0 --tsgu-differentiate=wrt=0 \
// RUN:   | FileCheck %s --check-prefix=TWICE

// The gradient of softmax is written with its result: g y - y sum(g y) over each row. The argument Y
// says whose result it holds, and that function stays, as the way to differentiate through it.
// CHECK:       #[[$ENTRY:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK:       #[[$ROW:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK:       func.func private @softmax(
// CHECK-LABEL: func.func @softmax_vjp0(
// CHECK-SAME:    {tsgu.name = "A", tsgu.pattern = @A, {{[^}]*}}},
// CHECK-SAME:    %[[Y:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "Y", tsgu.pattern = @A, tsgu.result_of = @softmax, {{[^}]*}}},
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "G", tsgu.pattern = @A, {{[^}]*}}})
// Nothing of the forward program is computed again.
// CHECK-NOT:     math.exp
// CHECK-NOT:     tsgu.logaddexp
// CHECK:         %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[$ENTRY]], #[[$ENTRY]], #[[$ROW]]], iterator_types = ["parallel", "reduction"]}
// CHECK-SAME:      ins(%[[G]], %[[Y]] : {{.*}}) attrs = {tsgu.sampled}
// CHECK-NEXT:    ^bb0(%[[g:.*]]: f64, %[[y:.*]]: f64, %[[OUT:.*]]: f64):
// CHECK-NEXT:      %[[NEG:.*]] = arith.negf %[[y]]
// CHECK-NEXT:      %[[GY:.*]] = arith.mulf %[[g]], %[[NEG]]
// CHECK-NEXT:      %[[NEXT:.*]] = arith.addf %[[OUT]], %[[GY]]
// CHECK-NEXT:      linalg.yield %[[NEXT]]
// CHECK:         %[[GRAD:.*]] = linalg.generic
// CHECK-SAME:      ins(%[[G]], %[[Y]], %[[SUM]] : {{.*}}) attrs = {tsgu.sampled}
// CHECK-NEXT:    ^bb0(%[[g:.*]]: f64, %[[y:.*]]: f64, %[[s:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[YS:.*]] = arith.mulf %[[s]], %[[y]]
// CHECK-NEXT:      %[[GY:.*]] = arith.mulf %[[g]], %[[y]]
// CHECK-NEXT:      %[[D:.*]] = arith.addf %[[GY]], %[[YS]]
// CHECK-NEXT:      linalg.yield %[[D]]
// CHECK:         return %[[GRAD]]

// The second derivative by A goes through Y: with Y a constant it would be zero. It still computes
// no exponential, and its own result is not among its arguments.
// TWICE-LABEL: func.func @softmax_vjp0_vjp0(
// TWICE-SAME:    {tsgu.name = "Y", tsgu.pattern = @A, tsgu.result_of = @softmax, {{[^}]*}}},
// TWICE-SAME:    {tsgu.name = "G", tsgu.pattern = @A, {{[^}]*}}},
// TWICE-SAME:    {tsgu.name = "G2", tsgu.pattern = @A, {{[^}]*}}})
// TWICE-NOT:     math.exp
// TWICE-COUNT-5: linalg.generic
// TWICE-NOT:     linalg.generic
// TWICE:         return
