// RUN: tsgu-opt %s --tsgu-export-abi --verify-diagnostics --split-input-file

// The manifests have one kernel @f_k0, which writes a vector; some of them, after a sparse operand.

// expected-error @+1 {{has no 'tsgu.manifest'; run --tsgu-stage first}}
module {
}

// -----

// expected-error @+1 {{'tsgu.manifest' is not a manifest}}
module attributes {tsgu.manifest = {program = "f"}} {
}

// -----

#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

// expected-error @+1 {{has no kernel @f_k0}}
module attributes {tsgu.manifest = #manifest} {
}

// -----

#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 2, layout = 0, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  // expected-error @+1 {{has fewer arguments than its manifest lists}}
  func.func @f_k0(%y: memref<?xf64>) -> memref<?xf64> attributes {tsgu.kernel} {
    return %y : memref<?xf64>
  }
}

// -----

#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 2, layout = 0, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  // expected-error @+1 {{argument 3 is no storage specifier; run --sparsification-and-bufferization first}}
  func.func @f_k0(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>, %n: index, %y: memref<?xf64>)
      -> memref<?xf64> attributes {tsgu.kernel} {
    return %y : memref<?xf64>
  }
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed), posWidth = 32, crdWidth = 32 }>
#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 2, layout = 0, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  func.func @f_k0(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>,
                  %spec: !sparse_tensor.storage_specifier<#CSR>, %y: memref<?xf64>) -> memref<?xf64> attributes {tsgu.kernel} {
    %c4 = arith.constant 4 : index
    // expected-error @+1 {{uses a storage specifier for more than its sizes}}
    %grown = sparse_tensor.storage_specifier.set %spec lvl_sz at 0 with %c4 : !sparse_tensor.storage_specifier<#CSR>
    return %y : memref<?xf64>
  }
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed), posWidth = 32, crdWidth = 32 }>
#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 2, layout = 0, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  func.func @f_k0(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>,
                  %spec: !sparse_tensor.storage_specifier<#CSR>, %y: memref<?xf64>) -> memref<?xf64> attributes {tsgu.kernel} {
    %n = sparse_tensor.storage_specifier.get %spec val_mem_sz : !sparse_tensor.storage_specifier<#CSR>
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f64
    // expected-error @+1 {{uses the length of a sparse buffer}}
    scf.for %i = %c0 to %n step %c1 {
      memref.store %zero, %y[%i] : memref<?xf64>
    }
    return %y : memref<?xf64>
  }
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed), posWidth = 32, crdWidth = 32 }>
#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 2, layout = 0, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  func.func @f_k0(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>,
                  %spec: !sparse_tensor.storage_specifier<#CSR>, %y: memref<?xf64>) -> memref<?xf64> attributes {tsgu.kernel} {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f64
    %n = sparse_tensor.storage_specifier.get %spec val_mem_sz : !sparse_tensor.storage_specifier<#CSR>
    %cut = memref.subview %val[0] [%n] [1] : memref<?xf64> to memref<?xf64>
    // expected-error @+1 {{is in no loop over stored entries}}
    %v = tsgu.stored %cut : memref<?xf64> -> f64
    memref.store %v, %y[%c0] : memref<?xf64>
    return %y : memref<?xf64>
  }
}

// -----

#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  func.func @f_k0(%y: memref<?xf64>) -> memref<?xf64> attributes {tsgu.kernel} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %part = memref.subview %y[%c1] [%c1] [1] : memref<?xf64> to memref<?xf64, strided<[1], offset: ?>>
    // expected-error @+1 {{is not the extent of an argument}}
    %n = memref.dim %part, %c0 : memref<?xf64, strided<[1], offset: ?>>
    %zero = arith.constant 0.0 : f64
    memref.store %zero, %y[%n] : memref<?xf64>
    return %y : memref<?xf64>
  }
}

// -----

#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 0},
    {name = "stored(A)", stored_of = 0, fixed = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], operands = [], scratch = [],
  result = {name = "", type = 1, pattern = -1, shape = array<i32: 0>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", sizes = [], cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    arguments = [{role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  func.func @f_k0(%y: memref<?xf64>) -> memref<?xf64> attributes {tsgu.kernel} {
    // expected-error @+1 {{has no place in a kernel: the program is not in a form that compiles without allocations and copies}}
    %copy = memref.alloc() : memref<4xf64>
    return %y : memref<?xf64>
  }
}
