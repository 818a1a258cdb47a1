// Exclusive prefix sums: result[k] = values[0] + ... + values[k - 1], of any
// number of elements. To get the total as well, let values end in a 0: it is the
// last result then.
//
// Tiles of 2048 elements are scanned by one block each (256 threads, 8
// neighbouring elements per thread), then what comes before each tile is added:
//   scan(values, result, count):
//     tiles = ceil(count / 2048)
//     scan_tiles<tiles blocks>(values, result, sums, count)
//     if tiles > 1:
//       scan(sums, before, tiles)
//       add_before<ceil(count / 256) blocks>(result, before, count)
// The arrays do not overlap; sums and before have `tiles` elements each.

!index = i32

gpu.module @device {
  // values[count], result[count], sums[tiles], count
  gpu.func @scan_tiles(%values: memref<?x!index>, %result: memref<?x!index>,
      %sums: memref<?x!index>, %count: index)
      workgroup(%warpSums: memref<8x!index, #gpu.address_space<workgroup>>) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c8 = arith.constant 8 : index
    %lastLane = arith.constant 31 : index
    %lastThread = arith.constant 255 : index
    %tileSize = arith.constant 2048 : index
    %warpSize = arith.constant 32 : index
    %warpWidth = arith.constant 32 : i32
    %zero = arith.constant 0 : !index
    %thread = gpu.thread_id x
    %tile = gpu.block_id x
    %lane = arith.remui %thread, %warpSize : index
    %warp = arith.divui %thread, %warpSize : index
    %tileBegin = arith.muli %tile, %tileSize : index
    %ownOffset = arith.muli %thread, %c8 : index
    %begin = arith.addi %tileBegin, %ownOffset : index

    // The sum of the thread's own elements.
    %own = scf.for %i = %c0 to %c8 step %c1 iter_args(%sum = %zero) -> !index {
      %k = arith.addi %begin, %i : index
      %exists = arith.cmpi ult, %k, %count : index
      %value = scf.if %exists -> !index {
        %loaded = memref.load %values[%k] : memref<?x!index>
        scf.yield %loaded : !index
      } else {
        scf.yield %zero : !index
      }
      %next = arith.addi %sum, %value : !index
      scf.yield %next : !index
    }

    // Inclusive sums over the lanes of the warp: distances 1, 2, 4, 8, 16.
    %d1 = arith.constant 1 : i32
    %d2 = arith.constant 2 : i32
    %d4 = arith.constant 4 : i32
    %d8 = arith.constant 8 : i32
    %d16 = arith.constant 16 : i32
    %up1, %in1 = gpu.shuffle up %own, %d1, %warpWidth : !index
    %add1 = arith.select %in1, %up1, %zero : !index
    %sum1 = arith.addi %own, %add1 : !index
    %up2, %in2 = gpu.shuffle up %sum1, %d2, %warpWidth : !index
    %add2 = arith.select %in2, %up2, %zero : !index
    %sum2 = arith.addi %sum1, %add2 : !index
    %up4, %in4 = gpu.shuffle up %sum2, %d4, %warpWidth : !index
    %add4 = arith.select %in4, %up4, %zero : !index
    %sum4 = arith.addi %sum2, %add4 : !index
    %up8, %in8 = gpu.shuffle up %sum4, %d8, %warpWidth : !index
    %add8 = arith.select %in8, %up8, %zero : !index
    %sum8 = arith.addi %sum4, %add8 : !index
    %up16, %in16 = gpu.shuffle up %sum8, %d16, %warpWidth : !index
    %add16 = arith.select %in16, %up16, %zero : !index
    %inclusive = arith.addi %sum8, %add16 : !index

    // The sums of the warps before this one.
    %isLastLane = arith.cmpi eq, %lane, %lastLane : index
    scf.if %isLastLane {
      memref.store %inclusive, %warpSums[%warp] : memref<8x!index, #gpu.address_space<workgroup>>
    }
    gpu.barrier
    %warpsBefore = scf.for %w = %c0 to %warp step %c1 iter_args(%sum = %zero) -> !index {
      %value = memref.load %warpSums[%w] : memref<8x!index, #gpu.address_space<workgroup>>
      %next = arith.addi %sum, %value : !index
      scf.yield %next : !index
    }
    %throughThis = arith.addi %warpsBefore, %inclusive : !index
    %isLastThread = arith.cmpi eq, %thread, %lastThread : index
    scf.if %isLastThread {
      memref.store %throughThis, %sums[%tile] : memref<?x!index>
    }

    // The elements once more, each with what is before it in the tile.
    %before = arith.subi %throughThis, %own : !index
    %end = scf.for %i = %c0 to %c8 step %c1 iter_args(%sum = %before) -> !index {
      %k = arith.addi %begin, %i : index
      %exists = arith.cmpi ult, %k, %count : index
      %value = scf.if %exists -> !index {
        %loaded = memref.load %values[%k] : memref<?x!index>
        memref.store %sum, %result[%k] : memref<?x!index>
        scf.yield %loaded : !index
      } else {
        scf.yield %zero : !index
      }
      %next = arith.addi %sum, %value : !index
      scf.yield %next : !index
    }
    gpu.return
  }

  // result[count], before[tiles], count
  gpu.func @add_before(%result: memref<?x!index>, %before: memref<?x!index>,
      %count: index) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %tileSize = arith.constant 2048 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %threads = gpu.block_dim x
    %first = arith.muli %block, %threads : index
    %k = arith.addi %first, %thread : index
    %exists = arith.cmpi ult, %k, %count : index
    scf.if %exists {
      %tile = arith.divui %k, %tileSize : index
      %offset = memref.load %before[%tile] : memref<?x!index>
      %value = memref.load %result[%k] : memref<?x!index>
      %sum = arith.addi %value, %offset : !index
      memref.store %sum, %result[%k] : memref<?x!index>
    }
    gpu.return
  }
}
