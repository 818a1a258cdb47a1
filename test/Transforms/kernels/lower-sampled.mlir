// RUN: tsgu-opt %s --pass-pipeline='builtin.module(func.func(tsgu-lower-sampled))' --split-input-file | FileCheck %s

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Three tensors on one pattern: the output drives the loop over stored entries, and the values of A
// and B are read at its position. The payload is one tsgu.term, whose operands are the dense
// elements.
// CHECK-LABEL: func.func @combine(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<?x?xf64, #sparse>, %[[B:[a-z0-9]+]]: tensor<?x?xf64, #sparse>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<?xf64>, %[[Y:[a-z0-9]+]]: tensor<?x?xf64, #sparse>)
// CHECK-DAG:     %[[VA:.*]] = sparse_tensor.values %[[A]]
// CHECK-DAG:     %[[VB:.*]] = sparse_tensor.values %[[B]]
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%[[S]] : tensor<?xf64>) outs(%[[Y]] : {{.*}}) attrs = {sorted = true}
// CHECK-NEXT:    ^bb0(%[[s:.*]]: f64, %[[y:.*]]: f64):
// CHECK-NEXT:      %[[R:.*]] = sparse_tensor.unary %[[y]] : f64 to f64
// CHECK-NEXT:       present = {
// CHECK:              %[[T:.*]] = tsgu.term(%[[s]]) : (f64) -> f64 {
// CHECK-NEXT:         ^bb0(%[[e:.*]]: f64):
// CHECK-DAG:            %[[a:.*]] = tsgu.stored %[[VA]]
// CHECK-DAG:            %[[b:.*]] = tsgu.stored %[[VB]]
// CHECK:                %[[P:.*]] = arith.mulf %[[a]], %[[b]]
// CHECK-NEXT:           %[[Q:.*]] = arith.divf %[[P]], %[[e]]
// CHECK-NEXT:           tsgu.yield %[[Q]]
// CHECK:              sparse_tensor.yield %[[T]]
// CHECK:           linalg.yield %[[R]]
func.func @combine(%A: tensor<?x?xf64, #CSR>, %B: tensor<?x?xf64, #CSR>, %s: tensor<?xf64>,
                   %Y: tensor<?x?xf64, #CSR>) -> tensor<?x?xf64, #CSR> {
  %y = linalg.generic {indexing_maps = [#entry, #entry, #row, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %B, %s : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%Y : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %e: f64, %o: f64):
    %p = arith.mulf %a, %b : f64
    %q = arith.divf %p, %e : f64
    linalg.yield %q : f64
  } -> tensor<?x?xf64, #CSR>
  return %y : tensor<?x?xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// A reduction over stored entries alone: the sparsifier's reduce with its neutral element. Here the
// first sparse input drives the loop.
// CHECK-LABEL: func.func @row_maximum(
// CHECK:         linalg.generic
// CHECK-NEXT:    ^bb0(%[[a:.*]]: f64, %[[o:.*]]: f64):
// CHECK-NEXT:      %[[R:.*]] = sparse_tensor.unary %[[a]]
// CHECK:           %[[NEG_INF:.*]] = arith.constant 0xFFF0000000000000 : f64
// CHECK-NEXT:      sparse_tensor.reduce %[[o]], %[[R]], %[[NEG_INF]] : f64 {
// CHECK-NEXT:      ^bb0(%[[x:.*]]: f64, %[[y:.*]]: f64):
// CHECK-NEXT:        arith.maximumf %[[x]], %[[y]]
func.func @row_maximum(%A: tensor<?x?xf64, #CSR>, %Y: tensor<?xf64>) -> tensor<?xf64> {
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%Y : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    %s = arith.maximumf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#x = affine_map<(i) -> (i)>

// Dense ops stay as they are.
// CHECK-LABEL: func.func @dense(
// CHECK-NOT:     sparse_tensor
// CHECK:         math.exp
func.func @dense(%x: tensor<?xf64>, %y: tensor<?xf64>) -> tensor<?xf64> {
  %z = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%y : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %e = math.exp %a : f64
    linalg.yield %e : f64
  } -> tensor<?xf64>
  return %z : tensor<?xf64>
}
