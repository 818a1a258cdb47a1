//===- Residual.cpp - What a solution leaves of a right-hand side ---------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/Residual.h"
#include "base/Callbacks.h"
#include "base/Parallel.h"

#include <algorithm>
#include <cmath>

namespace tsgu::runtime {
namespace {

/// Rows whose squares are summed together, whichever thread does so.
constexpr int64_t rowsOfChunk = 4096;

template <typename T> double sizeOf(T value) {
  return std::abs(double(std::real(value))) +
         std::abs(double(std::imag(value)));
}

/// Sums of squares over some rows of a column.
struct Squares {
  double residual = 0, terms = 0, b = 0, scaledResidual = 0, scaledTerms = 0;

  Squares &operator+=(const Squares &other) {
    residual += other.residual, terms += other.terms, b += other.b;
    scaledResidual += other.scaledResidual, scaledTerms += other.scaledTerms;
    return *this;
  }
  ResidualNorms norms() const {
    return {std::sqrt(residual), std::sqrt(terms), std::sqrt(b),
            scaledTerms == 0
                ? 0
                : std::sqrt(scaledResidual) / std::sqrt(scaledTerms)};
  }
};

/// op(A) and what it is applied to.
template <typename T> struct System {
  const Matrix<T> &A;
  Mode mode;
  const Real<T> *scale;
  double unit;
  int64_t columns;
  const T *b, *x;
  Wide<T> *r;

  const Layout &layout() const {
    return mode == Mode::N ? A.pattern->csr() : A.pattern->transposed();
  }
  int64_t rows() const { return mode == Mode::N ? A.rows() : A.columns(); }
};

/// Entries of op(A) as those of A.
template <bool Turned> struct Entries {
  explicit Entries(const Layout &layout) {
    if (layout.permutationType == ElementType::I32)
      narrow = static_cast<const int32_t *>(layout.permutation);
    else
      wide = static_cast<const int64_t *>(layout.permutation);
  }
  int64_t operator[](int64_t e) const {
    return !Turned ? e : narrow ? narrow[e] : wide ? wide[e] : e;
  }
  const int32_t *narrow = nullptr;
  const int64_t *wide = nullptr;
};

/// r and sums of squares of the rows begin .. end - 1. `Width` 0: any number of
/// columns.
template <int64_t Width, bool Turned, typename I, typename T>
void subtractRows(const System<T> &of, int64_t begin, int64_t end,
                  Squares *sums) {
  constexpr int64_t most = Width ? Width : residualColumns;
  const int64_t width = Width ? Width : of.columns;
  const Layout &layout = of.layout();
  const Entries<Turned> entries(layout);
  const I *positions =
      static_cast<const I *>(layout.positions) + of.A.item * of.rows();
  const I *coordinates = static_cast<const I *>(layout.coordinates);
  // By columns, which vectors take several of.
  double residual[most]{}, size[most]{}, right[most]{}, scaledResidual[most]{},
      scaledSize[most]{};
  InterruptCheck check;
  for (int64_t i = begin; i < end; ++i) {
    Wide<T> rest[most];
    double terms[most];
    for (int64_t c = 0; c < width; ++c) {
      const T b = of.b[i * width + c];
      rest[c] = static_cast<Wide<T>>(b), terms[c] = sizeOf(b);
    }
    for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
      const T entry = of.A.values[entries[e]];
      const auto value =
          static_cast<Wide<T>>(of.mode == Mode::C ? conjugate(entry) : entry);
      const double entrySize = sizeOf(entry);
      const T *from = of.x + coordinates[e] * width;
      for (int64_t c = 0; c < width; ++c) {
        rest[c] -= times(value, static_cast<Wide<T>>(from[c]));
        terms[c] += entrySize * sizeOf(from[c]);
      }
    }
    const double scaled = of.scale[i];
    for (int64_t c = 0; c < width; ++c) {
      of.r[i * width + c] = rest[c];
      residual[c] += squaredNorm(rest[c] * of.unit);
      size[c] += squaredNorm(terms[c] * of.unit);
      right[c] +=
          squaredNorm(static_cast<Wide<T>>(of.b[i * width + c]) * of.unit);
      scaledResidual[c] += squaredNorm(rest[c] * scaled);
      scaledSize[c] += squaredNorm(terms[c] * scaled);
    }
    check.after((positions[i + 1] - positions[i] + 1) * width);
  }
  for (int64_t c = 0; c < width; ++c)
    sums[c] = {residual[c], size[c], right[c], scaledResidual[c],
               scaledSize[c]};
}

template <typename T>
void subtractRows(const System<T> &of, int64_t begin, int64_t end,
                  Squares *sums) {
  withIndexType(of.layout().indexType, [&]<typename I>(I) {
    const auto subtract =
        [&]<int64_t width>(std::integral_constant<int64_t, width>) {
          return of.mode != Mode::N ? subtractRows<width, true, I, T>
                                    : subtractRows<width, false, I, T>;
        };
    const auto byWidth =
        of.columns == 1 ? subtract(std::integral_constant<int64_t, 1>())
        : of.columns == residualColumns
            ? subtract(std::integral_constant<int64_t, residualColumns>())
            : subtract(std::integral_constant<int64_t, 0>());
    byWidth(of, begin, end, sums);
  });
}

} // namespace

template <typename T>
void computeResidual(const Matrix<T> &A, Mode mode,
                     const std::vector<Real<T>> &scale, int exponent,
                     int64_t columns, const T *b, const T *x, Wide<T> *r,
                     std::vector<ResidualNorms> &norms,
                     const tsgu_executor &executor) {
  const System<T> of = {
      A, mode, scale.data(), std::ldexp(1.0, -exponent), columns, b, x, r};
  const int64_t rows = of.rows();
  const int64_t chunks = (rows + rowsOfChunk - 1) / rowsOfChunk;
  std::vector<Squares> sums(multiply(chunks, columns));
  of.layout(); // made by one thread
  parallelFor(executor, chunks, [&](int64_t first, int64_t last) {
    for (int64_t chunk = first; chunk < last; ++chunk)
      subtractRows(of, chunk * rowsOfChunk,
                   std::min(rows, (chunk + 1) * rowsOfChunk),
                   &sums[chunk * columns]);
  });
  norms.clear();
  for (int64_t c = 0; c < columns; ++c) {
    Squares all;
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      all += sums[chunk * columns + c];
    norms.push_back(all.norms());
  }
}

#define INSTANTIATE(T)                                                         \
  template void computeResidual(                                               \
      const Matrix<T> &, Mode, const std::vector<Real<T>> &, int, int64_t,     \
      const T *, const T *, Wide<T> *, std::vector<ResidualNorms> &,           \
      const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
