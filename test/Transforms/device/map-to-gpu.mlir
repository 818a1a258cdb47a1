// RUN: tsgu-opt %programs/spmm.mlir \
// RUN:   --tsgu-lower-to-kernels="value=f32 widths=0,0,32,0" \
// RUN:   | tsgu-opt --pass-pipeline="builtin.module(func.func(tsgu-accumulate),tsgu-split-rows,tsgu-map-to-gpu,canonicalize,cse)" \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=SPMM
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=0 \
// RUN:   --tsgu-lower-to-kernels="value=f32 widths=0,0,128,0" \
// RUN:   | tsgu-opt --tsgu-to-gpu \
// RUN:   | FileCheck %s --check-prefix=SDDMM
// RUN: tsgu-opt %programs/spmm.mlir \
// RUN:   --tsgu-lower-to-kernels="value=f32 widths=0,0,50,0" \
// RUN:   | tsgu-opt --tsgu-to-gpu=alignment=8 \
// RUN:   | FileCheck %s --check-prefix=TAIL
// RUN: tsgu-opt %programs/softmax.mlir \
// RUN:   --tsgu-lower-to-kernels="value=f64 widths=0,0" \
// RUN:   | tsgu-opt --tsgu-to-gpu \
// RUN:   | FileCheck %s --check-prefix=SOFTMAX

// 32 columns of f32: 8 lanes of 16 bytes, four entries at a time, and a sum over
// up to 4 lanes by entries. The manifest says so.

// SPMM-DAG: remark: [Passed] MapToGPU {{.*}}Function=spmm_k0 | Remark="lanes share a dense row of the output", lanes by columns=8, lanes by entries=4
// SPMM: device = {block_threads = 128 : i64, dense_lanes = 8 : i64, entry_lanes = 4 : i64, serial = false}
// SPMM-LABEL: gpu.func @spmm_k0(
// SPMM-SAME:    kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// SPMM:         %[[SUMS:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %cst) -> (vector<4xf32>)
// SPMM-COUNT-4:   vector.load %arg3[%{{.*}}, %{{.*}}] {alignment = 16 : i64} : memref<?x32xf32, strided<[?, 1]>>, vector<4xf32>
// SPMM:           scf.yield
// SPMM:         %[[ALL:.*]] = scf.if %{{.*}} -> (vector<4xf32>)
// SPMM:           %[[OLD:.*]] = arith.addf
// SPMM:           arith.minsi
// SPMM:           %[[NEXT:.*]] = arith.addf %[[OLD]]
// SPMM:           arith.select %{{.*}}, %[[NEXT]], %[[OLD]] : vector<4xf32>
// SPMM:         else
// SPMM-NEXT:      scf.yield %[[SUMS]]
// SPMM:         %[[SUM:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[ALL]])
// SPMM-COUNT-4:   gpu.shuffle xor
// SPMM:         scf.if
// SPMM-NEXT:      vector.store %[[SUM]], %arg4[%{{.*}}, %{{.*}}] {alignment = 16 : i64}
// SPMM:         gpu.return
// SPMM: gpu.func @spmm_k0_chunks(
// SPMM: gpu.func @spmm_k0_combine(

// 128 columns: each of 8 lanes multiplies four vectors, three exchanges add them
// up, and one lane stores. All of a warp go through the loop as often as its
// longest row needs.

// SDDMM-LABEL: gpu.func @spmm_vjp0_k0(
// SDDMM-COUNT-5: gpu.shuffle xor %{{.*}} : i32
// SDDMM-COUNT-4: vector.load %arg0[
// SDDMM:         scf.for
// SDDMM-COUNT-4:   vector.load %arg1[
// SDDMM:           vector.reduction <add>
// SDDMM-COUNT-3:   gpu.shuffle xor
// SDDMM:           scf.if
// SDDMM-NEXT:        memref.store %{{.*}}, %arg4[

// 25 vectors of 8 bytes for 32 lanes: seven repeat the last one, and do not
// store it.

// TAIL-LABEL: gpu.func @spmm_k0(
// TAIL-DAG:     %[[LAST:.*]] = arith.constant 48 : index
// TAIL:         arith.minsi %{{.*}}, %[[LAST]]
// TAIL:         vector.load {{.*}}{alignment = 8 : i64} {{.*}} vector<2xf32>
// TAIL:         gpu.shuffle
// TAIL:         scf.if
// TAIL-NEXT:      vector.store {{.*}}{alignment = 8 : i64}

// Reductions of entries start each lane at the neutral element, and entries are
// written by the lanes that have them.

// SOFTMAX-LABEL: gpu.func @softmax_k0(
// SOFTMAX:         scf.for {{.*}} iter_args(%{{.*}} = %cst) -> (f64)
// SOFTMAX-COUNT-4:   arith.maxnumf
// SOFTMAX:         gpu.shuffle xor
// SOFTMAX-LABEL: gpu.func @softmax_k2(
// SOFTMAX-NOT:     gpu.shuffle
// SOFTMAX:         scf.for
// SOFTMAX:           math.exp
// SOFTMAX:           memref.store
