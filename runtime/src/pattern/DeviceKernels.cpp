//===- DeviceKernels.cpp - What patterns need computed on devices ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The recipes are those that the comments of lib/Programs/device/*.mlir give.
//
//===----------------------------------------------------------------------===//

#include "pattern/DeviceKernels.h"
#include "base/CompilerLibrary.h"
#include "tsgu/Error.h"
#include "tsgu/tsgu.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <initializer_list>
#include <vector>

namespace tsgu::runtime {
namespace {

enum Library {
  Check,
  Copy,
  Fill,
  Permute,
  Rows,
  Scan,
  Sort,
  SplitLibrary,
  Sum,
  Libraries
};
constexpr const char *libraryPaths[Libraries] = {
    "device/check",   "device/copy",  "device/fill",
    "device/permute", "device/rows",  "device/scan",
    "device/sort",    "device/split", "device/sum"};

constexpr int64_t blockThreads = 256;
constexpr int64_t tileSize = 2048; ///< Of scan and sort.

int64_t ceilDiv(int64_t count, int64_t by) {
  return count / by + (count % by != 0);
}

int slotOf(tsgu_target target) {
  return target == TSGU_TARGET_SM90 ? 2 : target == TSGU_TARGET_SM80 ? 1 : 0;
}

/// Compiled once for each of its types and targets; found without a lock.
const tsgu_object &libraryFor(Library library, ElementType index,
                              ElementType derived, tsgu_target target) {
  static std::atomic<const tsgu_object *> table[Libraries][2][2][3];
  std::atomic<const tsgu_object *> &entry =
      table[library][index == ElementType::I64][derived == ElementType::I64]
           [slotOf(target)];
  if (const tsgu_object *ready = entry.load(std::memory_order_acquire))
    return *ready;
  const tsgu_specialization specialization{TSGU_F32,
                                           static_cast<uint8_t>(index),
                                           static_cast<uint8_t>(derived),
                                           nullptr,
                                           0,
                                           static_cast<uint8_t>(target),
                                           0,
                                           {},
                                           {}};
  const tsgu_object &object = compile(libraryPaths[library], specialization);
  entry.store(&object, std::memory_order_release);
  return object;
}

/// A parameter of a kernel.
struct Word {
  uint64_t bits;
  Word(const void *pointer) : bits(reinterpret_cast<uintptr_t>(pointer)) {}
  Word(int64_t size) : bits(static_cast<uint64_t>(size)) {}
};

/// A device, a stream, and the index types of the libraries called.
class Calls {
public:
  Calls(Device &device, void *stream, ElementType index, ElementType derived)
      : device(device), stream(stream), index(index), derived(derived) {}
  Calls(Device &device, void *stream, ElementType index)
      : Calls(device, stream, index, index) {}

  /// Starts the kernel that has this name in the library.
  void operator()(Library library, const char *name, int64_t blocks,
                  std::initializer_list<Word> parameters,
                  int64_t items = 1) const {
    if (blocks == 0 || items == 0)
      return;
    if (!fitsInt32(blocks))
      fail(Status::InvalidArgument, "kernel ", name, " needs ", blocks,
           " blocks of threads, more than a device starts");
    const tsgu_object &object =
        libraryFor(library, index, derived, device.target());
    uint64_t words[16];
    size_t count = 0;
    for (const Word &word : parameters)
      words[count++] = word.bits;
    for (uint32_t i = 0; i < object.kernel_count; ++i)
      if (std::strcmp(object.device_kernels[i].name, name) == 0) {
        device.launch(
            object, i,
            {static_cast<uint32_t>(blocks), static_cast<uint32_t>(items)},
            {words, count}, stream);
        return;
      }
    fail(Status::CompileFailed, libraryPaths[library], " has no kernel ", name);
  }

  /// One thread for each of so many elements.
  void forEach(Library library, const char *name, int64_t elements,
               std::initializer_list<Word> parameters,
               int64_t items = 1) const {
    (*this)(library, name, ceilDiv(elements, blockThreads), parameters, items);
  }

  DeviceBlock indices(int64_t count) const {
    return {device, multiply(count, elementSize(index))};
  }
  DeviceBlock derivedIndices(int64_t count) const {
    return {device, multiply(count, elementSize(derived))};
  }

  /// The element of an array of indices; waits.
  int64_t read(const DeviceBlock &array, int64_t at) const {
    const int64_t size = elementSize(index);
    int64_t wide = 0;
    int32_t narrow = 0;
    device.read(size == 8 ? static_cast<void *>(&wide) : &narrow,
                array.as<char>() + at * size, size, stream);
    return size == 8 ? wide : narrow;
  }

  /// Exclusive prefix sums. The memory that it needs between is added to
  /// `kept`.
  void scan(const void *values, void *result, int64_t count,
            std::vector<DeviceBlock> &kept) const {
    const int64_t tiles = ceilDiv(count, tileSize);
    DeviceBlock sums = indices(tiles), before = indices(tiles);
    (*this)(Scan, "scan_tiles", tiles, {values, result, sums.data(), count});
    if (tiles > 1) {
      scan(sums.data(), before.data(), tiles, kept);
      forEach(Scan, "add_before", count, {result, before.data(), count});
    }
    kept.push_back(std::move(sums));
    kept.push_back(std::move(before));
  }

  Device &device;
  void *stream;
  ElementType index, derived;
};

/// What a check has found; waits.
bool isClear(const Calls &call, const DeviceBlock &flags) {
  uint32_t found = 0;
  call.device.read(&found, flags.data(), sizeof(found), call.stream);
  return found == 0;
}

DeviceBlock clearFlags(const Calls &call) {
  DeviceBlock flags(call.device, sizeof(uint32_t));
  call.device.fill(flags.data(), 0, 1, call.stream);
  return flags;
}

/// Bits of the largest of so many keys.
int bitsOf(int64_t keys) {
  int bits = 0;
  while (bits < 63 && (int64_t(1) << bits) < keys)
    ++bits;
  return bits;
}

} // namespace

DeviceCopies::DeviceCopies(Device &device, void *stream, ElementType from,
                           ElementType to)
    : device(device), stream(stream), from(from), to(to),
      flags(clearFlags(Calls(device, stream, from))) {}

DeviceBlock DeviceCopies::copy(const void *indices, int64_t count) {
  const Calls call(device, stream, from, to);
  DeviceBlock copied = call.derivedIndices(count);
  call.forEach(Copy, "copy_indices", count,
               {indices, copied.data(), flags.data(), count});
  return copied;
}

bool isCanonicalOn(Device &device, void *stream, const DeviceCSR &csr,
                   const DeviceBlock &flags) {
  const Calls call(device, stream, csr.type);
  call.forEach(Check, "check_positions", csr.items * (csr.rows + 1),
               {csr.positions, flags.data(), csr.items, csr.rows, csr.stored});
  call.forEach(Check, "check_coordinates", csr.stored,
               {csr.positions, csr.coordinates, flags.data(), csr.items,
                csr.rows, csr.columns, csr.stored});
  return isClear(call, flags);
}

/// The flat rows of entries: those given, where there are no items.
static const void *flatRowsOf(const Calls &call, const DeviceCOO &coo,
                              const DeviceBlock &flags, DeviceBlock &memory) {
  if (!coo.item)
    return coo.row;
  memory = call.indices(coo.stored);
  call.forEach(Rows, "flatten_rows", coo.stored,
               {coo.item, coo.row, memory.data(), flags.data(), coo.items,
                coo.rows, coo.stored});
  return memory.data();
}

bool isCanonicalOn(Device &device, void *stream, const DeviceCOO &coo,
                   const DeviceBlock &flags) {
  const Calls call(device, stream, coo.type);
  DeviceBlock memory;
  const void *rows = flatRowsOf(call, coo, flags, memory);
  call.forEach(Check, "check_coo", coo.stored,
               {rows, coo.column, flags.data(), multiply(coo.items, coo.rows),
                coo.columns, coo.stored});
  return isClear(call, flags);
}

DeviceBlock joinItemsOn(Device &device, void *stream, const DeviceCSR &csr) {
  const Calls call(device, stream, csr.type);
  const int64_t count = add(multiply(csr.items, csr.rows), 1);
  DeviceBlock joined = call.indices(count);
  call.forEach(Rows, "join_items", count,
               {csr.positions, joined.data(), csr.items, csr.rows, csr.stored});
  call.read(joined, 0); // Other streams may use it.
  return joined;
}

DeviceBlock positionsFromRowsOn(Device &device, void *stream,
                                const DeviceCOO &coo) {
  const Calls call(device, stream, coo.type);
  const DeviceBlock flags = clearFlags(call);
  DeviceBlock memory;
  const void *rows = flatRowsOf(call, coo, flags, memory);
  const int64_t count = add(multiply(coo.items, coo.rows), 1);
  DeviceBlock positions = call.indices(count);
  call.forEach(Rows, "positions_from_rows", count,
               {rows, positions.data(), count - 1, coo.stored});
  isClear(call, flags); // What is freed here has been read by then.
  return positions;
}

/// Calls launch(from, to, items) for as many items at once as a grid takes.
template <typename F>
static void inParts(ItemValues from, ItemValues to, int64_t items, F &&launch) {
  for (int64_t item = 0; item < items; item += Grid::maxY)
    launch(from.from(item), to.from(item), std::min(Grid::maxY, items - item));
}

void permuteOn(Device &device, void *stream, const Layout &layout,
               int64_t elementSize, ItemValues from, ItemValues to,
               int64_t items) {
  const Calls call(device, stream, layout.permutationType);
  const char *name = elementSize == 2   ? "permute2"
                     : elementSize == 4 ? "permute4"
                                        : "permute8";
  inParts(from, to, items,
          [&](ItemValues source, ItemValues target, int64_t count) {
            call.forEach(Permute, name, layout.stored,
                         {layout.permutation, source.data, target.data,
                          layout.stored, from.itemBytes / elementSize,
                          to.itemBytes / elementSize},
                         count);
          });
}

void fillOn(Device &device, void *stream, uint64_t bits, int64_t elementSize,
            ItemValues to, int64_t rows, int64_t width, int64_t stride,
            int64_t items) {
  const Calls call(device, stream, ElementType::I32);
  inParts(to, to, items, [&](ItemValues, ItemValues target, int64_t count) {
    call.forEach(Fill, elementSize == 4 ? "fill4" : "fill8",
                 multiply(rows, width),
                 {target.data, static_cast<int64_t>(bits), rows, width, stride,
                  to.itemBytes / elementSize},
                 count);
  });
}

void sumEntriesOn(Device &device, void *stream, const EntrySums &sums,
                  int64_t elementSize, ItemValues from, ItemValues to,
                  int64_t items) {
  const Calls call(device, stream, ElementType::I64);
  inParts(from, to, items,
          [&](ItemValues source, ItemValues target, int64_t count) {
            call.forEach(Sum, elementSize == 4 ? "sum4" : "sum8", sums.stored,
                         {sums.positions.data(), sums.entries.data(),
                          source.data, target.data, sums.stored,
                          from.itemBytes / elementSize,
                          to.itemBytes / elementSize},
                         count);
          });
}

DeviceLayout transposeOn(Device &device, void *stream, const Layout &csr,
                         int64_t items, int64_t rows, int64_t columns) {
  const ElementType derived = derivedIndexType(rows, columns, csr.stored);
  const int64_t keyCount = multiply(items, columns);
  if (derived == ElementType::I32 && !fitsInt32(keyCount))
    fail(Status::InvalidArgument, "a batch of ", items, " items with ", columns,
         " columns each is too large to be transposed on a device");
  const Calls own(device, stream, csr.indexType);
  const Calls call(device, stream, csr.indexType, derived);
  const Calls ofDerived(device, stream, derived);
  const int64_t stored = csr.stored;
  std::vector<DeviceBlock> kept;

  DeviceBlock entryRows = own.indices(stored);
  own.forEach(Rows, "rows_of_entries", stored,
              {csr.positions, entryRows.data(), csr.rows, stored});
  DeviceBlock keys = call.derivedIndices(stored);
  DeviceBlock permutation = call.derivedIndices(stored);
  call.forEach(Sort, "make_keys", stored,
               {entryRows.data(), csr.coordinates, keys.data(),
                permutation.data(), items, rows, columns, stored});

  DeviceBlock sortedKeys = call.derivedIndices(stored);
  DeviceBlock sortedPermutation = call.derivedIndices(stored);
  const int64_t tiles = ceilDiv(stored, tileSize);
  DeviceBlock counts = call.derivedIndices(16 * tiles);
  DeviceBlock offsets = call.derivedIndices(16 * tiles);
  for (int64_t shift = 0; shift < bitsOf(keyCount); shift += 4) {
    call(Sort, "count_digits", tiles,
         {keys.data(), counts.data(), shift, tiles, stored});
    ofDerived.scan(counts.data(), offsets.data(), 16 * tiles, kept);
    call(Sort, "scatter", tiles,
         {keys.data(), permutation.data(), offsets.data(), sortedKeys.data(),
          sortedPermutation.data(), shift, tiles, stored});
    std::swap(keys, sortedKeys);
    std::swap(permutation, sortedPermutation);
  }

  DeviceLayout made;
  made.positions = call.derivedIndices(add(keyCount, 1));
  ofDerived.forEach(Rows, "positions_from_rows", keyCount + 1,
                    {keys.data(), made.positions.data(), keyCount, stored});
  made.coordinates = call.derivedIndices(stored);
  call.forEach(Sort, "gather_rows", stored,
               {entryRows.data(), permutation.data(), made.coordinates.data(),
                rows, stored});
  made.permutation = std::move(permutation);
  made.layout = {derived,
                 derived,
                 made.positions.data(),
                 made.coordinates.data(),
                 made.permutation.data(),
                 keyCount,
                 stored};
  // What is freed here has been read by then, and so has what others read.
  ofDerived.read(made.positions, 0);
  return made;
}

Split splitOn(Device &device, void *stream, const Layout &layout) {
  const Calls call(device, stream, layout.indexType);
  const int64_t rows = layout.rows, count = add(rows, 1);
  Split split;
  split.length = splitLength(rows, layout.stored);
  if (layout.stored <= split.length) // No row can be longer.
    return split;
  std::vector<DeviceBlock> kept;
  DeviceBlock chunks = call.indices(count), isLong = call.indices(count);
  DeviceBlock firstChunk = call.indices(count), number = call.indices(count);
  call.forEach(
      SplitLibrary, "count_chunks", count,
      {layout.positions, chunks.data(), isLong.data(), rows, split.length});
  call.scan(chunks.data(), firstChunk.data(), count, kept);
  call.scan(isLong.data(), number.data(), count, kept);
  split.chunks = call.read(firstChunk, rows);
  split.longRows = call.read(number, rows);
  if (split.chunks == 0)
    return split;

  const int64_t size = elementSize(layout.indexType);
  split.memory = call.indices(2 * split.chunks + 2 * split.longRows + 1);
  char *chunkRows = split.memory.as<char>();
  char *chunkPositions = chunkRows + split.chunks * size;
  char *longRows = chunkPositions + split.chunks * size;
  char *longPositions = longRows + split.longRows * size;
  call.forEach(SplitLibrary, "fill_chunks", split.chunks,
               {layout.positions, firstChunk.data(), chunkRows, chunkPositions,
                rows, split.chunks, split.length});
  call.forEach(
      SplitLibrary, "fill_long_rows", count,
      {firstChunk.data(), number.data(), longRows, longPositions, rows});
  split.chunkRows = chunkRows;
  split.chunkPositions = chunkPositions;
  split.rows = longRows;
  split.firstChunks = longPositions;
  call.read(split.memory, 0); // As above.
  return split;
}

} // namespace tsgu::runtime
