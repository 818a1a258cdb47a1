// Values in another order: to[k] = from[permutation[k]] for k < count, where an
// element is as many bytes as its kernel's name says.
//
// One thread for each k: ceil(count / 256) blocks. Neighbouring threads write
// neighbouring elements; what they read is wherever the permutation says.

!index = i32

gpu.module @device {
  // permutation[count], from[], to[count], count
  gpu.func @permute4(%permutation: memref<?x!index>, %from: memref<?xi32>,
      %to: memref<?xi32>, %count: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %count : index
    scf.if %exists {
      %source = memref.load %permutation[%k] : memref<?x!index>
      %j = arith.index_cast %source : !index to index
      %element = memref.load %from[%j] : memref<?xi32>
      memref.store %element, %to[%k] : memref<?xi32>
    }
    gpu.return
  }

  // permutation[count], from[], to[count], count
  gpu.func @permute8(%permutation: memref<?x!index>, %from: memref<?xi64>,
      %to: memref<?xi64>, %count: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %count : index
    scf.if %exists {
      %source = memref.load %permutation[%k] : memref<?x!index>
      %j = arith.index_cast %source : !index to index
      %element = memref.load %from[%j] : memref<?xi64>
      memref.store %element, %to[%k] : memref<?xi64>
    }
    gpu.return
  }
}
