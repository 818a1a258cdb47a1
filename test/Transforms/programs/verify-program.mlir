// RUN: tsgu-opt %s --tsgu-verify-program --split-input-file | FileCheck %s

// What a program may be made of. Named linalg ops come out as linalg.generic: the passes that
// follow know no other op.

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// A product with a sparse operand is zero where the operand is absent, so the dense sum may be
// computed over its stored entries.
// CHECK-LABEL: func @matvec(
// CHECK-NOT:     linalg.matvec
// CHECK:         linalg.generic
// CHECK-SAME:      iterator_types = ["parallel", "reduction"]
// CHECK-NEXT:    ^bb0(%[[A:.*]]: f64, %[[X:.*]]: f64, %[[Y:.*]]: f64):
// CHECK-NEXT:      %[[P:.*]] = arith.mulf %[[A]], %[[X]] : f64
// CHECK-NEXT:      %[[S:.*]] = arith.addf %[[Y]], %[[P]] : f64
// CHECK-NEXT:      linalg.yield %[[S]] : f64
func.func @matvec(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}, %x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.matvec ins(%A, %x : tensor<?x?xf64, #CSR>, tensor<?xf64>)
                     outs(%init : tensor<?xf64>) -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// The maximum over a row is another matter: tsgu.sampled says that absent entries take no part.
// CHECK-LABEL: func @row_maximum(
// CHECK:         linalg.generic
// CHECK-SAME:      attrs = {tsgu.sampled}
func.func @row_maximum(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %start = arith.constant 0xFFF0000000000000 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%start : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    %s = arith.maximumf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (b, i, j) -> (b : dense, i : dense, j : compressed) }>
#entry = affine_map<(b, i, j) -> (b, i, j)>
#item = affine_map<(b, i, j) -> (b)>

// Values on one pattern combine entry by entry; payloads may be any ops of arith and math, with
// constants of the program. Batches are one more dense level.
// CHECK-LABEL: func @same_pattern(
// CHECK:         tsgu.zeros_like
// CHECK:         linalg.generic
// CHECK-SAME:      attrs = {tsgu.sampled}
func.func @same_pattern(%A: tensor<?x?x?xf64, #CSR> {tsgu.pattern = @P},
                        %B: tensor<?x?x?xf64, #CSR> {tsgu.pattern = @P},
                        %scale: tensor<?xf64>)
    -> (tensor<?x?x?xf64, #CSR> {tsgu.pattern = @P}) {
  %half = arith.constant 0.5 : f64
  %zero = tsgu.zeros_like %A : tensor<?x?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, #entry, #item, #entry],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%A, %B, %scale : tensor<?x?x?xf64, #CSR>, tensor<?x?x?xf64, #CSR>, tensor<?xf64>)
      outs(%zero : tensor<?x?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %s: f64, %y: f64):
    %sum = arith.addf %a, %b : f64
    %mean = arith.mulf %sum, %half : f64
    %cos = math.cos %mean : f64
    %result = arith.divf %cos, %s : f64
    linalg.yield %result : f64
  } -> tensor<?x?x?xf64, #CSR>
  return %Y : tensor<?x?x?xf64, #CSR>
}

// -----

// An operand returned as it is.
// CHECK-LABEL: func @identity(
// CHECK:         return %arg0
func.func @identity(%x: tensor<f64>) -> tensor<f64> {
  return %x : tensor<f64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// Solves take a matrix transposed, which becomes their mode.
// CHECK-LABEL: func @transposed_matrix(
// CHECK-NOT:     linalg.transpose
// CHECK:         tsgu.solve %arg0, %arg1, %arg2 mode<T> :
func.func @transposed_matrix(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                             %B: tensor<4x2xf64>) -> tensor<4x2xf64> {
  %e = tensor.empty() : tensor<4x4xf64, #CSR>
  %At = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [1, 0]
  %X = tsgu.solve %s, %At, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X : tensor<4x2xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

// A transpose that exchanges nothing is none.
// CHECK-LABEL: func @not_transposed(
// CHECK-NOT:     linalg.transpose
// CHECK:         tsgu.triangular_solve %arg0, %arg1, %arg2 :
func.func @not_transposed(%s: !tsgu.solver {tsgu.name = "solver"}, %A: tensor<4x4xf64, #CSR> {tsgu.pattern = @A},
                          %B: tensor<4x2xf64>) -> tensor<4x2xf64> {
  %e = tensor.empty() : tensor<4x4xf64, #CSR>
  %I = linalg.transpose ins(%A : tensor<4x4xf64, #CSR>) outs(%e : tensor<4x4xf64, #CSR>) permutation = [0, 1]
  %X = tsgu.triangular_solve %s, %I, %B : tensor<4x4xf64, #CSR>, tensor<4x2xf64> -> tensor<4x2xf64>
  return %X : tensor<4x2xf64>
}
