// RUN: tsgu-opt %s --split-input-file --tsgu-split-sums --canonicalize --cse \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s

// Pairs of entries go to two accumulators, which are added before the entry
// that may be left.

// CHECK: [Passed] SplitSums | Category:tsgu | Function=spmm | Remark="rows are summed in chains of every other entry", chains=2
// CHECK-LABEL: func @spmm(
// CHECK:         %[[LEFT:.*]] = arith.remui %{{.*}}, %c2
// CHECK:         %[[END:.*]] = arith.subi %[[HI:.*]], %[[LEFT]]
// CHECK:         %[[SUMS:.*]]:2 = scf.for %[[K:.*]] = %{{.*}} to %[[END]] step %c2 iter_args(%[[EVEN:.*]] = %{{.*}}, %[[ODD:.*]] = %{{.*}})
// CHECK:           memref.load %{{.*}}[%[[K]]] : memref<?xf32>
// CHECK:           arith.addf %[[EVEN]], %{{.*}} fastmath<contract> : vector<16xf32>
// CHECK:           %[[NEXT:.*]] = arith.addi %[[K]], %c1
// CHECK:           memref.load %{{.*}}[%[[NEXT]]] : memref<?xf32>
// CHECK:           arith.addf %[[ODD]], %{{.*}} fastmath<contract> : vector<16xf32>
// CHECK:         %[[BOTH:.*]] = arith.addf %[[SUMS]]#0, %[[SUMS]]#1 fastmath<contract>
// CHECK:         scf.for %{{.*}} = %[[END]] to %[[HI]] step %c1 iter_args(%{{.*}} = %[[BOTH]])
func.func @spmm(%val: memref<?xf32>, %B: memref<?x16xf32>, %lo: index, %hi: index,
                %C: memref<?x16xf32>) attributes {tsgu.kernel, tsgu.output = 4 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %sum = scf.for %k = %lo to %hi step %c1 iter_args(%c = %zero) -> (vector<16xf32>) {
    %a = memref.load %val[%k] : memref<?xf32>
    %splat = vector.broadcast %a : f32 to vector<16xf32>
    %b = vector.load %B[%k, %c0] : memref<?x16xf32>, vector<16xf32>
    %t = arith.mulf %splat, %b fastmath<contract> : vector<16xf32>
    %s = arith.addf %c, %t fastmath<contract> : vector<16xf32>
    scf.yield %s : vector<16xf32>
  }
  vector.store %sum, %C[%c0, %c0] : memref<?x16xf32>, vector<16xf32>
  return
}

// -----

// Maxima are no sums; three accumulators keep a core busy.

// CHECK-NOT: SplitSums
// CHECK-LABEL: func @maximum(
// CHECK-COUNT-1: scf.for
// CHECK-NOT:     scf.for
// CHECK-LABEL: func @three(
// CHECK-COUNT-1: scf.for
// CHECK-NOT:     scf.for
func.func @maximum(%B: memref<?x16xf32>, %lo: index, %hi: index,
                   %C: memref<?x16xf32>) attributes {tsgu.kernel, tsgu.output = 3 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %sum = scf.for %k = %lo to %hi step %c1 iter_args(%c = %zero) -> (vector<16xf32>) {
    %b = vector.load %B[%k, %c0] : memref<?x16xf32>, vector<16xf32>
    %s = arith.maximumf %c, %b : vector<16xf32>
    scf.yield %s : vector<16xf32>
  }
  vector.store %sum, %C[%c0, %c0] : memref<?x16xf32>, vector<16xf32>
  return
}

func.func @three(%B: memref<?x48xf32>, %lo: index, %hi: index,
                 %C: memref<?x48xf32>) attributes {tsgu.kernel, tsgu.output = 3 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %sums:3 = scf.for %k = %lo to %hi step %c1 iter_args(%x = %zero, %y = %zero, %z = %zero)
      -> (vector<16xf32>, vector<16xf32>, vector<16xf32>) {
    %a = vector.load %B[%k, %c0] : memref<?x48xf32>, vector<16xf32>
    %b = vector.load %B[%k, %c16] : memref<?x48xf32>, vector<16xf32>
    %c = vector.load %B[%k, %c32] : memref<?x48xf32>, vector<16xf32>
    %r = arith.addf %x, %a : vector<16xf32>
    %s = arith.addf %y, %b : vector<16xf32>
    %t = arith.addf %z, %c : vector<16xf32>
    scf.yield %r, %s, %t : vector<16xf32>, vector<16xf32>, vector<16xf32>
  }
  vector.store %sums#0, %C[%c0, %c0] : memref<?x48xf32>, vector<16xf32>
  vector.store %sums#1, %C[%c0, %c16] : memref<?x48xf32>, vector<16xf32>
  vector.store %sums#2, %C[%c0, %c32] : memref<?x48xf32>, vector<16xf32>
  return
}
