// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/triangular_solve_transposed.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/triangular_solve.mlir --tsgu-lower-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=RUNTIME
// RUN: tsgu-opt %programs/triangular_solve.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s
// RUN: tsgu-opt %programs/triangular_solve_transposed.mlir --tsgu-lower-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=TRANSPOSED
// RUN: tsgu-opt %programs/triangular_solve_transposed.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s
// RUN: tsgu-opt %programs/triangular_solve.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=2},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=RHS
// RUN: tsgu-opt %programs/triangular_solve.mlir --pass-pipeline='builtin.module(tsgu-complexify,tsgu-batch,tsgu-differentiate{wrt=1},tsgu-lower-to-kernels{value=c64})' | FileCheck %s --check-prefix=COMPLEX

// The runtime solves: the object is its manifest, with no kernel.
// RUNTIME:     @triangular_solve_manifest = internal constant [{{[0-9]+}} x i8] c"tsguMANI
// RUNTIME:     @triangular_solve = constant { ptr, i64, i64, ptr, ptr, ptr, i64 } { ptr @triangular_solve_manifest, i64 {{[0-9]+}}, i64 0,
// RUNTIME-NOT: define

// The gradient by the matrix has one, the sampled product.
// CHECK:     func.func @triangular_solve{{(_transposed)?}}_vjp1_k0(
// CHECK-NOT: memref.alloc
// CHECK-NOT: func.func

// TRANSPOSED:     @triangular_solve_transposed = constant
// TRANSPOSED-NOT: define

// The gradient by the right-hand side is the other solve, and nothing else.
// RHS:     stages = [{step = {layout = 0 : i64, name = "triangular_solve", numbers = array<i32: 1>
// RHS-NOT: func.func

// The adjoint of complex matrices is conjugated; the sampled product takes that of the solution.
// COMPLEX:     step = {layout = 0 : i64, name = "triangular_solve", numbers = array<i32: 2>
// COMPLEX:     func.func @triangular_solve_batch_vjp1_k0({{.*}}memref<?xcomplex<f32>>
// COMPLEX-NOT: func.func
