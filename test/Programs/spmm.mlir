// RUN: tsgu-opt %programs/spmm.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels=widths=0,0,8 | FileCheck %s --check-prefix=KERNEL
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=0},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=KERNEL
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=KERNEL
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-batch,tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=KERNEL
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-cpu=widths=0,0,8 --remarks-filter=tsgu 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-cpu='value=f32 widths=0,0,8' | mlir-translate --mlir-to-llvmir | FileCheck %s

// From the program to LLVM IR. A kernel allocates nothing, copies nothing and calls nothing.
// KERNEL-NOT: memref.alloc
// KERNEL-NOT: memref.copy
// KERNEL-NOT: call
// KERNEL:     func.func @spmm
// KERNEL-NOT: memref.alloc
// KERNEL-NOT: memref.copy
// KERNEL-NOT: call
// KERNEL:     return

// REMARK: remark: [Passed] SelectLayout {{.*}} Function=spmm | Layout="0 dense, 1 compressed", {{.*}} Remark=parallel
// REMARK: remark: [Passed] RegisterTile {{.*}} Function=spmm_k0 | Remark="accumulators in registers", accumulators=1, lanes=8

// CHECK:       @spmm_manifest = internal constant [{{[0-9]+}} x i8] c"tsguMANI
// CHECK:       @spmm = constant { ptr, i64, i64, ptr, ptr, ptr, i64 }
// CHECK-LABEL: define internal void @spmm_k0(
// CHECK-SAME:    {{^((ptr noalias|i64) %[0-9]+(, )?)+}})
// CHECK-NOT:     call {{.*}}malloc
// CHECK-NOT:     alloca
// CHECK-NOT:     memcpy
// The row of the result lives in one register, which starts at zero and is stored once.
// CHECK:         phi <8 x float> {{.*}}zeroinitializer
// CHECK:         store <8 x float>
// CHECK-NOT:     store <8 x float>
// CHECK:         ret void
