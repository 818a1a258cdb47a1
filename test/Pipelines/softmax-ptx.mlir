// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-kernels="value=f32" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=80 -o /dev/null | FileCheck %s
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-kernels="value=f32" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-kernels="value=f32" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=80 --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefix=NEVER
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-lower-to-kernels="value=f64" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=80 --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefix=NEVER
// RUN: tsgu-opt %programs/softmax.mlir --tsgu-differentiate=wrt=0 --tsgu-lower-to-kernels="value=f64" --tsgu-to-gpu \
// RUN:   --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=80 --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefix=NEVER

// The maximum of a row, four entries at a time, and over the lanes; then the sum of exponentials; last the entries,
// which need nothing of other lanes. The exponential is our own polynomial, with its order of roundings: no
// approximation of the hardware's (ex2), and no library's function.

// CHECK-LABEL:   .visible .entry softmax_k0(
// CHECK:         $L__BB0_{{[0-9]+}}:
// CHECK-COUNT-4: ld.global.nc.b32
// CHECK:         bra $L__BB0_
// CHECK:         shfl.sync.bfly.b32
// CHECK:         st.global.b32
// CHECK-LABEL:   .visible .entry softmax_k1(
// CHECK-COUNT-4: fma.rn.f32 {{.*}}, 0f3FB8AA3B,
// CHECK:         shfl.sync.bfly.b32
// CHECK-LABEL:   .visible .entry softmax_k2(
// CHECK-NOT:     shfl
// CHECK-COUNT-4: fma.rn.f32 {{.*}}, 0f3FB8AA3B,
// CHECK-NOT:     shfl
// CHECK-LABEL:   .visible .entry softmax_k2_chunks(

// NEVER-NOT: {{call|malloc|\.extern|\.func|\.local|ld\.global\.b|ld\.global\.v|atom\.|red\.|ex2|lg2|\.approx|\.ftz}}
