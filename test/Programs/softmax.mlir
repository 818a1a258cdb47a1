// RUN: tsgu-opt %programs/softmax.mlir --tsgu-verify-program
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-kernels | FileCheck %s --check-prefix=KERNEL
// RUN: tsgu-opt %programs/softmax.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=0},tsgu-lower-to-kernels)' | FileCheck %s --check-prefix=GRAD
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-cpu --remarks-filter=tsgu 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-cpu | mlir-translate --mlir-to-llvmir | FileCheck %s

// Maximum, sum of exponentials, result: three kernels over one pattern, and nothing but loads,
// arithmetic and stores in them.
// KERNEL-NOT:     memref.alloc
// KERNEL-NOT:     memref.copy
// KERNEL-NOT:     call
// KERNEL-COUNT-3: func.func @softmax_k{{[0-2]}}(
// KERNEL-NOT:     func.func
// KERNEL-NOT:     memref.alloc
// KERNEL-NOT:     memref.copy
// KERNEL-NOT:     call

// Its gradient has two: the sums over the rows, then the entries.
// GRAD-COUNT-2: func.func @softmax_vjp0_k{{[01]}}(
// GRAD-NOT:     func.func
// GRAD-NOT:     memref.alloc

// REMARK-COUNT-3: remark: [Passed] SelectLayout {{.*}} Function=softmax | {{.*}} Remark=parallel

// exp is inline: no call leaves the object.
// CHECK:     @softmax = constant { ptr, i64, i64, ptr, ptr, ptr, i64 }
// CHECK-NOT: declare {{.*}}@exp(
// CHECK-NOT: declare {{.*}}@log(
// CHECK-NOT: declare {{.*}}@malloc(
