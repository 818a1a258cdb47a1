// RUN: tsgu-opt %s --canonicalize --cse --split-input-file | FileCheck %s

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// CHECK-LABEL: func.func @real_adjoint(
// CHECK:         tsgu.solve {{.*}} mode<T>
func.func @real_adjoint(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %X = tsgu.solve %s, %A, %B mode<C> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}

// CHECK-LABEL: func.func @complex_adjoint(
// CHECK:         tsgu.solve {{.*}} mode<C>
func.func @complex_adjoint(%s: !tsgu.solver, %A: tensor<?x?xcomplex<f64>, #CSR>, %B: tensor<?x?xcomplex<f64>>)
    -> tensor<?x?xcomplex<f64>> {
  %X = tsgu.solve %s, %A, %B mode<C>
      : tensor<?x?xcomplex<f64>, #CSR>, tensor<?x?xcomplex<f64>> -> tensor<?x?xcomplex<f64>>
  return %X : tensor<?x?xcomplex<f64>>
}

// Equal solves are one.
// CHECK-LABEL: func.func @equal(
// CHECK:         %[[X:.*]] = tsgu.triangular_solve
// CHECK-NOT:     tsgu.triangular_solve
// CHECK:         return %[[X]], %[[X]]
func.func @equal(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>)
    -> (tensor<?x?xf64>, tensor<?x?xf64>) {
  %X = tsgu.triangular_solve %s, %A, %B mode<C> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  %Y = tsgu.triangular_solve %s, %A, %B mode<T> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X, %Y : tensor<?x?xf64>, tensor<?x?xf64>
}

// Of different matrices, modes or solvers they are not.
// CHECK-LABEL: func.func @different(
// CHECK-COUNT-3: tsgu.triangular_solve
func.func @different(%s: !tsgu.solver, %t: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>)
    -> (tensor<?x?xf64>, tensor<?x?xf64>, tensor<?x?xf64>) {
  %X = tsgu.triangular_solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  %Y = tsgu.triangular_solve %s, %A, %B mode<T> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  %Z = tsgu.triangular_solve %t, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X, %Y, %Z : tensor<?x?xf64>, tensor<?x?xf64>, tensor<?x?xf64>
}

// A right-hand side of zeros, as many as unknowns or not.
// CHECK-LABEL: func.func @zero(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?xf64, #{{[a-z]+}}>, %[[B:[a-z0-9]+]]:
// CHECK-NOT:     tsgu.
// CHECK-DAG:     %[[COLUMNS:.*]] = tensor.dim %[[A]], %c1
// CHECK-DAG:     tensor.empty(%[[COLUMNS]], %{{.*}})
// CHECK:         return
func.func @zero(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>)
    -> (tensor<?x?xf64>, tensor<?x?xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %B, %c0 : tensor<?x?xf64>
  %p = tensor.dim %B, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%n, %p) : tensor<?x?xf64>
  %O = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %X = tsgu.solve %s, %A, %O : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  %Y = tsgu.least_squares %s, %A, %O : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X, %Y : tensor<?x?xf64>, tensor<?x?xf64>
}

// A triangle has no entries outside of it, and zeros have none at all.
// CHECK-LABEL: func.func @triangles(
// CHECK-COUNT-1: tsgu.triangle
// CHECK-NOT:     tsgu.triangle
func.func @triangles(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>) -> (tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>) {
  %L = tsgu.triangle %s, %A : tensor<?x?xf64, #CSR>
  %L2 = tsgu.triangle %s, %L : tensor<?x?xf64, #CSR>
  %O = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %L3 = tsgu.triangle %s, %O : tensor<?x?xf64, #CSR>
  return %L2, %L3 : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>
}

// Triangles of two solvers may be the lower and the upper one.
// CHECK-LABEL: func.func @two_solvers(
// CHECK-COUNT-2: tsgu.triangle
func.func @two_solvers(%s: !tsgu.solver, %t: !tsgu.solver, %A: tensor<?x?xf64, #CSR>) -> tensor<?x?xf64, #CSR> {
  %L = tsgu.triangle %s, %A : tensor<?x?xf64, #CSR>
  %D = tsgu.triangle %t, %L : tensor<?x?xf64, #CSR>
  return %D : tensor<?x?xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// A transposed matrix is one of the other mode, twice transposed is the matrix.
// CHECK-LABEL: func.func @transposed(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver, %[[A:[a-z0-9]+]]:
// CHECK-NOT:     linalg.transpose
// CHECK:         tsgu.solve %[[S]], %[[A]], %{{.*}} mode<T> :
// CHECK:         tsgu.least_squares %[[S]], %[[A]], %{{[a-z0-9]+}} :
// CHECK:         tsgu.triangular_solve %[[S]], %[[A]], %{{[a-z0-9]+}} :
func.func @transposed(%s: !tsgu.solver, %A: tensor<4x4xf64, #CSR>, %B: tensor<4x2xf64>)
    -> (tensor<4x2xf64>, tensor<4x2xf64>, tensor<4x2xf64>) {
  %e = tensor.empty() : tensor<4x4xf64, #CSR>
  %At = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %Att = linalg.transpose ins(%At : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %X = tsgu.solve %s, %At, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  %Y = tsgu.least_squares %s, %At, %B mode<T> : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  %Z = tsgu.triangular_solve %s, %Att, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X, %Y, %Z : tensor<4x2xf64>, tensor<4x2xf64>, tensor<4x2xf64>
}

// The lower triangle of the transpose is the upper one of the matrix: the solver would be another.
// CHECK-LABEL: func.func @transposed_triangle(
// CHECK:         linalg.transpose
func.func @transposed_triangle(%s: !tsgu.solver, %A: tensor<4x4xf64, #CSR>, %B: tensor<4x2xf64>) -> tensor<4x2xf64> {
  %e = tensor.empty() : tensor<4x4xf64, #CSR>
  %At = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %X = tsgu.triangular_solve %s, %At, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X : tensor<4x2xf64>
}

// A transpose that exchanges nothing is the matrix; so are four that exchange rows and columns.
// CHECK-LABEL: func.func @identities(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver, %[[A:[a-z0-9]+]]:
// CHECK-NOT:     linalg.transpose
// CHECK:         tsgu.triangular_solve %[[S]], %[[A]], %{{[a-z0-9]+}} :
// CHECK:         tsgu.normal_solve %[[S]], %[[A]], %{{[a-z0-9]+}} :
func.func @identities(%s: !tsgu.solver, %A: tensor<4x4xf64, #CSR>, %B: tensor<4x2xf64>)
    -> (tensor<4x2xf64>, tensor<4x2xf64>) {
  %e = tensor.empty() : tensor<4x4xf64, #CSR>
  %I = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [0, 1]
  %X = tsgu.triangular_solve %s, %I, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  %1 = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %2 = linalg.transpose ins(%1 : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %3 = linalg.transpose ins(%2 : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %4 = linalg.transpose ins(%3 : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %Y = tsgu.normal_solve %s, %4, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X, %Y : tensor<4x2xf64>, tensor<4x2xf64>
}

// A complex transpose is no adjoint: T and N change places, C becomes the conjugate.
// CHECK-LABEL: func.func @complex_transposed(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver, %[[A:[a-z0-9]+]]:
// CHECK-NOT:     linalg.transpose
// CHECK:         tsgu.solve %[[S]], %[[A]], %{{[a-z0-9]+}} mode<T> :
// CHECK:         tsgu.solve %[[S]], %[[A]], %{{[a-z0-9]+}} :
// CHECK:         tsgu.solve %[[S]], %[[A]], %{{[a-z0-9]+}} mode<R> :
func.func @complex_transposed(%s: !tsgu.solver, %A: tensor<4x4xcomplex<f64>, #CSR>, %B: tensor<4x2xcomplex<f64>>)
    -> (tensor<4x2xcomplex<f64>>, tensor<4x2xcomplex<f64>>, tensor<4x2xcomplex<f64>>) {
  %e = tensor.empty() : tensor<4x4xcomplex<f64>, #CSR>
  %At = linalg.transpose ins(%A : tensor<4x4xcomplex<f64>, #CSR>) outs(%e : tensor<4x4xcomplex<f64>, #CSR>)
      permutation = [1, 0]
  %X = tsgu.solve %s, %At, %B
      : tensor<4x4xcomplex<f64>, #CSR>, tensor<4x2xcomplex<f64>> -> tensor<4x2xcomplex<f64>>
  %Y = tsgu.solve %s, %At, %B mode<T>
      : tensor<4x4xcomplex<f64>, #CSR>, tensor<4x2xcomplex<f64>> -> tensor<4x2xcomplex<f64>>
  %Z = tsgu.solve %s, %At, %B mode<C>
      : tensor<4x4xcomplex<f64>, #CSR>, tensor<4x2xcomplex<f64>> -> tensor<4x2xcomplex<f64>>
  return %X, %Y, %Z : tensor<4x2xcomplex<f64>>, tensor<4x2xcomplex<f64>>, tensor<4x2xcomplex<f64>>
}

// A triangular solve reads only its own triangle; another solver's may be the other one.
// CHECK-LABEL: func.func @solve_of_triangle(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: !tsgu.solver, %[[T:[a-z0-9]+]]: !tsgu.solver, %[[A:[a-z0-9]+]]:
// CHECK:         %[[L:.*]] = tsgu.triangle %[[S]], %[[A]]
// CHECK:         tsgu.triangular_solve %[[S]], %[[A]], %{{[a-z0-9]+}} mode<T> :
// CHECK:         tsgu.triangular_solve %[[T]], %[[L]], %{{[a-z0-9]+}} :
// CHECK:         tsgu.solve %[[S]], %[[L]], %{{[a-z0-9]+}} :
func.func @solve_of_triangle(%s: !tsgu.solver, %t: !tsgu.solver, %A: tensor<4x4xf64, #CSR>, %B: tensor<4x2xf64>)
    -> (tensor<4x2xf64>, tensor<4x2xf64>, tensor<4x2xf64>) {
  %L = tsgu.triangle %s, %A : tensor<4x4xf64, #CSR>
  %X = tsgu.triangular_solve %s, %L, %B mode<T> : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  %Y = tsgu.triangular_solve %t, %L, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  %Z = tsgu.solve %s, %L, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X, %Y, %Z : tensor<4x2xf64>, tensor<4x2xf64>, tensor<4x2xf64>
}
