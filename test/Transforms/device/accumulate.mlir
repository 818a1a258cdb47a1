// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-kernels=value=f32 --tsgu-accumulate | FileCheck %s --check-prefix=ELEMENT
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels=value=f32 --tsgu-accumulate | FileCheck %s --check-prefix=ROW

// An element of the output that a row's loop updates is carried by the loop, from the identity, and stored once: what
// was in the output does not matter.
// ELEMENT-LABEL: func.func @softmax_k0(
// ELEMENT-NOT:     tsgu.identity
// ELEMENT:         %[[START:.*]] = arith.constant 0xFF800000 : f32
// ELEMENT:         scf.for
// ELEMENT:           %[[MAXIMUM:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[START]]) -> (f32)
// ELEMENT-NOT:         memref.store
// ELEMENT:           memref.store %[[MAXIMUM]]

// A dense row stays in memory, and the attribute with it: lanes share it later (--tsgu-map-to-gpu).
// ROW-LABEL: func.func @spmm_k0(
// ROW-SAME:    tsgu.identity = 0.000000e+00 : f32
// ROW:         memref.store
