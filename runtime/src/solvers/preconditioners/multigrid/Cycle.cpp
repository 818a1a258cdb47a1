//===- Cycle.cpp - V-cycles -----------------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/multigrid/Cycle.h"
#include "base/Scratch.h"
#include "solvers/preconditioners/Makers.h"

namespace tsgu::runtime::multigrid {
namespace {

template <typename T> Vectors<const T> reading(Vectors<T> v) {
  return {v.data, v.length, v.count, v.stride};
}

/// Chebyshev iterations for the part [radius / ratio, radius] of the spectrum
/// (Saad, Iterative Methods, algorithm 12.1), with the update written by way of
/// the last two iterates:
///   next = x + beta (x - previous) + alpha D^-1 (b - A x).
struct Chebyshev {
  static constexpr int degree = 2;
  static constexpr double ratio = 4;

  double alpha[degree], beta[degree];

  explicit Chebyshev(double radius) {
    const double middle = radius * (1 + 1 / ratio) / 2;
    const double half = radius * (1 - 1 / ratio) / 2;
    double rho = half / middle;
    alpha[0] = 1 / middle, beta[0] = 0;
    for (int k = 1; k < degree; ++k) {
      const double next = 1 / (2 * middle / half - rho);
      alpha[k] = 2 * next / half;
      beta[k] = next * rho;
      rho = next;
    }
  }
};

template <typename T> class Smoother {
public:
  Smoother(const Level<T> &level, Vectors<const T> b,
           const tsgu_executor &executor)
      : level(level), b(b), executor(executor), steps(level.radius) {}

  /// From zero. The last iterate is in x, the one before in `other`; both from
  /// the first step on take turns, so that smoothing twice ends in x.
  void fromZero(Vectors<T> x, Vectors<T> other) const {
    static_assert(Chebyshev::degree == 2);
    const auto alpha = static_cast<Real<T>>(steps.alpha[0]);
    forRows(executor, b.length, 2 * b.count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < b.count; ++j)
          other.row(i)[j] =
              alpha * times(level.inverseDiagonal[i], b.row(i)[j]);
    });
    step(1, other, nullptr, x);
  }

  void again(Vectors<T> x, Vectors<T> other) const {
    step(0, x, nullptr, other);
    step(1, other, x.data, x);
  }

private:
  /// `previous` is NULL for zero, or `to` itself.
  void step(int k, Vectors<T> x, const T *previous, Vectors<T> to) const {
    const auto alpha = static_cast<Real<T>>(steps.alpha[k]);
    const auto beta = static_cast<Real<T>>(steps.beta[k]);
    forProduct(level.A, reading(x), executor, [&](int64_t i, int64_t j, T sum) {
      const T now = x.row(i)[j];
      const T before = previous ? to.row(i)[j] : T(0);
      to.row(i)[j] = now + beta * (now - before) +
                     alpha * times(level.inverseDiagonal[i], b.row(i)[j] - sum);
    });
  }

  const Level<T> &level;
  Vectors<const T> b;
  const tsgu_executor &executor;
  Chebyshev steps;
};

template <typename T>
void solveDense(const std::vector<T> &inverse, Vectors<const T> b, Vectors<T> x,
                const tsgu_executor &executor) {
  const int64_t n = b.length;
  forRows(executor, n, n * b.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::fill_n(x.row(i), b.count, T(0));
      for (int64_t k = 0; k < n; ++k)
        for (int64_t j = 0; j < b.count; ++j)
          x.row(i)[j] += times(inverse[i * n + k], b.row(k)[j]);
    }
  });
}

/// `memory`: three blocks of vectors for this level and each below.
template <typename T>
void descend(const std::vector<Level<T>> &levels, size_t depth,
             Vectors<const T> b, Vectors<T> x, T *memory,
             const tsgu_executor &executor) {
  const Level<T> &level = levels[depth];
  if (!level.dense.empty())
    return solveDense(level.dense, b, x, executor);

  auto take = [&](int64_t length) {
    Vectors<T> taken{memory, length, b.count, b.count};
    memory += length * b.count;
    return taken;
  };
  const Vectors<T> other = take(b.length);
  const Smoother<T> smoother(level, b, executor);
  smoother.fromZero(x, other);
  if (depth + 1 < levels.size()) {
    const Vectors<T> &residual = other;
    forProduct(level.A, reading(x), executor, [&](int64_t i, int64_t j, T sum) {
      residual.row(i)[j] = b.row(i)[j] - sum;
    });
    const Vectors<T> coarseB = take(level.R.rows), coarseX = take(level.R.rows);
    forProduct(level.R, reading(residual), executor,
               [&](int64_t i, int64_t j, T sum) { coarseB.row(i)[j] = sum; });
    descend(levels, depth + 1, reading(coarseB), coarseX, memory, executor);
    forProduct(level.P, reading(coarseX), executor,
               [&](int64_t i, int64_t j, T sum) { x.row(i)[j] += sum; });
  }
  smoother.again(x, other);
}

} // namespace

template <typename T>
void cycle(const std::vector<Level<T>> &levels, Vectors<const T> b,
           Vectors<T> x, const tsgu_executor &executor) {
  int64_t rows = 0;
  for (const Level<T> &level : levels)
    rows = add(rows, multiply(3, level.A.rows));
  const Scratch scratch(multiply(multiply(rows, b.count), sizeof(T)));
  descend(levels, 0, b, x, reinterpret_cast<T *>(scratch.data()), executor);
}

#define INSTANTIATE(T)                                                         \
  template void cycle(const std::vector<Level<T>> &, Vectors<const T>,         \
                      Vectors<T>, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime::multigrid
