// RUN: tsgu-opt %s --tsgu-expand-conjugated | FileCheck %s

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// conj(A)^-1 B is the conjugate of A^-1 conj(B).
// CHECK-LABEL: func.func @f(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver, %[[A:[a-z0-9]+]]: {{.*}}, %[[B:[a-z0-9]+]]: tensor<?x?xcomplex<f64>>)
// CHECK:         %[[C:.*]] = linalg.generic {{.*}} ins(%[[B]] :
// CHECK:           complex.conj
// CHECK:         %[[X:.*]] = tsgu.solve %[[S]], %[[A]], %[[C]] :
// CHECK:         %[[Y:.*]] = linalg.generic {{.*}} ins(%[[X]] :
// CHECK:           complex.conj
// CHECK:         return %[[Y]]
func.func @f(%s: !tsgu.solver, %A: tensor<?x?xcomplex<f64>, #CSR>, %B: tensor<?x?xcomplex<f64>>)
    -> tensor<?x?xcomplex<f64>> {
  %X = tsgu.solve %s, %A, %B mode<R>
      : tensor<?x?xcomplex<f64>, #CSR>, tensor<?x?xcomplex<f64>> -> tensor<?x?xcomplex<f64>>
  return %X : tensor<?x?xcomplex<f64>>
}
