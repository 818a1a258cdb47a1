// RUN: tsgu-opt %s | tsgu-opt | FileCheck %s
// RUN: tsgu-opt %s --canonicalize | FileCheck %s --check-prefix=FOLD

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#Batch = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>

// CHECK-LABEL: func.func @numbers(
// CHECK:         tsgu.logdet %{{.*}}, %{{.*}} : tensor<?x?xcomplex<f64>, #{{.*}}> -> tensor<complex<f64>>
// CHECK:         tsgu.sign_det %{{.*}}, %{{.*}} : tensor<?x?x?xf64, #{{.*}}> -> tensor<?xf64>
func.func @numbers(%s: !tsgu.solver, %A: tensor<?x?xcomplex<f64>, #CSR>, %B: tensor<?x?x?xf64, #Batch>)
    -> (tensor<complex<f64>>, tensor<?xf64>) {
  %l = tsgu.logdet %s, %A : tensor<?x?xcomplex<f64>, #CSR> -> tensor<complex<f64>>
  %d = tsgu.sign_det %s, %B : tensor<?x?x?xf64, #Batch> -> tensor<?xf64>
  return %l, %d : tensor<complex<f64>>, tensor<?xf64>
}

// CHECK-LABEL: func.func @inverses(
// CHECK:         %[[S:.*]] = tsgu.selected_inverse %{{.*}}, %{{.*}} : tensor<?x?xf64, #{{.*}}>
// CHECK:         tsgu.selected_product %{{.*}}, %{{.*}}, %[[S]] : tensor<?x?xf64, #{{.*}}>
func.func @inverses(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>) -> tensor<?x?xf64, #CSR> {
  %S = tsgu.selected_inverse %s, %A : tensor<?x?xf64, #CSR>
  %P = tsgu.selected_product %s, %A, %S : tensor<?x?xf64, #CSR>
  return %P : tensor<?x?xf64, #CSR>
}

// An adjoint twice is nothing, and that of zeros is zeros.
// FOLD-LABEL: func.func @folded(
// FOLD-NEXT:    tsgu.zeros_like
// FOLD-NEXT:    return
func.func @folded(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>)
    -> (tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>) {
  %H = tsgu.adjoint %A : tensor<?x?xf64, #CSR>
  %B = tsgu.adjoint %H : tensor<?x?xf64, #CSR>
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %Z = tsgu.adjoint %zero : tensor<?x?xf64, #CSR>
  %P = tsgu.selected_product %s, %A, %zero : tensor<?x?xf64, #CSR>
  return %B, %Z, %P : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>
}

// Of the transpose of a Hermitian matrix the factor is conjugated.
// FOLD-LABEL: func.func @half_of_a_transpose(
// FOLD:         tsgu.half_solve %{{.*}}, %{{.*}}, %{{.*}} mode<T> :
func.func @half_of_a_transpose(%s: !tsgu.solver, %A: tensor<4x4xcomplex<f64>, #CSR>,
                               %B: tensor<4x2xcomplex<f64>>) -> tensor<4x2xcomplex<f64>> {
  %e = tensor.empty() : tensor<4x4xcomplex<f64>, #CSR>
  %At = linalg.transpose ins(%A : tensor<4x4xcomplex<f64>, #CSR>)
      outs(%e : tensor<4x4xcomplex<f64>, #CSR>) permutation = [1, 0]
  %X = tsgu.half_solve %s, %At, %B mode<C>
      : tensor<4x4xcomplex<f64>, #CSR>, tensor<4x2xcomplex<f64>> -> tensor<4x2xcomplex<f64>>
  return %X : tensor<4x2xcomplex<f64>>
}
