// Values of entries that name one element, summed: to[s] = from[entries[k]] +
// ... for k from positions[s] to positions[s + 1], in this order; and the same
// for all items of a batch, which lie from_item and to_item elements apart.
//
// One thread for each s: ceil(count / 256) blocks, and as many along y as there
// are items. Few elements have more than one entry, so nothing is shared.

!index = i32

gpu.module @device {
  // positions[count + 1], entries[], from[], to[], count, from_item, to_item
  gpu.func @sum4(%positions: memref<?x!index>, %entries: memref<?x!index>,
      %from: memref<?xf32>, %to: memref<?xf32>, %count: index,
      %fromItem: index, %toItem: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f32
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %item = gpu.block_id y
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %s = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %s, %count : index
    scf.if %exists {
      %next = arith.addi %s, %c1 : index
      %0 = memref.load %positions[%s] : memref<?x!index>
      %1 = memref.load %positions[%next] : memref<?x!index>
      %begin = arith.index_cast %0 : !index to index
      %end = arith.index_cast %1 : !index to index
      %fromBase = arith.muli %item, %fromItem : index
      %sum = scf.for %k = %begin to %end step %c1 iter_args(%before = %zero) -> f32 {
        %e = memref.load %entries[%k] : memref<?x!index>
        %entry = arith.index_cast %e : !index to index
        %at = arith.addi %fromBase, %entry : index
        %value = memref.load %from[%at] : memref<?xf32>
        %after = arith.addf %before, %value : f32
        scf.yield %after : f32
      }
      %toBase = arith.muli %item, %toItem : index
      %toAt = arith.addi %toBase, %s : index
      memref.store %sum, %to[%toAt] : memref<?xf32>
    }
    gpu.return
  }

  // positions[count + 1], entries[], from[], to[], count, from_item, to_item
  gpu.func @sum8(%positions: memref<?x!index>, %entries: memref<?x!index>,
      %from: memref<?xf64>, %to: memref<?xf64>, %count: index,
      %fromItem: index, %toItem: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c1 = arith.constant 1 : index
    %zero = arith.constant 0.0 : f64
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %item = gpu.block_id y
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %s = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %s, %count : index
    scf.if %exists {
      %next = arith.addi %s, %c1 : index
      %0 = memref.load %positions[%s] : memref<?x!index>
      %1 = memref.load %positions[%next] : memref<?x!index>
      %begin = arith.index_cast %0 : !index to index
      %end = arith.index_cast %1 : !index to index
      %fromBase = arith.muli %item, %fromItem : index
      %sum = scf.for %k = %begin to %end step %c1 iter_args(%before = %zero) -> f64 {
        %e = memref.load %entries[%k] : memref<?x!index>
        %entry = arith.index_cast %e : !index to index
        %at = arith.addi %fromBase, %entry : index
        %value = memref.load %from[%at] : memref<?xf64>
        %after = arith.addf %before, %value : f64
        scf.yield %after : f64
      }
      %toBase = arith.muli %item, %toItem : index
      %toAt = arith.addi %toBase, %s : index
      memref.store %sum, %to[%toAt] : memref<?xf64>
    }
    gpu.return
  }
}
