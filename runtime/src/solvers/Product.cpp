//===- Product.cpp - A matrix times a block of vectors --------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Product.h"
#include "pattern/Ranges.h"

#include <cmath>
#include <sstream>

namespace tsgu::runtime {

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

template <typename I, typename T> struct Rows {
  const I *positions, *coordinates;
  const T *values; ///< values[positions[0]] is the first one.
  Real<T> factor;
};

/// `W` columns of y = A x from column `first` on. Entries are added in their
/// order, whatever W is.
template <int64_t W, typename I, typename T>
TSGU_INLINE inline void multiplyRows(const Rows<I, T> &A, int64_t begin,
                                     int64_t end, int64_t k, int64_t first,
                                     const T *x, T *y) {
  for (int64_t i = begin; i < end; ++i) {
    T sums[W] = {};
    const I stop = A.positions[i + 1];
    for (I e = A.positions[i]; e < stop; ++e) {
      const T value = A.values[e];
      const T *row = x + static_cast<int64_t>(A.coordinates[e]) * k + first;
      for (int64_t w = 0; w < W; ++w)
        sums[w] += times(value, row[w]);
    }
    for (int64_t w = 0; w < W; ++w)
      y[i * k + first + w] = sums[w] * A.factor;
  }
}

/// What processors fetch by themselves ends with the page.
template <typename I, typename T>
TSGU_INLINE inline void fetchAhead(const T *values, const I *coordinates) {
  constexpr int64_t bytesAhead = 2048;
  __builtin_prefetch(reinterpret_cast<const char *>(values) + bytesAhead);
  __builtin_prefetch(reinterpret_cast<const char *>(coordinates) +
                     bytesAhead * sizeof(I) / sizeof(T));
}

/// Rows of N entries from row i on, until there is one of others. Returns it.
template <int N, typename I, typename T>
TSGU_INLINE inline int64_t multiplyAlike(Rows<I, T> A, int64_t i, int64_t end,
                                         const T *x, T *y) {
  I e = A.positions[i];
  do {
    fetchAhead(A.values + e, A.coordinates + e);
    T sum{};
    for (int k = 0; k < N; ++k)
      sum += times(A.values[e + k], x[A.coordinates[e + k]]);
    y[i] = sum * A.factor;
    e += N;
  } while (++i < end && A.positions[i + 1] - e == N);
  return i;
}

/// One column. Of short rows, the loop over the entries would take as long as
/// the entries; those inside of a grid are all alike.
template <typename I, typename T>
TSGU_INLINE inline void multiplyVector(Rows<I, T> A, int64_t begin, int64_t end,
                                       const T *x, T *y) {
  for (int64_t i = begin; i < end;)
    switch (A.positions[i + 1] - A.positions[i]) {
    case 3:
      i = multiplyAlike<3>(A, i, end, x, y);
      break;
    case 5:
      i = multiplyAlike<5>(A, i, end, x, y);
      break;
    case 7:
      i = multiplyAlike<7>(A, i, end, x, y);
      break;
    default:
      multiplyRows<1>(A, i, i + 1, 1, 0, x, y);
      ++i;
    }
}

template <typename I, typename T>
TSGU_INLINE inline void multiplyPanels(const Rows<I, T> &A, int64_t begin,
                                       int64_t end, int64_t k, const T *x,
                                       T *y) {
  if (k == 1)
    return multiplyVector(A, begin, end, x, y);
  int64_t first = 0;
  for (; first + 16 <= k; first += 16)
    multiplyRows<16>(A, begin, end, k, first, x, y);
  for (; first + 4 <= k; first += 4)
    multiplyRows<4>(A, begin, end, k, first, x, y);
  for (; first < k; ++first)
    multiplyRows<1>(A, begin, end, k, first, x, y);
}

/// The sums of one chunk of rows.
template <typename T>
TSGU_INLINE inline void sumRows(const Request<T> &request, int64_t begin,
                                int64_t end, T *to) {
  const T *y = request.out, *w = request.with;
  if (w && request.squares)
    sweepRows<T>(request.columns, begin, end, to, std::make_index_sequence<2>{},
                 [=](auto e, auto, auto &dot, auto &square) TSGU_INLINE {
                   dot += dotTerm(at(w, e), at(y, e));
                   square += squareOf(at(y, e));
                 });
  else if (w)
    sweepRows<T>(request.columns, begin, end, to, std::make_index_sequence<1>{},
                 [=](auto e, auto, auto &dot)
                     TSGU_INLINE { dot += dotTerm(at(w, e), at(y, e)); });
  else
    sweepRows<T>(request.columns, begin, end, to, std::make_index_sequence<1>{},
                 [=](auto e, auto, auto &square)
                     TSGU_INLINE { square += squareOf(at(y, e)); });
}

template <typename T> static int64_t sumsOf(const Request<T> &request) {
  return !request.sums ? 0 : request.with && request.squares ? 2 : 1;
}

//===----------------------------------------------------------------------===//
// One direction
//===----------------------------------------------------------------------===//

template <typename T> struct Product<T>::Side {
  Layout layout;
  int64_t first, rows; ///< Of the layout.
  const T *values;     ///< As the layout's positions count.
  Block owned;
  Real<T> factor;
  VectorOps<T> ops;
  std::vector<int64_t> parts; ///< Chunks of nearly equal work.

  Side(const Layout &layout, int64_t first, int64_t rows,
       const tsgu_executor &executor)
      : layout(layout), first(first), rows(rows), ops(rows, executor) {
    cut();
  }

  int64_t chunk() const { return chunkRows(rows); }

  void cut() {
    const int64_t chunks = (rows + chunk() - 1) / chunk();
    const int64_t begin = layout.position(first);
    const int64_t work = layout.position(first + rows) - begin + rows;
    const int32_t threads = ops.executor.threads;
    // As Launch.cpp: less than this takes one thread.
    const int64_t count = threads <= 1 || work < 50000
                              ? 1
                              : std::min<int64_t>(chunks, 4 * int64_t{threads});
    parts.assign(1, 0);
    for (int64_t c = 1; c < chunks; ++c) {
      const int64_t row = c * chunk();
      const int64_t before = layout.position(first + row) - begin + row;
      if (before * count >= work * static_cast<int64_t>(parts.size()))
        parts.push_back(c);
    }
    parts.push_back(chunks);
  }

  /// The item's values in the order of the layout, conjugated or not.
  void gather(const T *from, bool conjugated) {
    const int64_t begin = layout.position(first);
    const int64_t count = layout.position(first + rows) - begin;
    owned = blockOf<T>(count);
    T *to = owned.as<T>();
    const int32_t threads = ops.executor.threads;
    const int64_t ranges =
        threads <= 1 || count < 50000 ? 1 : 4 * int64_t{threads};
    auto copy = [&](auto source) {
      parallelFor(ops.executor, ranges, [&](int64_t firstRange, int64_t last) {
        for (int64_t e = firstRange * count / ranges; e < last * count / ranges;
             ++e)
          to[e] = conjugated ? conjugate(from[source(begin + e)])
                             : from[source(begin + e)];
      });
    };
    if (!layout.permutation)
      copy([](int64_t e) { return e; });
    else if (layout.permutationType == ElementType::I32)
      copy([p = static_cast<const int32_t *>(layout.permutation)](int64_t e) {
        return int64_t{p[e]};
      });
    else
      copy([p = static_cast<const int64_t *>(layout.permutation)](int64_t e) {
        return p[e];
      });
    values = to - begin;
  }

  template <typename I> void serve(const Request<T> &request) {
    const Rows<I, T> A{static_cast<const I *>(layout.positions) + first,
                       static_cast<const I *>(layout.coordinates), values,
                       factor};
    const int64_t sums = sumsOf(request), k = request.columns;
    const int64_t chunks = parts.back();
    T *partial = ops.partialSums(chunks, sums * k);
    const auto count = static_cast<int64_t>(parts.size()) - 1;
    auto run = [&](int64_t firstPart, int64_t lastPart) {
      withVectors([&, partial]() TSGU_INLINE {
        for (int64_t c = parts[firstPart]; c < parts[lastPart]; ++c) {
          const int64_t begin = c * chunk();
          const int64_t end = std::min(rows, begin + chunk());
          multiplyPanels(A, begin, end, k, request.in, request.out);
          if (sums)
            sumRows(request, begin, end, partial + c * sums * k);
        }
      });
    };
    if (count == 1)
      run(0, 1);
    else
      parallelFor(ops.executor, count, run);
    if (sums)
      ops.addChunks(partial, chunks, sums * k, request.sums);
  }
};

//===----------------------------------------------------------------------===//
// Product
//===----------------------------------------------------------------------===//

/// The largest finite component.
template <typename T> static double largest(const Matrix<T> &A) {
  const Layout &csr = A.pattern->csr();
  const int64_t begin = csr.position(A.firstRow());
  const int64_t end = csr.position(A.firstRow() + A.rows());
  const auto *values = reinterpret_cast<const Real<T> *>(A.values);
  constexpr int64_t parts = isComplex<T> ? 2 : 1;
  Real<T> most = 0;
  withVectors([&]() TSGU_INLINE {
    Real<T> lane[lanes] = {};
    int64_t e = begin * parts;
    for (; e + lanes <= end * parts; e += lanes)
      for (int64_t l = 0; l < lanes; ++l) {
        const Real<T> size = std::abs(values[e + l]);
        lane[l] = size > lane[l] ? size : lane[l];
      }
    for (; e < end * parts; ++e)
      lane[0] = std::max(lane[0], std::abs(values[e]));
    for (Real<T> size : lane)
      most = std::max(most, size);
  });
  return static_cast<double>(most);
}

template <typename T>
Product<T>::Product(const Matrix<T> &A, Mode mode,
                    const tsgu_executor &executor)
    : A(A), mode(mode), executor(executor) {
  const double most = largest(A);
  constexpr int moderate = std::is_same_v<Real<T>, float> ? 20 : 200;
  if (most > 0 && std::isfinite(most) && std::abs(std::ilogb(most)) > moderate)
    scale = std::clamp(-std::ilogb(most),
                       std::numeric_limits<Real<T>>::min_exponent,
                       std::numeric_limits<Real<T>>::max_exponent - 1);
}

template <typename T> Product<T>::~Product() = default;

template <typename T> int64_t Product<T>::rows() const {
  return mode == Mode::N ? A.rows() : A.columns();
}
template <typename T> int64_t Product<T>::columns() const {
  return mode == Mode::N ? A.columns() : A.rows();
}

template <typename T>
const typename Product<T>::Side &Product<T>::side(bool adjoint) {
  std::unique_ptr<Side> &place = adjoint ? backward : forward;
  if (place)
    return *place;
  const bool transposed = (mode != Mode::N) != adjoint;
  const bool conjugated = isComplex<T> && (mode == Mode::C) != adjoint;
  const Layout &layout =
      transposed ? A.pattern->transposed() : A.pattern->csr();
  const int64_t rows = transposed ? A.columns() : A.rows();
  auto made = std::make_unique<Side>(layout, A.item * rows, rows, executor);
  made->factor = static_cast<Real<T>>(std::ldexp(1.0, scale));
  made->values = A.values;
  if (conjugated || layout.permutation)
    made->gather(A.values, conjugated);
  place = std::move(made);
  return *place;
}

template <typename T> void Product<T>::serve(const Request<T> &request) {
  auto &chosen = const_cast<Side &>(side(request.ask == Ask::Adjoint));
  if (chosen.layout.indexType == ElementType::I32)
    chosen.template serve<int32_t>(request);
  else
    chosen.template serve<int64_t>(request);
}

template <typename T>
void makeSums(VectorOps<T> &ops, const Request<T> &request) {
  if (!request.sums)
    return;
  ops.columns = request.columns;
  const T *y = request.out, *w = request.with;
  const int64_t k = request.columns;
  if (w)
    ops.dot(w, y, request.sums);
  if (!w || request.squares)
    ops.dot(y, y, request.sums + (w ? k : 0));
}

template <typename T> std::string firstNotFinite(const Matrix<T> &A) {
  const Layout &csr = A.pattern->csr();
  for (int64_t i = 0; i < A.rows(); ++i)
    for (int64_t e = csr.position(A.firstRow() + i);
         e < csr.position(A.firstRow() + i + 1); ++e)
      if (!isFinite(A.values[e])) {
        const int64_t column =
            csr.indexType == ElementType::I32
                ? static_cast<const int32_t *>(csr.coordinates)[e]
                : static_cast<const int64_t *>(csr.coordinates)[e];
        std::ostringstream text;
        text << "row " << i << ", column " << column << ": " << A.values[e];
        return text.str();
      }
  return {};
}

#define INSTANTIATE(T)                                                         \
  template class Product<T>;                                                   \
  template void makeSums(VectorOps<T> &, const Request<T> &);                  \
  template std::string firstNotFinite(const Matrix<T> &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
