// A sum that stays scalar, because an operand is gathered, runs in four chains
// over the entries that fill them, and in one over the rest.
// RUN: tsgu-opt %s --tsgu-split-sums | FileCheck %s

// CHECK-LABEL: func.func @gathered
// CHECK: %[[SUMS:.*]]:4 = scf.for %{{.*}} = %[[LO:.*]] to %[[MID:.*]] step %{{.*}} iter_args
// CHECK-COUNT-4: arith.mulf
// CHECK: scf.yield
// CHECK: %[[A:.*]] = arith.addf %[[SUMS]]#0, %[[SUMS]]#1
// CHECK: %[[B:.*]] = arith.addf %[[SUMS]]#2, %[[SUMS]]#3
// CHECK: %[[TOTAL:.*]] = arith.addf %[[A]], %[[B]]
// CHECK: scf.for %{{.*}} = %[[MID]] to %{{.*}} iter_args(%{{.*}} = %[[TOTAL]])
func.func @gathered(%lo: index, %hi: index, %crd: memref<?xindex>,
                    %val: memref<?xf64>, %x: memref<?xf64>) -> f64 {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %sum = scf.for %k = %lo to %hi step %c1 iter_args(%acc = %zero) -> (f64) {
    %j = memref.load %crd[%k] : memref<?xindex>
    %a = memref.load %val[%k] : memref<?xf64>
    %b = memref.load %x[%j] : memref<?xf64>
    %term = arith.mulf %a, %b : f64
    %next = arith.addf %acc, %term : f64
    scf.yield %next : f64
  }
  return %sum : f64
}

// A maximum is no sum, and what is stored meanwhile keeps its order.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: scf.for
// CHECK-NOT: scf.for
func.func @others(%lo: index, %hi: index, %val: memref<?xf64>,
                  %out: memref<?xf64>) -> (f64, f64) {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %max = scf.for %k = %lo to %hi step %c1 iter_args(%acc = %zero) -> (f64) {
    %a = memref.load %val[%k] : memref<?xf64>
    %next = arith.maximumf %acc, %a : f64
    scf.yield %next : f64
  }
  %prefix = scf.for %k = %lo to %hi step %c1 iter_args(%acc = %zero) -> (f64) {
    %a = memref.load %val[%k] : memref<?xf64>
    %next = arith.addf %acc, %a : f64
    memref.store %next, %out[%k] : memref<?xf64>
    scf.yield %next : f64
  }
  return %max, %prefix : f64, f64
}
