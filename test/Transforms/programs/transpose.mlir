// RUN: tsgu-opt %programs/spmm.mlir --tsgu-transpose | FileCheck %s
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-transpose | FileCheck %s --check-prefix=SOFTMAX
// RUN: tsgu-opt %programs/logsumexp.mlir --tsgu-batch --tsgu-transpose | FileCheck %s --check-prefix=BATCH
// RUN: tsgu-opt %programs/logsumexp.mlir --tsgu-differentiate=wrt=0 --tsgu-transpose \
// RUN:   --tsgu-lower-to-kernels=value=f32 --remarks-filter=tsgu -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=LAYOUT
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-differentiate --tsgu-transpose --tsgu-differentiate=wrt=2 \
// RUN:   --tsgu-simplify | FileCheck %s --check-prefix=HELD
// RUN: tsgu-opt %s --tsgu-transpose | FileCheck %s --check-prefix=FIXED
// RUN: not tsgu-opt %programs/solve.mlir --tsgu-transpose 2>&1 | FileCheck %s --check-prefix=SOLVE
// RUN: not tsgu-opt %programs/triangular_solve.mlir --tsgu-differentiate=wrt=1 --tsgu-transpose 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SOLVE

// C = A^T B: the rows of the result are the columns of what is given.
// CHECK-DAG:   #[[$A:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-DAG:   #[[$B:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG:   #[[$C:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @spmm_transpose(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?xf64, #{{.*}}> {tsgu.name = "A", tsgu.pattern = @A}
// CHECK:         %[[DIM:.*]] = arith.constant 1 : index
// CHECK:         tensor.dim %[[A]], %[[DIM]]
// CHECK:         indexing_maps = [#[[$A]], #[[$B]], #[[$C]]]

// A sparse result stays on the pattern.
// SOFTMAX-LABEL: func.func @softmax_transpose(
// SOFTMAX-SAME:    -> (tensor<?x?xf64, #{{.*}}> {tsgu.pattern = @A})

// BATCH: affine_map<(d0, d1, d2) -> (d0, d2, d1)>
// BATCH-LABEL: func.func @logsumexp_batch_transpose(

// Columns are reduced in their layout. The gradient is written in the order in which the values are stored.
// LAYOUT:      Layout="1 dense, 0 compressed"{{.*}}Remark=parallel
// LAYOUT:      Layout=dense
// LAYOUT:      Layout="1 dense, 0 compressed"{{.*}}Remark=parallel
// LAYOUT:      Layout=dense
// LAYOUT:      Layout="0 dense, 1 compressed"{{.*}}Remark=parallel

// What holds a result is transposed along with the program that gives it, which is differentiated through.
// HELD-LABEL: func.func @softmax_vjp0_transpose_vjp2(

// FIXED-LABEL: func.func @fixed_transpose(
// FIXED-SAME:    tensor<3x5xf64, #{{.*}}> {tsgu.pattern = @A}
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
func.func @fixed(%A: tensor<5x3xf64, #CSR> {tsgu.pattern = @A}, %x: tensor<3xf64>) -> tensor<5xf64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<5xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<5xf64>) -> tensor<5xf64>
  %y = linalg.matvec ins(%A, %x : tensor<5x3xf64, #CSR>, tensor<3xf64>) outs(%init : tensor<5xf64>) -> tensor<5xf64>
  return %y : tensor<5xf64>
}

// SOLVE: error: solves with a matrix, whose transpose is a mode of the op
