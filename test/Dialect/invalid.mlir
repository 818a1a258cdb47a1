// RUN: tsgu-opt %s --verify-diagnostics --split-input-file

// expected-error @+1 {{'tsgu.sampled' belongs on a linalg.generic}}
func.func @sampled_function() attributes {tsgu.sampled} {
  return
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{'tsgu.pattern' must name a pattern: @P}}
func.func @pattern_is_text(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = "A"}) {
  return
}

// -----

// expected-error @+1 {{'tsgu.pattern' belongs on a sparse tensor, not on 'tensor<?x?xf64>'}}
func.func @dense_argument_with_pattern(%B: tensor<?x?xf64> {tsgu.pattern = @B}) {
  return
}

// -----

// expected-error @+1 {{'tsgu.pattern' belongs on a sparse tensor, not on 'tensor<?xf64>'}}
func.func @dense_result_with_pattern(%b: tensor<?xf64>) -> (tensor<?xf64> {tsgu.pattern = @B}) {
  return %b : tensor<?xf64>
}

// -----

// expected-error @+1 {{'tsgu.name' must be a string}}
func.func @name_is_symbol(%B: tensor<?xf64> {tsgu.name = @B}) {
  return
}

// -----

// expected-error @+1 {{'tsgu.result_of' must name a function: @f}}
func.func @result_of_text(%y: tensor<?xf64> {tsgu.result_of = "f"}) {
  return
}

// -----

func.func @dense_zeros(%B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  // expected-error @+1 {{needs a sparse operand, got 'tensor<?x?xf64>'}}
  %zero = tsgu.zeros_like %B : tensor<?x?xf64>
  return %zero : tensor<?x?xf64>
}
