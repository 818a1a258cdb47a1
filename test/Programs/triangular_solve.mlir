// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/triangular_solve_transposed.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-lower-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=RUNTIME
// RUN: tsgu-opt %programs/triangular_solve.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s

// The runtime solves: the object is its manifest, with no kernel.
// RUNTIME:     @triangular_solve_manifest = internal constant [{{[0-9]+}} x i8] c"tsguMANI
// RUNTIME:     @triangular_solve = constant { ptr, i64, i64, ptr } { ptr @triangular_solve_manifest, i64 {{[0-9]+}}, i64 0,
// RUNTIME-NOT: define

// The gradient by the matrix has one, the sampled product.
// CHECK:     func.func @triangular_solve_vjp1_k0(
// CHECK-NOT: memref.alloc
// CHECK-NOT: func.func
