// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate | FileCheck %s --check-prefix=VJP
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=mode=forward | FileCheck %s --check-prefix=JVP
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=1 | FileCheck %s --check-prefix=ONE
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=0 --tsgu-differentiate=wrt=2 \
// RUN:   | FileCheck %s --check-prefix=TWICE
// RUN: tsgu-opt %s --split-input-file --tsgu-differentiate | FileCheck %s

// C = A B. The gradient of the sparse operand is the dense gradient sampled on its pattern, a sum
// over the columns of G and B at each stored entry. B itself is read; C is not, so no argument holds
// it. The original is gone: nothing refers to it.
// VJP:       #[[$G:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// VJP:       #[[$B:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// VJP:       #[[$A:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// VJP-NOT:   @spmm(
// VJP-LABEL: func.func @spmm_vjp0(
// VJP-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?xf64, #[[$CSR:.*]]> {tsgu.name = "A", tsgu.pattern = @A, {{[^}]*}}},
// VJP-SAME:    %[[B:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "B", {{[^}]*}}},
// VJP-SAME:    %[[G:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "G", {{[^}]*}}})
// VJP-SAME:    -> (tensor<?x?xf64, #[[$CSR]]> {tsgu.pattern = @A})
// VJP:         %[[ZERO:.*]] = tsgu.zeros_like %[[A]]
// VJP:         %[[GRAD:.*]] = linalg.generic {indexing_maps = [#[[$G]], #[[$B]], #[[$A]]], iterator_types = ["parallel", "reduction", "parallel"]}
// VJP-SAME:      ins(%[[G]], %[[B]] : {{.*}}) outs(%[[ZERO]] : {{.*}}) attrs = {tsgu.sampled}
// VJP:           %[[P:.*]] = arith.mulf
// VJP-NEXT:      %[[S:.*]] = arith.addf %{{.*}}, %[[P]]
// VJP-NEXT:      linalg.yield %[[S]]
// VJP:         return %[[GRAD]]

// That of the dense operand is a product with the transposed pattern.
// VJP-LABEL: func.func @spmm_vjp1(
// VJP-SAME:    -> tensor<?x?xf64> {
// VJP-NOT:     tsgu.zeros_like
// VJP:         linalg.generic {indexing_maps = [#[[$G]], #[[$A]], #[[$B]]], iterator_types = ["reduction", "parallel", "parallel"]}
// VJP-SAME:      ins(%arg2, %arg0 : {{.*}}) outs(
// VJP-NOT:       tsgu.sampled
// VJP:         return

// Tangents are products of the same kind, with T in place of the operand.
// JVP-LABEL: func.func @spmm_jvp0(
// JVP-SAME:    %[[T:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "T", tsgu.pattern = @A, {{[^}]*}}}) -> tensor<?x?xf64>
// JVP:         linalg.generic
// JVP-SAME:      ins(%arg1, %[[T]] :
// JVP-LABEL: func.func @spmm_jvp1(
// JVP-SAME:    %[[T:[a-z0-9]+]]: tensor<?x?xf64> {tsgu.name = "T", {{[^}]*}}}) -> tensor<?x?xf64>
// JVP:         linalg.generic
// JVP-SAME:      ins(%arg0, %[[T]] :

// ONE-NOT:   @spmm_vjp0
// ONE:       @spmm_vjp1
// ONE-NOT:   @spmm_vjp

// The derivative of the sampled product by its cotangent is the product of the new cotangent, which
// lies on the pattern of A, with B: SpMM again.
// TWICE-LABEL: func.func @spmm_vjp0_vjp2(
// TWICE-SAME:    %[[G2:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}> {tsgu.name = "G2", tsgu.pattern = @A, {{[^}]*}}}) -> tensor<?x?xf64>
// TWICE:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]}
// TWICE-SAME:      ins(%[[G2]], %arg1 :

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Read twice, an operand gets one sum: 2 a g. A square is zero where A is absent; so is its slope.
// CHECK-LABEL: func.func @sum_of_squares_vjp0(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?xf64, #{{.*}}> {tsgu.pattern = @A, {{[^}]*}}}, %[[G:[a-z0-9]+]]: tensor<?xf64> {tsgu.name = "G", {{[^}]*}}})
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%[[G]], %[[A]] : {{.*}}) {{.*}} attrs = {tsgu.sampled}
// CHECK:         ^bb0(%[[g:.*]]: f64, %[[a:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[D:.*]] = arith.addf %[[a]], %[[a]]
// CHECK-NEXT:      %[[P:.*]] = arith.mulf %[[g]], %[[D]]
// CHECK-NEXT:      linalg.yield %[[P]]
func.func @sum_of_squares(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %square = arith.mulf %a, %a : f64
    %s = arith.addf %o, %square : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

// An operand that the program does not read has gradient zero; what it returned is the cotangent.
// CHECK-LABEL: func.func @second_vjp0(
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK:         %[[FILL:.*]] = linalg.fill ins(%[[ZERO]] : f64)
// CHECK:         return %[[FILL]]
// CHECK-LABEL: func.func @second_vjp1(
// CHECK:         return %arg2
func.func @second(%x: tensor<?xf64>, %y: tensor<?xf64>) -> tensor<?xf64> {
  return %y : tensor<?xf64>
}

// -----

// Functions that are no program's results or operands are not derived.
// CHECK-NOT: @helper_vjp
// CHECK:     func.func private @helper
// CHECK-NOT: @helper_vjp
func.func private @helper(%x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}
