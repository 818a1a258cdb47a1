// RUN: tsgu-opt %programs/spmm.mlir --tsgu-complexify | FileCheck %s --check-prefix=SPMM
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-complexify --tsgu-specialize='value=c64 widths=0,0,8' | FileCheck %s --check-prefix=C64
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-complexify,tsgu-lower-to-cpu{value=c128})' | FileCheck %s --check-prefix=LLVM
// RUN: not tsgu-opt %programs/softmax.mlir --tsgu-complexify 2>&1 | FileCheck %s --check-prefix=SOFTMAX
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-complexify --tsgu-specialize=value=f32 2>&1 | FileCheck %s --check-prefix=REAL
// RUN: not tsgu-opt %programs/spmm.mlir --tsgu-specialize=value=c128 2>&1 | FileCheck %s --check-prefix=LATE
// RUN: tsgu-opt %s --split-input-file --tsgu-complexify --verify-diagnostics | FileCheck %s

// SPMM-LABEL: func.func @spmm(
// SPMM-SAME:    %{{.*}}: tensor<?x?xcomplex<f64>, #{{.*}}> {tsgu.name = "A", tsgu.pattern = @A},
// SPMM-SAME:    %{{.*}}: tensor<?x?xcomplex<f64>> {tsgu.name = "B"}) -> tensor<?x?xcomplex<f64>> {
// SPMM-NOT:     arith.{{[a-z]+}}f
// SPMM:         %[[ZERO:.*]] = complex.constant [0.000000e+00, 0.000000e+00] : complex<f64>
// SPMM:         linalg.fill ins(%[[ZERO]] : complex<f64>)
// SPMM:         %[[P:.*]] = complex.mul
// SPMM:         complex.add %{{.*}}, %[[P]]

// C64-LABEL: func.func @spmm(
// C64-SAME:    tensor<?x?xcomplex<f32>, #{{.*}} tensor<?x8xcomplex<f32>> {{.*}} -> tensor<?x8xcomplex<f32>>
// C64:         complex.constant [0.000000e+00 : f32, 0.000000e+00 : f32] : complex<f32>


// LLVM: llvm.func internal @spmm_k0(

// SOFTMAX: error: 'tsgu.logaddexp' has no meaning for complex numbers here
// REAL:    error: has elements 'complex<f64>' and cannot be specialised to value=f32
// LATE:    error: has elements 'f64' and cannot be specialised to value=c128; run --tsgu-complexify before it is differentiated

// Constants are real; every op has its complex counterpart.
// CHECK-LABEL: func.func @arithmetic(
// CHECK-SAME:    %{{.*}}: tensor<?xcomplex<f64>>) -> tensor<?xcomplex<f64>>
// CHECK:         %[[TWO:.*]] = complex.constant [2.000000e+00, 0.000000e+00] : complex<f64>
// CHECK:         ^bb0(%[[X:.*]]: complex<f64>, %{{.*}}: complex<f64>):
// CHECK:           %[[N:.*]] = complex.neg %[[X]]
// CHECK:           %[[S:.*]] = complex.sub %[[N]], %[[TWO]]
// CHECK:           %[[Q:.*]] = complex.div %[[X]], %[[S]]
// CHECK:           linalg.yield %[[Q]] : complex<f64>
#id = affine_map<(i) -> (i)>
func.func @arithmetic(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %two = arith.constant 2.0 : f64
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %out: f64):
    %negated = arith.negf %a : f64
    %shifted = arith.subf %negated, %two : f64
    %quotient = arith.divf %a, %shifted : f64
    linalg.yield %quotient : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

#id = affine_map<(i) -> (i)>
func.func @comparison(%x: tensor<?xf64>) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %out: f64):
    %zero = arith.constant 0.0 : f64
    // expected-error @+1 {{'arith.maximumf' has no meaning for complex numbers here: programs over them add, subtract, multiply, divide and negate}}
    %positive = arith.maximumf %a, %zero : f64
    linalg.yield %positive : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

// -----

// expected-error @+1 {{is written for 'f32'; programs are written for f64}}
func.func @single(%x: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}
