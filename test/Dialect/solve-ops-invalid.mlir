// RUN: tsgu-opt %s --verify-diagnostics --split-input-file

func.func @dense_matrix(%s: !tsgu.solver, %A: tensor<?x?xf64>, %B: tensor<?x?xf64>) {
  // expected-error @+1 {{'tsgu.solve' op needs a sparse matrix, got 'tensor<?x?xf64>'}}
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64>, tensor<?x?xf64> -> tensor<?x?xf64>
  return
}

// -----

#Vector = #sparse_tensor.encoding<{ map = (i) -> (i : compressed) }>
func.func @sparse_vector(%s: !tsgu.solver, %A: tensor<?xf64, #Vector>, %B: tensor<?xf64>) {
  // expected-error @+1 {{'tsgu.solve' op needs a matrix of rank 2, or a batch of rank 3, not 'tensor<?xf64,}}
  %X = tsgu.solve %s, %A, %B : tensor<?xf64, #Vector>, tensor<?xf64> -> tensor<?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @rectangular(%s: !tsgu.solver, %A: tensor<4x5xf64, #CSR>, %B: tensor<4x1xf64>) {
  // expected-error @+1 {{'tsgu.triangular_solve' op needs a square matrix, got 'tensor<4x5xf64,}}
  %X = tsgu.triangular_solve %s, %A, %B : tensor<4x5xf64, #CSR>, tensor<4x1xf64> -> tensor<5x1xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @rows_of_rhs(%s: !tsgu.solver, %A: tensor<4x5xf64, #CSR>, %B: tensor<5x1xf64>) {
  // expected-error @+1 {{'tsgu.least_squares' op right-hand side has 5 rows, but the matrix has 4 rows}}
  %X = tsgu.least_squares %s, %A, %B : tensor<4x5xf64, #CSR>, tensor<5x1xf64> -> tensor<5x1xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @rows_of_result(%s: !tsgu.solver, %A: tensor<4x5xf64, #CSR>, %B: tensor<4x1xf64>) {
  // expected-error @+1 {{'tsgu.least_squares' op result has 4 rows, but the matrix has 5 columns}}
  %X = tsgu.least_squares %s, %A, %B : tensor<4x5xf64, #CSR>, tensor<4x1xf64> -> tensor<4x1xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @transposed(%s: !tsgu.solver, %A: tensor<4x5xf64, #CSR>, %B: tensor<4x1xf64>) {
  // expected-error @+1 {{'tsgu.normal_solve' op right-hand side has 4 rows, but the matrix has 5 columns}}
  %X = tsgu.normal_solve %s, %A, %B : tensor<4x5xf64, #CSR>, tensor<4x1xf64> -> tensor<4x1xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @vector(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %b: tensor<?xf64>) {
  // expected-error @+1 {{'tsgu.solve' op right-hand side must have rank 2 like the matrix, not 'tensor<?xf64>'}}
  %X = tsgu.solve %s, %A, %b : tensor<?x?xf64, #CSR>, tensor<?xf64> -> tensor<?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @sparse_rhs(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>) {
  // expected-error @+1 {{'tsgu.solve' op right-hand side must be dense, not 'tensor<?x?xf64,}}
  %X = tsgu.solve %s, %A, %A : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR> -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @elements(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf32>) {
  // expected-error @+1 {{'tsgu.solve' op right-hand side has elements 'f32', but the matrix has 'f64'}}
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf32> -> tensor<?x?xf64>
  return
}

// -----

#Batch = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>
func.func @items(%s: !tsgu.solver, %A: tensor<3x?x?xf64, #Batch>, %B: tensor<2x?x?xf64>) {
  // expected-error @+1 {{'tsgu.solve' op right-hand side has 2 items, but the matrix has 3}}
  %X = tsgu.solve %s, %A, %B : tensor<3x?x?xf64, #Batch>, tensor<2x?x?xf64> -> tensor<3x?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @columns(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x3xf64>) {
  // expected-error @+1 {{'tsgu.solve' op has 3 right-hand sides, but 4 results}}
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x3xf64> -> tensor<?x4xf64>
  return
}

// -----

func.func @dense_triangle(%s: !tsgu.solver, %A: tensor<?x?xf64>) {
  // expected-error @+1 {{'tsgu.triangle' op needs a sparse operand, got 'tensor<?x?xf64>'}}
  %L = tsgu.triangle %s, %A : tensor<?x?xf64>
  return
}
