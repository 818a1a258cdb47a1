// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-specialize=value=f8 2>&1 | FileCheck %s --check-prefix=VALUE
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-specialize=index=16 2>&1 | FileCheck %s --check-prefix=INDEX
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-specialize=derived-index=8 2>&1 | FileCheck %s --check-prefix=DERIVED
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-differentiate --tsgu-specialize 2>&1 | FileCheck %s --check-prefix=TWO
// RUN: tsgu-opt %s --tsgu-specialize --verify-diagnostics

// VALUE: error: cannot be specialised to value=f8 index=32 derived-index=32; values are f32, f64, f16, bf16, c64 or c128, indices 32 or 64 bits
// INDEX: error: cannot be specialised to value=f64 index=16 derived-index=32; values are f32, f64, f16, bf16, c64 or c128
// DERIVED: error: cannot be specialised to value=f64 index=32 derived-index=8; values are f32, f64, f16, bf16, c64 or c128
// TWO: error: a program has one public function, but @spmm_vjp0 is public as well

// expected-error @+1 {{argument 0 must be a ranked tensor, not 'f64'}}
func.func @not_a_program(%x: f64) -> f64 {
  return %x : f64
}
