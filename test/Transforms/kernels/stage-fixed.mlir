// RUN: tsgu-opt %s --pass-pipeline='builtin.module(tsgu-specialize{widths=2,64},func.func(tsgu-select-layout),tsgu-stage)' \
// RUN:   | FileCheck %s

// Both extents are fixed, but the first loop is cut: how many of its iterations a call has is known
// when it is made.
// CHECK:       partition = {loops = array<i32: 0>, parallel = true
// CHECK:       symbols = [{fixed = 2 : i64, {{.*}}}, {fixed = 64 : i64,
// CHECK-LABEL: func.func @double_k0(
// CHECK-SAME:    -> tensor<?x64xf64>
// CHECK:         linalg.generic {{.*}} ins(%arg0, %arg1 : tensor<?x64xf64>, tensor<?x64xf64>) outs(%arg2 :
func.func @double(%x: tensor<?x?xf64>) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<?x?xf64>
  %n = tensor.dim %x, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf64>
  %y = linalg.add ins(%x, %x : tensor<?x?xf64>, tensor<?x?xf64>)
                  outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  return %y : tensor<?x?xf64>
}
