// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels=value=f32 --tsgu-optimize-kernels \
// RUN:   | tsgu-opt --pass-pipeline="builtin.module(convert-vector-to-scf,convert-scf-to-cf,expand-strided-metadata,lower-affine,convert-vector-to-llvm,finalize-memref-to-llvm,func.func(convert-math-to-llvm),convert-arith-to-llvm,convert-cf-to-llvm,convert-func-to-llvm,reconcile-unrealized-casts,tsgu-emit-entry-points,tsgu-emit-object)" \
// RUN:   | FileCheck %s

// The bytes of the manifest, the entries of the kernels in the manifest's order, and the constant by the program's name
// that refers to both.
// CHECK-DAG:   llvm.mlir.global internal constant @spmm_manifest("tsguMANI
// CHECK-DAG:   llvm.mlir.global internal constant @spmm_kernels() {{.*}} : !llvm.array<1 x ptr>
// CHECK:       llvm.mlir.global external constant @spmm() {{.*}} : !llvm.struct<(ptr, i64, i64, ptr, ptr, ptr, i64)> {
// CHECK-DAG:     llvm.mlir.addressof @spmm_manifest
// CHECK-DAG:     llvm.mlir.addressof @spmm_kernels
