// RUN: tsgu-opt %s --pass-pipeline="builtin.module(gpu.module(tsgu-convert-to-nvvm,reconcile-unrealized-casts,canonicalize))" | FileCheck %s

// All 32 lanes of a warp take part in a shuffle, whatever width it has: the mask of lanes is -1, and the width goes
// into the last operand, (32 - width) << 8 beside the last lane to read from.
// CHECK-LABEL: llvm.func @exchange(
// CHECK:         %[[ALL:.*]] = llvm.mlir.constant(-1 : i32)
// CHECK:         nvvm.read.ptx.sreg.tid.x
// CHECK:         nvvm.shfl.sync bfly %[[ALL]], %{{.*}}, %{{.*}}, %{{.*}} {return_value_and_is_valid}
// CHECK:         llvm.store
gpu.module @device {
  gpu.func @exchange(%out: memref<?xi32>) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c1 = arith.constant 1 : i32
    %c8 = arith.constant 8 : i32
    %thread = gpu.thread_id x
    %own = arith.index_cast %thread : index to i32
    %other, %valid = gpu.shuffle xor %own, %c1, %c8 : i32
    memref.store %other, %out[%thread] : memref<?xi32>
    gpu.return
  }
}
