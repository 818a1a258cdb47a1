// Sets elements of a result before its kernel: rows[i][k] = word for i < rows and
// k < width, where an element is as many bytes as its kernel's name says; and
// the same for all items of a batch. Rows lie `stride` elements apart, items
// `item`.
//
// One thread for each element: ceil(rows * width / 256) blocks, and as many along
// y as there are items.

gpu.module @device {
  // to[], word, rows, width, stride, item
  gpu.func @fill4(%to: memref<?xi32>, %word: index, %rows: index, %width: index,
      %stride: index, %toItem: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %item = gpu.block_id y
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %e = arith.addi %first, %thread : index
    %count = arith.muli %rows, %width : index
    %exists = arith.cmpi ult, %e, %count : index
    scf.if %exists {
      %row = arith.divui %e, %width : index
      %k = arith.remui %e, %width : index
      %rowBase = arith.muli %row, %stride : index
      %itemBase = arith.muli %item, %toItem : index
      %inItem = arith.addi %rowBase, %k : index
      %at = arith.addi %itemBase, %inItem : index
      %element = arith.index_cast %word : index to i32
      memref.store %element, %to[%at] : memref<?xi32>
    }
    gpu.return
  }

  // to[], word, rows, width, stride, item
  gpu.func @fill8(%to: memref<?xi64>, %word: index, %rows: index, %width: index,
      %stride: index, %toItem: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %item = gpu.block_id y
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %e = arith.addi %first, %thread : index
    %count = arith.muli %rows, %width : index
    %exists = arith.cmpi ult, %e, %count : index
    scf.if %exists {
      %row = arith.divui %e, %width : index
      %k = arith.remui %e, %width : index
      %rowBase = arith.muli %row, %stride : index
      %itemBase = arith.muli %item, %toItem : index
      %inItem = arith.addi %rowBase, %k : index
      %at = arith.addi %itemBase, %inItem : index
      %element = arith.index_cast %word : index to i64
      memref.store %element, %to[%at] : memref<?xi64>
    }
    gpu.return
  }
}
