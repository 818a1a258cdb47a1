// Rows of more than `limit` entries are cut into chunks of `limit` entries (the
// last one of a row may have fewer). Rows are flat: those of a batch's items are
// counted through, as by join_items in rows.mlir. Everything is in ascending
// order. All kernels have blocks of 256 threads.
//
// To cut a layout:
//   1. count_chunks: for each row its number of chunks, 0 where it stays whole,
//      and whether it is long; both arrays end in a 0.
//   2. Exclusive prefix sums of both arrays (scan.mlir), rows + 1 elements each:
//      first_chunk and long_index. Their last elements are the numbers of chunks
//      and of long rows.
//   3. fill_chunks and fill_long_rows, in either order.
// The entries of chunk c are those from chunk_positions[c] to the lesser of
// chunk_positions[c] + limit and positions[chunk_rows[c] + 1]; the chunks of long
// row l are those from long_positions[l] to long_positions[l + 1].

!index = i32

gpu.module @device {
  // ceil((rows + 1) / 256) blocks.
  //
  // positions[rows + 1], chunks[rows + 1], long[rows + 1], rows, limit
  gpu.func @count_chunks(%positions: memref<?x!index>, %chunks: memref<?x!index>,
      %long: memref<?x!index>, %rows: index, %limit: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %row = arith.addi %first, %thread : index
    %exists = arith.cmpi ule, %row, %rows : index
    scf.if %exists {
      %isRow = arith.cmpi ult, %row, %rows : index
      %length = scf.if %isRow -> index {
        %following = arith.addi %row, %c1 : index
        %0 = memref.load %positions[%row] : memref<?x!index>
        %1 = memref.load %positions[%following] : memref<?x!index>
        %begin = arith.index_cast %0 : !index to index
        %end = arith.index_cast %1 : !index to index
        %entries = arith.subi %end, %begin : index
        scf.yield %entries : index
      } else {
        scf.yield %c0 : index
      }
      %isLong = arith.cmpi sgt, %length, %limit : index
      %up = arith.addi %length, %limit : index
      %rounded = arith.subi %up, %c1 : index
      %pieces = arith.divui %rounded, %limit : index
      %count = arith.select %isLong, %pieces, %c0 : index
      %countValue = arith.index_cast %count : index to !index
      %one = arith.select %isLong, %c1, %c0 : index
      %longValue = arith.index_cast %one : index to !index
      memref.store %countValue, %chunks[%row] : memref<?x!index>
      memref.store %longValue, %long[%row] : memref<?x!index>
    }
    gpu.return
  }

  // One thread for each chunk: ceil(chunks / 256) blocks. Its row is the last
  // one whose first chunk it is or follows, found by binary search.
  //
  // positions[rows + 1], first_chunk[rows + 1], chunk_rows[chunks],
  // chunk_positions[chunks], rows, chunks, limit
  gpu.func @fill_chunks(%positions: memref<?x!index>,
      %firstChunk: memref<?x!index>, %chunkRows: memref<?x!index>,
      %chunkPositions: memref<?x!index>, %rows: index, %chunks: index,
      %limit: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %chunk = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %chunk, %chunks : index
    scf.if %exists {
      %found:2 = scf.while (%low = %c0, %high = %rows) : (index, index) -> (index, index) {
        %more = arith.cmpi ult, %low, %high : index
        scf.condition(%more) %low, %high : index, index
      } do {
      ^bb0(%low: index, %high: index):
        %sum = arith.addi %low, %high : index
        %middle = arith.shrui %sum, %c1 : index
        %loaded = memref.load %firstChunk[%middle] : memref<?x!index>
        %start = arith.index_cast %loaded : !index to index
        %notAfter = arith.cmpi sle, %start, %chunk : index
        %above = arith.addi %middle, %c1 : index
        %newLow = arith.select %notAfter, %above, %low : index
        %newHigh = arith.select %notAfter, %high, %middle : index
        scf.yield %newLow, %newHigh : index, index
      }
      %row = arith.subi %found#0, %c1 : index
      %0 = memref.load %firstChunk[%row] : memref<?x!index>
      %start = arith.index_cast %0 : !index to index
      %1 = memref.load %positions[%row] : memref<?x!index>
      %begin = arith.index_cast %1 : !index to index
      %number = arith.subi %chunk, %start : index
      %offset = arith.muli %number, %limit : index
      %position = arith.addi %begin, %offset : index
      %rowValue = arith.index_cast %row : index to !index
      %positionValue = arith.index_cast %position : index to !index
      memref.store %rowValue, %chunkRows[%chunk] : memref<?x!index>
      memref.store %positionValue, %chunkPositions[%chunk] : memref<?x!index>
    }
    gpu.return
  }

  // One thread for each row, and one for the end: ceil((rows + 1) / 256) blocks.
  //
  // first_chunk[rows + 1], long_index[rows + 1], long_rows[long],
  // long_positions[long + 1], rows
  gpu.func @fill_long_rows(%firstChunk: memref<?x!index>,
      %longIndex: memref<?x!index>, %longRows: memref<?x!index>,
      %longPositions: memref<?x!index>, %rows: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c1 = arith.constant 1 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %row = arith.addi %first, %thread : index
    %exists = arith.cmpi ule, %row, %rows : index
    scf.if %exists {
      %0 = memref.load %longIndex[%row] : memref<?x!index>
      %number = arith.index_cast %0 : !index to index
      %start = memref.load %firstChunk[%row] : memref<?x!index>
      %isEnd = arith.cmpi eq, %row, %rows : index
      scf.if %isEnd {
        memref.store %start, %longPositions[%number] : memref<?x!index>
      } else {
        %following = arith.addi %row, %c1 : index
        %1 = memref.load %longIndex[%following] : memref<?x!index>
        %next = arith.index_cast %1 : !index to index
        %isLong = arith.cmpi ne, %next, %number : index
        scf.if %isLong {
          %rowValue = arith.index_cast %row : index to !index
          memref.store %rowValue, %longRows[%number] : memref<?x!index>
          memref.store %start, %longPositions[%number] : memref<?x!index>
        }
      }
    }
    gpu.return
  }
}
