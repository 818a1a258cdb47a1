// Softmax over the stored entries of each row.

// The gradient reads the result and nothing of the forward computation: one row
// sum of G Y, then Y (G + l).
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-differentiate | FileCheck %s --check-prefix=GRADIENT
// GRADIENT-LABEL: func.func @softmax_vjp0
// GRADIENT-SAME:  %[[Y:[a-z0-9]*]]: tensor<?x?xf64, #{{[a-z0-9]*}}> {tsgu.name = "Y", tsgu.pattern = @A, tsgu.result_of = @softmax}
// GRADIENT-NOT:   math.exp
// GRADIENT-NOT:   logaddexp
// GRADIENT-COUNT-2: linalg.generic
// GRADIENT-NOT:   linalg.generic
// GRADIENT:       return

// It can be differentiated again, through the result that it reads.
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-differentiate --tsgu-differentiate="wrt=0" \
// RUN:   | FileCheck %s --check-prefix=SECOND
// SECOND-LABEL: func.func @softmax_vjp0_vjp0
// SECOND-NOT:   math.exp
// SECOND-COUNT-4: linalg.generic
// SECOND:       return

// Five stages in scratch of the rows' size: maximum, shift, sum, logarithm,
// result. No kernel calls, allocates or copies.
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-kernels="value=f32" --tsgu-optimize-kernels \
// RUN:   | FileCheck %s --check-prefix=KERNEL --implicit-check-not=memref.alloc \
// RUN:     --implicit-check-not=memref.copy --implicit-check-not="call @" --implicit-check-not=math.exp --implicit-check-not=math.log
// KERNEL:     tsgu.manifest
// KERNEL-SAME: scratch = [{shape = array<i32: 0>, {{.*}}}, {{.*}}, {{.*}}, {{.*}}]
// KERNEL-COUNT-5: func.func @softmax_k

// exp and log are computed inline: the object calls nothing.
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-cpu="value=f64" \
// RUN:   | FileCheck %s --check-prefix=OBJECT --implicit-check-not="llvm.func @"
// OBJECT:     llvm.mlir.global external constant @softmax()
