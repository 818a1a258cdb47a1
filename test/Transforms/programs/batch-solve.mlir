// RUN: tsgu-opt %programs/solve.mlir --tsgu-batch | FileCheck %s
// RUN: tsgu-opt %programs/solve.mlir --tsgu-batch=operands=1 --tsgu-simplify | FileCheck %s --check-prefix=MATRIX
// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-batch --tsgu-differentiate | FileCheck %s --check-prefix=GRAD

// One solver serves all items; each has a matrix and right-hand sides of its own.
// CHECK-LABEL: func.func @solve_batch(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver {tsgu.name = "solver"},
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?x?xf64, #[[$CSR:[a-z0-9]+]]> {tsgu.name = "A", tsgu.pattern = @A},
// CHECK-SAME:    %[[B:[a-z0-9]+]]: tensor<?x?x?xf64> {tsgu.name = "B"}) -> tensor<?x?x?xf64>
// CHECK-NEXT:    %[[X:.*]] = tsgu.solve %[[S]], %[[A]], %[[B]] : tensor<?x?x?xf64, #[[$CSR]]>, tensor<?x?x?xf64> -> tensor<?x?x?xf64>
// CHECK-NEXT:    return %[[X]]

// Right-hand sides that all items share are repeated for each.
// MATRIX-LABEL: func.func @solve_batch(
// MATRIX-SAME:    %[[B:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?x?xf64>
// MATRIX:         %[[EACH:.*]] = linalg.generic {{.*}} ins(%[[B]] : tensor<?x?xf64>) outs(%{{.*}} : tensor<?x?x?xf64>)
// MATRIX:         tsgu.solve %{{.*}}, %{{.*}}, %[[EACH]] :

// GRAD-LABEL: func.func @triangular_solve_batch_vjp1(
// GRAD:         %[[Y:.*]] = tsgu.triangular_solve {{.*}} mode<T> : tensor<?x?x?xf64, #{{[a-z0-9]+}}>
// GRAD:         %[[OUTER:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
// GRAD-SAME:      ins(%[[Y]], %{{[a-z0-9]+}} :
// GRAD:         tsgu.triangle %{{.*}}, %[[OUTER]] : tensor<?x?x?xf64,
