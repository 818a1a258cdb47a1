// RUN: tsgu-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(tsgu-simplify))' | FileCheck %s

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

// Two elementwise ops become one where only the second reads the first; the sampled mark stays, the
// operand read by both comes once, the one that nobody reads goes.
// CHECK-LABEL: func.func @fuse(
// CHECK-SAME:    %[[A:.*]]: tensor<?x?xf64, #{{.*}}> {tsgu.pattern = @A}, %[[B:.*]]: tensor<?x?xf64>)
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%[[A]] : tensor<?x?xf64, #{{.*}}>) outs(%{{.*}}) attrs = {tsgu.sampled}
// CHECK-NEXT:    ^bb0(%[[a:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT:      %[[EXP:.*]] = math.exp %[[a]]
// CHECK-NEXT:      %[[P:.*]] = arith.mulf %[[EXP]], %[[a]]
// CHECK-NEXT:      linalg.yield %[[P]]
// CHECK-NOT:     linalg.generic
func.func @fuse(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}, %B: tensor<?x?xf64>)
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %E = linalg.generic {indexing_maps = [#entry, #entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64>) outs(%zero : tensor<?x?xf64, #CSR>)
      attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %b: f64, %o: f64):
    %exp = math.exp %a : f64
    linalg.yield %exp : f64
  } -> tensor<?x?xf64, #CSR>
  %Y = linalg.generic {indexing_maps = [#entry, #entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%E, %A : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>) outs(%zero : tensor<?x?xf64, #CSR>)
      attrs = {tsgu.sampled} {
  ^bb0(%e: f64, %a: f64, %o: f64):
    %p = arith.mulf %e, %a : f64
    linalg.yield %p : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

// What is on a pattern by nothing but where it starts from stays: as one op the two had no pattern.
// CHECK-LABEL: func.func @keep_pattern(
// CHECK:         linalg.generic {{.*}} outs(%{{.*}} : tensor<?x?xf64, #{{.*}}>) attrs = {tsgu.sampled}
// CHECK:         linalg.generic {{.*}} outs(%{{.*}} : tensor<?x?xf64>) attrs = {tsgu.sampled}
func.func @keep_pattern(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}, %B: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %zeros = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %E = linalg.generic {indexing_maps = [#entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%B : tensor<?x?xf64>) outs(%zeros : tensor<?x?xf64, #CSR>) attrs = {tsgu.sampled} {
  ^bb0(%b: f64, %o: f64):
    %exp = math.exp %b : f64
    linalg.yield %exp : f64
  } -> tensor<?x?xf64, #CSR>
  %m = tensor.dim %B, %c0 : tensor<?x?xf64>
  %n = tensor.dim %B, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf64>
  %dense = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %Y = linalg.generic {indexing_maps = [#entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%E : tensor<?x?xf64, #CSR>) outs(%dense : tensor<?x?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%e: f64, %o: f64):
    %n1 = arith.negf %e : f64
    linalg.yield %n1 : f64
  } -> tensor<?x?xf64>
  return %Y : tensor<?x?xf64>
}

// -----

#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// A sum is not computed again for each element that reads it.
// CHECK-LABEL: func.func @keep_sum(
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
func.func @keep_sum(%B: tensor<4x5xf64>) -> tensor<4x5xf64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<4xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<4xf64>) -> tensor<4xf64>
  %s = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%B : tensor<4x5xf64>) outs(%init : tensor<4xf64>) {
  ^bb0(%b: f64, %o: f64):
    %t = arith.addf %o, %b : f64
    linalg.yield %t : f64
  } -> tensor<4xf64>
  %whole = tensor.empty() : tensor<4x5xf64>
  %Y = linalg.generic {indexing_maps = [#entry, #row, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%B, %s : tensor<4x5xf64>, tensor<4xf64>) outs(%whole : tensor<4x5xf64>) {
  ^bb0(%b: f64, %r: f64, %o: f64):
    %q = arith.divf %b, %r : f64
    linalg.yield %q : f64
  } -> tensor<4x5xf64>
  return %Y : tensor<4x5xf64>
}

// -----

#x = affine_map<(i) -> (i)>

// Extents are traced to the arguments, so that nothing keeps an op alive for its size alone.
// CHECK-LABEL: func.func @trace_extents(
// CHECK-SAME:    %[[X:.*]]: tensor<?xf64>, %[[Y:.*]]: tensor<?xf64>)
// CHECK:         %[[N:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK:         tensor.empty(%[[N]])
// CHECK-NOT:     math.sin
// CHECK:         math.cos
// CHECK-NOT:     linalg.generic
func.func @trace_extents(%x: tensor<?xf64>, %y: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %unread = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %sin = math.sin %a : f64
    linalg.yield %sin : f64
  } -> tensor<?xf64>
  %m = tensor.dim %unread, %c0 : tensor<?xf64>
  %second = tensor.empty(%m) : tensor<?xf64>
  %z = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%y : tensor<?xf64>) outs(%second : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %cos = math.cos %a : f64
    linalg.yield %cos : f64
  } -> tensor<?xf64>
  return %z : tensor<?xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Its values are not read, but it says which entries the sum visits: it counts them.
// CHECK-LABEL: func.func @count(
// CHECK-SAME:    %[[A:.*]]: tensor<?x?xf64, #{{.*}}> {tsgu.pattern = @A})
// CHECK:         linalg.generic {{.*}} ins(%[[A]] :
func.func @count(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %one = arith.constant 1.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) attrs = {tsgu.sampled} {
  ^bb0(%a: f64, %o: f64):
    %t = arith.addf %o, %one : f64
    linalg.yield %t : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
