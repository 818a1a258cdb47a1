// RUN: tsgu-opt %s --verify-diagnostics --split-input-file

func.func @dense_matrix(%s: !tsgu.solver, %A: tensor<?x?xf64>) {
  // expected-error @+1 {{'tsgu.logdet' op needs a sparse matrix, got 'tensor<?x?xf64>'}}
  %l = tsgu.logdet %s, %A : tensor<?x?xf64> -> tensor<f64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @rectangular(%s: !tsgu.solver, %A: tensor<4x5xf64, #CSR>) {
  // expected-error @+1 {{'tsgu.selected_inverse' op needs a square matrix, got 'tensor<4x5xf64,}}
  %S = tsgu.selected_inverse %s, %A : tensor<4x5xf64, #CSR>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @rectangular_adjoint(%A: tensor<4x5xf64, #CSR>) {
  // expected-error @+1 {{'tsgu.adjoint' op needs a square matrix, got 'tensor<4x5xf64,}}
  %S = tsgu.adjoint %A : tensor<4x5xf64, #CSR>
  return
}

// -----

#Vector = #sparse_tensor.encoding<{ map = (i) -> (i : compressed) }>
func.func @vector(%A: tensor<?xf64, #Vector>) {
  // expected-error @+1 {{'tsgu.adjoint' op needs a matrix of rank 2, or a batch of rank 3, not 'tensor<?xf64,}}
  %S = tsgu.adjoint %A : tensor<?xf64, #Vector>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @result(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>) {
  // expected-error @+1 {{'tsgu.logdet' op gives 'tensor<f64>', not 'tensor<1xf64>'}}
  %l = tsgu.logdet %s, %A : tensor<?x?xf64, #CSR> -> tensor<1xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @phase(%s: !tsgu.solver, %A: tensor<?x?xcomplex<f64>, #CSR>) {
  // expected-error @+1 {{'tsgu.sign_det' op is for real matrices: the phase of a complex determinant is exp(i Im log det A)}}
  %l = tsgu.sign_det %s, %A : tensor<?x?xcomplex<f64>, #CSR> -> tensor<complex<f64>>
  return
}
