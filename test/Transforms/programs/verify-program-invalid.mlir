// RUN: tsgu-opt %s --tsgu-verify-program --verify-diagnostics --split-input-file

// What the grammar of programs leaves out, and what to write instead.

func.func @one(%x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}
// expected-error @+1 {{a program has one public function, but @one is public as well}}
func.func @two(%x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

// expected-error @+1 {{no program: the module has no public function}}
module {
  func.func private @helper(%x: tensor<?xf64>) -> tensor<?xf64> {
    return %x : tensor<?xf64>
  }
}

// -----

// expected-error @+1 {{a program is one block of ops}}
func.func @two_blocks(%x: tensor<?xf64>) -> tensor<?xf64> {
  cf.br ^bb1
^bb1:
  return %x : tensor<?xf64>
}

// -----

// expected-error @+1 {{result 1 must be a ranked tensor, not 'index'}}
func.func @second_result(%x: tensor<?xf64>) -> (tensor<?xf64>, index) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  return %x, %n : tensor<?xf64>, index
}

// -----

// expected-error @+1 {{a program has a result}}
func.func @no_result(%x: tensor<?xf64>) {
  return
}

// -----

// expected-error @+1 {{argument 1 must be a ranked tensor, not 'index'}}
func.func @index_argument(%x: tensor<?xf64>, %n: index) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

// expected-error @+1 {{the result must be a ranked tensor, not 'f64'}}
func.func @scalar_result(%x: tensor<?xf64>) -> f64 {
  %c = arith.constant 1.0 : f64
  return %c : f64
}

// -----

// expected-error @+1 {{argument 0 must have elements f32 or f64, or complex numbers of these, not 'i32'}}
func.func @integers(%x: tensor<?xi32>) -> tensor<?xi32> {
  return %x : tensor<?xi32>
}

// -----

// All tensors of a program have elements of one type: --tsgu-specialize retypes them.

// expected-error @+1 {{argument 1 has elements 'f32', but the result's are 'f64'}}
func.func @mixed(%x: tensor<?xf64>, %y: tensor<?xf32>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

// Programs are written over rows; --tsgu-select-layout chooses what kernels read.

#CSC = #sparse_tensor.encoding<{ map = (i, j) -> (j : dense, i : compressed) }>

// expected-error @+1 {{argument 0 must be stored by rows}}
func.func @columns(%A: tensor<?x?xf64, #CSC> {tsgu.pattern = @A}, %x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

#COO = #sparse_tensor.encoding<{ map = (i, j) -> (i : compressed(nonunique), j : singleton) }>

// expected-error @+1 {{argument 0 must be stored by rows}}
func.func @coordinates(%A: tensor<?x?xf64, #COO> {tsgu.pattern = @A}, %x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{argument 0 is sparse: name its pattern with 'tsgu.pattern'}}
func.func @unnamed_pattern(%A: tensor<?x?xf64, #CSR>, %x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{argument 1 is on pattern @A, but is no 'tensor<3x4xf64, #sparse}}
func.func @two_shapes(%A: tensor<3x4xf64, #CSR> {tsgu.pattern = @A},
                      %B: tensor<5x4xf64, #CSR> {tsgu.pattern = @A})
    -> (tensor<3x4xf64, #CSR> {tsgu.pattern = @A}) {
  return %A : tensor<3x4xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{the result is on pattern @A; say so with 'tsgu.pattern'}}
func.func @unnamed_result_pattern(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A})
    -> tensor<?x?xf64, #CSR> {
  return %A : tensor<?x?xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{the result is on no argument's pattern: start it from tsgu.zeros_like}}
func.func @pattern_from_nowhere() -> tensor<3x4xf64, #CSR> {
  %empty = tensor.empty() : tensor<3x4xf64, #CSR>
  return %empty : tensor<3x4xf64, #CSR>
}

// -----

func.func @constant_tensor() -> tensor<3xf64> {
  // expected-error @+1 {{must be a scalar: make other tensors operands of the program}}
  %c = arith.constant dense<1.0> : tensor<3xf64>
  return %c : tensor<3xf64>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @half_inside(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  // expected-error @+1 {{makes a 'tensor<?xbf16>', but the program's result has elements 'f64'}}
  %half = tensor.empty(%n) : tensor<?xbf16>
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    linalg.yield %a : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

func.func @index_arithmetic(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  // expected-error @+1 {{has no place in a program: it is made of linalg ops, tensor.empty, tensor.dim, constants and tsgu ops}}
  %twice = arith.addi %n, %n : index
  return %x : tensor<?xf64>
}

// -----

func.func @no_such_dimension(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c7 = arith.constant 7 : index
  // expected-error @+1 {{needs a constant that is a dimension of its tensor}}
  %n = tensor.dim %x, %c7 : tensor<?xf64>
  return %x : tensor<?xf64>
}

// -----

// Launch knows the extents of operands only.

func.func @extent_from_nowhere(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c5 = arith.constant 5 : index
  // expected-error @+1 {{has an extent that is no tensor.dim; write a constant one into the type}}
  %empty = tensor.empty(%c5) : tensor<?xf64>
  return %x : tensor<?xf64>
}

// -----

func.func @fills_argument(%x: tensor<?xf64>) -> tensor<?xf64> {
  %one = arith.constant 1.0 : f64
  // expected-error @+1 {{must fill a dense tensor.empty with a constant}}
  %y = linalg.fill ins(%one : f64) outs(%x : tensor<?xf64>) -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

func.func @returns_empty() -> tensor<3xf64> {
  %empty = tensor.empty() : tensor<3xf64>
  // expected-error @+1 {{reads a tensor.empty, which has no values}}
  return %empty : tensor<3xf64>
}

// -----

#x = affine_map<(i) -> (i)>
#none = affine_map<(i) -> ()>

func.func @scalar_input(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %two = arith.constant 2.0 : f64
  // expected-error @+1 {{reads a 'f64'; write constants into the payload}}
  %y = linalg.generic {indexing_maps = [#x, #none, #x], iterator_types = ["parallel"]}
      ins(%x, %two : tensor<?xf64>, f64) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %t = arith.mulf %a, %b : f64
    linalg.yield %t : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

func.func @convolution(%x: tensor<8xf64>, %k: tensor<3xf64>) -> tensor<6xf64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<6xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<6xf64>) -> tensor<6xf64>
  // expected-error @+1 {{indexes an operand by affine_map<(d0, d1) -> (d0 + d1)>; each dimension must be indexed by a loop of its own}}
  %y = linalg.conv_1d ins(%x, %k : tensor<8xf64>, tensor<3xf64>)
                      outs(%init : tensor<6xf64>) -> tensor<6xf64>
  return %y : tensor<6xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

func.func @two_patterns(%A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                %B: tensor<4x4xf64, #CSR> {tsgu.pattern = @B})
    -> (tensor<4x4xf64, #CSR> {tsgu.pattern = @A}) {
  %zero = tsgu.zeros_like %A : tensor<4x4xf64, #CSR>
  // expected-error @+1 {{combines sparse tensors on patterns @A and @B; go through a dense intermediate result}}
  %Y = linalg.generic {indexing_maps = [#entry, #entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %B : tensor<4x4xf64, #CSR>, tensor<4x4xf64, #CSR>)
      outs(%zero : tensor<4x4xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %y: f64):
    %t = arith.mulf %a, %b : f64
    linalg.yield %t : f64
  } -> tensor<4x4xf64, #CSR>
  return %Y : tensor<4x4xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#transposed = affine_map<(i, j) -> (j, i)>

func.func @transposed(%A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                %B: tensor<4x4xf64, #CSR> {tsgu.pattern = @A})
    -> (tensor<4x4xf64, #CSR> {tsgu.pattern = @A}) {
  %zero = tsgu.zeros_like %A : tensor<4x4xf64, #CSR>
  // expected-error @+1 {{indexes tensors on pattern @A in different ways}}
  %Y = linalg.generic {indexing_maps = [#entry, #transposed, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %B : tensor<4x4xf64, #CSR>, tensor<4x4xf64, #CSR>)
      outs(%zero : tensor<4x4xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %y: f64):
    %t = arith.mulf %a, %b : f64
    linalg.yield %t : f64
  } -> tensor<4x4xf64, #CSR>
  return %Y : tensor<4x4xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

func.func @not_sampled(%A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                %B: tensor<4x4xf64, #CSR> {tsgu.pattern = @A})
    -> (tensor<4x4xf64, #CSR> {tsgu.pattern = @A}) {
  %zero = tsgu.zeros_like %A : tensor<4x4xf64, #CSR>
  // expected-error @+1 {{has a sparse result: mark it 'tsgu.sampled', it is computed at stored entries only}}
  %Y = linalg.generic {indexing_maps = [#entry, #entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %B : tensor<4x4xf64, #CSR>, tensor<4x4xf64, #CSR>)
      outs(%zero : tensor<4x4xf64, #CSR>) {
  ^bb0(%a: f64, %b: f64, %y: f64):
    %t = arith.mulf %a, %b : f64
    linalg.yield %t : f64
  } -> tensor<4x4xf64, #CSR>
  return %Y : tensor<4x4xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

func.func @pattern_of_empty(%B: tensor<4x4xf64>) -> tensor<4x4xf64> {
  %empty = tensor.empty() : tensor<4x4xf64, #CSR>
  // expected-error @+1 {{has a sparse operand whose pattern is not known}}
  %Y = linalg.generic {indexing_maps = [#entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%B : tensor<4x4xf64>) outs(%empty : tensor<4x4xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%b: f64, %y: f64):
    linalg.yield %b : f64
  } -> tensor<4x4xf64, #CSR>
  return %B : tensor<4x4xf64>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @sampled_dense(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  // expected-error @+1 {{is marked 'tsgu.sampled', but has no sparse tensor}}
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    linalg.yield %a : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @two_outputs(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  // expected-error @+1 {{a program's op has one result}}
  %y, %z = linalg.generic {indexing_maps = [#x, #x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty, %empty : tensor<?xf64>, tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64, %p: f64):
    linalg.yield %a, %a : f64, f64
  } -> (tensor<?xf64>, tensor<?xf64>)
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @forgets_output(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{a reduction must combine its terms with the output}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.mulf %a, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @product(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{the output may only be combined with one term, by arith.addf, arith.maximumf, arith.minimumf, arith.maxnumf, arith.minnumf, tsgu.logaddexp or complex.add}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.mulf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

// The output is read twice.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @horner(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{the output may only be combined with one term, by arith.addf, arith.maximumf, arith.minimumf, arith.maxnumf, arith.minnumf, tsgu.logaddexp or complex.add}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %t = arith.mulf %o, %a : f64
    %s = arith.addf %t, %o : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @doubled_sum(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{the output may only be combined with one term, by arith.addf, arith.maximumf, arith.minimumf, arith.maxnumf, arith.minnumf, tsgu.logaddexp or complex.add}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.addf %o, %o : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @captures_size(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    // expected-error @+1 {{reads a value from outside of its payload that is no constant}}
    %i = arith.index_cast %n : index to i64
    %f = arith.sitofp %i : i64 to f64
    %m = arith.divf %a, %f : f64
    linalg.yield %m : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @reads_loop(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    // expected-error @+1 {{has no place in a payload}}
    %i = linalg.index 0 : index
    linalg.yield %a : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @inner_logaddexp(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    // expected-error @+1 {{may only reduce: combine it with the output}}
    %l = tsgu.logaddexp %a, %a : f64
    %s = arith.addf %o, %l : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @sum_of_exp(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{is not known to be zero where its sparse operand is absent; mark it 'tsgu.sampled' to leave absent entries out}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %e = math.exp %a : f64
    %s = arith.addf %o, %e : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

// An absent zero is greater than stored negative entries.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @maximum(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0xFFF0000000000000 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{is not known to be zero where its sparse operand is absent; mark it 'tsgu.sampled' to leave absent entries out}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.maximumf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @starts_from_one(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 1.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{starts from 1.000000e+00 : f64, but its reduction's neutral element is 0.000000e+00 : f64}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.addf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @maximum_from_zero(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  // expected-error @+1 {{starts from 0.000000e+00 : f64, but its reduction's neutral element is 0xFFF0000000000000 : f64}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    %s = arith.maximumf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @starts_from_argument(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}, %b: tensor<?xf64>) -> tensor<?xf64> {
  // expected-error @+1 {{must start from a tensor.empty filled with a constant, or from tsgu.zeros_like}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%b : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.addf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{argument 0 is a solver: name it with 'tsgu.name'}}
func.func @nameless_solver(%s: !tsgu.solver, %A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}, %B: tensor<?x?xf64>)
    -> tensor<?x?xf64> {
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}

// -----

// expected-error @+1 {{the result must be a ranked tensor, not '!tsgu.solver'}}
func.func @solver_as_result(%s: !tsgu.solver {tsgu.name = "solver"}) -> !tsgu.solver {
  return %s : !tsgu.solver
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @no_right_hand_side(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A})
    -> tensor<4x2xf64> {
  %B = tensor.empty() : tensor<4x2xf64>
  // expected-error @+1 {{reads a tensor.empty, which has no values}}
  %X = tsgu.solve %s, %A, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X : tensor<4x2xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @no_triangle(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A})
    -> (tensor<4x4xf64, #CSR> {tsgu.pattern = @A}) {
  %S = tensor.empty() : tensor<4x4xf64, #CSR>
  // expected-error @+1 {{reads a tensor.empty, which has no values}}
  %L = tsgu.triangle %s, %S : tensor<4x4xf64, #CSR>
  %zero = tsgu.zeros_like %A : tensor<4x4xf64, #CSR>
  return %zero : tensor<4x4xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @unknown_pattern(%s: !tsgu.solver {tsgu.name = "solver"}, %D: tensor<4x4xf64>, %B: tensor<4x2xf64>)
    -> tensor<4x2xf64> {
  // expected-error @+1 {{has no place in a program}}
  %A = sparse_tensor.convert %D : tensor<4x4xf64> to tensor<4x4xf64, #CSR>
  %X = tsgu.solve %s, %A, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X : tensor<4x2xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @transposed_triangle(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                               %B: tensor<4x2xf64>) -> tensor<4x2xf64> {
  %e = tensor.empty() : tensor<4x4xf64, #CSR>
  %At = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  // expected-error @+1 {{takes a transposed matrix: transpose its mode, and give it the solver of the other triangle}}
  %X = tsgu.triangular_solve %s, %At, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X : tensor<4x2xf64>
}

// -----

#Batch = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>

func.func @permuted_items(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4x4xf64, #Batch> {tsgu.pattern = @A},
                          %B: tensor<4x4x2xf64>) -> tensor<4x4x2xf64> {
  %e = tensor.empty() : tensor<4x4x4xf64, #Batch>
  %P = linalg.transpose ins(%A : tensor<4x4x4xf64, #Batch>) outs(%e : tensor<4x4x4xf64, #Batch>) permutation = [1, 0, 2]
  // expected-error @+1 {{takes a matrix whose items are permuted}}
  %X = tsgu.solve %s, %P, %B : tensor<4x4x4xf64, #Batch>, tensor<4x4x2xf64> -> tensor<4x4x2xf64>
  return %X : tensor<4x4x2xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{the result is on no argument's pattern: start it from tsgu.zeros_like}}
func.func @transpose_read_elsewhere(%s: !tsgu.solver {tsgu.name = "solver"},
                                    %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A})
    -> (tensor<4x4xf64, #CSR> {tsgu.pattern = @A}) {
  %e = tensor.empty() : tensor<4x4xf64, #CSR>
  %At = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %L = tsgu.triangle %s, %At : tensor<4x4xf64, #CSR>
  return %L : tensor<4x4xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{argument 2 has elements 'f32', but the result's are 'f64'}}
func.func @elements(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A},
                    %b: tensor<?xf32>, %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{argument 1 is sparse: name its pattern with 'tsgu.pattern'}}
func.func @matrix_without_pattern(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<?x?xf64, #CSR>,
                                  %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#CSC = #sparse_tensor.encoding<{ map = (i, j) -> (j : dense, i : compressed) }>

// expected-error @+1 {{argument 1 must be stored by rows}}
func.func @matrix_by_columns(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<?x?xf64, #CSC> {tsgu.pattern = @A},
                             %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSC>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @column_by_column(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                            %b: tensor<4xf64>) -> tensor<4x1xf64> {
  // expected-error @+1 {{has no place in a program}}
  %B = tensor.expand_shape %b [[0, 1]] output_shape [4, 1] : tensor<4xf64> into tensor<4x1xf64>
  %X = tsgu.solve %s, %A, %B : tensor<4x4xf64, #CSR>, tensor<4x1xf64> -> tensor<4x1xf64>
  return %X : tensor<4x1xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @two_patterns(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                        %D: tensor<4x4xf64, #CSR> {tsgu.pattern = @D})
    -> (tensor<4x4xf64, #CSR> {tsgu.pattern = @A}) {
  // expected-error @+1 {{combines sparse tensors on patterns @A and @D}}
  %P = tsgu.selected_product %s, %A, %D : tensor<4x4xf64, #CSR>
  return %P : tensor<4x4xf64, #CSR>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @no_code(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %low = arith.constant -1.0 : f64
  %high = arith.constant 1.0 : f64
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    // expected-error @+1 {{has no code: write it with comparisons and arithmetic}}
    %r = math.clampf %a to [%low, %high] : f64
    linalg.yield %r : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
