// Indices copied into the index type that a pattern has.

!index = i32
!derived = i32

gpu.module @device {
  // One thread for each index: ceil(count / 256) blocks. flags[0], which the
  // caller sets to 0 before, gets bit 1 where an index does not fit.
  //
  // from[count], to[count], flags[1], count
  gpu.func @copy_indices(%from: memref<?x!index>, %to: memref<?x!derived>,
      %flags: memref<?xi32>, %count: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %corrupt = arith.constant 1 : i32
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %count : index
    scf.if %exists {
      %loaded = memref.load %from[%k] : memref<?x!index>
      %wide = arith.index_cast %loaded : !index to index
      %copied = arith.index_cast %wide : index to !derived
      memref.store %copied, %to[%k] : memref<?x!derived>
      %back = arith.index_cast %copied : !derived to index
      %lost = arith.cmpi ne, %back, %wide : index
      scf.if %lost {
        %0 = memref.atomic_rmw ori %corrupt, %flags[%c0] : (i32, memref<?xi32>) -> i32
      }
    }
    gpu.return
  }
}
