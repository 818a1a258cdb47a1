// RUN: tsgu-opt %programs/spmm.mlir \
// RUN:   --tsgu-lower-to-kernels="value=f32 widths=0,0,32,0" \
// RUN:   | tsgu-opt --pass-pipeline="builtin.module(func.func(tsgu-accumulate),tsgu-split-rows,canonicalize,cse)" \
// RUN:   | FileCheck %s --check-prefix=ROWS
// RUN: tsgu-opt %programs/spmm.mlir \
// RUN:   --tsgu-lower-to-kernels="value=f64 widths=0,0,1,0" \
// RUN:   | tsgu-opt --pass-pipeline="builtin.module(func.func(tsgu-accumulate),tsgu-split-rows,canonicalize,cse)" \
// RUN:   | FileCheck %s --check-prefix=ELEMENTS
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-batch \
// RUN:   --tsgu-differentiate=wrt=0 \
// RUN:   --tsgu-lower-to-kernels="value=f32 widths=0,0,0,8,0" \
// RUN:   | tsgu-opt --pass-pipeline="builtin.module(func.func(tsgu-accumulate),tsgu-split-rows,canonicalize,cse)" \
// RUN:   | FileCheck %s --check-prefix=ENTRIES
// RUN: tsgu-opt %programs/spmm.mlir \
// RUN:   --tsgu-lower-to-kernels="value=f32 widths=0,0,32,0" \
// RUN:   | sed "s/tsgu.identity = 0.000000e+00/tsgu.identity = 1.000000e+00/" \
// RUN:   | tsgu-opt --pass-pipeline="builtin.module(func.func(tsgu-accumulate),tsgu-split-rows)" \
// RUN:   | FileCheck %s --check-prefix=START

// A row that is reduced to a dense row: chunks write rows of scratch, and a
// third kernel adds them up.

// ROWS: chunks_of = 0 : i64
// ROWS-SAME: long_rows_of = 0 : i64
// ROWS-LABEL: func.func @spmm_k0(
// ROWS:         %[[LENGTH:.*]] = arith.subi %[[END:.*]], %[[BEGIN:.*]] : index
// ROWS-NEXT:    %[[LONG:.*]] = arith.cmpi sgt, %[[LENGTH]], %[[LIMIT:.*]] : index
// ROWS-NEXT:    %[[STOP:.*]] = arith.select %[[LONG]], %[[BEGIN]], %[[END]] : index
// ROWS-NEXT:    scf.for %{{.*}} = %[[BEGIN]] to %[[STOP]]
// ROWS-LABEL: func.func @spmm_k0_chunks(
// ROWS-SAME:    %[[POSITIONS:arg0]]: memref<?xi32>, {{.*}}, %[[PARTIAL:arg4]]: memref<?x32xf32, strided<[?, 1]>>, %[[ROWS:arg5]]: memref<?xi32>, %[[CHUNKS:arg6]]: memref<?xi32>, %[[COUNT:.*]]: index, %[[LIMIT:.*]]: index)
// ROWS:         scf.for %[[CHUNK:.*]] = %c0{{.*}} to
// ROWS:           memref.load %[[ROWS]][%[[CHUNK]]]
// ROWS:           memref.load %[[CHUNKS]][%[[CHUNK]]]
// ROWS:           arith.minsi
// ROWS:             memref.store %{{.*}}, %[[PARTIAL]][%[[CHUNK]], %{{.*}}]
// ROWS-LABEL: func.func @spmm_k0_combine(
// ROWS-SAME:    tsgu.identity = 0.000000e+00 : f32
// ROWS:         scf.for %[[LONG:.*]] = %c0
// ROWS:           %[[ROW:.*]] = arith.index_cast
// ROWS:           scf.for %[[CHUNK:.*]] =
// ROWS:             scf.for %[[J:.*]] = %c0
// ROWS:               %[[HELD:.*]] = memref.load %[[C:.*]][%[[ROW]], %[[J]]]
// ROWS:               %[[TERM:.*]] = memref.load %{{.*}}[%[[CHUNK]], %[[J]]]
// ROWS:               %[[SUM:.*]] = arith.addf %[[HELD]], %[[TERM]]
// ROWS:               memref.store %[[SUM]], %[[C]][%[[ROW]], %[[J]]]

// To one element.

// ELEMENTS-LABEL: func.func @spmm_k0_chunks(
// ELEMENTS-SAME:    %[[PARTIAL:arg4]]: memref<?xf64>
// ELEMENTS:         scf.for %[[CHUNK:.*]] = %c0
// ELEMENTS:           %[[SUM:.*]] = scf.for
// ELEMENTS:           memref.store %[[SUM]], %[[PARTIAL]][%[[CHUNK]]] : memref<?xf64>
// ELEMENTS-LABEL: func.func @spmm_k0_combine(
// ELEMENTS:         %[[SUM:.*]] = scf.for
// ELEMENTS:           arith.addf
// ELEMENTS:         memref.store %[[SUM]], %{{.*}}[%{{.*}}, %c0]

// Entries that are written one by one need no third kernel. Rows of a batch
// count through its items.

// ENTRIES-LABEL: func.func @spmm_batch_vjp0_k0_chunks(
// ENTRIES:         %[[ROW:.*]] = arith.index_cast
// ENTRIES:         arith.divui %[[ROW]], %[[N:.*]] : index
// ENTRIES:         arith.remui %[[ROW]], %[[N]] : index
// ENTRIES-NOT:   _combine

// Sums that start from 1 would do so in every chunk: their rows stay whole.

// START-LABEL: func.func @spmm_k0(
// START-NOT:   _chunks
// START-NOT:   _combine
