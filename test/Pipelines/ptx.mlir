// RUN: tsgu-opt %s --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s
// RUN: tsgu-opt %s --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=80 -o /dev/null | FileCheck %s --check-prefixes=CHECK,SM80
// RUN: tsgu-opt %s --tsgu-lower-to-nvvm --tsgu-print-ptx -o /dev/null | FileCheck %s --check-prefix=CALLS
// RUN: not tsgu-opt %s --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=70 -o /dev/null 2>&1 | FileCheck %s --check-prefix=OLD

// A library of device kernels: one word for each argument, read-only loads where nothing is written,
// contraction where it is allowed and nowhere else, the functions of instructions.
// OLD: error: there is no GPU sm_70 to compile for; there are sm_80 and sm_90
// SM80: .version 7.0
// SM80: .target sm_80
// CALLS-NOT: call
// CALLS-NOT: .extern
// CHECK-LABEL: .visible .entry kernel(
// CHECK-NEXT:    .param .u64 .ptr {{.*}}kernel_param_0,
// CHECK-NEXT:    .param .u64 .ptr {{.*}}kernel_param_1,
// CHECK-NEXT:    .param .u64 kernel_param_2,
// CHECK-NEXT:    .param .u64 kernel_param_3
// CHECK-NEXT:  )
// CHECK-NEXT:  .maxntid 256, 1, 1
// CHECK-NEXT:  .minnctapersm 2
// CHECK:       ld.global.nc.v4.b32
// CHECK:       fma.rn.f32
// CHECK:       mul.rn.f32
// CHECK-NEXT:  add.rn.f32
// CHECK:       sqrt.rn.f32
// CHECK:       cvt.rmi.f32.f32
// The first, second and third kind of shuffle: all lanes of the warp take part, in groups of 8.
// CHECK:       shfl.sync.bfly.b32 {{.*}}, 1, 6175, -1;
// CHECK:       shfl.sync.up.b32 {{.*}}, 1, 6144, -1;
// CHECK:       shfl.sync.down.b32 {{.*}}, 1, 6175, -1;
// CHECK:       shfl.sync.idx.b32 {{.*}}, 1, 6175, -1;
// CHECK:       st.shared.b32
// CHECK:       bar.sync 0;
// CHECK:       ld.shared.b32
// CHECK:       st.global.b32
// CHECK:       ret;
gpu.module @device {
  gpu.func @kernel(%x: memref<?xf32>, %y: memref<?xf32>, %n: index, %stride: i32)
      workgroup(%shared: memref<256xf32, #gpu.address_space<workgroup>>) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c4 = arith.constant 4 : index
    %t = gpu.thread_id x
    %step = arith.index_cast %stride : i32 to index
    %at = arith.muli %t, %step : index
    %v = vector.load %x[%at] {alignment = 16 : i64} : memref<?xf32>, vector<4xf32>
    %e0 = vector.extract %v[0] : f32 from vector<4xf32>
    %e1 = vector.extract %v[1] : f32 from vector<4xf32>
    %e2 = vector.extract %v[2] : f32 from vector<4xf32>
    %e3 = vector.extract %v[3] : f32 from vector<4xf32>
    %m0 = arith.mulf %e0, %e1 fastmath<contract> : f32
    %a0 = arith.addf %m0, %e2 fastmath<contract> : f32
    %m1 = arith.mulf %a0, %e1 : f32
    %a1 = arith.addf %m1, %e3 : f32
    %s = math.sqrt %a1 : f32
    %f = math.floor %s : f32
    %one = arith.constant 1 : i32
    %eight = arith.constant 8 : i32
    %x0, %v0 = gpu.shuffle xor %f, %one, %eight : f32
    %x1, %v1 = gpu.shuffle up %x0, %one, %eight : f32
    %x2, %v2 = gpu.shuffle down %x1, %one, %eight : f32
    %x3, %v3 = gpu.shuffle idx %x2, %one, %eight : f32
    memref.store %x3, %shared[%t] : memref<256xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    %r = memref.load %shared[%c4] : memref<256xf32, #gpu.address_space<workgroup>>
    %in = arith.cmpi ult, %t, %n : index
    scf.if %in {
      memref.store %r, %y[%t] : memref<?xf32>
    }
    gpu.return
  }
}
