// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-batch=operands=5 2>&1 | FileCheck %s --check-prefix=OPERAND
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-batch=operands=1,1 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-batch --tsgu-batch 2>&1 | FileCheck %s --check-prefix=BATCHED
// RUN: not tsgu-opt %programs/softmax.mlir --tsgu-differentiate --tsgu-batch 2>&1 | FileCheck %s --check-prefix=HELD
// RUN: not tsgu-opt %programs/solve.mlir --tsgu-batch=operands=0 2>&1 | FileCheck %s --check-prefix=SOLVER
// RUN: not tsgu-opt %programs/solve.mlir --tsgu-batch=operands=2 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: not tsgu-opt %programs/triangular_solve.mlir --tsgu-batch=operands=2 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: not tsgu-opt %programs/least_squares.mlir --tsgu-batch=operands=2 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: not tsgu-opt %programs/solve.mlir --tsgu-differentiate=wrt=1 --tsgu-batch 2>&1 | FileCheck %s --check-prefix=HELD
// RUN: not tsgu-opt %programs/solve.mlir --tsgu-batch --tsgu-batch=operands=2 2>&1 | FileCheck %s --check-prefix=SHARED
// RUN: tsgu-opt %s --tsgu-batch=operands=0 --verify-diagnostics --split-input-file

// OPERAND: error: has no operand 5 to batch
// TWICE: error: operand 1 is given twice
// BATCHED: error: operand 0 is sparse and batched already
// SOLVER: error: operand 0 is a solver: it serves all items
// SHARED: error: solves with one matrix for a batch of right-hand sides: batch the matrix as well, or call the program itself with a leading batch
// HELD: error: holds the result of another program: batch it before differentiating

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// expected-error @+1 {{operands 0 and 1 share a pattern: batch both}}
func.func @half_a_pattern(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @P},
                          %B: tensor<?x?xf64, #CSR> {tsgu.pattern = @P})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @P}) {
  return %B : tensor<?x?xf64, #CSR>
}

// -----

// expected-error @+1 {{a program has a result}}
func.func @not_a_program(%x: tensor<?xf64>) {
  return
}
