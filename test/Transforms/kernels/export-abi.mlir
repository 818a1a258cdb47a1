// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline="builtin.module(tsgu-specialize{value=f32 widths=0,0,32},func.func(tsgu-select-layout),tsgu-stage,func.func(tsgu-lower-sampled),sparsification-and-bufferization,func.func(convert-linalg-to-loops),canonicalize,cse,tsgu-export-abi)" | FileCheck %s
// RUN: tsgu-opt %programs/softmax.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=0},tsgu-lower-to-kernels)' \
// RUN:   | FileCheck %s --check-prefix=STORED

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
