// Entries in the order of their columns: the transposed layout. A stable sort by
// radix, four bits at a time from the lowest, so the permutation depends on the
// keys alone, and on no order in which blocks run.
//
// The key of an entry is its flat column, item * columns + column; keys, and the
// permutation, have the derived layout's index type, which has to hold
// items * columns and the number of entries. To transpose a pattern:
//   make_keys<ceil(stored / 256) blocks>(entry_rows, coordinates, keys,
//       permutation, items, rows, columns, stored)
//   tiles = ceil(stored / 2048)
//   for shift = 0, 4, 8, ... while items * columns - 1 has bits from shift up:
//     count_digits<tiles blocks>(keys, counts, shift, tiles, stored)
//     exclusive prefix sums of counts, 16 * tiles of them (scan.mlir for the
//         derived index type), to offsets
//     scatter<tiles blocks>(keys, permutation, offsets, sorted_keys,
//         sorted_permutation, shift, tiles, stored)
//     swap keys with sorted_keys, permutation with sorted_permutation
//   positions: positions_from_rows(keys, positions, items * columns, stored)
//       (rows.mlir for the derived index type)
//   coordinates: gather_rows<ceil(stored / 256) blocks>(entry_rows, permutation,
//       coordinates, rows, stored)
// Then permutation[k] is the entry, in CSR order, that is number k of the
// transposed layout. entry_rows are the flat rows of rows_of_entries (rows.mlir)
// for the pattern's own index type.
//
// In a tile of 2048 keys each of 256 threads has 8 neighbouring ones. How many
// of them have each of the 16 digits is counted in four words of 64 bits, 16
// bits for each digit (a tile has fewer than 2^16 keys), so that sums over
// threads are sums of four words.

!index = i32
!derived = i32
!digits = vector<4xi64>

gpu.module @device {
  // One thread for each entry. Without items (items = 1) entry_rows is not read.
  //
  // entry_rows[stored], coordinates[stored], keys[stored], permutation[stored],
  // items, rows, columns, stored
  gpu.func @make_keys(%entryRows: memref<?x!index>,
      %coordinates: memref<?x!index>, %keys: memref<?x!derived>,
      %permutation: memref<?x!derived>, %items: index, %rows: index,
      %columns: index, %stored: index) kernel
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
      %hasItems = arith.cmpi ugt, %items, %c1 : index
      %item = scf.if %hasItems -> index {
        %r = memref.load %entryRows[%k] : memref<?x!index>
        %row = arith.index_cast %r : !index to index
        %0 = arith.divui %row, %rows : index
        scf.yield %0 : index
      } else {
        scf.yield %c0 : index
      }
      %c = memref.load %coordinates[%k] : memref<?x!index>
      %column = arith.index_cast %c : !index to index
      %base = arith.muli %item, %columns : index
      %key = arith.addi %base, %column : index
      %keyValue = arith.index_cast %key : index to !derived
      %kValue = arith.index_cast %k : index to !derived
      memref.store %keyValue, %keys[%k] : memref<?x!derived>
      memref.store %kValue, %permutation[%k] : memref<?x!derived>
    }
    gpu.return
  }

  // How often each digit occurs in each tile: counts[digit * tiles + tile]. One
  // block for each tile.
  //
  // keys[stored], counts[16 * tiles], shift, tiles, stored
  gpu.func @count_digits(%keys: memref<?x!derived>, %counts: memref<?x!derived>,
      %shift: index, %tiles: index, %stored: index)
      workgroup(%warpSums: memref<32xi64, #gpu.address_space<workgroup>>
          {llvm.align = 16 : i64}) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %c16 = arith.constant 16 : index
    %tileSize = arith.constant 2048 : index
    %warpSize = arith.constant 32 : index
    %warpWidth = arith.constant 32 : i32
    %three = arith.constant 3 : i64
    %one = arith.constant 1 : i64
    %zero = arith.constant 0 : i64
    %fieldMask = arith.constant 65535 : i64
    %digitMask = arith.constant 15 : i64
    %fieldBits = arith.constant 4 : i64
    %none = arith.constant dense<0> : !digits
    %numbers = arith.constant dense<[0, 1, 2, 3]> : !digits
    %thread = gpu.thread_id x
    %tile = gpu.block_id x
    %lane = arith.remui %thread, %warpSize : index
    %warp = arith.divui %thread, %warpSize : index
    %tileBegin = arith.muli %tile, %tileSize : index
    %ownOffset = arith.muli %thread, %c8 : index
    %begin = arith.addi %tileBegin, %ownOffset : index
    %shiftBits = arith.index_cast %shift : index to i64

    // The thread's own keys.
    %own = scf.for %i = %c0 to %c8 step %c1 iter_args(%sum = %none) -> !digits {
      %k = arith.addi %begin, %i : index
      %exists = arith.cmpi ult, %k, %stored : index
      %next = scf.if %exists -> !digits {
        %loaded = memref.load %keys[%k] : memref<?x!derived>
        %keyIndex = arith.index_cast %loaded : !derived to index
        %key = arith.index_cast %keyIndex : index to i64
        %shifted = arith.shrui %key, %shiftBits : i64
        %digit = arith.andi %shifted, %digitMask : i64
        // A one in field digit % 4 of word digit / 4.
        %inWord = arith.andi %digit, %three : i64
        %bit = arith.shli %inWord, %fieldBits : i64
        %increment = arith.shli %one, %bit : i64
        %two = arith.constant 2 : i64
        %word = arith.shrui %digit, %two : i64
        %words = vector.broadcast %word : i64 to !digits
        %isIn = arith.cmpi eq, %words, %numbers : !digits
        %increments = vector.broadcast %increment : i64 to !digits
        %add = arith.select %isIn, %increments, %none : vector<4xi1>, !digits
        %more = arith.addi %sum, %add : !digits
        scf.yield %more : !digits
      } else {
        scf.yield %sum : !digits
      }
      scf.yield %next : !digits
    }

    // The sums of the warps.
    %d1 = arith.constant 1 : i32
    %d2 = arith.constant 2 : i32
    %d4 = arith.constant 4 : i32
    %d8 = arith.constant 8 : i32
    %d16 = arith.constant 16 : i32
    %other1, %in1 = gpu.shuffle xor %own, %d1, %warpWidth : !digits
    %sum1 = arith.addi %own, %other1 : !digits
    %other2, %in2 = gpu.shuffle xor %sum1, %d2, %warpWidth : !digits
    %sum2 = arith.addi %sum1, %other2 : !digits
    %other4, %in4 = gpu.shuffle xor %sum2, %d4, %warpWidth : !digits
    %sum4 = arith.addi %sum2, %other4 : !digits
    %other8, %in8 = gpu.shuffle xor %sum4, %d8, %warpWidth : !digits
    %sum8 = arith.addi %sum4, %other8 : !digits
    %other16, %in16 = gpu.shuffle xor %sum8, %d16, %warpWidth : !digits
    %warpSum = arith.addi %sum8, %other16 : !digits
    %isFirstLane = arith.cmpi eq, %lane, %c0 : index
    scf.if %isFirstLane {
      %at = arith.muli %warp, %c4 : index
      vector.store %warpSum, %warpSums[%at] : memref<32xi64, #gpu.address_space<workgroup>>, !digits
    }
    gpu.barrier

    // One thread for each digit adds its fields.
    %hasDigit = arith.cmpi ult, %thread, %c16 : index
    scf.if %hasDigit {
      %word = arith.divui %thread, %c4 : index
      %field = arith.remui %thread, %c4 : index
      %fieldIndex = arith.muli %field, %c16 : index
      %bit = arith.index_cast %fieldIndex : index to i64
      %count = scf.for %w = %c0 to %c8 step %c1 iter_args(%sum = %zero) -> i64 {
        %base = arith.muli %w, %c4 : index
        %at = arith.addi %base, %word : index
        %value = memref.load %warpSums[%at] : memref<32xi64, #gpu.address_space<workgroup>>
        %shifted = arith.shrui %value, %bit : i64
        %part = arith.andi %shifted, %fieldMask : i64
        %next = arith.addi %sum, %part : i64
        scf.yield %next : i64
      }
      %row = arith.muli %thread, %tiles : index
      %at = arith.addi %row, %tile : index
      %countIndex = arith.index_cast %count : i64 to index
      %countValue = arith.index_cast %countIndex : index to !derived
      memref.store %countValue, %counts[%at] : memref<?x!derived>
    }
    gpu.return
  }

  // Moves each key, and its entry's number, to its place among the keys with the
  // same digit. One block for each tile.
  //
  // keys[stored], permutation[stored], offsets[16 * tiles], sorted_keys[stored],
  // sorted_permutation[stored], shift, tiles, stored
  gpu.func @scatter(%keys: memref<?x!derived>, %permutation: memref<?x!derived>,
      %offsets: memref<?x!derived>, %sortedKeys: memref<?x!derived>,
      %sortedPermutation: memref<?x!derived>, %shift: index, %tiles: index,
      %stored: index)
      workgroup(%warpSums: memref<32xi64, #gpu.address_space<workgroup>>
          {llvm.align = 16 : i64}) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c8 = arith.constant 8 : index
    %lastLane = arith.constant 31 : index
    %tileSize = arith.constant 2048 : index
    %warpSize = arith.constant 32 : index
    %warpWidth = arith.constant 32 : i32
    %three = arith.constant 3 : i64
    %two = arith.constant 2 : i64
    %one = arith.constant 1 : i64
    %fieldMask = arith.constant 65535 : i64
    %digitMask = arith.constant 15 : i64
    %fieldBits = arith.constant 4 : i64
    %none = arith.constant dense<0> : !digits
    %numbers = arith.constant dense<[0, 1, 2, 3]> : !digits
    %thread = gpu.thread_id x
    %tile = gpu.block_id x
    %lane = arith.remui %thread, %warpSize : index
    %warp = arith.divui %thread, %warpSize : index
    %tileBegin = arith.muli %tile, %tileSize : index
    %ownOffset = arith.muli %thread, %c8 : index
    %begin = arith.addi %tileBegin, %ownOffset : index
    %shiftBits = arith.index_cast %shift : index to i64

    // The thread's own keys, as in count_digits.
    %own = scf.for %i = %c0 to %c8 step %c1 iter_args(%sum = %none) -> !digits {
      %k = arith.addi %begin, %i : index
      %exists = arith.cmpi ult, %k, %stored : index
      %next = scf.if %exists -> !digits {
        %loaded = memref.load %keys[%k] : memref<?x!derived>
        %keyIndex = arith.index_cast %loaded : !derived to index
        %key = arith.index_cast %keyIndex : index to i64
        %shifted = arith.shrui %key, %shiftBits : i64
        %digit = arith.andi %shifted, %digitMask : i64
        %inWord = arith.andi %digit, %three : i64
        %bit = arith.shli %inWord, %fieldBits : i64
        %increment = arith.shli %one, %bit : i64
        %word = arith.shrui %digit, %two : i64
        %words = vector.broadcast %word : i64 to !digits
        %isIn = arith.cmpi eq, %words, %numbers : !digits
        %increments = vector.broadcast %increment : i64 to !digits
        %add = arith.select %isIn, %increments, %none : vector<4xi1>, !digits
        %more = arith.addi %sum, %add : !digits
        scf.yield %more : !digits
      } else {
        scf.yield %sum : !digits
      }
      scf.yield %next : !digits
    }

    // The counts of all threads before this one: inclusive sums over the lanes,
    // and the sums of the warps before.
    %d1 = arith.constant 1 : i32
    %d2 = arith.constant 2 : i32
    %d4 = arith.constant 4 : i32
    %d8 = arith.constant 8 : i32
    %d16 = arith.constant 16 : i32
    %up1, %in1 = gpu.shuffle up %own, %d1, %warpWidth : !digits
    %add1 = arith.select %in1, %up1, %none : !digits
    %sum1 = arith.addi %own, %add1 : !digits
    %up2, %in2 = gpu.shuffle up %sum1, %d2, %warpWidth : !digits
    %add2 = arith.select %in2, %up2, %none : !digits
    %sum2 = arith.addi %sum1, %add2 : !digits
    %up4, %in4 = gpu.shuffle up %sum2, %d4, %warpWidth : !digits
    %add4 = arith.select %in4, %up4, %none : !digits
    %sum4 = arith.addi %sum2, %add4 : !digits
    %up8, %in8 = gpu.shuffle up %sum4, %d8, %warpWidth : !digits
    %add8 = arith.select %in8, %up8, %none : !digits
    %sum8 = arith.addi %sum4, %add8 : !digits
    %up16, %in16 = gpu.shuffle up %sum8, %d16, %warpWidth : !digits
    %add16 = arith.select %in16, %up16, %none : !digits
    %inclusive = arith.addi %sum8, %add16 : !digits
    %isLastLane = arith.cmpi eq, %lane, %lastLane : index
    scf.if %isLastLane {
      %at = arith.muli %warp, %c4 : index
      vector.store %inclusive, %warpSums[%at] : memref<32xi64, #gpu.address_space<workgroup>>, !digits
    }
    gpu.barrier
    %lanesBefore = arith.subi %inclusive, %own : !digits
    %before = scf.for %w = %c0 to %warp step %c1 iter_args(%sum = %lanesBefore) -> !digits {
      %at = arith.muli %w, %c4 : index
      %value = vector.load %warpSums[%at] : memref<32xi64, #gpu.address_space<workgroup>>, !digits
      %next = arith.addi %sum, %value : !digits
      scf.yield %next : !digits
    }

    // The keys once more: each goes behind those with its digit in tiles before
    // this one, in threads before this one, and in this thread.
    %end = scf.for %i = %c0 to %c8 step %c1 iter_args(%seen = %before) -> !digits {
      %k = arith.addi %begin, %i : index
      %exists = arith.cmpi ult, %k, %stored : index
      %next = scf.if %exists -> !digits {
        %loaded = memref.load %keys[%k] : memref<?x!derived>
        %keyIndex = arith.index_cast %loaded : !derived to index
        %key = arith.index_cast %keyIndex : index to i64
        %shifted = arith.shrui %key, %shiftBits : i64
        %digit = arith.andi %shifted, %digitMask : i64
        %inWord = arith.andi %digit, %three : i64
        %bit = arith.shli %inWord, %fieldBits : i64
        %increment = arith.shli %one, %bit : i64
        %word = arith.shrui %digit, %two : i64
        %words = vector.broadcast %word : i64 to !digits
        %isIn = arith.cmpi eq, %words, %numbers : !digits
        %increments = vector.broadcast %increment : i64 to !digits
        %add = arith.select %isIn, %increments, %none : vector<4xi1>, !digits
        %more = arith.addi %seen, %add : !digits

        %mine = arith.select %isIn, %seen, %none : vector<4xi1>, !digits
        %fields = vector.reduction <or>, %mine : !digits into i64
        %field = arith.shrui %fields, %bit : i64
        %rank = arith.andi %field, %fieldMask : i64
        %digitIndex = arith.index_cast %digit : i64 to index
        %row = arith.muli %digitIndex, %tiles : index
        %at = arith.addi %row, %tile : index
        %offsetValue = memref.load %offsets[%at] : memref<?x!derived>
        %offset = arith.index_cast %offsetValue : !derived to index
        %rankIndex = arith.index_cast %rank : i64 to index
        %place = arith.addi %offset, %rankIndex : index
        %entry = memref.load %permutation[%k] : memref<?x!derived>
        memref.store %loaded, %sortedKeys[%place] : memref<?x!derived>
        memref.store %entry, %sortedPermutation[%place] : memref<?x!derived>
        scf.yield %more : !digits
      } else {
        scf.yield %seen : !digits
      }
      scf.yield %next : !digits
    }
    gpu.return
  }

  // The coordinates of the transposed layout: the row, in its item, of each
  // entry. One thread for each.
  //
  // entry_rows[stored], permutation[stored], coordinates[stored], rows, stored
  gpu.func @gather_rows(%entryRows: memref<?x!index>,
      %permutation: memref<?x!derived>, %coordinates: memref<?x!derived>,
      %rows: index, %stored: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %stored : index
    scf.if %exists {
      %e = memref.load %permutation[%k] : memref<?x!derived>
      %entry = arith.index_cast %e : !derived to index
      %r = memref.load %entryRows[%entry] : memref<?x!index>
      %flat = arith.index_cast %r : !index to index
      %row = arith.remui %flat, %rows : index
      %value = arith.index_cast %row : index to !derived
      memref.store %value, %coordinates[%k] : memref<?x!derived>
    }
    gpu.return
  }
}
