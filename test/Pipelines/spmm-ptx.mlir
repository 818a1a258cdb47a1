// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels="value=f32 widths=0,0,32" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=80 -o /dev/null | FileCheck %s --check-prefixes=CHECK,F32
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels="value=f32 widths=0,0,32" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefixes=CHECK,F32
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels="value=f64 index=64 widths=0,0,32" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefixes=CHECK,F64
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-lower-to-kernels="value=f32 widths=0,0,32" --tsgu-to-gpu --tsgu-lower-to-nvvm \
// RUN:   --tsgu-print-ptx=sm=80 --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefix=NEVER

// A row of 32 columns: 8 lanes of 16 bytes (16 lanes in f64), four entries in one round of the loop. Each is a
// coordinate, a value and a vector of B, all read-only, and is multiplied and added without a rounding between. No
// address is stepped along in a register of its own: one counter is.

// CHECK-LABEL: .visible .entry spmm_k0(
// CHECK:       .maxntid 128, 1, 1
// CHECK-NEXT:  .minnctapersm 4
// F32:         [[LOOP:\$L__BB0_[0-9]+]]:
// F32:         ld.global.nc.b32 %rd
// F32:         ld.global.nc.b32 %r
// F32:         ld.global.nc.v4.b32
// F32-NEXT:    fma.rn.f32
// F32-NEXT:    fma.rn.f32
// F32-NEXT:    fma.rn.f32
// F32-NEXT:    fma.rn.f32
// F32-COUNT-3: ld.global.nc.v4.b32
// F32:         fma.rn.f32
// F32-NEXT:    fma.rn.f32
// F32-NEXT:    fma.rn.f32
// F32-NEXT:    fma.rn.f32
// F32-NEXT:    add.s64 [[AT:%rd[0-9]+]], [[AT]],
// F32-NEXT:    setp.lt.s64 [[MORE:%p[0-9]+]], [[AT]],
// F32-NEXT:    @[[MORE]] bra [[LOOP]];
// F64:         [[LOOP:\$L__BB0_[0-9]+]]:
// F64:         ld.global.nc.b64
// F64:         ld.global.nc.b64
// F64:         ld.global.nc.v2.b64
// F64-NEXT:    fma.rn.f64
// F64-NEXT:    fma.rn.f64
// F64-COUNT-3: ld.global.nc.v2.b64
// F64:         bra [[LOOP]];

// Entries one by one, the sum over the lanes by entries, and one store for each vector of the row.

// F32:         ld.global.nc.v4.b32
// F32-COUNT-4: shfl.sync.bfly.b32
// F32:         st.global.v4.b32
// F64:         ld.global.nc.v2.b64
// F64-COUNT-4: shfl.sync.bfly.b32
// F64:         st.global.v2.b64
// CHECK-NOT:   st.global
// CHECK:       ret;

// Chunks of long rows are the same loop; what they gave is added up.

// CHECK-LABEL: .visible .entry spmm_k0_chunks(
// F32-COUNT-4: ld.global.nc.v4.b32
// F64-COUNT-4: ld.global.nc.v2.b64
// CHECK-LABEL: .visible .entry spmm_k0_combine(
// F32-COUNT-4: ld.global.nc.v4.b32
// F64-COUNT-4: ld.global.nc.v2.b64

// NEVER-NOT: {{call|malloc|\.extern|\.func|\.local|ld\.global\.b|ld\.global\.v|atom\.|red\.|\.approx|\.ftz}}
