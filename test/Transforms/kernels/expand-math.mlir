// RUN: tsgu-opt %s --tsgu-expand-math --canonicalize --cse | FileCheck %s

// The polynomial's coefficients come from Chebyshev fits; test_kernels.py measures the errors.

// CHECK-LABEL: func @exp_vector(
// CHECK-NOT:     math.exp
// CHECK-COUNT-9: math.fma %{{.*}} : vector<8xf64>
// CHECK:         arith.shrsi %{{.*}} : vector<8xi64>
// CHECK-NOT:     fastmath
// CHECK:         return
func.func @exp_vector(%x: vector<8xf64>) -> vector<8xf64> {
  %y = math.exp %x : vector<8xf64>
  return %y : vector<8xf64>
}

// The same operations for a scalar: the same bits.
// CHECK-LABEL: func @exp_scalar(
// CHECK-NOT:     math.exp
// CHECK-COUNT-9: math.fma %{{.*}} : f64
// CHECK:         arith.shrsi %{{.*}} : i64
// CHECK:         return
func.func @exp_scalar(%x: f64) -> f64 {
  %y = math.exp %x : f64
  return %y : f64
}

// CHECK-LABEL: func @log_scalar(
// CHECK-NOT:     math.log
// CHECK:         arith.divf %{{.*}} : f32
// CHECK:         math.fma
func.func @log_scalar(%x: f32) -> f32 {
  %y = math.log %x : f32
  return %y : f32
}

// Half precision is computed in f32.
// CHECK-LABEL: func @exp_half(
// CHECK:         arith.extf %{{.*}} : vector<16xbf16> to vector<16xf32>
// CHECK:         math.fma %{{.*}} : vector<16xf32>
// CHECK:         arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
func.func @exp_half(%x: vector<16xbf16>) -> vector<16xbf16> {
  %y = math.exp %x : vector<16xbf16>
  return %y : vector<16xbf16>
}

// Functions of the library are called for each element.
// CHECK-LABEL: func @pow(
// CHECK-COUNT-2: math.powf %{{.*}} : f64
// CHECK:         vector.from_elements
func.func @pow(%x: vector<2xf64>, %y: vector<2xf64>) -> vector<2xf64> {
  %z = math.powf %x, %y : vector<2xf64>
  return %z : vector<2xf64>
}

// Instructions of the processor stay.
// CHECK-LABEL: func @sqrt(
// CHECK:         math.sqrt %{{.*}} : vector<8xf64>
func.func @sqrt(%x: vector<8xf64>) -> vector<8xf64> {
  %y = math.sqrt %x : vector<8xf64>
  return %y : vector<8xf64>
}
