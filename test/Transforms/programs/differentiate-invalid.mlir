// RUN: not tsgu-opt %programs/solve.mlir --tsgu-differentiate=wrt=0 2>&1 | FileCheck %s --check-prefix=SOLVER
// RUN: not tsgu-opt %programs/triangular_solve.mlir --tsgu-differentiate=wrt=1 --tsgu-differentiate=wrt=0 2>&1 | FileCheck %s --check-prefix=SOLVER
// RUN: not tsgu-opt %programs/least_squares.mlir --tsgu-differentiate="wrt=0 mode=forward" 2>&1 | FileCheck %s --check-prefix=SOLVER
// RUN: not tsgu-opt %programs/solve.mlir --tsgu-differentiate=wrt=3 2>&1 | FileCheck %s --check-prefix=NO_OPERAND
// RUN: not tsgu-opt %programs/solve.mlir --tsgu-differentiate=wrt=1 --tsgu-differentiate=wrt=3 2>&1 | FileCheck %s --check-prefix=SOLUTION
// RUN: tsgu-opt %s --tsgu-differentiate=wrt=0 --verify-diagnostics --split-input-file
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-differentiate=mode=sideways 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MODE
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=7 2>&1 \
// RUN:   | FileCheck %s --check-prefix=OPERAND
// RUN: not tsgu-opt %programs/softmax.mlir --tsgu-differentiate --tsgu-differentiate=wrt=1 2>&1 \
// RUN:   | FileCheck %s --check-prefix=HELD

// SOLVER: error: operand 0 is a solver; differentiate by the tensors it works on
// NO_OPERAND: error: has no operand 3 to differentiate by
// SOLUTION: error: operand 3 holds the result of @solve; differentiate by the operands that it depends on

// MODE: error: mode must be reverse or forward, not sideways
// OPERAND: error: has no operand 7 to differentiate by
// HELD: error: operand 1 holds the result of @softmax; differentiate by the operands that it depends on

// expected-error @+1 {{a program has a result}}
func.func @not_a_program(%x: tensor<?xf64>) {
  return
}

// -----

#x = affine_map<(i) -> (i)>

func.func @no_rule(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    // expected-error @+1 {{has no derivative rule}}
    %t = math.erfc %a : f64
    linalg.yield %t : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

// expected-error @+1 {{argument 1 holds the result of @elsewhere, which is not in the module}}
func.func @unknown(%x: tensor<?xf64>, %y: tensor<?xf64> {tsgu.result_of = @elsewhere}) -> tensor<?xf64> {
  return %y : tensor<?xf64>
}

// -----

func.func private @of_two(%x: tensor<?xf64>, %z: tensor<?xf64>) -> tensor<?xf64> {
  return %z : tensor<?xf64>
}
// expected-error @+1 {{argument 1 holds the result of @of_two, which has other arguments than stand before it, or another result}}
func.func @too_few(%x: tensor<?xf64>, %y: tensor<?xf64> {tsgu.result_of = @of_two}) -> tensor<?xf64> {
  return %y : tensor<?xf64>
}

// -----

func.func private @of_matrix(%x: tensor<?x?xf64>) -> tensor<?x?xf64> {
  return %x : tensor<?x?xf64>
}
// expected-error @+1 {{argument 1 holds the result of @of_matrix, which has other arguments than stand before it, or another result}}
func.func @other_types(%x: tensor<?xf64>, %y: tensor<?xf64> {tsgu.result_of = @of_matrix}) -> tensor<?xf64> {
  return %y : tensor<?xf64>
}

// -----

func.func private @no_program(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error @+1 {{must be a scalar: make other tensors operands of the program}}
  %y = arith.constant dense<1.0> : tensor<4xf64>
  return %y : tensor<4xf64>
}
func.func @of_no_program(%x: tensor<4xf64>, %y: tensor<4xf64> {tsgu.result_of = @no_program}) -> tensor<4xf64> {
  return %y : tensor<4xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func private @no_solution(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A},
                               %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %X = tsgu.solve %s, %A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %X : tensor<?x?xf64>
}
// expected-error @+1 {{argument 2 holds the result of @no_solution, which has other arguments than stand before it}}
func.func @solution_first(%D: tensor<?x?xf64>, %s: !tsgu.solver {tsgu.name = "solver"},
                          %X: tensor<?x?xf64> {tsgu.result_of = @no_solution},
                          %A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?x?xf64> {
  return %X : tensor<?x?xf64>
}
