// Between positions and the row of each entry. Rows are flat: row `row` of item
// `item` of a batch is number item * rows + row. All kernels have blocks of 256
// threads, one thread for each element of the result.

!index = i32

gpu.module @device {
  // The positions of a batch, which begin at 0 for each item, as one array that
  // counts all entries through: ceil((items * rows + 1) / 256) blocks. Each item
  // has stored / items entries, and `stored` must fit in the index type.
  //
  // positions[items * (rows + 1)], joined[items * rows + 1], items, rows, stored
  gpu.func @join_items(%positions: memref<?x!index>, %joined: memref<?x!index>,
      %items: index, %rows: index, %stored: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c1 = arith.constant 1 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %p = arith.addi %first, %thread : index
    %last = arith.muli %items, %rows : index
    %exists = arith.cmpi ule, %p, %last : index
    scf.if %exists {
      %isLast = arith.cmpi eq, %p, %last : index
      %position = scf.if %isLast -> index {
        scf.yield %stored : index
      } else {
        %item = arith.divui %p, %rows : index
        %row = arith.remui %p, %rows : index
        %length = arith.addi %rows, %c1 : index
        %base = arith.muli %item, %length : index
        %at = arith.addi %base, %row : index
        %loaded = memref.load %positions[%at] : memref<?x!index>
        %own = arith.index_cast %loaded : !index to index
        %perItem = arith.divui %stored, %items : index
        %before = arith.muli %item, %perItem : index
        %sum = arith.addi %before, %own : index
        scf.yield %sum : index
      }
      %value = arith.index_cast %position : index to !index
      memref.store %value, %joined[%p] : memref<?x!index>
    }
    gpu.return
  }

  // The flat rows of entries given by item, row and column: ceil(stored / 256)
  // blocks. flags[0] gets bit 1 where an index is out of range; the flat row is
  // items * rows then, which no other entry has.
  //
  // item_coordinates[stored], row_coordinates[stored], flat[stored], flags[1],
  // items, rows, stored
  gpu.func @flatten_rows(%itemCoordinates: memref<?x!index>,
      %rowCoordinates: memref<?x!index>, %flat: memref<?x!index>,
      %flags: memref<?xi32>, %items: index, %rows: index, %stored: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %corrupt = arith.constant 1 : i32
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %stored : index
    scf.if %exists {
      %i = memref.load %itemCoordinates[%k] : memref<?x!index>
      %item = arith.index_cast %i : !index to index
      %r = memref.load %rowCoordinates[%k] : memref<?x!index>
      %row = arith.index_cast %r : !index to index
      %noItem = arith.cmpi uge, %item, %items : index
      %noRow = arith.cmpi uge, %row, %rows : index
      %outOfRange = arith.ori %noItem, %noRow : i1
      scf.if %outOfRange {
        %0 = memref.atomic_rmw ori %corrupt, %flags[%c0] : (i32, memref<?xi32>) -> i32
      }
      %base = arith.muli %item, %rows : index
      %sum = arith.addi %base, %row : index
      %end = arith.muli %items, %rows : index
      %flatRow = arith.select %outOfRange, %end, %sum : index
      %value = arith.index_cast %flatRow : index to !index
      memref.store %value, %flat[%k] : memref<?x!index>
    }
    gpu.return
  }

  // Positions from the flat rows of all entries, in ascending order:
  // ceil((rows + 1) / 256) blocks. A position is the number of entries in rows
  // before it, found by binary search. Serves columns as well.
  //
  // entry_rows[stored], positions[rows + 1], rows, stored
  gpu.func @positions_from_rows(%entryRows: memref<?x!index>,
      %positions: memref<?x!index>, %rows: index, %stored: index) kernel
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
      %found:2 = scf.while (%low = %c0, %high = %stored) : (index, index) -> (index, index) {
        %more = arith.cmpi ult, %low, %high : index
        scf.condition(%more) %low, %high : index, index
      } do {
      ^bb0(%low: index, %high: index):
        %sum = arith.addi %low, %high : index
        %middle = arith.shrui %sum, %c1 : index
        %loaded = memref.load %entryRows[%middle] : memref<?x!index>
        %entryRow = arith.index_cast %loaded : !index to index
        %below = arith.cmpi slt, %entryRow, %row : index
        %above = arith.addi %middle, %c1 : index
        %newLow = arith.select %below, %above, %low : index
        %newHigh = arith.select %below, %high, %middle : index
        scf.yield %newLow, %newHigh : index, index
      }
      %value = arith.index_cast %found#0 : index to !index
      memref.store %value, %positions[%row] : memref<?x!index>
    }
    gpu.return
  }

  // The flat row of each entry: ceil(stored / 256) blocks. It is the last row
  // that begins at the entry or before, found by binary search: a row may be as
  // long as it likes.
  //
  // positions[rows + 1], entry_rows[stored], rows, stored
  gpu.func @rows_of_entries(%positions: memref<?x!index>,
      %entryRows: memref<?x!index>, %rows: index, %stored: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %stored : index
    scf.if %exists {
      // The first row that begins after the entry.
      %found:2 = scf.while (%low = %c0, %high = %rows) : (index, index) -> (index, index) {
        %more = arith.cmpi ult, %low, %high : index
        scf.condition(%more) %low, %high : index, index
      } do {
      ^bb0(%low: index, %high: index):
        %sum = arith.addi %low, %high : index
        %middle = arith.shrui %sum, %c1 : index
        %loaded = memref.load %positions[%middle] : memref<?x!index>
        %position = arith.index_cast %loaded : !index to index
        %notAfter = arith.cmpi sle, %position, %k : index
        %above = arith.addi %middle, %c1 : index
        %newLow = arith.select %notAfter, %above, %low : index
        %newHigh = arith.select %notAfter, %high, %middle : index
        scf.yield %newLow, %newHigh : index, index
      }
      %row = arith.subi %found#0, %c1 : index
      %value = arith.index_cast %row : index to !index
      memref.store %value, %entryRows[%k] : memref<?x!index>
    }
    gpu.return
  }
}
