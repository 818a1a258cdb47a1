// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-specialize,func.func(tsgu-select-layout))' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=SPMM
// RUN: tsgu-opt %programs/spmm.mlir --remarks-filter=tsgu \
// RUN:   --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-specialize,func.func(tsgu-select-layout))' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=GRAD
// RUN: tsgu-opt %programs/spmm.mlir --remarks-filter=tsgu \
// RUN:   --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-specialize{hollow=4},func.func(tsgu-select-layout))' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=HOLLOW
// RUN: tsgu-opt %programs/entry_products.mlir --remarks-filter=tsgu \
// RUN:   --pass-pipeline='builtin.module(tsgu-differentiate{wrt=2},tsgu-specialize{hollow=232},func.func(tsgu-select-layout))' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=PAIRED
// RUN: tsgu-opt %s --pass-pipeline='builtin.module(tsgu-specialize,func.func(tsgu-select-layout))' \
// RUN:   --split-input-file --remarks-filter=tsgu 2>&1 | FileCheck %s

// Where the first coordinate and one of the others tell the third, the last level has one node below each other.
// PAIRED:     remark: [Passed] SelectLayout | Category:tsgu | Function=entry_products_vjp2 | Layout="2 dense, 0 compressed, 1 singleton",
// PAIRED:     #sparse_tensor.encoding<{ map = (d0, d1, d2) -> (d2 : dense, d0 : compressed, d1 : singleton(soa)) }>

// Rows of A are rows of C: the rows may be cut. The loop over columns of B, contiguous in B and C,
// comes last.
// SPMM:       remark: [Passed] SelectLayout | Category:tsgu | Function=spmm | Layout="0 dense, 1 compressed",
// SPMM-SAME:    Reason="d0 indexes the output: its iterations write different elements", Remark=parallel
// SPMM-DAG:   #[[LAYOUT:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : dense, d1 : compressed) }>
// SPMM-DAG:   affine_map<(d0, d1, d2) -> (d0, d1)>
// SPMM:       linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]}
// SPMM-SAME:    tsgu.layout = #[[LAYOUT]], tsgu.partition = 1 : i64, tsgu.proof = "d0 indexes the output

// The gradient A^T G sums over the rows of A. By columns its outermost loop is parallel as well.
// GRAD:       remark: [Passed] SelectLayout {{.*}} Function=spmm_vjp1 | Layout="1 dense, 0 compressed",
// GRAD:       #[[LAYOUT:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d1 : dense, d0 : compressed) }>
// GRAD:       linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]}
// GRAD-SAME:    tsgu.layout = #[[LAYOUT]], tsgu.partition = 1 : i64

// Most columns of A have no entries (bit 2, of the set {1}): their level is compressed as well.
// HOLLOW:     remark: [Passed] SelectLayout {{.*}} Function=spmm_vjp1 | Layout="1 compressed, 0 compressed",
// HOLLOW:       map = (d0, d1) -> (d1 : compressed, d0 : compressed)
// HOLLOW:     linalg.generic {{.*}} tsgu.partition = 1 : i64

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#none = affine_map<(i, j) -> ()>

// No layout makes the sum of all entries parallel: the kernel stays serial, and a remark says so.
// CHECK:       remark: [Missed] SelectLayout {{.*}} Function=total | Layout="0 dense, 1 compressed",
// CHECK-SAME:    Reason="loop d0 is a sum over the output: its iterations write one element", Remark=serial
// CHECK:       remark: [Passed] SelectLayout {{.*}} Function=batched | Layout="0 dense, 1 dense, 2 compressed",
// CHECK-SAME:    Reason="d0, d1 index the output: their iterations write different elements", Remark=parallel
// CHECK:       remark: [Passed] SelectLayout {{.*}} Function=dense | Layout=dense,
// CHECK:       remark: [Passed] SelectLayout {{.*}} Function=second_mode | Layout="1 dense, 0 dense, 2 compressed",
// CHECK-LABEL: func.func @total(
// CHECK:         tsgu.partition = 0 : i64
func.func @total(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<f64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<f64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<f64>) -> tensor<f64>
  %y = linalg.generic {indexing_maps = [#entry, #none], iterator_types = ["reduction", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<f64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.addf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<f64>
  return %y : tensor<f64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>

// Items and their rows are cut together: two leading loops.
// CHECK-LABEL: func.func @batched(
// CHECK:         tsgu.layout = #{{.*}}, tsgu.partition = 2 : i64
func.func @batched(%A: tensor<?x?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %items = tensor.dim %A, %c0 : tensor<?x?x?xf64, #CSR>
  %rows = tensor.dim %A, %c1 : tensor<?x?x?xf64, #CSR>
  %empty = tensor.empty(%items, %rows) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %y = linalg.generic {indexing_maps = [affine_map<(b, i, j) -> (b, i, j)>, affine_map<(b, i, j) -> (b, i)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%A : tensor<?x?x?xf64, #CSR>) outs(%init : tensor<?x?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %s = arith.addf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?x?xf64>
  return %y : tensor<?x?xf64>
}

// -----

// Without sparse loops the first parallel loop leads, sums follow, and the contiguous loop is last.
// CHECK-LABEL: func.func @dense(
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]}
// CHECK-NOT:       tsgu.layout
// CHECK-SAME:      tsgu.partition = 1 : i64
func.func @dense(%A: tensor<4x5xf64>, %B: tensor<5x6xf64>) -> tensor<4x6xf64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<4x6xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<4x6xf64>) -> tensor<4x6xf64>
  %C = linalg.matmul ins(%A, %B : tensor<4x5xf64>, tensor<5x6xf64>)
                     outs(%init : tensor<4x6xf64>) -> tensor<4x6xf64>
  return %C : tensor<4x6xf64>
}

// -----

#CSF = #sparse_tensor.encoding<{ map = (i, j, k) -> (i : compressed, j : compressed, k : compressed) }>

// The gradient of MTTKRP in B sums over i and k: its rows are the second coordinates. Most pairs of them
// and of the first or the last ones are empty (bits 3 and 6); devices have no such layouts.
// CHECK-LABEL: func.func @second_mode(
// CHECK:         tsgu.partition = 1 : i64
func.func @second_mode(%T: tensor<?x?x?xf64, #CSF> {tsgu.pattern = @T}, %G: tensor<?x?xf64>, %C: tensor<?x?xf64>)
    -> tensor<?x?xf64> {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %T, %c1 : tensor<?x?x?xf64, #CSF>
  %r = tensor.dim %G, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%n, %r) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j, k, r) -> (i, j, k)>, affine_map<(i, j, k, r) -> (i, r)>,
                                        affine_map<(i, j, k, r) -> (k, r)>, affine_map<(i, j, k, r) -> (j, r)>],
                       iterator_types = ["reduction", "parallel", "reduction", "parallel"]}
      ins(%T, %G, %C : tensor<?x?x?xf64, #CSF>, tensor<?x?xf64>, tensor<?x?xf64>) outs(%init : tensor<?x?xf64>) {
  ^bb0(%t: f64, %g: f64, %c: f64, %o: f64):
    %tg = arith.mulf %t, %g : f64
    %term = arith.mulf %tg, %c : f64
    %sum = arith.addf %o, %term : f64
    linalg.yield %sum : f64
  } -> tensor<?x?xf64>
  return %y : tensor<?x?xf64>
}
