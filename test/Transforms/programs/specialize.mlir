// RUN: tsgu-opt %programs/spmm.mlir --tsgu-specialize='value=f32 index=64 widths=0,0,32' | FileCheck %s
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-differentiate=wrt=0 --tsgu-specialize='derived-index=64' \
// RUN:   | FileCheck %s --check-prefix=DERIVED
// RUN: tsgu-opt %s --tsgu-specialize=value=f32 | FileCheck %s --check-prefix=CASTS

// f64 becomes f32, in types and in constants; positions and coordinates get their width; the extents
// of the third symbol, the columns of B and of the result, are known. Which extents are equal stays
// in tsgu.shape, as types no longer tell.
// CHECK:       #[[$CSR:.*]] = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 64, crdWidth = 64 }>
// CHECK-LABEL: func.func @spmm(
// CHECK-SAME:    %[[A:.*]]: tensor<?x?xf32, #[[$CSR]]> {{{.*}}tsgu.shape = array<i32: 0, 1>},
// CHECK-SAME:    %[[B:.*]]: tensor<?x32xf32> {{{.*}}tsgu.shape = array<i32: 1, 2>}) -> tensor<?x32xf32>
// CHECK-SAME:    attributes {tsgu.derived_index = 32 : i64}
// CHECK:         %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK:         %[[EMPTY:.*]] = tensor.empty(%{{[a-z0-9_]+}}) {tsgu.shape = array<i32: 0, 2>} : tensor<?x32xf32>
// CHECK:         linalg.fill ins(%[[ZERO]] : f32) outs(%[[EMPTY]] : tensor<?x32xf32>)
// CHECK:         ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):

// The originals served differentiation; kernels need them no more.
// DERIVED-NOT:   func.func private
// DERIVED:       func.func @softmax_vjp0(
// DERIVED-SAME:    attributes {tsgu.derived_index = 64 : i64}

#x = affine_map<(i) -> (i)>

// Casts that say nothing any more go.
// CASTS-LABEL: func.func @casts(
// CASTS-NOT:     f64
// CASTS-NOT:     arith.truncf
// CASTS-NOT:     arith.extf
// CASTS:         math.exp %{{.*}} : f32
func.func @casts(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %short = arith.truncf %a : f64 to f32
    %exp = math.exp %short : f32
    %long = arith.extf %exp : f32 to f64
    linalg.yield %long : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
