// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline="builtin.module(tsgu-specialize{value=f32 widths=0,0,32},func.func(tsgu-select-layout),tsgu-stage,func.func(tsgu-lower-sampled),sparsification-and-bufferization,func.func(convert-linalg-to-loops),canonicalize,cse,tsgu-export-abi)" | FileCheck %s
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-lower-to-kernels{value=f32 widths=0,0,32 hollow=2})' \
// RUN:   | FileCheck %s --check-prefix=HOLLOW
// RUN: tsgu-opt %programs/softmax.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=0},tsgu-lower-to-kernels)' \
// RUN:   | FileCheck %s --check-prefix=STORED
// RUN: tsgu-opt %programs/entry_products.mlir --pass-pipeline='builtin.module(tsgu-lower-to-kernels{hollow=232})' \
// RUN:   | FileCheck %s --check-prefix=SINGLE

// A sparse operand is positions, coordinates and values; its sizes become plain arguments, here the
// number of rows of the range. Dense operands may have any leading stride. The result is the last
// buffer, number 4, and is written in place. Sums may contract multiply and add.
// CHECK-LABEL: func.func @spmm_k0(
// CHECK-SAME:    %[[POS:[a-z0-9]+]]: memref<?xi32>, %[[CRD:[a-z0-9]+]]: memref<?xi32>, %[[VAL:[a-z0-9]+]]: memref<?xf32>,
// CHECK-SAME:    %[[B:[a-z0-9]+]]: memref<?x32xf32, strided<[?, 1]>>, %[[C:[a-z0-9]+]]: memref<?x32xf32, strided<[?, 1]>>,
// CHECK-SAME:    %[[ROWS:[a-z0-9]+]]: index)
// CHECK-SAME:    attributes {tsgu.identity = 0.000000e+00 : f32, tsgu.kernel, tsgu.output = 4 : i64}
// CHECK:         scf.for %[[I:.*]] = %c0 to %[[ROWS]] step %c1 {
// CHECK:           memref.load %[[POS]][%[[I]]]
// CHECK:           scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %c1 {
// CHECK-DAG:         memref.load %[[CRD]][%[[K]]]
// CHECK-DAG:         memref.load %[[VAL]][%[[K]]]
// CHECK:             scf.for
// CHECK:               arith.mulf %{{.*}} fastmath<contract> : f32
// CHECK:               memref.store %{{.*}}, %[[C]][%[[I]], %{{.*}}]
// CHECK:         return{{$}}

// Several operands on one pattern are read in one loop over its positions; coordinates, which this
// kernel does not use, are no argument.
// STORED-LABEL: func.func @softmax_vjp0_k0(
// STORED-SAME:    %[[POS:[a-z0-9]+]]: memref<?xi32>, %[[G:[a-z0-9]+]]: memref<?xf64>, %[[Y:[a-z0-9]+]]: memref<?xf64>, %[[S:[a-z0-9]+]]: memref<?xf64>, %{{.*}}: index)
// STORED-NOT:     tsgu.stored
// STORED-NOT:     tsgu.term
// STORED:         scf.for %[[K:[a-z0-9]+]] =
// STORED:         scf.for %[[K:[a-z0-9]+]] =
// STORED-DAG:       memref.load %[[G]][%[[K]]]
// STORED-DAG:       memref.load %[[Y]][%[[K]]]

// The nodes of a compressed first level are counted from 0 to how many the call has; what is left of
// its indices are the coordinates of the rows.
// HOLLOW-LABEL: func.func @spmm_k0(
// HOLLOW-SAME:    %[[ROWS:[a-z0-9]+]]: memref<?xi32>, %[[POS:[a-z0-9]+]]: memref<?xi32>, %[[CRD:[a-z0-9]+]]: memref<?xi32>, %{{.*}}: memref<?xf32>,
// HOLLOW-SAME:    %{{.*}}: memref<?x32xf32, strided<[?, 1]>>, %[[C:[a-z0-9]+]]: memref<?x32xf32, strided<[?, 1]>>, %[[NODES:[a-z0-9]+]]: index
// HOLLOW:         scf.for %[[N:.*]] = %c0 to %[[NODES]] step %c1 {
// HOLLOW:           %[[ROW:.*]] = memref.load %[[ROWS]][%[[N]]]
// HOLLOW:           %[[WIDE:.*]] = arith.extui %[[ROW]]
// HOLLOW:           %[[I:.*]] = arith.index_cast %[[WIDE]]
// HOLLOW:           memref.load %[[POS]][%[[N]]]
// HOLLOW:           memref.store %{{.*}}, %[[C]][%[[I]], %{{.*}}]

// The node below another one is read in the loop over these, by coordinates alone; values that only lend their
// pattern are no argument.
// SINGLE-LABEL: func.func @entry_products_k0(
// SINGLE-SAME:    %[[POS:[a-z0-9]+]]: memref<?xi32>, %[[A:[a-z0-9]+]]: memref<?xi32>, %[[B:[a-z0-9]+]]: memref<?xi32>, %[[X:[a-z0-9]+]]: memref<?xf64>, %[[Y:[a-z0-9]+]]: memref<?xf64>, %[[C:[a-z0-9]+]]: memref<?xf64>, %[[ROWS:[a-z0-9]+]]: index)
// SINGLE:         scf.for %[[I:.*]] = %c0 to %[[ROWS]] step %c1 {
// SINGLE:           memref.load %[[POS]][%[[I]]]
// SINGLE:           scf.for %[[K:[a-z0-9]+]] =
// SINGLE-NOT:         scf.for
// SINGLE-DAG:         memref.load %[[A]][%[[K]]]
// SINGLE-DAG:         memref.load %[[B]][%[[K]]]
// SINGLE-DAG:         memref.load %[[X]]
// SINGLE-DAG:         memref.load %[[Y]]
// SINGLE:           memref.store %{{.*}}, %[[C]][%[[I]]]
