// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-specialize,func.func(tsgu-select-layout),tsgu-stage)' \
// RUN:   | FileCheck %s
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-specialize{hollow=2},func.func(tsgu-select-layout),tsgu-stage)' \
// RUN:   | FileCheck %s --check-prefix=HOLLOW
// RUN: tsgu-opt %s --pass-pipeline='builtin.module(tsgu-specialize,func.func(tsgu-select-layout),tsgu-stage)' --split-input-file \
// RUN:   | FileCheck %s --check-prefix=OWN

// A^T G by columns of A: the manifest has two stages, the permutation of the values of A (operand 0)
// into scratch buffer 0 for layout 0, and the kernel that reads the buffer.
// CHECK:       #[[$CSC:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed)
// CHECK:       tsgu.manifest = {layouts = [{index = 2 : i64, levels = [{dimension = 1 : i64, kind = 0 : i64}, {dimension = 0 : i64, kind = 1 : i64}], pattern = 0 : i64}]
// CHECK-SAME:    operands = [{name = "A", {{.*}}read = true{{.*}}}, {name = "B", {{.*}}read = false{{.*}}}, {name = "G"
// CHECK-SAME:    scratch = [{shape = array<i32: 3>, type = 1 : i64}]
// CHECK-SAME:    stages = [{step = {layout = 0 : i64, name = "permute_values", numbers = array<i32>,
// CHECK-SAME:      reads = [{index = 0 : i64, kind = 0 : i64}], writes = [{index = 0 : i64, kind = 2 : i64}]}},
// CHECK-SAME:    {arguments = [{buffer = {index = 2 : i64, kind = 0 : i64},
// CHECK-SAME:      name = "spmm_vjp1_k0", partition = {loops = array<i32: 1>, parallel = true,
// CHECK-LABEL: func.func @spmm_vjp1_k0(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<?x?xf64>, %[[A:[a-z0-9]+]]: tensor<?x?xf64, #[[$CSC]]>, %[[OUT:[a-z0-9]+]]: tensor<?x?xf64>)
// CHECK-SAME:    attributes {tsgu.identity = 0.000000e+00 : f64, tsgu.kernel}
// CHECK:         linalg.generic {{.*}} ins(%[[G]], %[[A]] : {{.*}}) outs(%[[OUT]] :
// CHECK-NOT:   func.func @spmm_vjp1(

// Rows without entries belong to no node of a compressed level: the output is filled first, and what the
// kernel is cut into are nodes, of which symbol 4 is the number. No dimension of C is cut.
// HOLLOW:      tsgu.manifest = {layouts = [{index = 2 : i64, levels = [{dimension = 0 : i64, kind = 1 : i64}, {dimension = 1 : i64, kind = 1 : i64}]
// HOLLOW-SAME:   stages = [{step = {name = "fill", numbers = array<i32: 0>, reads = [], writes = [{index = 0 : i64, kind = 1 : i64}]}},
// HOLLOW-SAME:   shape = array<i32: 0, 2>, slice = array<i32: -1>, written = true}]
// HOLLOW-SAME:   partition = {loops = array<i32: 4>, parallel = true,
// HOLLOW-SAME:   {fixed = 0 : i64, name = "nodes(0)", nodes_of = 0 : i64}]
// HOLLOW:      func.func @spmm_k0({{.*}}) {{.*}}attributes {tsgu.filled, tsgu.identity = 0.000000e+00 : f64, tsgu.kernel}

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

// Values on one pattern combine as a loop over the values: positions and coordinates are not read.
// OWN-LABEL: func.func @product_k0(
// OWN-SAME:    %{{.*}}: tensor<?xf64>, %{{.*}}: tensor<?xf64>, %{{.*}}: tensor<?xf64>) -> tensor<?xf64>
// OWN:         linalg.generic {{.*}} iterator_types = ["parallel"]
func.func @product(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @P}, %B: tensor<?x?xf64, #CSR> {tsgu.pattern = @P})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @P}) {
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, #entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %y: f64):
    %t = arith.mulf %a, %b : f64
    linalg.yield %t : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

// So do dense tensors that the column alone indexes, or nothing: no rows are needed, but the columns (role 1), which
// are cut with the values.
// OWN:         stages = [{arguments = [{{.*}}, {buffer = {{.*}}, layout = 0 : i64, level = 1 : i64, role = 1 : i64, shape = array<i32: 2>, slice = array<i32: 0>, written = false}]
// OWN-SAME:    partition = {loops = array<i32: 2>, parallel = true,
// OWN-LABEL: func.func @by_columns_k0(
// OWN-SAME:    %[[A:[a-z0-9]+]]: tensor<?xf64>, %[[X:[a-z0-9]+]]: tensor<?xf64>, %[[S:[a-z0-9]+]]: tensor<f64>, %[[Y:[a-z0-9]+]]: tensor<?xf64>, %[[K:[a-z0-9]+]]: tensor<?xi32>) -> tensor<?xf64>
// OWN:         linalg.generic {{.*}} iterator_types = ["parallel"]} ins(%[[A]], %[[K]] : {{.*}}) outs(%[[Y]] : tensor<?xf64>)
// OWN:           tensor.extract %[[X]][%{{.*}}]
// OWN:           tensor.extract %[[S]][]
func.func @by_columns(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @P}, %x: tensor<?xf64>, %s: tensor<f64>)
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @P}) {
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> ()>, #entry],
                       iterator_types = ["parallel", "parallel"]}
      ins(%A, %x, %s : tensor<?x?xf64, #CSR>, tensor<?xf64>, tensor<f64>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %c: f64, %y: f64):
    %t = arith.mulf %a, %b : f64
    %u = arith.mulf %t, %c : f64
    linalg.yield %u : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

// What a row indexes is read once for the row.
// OWN-LABEL: func.func @by_rows_k0(
// OWN-SAME:    tensor<?x?xf64, #{{.*}}>, %{{.*}}: tensor<?xf64>, %{{.*}}: tensor<?x?xf64, #{{.*}}>)
func.func @by_rows(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @P}, %x: tensor<?xf64>)
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @P}) {
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, affine_map<(i, j) -> (i)>, #entry],
                       iterator_types = ["parallel", "parallel"]}
      ins(%A, %x : tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %y: f64):
    %t = arith.mulf %a, %b : f64
    linalg.yield %t : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}

// -----

// What is returned as it came, or filled, is written by a kernel too: every result is a buffer of
// the caller's.
// OWN-LABEL: func.func @identity_k0(
// OWN:         linalg.generic {{.*}} ins(%arg0 : tensor<?xf64>) outs(%arg1 : tensor<?xf64>)
func.func @identity(%x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

// OWN-LABEL: func.func @zeros_k0(
// OWN:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// OWN:         linalg.generic {{.*}} outs(%arg0 : tensor<?xf64>)
// OWN:           linalg.yield %[[ZERO]]
func.func @zeros(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  return %y : tensor<?xf64>
}
