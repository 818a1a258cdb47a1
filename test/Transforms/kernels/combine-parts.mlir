// RUN: tsgu-opt %s --tsgu-combine-parts | FileCheck %s

// Row i of each of the items %b is summed, and all of them are one element: the sums are added up.
// CHECK-LABEL: func.func @over_items(
// CHECK: %[[SUM:.*]] = scf.for
// CHECK: %[[BEFORE:.*]] = memref.load %[[OUT:.*]][%[[I:.*]]] : memref<?xf64>
// CHECK: %[[BOTH:.*]] = arith.addf %[[BEFORE]], %[[SUM]] : f64
// CHECK: memref.store %[[BOTH]], %[[OUT]][%[[I]]]
func.func @over_items(%x: memref<?x?x?xf64>, %out: memref<?xf64>, %items: index, %rows: index, %columns: index)
    attributes {tsgu.identity = 0.0 : f64, tsgu.kernel, tsgu.output = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  scf.for %b = %c0 to %items step %c1 {
    scf.for %i = %c0 to %rows step %c1 {
      %sum = scf.for %k = %c0 to %columns step %c1 iter_args(%s = %zero) -> (f64) {
        %a = memref.load %x[%b, %i, %k] : memref<?x?x?xf64>
        %next = arith.addf %s, %a : f64
        scf.yield %next : f64
      }
      memref.store %sum, %out[%i] : memref<?xf64>
    }
  }
  return
}

// Here each element is visited once.
// CHECK-LABEL: func.func @once(
// CHECK-NOT: memref.load %{{.*}}[%{{.*}}] : memref<?xf64>
func.func @once(%x: memref<?x?xf64>, %out: memref<?xf64>, %rows: index, %columns: index)
    attributes {tsgu.identity = 0.0 : f64, tsgu.kernel, tsgu.output = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  scf.for %i = %c0 to %rows step %c1 {
    %sum = scf.for %k = %c0 to %columns step %c1 iter_args(%s = %zero) -> (f64) {
      %a = memref.load %x[%i, %k] : memref<?x?xf64>
      %next = arith.addf %s, %a : f64
      scf.yield %next : f64
    }
    memref.store %sum, %out[%i] : memref<?xf64>
  }
  return
}
