//===- Transposed.cpp - Copies of tensors stored by columns ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transposed.h"
#include "Errors.h"
#include "Threads.h"

#include <algorithm>
#include <complex>

using namespace tsgu::torch_plugin;

namespace {
/// Elements that are worth a thread.
constexpr int64_t elementsOfThread = 131072;
/// A tile is long where lines are far apart, often by a power of two: few of
/// them fit into the first-level cache then.
constexpr int64_t longSide = 64, shortSide = 8;

/// Transposes a square of 16 bytes a side, and adds `shift` to each row of it.
template <typename T> struct Square {
  static constexpr int64_t side = 16 / sizeof(T);
  typedef T Row __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));

  static void copy(const T *from, int64_t leading, const T *shift, T *to,
                   int64_t apart) {
    Row rows[side];
    for (int64_t k = 0; k < side; ++k)
      rows[k] = *reinterpret_cast<const Row *>(from + k * leading);
    if constexpr (side == 4) {
      const Row a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
      const Row b = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
      const Row c = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
      const Row d = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
      rows[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
      rows[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
      rows[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
      rows[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
    } else {
      const Row first = __builtin_shufflevector(rows[0], rows[1], 0, 2);
      rows[1] = __builtin_shufflevector(rows[0], rows[1], 1, 3);
      rows[0] = first;
    }
    if (shift)
      for (Row &row : rows)
        row += *reinterpret_cast<const Row *>(shift);
    for (int64_t k = 0; k < side; ++k)
      *reinterpret_cast<Row *>(to + k * apart) = rows[k];
  }
};

/// Other elements one by one.
template <typename T> struct Single {
  static constexpr int64_t side = 1;
  static void copy(const T *from, int64_t, const T *shift, T *to, int64_t) {
    *to = shift ? static_cast<T>(*from + *shift) : *from;
  }
};
template <> struct Square<uint16_t> : Single<uint16_t> {};
template <>
struct Square<std::complex<double>> : Single<std::complex<double>> {};

/// A matrix stored by columns, `leading` elements apart, and where its rows go,
/// `apart` elements apart. `shift`, if any, is added to each.
template <typename T> struct Transposition {
  const T *from, *shift;
  T *to;
  int64_t rows, columns, leading, apart;

  template <typename S>
  void copy(int64_t i, int64_t endRow, int64_t j, int64_t endColumn) const {
    for (; j < endColumn; j += S::side)
      for (int64_t k = i; k < endRow; k += S::side)
        S::copy(from + j * leading + k, leading, shift ? shift + j : nullptr,
                to + k * apart + j, apart);
  }
  void copyTile(int64_t i, int64_t endRow, int64_t j, int64_t endColumn) const {
    constexpr int64_t side = Square<T>::side;
    const int64_t lastRow = endRow - (endRow - i) % side;
    const int64_t lastColumn = endColumn - (endColumn - j) % side;
    copy<Square<T>>(i, lastRow, j, lastColumn);
    copy<Single<T>>(lastRow, endRow, j, lastColumn);
    copy<Single<T>>(i, endRow, lastColumn, endColumn);
  }
  void copyRows(int64_t begin, int64_t end) const {
    if (leading >= apart)
      for (int64_t i = begin; i < end; i += longSide)
        for (int64_t j = 0; j < columns; j += shortSide)
          copyTile(i, std::min(i + longSide, end), j,
                   std::min(j + shortSide, columns));
    else
      for (int64_t j = 0; j < columns; j += longSide)
        for (int64_t i = begin; i < end; i += shortSide)
          copyTile(i, std::min(i + shortSide, end), j,
                   std::min(j + longSide, columns));
  }
};
} // namespace

/// The dimension whose elements are contiguous, but for the last one; -1: none.
static int32_t contiguousDimension(const TensorView &view) {
  for (int32_t d = view.rank - 2; d >= 0; --d)
    if (view.strides[d] == 1 && view.shape[d] > 1)
      return d;
  return -1;
}

bool tsgu::torch_plugin::isStoredByColumns(const TensorView &view) {
  return view.place.isCPU() && (view.rank == 2 || view.rank == 3) &&
         view.elements() > 0 && view.shape[view.rank - 1] > 1 &&
         view.strides[view.rank - 1] > 1 && contiguousDimension(view) >= 0;
}

/// `shift`: what is added to every row of an item, (items, columns), if any.
template <typename T>
static void transpose(const TensorView &from, const TensorView &to,
                      const TensorView *shift = nullptr) {
  const int32_t last = from.rank - 1, along = contiguousDimension(from);
  const int32_t other = from.rank == 3 ? 1 - along : -1; // of items
  const int64_t items = other < 0 ? 1 : from.shape[other];
  const int64_t rows = from.shape[along], columns = from.shape[last];
  const int64_t tiles = (rows + longSide - 1) / longSide;
  const int64_t grain = elementsOfThread / (longSide * columns) + 1;
  onThreads(items * tiles, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t item = begin / tiles, first = item * tiles;
      const int64_t until = std::min(end, first + tiles);
      auto startOf = [&](const TensorView &view) {
        return static_cast<T *>(view.data) +
               (other < 0 ? 0 : item * view.strides[other]);
      };
      const Transposition<T> ofItem{
          startOf(from),    shift ? startOf(*shift) : nullptr,
          startOf(to),      rows,
          columns,          from.strides[last],
          to.strides[along]};
      ofItem.copyRows((begin - first) * longSide,
                      std::min(rows, (until - first) * longSide));
      begin = until;
    }
  });
}

TensorHandle tsgu::torch_plugin::inRows(const TensorView &view) {
  TensorView made;
  TensorHandle result =
      allocate(view.place, view.type, view.rank, view.shape, made);
  switch (elementSize(view.type)) {
  case 2:
    transpose<uint16_t>(view, made);
    break;
  case 4:
    transpose<float>(view, made);
    break;
  case 8:
    transpose<double>(view, made);
    break;
  default:
    transpose<std::complex<double>>(view, made);
  }
  return result;
}

/// Whether the shift is the same for all rows, and contiguous.
static bool isOfAllRows(const TensorView &shift, const TensorView &x) {
  return shift.rank == x.rank &&
         std::equal(shift.shape, shift.shape + x.rank, x.shape) &&
         shift.strides[contiguousDimension(x)] == 0 &&
         shift.strides[x.rank - 1] == 1;
}

TensorHandle tsgu::torch_plugin::shiftedRows(const TensorView &x,
                                             const TensorView &shift) {
  if ((x.type != TSGU_F32 && x.type != TSGU_F64) || shift.type != x.type)
    fail(ErrorKind::Type, "x and its shift must be both float32 or float64");
  if (!isStoredByColumns(x) || !isOfAllRows(shift, x))
    fail(ErrorKind::Value, "x must be stored by columns, and its shift a "
                           "contiguous row that is expanded to the shape of x");
  TensorView made;
  TensorHandle result = allocate(x.place, x.type, x.rank, x.shape, made);
  if (x.type == TSGU_F32)
    transpose<float>(x, made, &shift);
  else
    transpose<double>(x, made, &shift);
  return result;
}
