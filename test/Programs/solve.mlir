// RUN: tsgu-opt %programs/solve.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/least_squares.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/least_squares_row.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/solve.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=SOLVE
// RUN: tsgu-opt %programs/least_squares.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=COLUMN
// RUN: tsgu-opt %programs/least_squares_row.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=ROW

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
