// RUN: tsgu-opt %programs/triangular_solve.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-specialize,func.func(tsgu-select-layout),tsgu-stage)' \
// RUN:   | FileCheck %s --check-prefix=TRI
// RUN: tsgu-opt %programs/least_squares.mlir --pass-pipeline='builtin.module(tsgu-batch,tsgu-specialize{value=f32 index=64},func.func(tsgu-select-layout),tsgu-stage)' \
// RUN:   | FileCheck %s --check-prefix=BATCH
// RUN: tsgu-opt %s --pass-pipeline='builtin.module(tsgu-specialize,func.func(tsgu-select-layout),tsgu-stage)' --split-input-file \
// RUN:   | FileCheck %s

// A triangular solve into a scratch buffer (by A, operand 1, transposed, of G, operand 4),
// a kernel that writes the result, and the triangle of the result, kept in place. A matrix that is
// solved with is square: both its extents are s0, and the rows of G are.
// TRI:      tsgu.manifest = {layouts = [{index = 2 : i64, levels = [{dimension = 0 : i64, kind = 0 : i64}, {dimension = 1 : i64, kind = 1 : i64}], pattern = 0 : i64}]
// TRI-SAME:   operands = [{name = "solver", {{[^}]*}}read = true, {{[^}]*}}shape = array<i32>, solver = true, type = 3 : i64}, {name = "A"
// TRI-SAME:   {name = "G", {{[^}]*}}shape = array<i32: 0, 1>
// TRI-SAME:   patterns = [{name = "A", shape = array<i32: 0, 0>
// TRI-SAME:   scratch = [{shape = array<i32: 0, 1>, type = 1 : i64}]
// TRI-SAME:   stages = [{step = {layout = 0 : i64, name = "triangular_solve", numbers = array<i32: 1>,
// TRI-SAME:     reads = [{index = 0 : i64, kind = 0 : i64}, {index = 1 : i64, kind = 0 : i64}, {index = 4 : i64, kind = 0 : i64}],
// TRI-SAME:     writes = [{index = 0 : i64, kind = 2 : i64}]}},
// TRI-SAME:   {arguments = [{buffer = {index = 0 : i64, kind = 2 : i64}, {{.*}}{buffer = {index = 0 : i64, kind = 1 : i64}, {{.*}}written = true}]
// TRI-SAME:     name = "triangular_solve_vjp1_k0"
// TRI-SAME:   {step = {layout = 0 : i64, name = "triangle", numbers = array<i32>,
// TRI-SAME:     reads = [{index = 0 : i64, kind = 0 : i64}, {index = 0 : i64, kind = 1 : i64}], writes = [{index = 0 : i64, kind = 1 : i64}]}}]

// A least-squares solve for each item of a batch, with no kernel at all: B has as many rows as A, the
// solution as A has columns.
// BATCH:      layouts = [{index = 3 : i64, levels = [{dimension = 0 : i64, kind = 0 : i64}, {dimension = 1 : i64, kind = 0 : i64}, {dimension = 2 : i64, kind = 1 : i64}], pattern = 0 : i64}]
// BATCH-SAME: {name = "B", {{[^}]*}}shape = array<i32: 0, 1, 3>, {{[^}]*}}type = 0 : i64}]
// BATCH-SAME: patterns = [{name = "A", shape = array<i32: 0, 1, 2>
// BATCH-SAME: result = {name = "", {{[^}]*}}shape = array<i32: 0, 2, 3>
// BATCH-SAME: stages = [{step = {layout = 0 : i64, name = "least_squares", numbers = array<i32: 0>
// BATCH-NOT:  func.func

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

// The squares are read by the solve as well as by the triangle, so that the triangle has a buffer of
// its own; the right-hand side of ones is filled first.
// CHECK:      scratch = [{shape = array<i32: 2>, type = 1 : i64}, {shape = array<i32: 2>, type = 1 : i64}, {shape = array<i32: 0, 1>, type = 1 : i64}, {shape = array<i32: 0, 1>, type = 1 : i64}]
// CHECK-LABEL: func.func @shared_k0(
// CHECK-LABEL: func.func @shared_k1(
func.func @shared(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A},
                  %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f64
  %n = tensor.dim %B, %c0 : tensor<?x?xf64>
  %p = tensor.dim %B, %c1 : tensor<?x?xf64>
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %S = linalg.generic {indexing_maps = [#entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    %t = arith.mulf %a, %a : f64
    linalg.yield %t : f64
  } -> tensor<?x?xf64, #CSR>
  %L = tsgu.triangle %s, %S : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n, %p) : tensor<?x?xf64>
  %ones = linalg.fill ins(%one : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %X = tsgu.solve %s, %S, %ones : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  %Y = tsgu.solve %s, %L, %X : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
  return %Y : tensor<?x?xf64>
}
