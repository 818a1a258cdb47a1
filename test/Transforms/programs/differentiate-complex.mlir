// RUN: tsgu-opt %programs/spmm.mlir --tsgu-complexify --tsgu-differentiate | FileCheck %s --check-prefix=VJP
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-complexify --tsgu-differentiate=mode=forward | FileCheck %s --check-prefix=JVP
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-complexify --tsgu-differentiate=wrt=0 --tsgu-differentiate=wrt=1 \
// RUN:   | FileCheck %s --check-prefix=TWICE
// RUN: tsgu-opt %s --tsgu-differentiate | FileCheck %s

// The gradient of A is G B^H at the stored entries, that of B is A^H G.
// VJP-LABEL: func.func @spmm_vjp0(
// VJP:         ^bb0(%[[G:[a-z0-9_]+]]: complex<f64>, %[[B:[a-z0-9_]+]]: complex<f64>, %[[OUT:[a-z0-9_]+]]: complex<f64>):
// VJP-NEXT:      %[[C:.*]] = complex.conj %[[B]]
// VJP-NEXT:      %[[P:.*]] = complex.mul %[[G]], %[[C]]
// VJP-NEXT:      complex.add %[[OUT]], %[[P]]
// VJP-LABEL: func.func @spmm_vjp1(
// VJP:         ^bb0(%[[G:[a-z0-9_]+]]: complex<f64>, %[[A:[a-z0-9_]+]]: complex<f64>, %[[OUT:[a-z0-9_]+]]: complex<f64>):
// VJP-NEXT:      %[[C:.*]] = complex.conj %[[A]]
// VJP-NEXT:      %[[P:.*]] = complex.mul %[[G]], %[[C]]

// A tangent of a holomorphic program conjugates nothing.
// JVP:     func.func @spmm_jvp0(
// JVP-NOT: complex.conj
// JVP:     func.func @spmm_jvp1(
// JVP-NOT: complex.conj

// The gradient of A contains conj(b): its cotangent for B is conj(h) g.
// TWICE-LABEL: func.func @spmm_vjp0_vjp1(
// TWICE:         ^bb0(%[[H:[a-z0-9_]+]]: complex<f64>, %[[G:[a-z0-9_]+]]: complex<f64>, %{{.*}}: complex<f64>):
// TWICE-NEXT:      %[[C:.*]] = complex.conj %[[H]]
// TWICE-NEXT:      %[[P:.*]] = complex.mul %[[C]], %[[G]]

// z conj(z) depends on z both ways: the cotangent is g z + conj(g) z.
// CHECK-LABEL: func.func @square_vjp0(
// CHECK:         ^bb0(%[[G:[a-z0-9_]+]]: complex<f64>, %[[Z:[a-z0-9_]+]]: complex<f64>, %{{.*}}: complex<f64>):
// CHECK:           %[[FIRST:.*]] = complex.mul %[[G]], %[[Z]]
// CHECK:           %[[GC:.*]] = complex.conj %[[G]]
// CHECK:           %[[SECOND:.*]] = complex.mul %[[GC]], %[[Z]]
// CHECK:           complex.add %[[FIRST]], %[[SECOND]]
#id = affine_map<(i) -> (i)>
func.func @square(%x: tensor<?xcomplex<f64>>) -> tensor<?xcomplex<f64>> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xcomplex<f64>>
  %empty = tensor.empty(%n) : tensor<?xcomplex<f64>>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xcomplex<f64>>) outs(%empty : tensor<?xcomplex<f64>>) {
  ^bb0(%z: complex<f64>, %out: complex<f64>):
    %conjugate = complex.conj %z : complex<f64>
    %square = complex.mul %z, %conjugate : complex<f64>
    linalg.yield %square : complex<f64>
  } -> tensor<?xcomplex<f64>>
  return %y : tensor<?xcomplex<f64>>
}
