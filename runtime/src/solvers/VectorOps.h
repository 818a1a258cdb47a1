//===- VectorOps.h - Fused operations on blocks of vectors ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block is n x k, row-major, without gaps. Rows are taken in tiles of `lanes`
// rows, so that k = 1 and k > 1 are both loops over contiguous elements, and
// sums are made by lane and chunk of rows: the result of a column depends
// neither on the threads nor on the columns beside it.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_SOLVERS_VECTOROPS_H
#define TSGU_SRC_SOLVERS_VECTOROPS_H

#include "base/Parallel.h"
#include "base/Scratch.h"
#include "pattern/Matrix.h"
#include "solvers/Pack.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace tsgu::runtime {

/// Rows summed side by side.
inline constexpr int64_t lanes = 16;

/// Rows of a chunk, the unit of sums: fixed by the length.
inline int64_t chunkRows(int64_t length) {
  const int64_t rows = (length / 64 + lanes - 1) / lanes * lanes;
  return std::clamp<int64_t>(rows, 256, 1024);
}

/// One column: sums stay in registers.
template <typename S, size_t... R, size_t... P, typename F>
TSGU_INLINE inline void sweepColumn(int64_t begin, int64_t end, S *to,
                                    std::index_sequence<R...>,
                                    std::index_sequence<P...>, F body) {
  constexpr size_t count = sizeof...(R);
  Pack<S> sums[count + 1][sizeof...(P)] = {};
  int64_t i = begin;
  auto pack = [&]<size_t p>(std::integral_constant<size_t, p>) TSGU_INLINE {
    constexpr int64_t lane = p * Pack<S>::width;
    body(PackAt{i + lane}, PackAt{lane}, sums[R][p]...);
  };
  for (; i + lanes <= end; i += lanes)
    (pack(std::integral_constant<size_t, P>{}), ...);
  S lane[count + 1][lanes];
  std::memcpy(&lane, &sums, sizeof(lane));
  TSGU_ROLLED
  for (int64_t l = 0; i + l < end; ++l)
    body(i + l, l, lane[R][l]...);
  for (size_t r = 0; r < count; ++r) {
    S sum{};
    TSGU_ROLLED
    for (int64_t l = 0; l < lanes; ++l)
      sum += lane[r][l];
    to[r] = sum;
  }
}

/// Tiles of `lanes` rows.
template <typename S, size_t... R, typename F>
TSGU_INLINE inline void sweepTiles(int64_t k, int64_t begin, int64_t end, S *to,
                                   std::index_sequence<R...>, F body) {
  constexpr size_t count = sizeof...(R);
  const int64_t tile = lanes * k, last = end * k;
  S small[256];
  const bool fits = static_cast<int64_t>(count) * tile <= 256;
  const Scratch large(fits ? 0
                           : static_cast<int64_t>(count * sizeof(S)) * tile);
  S *sums = fits ? small : reinterpret_cast<S *>(large.data());
  std::fill_n(sums, count * static_cast<size_t>(tile), S{});
  for (int64_t e = begin * k; e < last; e += tile) {
    const int64_t width = std::min(tile, last - e);
    int64_t c = 0;
    TSGU_ROLLED
    for (; c + Pack<S>::width <= width; c += Pack<S>::width)
      body(PackAt{e + c}, PackAt{c},
           at(sums + static_cast<int64_t>(R) * tile, PackAt{c})...);
    TSGU_ROLLED
    for (; c < width; ++c)
      body(e + c, c, sums[static_cast<int64_t>(R) * tile + c]...);
  }
  for (int64_t r = 0; r < static_cast<int64_t>(count); ++r)
    for (int64_t j = 0; j < k; ++j) {
      S sum{};
      TSGU_ROLLED
      for (int64_t l = 0; l < lanes; ++l)
        sum += sums[r * tile + l * k + j];
      to[r * k + j] = sum;
    }
}

/// body(element, coefficient, sums...) for all elements of the rows [begin,
/// end) of n x k blocks, for packs of them where it can: places are those of
/// at(). `coefficient` is where the element's column is in a spread(). Adds
/// nothing to, but overwrites, to[r * k + j]: the sum r of column j.
template <typename S, size_t... R, typename F>
TSGU_INLINE inline void sweepRows(int64_t k, int64_t begin, int64_t end, S *to,
                                  std::index_sequence<R...> sums,
                                  const F &body) {
  if (k == 1)
    sweepColumn(begin, end, to, sums,
                std::make_index_sequence<lanes / Pack<S>::width>{}, body);
  else
    sweepTiles(k, begin, end, to, sums, body);
}

/// Operations on blocks with `length` rows and `columns` columns.
template <typename T> class VectorOps {
public:
  VectorOps(int64_t length, const tsgu_executor &executor)
      : length(length), executor(executor) {}

  const int64_t length;
  int64_t columns = 0;
  tsgu_executor executor;

  int64_t elements() const { return length * columns; }

  /// One coefficient for each column, repeated for all lanes; valid until the
  /// slot's next use.
  template <typename S> const T *spread(const std::vector<S> &column, int slot);

  /// out_j = x_j^H y_j.
  void dot(const T *x, const T *y, Wide<T> *out) {
    sweep<1>(out, [=](auto e, auto, auto &sum)
                      TSGU_INLINE { sum += dotTerm(at(x, e), at(y, e)); });
  }
  /// out_j = norm(x_j)^2.
  void squares(const T *x, std::vector<double> &out) {
    std::vector<Wide<T>> sums(out.size());
    sweep<1>(sums.data(), [=](auto e, auto, auto &sum)
                              TSGU_INLINE { sum += squareOf(at(x, e)); });
    for (int64_t j = 0; j < columns; ++j)
      out[j] = realOf(sums[j]);
  }

  /// body(element, coefficient, sum...) over all rows; to[r * columns + j] is
  /// the sum r of column j.
  template <size_t N, typename F> void sweep(Wide<T> *to, const F &body) {
    const int64_t k = columns, rows = chunkRows(length);
    const int64_t chunks = (length + rows - 1) / rows;
    const auto width = static_cast<int64_t>(N) * k;
    T *partial = partialSums(chunks, width);
    forChunks(chunks, [&, partial](int64_t first, int64_t last) {
      withVectors([&]() TSGU_INLINE {
        for (int64_t chunk = first; chunk < last; ++chunk)
          sweepRows<T>(k, chunk * rows, std::min(length, (chunk + 1) * rows),
                       partial + chunk * width, std::make_index_sequence<N>{},
                       body);
      });
    });
    addChunks(partial, chunks, width, to);
  }

  /// sweepRows without sums.
  template <typename F> void each(const F &body) {
    const int64_t k = columns, rows = chunkRows(length);
    forChunks((length + rows - 1) / rows, [&](int64_t first, int64_t last) {
      withVectors([&]() TSGU_INLINE {
        sweepRows<T>(k, first * rows, std::min(length, last * rows),
                     static_cast<T *>(nullptr), std::index_sequence<>{}, body);
      });
    });
  }

  /// body(row, column), at no great speed.
  template <typename F> void cells(const F &body) {
    const int64_t k = columns, rows = chunkRows(length);
    forChunks((length + rows - 1) / rows, [&](int64_t first, int64_t last) {
      const int64_t end = std::min(length, last * rows);
      if (k == 1)
        for (int64_t i = first * rows; i < end; ++i)
          body(i, int64_t{0});
      else
        for (int64_t i = first * rows; i < end; ++i)
          for (int64_t j = 0; j < k; ++j)
            body(i, j);
    });
  }

  /// function(first, last) over ranges of chunks.
  template <typename F> void forChunks(int64_t chunks, const F &function) {
    // Handing out less than this takes longer than doing it.
    constexpr int64_t smallBytes = 256 << 10;
    const bool small =
        elements() * static_cast<int64_t>(sizeof(T)) < smallBytes;
    if (!small)
      checkInterrupt();
    if (small || executor.threads <= 1 || chunks <= 1)
      return chunks > 0 ? function(int64_t{0}, chunks) : void();
    const int64_t parts = std::min<int64_t>(chunks, executor.threads * 4);
    parallelFor(executor, parts, [&](int64_t first, int64_t last) {
      function(first * chunks / parts, last * chunks / parts);
    });
  }

  /// Where sums of chunks go: [chunks][width].
  T *partialSums(int64_t chunks, int64_t width) {
    const auto size = static_cast<size_t>(chunks * width);
    if (partials.size() < size)
      partials.resize(size);
    return partials.data();
  }
  static void addChunks(const T *partial, int64_t chunks, int64_t width,
                        Wide<T> *to) {
    std::fill_n(to, width, Wide<T>{});
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      for (int64_t c = 0; c < width; ++c)
        to[c] += static_cast<Wide<T>>(partial[chunk * width + c]);
  }

private:
  std::vector<T> coefficients[6];
  std::vector<T> partials;
};

template <typename T>
template <typename S>
const T *VectorOps<T>::spread(const std::vector<S> &column, int slot) {
  std::vector<T> &to = coefficients[slot];
  const int64_t size = lanes * columns;
  to.resize(static_cast<size_t>(size));
  for (int64_t c = 0; c < size; ++c) {
    const S value = column[columns == 1 ? 0 : c % columns];
    if constexpr (isComplex<S>)
      to[c] = T(value);
    else
      to[c] = T(static_cast<Real<T>>(value));
  }
  return to.data();
}

} // namespace tsgu::runtime

#endif // TSGU_SRC_SOLVERS_VECTOROPS_H
