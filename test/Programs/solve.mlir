// RUN: tsgu-opt %programs/solve.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/least_squares.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/least_squares_row.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/solve.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=SOLVE
// RUN: tsgu-opt %programs/least_squares.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=COLUMN
// RUN: tsgu-opt %programs/least_squares_row.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=ROW
// RUN: tsgu-opt %programs/solve.mlir --tsgu-lower-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=RUNTIME -DNAME=solve
// RUN: tsgu-opt %programs/least_squares.mlir --tsgu-lower-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=RUNTIME -DNAME=least_squares
// RUN: tsgu-opt %programs/least_squares_row.mlir --tsgu-lower-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=RUNTIME -DNAME=least_squares_row
// RUN: tsgu-opt %programs/solve.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1 given=2},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=GIVEN
// RUN: tsgu-opt %programs/least_squares.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=2},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=RHS
// RUN: tsgu-opt %programs/least_squares_row.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=2},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=RHS
// RUN: tsgu-opt %programs/least_squares.mlir --pass-pipeline='builtin.module(tsgu-complexify,tsgu-batch,tsgu-differentiate{wrt=1},tsgu-lower-to-cpu{value=c128})' | mlir-translate --mlir-to-llvmir | FileCheck %s --check-prefix=COMPLEX

// One adjoint solve and one sampled product.
// SOLVE:     func.func @solve_vjp1_k0(
// SOLVE-NOT: memref.alloc
// SOLVE-NOT: func.func

// A Z, A X, R = B - A X, and one sampled product of four factors.
// COLUMN-COUNT-4: func.func @least_squares_vjp1_k{{[0-3]}}(
// COLUMN-NOT:     func.func

// A G, A^T W, G - A^T W, and the sampled product.
// ROW-COUNT-4: func.func @least_squares_row_vjp1_k{{[0-3]}}(
// ROW-NOT:     func.func

// The runtime solves: the object is its manifest, with no kernel.
// RUNTIME:     @[[NAME]]_manifest = internal constant [{{[0-9]+}} x i8] c"tsguMANI
// RUNTIME:     @[[NAME]] = constant { ptr, i64, i64, ptr, ptr, ptr, i64 } { ptr @[[NAME]]_manifest, i64 {{[0-9]+}}, i64 0,
// RUNTIME-NOT: define

// With the right-hand side's gradient at hand the matrix's is a sampled product alone: one kernel,
// and no solve.
// GIVEN:     tsgu.manifest = {{.*}}stages = [{
// GIVEN-NOT: step =
// GIVEN:     func.func @solve_vjp1given2_k0(
// GIVEN-NOT: func.func

// A Z, of the normal equations' solution Z; or A G, of which they are solved.
// RHS:     func.func @least_squares{{(_row)?}}_vjp2_k0(
// RHS-NOT: func.func

// Batches of complex matrices: as many kernels.
// COMPLEX:     @least_squares_batch_vjp1 = constant { ptr, i64, i64, ptr, ptr, ptr, i64 } { ptr @least_squares_batch_vjp1_manifest, i64 {{[0-9]+}}, i64 4,
// COMPLEX-NOT: declare {{.*}}@malloc(
