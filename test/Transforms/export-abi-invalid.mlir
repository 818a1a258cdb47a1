// RUN: tsgu-opt %s --tsgu-export-abi --verify-diagnostics --split-input-file

// Kernels that are not what the sparsifier leaves of a staged program.

// expected-error @+1 {{has no 'tsgu.manifest'; run --tsgu-stage first}}
module {
}

// -----

// expected-error @+1 {{'tsgu.manifest' is not a manifest}}
module attributes {tsgu.manifest = {}} {
}

// -----

#manifest = {layouts = [], operands = [], patterns = [], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 1 : i64}, layout = -1 : i64, role = 3 : i64, shape = array<i32: 0>, slice = array<i32: -1>, written = true}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
// expected-error @+1 {{has no kernel @k}}
module attributes {tsgu.manifest = #manifest} {
}

// -----

#manifest = {layouts = [], operands = [], patterns = [], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 1 : i64}, layout = -1 : i64, role = 3 : i64, shape = array<i32: 0>, slice = array<i32: -1>, written = true}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  // expected-error @+1 {{has fewer arguments than its manifest lists}}
  func.func @k() attributes {tsgu.kernel} {
    return
  }
}

// -----

#manifest = {layouts = [{index = 2 : i64, order = array<i32: 0, 1>, pattern = 0 : i64}], operands = [], patterns = [{name = "A", shape = array<i32: 0, 0>, stored = 0 : i64}], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 0 : i64}, layout = 0 : i64, role = 2 : i64, shape = array<i32>, slice = array<i32>, written = false}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  // expected-error @+1 {{argument 3 is no storage specifier; run --sparsification-and-bufferization first}}
  func.func @k(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>, %x: index) attributes {tsgu.kernel} {
    return
  }
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed), posWidth = 32, crdWidth = 32 }>
#manifest = {layouts = [{index = 2 : i64, order = array<i32: 0, 1>, pattern = 0 : i64}], operands = [], patterns = [{name = "A", shape = array<i32: 0, 0>, stored = 0 : i64}], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 0 : i64}, layout = 0 : i64, role = 2 : i64, shape = array<i32>, slice = array<i32>, written = false}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  func.func @k(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>,
                %spec: !sparse_tensor.storage_specifier<#CSR>) attributes {tsgu.kernel} {
    %c = arith.constant 1 : index
    // expected-error @+1 {{uses a storage specifier for more than its sizes}}
    %0 = sparse_tensor.storage_specifier.set %spec lvl_sz at 0 with %c : !sparse_tensor.storage_specifier<#CSR>
    return
  }
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed), posWidth = 32, crdWidth = 32 }>
#manifest = {layouts = [{index = 2 : i64, order = array<i32: 0, 1>, pattern = 0 : i64}], operands = [], patterns = [{name = "A", shape = array<i32: 0, 0>, stored = 0 : i64}], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 0 : i64}, layout = 0 : i64, role = 2 : i64, shape = array<i32>, slice = array<i32>, written = false}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  func.func @k(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>,
                %spec: !sparse_tensor.storage_specifier<#CSR>) attributes {tsgu.kernel} {
    %n = sparse_tensor.storage_specifier.get %spec val_mem_sz : !sparse_tensor.storage_specifier<#CSR>
    // expected-error @+1 {{uses the length of a sparse buffer}}
    %0 = arith.addi %n, %n : index
    return
  }
}

// -----

#manifest = {layouts = [], operands = [], patterns = [], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 1 : i64}, layout = -1 : i64, role = 3 : i64, shape = array<i32: 0>, slice = array<i32: -1>, written = true}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  func.func @k(%y: memref<?xf64>) attributes {tsgu.kernel} {
    %c0 = arith.constant 0 : index
    %other = memref.alloc(%c0) : memref<?xf64>
    // expected-error @+1 {{is not the extent of an argument}}
    %n = memref.dim %other, %c0 : memref<?xf64>
    return
  }
}

// -----

#manifest = {layouts = [], operands = [], patterns = [], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 1 : i64}, layout = -1 : i64, role = 3 : i64, shape = array<i32: 0>, slice = array<i32: -1>, written = true}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  func.func @k(%y: memref<?xf64>) attributes {tsgu.kernel} {
    // expected-error @+1 {{is in no loop over stored entries}}
    %v = tsgu.stored %y : memref<?xf64> -> f64
    return
  }
}

// -----

#manifest = {layouts = [], operands = [], patterns = [], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 1 : i64}, layout = -1 : i64, role = 3 : i64, shape = array<i32: 0>, slice = array<i32: -1>, written = true}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  func.func @k(%y: memref<?xf64>) attributes {tsgu.kernel} {
    // expected-error @+1 {{has no place in a kernel: the program is not in a form that compiles without allocations and copies}}
    %other = memref.alloc() : memref<4xf64>
    return
  }
}
