// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=0 --tsgu-lower-to-kernels="value=f32 widths=0,0,128" --tsgu-to-gpu \
// RUN:   --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=80 -o /dev/null | FileCheck %s
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=0 --tsgu-lower-to-kernels="value=f32 widths=0,0,128" --tsgu-to-gpu \
// RUN:   --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=0 --tsgu-lower-to-kernels="value=f64 widths=0,0,128" --tsgu-to-gpu \
// RUN:   --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefix=F64
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=0 --tsgu-lower-to-kernels="value=f32 widths=0,0,4" --tsgu-to-gpu \
// RUN:   --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefix=NARROW
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-differentiate=wrt=0 --tsgu-lower-to-kernels="value=f32 widths=0,0,128" --tsgu-to-gpu \
// RUN:   --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=80 --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefix=NEVER

// The gradient of A: the lanes' row of G is loaded once (four vectors each), the row of B for each entry. Eight lanes
// add up their parts in three exchanges, and one of them stores the entry.

// CHECK-LABEL:   .visible .entry spmm_vjp0_k0(
// CHECK:         .maxntid 128, 1, 1
// CHECK-COUNT-4: ld.global.nc.v4.b32
// CHECK:         $L__BB0_{{[0-9]+}}:
// CHECK:         ld.global.nc.b32 %rd
// CHECK:         ld.global.nc.v4.b32
// CHECK-COUNT-4: fma.rn.f32
// CHECK-COUNT-3: ld.global.nc.v4.b32
// CHECK-COUNT-4: fma.rn.f32
// CHECK:         shfl.sync.bfly.b32 {{.*}}, 1, 31, -1;
// CHECK:         shfl.sync.bfly.b32 {{.*}}, 2, 31, -1;
// CHECK:         shfl.sync.bfly.b32 {{.*}}, 4, 31, -1;
// CHECK-NOT:     shfl
// CHECK:         st.global.b32
// CHECK-NOT:     st.global
// CHECK:         ret;
// CHECK-LABEL:   .visible .entry spmm_vjp0_k0_chunks(

// Sixteen lanes of four vectors of two; a number of 64 bits is exchanged in halves.

// F64-LABEL:   .visible .entry spmm_vjp0_k0(
// F64-COUNT-8: ld.global.nc.v2.b64
// F64:         fma.rn.f64
// F64-COUNT-8: shfl.sync.bfly.b32
// F64:         st.global.b64

// Where one lane has the whole row, it goes through four entries at a time, and nothing is exchanged.

// NARROW-LABEL:   .visible .entry spmm_vjp0_k0(
// NARROW-NOT:     shfl
// NARROW:         $L__BB0_{{[0-9]+}}:
// NARROW-COUNT-4: ld.global.nc.v4.b32
// NARROW:         bra $L__BB0_
// NARROW-NOT:     shfl
// NARROW:         .entry spmm_vjp0_k0_chunks(

// NEVER-NOT: {{call|malloc|\.extern|\.func|\.local|ld\.global\.b|ld\.global\.v|atom\.|red\.|\.approx|\.ftz}}
