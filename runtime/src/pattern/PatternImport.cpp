//===- PatternImport.cpp - Patterns from CSR and COO arrays ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Canonicalize.h"
#include "pattern/Pattern.h"
#include "pattern/Validate.h"

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

namespace tsgu::runtime {

using OwnedPattern = std::unique_ptr<Pattern, void (*)(Pattern *)>;

static void releasePattern(Pattern *pattern) { pattern->release(); }

/// Returns the index type.
static ElementType checkShape(int32_t rank, const int64_t *shape,
                              tsgu_type type, int64_t stored) {
  if (rank != 2 && rank != 3)
    fail(Status::InvalidArgument, "a pattern has rank 2, or 3 with a leading ",
         "dimension of items; got rank ", rank);
  if (!shape)
    fail(Status::InvalidArgument, "shape is NULL");
  if (type != TSGU_I32 && type != TSGU_I64)
    fail(Status::InvalidArgument, "index type ", static_cast<int>(type),
         " is none; positions and coordinates are int32 or int64");
  for (int32_t d = 0; d < rank; ++d)
    if (shape[d] < 0)
      fail(Status::InvalidArgument, "dimension ", d, " of the shape is ",
           shape[d], "; extents are not negative");
  if (stored < 0)
    fail(Status::InvalidArgument, "the number of stored entries is ", stored,
         "; it cannot be negative");
  if (type == TSGU_I32 && !fitsInt32(stored))
    fail(Status::InvalidArgument, "int32 positions cannot count ", stored,
         " stored entries; pass the pattern with int64 indices");
  return static_cast<ElementType>(type);
}

ElementType Pattern::ownIndexType(int32_t rank, const int64_t *shape,
                                  int64_t stored, bool ofEntries) {
  int64_t rows = shape[rank - 2];
  if (rank == 3)
    rows = ofEntries && isSpread(rank, shape, stored)
               ? std::max(shape[0], rows)
               : multiply(shape[0], rows);
  return runtime::derivedIndexType(rows, shape[rank - 1], stored);
}

static void checkPointer(const void *data, ElementType type, int64_t length,
                         const char *name) {
  if (length == 0)
    return;
  if (!data)
    fail(Status::InvalidArgument, name, " is NULL, but ", length,
         " elements are needed");
  if (reinterpret_cast<uintptr_t>(data) % elementSize(type) != 0)
    fail(Status::InvalidArgument, name, " is not aligned to its ",
         elementSize(type), "-byte elements");
}

void Pattern::setCanonical(ElementType type, const void *positions,
                           const void *coordinates, int64_t stored) {
  canonical.indexType = type;
  canonical.positions = positions;
  canonical.coordinates = coordinates;
  canonical.rows = spread ? extents[0] : items() * rows();
  canonical.stored = stored;
  canonical.upper[1].coordinates = middleBlock.data();
  own(positionBlock.bytes() + middleBlock.bytes() + coordinateBlock.bytes() +
      map.bytes());
}

void Pattern::adopt(ElementType type, Canonical made) {
  positionBlock = std::move(made.positions);
  coordinateBlock = std::move(made.coordinates);
  map = std::move(made.entryMap);
  setCanonical(type, positionBlock.data(), coordinateBlock.data(), made.stored);
}

//===----------------------------------------------------------------------===//
// The copies are checked, not what was given: others may write to that
// meanwhile.
//===----------------------------------------------------------------------===//

/// Whether all indices fit in the type of the copy.
template <typename I, typename O>
static bool copyIndices(const I *from, int64_t count, O *to) {
  std::make_unsigned_t<I> lost = 0;
  for (int64_t k = 0; k < count; ++k) {
    const I index = from[k];
    to[k] = static_cast<O>(index);
    lost |= static_cast<std::make_unsigned_t<I>>(index) ^
            static_cast<std::make_unsigned_t<I>>(static_cast<I>(to[k]));
  }
  return lost == 0;
}

[[noreturn]] static void failToCopy() {
  fail(Status::InvalidPattern,
       "the index arrays were written to while the pattern was made");
}

/// The positions of all items as one array that counts all entries through, of
/// `perItem` in each item.
template <typename I>
static Block joinItems(const I *positions, int64_t items, int64_t rows,
                       int64_t perItem) {
  Block joined = blockOf<I>(add(multiply(items, rows), 1));
  I *flat = joined.as<I>();
  flat[0] = 0;
  for (int64_t item = 0; item < items; ++item) {
    const I *own = positions + item * (rows + 1);
    checkPositions(own, rows, perItem, item);
    for (int64_t row = 0; row < rows; ++row)
      flat[item * rows + row + 1] =
          static_cast<I>(own[row + 1] + item * perItem);
  }
  return joined;
}

/// Whether columns ascend strictly. `joined` becomes the positions of all items
/// of a batch. Throws for arrays that are no pattern.
template <typename I>
static bool checkCSR(const Pattern &pattern, const I *positions,
                     const I *coordinates, Block &joined) {
  const int64_t items = pattern.items(), rows = pattern.rows();
  const int64_t stored = pattern.entries();
  const bool batched = pattern.rank() == 3;
  if (batched) {
    joined = joinItems(positions, items, rows, items ? stored / items : 0);
    positions = joined.as<I>();
  } else {
    checkPositions(positions, rows, stored, -1);
  }
  return checkColumns(positions, items * rows, rows, batched, coordinates,
                      stored, pattern.columns());
}

template <typename I, typename O>
void Pattern::importCSR(const I *positions, const I *coordinates) {
  const int64_t count = multiply(items(), add(rows(), 1));
  positionBlock = blockOf<O>(count);
  coordinateBlock = blockOf<O>(given);
  Block joined;
  if (!copyIndices(positions, count, positionBlock.as<O>()) ||
      !copyIndices(coordinates, given, coordinateBlock.as<O>())) {
    checkCSR(*this, positions, coordinates, joined); // Says which it is.
    failToCopy();
  }
  const bool ascend =
      checkCSR(*this, positionBlock.as<O>(), coordinateBlock.as<O>(), joined);
  if (dims == 3)
    positionBlock = std::move(joined);
  if (ascend)
    setCanonical(indexTypeOf<O>(), positionBlock.data(), coordinateBlock.data(),
                 given);
  else
    adopt(indexTypeOf<O>(),
          canonicalize(positionBlock.as<O>(), items() * rows(),
                       coordinateBlock.as<O>(), nullptr));
}

ElementType Pattern::checkCSRArrays(int32_t rank, const int64_t *shape,
                                    tsgu_type givenType, const void *positions,
                                    const void *coordinates, int64_t stored) {
  const ElementType type = checkShape(rank, shape, givenType, stored);
  int64_t positionCount = add(shape[rank - 2], 1);
  if (rank == 3) {
    positionCount = multiply(shape[0], positionCount);
    if (shape[0] == 0 ? stored != 0 : stored % shape[0] != 0)
      fail(Status::InvalidPattern, stored,
           " stored entries do not divide into ", shape[0],
           " items; in this format all items store equally many");
  }
  checkPointer(positions, type, positionCount, "positions");
  checkPointer(coordinates, type, stored, "coordinates");
  return type;
}

Pattern *Pattern::fromCSR(int32_t rank, const int64_t *shape,
                          tsgu_type givenType, const void *positions,
                          const void *coordinates, int64_t stored) {
  const ElementType type =
      checkCSRArrays(rank, shape, givenType, positions, coordinates, stored);
  OwnedPattern pattern(new Pattern(rank, shape, stored), releasePattern);
  withIndexType(type, [&]<typename I>(I) {
    withIndexType(ownIndexType(rank, shape, stored, false), [&]<typename O>(O) {
      pattern->importCSR<I, O>(static_cast<const I *>(positions),
                               static_cast<const I *>(coordinates));
    });
  });
  return pattern.release();
}

/// The positions of entries in strictly ascending order.
template <typename I>
static Block positionsOf(const I *const *coordinates, int32_t rank,
                         int64_t stored, int64_t rows, int64_t flatRows) {
  Block block = blockOf<I>(add(flatRows, 1));
  I *positions = block.as<I>();
  const I *rowOf = coordinates[rank - 2];
  int64_t next = 0; // The first row whose beginning is not known yet.
  for (int64_t k = 0; k < stored; ++k) {
    int64_t row = rank == 3 ? coordinates[0][k] * rows + rowOf[k] : rowOf[k];
    for (; next <= row; ++next)
      positions[next] = static_cast<I>(k);
  }
  std::fill(positions + next, positions + flatRows + 1, static_cast<I>(stored));
  return block;
}

/// Whether neither of the other coordinates repeats below a first one. The
/// second ones ascend.
template <typename I>
static bool arePaired(const I *positions, int64_t rows, const I *second,
                      const I *third) {
  std::vector<I> sorted;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t begin = positions[row], end = positions[row + 1];
    bool repeat = false, descend = false;
    for (int64_t k = begin + 1; k < end; ++k) {
      repeat |= second[k] == second[k - 1];
      descend |= third[k] <= third[k - 1];
    }
    if (descend && !repeat) {
      sorted.assign(third + begin, third + end);
      std::sort(sorted.begin(), sorted.end());
      repeat = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
    }
    if (repeat)
      return false;
  }
  return true;
}

template <typename I, typename O>
void Pattern::importCOO(const void *const *coordinates) {
  const I *from[3] = {};
  const O *own[3] = {};
  Block copies[3];
  bool fit = true;
  for (int32_t d = 0; d < dims; ++d) {
    from[d] = static_cast<const I *>(coordinates[d]);
    copies[d] = blockOf<O>(given);
    own[d] = copies[d].as<O>();
    fit &= copyIndices(from[d], given, copies[d].as<O>());
  }
  if (!fit) {
    checkEntries(from, dims, extents, given); // Says which it is.
    failToCopy();
  }
  if (!checkEntries(own, dims, extents, given)) {
    adopt(indexTypeOf<O>(), canonicalizeEntries(own, dims, extents, given));
    return;
  }
  if (isSpread(dims, extents, given)) {
    spread = true;
    positionBlock = positionsOf(own, 2, given, 0, extents[0]);
    paired = arePaired(positionBlock.as<O>(), extents[0], own[1], own[2]);
    middleBlock = std::move(copies[1]);
  } else {
    positionBlock =
        positionsOf(own, dims, given, rows(), multiply(items(), rows()));
  }
  coordinateBlock = std::move(copies[dims - 1]);
  setCanonical(indexTypeOf<O>(), positionBlock.data(), coordinateBlock.data(),
               given);
}

ElementType Pattern::checkCOOArrays(int32_t rank, const int64_t *shape,
                                    tsgu_type givenType,
                                    const void *const *coordinates,
                                    int64_t stored) {
  const ElementType type = checkShape(rank, shape, givenType, stored);
  if (!coordinates)
    fail(Status::InvalidArgument, "coordinates is NULL");
  for (int32_t d = 0; d < rank; ++d)
    checkPointer(coordinates[d], type, stored, "an array of coordinates");
  return type;
}

Pattern *Pattern::fromCOO(int32_t rank, const int64_t *shape,
                          tsgu_type givenType, const void *const *coordinates,
                          int64_t stored) {
  const ElementType type =
      checkCOOArrays(rank, shape, givenType, coordinates, stored);
  OwnedPattern pattern(new Pattern(rank, shape, stored), releasePattern);
  withIndexType(type, [&]<typename I>(I) {
    withIndexType(ownIndexType(rank, shape, stored, true), [&]<typename O>(O) {
      pattern->importCOO<I, O>(coordinates);
    });
  });
  return pattern.release();
}

} // namespace tsgu::runtime
