//===- PatternImport.cpp - Patterns from CSR and COO arrays ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Canonicalize.h"
#include "Pattern.h"
#include "Validate.h"

#include <algorithm>
#include <memory>

namespace tsgu::runtime {

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

void Pattern::share(ElementType type, const void *positions,
                    const void *coordinates, int64_t stored) {
  canonical.indexType = type;
  canonical.positions = positions;
  canonical.coordinates = coordinates;
  canonical.rows = items() * rows();
  canonical.stored = stored;
  own(positionBlock.bytes() + coordinateBlock.bytes() + map.bytes());
}

/// Takes the place of the caller's arrays, which go back.
template <typename I> void Pattern::adopt(Canonical made) {
  positionBlock = std::move(made.positions);
  coordinateBlock = std::move(made.coordinates);
  map = std::move(made.entryMap);
  share(indexTypeOf<I>(), positionBlock.data(), coordinateBlock.data(),
        made.stored);
  callerArrays = CallerArrays();
}

template <typename I>
void Pattern::importCSR(const I *positions, const I *coordinates) {
  const bool batched = dims == 3;
  const int64_t perItem = items() ? given / items() : 0;
  const int64_t flatRows = multiply(items(), rows());
  if (batched) {
    positionBlock = blockOf<I>(add(flatRows, 1));
    I *flat = positionBlock.as<I>();
    flat[0] = 0;
    for (int64_t item = 0; item < items(); ++item) {
      const I *own = positions + item * (rows() + 1);
      checkPositions(own, rows(), perItem, item);
      for (int64_t row = 0; row < rows(); ++row)
        flat[item * rows() + row + 1] =
            static_cast<I>(own[row + 1] + item * perItem);
    }
    positions = flat;
  } else {
    checkPositions(positions, flatRows, given, -1);
  }
  if (checkColumns(positions, flatRows, rows(), batched, coordinates, given,
                   columns()))
    share(indexTypeOf<I>(), positions, coordinates, given);
  else
    adopt<I>(canonicalize(positions, flatRows, coordinates, nullptr));
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
                          const void *coordinates, int64_t stored,
                          CallerArrays arrays) {
  const ElementType type =
      checkCSRArrays(rank, shape, givenType, positions, coordinates, stored);
  // Exists before the arrays are looked at, so that they are given back once.
  std::unique_ptr<Pattern, void (*)(Pattern *)> pattern(
      new Pattern(rank, shape, stored, std::move(arrays)),
      [](Pattern *p) { p->release(); });
  withIndexType(type, [&]<typename I>(I) {
    pattern->importCSR(static_cast<const I *>(positions),
                       static_cast<const I *>(coordinates));
  });
  return pattern.release();
}

template <typename I> void Pattern::importCOO(const void *const *coordinates) {
  const I *typed[3] = {};
  for (int32_t d = 0; d < dims; ++d)
    typed[d] = static_cast<const I *>(coordinates[d]);
  if (!checkEntries(typed, dims, extents, given)) {
    adopt<I>(canonicalizeEntries(typed, dims, extents, given));
    return;
  }
  const int64_t flatRows = multiply(items(), rows());
  positionBlock = blockOf<I>(add(flatRows, 1));
  I *positions = positionBlock.as<I>();
  const I *rowOf = typed[dims - 2];
  int64_t next = 0; // The first row whose beginning is not known yet.
  for (int64_t k = 0; k < given; ++k) {
    int64_t row = dims == 3 ? typed[0][k] * rows() + rowOf[k] : rowOf[k];
    for (; next <= row; ++next)
      positions[next] = static_cast<I>(k);
  }
  std::fill(positions + next, positions + flatRows + 1, static_cast<I>(given));
  share(indexTypeOf<I>(), positions, typed[dims - 1], given);
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
                          int64_t stored, CallerArrays arrays) {
  const ElementType type =
      checkCOOArrays(rank, shape, givenType, coordinates, stored);
  std::unique_ptr<Pattern, void (*)(Pattern *)> pattern(
      new Pattern(rank, shape, stored, std::move(arrays)),
      [](Pattern *p) { p->release(); });
  withIndexType(type,
                [&]<typename I>(I) { pattern->importCOO<I>(coordinates); });
  return pattern.release();
}

} // namespace tsgu::runtime
