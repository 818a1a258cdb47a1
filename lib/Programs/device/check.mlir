// Whether index arrays are a pattern. Each kernel adds bits to flags[0], which
// the caller sets to 0 before: 1, corrupt (an index out of range, positions that
// decrease, or do not begin at 0 and end at the number of entries); 2, entries
// that are not in strictly ascending order. However corrupt the arrays are,
// nothing is read beyond them.
//
// CSR: check_positions, then check_coordinates; COO: check_coo. All have blocks
// of 256 threads.

!index = i32

gpu.module @device {
  // One thread for each position: ceil(items * (rows + 1) / 256) blocks. Each
  // item's positions count its own entries, stored / items of them, from 0.
  //
  // positions[items * (rows + 1)], flags[1], items, rows, stored
  gpu.func @check_positions(%positions: memref<?x!index>, %flags: memref<?xi32>,
      %items: index, %rows: index, %stored: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %corrupt = arith.constant 1 : i32
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %p = arith.addi %first, %thread : index
    %length = arith.addi %rows, %c1 : index
    %all = arith.muli %items, %length : index
    %exists = arith.cmpi ult, %p, %all : index
    scf.if %exists {
      %perItem = arith.divui %stored, %items : index
      %row = arith.remui %p, %length : index
      %loaded = memref.load %positions[%p] : memref<?x!index>
      %position = arith.index_cast %loaded : !index to index

      // The first is 0, the last the number of entries, and none decreases: so
      // all are in range if no row is wrong.
      %isFirst = arith.cmpi eq, %row, %c0 : index
      %isLast = arith.cmpi eq, %row, %rows : index
      %notZero = arith.cmpi ne, %position, %c0 : index
      %wrongFirst = arith.andi %isFirst, %notZero : i1
      %next = scf.if %isLast -> index {
        scf.yield %perItem : index
      } else {
        %q = arith.addi %p, %c1 : index
        %following = memref.load %positions[%q] : memref<?x!index>
        %cast = arith.index_cast %following : !index to index
        scf.yield %cast : index
      }
      %decreases = arith.cmpi slt, %next, %position : index
      %differs = arith.cmpi ne, %next, %position : index
      %wrongLast = arith.andi %isLast, %differs : i1
      %wrong0 = arith.ori %wrongFirst, %wrongLast : i1
      %wrong = arith.ori %wrong0, %decreases : i1
      scf.if %wrong {
        %0 = memref.atomic_rmw ori %corrupt, %flags[%c0] : (i32, memref<?xi32>) -> i32
      }
    }
    gpu.return
  }

  // One thread for each entry: ceil(stored / 256) blocks. An entry whose column
  // is not beyond its predecessor's has to be the first of its row: some
  // position of its item is its number, which is searched for.
  //
  // positions[items * (rows + 1)], coordinates[stored], flags[1], items, rows,
  // columns, stored
  gpu.func @check_coordinates(%positions: memref<?x!index>,
      %coordinates: memref<?x!index>, %flags: memref<?xi32>, %items: index,
      %rows: index, %columns: index, %stored: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %corrupt = arith.constant 1 : i32
    %unsorted = arith.constant 2 : i32
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %stored : index
    scf.if %exists {
      %loaded = memref.load %coordinates[%k] : memref<?x!index>
      %column = arith.index_cast %loaded : !index to index
      %outOfRange = arith.cmpi uge, %column, %columns : index
      scf.if %outOfRange {
        %0 = memref.atomic_rmw ori %corrupt, %flags[%c0] : (i32, memref<?xi32>) -> i32
      }

      %perItem = arith.divui %stored, %items : index
      %entry = arith.remui %k, %perItem : index
      %hasPrevious = arith.cmpi ne, %entry, %c0 : index
      scf.if %hasPrevious {
        %j = arith.subi %k, %c1 : index
        %before = memref.load %coordinates[%j] : memref<?x!index>
        %previous = arith.index_cast %before : !index to index
        %descends = arith.cmpi sle, %column, %previous : index
        scf.if %descends {
          %item = arith.divui %k, %perItem : index
          %length = arith.addi %rows, %c1 : index
          %base = arith.muli %item, %length : index
          // The first position that is not below the entry's number.
          %found:2 = scf.while (%low = %c0, %high = %rows) : (index, index) -> (index, index) {
            %more = arith.cmpi ult, %low, %high : index
            scf.condition(%more) %low, %high : index, index
          } do {
          ^bb0(%low: index, %high: index):
            %sum = arith.addi %low, %high : index
            %middle = arith.shrui %sum, %c1 : index
            %at = arith.addi %base, %middle : index
            %value = memref.load %positions[%at] : memref<?x!index>
            %position = arith.index_cast %value : !index to index
            %below = arith.cmpi slt, %position, %entry : index
            %above = arith.addi %middle, %c1 : index
            %newLow = arith.select %below, %above, %low : index
            %newHigh = arith.select %below, %high, %middle : index
            scf.yield %newLow, %newHigh : index, index
          }
          %at = arith.addi %base, %found#0 : index
          %value = memref.load %positions[%at] : memref<?x!index>
          %position = arith.index_cast %value : !index to index
          %continues = arith.cmpi ne, %position, %entry : index
          scf.if %continues {
            %0 = memref.atomic_rmw ori %unsorted, %flags[%c0] : (i32, memref<?xi32>) -> i32
          }
        }
      }
    }
    gpu.return
  }

  // One thread for each entry: ceil(stored / 256) blocks. `rows` is the number
  // of flat rows where there are items (see flatten_rows in rows.mlir).
  //
  // row_coordinates[stored], column_coordinates[stored], flags[1], rows,
  // columns, stored
  gpu.func @check_coo(%rowCoordinates: memref<?x!index>,
      %columnCoordinates: memref<?x!index>, %flags: memref<?xi32>, %rows: index,
      %columns: index, %stored: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %corrupt = arith.constant 1 : i32
    %unsorted = arith.constant 2 : i32
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %stored : index
    scf.if %exists {
      %r = memref.load %rowCoordinates[%k] : memref<?x!index>
      %row = arith.index_cast %r : !index to index
      %c = memref.load %columnCoordinates[%k] : memref<?x!index>
      %column = arith.index_cast %c : !index to index
      %noRow = arith.cmpi uge, %row, %rows : index
      %noColumn = arith.cmpi uge, %column, %columns : index
      %outOfRange = arith.ori %noRow, %noColumn : i1
      scf.if %outOfRange {
        %0 = memref.atomic_rmw ori %corrupt, %flags[%c0] : (i32, memref<?xi32>) -> i32
      }
      %hasPrevious = arith.cmpi ne, %k, %c0 : index
      scf.if %hasPrevious {
        %j = arith.subi %k, %c1 : index
        %row0 = memref.load %rowCoordinates[%j] : memref<?x!index>
        %previousRow = arith.index_cast %row0 : !index to index
        %column0 = memref.load %columnCoordinates[%j] : memref<?x!index>
        %previousColumn = arith.index_cast %column0 : !index to index
        %rowDescends = arith.cmpi slt, %row, %previousRow : index
        %sameRow = arith.cmpi eq, %row, %previousRow : index
        %columnDescends = arith.cmpi sle, %column, %previousColumn : index
        %inRow = arith.andi %sameRow, %columnDescends : i1
        %descends = arith.ori %rowDescends, %inRow : i1
        scf.if %descends {
          %0 = memref.atomic_rmw ori %unsorted, %flags[%c0] : (i32, memref<?xi32>) -> i32
        }
      }
    }
    gpu.return
  }
}
