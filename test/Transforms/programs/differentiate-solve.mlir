// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-differentiate | FileCheck %s --check-prefix=TRI
// RUN: tsgu-opt %programs/triangular_solve_transposed.mlir --tsgu-differentiate | FileCheck %s --check-prefix=TRANSPOSED
// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-differentiate=mode=forward | FileCheck %s --check-prefix=FORWARD
// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-differentiate=wrt=1 --tsgu-differentiate=wrt=4 \
// RUN:   | FileCheck %s --check-prefix=TWICE
// RUN: tsgu-opt %programs/solve.mlir --tsgu-differentiate | FileCheck %s --check-prefix=SOLVE
// RUN: tsgu-opt %programs/least_squares.mlir --tsgu-differentiate | FileCheck %s --check-prefix=TALL
// RUN: tsgu-opt %programs/least_squares_row.mlir --tsgu-differentiate | FileCheck %s --check-prefix=WIDE
// RUN: tsgu-opt %s --tsgu-differentiate=wrt=1,2 | FileCheck %s

// By every operand but the solver. One adjoint solve gives Y; -Y X^T is sampled on A, where X is the
// result that the caller has, and kept where the solver reads.
// TRI:         func.func private @triangular_solve(
// TRI-NOT:     @triangular_solve_vjp0
// TRI-LABEL:   func.func @triangular_solve_vjp1(
// TRI-SAME:      %[[S:[a-z0-9]+]]: !tsgu.solver {tsgu.name = "solver"},
// TRI-SAME:      %[[A:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "A", tsgu.pattern = @A, {{[^}]*}}},
// TRI-SAME:      %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y", tsgu.result_of = @triangular_solve, {{[^}]*}}},
// TRI-SAME:      %[[G:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "G", {{[^}]*}}})
// TRI:           %[[Y:.*]] = tsgu.triangular_solve %[[S]], %[[A]], %[[G]] mode<T>
// TRI-NOT:       tsgu.triangular_solve
// TRI:           %[[OUTER:.*]] = linalg.generic {{.*}} ins(%[[Y]], %[[X]] : {{.*}} attrs = {tsgu.sampled}
// TRI-NEXT:      ^bb0(%[[y:.*]]: f64, %[[x:.*]]: f64, %[[OUT:.*]]: f64):
// TRI-NEXT:        %[[YX:.*]] = arith.mulf %[[y]], %[[x]]
// TRI-NEXT:        %[[NEG:.*]] = arith.negf %[[YX]]
// TRI-NEXT:        arith.addf %[[OUT]], %[[NEG]]
// TRI:           %[[D:.*]] = tsgu.triangle %[[S]], %[[OUTER]]
// TRI-NEXT:      return %[[D]]
// TRI-LABEL:   func.func @triangular_solve_vjp2(
// TRI-SAME:      %[[B:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "B", {{[^}]*}}}, %[[G:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "G", {{[^}]*}}})
// TRI-NEXT:      %[[Y:.*]] = tsgu.triangular_solve %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %[[G]] mode<T>
// TRI-NEXT:      return %[[Y]]

// The adjoint of the transposed solve is the plain one, and X Y^T is sampled.
// TRANSPOSED:       #[[$ROW:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// TRANSPOSED:       #[[$COLUMN:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// TRANSPOSED:       #[[$ENTRY:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// TRANSPOSED-LABEL: func.func @triangular_solve_transposed_vjp1(
// TRANSPOSED-SAME:    %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y"
// TRANSPOSED:         %[[Y:.*]] = tsgu.triangular_solve %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} :
// TRANSPOSED:         linalg.generic {indexing_maps = [#[[$ROW]], #[[$COLUMN]], #[[$ENTRY]]]
// TRANSPOSED-SAME:      ins(%[[Y]], %[[X]] :

// dX = L^-1 (dB - dL X).
// FORWARD-LABEL: func.func @triangular_solve_jvp1(
// FORWARD-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver {{.*}} %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y", {{.*}} %[[T:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "T"
// FORWARD:         %[[DL:.*]] = tsgu.triangle %[[S]], %[[T]]
// FORWARD:         %[[DLX:.*]] = linalg.generic {{.*}} ins(%[[DL]], %[[X]] :
// FORWARD:           arith.negf
// FORWARD:         %[[DX:.*]] = tsgu.triangular_solve %[[S]], %{{[a-z0-9]+}}, %[[DLX]] :
// FORWARD:         return %[[DX]]
// FORWARD-LABEL: func.func @triangular_solve_jvp2(
// FORWARD:         tsgu.triangular_solve %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} :
// FORWARD-NEXT:    return

// The gradient by A, differentiated by its cotangent: one solve, X still as it was given.
// TWICE-LABEL: func.func @triangular_solve_vjp1_vjp4(
// TWICE-SAME:    %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y", tsgu.result_of = @triangular_solve, {{[^}]*}}}
// TWICE-SAME:    %[[H:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "G2", tsgu.pattern = @A, {{[^}]*}}})
// TWICE:         %[[HL:.*]] = tsgu.triangle %{{[a-z0-9]+}}, %[[H]]
// TWICE:         %[[HX:.*]] = linalg.generic {{.*}} ins(%[[HL]], %[[X]] :
// TWICE:         %[[R:.*]] = tsgu.triangular_solve %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %[[HX]] :
// TWICE-NEXT:    return %[[R]]

// A general solve reads the whole matrix.
// SOLVE-LABEL: func.func @solve_vjp1(
// SOLVE:         tsgu.solve {{.*}} mode<T>
// SOLVE-NOT:     = tsgu.solve 
// SOLVE-NOT:     tsgu.triangle
// SOLVE:         return
// SOLVE-LABEL: func.func @solve_vjp2(
// SOLVE-NEXT:    tsgu.solve {{.*}} mode<T>
// SOLVE-NEXT:    return

// Z = (A^T A + damp^2)^-1 G and W = A Z: R Z^T - W X^T in one sampled product.
// TALL-LABEL: func.func @least_squares_vjp1(
// TALL-SAME:    %[[B:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "B", {{[^}]*}}}, %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y"
// TALL:         %[[Z:.*]] = tsgu.normal_solve %{{[a-z0-9]+}}, %[[A:[a-z0-9]+]], %{{[a-z0-9]+}} :
// TALL:         %[[W:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[Z]] :
// TALL:         %[[AX:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[X]] :
// TALL:           arith.negf
// TALL:         %[[R:.*]] = linalg.generic {{.*}} ins(%[[B]], %[[AX]] :
// TALL:         linalg.generic {{.*}} ins(%[[R]], %[[Z]], %[[W]], %[[X]] : {{.*}} attrs = {tsgu.sampled}
// TALL-NOT:     tsgu.normal_solve
// TALL-LABEL: func.func @least_squares_vjp2(
// TALL:         %[[Z:.*]] = tsgu.normal_solve
// TALL:         %[[W:.*]] = linalg.generic {{.*}} ins(%{{[a-z0-9]+}}, %[[Z]] :
// TALL:         return %[[W]]

// W = (A A^T)^-1 A G and U = (A A^T)^-1 B: U (G - A^T W)^T - W X^T.
// WIDE-LABEL: func.func @least_squares_row_vjp1(
// WIDE-SAME:    %[[B:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "B", {{[^}]*}}}, %[[X:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "Y"
// WIDE-SAME:    %[[G:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "G", {{[^}]*}}}
// WIDE:         %[[AG:.*]] = linalg.generic {{.*}} ins(%[[A:[a-z0-9]+]], %[[G]] :
// WIDE:         %[[W:.*]] = tsgu.normal_solve %{{[a-z0-9]+}}, %[[A]], %[[AG]] mode<T>
// WIDE:         %[[U:.*]] = tsgu.normal_solve %{{[a-z0-9]+}}, %[[A]], %[[B]] mode<T>
// WIDE:         %[[AW:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[W]] :
// WIDE:           arith.negf
// WIDE:         %[[D:.*]] = linalg.generic {{.*}} ins(%[[G]], %[[AW]] :
// WIDE:         linalg.generic {{.*}} ins(%[[U]], %[[D]], %[[W]], %[[X]] : {{.*}} attrs = {tsgu.sampled}
// WIDE-NOT:     tsgu.normal_solve
// WIDE-LABEL: func.func @least_squares_row_vjp2(

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#x = affine_map<(i, j) -> (i, j)>

// The forward's solution is not the result here, and is computed once for its gradient: both
// cotangents need it for the slope of the sine.
// CHECK-LABEL: func.func @sine_of_solution_vjp1(
// CHECK:         %[[X:.*]] = tsgu.solve %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} :
// CHECK:         math.cos
// CHECK:         tsgu.solve {{.*}} mode<T>
// CHECK-NOT:     = tsgu.solve 
// CHECK-LABEL: func.func @sine_of_solution_vjp2(
// CHECK-COUNT-2: = tsgu.solve 
// CHECK-NOT:     = tsgu.solve 
func.func @sine_of_solution(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A},
                            %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  %n = tensor.dim %X, %c0 : tensor<?x?xf64>
  %p = tensor.dim %X, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%n, %p) : tensor<?x?xf64>
  %Y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel", "parallel"]}
      ins(%X : tensor<?x?xf64>) outs(%empty : tensor<?x?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %sin = math.sin %a : f64
    linalg.yield %sin : f64
  } -> tensor<?x?xf64>
  return %Y : tensor<?x?xf64>
}
