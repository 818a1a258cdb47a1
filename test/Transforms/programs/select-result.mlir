// RUN: tsgu-opt %s --tsgu-select-result=result=1 | FileCheck %s
// RUN: tsgu-opt %s --tsgu-select-result=result=0 --tsgu-differentiate=wrt=0 | FileCheck %s --check-prefix=GRADIENT
// RUN: not tsgu-opt %s --tsgu-select-result=result=2 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not tsgu-opt %s --tsgu-batch 2>&1 | FileCheck %s --check-prefix=ALL

// The sums of rows, and the entries doubled, on the pattern: only what makes the second is left.
// CHECK-LABEL: func.func @sum_and_double_result1(
// CHECK-SAME:    -> (tensor<?x?xf64, #{{.*}}> {tsgu.pattern = @A})
// CHECK:         tsgu.zeros_like
// CHECK-NOT:     reduction
// CHECK:         arith.mulf
// CHECK-NOT:     linalg.generic
// CHECK:         return

// GRADIENT-LABEL: func.func @sum_and_double_result0_vjp0(

// NONE: has no result 2: it has 2, counted from 0
// ALL: a program has one result here, not 2: --tsgu-select-result takes one of them

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @sum_and_double(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A})
    -> (tensor<?xf64>, tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %sums = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %sum: f64):
    %next = arith.addf %sum, %a : f64
    linalg.yield %next : f64
  } -> tensor<?xf64>
  %zeros = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  %doubled = linalg.generic {indexing_maps = [#entry, #entry], iterator_types = ["parallel", "parallel"],
                             tsgu.sampled}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%zeros : tensor<?x?xf64, #CSR>) {
  ^bb0(%a: f64, %old: f64):
    %two = arith.constant 2.0 : f64
    %term = arith.mulf %a, %two : f64
    linalg.yield %term : f64
  } -> tensor<?x?xf64, #CSR>
  return %sums, %doubled : tensor<?xf64>, tensor<?x?xf64, #CSR>
}
