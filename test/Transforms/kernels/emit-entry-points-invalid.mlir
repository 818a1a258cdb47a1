// RUN: tsgu-opt %s --tsgu-emit-entry-points --verify-diagnostics --split-input-file

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

// expected-error @+1 {{has no lowered kernel @f_k0}}
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
    arguments = [{role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0>,
      slice = array<i32: 0>, written = true}]}]
}

module attributes {tsgu.manifest = #manifest} {
  // expected-error @+1 {{takes 1 values, its manifest says 5}}
  llvm.func @f_k0(%y: !llvm.ptr) {
    llvm.return
  }
}
