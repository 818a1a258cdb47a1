// RUN: tsgu-opt %s | tsgu-opt | FileCheck %s

// The ops and attributes of the dialect, printed and parsed again.

// CHECK: #[[$CSR:.*]] = #sparse_tensor.encoding
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

// A sampled op visits the stored entries of @A: the result starts from zeros there.
// CHECK-LABEL: func @exp_of_entries(
// CHECK-SAME:    %[[A:.*]]: tensor<?x?xf64, #[[$CSR]]> {tsgu.name = "A", tsgu.pattern = @A})
// CHECK-SAME:    -> (tensor<?x?xf64, #[[$CSR]]> {tsgu.pattern = @A})
// CHECK:         %[[ZERO:.*]] = tsgu.zeros_like %[[A]] : tensor<?x?xf64, #[[$CSR]]>
// CHECK:         linalg.generic
// CHECK-SAME:      outs(%[[ZERO]] : tensor<?x?xf64, #[[$CSR]]>) attrs = {tsgu.sampled}
func.func @exp_of_entries(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%zero : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %y: f64):
    %exp = math.exp %a : f64
    linalg.yield %exp : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}

// An argument that holds what another function gives for the arguments before it.
// CHECK-LABEL: func @reads_result(
// CHECK-SAME:    tsgu.result_of = @exp_of_entries
func.func @reads_result(
    %A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A},
    %Y: tensor<?x?xf64, #CSR> {tsgu.pattern = @A, tsgu.result_of = @exp_of_entries}) {
  return
}

// CHECK-LABEL: func @logaddexp(
// CHECK:         tsgu.logaddexp %{{.*}}, %{{.*}} : f32
func.func @logaddexp(%x: f32, %y: f32) -> f32 {
  %z = tsgu.logaddexp %x, %y : f32
  return %z : f32
}

// What --tsgu-lower-sampled writes into kernels: a payload kept together, and the value at the
// position of the stored entry being visited.
// CHECK-LABEL: func @term(
// CHECK:         tsgu.term(%{{.*}}) : (f64) -> f64 {
// CHECK-NEXT:    ^bb0(%[[X:.*]]: f64):
// CHECK-NEXT:      %[[V:.*]] = tsgu.stored %{{.*}} : memref<?xf64> -> f64
// CHECK-NEXT:      %[[P:.*]] = arith.mulf %[[X]], %[[V]] : f64
// CHECK-NEXT:      tsgu.yield %[[P]] : f64
func.func @term(%a: f64, %values: memref<?xf64>) -> f64 {
  %t = tsgu.term(%a) : (f64) -> f64 {
  ^bb0(%x: f64):
    %v = tsgu.stored %values : memref<?xf64> -> f64
    %p = arith.mulf %x, %v : f64
    tsgu.yield %p : f64
  }
  return %t : f64
}
