// RUN: tsgu-opt %s --tsgu-lower-to-nvvm --canonicalize | FileCheck %s --check-prefix=GPU
// RUN: tsgu-opt %s --tsgu-lower-to-nvvm --tsgu-print-ptx -o /dev/null | FileCheck %s --check-prefix=PTX
// RUN: tsgu-opt %s --tsgu-lower-to-emulator | FileCheck %s --check-prefix=HOST
// RUN: sed 's/block_threads = 128/block_threads = 0/' %s | not tsgu-opt --tsgu-lower-to-nvvm 2>&1 | FileCheck %s --check-prefix=NONE

// A stage that is mapped to a device: buffers with the roles that only devices know, and the sizes too.
// NONE: error: has no lowered kernel @f_k0
#manifest = {
  program = "f", target = "", symbols = [{name = "s0", stored_of = -1, fixed = 0}, {name = "s1", stored_of = -1, fixed = 4},
    {name = "stored(A)", stored_of = 0, fixed = 0}, {name = "chunks(A)", stored_of = -1, fixed = 0, chunks_of = 0}],
  patterns = [{name = "A", shape = array<i32: 0, 1>, stored = 2}],
  layouts = [{pattern = 0, levels = [{dimension = 0, kind = 0}, {dimension = 1, kind = 1}], index = 2}], scratch = [],
  operands = [{name = "x", type = 0, pattern = 0, shape = array<i32: 0, 1>, read = true, result_of = -1, solver = false}],
  result = {name = "", type = 0, pattern = -1, shape = array<i32: 0, 1>, read = true, result_of = -1, solver = false},
  stages = [{name = "f_k0", cost = {flops = [], bytes = []},
    partition = {loops = array<i32: 0>, parallel = true, weight_layout = 0, proof = ""},
    device = {block_threads = 128, dense_lanes = 4, entry_lanes = 8, serial = false},
    sizes = [{kind = 1, index = 0, dim = 0}, {kind = 3, index = 0, dim = 0}, {kind = 2, index = 3, dim = 0},
      {kind = 4, index = 0, dim = 0}],
    arguments = [
      {role = 0, layout = 0, level = 1, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 4, layout = 0, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 2, layout = 0, buffer = {kind = 0, index = 0}, shape = array<i32>, slice = array<i32>, written = false},
      {role = 3, layout = -1, buffer = {kind = 1, index = 0}, shape = array<i32: 0, 1>, slice = array<i32: 0>, written = true}]}]
}

// One word each: four pointers, the bytes from item to item of each, four sizes. What is only read says so.
// GPU:       llvm.func @f_k0(
// GPU-SAME:    %[[P0:[a-z0-9]+]]: !llvm.ptr {llvm.noalias, llvm.readonly}, %[[P1:[a-z0-9]+]]: !llvm.ptr {llvm.noalias, llvm.readonly},
// GPU-SAME:    %[[P2:[a-z0-9]+]]: !llvm.ptr {llvm.noalias, llvm.readonly}, %[[P3:[a-z0-9]+]]: !llvm.ptr {llvm.noalias},
// GPU-SAME:    %[[B0:[a-z0-9]+]]: i64, %[[B1:[a-z0-9]+]]: i64, %[[B2:[a-z0-9]+]]: i64, %[[B3:[a-z0-9]+]]: i64,
// GPU-SAME:    %[[ROWS:[a-z0-9]+]]: i64, %[[LANES:[a-z0-9]+]]: i64, %[[STRIDE:[a-z0-9]+]]: i64, %[[LIMIT:[a-z0-9]+]]: i64)
// GPU-SAME:    attributes {nvvm.kernel, nvvm.maxntid = array<i32: 128, 1, 1>, nvvm.minctasm = 4 : i32}
// GPU:         %[[Y:.*]] = nvvm.read.ptx.sreg.ctaid.y : i32
// GPU:         %[[ITEM:.*]] = llvm.zext %[[Y]] : i32 to i64
// GPU:         %[[OFFSET:.*]] = llvm.mul %[[ITEM]], %[[B0]]
// GPU:         %[[A0:.*]] = llvm.getelementptr %[[P0]][%[[OFFSET]]] : (!llvm.ptr, i64) -> !llvm.ptr, i8
// GPU:         %[[OFFSET:.*]] = llvm.mul %[[ITEM]], %[[B3]]
// GPU:         %[[A3:.*]] = llvm.getelementptr %[[P3]][%[[OFFSET]]]
// The sizes without the stride, which is in the output's descriptor, come last.
// GPU:         llvm.call @f_k0_body(%[[A0]], %[[A0]], {{.*}}, %[[A3]], %[[A3]], %{{[0-9]+}}, %[[ROWS]], %{{[0-9]+}}, %[[STRIDE]], %{{[0-9]+}}, %[[ROWS]], %[[LANES]], %[[LIMIT]])
// GPU:       llvm.func internal @f_k0_body({{.*}}) attributes {always_inline

// PTX:       .visible .entry f_k0(
// PTX:         .param .u64 f_k0_param_11
// PTX-NEXT:  )
// PTX-NEXT:  .maxntid 128, 1, 1
// PTX-NOT:   call
// PTX:       %ctaid.y
// PTX-COUNT-3: ld.global.nc
// PTX:       st.global

// HOST:      llvm.func internal @f_k0(
// HOST:      llvm.func internal @f_k0_entry(%[[WORDS:.*]]: !llvm.ptr, %[[SELF:.*]]: !llvm.ptr)
// block[1] is the item.
// HOST:        %[[AT:.*]] = llvm.getelementptr %[[SELF]][4] : (!llvm.ptr) -> !llvm.ptr, i32
// HOST:        %[[Y:.*]] = llvm.load %[[AT]] : !llvm.ptr -> i32
// HOST:        %[[ITEM:.*]] = llvm.zext %[[Y]] : i32 to i64
// HOST:        %[[AT:.*]] = llvm.getelementptr %[[WORDS]][4] : (!llvm.ptr) -> !llvm.ptr, i64
// HOST:        %[[BYTES:.*]] = llvm.load %[[AT]] : !llvm.ptr -> i64
// HOST:        %[[OFFSET:.*]] = llvm.mul %[[ITEM]], %[[BYTES]]
// HOST:        %[[AT:.*]] = llvm.getelementptr %[[WORDS]][0] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// HOST:        %[[POINTER:.*]] = llvm.load %[[AT]] : !llvm.ptr -> !llvm.ptr
// HOST:        llvm.getelementptr %[[POINTER]][%[[OFFSET]]]
// HOST:        llvm.call @f_k0({{.*}}, %[[SELF]])
// The object: no kernels for the CPU, one for a device, no image.
// HOST:      llvm.mlir.global internal constant @f_name0("f_k0\00")
// HOST:      llvm.mlir.global internal constant @f_device_kernels() {{.*}} : !llvm.array<1 x struct<(ptr, ptr, i32, i32)>> {
// HOST-DAG:    llvm.mlir.addressof @f_name0
// HOST-DAG:    llvm.mlir.addressof @f_k0_entry
// HOST-DAG:    llvm.mlir.constant(128 : i32)
// HOST-DAG:    llvm.mlir.constant(512 : i32)
// HOST:      llvm.mlir.global external constant @f()
// HOST:        llvm.mlir.addressof @f_manifest
// HOST:        llvm.mlir.zero
// HOST:        llvm.mlir.addressof @f_device_kernels
// HOST:        llvm.mlir.zero
module attributes {tsgu.manifest = #manifest} {
  gpu.module @device {
    gpu.func @f_k0(%positions: memref<?xi32>, %chunks: memref<?xi32>, %values: memref<?xf32>,
        %y: memref<?x4xf32, strided<[?, 1]>>, %rows: index, %lanes: index, %limit: index)
        workgroup(%shared: memref<128xf32, #gpu.address_space<workgroup>>) kernel
        attributes {known_block_size = array<i32: 128, 1, 1>} {
      %c0 = arith.constant 0 : index
      %thread = gpu.thread_id x
      %exists = arith.cmpi ult, %thread, %rows : index
      scf.if %exists {
        %p = memref.load %positions[%thread] : memref<?xi32>
        %c = memref.load %chunks[%thread] : memref<?xi32>
        %sum = arith.addi %p, %c : i32
        %k = arith.index_cast %sum : i32 to index
        %0 = arith.addi %k, %lanes : index
        %1 = arith.addi %0, %limit : index
        %value = memref.load %values[%1] : memref<?xf32>
        memref.store %value, %shared[%thread] : memref<128xf32, #gpu.address_space<workgroup>>
        memref.store %value, %y[%thread, %c0] : memref<?x4xf32, strided<[?, 1]>>
      }
      gpu.return
    }
  }
}
