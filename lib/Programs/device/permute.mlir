// Values in another order: to[k] = from[permutation[k]] for k < count, where an
// element is as many bytes as its kernel's name says; and the same for all items
// of a batch, which lie from_item and to_item elements apart.
//
// One thread for each k: ceil(count / 256) blocks, and as many along y as there
// are items. Neighbouring threads write neighbouring elements; what they read is
// wherever the permutation says.

!index = i32

gpu.module @device {
  // permutation[count], from[], to[], count, from_item, to_item
  gpu.func @permute4(%permutation: memref<?x!index>, %from: memref<?xi32>,
      %to: memref<?xi32>, %count: index, %fromItem: index,
      %toItem: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %item = gpu.block_id y
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %count : index
    scf.if %exists {
      %source = memref.load %permutation[%k] : memref<?x!index>
      %j = arith.index_cast %source : !index to index
      %fromBase = arith.muli %item, %fromItem : index
      %toBase = arith.muli %item, %toItem : index
      %fromAt = arith.addi %fromBase, %j : index
      %toAt = arith.addi %toBase, %k : index
      %element = memref.load %from[%fromAt] : memref<?xi32>
      memref.store %element, %to[%toAt] : memref<?xi32>
    }
    gpu.return
  }

  // permutation[count], from[], to[], count, from_item, to_item
  gpu.func @permute8(%permutation: memref<?x!index>, %from: memref<?xi64>,
      %to: memref<?xi64>, %count: index, %fromItem: index,
      %toItem: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %item = gpu.block_id y
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %count : index
    scf.if %exists {
      %source = memref.load %permutation[%k] : memref<?x!index>
      %j = arith.index_cast %source : !index to index
      %fromBase = arith.muli %item, %fromItem : index
      %toBase = arith.muli %item, %toItem : index
      %fromAt = arith.addi %fromBase, %j : index
      %toAt = arith.addi %toBase, %k : index
      %element = memref.load %from[%fromAt] : memref<?xi64>
      memref.store %element, %to[%toAt] : memref<?xi64>
    }
    gpu.return
  }

  // permutation[count], from[], to[], count, from_item, to_item
  gpu.func @permute2(%permutation: memref<?x!index>, %from: memref<?xi16>,
      %to: memref<?xi16>, %count: index, %fromItem: index,
      %toItem: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %item = gpu.block_id y
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %count : index
    scf.if %exists {
      %source = memref.load %permutation[%k] : memref<?x!index>
      %j = arith.index_cast %source : !index to index
      %fromBase = arith.muli %item, %fromItem : index
      %toBase = arith.muli %item, %toItem : index
      %fromAt = arith.addi %fromBase, %j : index
      %toAt = arith.addi %toBase, %k : index
      %element = memref.load %from[%fromAt] : memref<?xi16>
      memref.store %element, %to[%toAt] : memref<?xi16>
    }
    gpu.return
  }
}
