// RUN: tsgu-opt %s --split-input-file --tsgu-register-tile --canonicalize --cse \
// RUN:   | FileCheck %s
// RUN: tsgu-opt %s --split-input-file --tsgu-register-tile \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: tsgu-opt %s --split-input-file --tsgu-register-tile=vector-bits=256 \
// RUN:   --canonicalize --cse | FileCheck %s --check-prefix=AVX2

// 20 columns of f64: two full vectors and a half one. The output is never
// loaded, and its rows are stored after the loop over stored entries.

#rows = strided<[?, 1]>

// CHECK-LABEL: func @spmm(
// CHECK-NOT:     tsgu.identity
// CHECK-DAG:     %[[ZERO8:.*]] = arith.constant dense<0.000000e+00> : vector<8xf64>
// CHECK-DAG:     %[[ZERO4:.*]] = arith.constant dense<0.000000e+00> : vector<4xf64>
// CHECK:         scf.for %[[I:.*]] = %c0
// CHECK:           %[[SUMS:.*]]:3 = scf.for {{.*}} iter_args({{.*}} = %[[ZERO8]], {{.*}} = %[[ZERO8]], {{.*}} = %[[ZERO4]])
// CHECK:             %[[A:.*]] = memref.load %{{.*}} : memref<?xf64>
// CHECK:             %[[B:.*]] = vector.load %{{.*}}[%{{.*}}, %c0]
// CHECK:             %[[SPLAT:.*]] = vector.broadcast %[[A]]
// CHECK:             %[[T:.*]] = arith.mulf %[[SPLAT]], %[[B]] fastmath<contract> : vector<8xf64>
// CHECK:             arith.addf %{{.*}}, %[[T]] fastmath<contract>
// CHECK:             vector.load %{{.*}}[%{{.*}}, %c8]
// CHECK:             vector.load %{{.*}}[%{{.*}}, %c16] : {{.*}} vector<4xf64>
// CHECK:             scf.yield
// CHECK:           vector.store %[[SUMS]]#0, %[[C:.*]][%[[I]], %c0]
// CHECK:           vector.store %[[SUMS]]#1, %[[C]][%[[I]], %c8]
// CHECK:           vector.store %[[SUMS]]#2, %[[C]][%[[I]], %c16]
// CHECK:         return
// REMARK: [Passed] RegisterTile | Category:tsgu | Function=spmm | Remark="accumulators in registers", accumulators=3, lanes=8
// AVX2-LABEL: func @spmm(
// AVX2-COUNT-5: vector.store %{{.*}} : {{.*}} vector<4xf64>
func.func @spmm(%pos: memref<?xi32>, %crd: memref<?xi32>, %val: memref<?xf64>, %n: index,
                %B: memref<?x20xf64, #rows>, %C: memref<?x20xf64, #rows>)
    attributes {tsgu.kernel, tsgu.output = 5 : i64, tsgu.identity = 0.0 : f64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  scf.for %i = %c0 to %n step %c1 {
    %lo32 = memref.load %pos[%i] : memref<?xi32>
    %lo64 = arith.extui %lo32 : i32 to i64
    %lo = arith.index_cast %lo64 : i64 to index
    %i1 = arith.addi %i, %c1 : index
    %hi32 = memref.load %pos[%i1] : memref<?xi32>
    %hi64 = arith.extui %hi32 : i32 to i64
    %hi = arith.index_cast %hi64 : i64 to index
    scf.for %kk = %lo to %hi step %c1 {
      %k32 = memref.load %crd[%kk] : memref<?xi32>
      %k64 = arith.extui %k32 : i32 to i64
      %k = arith.index_cast %k64 : i64 to index
      %a = memref.load %val[%kk] : memref<?xf64>
      scf.for %j = %c0 to %c20 step %c1 {
        %c = memref.load %C[%i, %j] : memref<?x20xf64, #rows>
        %b = memref.load %B[%k, %j] : memref<?x20xf64, #rows>
        %t = arith.mulf %a, %b fastmath<contract> : f64
        %s = arith.addf %c, %t fastmath<contract> : f64
        memref.store %s, %C[%i, %j] : memref<?x20xf64, #rows>
      }
    }
  }
  return
}

// -----

// Any width: panels of 16 vectors, of 4, and a masked one.

#rows = strided<[?, 1]>

// CHECK-LABEL: func @any_width(
// CHECK:         scf.for
// CHECK:           scf.for %{{.*}} step %c128
// CHECK:             %{{.*}}:16 = scf.for {{.*}} iter_args
// CHECK:           scf.for %{{.*}} step %c32
// CHECK:             %{{.*}}:4 = scf.for {{.*}} iter_args
// CHECK:           scf.if
// CHECK:             vector.create_mask
// CHECK:             %{{.*}}:4 = scf.for {{.*}} iter_args
// CHECK:               vector.maskedload
// CHECK:             vector.maskedstore
// REMARK: Function=any_width | Remark="accumulators in registers", accumulators=16, lanes=8
func.func @any_width(%pos: memref<?xi64>, %crd: memref<?xi64>, %val: memref<?xf64>,
                     %n: index, %p: index, %B: memref<?x?xf64, #rows>,
                     %C: memref<?x?xf64, #rows>)
    attributes {tsgu.kernel, tsgu.output = 6 : i64, tsgu.identity = 0.0 : f64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %lo64 = memref.load %pos[%i] : memref<?xi64>
    %lo = arith.index_cast %lo64 : i64 to index
    %i1 = arith.addi %i, %c1 : index
    %hi64 = memref.load %pos[%i1] : memref<?xi64>
    %hi = arith.index_cast %hi64 : i64 to index
    scf.for %kk = %lo to %hi step %c1 {
      %k64 = memref.load %crd[%kk] : memref<?xi64>
      %k = arith.index_cast %k64 : i64 to index
      %a = memref.load %val[%kk] : memref<?xf64>
      scf.for %j = %c0 to %p step %c1 {
        %c = memref.load %C[%i, %j] : memref<?x?xf64, #rows>
        %b = memref.load %B[%k, %j] : memref<?x?xf64, #rows>
        %t = arith.mulf %a, %b fastmath<contract> : f64
        %s = arith.addf %c, %t fastmath<contract> : f64
        memref.store %s, %C[%i, %j] : memref<?x?xf64, #rows>
      }
    }
  }
  return
}

// -----

// A masked last vector; a row of another factor is loaded before the entries.

#rows = strided<[?, 1]>

// CHECK-LABEL: func @factor(
// CHECK-DAG:     %[[MASK:.*]] = arith.constant dense<[true, true, true, false]> : vector<4xi1>
// CHECK:         scf.for
// CHECK:           vector.maskedload %{{.*}}[%{{.*}}, %c0], %[[MASK]]
// CHECK:           scf.for {{.*}} iter_args
// CHECK:             vector.maskedload
// CHECK-NOT:         vector.maskedload
// CHECK:           vector.maskedstore %{{.*}}[%{{.*}}, %c0], %[[MASK]]
func.func @factor(%pos: memref<?xi64>, %crd: memref<?xi64>, %n: index,
                  %B: memref<?x3xf32, #rows>, %D: memref<?x3xf32, #rows>,
                  %C: memref<?x3xf32, #rows>)
    attributes {tsgu.kernel, tsgu.output = 5 : i64, tsgu.identity = 0xFF800000 : f32} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  scf.for %i = %c0 to %n step %c1 {
    %lo64 = memref.load %pos[%i] : memref<?xi64>
    %lo = arith.index_cast %lo64 : i64 to index
    %i1 = arith.addi %i, %c1 : index
    %hi64 = memref.load %pos[%i1] : memref<?xi64>
    %hi = arith.index_cast %hi64 : i64 to index
    scf.for %kk = %lo to %hi step %c1 {
      %k64 = memref.load %crd[%kk] : memref<?xi64>
      %k = arith.index_cast %k64 : i64 to index
      scf.for %j = %c0 to %c3 step %c1 {
        %c = memref.load %C[%i, %j] : memref<?x3xf32, #rows>
        %b = memref.load %B[%k, %j] : memref<?x3xf32, #rows>
        %d = memref.load %D[%i, %j] : memref<?x3xf32, #rows>
        %t = arith.addf %d, %b fastmath<contract> : f32
        %s = arith.maximumf %c, %t : f32
        memref.store %s, %C[%i, %j] : memref<?x3xf32, #rows>
      }
    }
  }
  return
}

// -----

// The output's row is a coordinate: other entries update it too. The output is
// filled first, and updated in place.

#rows = strided<[?, 1]>

// CHECK-LABEL: func @scatter(
// CHECK-SAME:      %[[C:[^:]*]]: memref<?x20xf64, strided<[?, 1]>>) attributes
// CHECK-NOT:     tsgu.identity
// CHECK:         %[[EXTENT:.*]] = memref.dim %[[C]], %c0
// CHECK:         scf.for {{.*}} to %[[EXTENT]]
// CHECK:           scf.for
// CHECK:             memref.store %cst, %[[C]]
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK-NOT:         iter_args
// CHECK:             scf.for
// CHECK:               memref.load %[[C]]
// CHECK:               memref.store %{{.*}}, %[[C]]
// REMARK: [Missed] RegisterTile | Category:tsgu | Function=scatter | Reason="the output is filled first: its elements are not each visited once"
func.func @scatter(%pos: memref<?xi64>, %crd: memref<?xi64>, %val: memref<?xf64>,
                   %n: index, %B: memref<?x20xf64, #rows>, %C: memref<?x20xf64, #rows>)
    attributes {tsgu.kernel, tsgu.output = 5 : i64, tsgu.identity = 0.0 : f64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  scf.for %k = %c0 to %n step %c1 {
    %lo64 = memref.load %pos[%k] : memref<?xi64>
    %lo = arith.index_cast %lo64 : i64 to index
    %k1 = arith.addi %k, %c1 : index
    %hi64 = memref.load %pos[%k1] : memref<?xi64>
    %hi = arith.index_cast %hi64 : i64 to index
    scf.for %ii = %lo to %hi step %c1 {
      %i64 = memref.load %crd[%ii] : memref<?xi64>
      %i = arith.index_cast %i64 : i64 to index
      %a = memref.load %val[%ii] : memref<?xf64>
      scf.for %j = %c0 to %c20 step %c1 {
        %c = memref.load %C[%i, %j] : memref<?x20xf64, #rows>
        %b = memref.load %B[%k, %j] : memref<?x20xf64, #rows>
        %t = arith.mulf %a, %b fastmath<contract> : f64
        %s = arith.addf %c, %t fastmath<contract> : f64
        memref.store %s, %C[%i, %j] : memref<?x20xf64, #rows>
      }
    }
  }
  return
}

// -----

// One column is one scalar accumulator.

// CHECK-LABEL: func @one_column(
// CHECK-SAME:      %[[C:[^:]*]]: memref<?x1xf32>) attributes
// CHECK-NOT:     vector
// CHECK:         %[[SUM:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %cst) -> (f32)
// CHECK:         memref.store %[[SUM]], %[[C]][%{{.*}}, %c0]
// REMARK: Function=one_column | Remark="loops carry an element of the output", loops=1
func.func @one_column(%pos: memref<?xi64>, %val: memref<?xf32>, %n: index,
                      %C: memref<?x1xf32>)
    attributes {tsgu.kernel, tsgu.output = 3 : i64, tsgu.identity = 0.0 : f32} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %lo64 = memref.load %pos[%i] : memref<?xi64>
    %lo = arith.index_cast %lo64 : i64 to index
    %i1 = arith.addi %i, %c1 : index
    %hi64 = memref.load %pos[%i1] : memref<?xi64>
    %hi = arith.index_cast %hi64 : i64 to index
    scf.for %kk = %lo to %hi step %c1 {
      %a = memref.load %val[%kk] : memref<?xf32>
      scf.for %j = %c0 to %c1 step %c1 {
        %c = memref.load %C[%i, %j] : memref<?x1xf32>
        %s = arith.addf %c, %a : f32
        memref.store %s, %C[%i, %j] : memref<?x1xf32>
      }
    }
  }
  return
}

// -----

// Two elements of the output are read: the loop stays as it is.

// CHECK-LABEL: func @overlapping(
// CHECK-COUNT-2: memref.load %{{.*}} : memref<?xf32>
// REMARK: [Missed] RegisterTile | Category:tsgu | Function=overlapping | Reason="the output is loaded twice"
func.func @overlapping(%n: index, %y: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %y[%i] : memref<?xf32>
    %b = memref.load %y[%c0] : memref<?xf32>
    %s = arith.addf %a, %b : f32
    memref.store %s, %y[%i] : memref<?xf32>
  }
  return
}

// -----

// Entries that are visited twice: those of the call's own rows are filled.

// CHECK-LABEL: func @entries_twice(
// CHECK-SAME:      %[[POS:[^:]*]]: memref<?xi64>
// CHECK-SAME:      %[[S:[^:]*]]: memref<?xf32>) attributes
// CHECK:         scf.for
// CHECK:           memref.load %[[POS]]
// CHECK:           memref.load %[[POS]]
// CHECK:           scf.for %[[K:.*]] = %{{.*}} to
// CHECK-NEXT:        memref.store %cst{{.*}}, %[[S]][%[[K]]]
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             scf.for
// CHECK:               memref.load %[[S]]
func.func @entries_twice(%pos: memref<?xi64>, %n: index, %heads: index, %S: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 3 : i64, tsgu.identity = 0.0 : f32} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  scf.for %h = %c0 to %heads step %c1 {
    scf.for %i = %c0 to %n step %c1 {
      %lo64 = memref.load %pos[%i] : memref<?xi64>
      %lo = arith.index_cast %lo64 : i64 to index
      %i1 = arith.addi %i, %c1 : index
      %hi64 = memref.load %pos[%i1] : memref<?xi64>
      %hi = arith.index_cast %hi64 : i64 to index
      scf.for %kk = %lo to %hi step %c1 {
        %s = memref.load %S[%kk] : memref<?xf32>
        %t = arith.addf %s, %one : f32
        memref.store %t, %S[%kk] : memref<?xf32>
      }
    }
  }
  return
}
