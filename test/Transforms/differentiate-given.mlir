// RUN: tsgu-opt %s --tsgu-differentiate="wrt=1 given=2" | FileCheck %s
// RUN: tsgu-opt %s --tsgu-differentiate="wrt=1 given=2" --tsgu-differentiate="wrt=1 given=4,2" | FileCheck %s --check-prefix=TWICE
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=1" 2>&1 | FileCheck %s --check-prefix=ASKED
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=2,2" 2>&1 | FileCheck %s --check-prefix=TWO
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=0" 2>&1 | FileCheck %s --check-prefix=SOLVER
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=7" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not tsgu-opt %s --tsgu-differentiate="given=2" 2>&1 | FileCheck %s --check-prefix=NAMED
// RUN: not tsgu-opt %s --tsgu-differentiate="wrt=1 given=2 mode=forward" 2>&1 | FileCheck %s --check-prefix=NAMED

// The adjoint solve that gave the right-hand side's gradient is not repeated for the matrix's.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// CHECK-LABEL: func.func @f_vjp1given2(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y", tsgu.result_of = @f}
// CHECK-SAME:    %{{[a-z0-9]+}}: tensor<?x?xf64> {tsgu.name = "G"}
// CHECK-SAME:    %[[H:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "H", tsgu.result_of = @f_vjp2}
// CHECK-NOT:     tsgu.solve
// CHECK:         linalg.generic {{.*}} ins(%[[H]], %[[X]]
// CHECK-NOT:     tsgu.solve
// CHECK:       func.func private @f_vjp2(
// CHECK:         tsgu.solve

// The second derivative goes through what was given, and takes two adjoint solves itself.
// TWICE-LABEL: func.func @f_vjp1given2_vjp1given4given2(
// TWICE-SAME:    {tsgu.name = "H2", tsgu.result_of = @f_vjp1given2_vjp4}
// TWICE-SAME:    {tsgu.name = "H3", tsgu.result_of = @f_vjp1given2_vjp2}
// TWICE-NOT:     tsgu.solve %
// TWICE:         return
// TWICE:       func.func private @f_vjp1given2_vjp{{[24]}}(

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
