// RUN: tsgu-opt %s | tsgu-opt | FileCheck %s
// RUN: tsgu-opt %s --mlir-print-op-generic | tsgu-opt | FileCheck %s

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#Batch = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>

// CHECK-LABEL: func.func @solves(
// CHECK-SAME:    %[[S:.*]]: !tsgu.solver, %[[A:.*]]: tensor<?x?xf64, #[[$CSR:.*]]>, %[[B:.*]]: tensor<?x?xf64>)
func.func @solves(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) {
  // CHECK: tsgu.triangular_solve %[[S]], %[[A]], %[[B]] : tensor<?x?xf64, #[[$CSR]]>, tensor<?x?xf64> -> tensor<?x?xf64>
  %0 = tsgu.triangular_solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  // N is not printed.
  // CHECK: tsgu.solve %[[S]], %[[A]], %[[B]] : tensor<?x?xf64, #[[$CSR]]>
  %1 = tsgu.solve %s, %A, %B mode<N> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  // CHECK: tsgu.solve %[[S]], %[[A]], %[[B]] mode<T> : tensor<?x?xf64, #[[$CSR]]>
  %2 = tsgu.solve %s, %A, %B mode<T> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  // CHECK: tsgu.least_squares %[[S]], %[[A]], %[[B]] : tensor<?x?xf64, #[[$CSR]]>
  %3 = tsgu.least_squares %s, %A, %B rank<column> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  // CHECK: tsgu.least_squares %[[S]], %[[A]], %[[B]] mode<C> rank<row> : tensor<?x?xf64, #[[$CSR]]>
  %4 = tsgu.least_squares %s, %A, %B mode<C> rank<row> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  // CHECK: tsgu.normal_solve %[[S]], %[[A]], %[[B]] : tensor<?x?xf64, #[[$CSR]]>
  %5 = tsgu.normal_solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  // CHECK: tsgu.triangle %[[S]], %[[A]] : tensor<?x?xf64, #[[$CSR]]>
  %6 = tsgu.triangle %s, %A : tensor<?x?xf64, #CSR>
  return
}

// Extents that are known need to agree as far as they are: 5 x 3 has 3 unknowns, or 5 transposed.
// CHECK-LABEL: func.func @extents(
func.func @extents(%s: !tsgu.solver, %A: tensor<5x3xf32, #CSR>, %B: tensor<5x2xf32>, %G: tensor<3x2xf32>) {
  %0 = tsgu.least_squares %s, %A, %B : tensor<5x3xf32, #CSR>, tensor<5x2xf32> -> tensor<3x2xf32>
  %1 = tsgu.least_squares %s, %A, %G mode<T> : tensor<5x3xf32, #CSR>, tensor<3x2xf32> -> tensor<5x?xf32>
  %2 = tsgu.normal_solve %s, %A, %G : tensor<5x3xf32, #CSR>, tensor<3x2xf32> -> tensor<3x2xf32>
  %3 = tsgu.normal_solve %s, %A, %B mode<T> : tensor<5x3xf32, #CSR>, tensor<5x2xf32> -> tensor<5x2xf32>
  return
}

// CHECK-LABEL: func.func @batch(
func.func @batch(%s: !tsgu.solver, %A: tensor<?x?x?xcomplex<f64>, #Batch>, %B: tensor<?x?x4xcomplex<f64>>) {
  // CHECK: tsgu.solve {{.*}} mode<C> :
  %0 = tsgu.solve %s, %A, %B mode<C>
      : tensor<?x?x?xcomplex<f64>, #Batch>, tensor<?x?x4xcomplex<f64>> -> tensor<?x?x4xcomplex<f64>>
  return
}
