// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels="value=f32 widths=0,0,32" --tsgu-optimize-kernels \
// RUN:   | tsgu-opt --pass-pipeline="builtin.module(convert-vector-to-scf,convert-scf-to-cf,expand-strided-metadata,lower-affine,convert-vector-to-llvm,finalize-memref-to-llvm,func.func(convert-math-to-llvm),convert-arith-to-llvm,convert-cf-to-llvm,convert-func-to-llvm,reconcile-unrealized-casts,tsgu-emit-entry-points,tsgu-emit-object)" | FileCheck %s

// One C signature for every kernel, f(pointers, sizes). An entry unpacks them into the descriptors of
// memrefs; the kernel itself becomes internal, and its pointers noalias.
// CHECK-LABEL: llvm.func internal @spmm_k0(
// CHECK-SAME:    {{^(%arg[0-9]+: (!llvm.ptr \{llvm.noalias\}|i64)(, )?)+}})

// CHECK-LABEL: llvm.func internal @spmm_k0_entry(
// CHECK-SAME:    %[[POINTERS:[a-z0-9]+]]: !llvm.ptr, %[[SIZES:[a-z0-9]+]]: !llvm.ptr)
// CHECK:         llvm.getelementptr %[[POINTERS]][0]
// CHECK:         llvm.getelementptr %[[POINTERS]][4]
// CHECK:         llvm.getelementptr %[[SIZES]][0]
// CHECK:         llvm.call @spmm_k0(
// CHECK-NEXT:    llvm.return

// The object: bytes of the manifest and their number, the number of kernels, and their entries.
// CHECK:       llvm.mlir.global internal constant @spmm_manifest("tsguMANI
// CHECK:       llvm.mlir.global internal constant @spmm_kernels() {{.*}} : !llvm.array<1 x ptr> {
// CHECK:         llvm.mlir.addressof @spmm_k0_entry
// CHECK:       llvm.mlir.global external constant @spmm() {{.*}} : !llvm.struct<(ptr, i64, i64, ptr, ptr, ptr, i64)> {
// CHECK-DAG:     llvm.mlir.addressof @spmm_manifest
// CHECK-DAG:     llvm.mlir.addressof @spmm_kernels
