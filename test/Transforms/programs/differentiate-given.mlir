// RUN: tsgu-opt %s --tsgu-differentiate="wrt=1 given=2" | FileCheck %s
// RUN: tsgu-opt %s --tsgu-differentiate="wrt=1 given=2" --tsgu-differentiate="wrt=1 given=4,2" | FileCheck %s --check-prefix=TWICE
// RUN: tsgu-opt %s --tsgu-batch --tsgu-differentiate="wrt=1 given=2" | FileCheck %s --check-prefix=BATCH
// RUN: tsgu-opt %s --tsgu-complexify --tsgu-differentiate="wrt=1 given=2" | FileCheck %s --check-prefix=COMPLEX
// RUN: tsgu-opt %s --tsgu-differentiate="wrt=2 given=1" | FileCheck %s --check-prefix=MATRIX
// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-differentiate="wrt=1 given=2" | FileCheck %s --check-prefix=TRIANGLE
// RUN: tsgu-opt %programs/least_squares.mlir --tsgu-differentiate="wrt=1 given=2" | FileCheck %s --check-prefix=TALL
// RUN: tsgu-opt %programs/least_squares_row.mlir --tsgu-differentiate="wrt=1 given=2" | FileCheck %s --check-prefix=WIDE
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=1" 2>&1 | FileCheck %s --check-prefix=ASKED
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=2,2" 2>&1 | FileCheck %s --check-prefix=TWO
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=0" 2>&1 | FileCheck %s --check-prefix=SOLVER
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=7" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=7 given=2" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=4294967295" 2>&1 | FileCheck %s --check-prefix=HUGE
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=0 given=2" 2>&1 | FileCheck %s --check-prefix=SOLVER
// RUN: not tsgu-opt %s --tsgu-differentiate=wrt=1,2,1 2>&1 | FileCheck %s --check-prefix=REPEATED
// RUN: not tsgu-opt %s --tsgu-differentiate=wrt=1 --tsgu-differentiate="wrt=1 given=3" 2>&1 | FileCheck %s --check-prefix=HELD
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=2" --tsgu-differentiate="wrt=1 given=5" 2>&1 | FileCheck %s --check-prefix=GIVEN
// RUN: not tsgu-opt %s --tsgu-differentiate="given=2" 2>&1 | FileCheck %s --check-prefix=NAMED
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=2 mode=forward" 2>&1 | FileCheck %s --check-prefix=NAMED

// The adjoint solve that gave the right-hand side's gradient is not repeated for the matrix's.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// CHECK-LABEL: func.func @f_vjp1given2(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y", tsgu.result_of = @f, {{[^}]*}}}
// CHECK-SAME:    %{{[a-z0-9]+}}: tensor<?x?xf64> {tsgu.name = "G", {{[^}]*}}}
// CHECK-SAME:    %[[H:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "H", tsgu.result_of = @f_vjp2, {{[^}]*}}}
// CHECK-NOT:     tsgu.solve
// CHECK:         linalg.generic {{.*}} ins(%[[H]], %[[X]]
// CHECK-NOT:     tsgu.solve
// CHECK:       func.func private @f_vjp2(
// CHECK:         tsgu.solve

// The second derivative goes through what was given, and takes two adjoint solves itself.
// TWICE-LABEL: func.func @f_vjp1given2_vjp1given4given2(
// TWICE-SAME:    {tsgu.name = "H2", tsgu.result_of = @f_vjp1given2_vjp4, {{[^}]*}}}
// TWICE-SAME:    {tsgu.name = "H3", tsgu.result_of = @f_vjp1given2_vjp2, {{[^}]*}}}
// TWICE-NOT:     tsgu.solve %
// TWICE:         return
// TWICE:       func.func private @f_vjp1given2_vjp{{[24]}}(

// Of a batch of matrices as of one.
// BATCH-LABEL: func.func @f_batch_vjp1given2(
// BATCH-SAME:    %[[X:[a-z0-9]+]]: tensor<?x?x?xf64> {tsgu.name = "Y", tsgu.result_of = @f_batch, {{[^}]*}}}
// BATCH-SAME:    %[[H:[a-z0-9]+]]: tensor<?x?x?xf64> {tsgu.name = "H", tsgu.result_of = @f_batch_vjp2, {{[^}]*}}}
// BATCH-NOT:     tsgu.solve %
// BATCH:         linalg.generic {{.*}} ins(%[[H]], %[[X]]
// BATCH-NOT:     tsgu.solve %
// BATCH:       func.func private @f_batch_vjp2(

// What is given was solved with the adjoint; the solution is conjugated in the product.
// COMPLEX-LABEL: func.func @f_vjp1given2(
// COMPLEX-NOT:     tsgu.solve %
// COMPLEX:         linalg.generic
// COMPLEX-NEXT:    ^bb0(%{{.*}}: complex<f64>, %[[X:.*]]: complex<f64>, %{{.*}}: complex<f64>):
// COMPLEX-NEXT:      complex.conj %[[X]]
// COMPLEX:       func.func private @f_vjp2(
// COMPLEX:         tsgu.solve {{.*}} mode<C>

// The gradient of the matrix tells nothing about that of the right-hand side: it is not read.
// MATRIX-LABEL: func.func @f_vjp2given1(
// MATRIX-SAME:    %[[H:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "H", tsgu.pattern = @A, tsgu.result_of = @f_vjp1, {{[^}]*}}}
// MATRIX-NOT:     %[[H]]
// MATRIX:         tsgu.solve {{.*}} mode<T>
// MATRIX-NEXT:    return

// TRIANGLE-LABEL: func.func @triangular_solve_vjp1given2(
// TRIANGLE-NOT:     tsgu.triangular_solve %
// TRIANGLE:         tsgu.triangle
// TRIANGLE-NEXT:    return

// W = A Z, the gradient by B, is given; Z is solved for again.
// TALL-LABEL: func.func @least_squares_vjp1given2(
// TALL-SAME:    %[[W:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "H", tsgu.result_of = @least_squares_vjp2, {{[^}]*}}}
// TALL:         %[[Z:.*]] = tsgu.normal_solve
// TALL-NOT:     tsgu.normal_solve
// TALL:         linalg.generic {{.*}} ins(%{{[a-z0-9]+}}, %[[Z]], %[[W]], %{{[a-z0-9]+}} : {{.*}} attrs = {tsgu.sampled}
// TALL:       func.func private @least_squares_vjp2(

// W is given, which took a solve; U takes another.
// WIDE-LABEL: func.func @least_squares_row_vjp1given2(
// WIDE-SAME:    %[[B:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "B", {{[^}]*}}}
// WIDE:         tsgu.normal_solve %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %[[B]] mode<T>
// WIDE-NOT:     tsgu.normal_solve
// WIDE:       func.func private @least_squares_row_vjp2(

// HUGE: error: has no operand 4294967295 to differentiate by
// REPEATED: error: operand 1 is named twice
// HELD: error: operand 3 holds the result of @f; differentiate by the operands that it depends on
// GIVEN: error: operand 5 holds the result of @f_vjp2; differentiate by the operands that it depends on
// ASKED: error: the cotangent of operand 1 is given already or asked for
// TWO: error: the cotangent of operand 2 is given already or asked for
// SOLVER: error: operand 0 is a solver; differentiate by the tensors it works on
// NONE: error: has no operand 7 to differentiate by
// NAMED: error: cotangents can be given in reverse mode, for the operands named in wrt

func.func @f(%s: !tsgu.solver {tsgu.name = "solver"},
             %A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
             %B: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?xf64> {
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}
