// RUN: tsgu-opt %s --tsgu-emit-entry-points --verify-diagnostics --split-input-file

// Modules whose kernels are not those of their manifest.

// expected-error @+1 {{has no 'tsgu.manifest'; run --tsgu-stage first}}
module {
}

// -----

#manifest = {layouts = [], operands = [], patterns = [], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 1 : i64}, layout = -1 : i64, role = 3 : i64, shape = array<i32: 0>, slice = array<i32: -1>, written = true}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
// expected-error @+1 {{has no lowered kernel @k}}
module attributes {tsgu.manifest = #manifest} {
}

// -----

#manifest = {layouts = [], operands = [], patterns = [], program = "p", result = {name = "", pattern = -1 : i64, read = true, result_of = -1 : i64, shape = array<i32>, type = 1 : i64},
  scratch = [], stages = [{arguments = [{buffer = {index = 0 : i64, kind = 1 : i64}, layout = -1 : i64, role = 3 : i64, shape = array<i32: 0>, slice = array<i32: -1>, written = true}], cost = {bytes = [], flops = []}, destination = {index = 0 : i64, kind = 0 : i64}, kind = 0 : i64, layout = -1 : i64,
  name = "k", partition = {loops = array<i32>, parallel = false, proof = "", weight_layout = -1 : i64}, sizes = [], source = {index = 0 : i64, kind = 0 : i64}}], symbols = [{fixed = 0 : i64, name = "s0", stored_of = -1 : i64}], target = ""}
module attributes {tsgu.manifest = #manifest} {
  // expected-error @+1 {{takes 1 values, its manifest says 5}}
  llvm.func @k(%y: !llvm.ptr) {
    llvm.return
  }
}
