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

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @no_solver(%A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) {
  // expected-error @+1 {{expected ','}}
  %X = tsgu.solve %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @no_solver_operand(%A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) {
  // expected-error @+1 {{'tsgu.solve' op expected 3 operands, but found 2}}
  %X = "tsgu.solve"(%A, %B) : (tensor<?x?xf64, #CSR>, tensor<?x?xf64>) -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @tensor_as_solver(%s: tensor<16xi64>, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) {
  // expected-error @+1 {{'tsgu.solve' op operand #0 must be what a solver is told, but got 'tensor<16xi64>'}}
  %X = "tsgu.solve"(%s, %A, %B) : (tensor<16xi64>, tensor<?x?xf64, #CSR>, tensor<?x?xf64>) -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @solver_as_matrix(%s: !tsgu.solver, %B: tensor<?x?xf64>) {
  // expected-error @+1 {{'tsgu.triangular_solve' op operand #1 must be ranked tensor of any type values, but got '!tsgu.solver'}}
  %X = "tsgu.triangular_solve"(%s, %s, %B) : (!tsgu.solver, !tsgu.solver, tensor<?x?xf64>) -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @unknown_mode(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) {
  // expected-error @+2 {{failed to parse Tsgu_ModeAttr}}
  // expected-error @+1 {{expected ::tsgu::Mode to be one of: N, T, C}}
  %X = tsgu.solve %s, %A, %B mode<H> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @mode_as_number(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) {
  // expected-error @+1 {{'tsgu.solve' op attribute 'mode' failed to satisfy constraint}}
  %X = "tsgu.solve"(%s, %A, %B) {mode = 1 : i32}
      : (!tsgu.solver, tensor<?x?xf64, #CSR>, tensor<?x?xf64>) -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @unknown_rank(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64>) {
  // expected-error @+2 {{failed to parse Tsgu_RankAttr}}
  // expected-error @+1 {{expected ::tsgu::Rank to be one of: column, row}}
  %X = tsgu.least_squares %s, %A, %B rank<full> : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @transposed_rows(%s: !tsgu.solver, %A: tensor<4x5xf64, #CSR>, %B: tensor<4x1xf64>) {
  // expected-error @+1 {{'tsgu.least_squares' op right-hand side has 4 rows, but the matrix has 5 columns}}
  %X = tsgu.least_squares %s, %A, %B mode<C> : tensor<4x5xf64, #CSR>, tensor<4x1xf64> -> tensor<4x1xf64>
  return
}

// -----

#Batch = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>
func.func @rectangular_items(%s: !tsgu.solver, %A: tensor<?x4x5xf64, #Batch>, %B: tensor<?x4x1xf64>) {
  // expected-error @+1 {{'tsgu.solve' op needs a square matrix, got 'tensor<?x4x5xf64,}}
  %X = tsgu.solve %s, %A, %B : tensor<?x4x5xf64, #Batch>, tensor<?x4x1xf64> -> tensor<?x4x1xf64>
  return
}

// -----

#Batch = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>
func.func @one_rhs_for_all_items(%s: !tsgu.solver, %A: tensor<?x4x4xf64, #Batch>, %B: tensor<4x1xf64>) {
  // expected-error @+1 {{'tsgu.solve' op right-hand side must have rank 3 like the matrix, not 'tensor<4x1xf64>'}}
  %X = tsgu.solve %s, %A, %B : tensor<?x4x4xf64, #Batch>, tensor<4x1xf64> -> tensor<?x4x1xf64>
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @elements_of_result(%s: !tsgu.solver, %A: tensor<?x?xcomplex<f64>, #CSR>, %B: tensor<?x?xcomplex<f64>>) {
  // expected-error @+1 {{'tsgu.solve' op result has elements 'f64', but the matrix has 'complex<f64>'}}
  %X = tsgu.solve %s, %A, %B : tensor<?x?xcomplex<f64>, #CSR>, tensor<?x?xcomplex<f64>> -> tensor<?x?xf64>
  return
}
