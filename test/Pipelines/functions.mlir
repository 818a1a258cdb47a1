// RUN: tsgu-opt %s --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=80 -o /dev/null | FileCheck %s --check-prefixes=CHECK,F32
// RUN: tsgu-opt %s --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=90 -o /dev/null | FileCheck %s --check-prefixes=CHECK,F32
// RUN: sed 's/= f32/= f64/; s/i32>/i64>/; s/xf32/xf64/' %s | tsgu-opt --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=80 -o /dev/null \
// RUN:   | FileCheck %s --check-prefixes=CHECK,F64
// RUN: sed 's/= f32/= f64/; s/i32>/i64>/; s/xf32/xf64/' %s | tsgu-opt --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=90 -o /dev/null \
// RUN:   | FileCheck %s --check-prefixes=CHECK,F64
// RUN: tsgu-opt %s --tsgu-lower-to-emulator -o /dev/null

// Every function that is accepted for devices is computed by instructions there, in full accuracy and with
// subnormal numbers: nothing is called, approximate, or flushed to zero.
// CHECK-LABEL: .visible .entry functions(
// CHECK-NOT:   call
// CHECK-NOT:   .approx
// CHECK-NOT:   .ftz
// F32-DAG:     sqrt.rn.f32
// F64-DAG:     sqrt.rn.f64
// F32-DAG:     div.rn.f32
// F64-DAG:     div.rn.f64
// CHECK-NOT:   call
// CHECK-NOT:   .approx
// CHECK-NOT:   .ftz
// CHECK:       ret;
!T = f32
!V = vector<4xf32>
!I = vector<4xi32>
!M = memref<?xf32>

gpu.module @device {
  gpu.func @functions(%x: !M, %y: !M) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %t = gpu.thread_id x
    %c4 = arith.constant 4 : index
    %next = arith.addi %t, %c4 : index
    %a = vector.load %x[%t] : !M, !V
    %b = vector.load %x[%next] : !M, !V
    %scalar = memref.load %x[%t] : !M
    %i = arith.bitcast %a : !V to !I
    %o0 = arith.addi %t, %c4 : index
    %r0 = math.absf %a : !V
    vector.store %r0, %y[%o0] : !M, !V
    %o1 = arith.addi %o0, %c4 : index
    %r1 = math.absf %scalar : !T
    memref.store %r1, %y[%o1] : !M
    %o2 = arith.addi %o1, %c4 : index
    %r2 = math.ceil %a : !V
    vector.store %r2, %y[%o2] : !M, !V
    %o3 = arith.addi %o2, %c4 : index
    %r3 = math.ceil %scalar : !T
    memref.store %r3, %y[%o3] : !M
    %o4 = arith.addi %o3, %c4 : index
    %r4 = math.floor %a : !V
    vector.store %r4, %y[%o4] : !M, !V
    %o5 = arith.addi %o4, %c4 : index
    %r5 = math.floor %scalar : !T
    memref.store %r5, %y[%o5] : !M
    %o6 = arith.addi %o5, %c4 : index
    %r6 = math.roundeven %a : !V
    vector.store %r6, %y[%o6] : !M, !V
    %o7 = arith.addi %o6, %c4 : index
    %r7 = math.roundeven %scalar : !T
    memref.store %r7, %y[%o7] : !M
    %o8 = arith.addi %o7, %c4 : index
    %r8 = math.rsqrt %a : !V
    vector.store %r8, %y[%o8] : !M, !V
    %o9 = arith.addi %o8, %c4 : index
    %r9 = math.rsqrt %scalar : !T
    memref.store %r9, %y[%o9] : !M
    %o10 = arith.addi %o9, %c4 : index
    %r10 = math.sqrt %a : !V
    vector.store %r10, %y[%o10] : !M, !V
    %o11 = arith.addi %o10, %c4 : index
    %r11 = math.sqrt %scalar : !T
    memref.store %r11, %y[%o11] : !M
    %o12 = arith.addi %o11, %c4 : index
    %r12 = math.trunc %a : !V
    vector.store %r12, %y[%o12] : !M, !V
    %o13 = arith.addi %o12, %c4 : index
    %r13 = math.trunc %scalar : !T
    memref.store %r13, %y[%o13] : !M
    %o14 = arith.addi %o13, %c4 : index
    %r14 = math.exp %a : !V
    vector.store %r14, %y[%o14] : !M, !V
    %o15 = arith.addi %o14, %c4 : index
    %r15 = math.exp %scalar : !T
    memref.store %r15, %y[%o15] : !M
    %o16 = arith.addi %o15, %c4 : index
    %r16 = math.log %a : !V
    vector.store %r16, %y[%o16] : !M, !V
    %o17 = arith.addi %o16, %c4 : index
    %r17 = math.log %scalar : !T
    memref.store %r17, %y[%o17] : !M
    %o18 = arith.addi %o17, %c4 : index
    %r18 = arith.maximumf %a, %b : !V
    vector.store %r18, %y[%o18] : !M, !V
    %o19 = arith.addi %o18, %c4 : index
    %r19 = arith.minimumf %a, %b : !V
    vector.store %r19, %y[%o19] : !M, !V
    %o20 = arith.addi %o19, %c4 : index
    %r20 = arith.maxnumf %a, %b : !V
    vector.store %r20, %y[%o20] : !M, !V
    %o21 = arith.addi %o20, %c4 : index
    %r21 = arith.minnumf %a, %b : !V
    vector.store %r21, %y[%o21] : !M, !V
    %o22 = arith.addi %o21, %c4 : index
    %r22 = arith.divf %a, %b : !V
    vector.store %r22, %y[%o22] : !M, !V
    %o23 = arith.addi %o22, %c4 : index
    %r23 = math.copysign %a, %b : !V
    vector.store %r23, %y[%o23] : !M, !V
    %o24 = arith.addi %o23, %c4 : index
    %r24 = math.fma %a, %b, %a : !V
    vector.store %r24, %y[%o24] : !M, !V
    %o25 = arith.addi %o24, %c4 : index
    %j25 = math.absi %i : !I
    %r25 = arith.sitofp %j25 : !I to !V
    vector.store %r25, %y[%o25] : !M, !V
    %o26 = arith.addi %o25, %c4 : index
    %j26 = math.ctlz %i : !I
    %r26 = arith.sitofp %j26 : !I to !V
    vector.store %r26, %y[%o26] : !M, !V
    %o27 = arith.addi %o26, %c4 : index
    %j27 = math.cttz %i : !I
    %r27 = arith.sitofp %j27 : !I to !V
    vector.store %r27, %y[%o27] : !M, !V
    %o28 = arith.addi %o27, %c4 : index
    %j28 = math.ctpop %i : !I
    %r28 = arith.sitofp %j28 : !I to !V
    vector.store %r28, %y[%o28] : !M, !V
    %o29 = arith.addi %o28, %c4 : index
    %r29 = vector.reduction <add>, %a : !V into !T
    memref.store %r29, %y[%o29] : !M
    %o30 = arith.addi %o29, %c4 : index
    %r30 = vector.reduction <mul>, %a : !V into !T
    memref.store %r30, %y[%o30] : !M
    %o31 = arith.addi %o30, %c4 : index
    %r31 = vector.reduction <maximumf>, %a : !V into !T
    memref.store %r31, %y[%o31] : !M
    %o32 = arith.addi %o31, %c4 : index
    %r32 = vector.reduction <minimumf>, %a : !V into !T
    memref.store %r32, %y[%o32] : !M
    %o33 = arith.addi %o32, %c4 : index
    %r33 = vector.reduction <maxnumf>, %a : !V into !T
    memref.store %r33, %y[%o33] : !M
    %o34 = arith.addi %o33, %c4 : index
    %r34 = vector.reduction <minnumf>, %a : !V into !T
    memref.store %r34, %y[%o34] : !M
    gpu.return
  }
}
