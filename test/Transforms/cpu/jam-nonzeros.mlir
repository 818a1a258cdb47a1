// RUN: tsgu-opt %s --split-input-file --tsgu-jam-nonzeros --canonicalize --cse | FileCheck %s
// RUN: tsgu-opt %s --split-input-file --tsgu-jam-nonzeros \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=REMARK

// Four entries at a time: four products, a tree of shuffles, a store of four; the
// scale is loaded for four. The rest one by one, in the same order of additions:
// (0 + 2) + (1 + 3) in groups of four, then halves.

// CHECK-LABEL: func @f32(
// CHECK:         %[[LEFT:.*]] = arith.remui %{{.*}}, %c4
// CHECK:         %[[END:.*]] = arith.subi %[[HI:.*]], %[[LEFT]]
// CHECK:         scf.for %[[K:.*]] = %{{.*}} to %[[END]] step %c4
// CHECK-COUNT-4:   arith.mulf %{{.*}} : vector<8xf32>
// CHECK:           vector.shuffle %{{.*}} [0, 8, 1, 9, 4, 12, 5, 13]
// CHECK:           vector.shuffle %{{.*}} [2, 10, 3, 11, 6, 14, 7, 15]
// CHECK:           vector.shuffle %{{.*}} [0, 1, 8, 9, 4, 5, 12, 13]
// CHECK:           vector.shuffle %{{.*}} [2, 3, 10, 11, 6, 7, 14, 15]
// CHECK:           %[[SUMS:.*]] = arith.addf %{{.*}} : vector<4xf32>
// CHECK:           %[[SCALES:.*]] = vector.load %{{.*}}[%[[K]]] : memref<?xf32>, vector<4xf32>
// CHECK:           %[[SCALED:.*]] = arith.mulf %[[SUMS]], %[[SCALES]]
// CHECK:           vector.store %[[SCALED]], %{{.*}}[%[[K]]]
// CHECK:         scf.for %{{.*}} = %[[END]] to %[[HI]] step %c1
// CHECK:           vector.shuffle %{{.*}} [2, 3, 0, 1, 6, 7, 4, 5]
// CHECK:           vector.shuffle %{{.*}} [1, 0, 3, 2, 5, 4, 7, 6]
// CHECK:           vector.extract %{{.*}}[0] : f32 from vector<4xf32>
// CHECK-NOT:     vector.reduction
// REMARK: [Passed] JamNonzeros | Category:tsgu | Function=f32 | Remark="entries share the shuffles of their sums", entries=4
func.func @f32(%lo: index, %hi: index, %crd: memref<?xindex>, %val: memref<?xf32>,
               %g: vector<8xf32>, %B: memref<?x8xf32>, %S: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 6 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %kk = %lo to %hi step %c1 {
    %k = memref.load %crd[%kk] : memref<?xindex>
    %scale = memref.load %val[%kk] : memref<?xf32>
    %b = vector.load %B[%k, %c0] : memref<?x8xf32>, vector<8xf32>
    %t = arith.mulf %g, %b fastmath<contract> : vector<8xf32>
    %r = vector.reduction <add>, %t fastmath<reassoc,contract> : vector<8xf32> into f32
    %s = arith.mulf %r, %scale fastmath<contract> : f32
    memref.store %s, %S[%kk] : memref<?xf32>
  }
  return
}

// -----

// CHECK-LABEL: func @f64_max(
// CHECK:         scf.for
// CHECK:           vector.shuffle %{{.*}} [0, 8, 2, 10, 4, 12, 6, 14]
// CHECK:           arith.maximumf
// CHECK:           vector.shuffle %{{.*}} [0, 1, 2, 3, 8, 9, 10, 11]
// CHECK:           arith.maximumf
// CHECK:           vector.shuffle %{{.*}} [0, 1, 4, 5]
// CHECK:           vector.shuffle %{{.*}} [2, 3, 6, 7]
// CHECK:           arith.maximumf {{.*}} : vector<4xf64>
// CHECK-NEXT:      vector.store
func.func @f64_max(%lo: index, %hi: index, %B: memref<?x8xf64>, %S: memref<?xf64>)
    attributes {tsgu.kernel, tsgu.output = 3 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %kk = %lo to %hi step %c1 {
    %b = vector.load %B[%kk, %c0] : memref<?x8xf64>, vector<8xf64>
    %r = vector.reduction <maximumf>, %b : vector<8xf64> into f64
    memref.store %r, %S[%kk] : memref<?xf64>
  }
  return
}

// -----

// CHECK-LABEL: func @scattered(
// CHECK:         vector.reduction
// REMARK: [Missed] JamNonzeros | Category:tsgu | Function=scattered | Reason="a store that is not to consecutive places"
func.func @scattered(%lo: index, %hi: index, %crd: memref<?xindex>, %B: memref<?x8xf64>,
                     %S: memref<?xf64>)
    attributes {tsgu.kernel, tsgu.output = 4 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %kk = %lo to %hi step %c1 {
    %k = memref.load %crd[%kk] : memref<?xindex>
    %b = vector.load %B[%kk, %c0] : memref<?x8xf64>, vector<8xf64>
    %r = vector.reduction <add>, %b : vector<8xf64> into f64
    memref.store %r, %S[%k] : memref<?xf64>
  }
  return
}

// -----

// CHECK-LABEL: func @half(
// CHECK:         vector.reduction
// REMARK: Function=half | Reason="no reduction of a vector for each entry"
func.func @half(%lo: index, %hi: index, %B: memref<?x16xf16>, %S: memref<?xf16>)
    attributes {tsgu.kernel, tsgu.output = 3 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %kk = %lo to %hi step %c1 {
    %b = vector.load %B[%kk, %c0] : memref<?x16xf16>, vector<16xf16>
    %r = vector.reduction <add>, %b : vector<16xf16> into f16
    memref.store %r, %S[%kk] : memref<?xf16>
  }
  return
}
