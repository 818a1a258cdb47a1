// The product of a sparse and a dense matrix, from the program to its kernels.

// The gradients are programs: the sparse operand's is a dense product sampled on
// its pattern, the dense one's a product with the same pattern.
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate | FileCheck %s --check-prefix=GRADIENT
// GRADIENT-LABEL: func.func @spmm_vjp0
// GRADIENT-SAME:  -> (tensor<?x?xf64, #[[CSR:.*]]> {tsgu.pattern = @A})
// GRADIENT:       %[[ZERO:.*]] = tsgu.zeros_like %arg0
// GRADIENT:       linalg.generic
// GRADIENT-SAME:  iterator_types = ["parallel", "reduction", "parallel"]
// GRADIENT-SAME:  ins(%arg2, %arg1 :
// GRADIENT-SAME:  outs(%[[ZERO]]
// GRADIENT-SAME:  tsgu.sampled
// GRADIENT-LABEL: func.func @spmm_vjp1
// GRADIENT:       linalg.generic
// GRADIENT-SAME:  iterator_types = ["reduction", "parallel", "parallel"]
// GRADIENT-SAME:  ins(%arg2, %arg0 :
// GRADIENT-NOT:   tsgu.sampled

// A kernel holds its 32 sums in two registers, and writes them once per row.
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels="value=f32 widths=0,0,32" \
// RUN:   --tsgu-optimize-kernels | FileCheck %s --check-prefix=KERNEL \
// RUN:   --implicit-check-not=memref.alloc --implicit-check-not=memref.copy --implicit-check-not="call @"
// KERNEL-LABEL: func.func @spmm_k0(
// KERNEL-SAME:  memref<?x32xf32, strided<[?, 1]>>
// KERNEL:       scf.for
// KERNEL:       %{{.*}}:2 = scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>)
// KERNEL-NOT:   vector.store
// KERNEL:       scf.yield
// KERNEL-COUNT-2: vector.store
// KERNEL-NOT:   vector.store

// The gradient of B runs by columns, for then its rows are written in parallel.
// RUN: tsgu-opt %programs/spmm.mlir --remarks-filter=tsgu -o /dev/null \
// RUN:   --pass-pipeline="builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK
// REMARK: remark: [Passed] SelectLayout | Category:tsgu | Function=spmm_vjp1 | Layout=columns
// REMARK-SAME: indexes the output: its iterations write different elements

// One C entry, pointers that overlap nothing, and the manifest in the object.
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-cpu="value=f32 widths=0,0,32" \
// RUN:   | FileCheck %s --check-prefix=OBJECT
// OBJECT:     llvm.func internal @spmm_k0(%{{.*}}: !llvm.ptr {llvm.noalias}
// OBJECT:     llvm.func internal @spmm_k0_entry(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr)
// OBJECT:     llvm.mlir.global internal constant @spmm_manifest("tsguMANI
// OBJECT:     llvm.mlir.global external constant @spmm()

// A batch has one more index everywhere, and ragged items.
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-batch | FileCheck %s --check-prefix=BATCH
// BATCH: map = (d0, d1, d2) -> (d0 : dense, d1 : dense, d2 : compressed)
// BATCH-LABEL: func.func @spmm_batch
// BATCH-SAME:  %arg1: tensor<?x?x?xf64>
// BATCH: iterator_types = ["parallel", "parallel", "parallel", "reduction"]
