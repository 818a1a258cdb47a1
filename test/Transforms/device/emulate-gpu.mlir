// RUN: tsgu-opt %s --split-input-file --tsgu-emulate-gpu --canonicalize --cse --verify-diagnostics | FileCheck %s

// A kernel becomes a function of the host. Its last argument is the emulated thread, whose fields are, in
// their order, thread, block, block_extent, grid_extent, workgroup, barrier, shuffle and access.
// CHECK-LABEL: func.func @registers(
// CHECK-SAME:    %{{.*}}: memref<?xindex>, %[[SELF:.*]]: !llvm.ptr) attributes {tsgu.block_threads = 64 : i32, tsgu.workgroup_bytes = 0 : i32}
// CHECK-NOT: gpu.
gpu.module @device {
  gpu.func @registers(%out: memref<?xindex>) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %c0 = arith.constant 0 : index
    // CHECK: %[[TY:.*]] = llvm.getelementptr %[[SELF]][0, 0, 1]
    // CHECK: %[[TY32:.*]] = llvm.load %[[TY]] : !llvm.ptr -> i32
    // CHECK: arith.index_castui %[[TY32]] : i32 to index
    %0 = gpu.thread_id y
    // CHECK: llvm.getelementptr %[[SELF]][0, 1, 0]
    %1 = gpu.block_id x
    // CHECK: llvm.getelementptr %[[SELF]][0, 2, 2]
    %2 = gpu.block_dim z
    // CHECK: llvm.getelementptr %[[SELF]][0, 3, 0]
    %3 = gpu.grid_dim x
    // CHECK: arith.remui %{{.*}}, %c32
    %4 = gpu.lane_id
    // CHECK: arith.divui %{{.*}}, %c32
    %5 = gpu.subgroup_id : index
    %s0 = arith.addi %0, %1 : index
    %s1 = arith.addi %s0, %2 : index
    %s2 = arith.addi %s1, %3 : index
    %s3 = arith.addi %s2, %4 : index
    %s4 = arith.addi %s3, %5 : index
    memref.store %s4, %out[%c0] : memref<?xindex>
    gpu.return
  }
}

// -----

// Workgroup memory is cut into pieces of whole 16 bytes; private memory is on the stack.
// CHECK-LABEL: func.func @memory(
// CHECK-SAME:    %[[X:.*]]: memref<?x4xf32, strided<[?, 1]>>, %[[SELF:.*]]: !llvm.ptr) attributes {tsgu.workgroup_bytes = 48 : i32}
// CHECK:         %[[AT:.*]] = llvm.getelementptr %[[SELF]][0, 7]
// CHECK:         %[[ACCESS:.*]] = llvm.load %[[AT]]
// CHECK:         %[[CHECKED:.*]] = llvm.icmp "ne" %[[ACCESS]], %{{.*}}
// CHECK:         %[[AT:.*]] = llvm.getelementptr %[[SELF]][0, 4]
// CHECK:         %[[MEMORY:.*]] = llvm.load %[[AT]]
// CHECK:         llvm.insertvalue %[[MEMORY]], %{{.*}}[1]
// CHECK:         %[[FIRST:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<5xf32>
// CHECK:         %[[PIECE:.*]] = llvm.getelementptr %[[MEMORY]][32]
// CHECK:         llvm.insertvalue %[[PIECE]], %{{.*}}[1]
// CHECK:         %[[SECOND:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<2xi64>
// CHECK:         %[[OWN:.*]] = memref.alloca() : memref<4xf32>
gpu.module @device {
  gpu.func @memory(%x: memref<?x4xf32, strided<[?, 1]>>)
      workgroup(%a: memref<5xf32, #gpu.address_space<workgroup>>, %b: memref<2xi64, #gpu.address_space<workgroup>>)
      private(%c: memref<4xf32, #gpu.address_space<private>>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %one = arith.constant 1 : i64

    // Each access is told first: thread, address, bytes, and 0 to load, 1 to store, 2 for an atomic.
    // CHECK:       scf.if %[[CHECKED]] {
    // CHECK:         %{{.*}}, %{{.*}}, %{{.*}}, %[[STRIDES:.*]]:2 = memref.extract_strided_metadata %[[X]]
    // CHECK:         %[[BYTES:.*]] = arith.muli %[[STRIDES]]#0, %c8
    // CHECK:         %[[BASE:.*]] = memref.extract_aligned_pointer_as_index %[[X]]
    // CHECK:         arith.addi %[[BASE]], %[[BYTES]]
    // CHECK:         llvm.call %[[ACCESS]](%[[SELF]], %{{.*}}, %c16_i64, %c0_i32)
    // CHECK:       }
    // CHECK-NEXT:  vector.load %[[X]]
    %0 = vector.load %x[%c2, %c0] : memref<?x4xf32, strided<[?, 1]>>, vector<4xf32>
    // CHECK:       llvm.call %[[ACCESS]](%[[SELF]], %{{.*}}, %c16_i64, %c1_i32)
    // CHECK:       vector.store %{{.*}}, %[[OWN]]
    vector.store %0, %c[%c0] : memref<4xf32, #gpu.address_space<private>>, vector<4xf32>
    // CHECK:       llvm.call %[[ACCESS]](%[[SELF]], %{{.*}}, %c4_i64, %c0_i32)
    // CHECK:       memref.load %[[FIRST]][%c1]
    %1 = memref.load %a[%c1] : memref<5xf32, #gpu.address_space<workgroup>>
    // CHECK:       llvm.call %[[ACCESS]](%[[SELF]], %{{.*}}, %c4_i64, %c1_i32)
    // CHECK:       memref.store %{{.*}}, %[[FIRST]][%c2]
    memref.store %1, %a[%c2] : memref<5xf32, #gpu.address_space<workgroup>>
    // CHECK:       llvm.call %[[ACCESS]](%[[SELF]], %{{.*}}, %c8_i64, %c2_i32)
    // CHECK:       memref.atomic_rmw ori %{{.*}}, %[[SECOND]]
    %2 = memref.atomic_rmw ori %one, %b[%c0] : (i64, memref<2xi64, #gpu.address_space<workgroup>>) -> i64
    gpu.return
  }
}

// -----

// CHECK-LABEL: func.func @exchange(
// CHECK-SAME:    %{{.*}}: memref<?xf32>, %[[SELF:.*]]: !llvm.ptr)
gpu.module @device {
  gpu.func @exchange(%x: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    %two = arith.constant 2 : i32
    %eight = arith.constant 8 : i32
    %0 = memref.load %x[%c0] : memref<?xf32>
    // The word that lane - 2 of 8 passes: mode 2. Valid from the third lane on.
    // CHECK:       %[[WORD:.*]] = arith.bitcast %{{.*}} : f32 to i32
    // CHECK:       %[[AT:.*]] = llvm.getelementptr %[[SELF]][0, 6]
    // CHECK:       %[[SHUFFLE:.*]] = llvm.load %[[AT]]
    // CHECK:       %[[OTHER:.*]] = llvm.call %[[SHUFFLE]](%[[SELF]], %[[WORD]], %c2_i32, %c8_i32, %c2_i32)
    // CHECK:       arith.bitcast %[[OTHER]] : i32 to f32
    // CHECK:       %[[LANE:.*]] = arith.remui %{{.*}}, %c8_i32
    // CHECK:       %[[SOURCE:.*]] = arith.subi %[[LANE]], %c2_i32
    // CHECK:       arith.cmpi ult, %[[SOURCE]], %c8_i32
    %1, %valid = gpu.shuffle up %0, %two, %eight : f32
    // CHECK:       %[[AT:.*]] = llvm.getelementptr %[[SELF]][0, 5]
    // CHECK:       %[[BARRIER:.*]] = llvm.load %[[AT]]
    // CHECK:       llvm.call %[[BARRIER]](%[[SELF]])
    gpu.barrier
    %2 = arith.select %valid, %1, %0 : f32
    memref.store %2, %x[%c0] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @device {
  gpu.func @unknown(%x: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    %0 = ub.poison : f32
    // expected-error @+1 {{cannot be emulated}}
    %1 = vector.transfer_read %x[%c0], %0 {in_bounds = [true]} : memref<?xf32>, vector<4xf32>
    vector.store %1, %x[%c0] : memref<?xf32>, vector<4xf32>
    gpu.return
  }
}
