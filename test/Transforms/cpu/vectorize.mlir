// RUN: tsgu-opt %s --split-input-file --tsgu-vectorize --canonicalize --cse | FileCheck %s
// RUN: tsgu-opt %s --split-input-file --tsgu-vectorize \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=REMARK

// A reduction over stored entries: full chunks, a masked one, one horizontal sum.
// What the row's entries share is loaded once.

// CHECK-LABEL: func @row_sum(
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<8xf64>
// CHECK:         %[[M:.*]] = memref.load %{{.*}} : memref<?xf64>
// CHECK:         %[[REST:.*]] = arith.remui %{{.*}}, %c8
// CHECK:         %[[END:.*]] = arith.subi %[[HI:.*]], %[[REST]]
// CHECK:         %[[SUM:.*]] = scf.for %[[K:.*]] = %{{.*}} to %[[END]] step %c8 iter_args(%[[ACC:.*]] = %[[ZERO]])
// CHECK-NEXT:      vector.load %{{.*}}[%[[K]]]
// CHECK:           %[[E:.*]] = math.exp %{{.*}} : vector<8xf64>
// CHECK:           arith.addf %[[ACC]], %[[E]]
// CHECK:         %[[TAIL:.*]] = scf.if
// CHECK:           %[[MASK:.*]] = vector.create_mask
// CHECK:           vector.maskedload %{{.*}}[%[[END]]], %[[MASK]]
// CHECK:           arith.select %[[MASK]], %{{.*}}, %[[SUM]]
// CHECK:         %[[R:.*]] = vector.reduction <add>, %[[TAIL]] fastmath<reassoc,contract>
// CHECK:         memref.store %[[R]]
// REMARK: [Passed] Vectorize | Category:tsgu | Function=row_sum | Remark="computed at vector width", lanes=8
func.func @row_sum(%pos: memref<?xi64>, %val: memref<?xf64>, %m: memref<?xf64>,
                   %n: index, %y: memref<?xf64>)
    attributes {tsgu.kernel, tsgu.output = 4 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  scf.for %i = %c0 to %n step %c1 {
    %lo64 = memref.load %pos[%i] : memref<?xi64>
    %lo = arith.index_cast %lo64 : i64 to index
    %i1 = arith.addi %i, %c1 : index
    %hi64 = memref.load %pos[%i1] : memref<?xi64>
    %hi = arith.index_cast %hi64 : i64 to index
    %r = scf.for %kk = %lo to %hi step %c1 iter_args(%acc = %zero) -> (f64) {
      %a = memref.load %val[%kk] : memref<?xf64>
      %b = memref.load %m[%i] : memref<?xf64>
      %d = arith.subf %a, %b fastmath<contract> : f64
      %e = math.exp %d : f64
      %s = arith.addf %acc, %e fastmath<contract> : f64
      scf.yield %s : f64
    }
    memref.store %r, %y[%i] : memref<?xf64>
  }
  return
}

// -----

// A row of constant length: unrolled; the first product starts the sum, lanes
// beyond the end keep it, and the row of G is loaded once for all entries.

#rows = strided<[?, 1]>

// CHECK-LABEL: func @sampled(
// CHECK-DAG:     %[[MASK:.*]] = arith.constant dense<[true, true, true, true, false
// CHECK:         scf.for
// CHECK:           %[[G0:.*]] = vector.load
// CHECK:           %[[G1:.*]] = vector.maskedload
// CHECK:           scf.for
// CHECK-NOT:         iter_args
// CHECK:             %[[B0:.*]] = vector.load
// CHECK:             %[[T0:.*]] = arith.mulf %[[G0]], %[[B0]]
// CHECK:             %[[B1:.*]] = vector.maskedload {{.*}} %[[MASK]]
// CHECK:             %[[T1:.*]] = arith.mulf %[[G1]], %[[B1]]
// CHECK:             %[[S:.*]] = arith.addf %[[T0]], %[[T1]]
// CHECK:             %[[KEPT:.*]] = arith.select %[[MASK]], %[[S]], %[[T0]]
// CHECK:             vector.reduction <add>, %[[KEPT]]
func.func @sampled(%pos: memref<?xi64>, %crd: memref<?xi64>, %n: index,
                   %G: memref<?x20xf32, #rows>, %B: memref<?x20xf32, #rows>, %S: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 5 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c20 = arith.constant 20 : index
  %zero = arith.constant 0.0 : f32
  scf.for %i = %c0 to %n step %c1 {
    %lo64 = memref.load %pos[%i] : memref<?xi64>
    %lo = arith.index_cast %lo64 : i64 to index
    %i1 = arith.addi %i, %c1 : index
    %hi64 = memref.load %pos[%i1] : memref<?xi64>
    %hi = arith.index_cast %hi64 : i64 to index
    scf.for %kk = %lo to %hi step %c1 {
      %k64 = memref.load %crd[%kk] : memref<?xi64>
      %k = arith.index_cast %k64 : i64 to index
      %r = scf.for %j = %c0 to %c20 step %c1 iter_args(%acc = %zero) -> (f32) {
        %g = memref.load %G[%i, %j] : memref<?x20xf32, #rows>
        %b = memref.load %B[%k, %j] : memref<?x20xf32, #rows>
        %t = arith.mulf %g, %b fastmath<contract> : f32
        %s = arith.addf %acc, %t fastmath<contract> : f32
        scf.yield %s : f32
      }
      memref.store %r, %S[%kk] : memref<?xf32>
    }
  }
  return
}

// -----

// Values at coordinates are gathered, eight at most; more lanes are loaded one by one, but for the masked ones.

// CHECK-LABEL: func @gather_many(
// CHECK:         scf.for
// CHECK-NOT:       vector.gather
// CHECK:           %[[AT:.*]] = memref.load %[[CRD:.*]][%[[BASE:.*]]] : memref<?xi32>
// CHECK:           %[[K:.*]] = arith.index_cast
// CHECK:           %[[FIRST:.*]] = memref.load %{{.*}}[%[[K]]] : memref<?xf32>
// CHECK:           vector.from_elements %[[FIRST]], {{.*}} : vector<16xf32>
// CHECK:           math.exp %{{.*}} : vector<16xf32>
// CHECK:           vector.store
// CHECK:         scf.if
// CHECK:           vector.gather
// CHECK:           vector.maskedstore
func.func @gather_many(%lo: index, %hi: index, %crd: memref<?xi32>, %x: memref<?xf32>,
                  %S: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 4 : i64} {
  %c1 = arith.constant 1 : index
  scf.for %kk = %lo to %hi step %c1 {
    %k32 = memref.load %crd[%kk] : memref<?xi32>
    %k64 = arith.extui %k32 : i32 to i64
    %k = arith.index_cast %k64 : i64 to index
    %a = memref.load %x[%k] : memref<?xf32>
    %e = math.exp %a : f32
    memref.store %e, %S[%kk] : memref<?xf32>
  }
  return
}

// CHECK-LABEL: func @gather(
// CHECK:         scf.for
// CHECK:         %[[K:.*]] = vector.load %{{.*}} : memref<?xi32>, vector<8xi32>
// CHECK:         vector.gather %{{.*}}[%c0] [%[[K]]]
// CHECK:         math.exp %{{.*}} : vector<8xf64>
// CHECK:         vector.store
// CHECK:         scf.if
// CHECK:           vector.gather
// CHECK:           vector.maskedstore
func.func @gather(%lo: index, %hi: index, %crd: memref<?xi32>, %x: memref<?xf64>,
                  %S: memref<?xf64>)
    attributes {tsgu.kernel, tsgu.output = 4 : i64} {
  %c1 = arith.constant 1 : index
  scf.for %kk = %lo to %hi step %c1 {
    %k32 = memref.load %crd[%kk] : memref<?xi32>
    %k64 = arith.extui %k32 : i32 to i64
    %k = arith.index_cast %k64 : i64 to index
    %a = memref.load %x[%k] : memref<?xf64>
    %e = math.exp %a : f64
    memref.store %e, %S[%kk] : memref<?xf64>
  }
  return
}

// -----

// Where little is computed, no more lanes than are gathered at once; short rows
// are faster without, with four sums that do not wait for each other.

// CHECK-LABEL: func @spmv_row(
// CHECK:         %[[LENGTH:.*]] = arith.subi
// CHECK:         %[[LONG:.*]] = arith.cmpi sge, %[[LENGTH]], %c8
// CHECK:         scf.if %[[LONG]]
// CHECK:           vector.gather {{.*}} vector<8xf32>
// CHECK:           vector.reduction
// CHECK:         } else {
// CHECK-NOT:       vector
// CHECK:           %[[SUMS:.*]]:4 = scf.for {{.*}} step %c4 iter_args
// CHECK:           %[[EVEN:.*]] = arith.addf %[[SUMS]]#0, %[[SUMS]]#2
// CHECK:           %[[ODD:.*]] = arith.addf %[[SUMS]]#1, %[[SUMS]]#3
// CHECK:           %[[SUM:.*]] = arith.addf %[[EVEN]], %[[ODD]]
// CHECK:           scf.for {{.*}} step %c1 iter_args(%{{.*}} = %[[SUM]])
// REMARK: [Passed] Vectorize | Category:tsgu | Function=spmv_row | Remark="long rows are computed at vector width", lanes=8
func.func @spmv_row(%lo: index, %hi: index, %crd: memref<?xi64>, %val: memref<?xf32>,
                    %x: memref<?xf32>, %y: memref<f32>)
    attributes {tsgu.kernel, tsgu.output = 5 : i64} {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %r = scf.for %kk = %lo to %hi step %c1 iter_args(%acc = %zero) -> (f32) {
    %k64 = memref.load %crd[%kk] : memref<?xi64>
    %k = arith.index_cast %k64 : i64 to index
    %a = memref.load %val[%kk] : memref<?xf32>
    %b = memref.load %x[%k] : memref<?xf32>
    %t = arith.mulf %a, %b : f32
    %s = arith.addf %acc, %t : f32
    scf.yield %s : f32
  }
  memref.store %r, %y[] : memref<f32>
  return
}

// -----

// Rows of one element lie a leading stride apart, which mostly is 1.

// CHECK-LABEL: func @one_column(
// CHECK-SAME:      %[[B:[^:]*]]: memref<?x1xf64, strided<[?, 1]>>
// CHECK:         %{{.*}}, %{{.*}}, %{{.*}}:2, %[[STRIDES:.*]]:2 = memref.extract_strided_metadata %[[B]]
// CHECK:         %[[UNIT:.*]] = arith.cmpi eq, %[[STRIDES]]#0, %c1
// CHECK:         scf.if %[[UNIT]]
// CHECK:           vector.gather {{.*}} vector<8xi32>
// CHECK:         } else {
// CHECK:           %[[SPLAT:.*]] = vector.broadcast %[[STRIDES]]#0
// CHECK:           %[[PLACES:.*]] = arith.muli %{{.*}}, %[[SPLAT]] : vector<8xindex>
// CHECK:           vector.gather {{.*}} [%[[PLACES]]]
func.func @one_column(%lo: index, %hi: index, %crd: memref<?xi32>,
                      %B: memref<?x1xf64, strided<[?, 1]>>, %S: memref<?xf64>)
    attributes {tsgu.kernel, tsgu.output = 4 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %kk = %lo to %hi step %c1 {
    %k32 = memref.load %crd[%kk] : memref<?xi32>
    %k64 = arith.extui %k32 : i32 to i64
    %k = arith.index_cast %k64 : i64 to index
    %b = memref.load %B[%k, %c0] : memref<?x1xf64, strided<[?, 1]>>
    %e = math.exp %b : f64
    memref.store %e, %S[%kk] : memref<?xf64>
  }
  return
}

// -----

// Short rows know the strides of 1, too.

// CHECK-LABEL: func @one_column_row(
// CHECK:         %[[UNIT:.*]] = arith.cmpi eq
// CHECK:         scf.if %[[UNIT]]
// CHECK:           %[[LINE:.*]] = memref.reinterpret_cast {{.*}} to memref<?x1xf64, strided<[1, 1]>>
// CHECK:           memref.load %[[LINE]]
// CHECK:         } else {
// CHECK:           memref.load %{{.*}} : memref<?x1xf64, strided<[?, 1]>>
func.func @one_column_row(%lo: index, %hi: index, %crd: memref<?xi32>,
                          %B: memref<?x1xf64, strided<[?, 1]>>, %y: memref<f64>)
    attributes {tsgu.kernel, tsgu.output = 4 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %r = scf.for %kk = %lo to %hi step %c1 iter_args(%acc = %zero) -> (f64) {
    %k32 = memref.load %crd[%kk] : memref<?xi32>
    %k64 = arith.extui %k32 : i32 to i64
    %k = arith.index_cast %k64 : i64 to index
    %b = memref.load %B[%k, %c0] : memref<?x1xf64, strided<[?, 1]>>
    %s = arith.addf %acc, %b : f64
    scf.yield %s : f64
  }
  memref.store %r, %y[] : memref<f64>
  return
}

// -----

// A long dense sum has four accumulators.

// CHECK-LABEL: func @long_sum(
// CHECK:         %[[S:.*]]:4 = scf.for {{.*}} step %c64 iter_args
// CHECK:         arith.addf %[[S]]#0, %[[S]]#2
// CHECK:         arith.addf %[[S]]#1, %[[S]]#3
// CHECK:         scf.for {{.*}} step %c16 iter_args
// CHECK:         scf.if
// CHECK:         vector.reduction
func.func @long_sum(%n: index, %x: memref<?xf32>, %y: memref<f32>)
    attributes {tsgu.kernel, tsgu.output = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (f32) {
    %a = memref.load %x[%i] : memref<?xf32>
    %s = arith.addf %acc, %a : f32
    scf.yield %s : f32
  }
  memref.store %r, %y[] : memref<f32>
  return
}

// -----

// An iteration reads what another one stores: the order matters.

// CHECK-LABEL: func @recurrence(
// CHECK-NOT:     vector
// REMARK: [Missed] Vectorize | Category:tsgu | Function=recurrence | Reason="the output is read where other iterations store"
func.func @recurrence(%n: index, %y: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %before = memref.load %y[%c0] : memref<?xf32>
    %s = arith.addf %before, %before : f32
    memref.store %s, %y[%i] : memref<?xf32>
  }
  return
}

// -----

// CHECK-LABEL: func @column(
// CHECK-NOT:     vector
// REMARK: Function=column | Reason="a load with a stride"
func.func @column(%n: index, %x: memref<?x4xf32>, %y: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %x[%i, %c0] : memref<?x4xf32>
    memref.store %a, %y[%i] : memref<?xf32>
  }
  return
}

// -----

// Complex numbers are pairs of lanes.
// CHECK-LABEL: func @complex(
// CHECK:         %[[X:.*]] = tsgu.parts %{{.*}} : memref<?xcomplex<f32>> -> memref<?x2xf32>
// CHECK:         %[[A:.*]] = vector.load %[[X]][%{{.*}}, %{{.*}}] : memref<?x2xf32>, vector<16xf32>
// CHECK:         arith.addf %[[A]], %[[A]] {{.*}}: vector<16xf32>
// CHECK:         vector.maskedload {{.*}} : memref<?x2xf32>, vector<16xi1>
// REMARK: Function=complex | Remark="computed at vector width", lanes=8
func.func @complex(%n: index, %x: memref<?xcomplex<f32>>, %y: memref<?xcomplex<f32>>)
    attributes {tsgu.kernel, tsgu.output = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %x[%i] : memref<?xcomplex<f32>>
    %b = complex.add %a, %a : complex<f32>
    memref.store %b, %y[%i] : memref<?xcomplex<f32>>
  }
  return
}

// -----

// CHECK-LABEL: func @no_kernel(
// CHECK-NOT:     vector
func.func @no_kernel(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.load %x[%i] : memref<?xf32>
    memref.store %a, %y[%i] : memref<?xf32>
  }
  return
}
