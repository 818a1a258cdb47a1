//===- KrylovMatrices.h - Matrices and solves of the tests ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_KRYLOVMATRICES_H
#define TSGU_TEST_KRYLOVMATRICES_H

#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace tsgu::test {

template <typename T> struct Scalar {
  using Real = T;
  using Long = long double;
};
template <typename T> struct Scalar<std::complex<T>> {
  using Real = T;
  using Long = std::complex<long double>;
};
template <typename T> using RealOf = typename Scalar<T>::Real;
template <typename T> using LongOf = typename Scalar<T>::Long;
template <typename T> constexpr bool isComplex = !std::is_same_v<T, RealOf<T>>;

template <typename T> constexpr tsgu_type typeOf() {
  return std::is_same_v<T, float>                 ? TSGU_F32
         : std::is_same_v<T, double>              ? TSGU_F64
         : std::is_same_v<T, std::complex<float>> ? TSGU_C64
                                                  : TSGU_C128;
}

template <typename L> L conjugateOf(L x) {
  if constexpr (std::is_floating_point_v<L>)
    return x;
  else
    return std::conj(x);
}

/// CSR with values, and its pattern.
template <typename T> struct Sparse {
  int64_t rows = 0, columns = 0;
  std::vector<int32_t> positions{0}, coordinates;
  std::vector<T> values;
  tsgu_pattern *pattern = nullptr;

  Sparse() = default;
  /// Of the nonzeros of entry(i, j), and of those that `stored` says.
  Sparse(int64_t rows, int64_t columns,
         const std::function<T(int64_t, int64_t)> &entry)
      : rows(rows), columns(columns) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j)
        if (const T value = entry(i, j); value != T(0))
          add(j, value);
      endRow();
    }
    close();
  }
  Sparse(Sparse &&other) noexcept { *this = std::move(other); }
  Sparse &operator=(Sparse &&other) noexcept {
    std::swap(rows, other.rows), std::swap(columns, other.columns);
    std::swap(positions, other.positions);
    std::swap(coordinates, other.coordinates);
    std::swap(values, other.values), std::swap(pattern, other.pattern);
    return *this;
  }
  ~Sparse() { tsgu_pattern_release(pattern); }

  void add(int64_t column, T value) {
    coordinates.push_back(static_cast<int32_t>(column));
    values.push_back(value);
  }
  void endRow() { positions.push_back(static_cast<int32_t>(values.size())); }
  void close() {
    const int64_t shape[2] = {rows, columns};
    tsgu_pattern_from_csr(2, shape, TSGU_I32, positions.data(),
                          coordinates.data(), coordinates.size(), &pattern);
  }

  /// op(A) x, in long double, for row-major x with p columns.
  std::vector<LongOf<T>> apply(tsgu_mode mode, const std::vector<LongOf<T>> &x,
                               int64_t p) const {
    std::vector<LongOf<T>> y((mode == TSGU_N ? rows : columns) * p);
    for (int64_t i = 0; i < rows; ++i)
      for (int32_t e = positions[i]; e < positions[i + 1]; ++e) {
        LongOf<T> value = values[e];
        if (mode == TSGU_C)
          value = conjugateOf(value);
        const int64_t to = mode == TSGU_N ? i : coordinates[e];
        const int64_t from = mode == TSGU_N ? coordinates[e] : i;
        for (int64_t j = 0; j < p; ++j)
          y[to * p + j] += value * x[from * p + j];
      }
    return y;
  }
};

template <typename T> struct Random {
  std::mt19937 engine;
  explicit Random(unsigned seed) : engine(seed) {}

  RealOf<T> real() {
    return std::uniform_real_distribution<RealOf<T>>(-1, 1)(engine);
  }
  T operator()() {
    if constexpr (isComplex<T>)
      return {real(), real()};
    else
      return real();
  }
  std::vector<T> block(int64_t count) {
    std::vector<T> values(count);
    for (T &value : values)
      value = (*this)();
    return values;
  }
};

/// What the outcome callback was told.
struct Told {
  int64_t method = 0, mode = 0, columns = 0, worst = 0, historyLength = 0;
  std::vector<int64_t> reasons, iterations;
  std::vector<double> residuals, goals, history;
  std::string explanation;
  int calls = 0;
};
inline Told told;

inline int32_t hear(int64_t, const tsgu_outcome *outcome) {
  const auto p = outcome->columns;
  ++told.calls;
  told.method = outcome->method, told.mode = outcome->mode;
  told.columns = p, told.worst = outcome->worst;
  told.reasons.assign(outcome->reasons, outcome->reasons + p);
  told.iterations.assign(outcome->iterations, outcome->iterations + p);
  told.residuals.assign(outcome->residuals, outcome->residuals + p);
  told.goals.assign(outcome->goals, outcome->goals + p);
  told.historyLength = outcome->history_length;
  told.history.clear();
  if (outcome->history)
    told.history.assign(outcome->history,
                        outcome->history + outcome->history_length * p);
  told.explanation = outcome->explanation;
  return 0;
}

inline tsgu_callbacks listener() {
  tsgu_callbacks callbacks{};
  callbacks.outcome = hear;
  return callbacks;
}

/// Of square systems.
inline constexpr tsgu_method methods[] = {TSGU_CG, TSGU_BICGSTAB, TSGU_MINRES,
                                          TSGU_GMRES, TSGU_CGS};

inline tsgu_solver solverOf(tsgu_method method, double rtol = 1e-10) {
  tsgu_solver solver{};
  solver.method = method;
  solver.rtol = rtol;
  solver.report = 1 | 4;
  return solver;
}

template <typename T> struct Solved {
  std::vector<T> x;
  tsgu_status status;
};

/// tsgu_solve; `start` is a guess unless empty.
template <typename T>
Solved<T> solve(const tsgu_solver &solver, tsgu_mode mode, const Sparse<T> &A,
                const std::vector<T> &b, int64_t p,
                const std::vector<T> &start = {},
                const tsgu_executor *executor = nullptr) {
  const int64_t m = mode == TSGU_N ? A.rows : A.columns;
  const int64_t n = mode == TSGU_N ? A.columns : A.rows;
  Solved<T> solved{start, TSGU_OK};
  if (start.empty())
    solved.x.assign(n * p, T(RealOf<T>(NAN)));
  const int64_t bShape[2] = {m, p}, xShape[2] = {n, p}, strides[2] = {p, 1};
  const int64_t stored = A.values.size(), one = 1;
  const tsgu_type type = typeOf<T>();
  const tsgu_tensor values{const_cast<T *>(A.values.data()), type, 1, &stored,
                           &one};
  const tsgu_tensor bTensor{const_cast<T *>(b.data()), type, 2, bShape,
                            strides};
  const tsgu_tensor xTensor{solved.x.data(), type, 2, xShape, strides};
  const tsgu_callbacks callbacks = listener();
  told = {};
  tsgu_set_callbacks(&callbacks);
  solved.status = tsgu_solve(&solver, mode, A.pattern, &values, &bTensor,
                             &xTensor, !start.empty(), executor);
  return solved;
}

/// norm(b - op(A) x) and norm(b), by column, in long double.
template <typename T>
std::vector<std::pair<double, double>>
residuals(const Sparse<T> &A, tsgu_mode mode, const std::vector<T> &x,
          const std::vector<T> &b, int64_t p) {
  const std::vector<LongOf<T>> wide(x.begin(), x.end());
  const std::vector<LongOf<T>> y = A.apply(mode, wide, p);
  std::vector<std::pair<double, double>> norms(p);
  for (int64_t j = 0; j < p; ++j) {
    long double residual = 0, size = 0;
    for (size_t e = j; e < b.size(); e += p) {
      residual += std::norm(LongOf<T>(b[e]) - y[e]);
      size += std::norm(LongOf<T>(b[e]));
    }
    norms[j] = {static_cast<double>(std::sqrt(residual)),
                static_cast<double>(std::sqrt(size))};
  }
  return norms;
}

/// What must hold of every outcome: a converged column meets its goal by the
/// residual in long double, and x is finite.
inline void expectHonest(const Sparse<double> &A, const Solved<double> &solved,
                         const std::vector<double> &b, int64_t p) {
  ASSERT_EQ(solved.status, TSGU_OK) << tsgu_last_error();
  const auto norms = residuals(A, TSGU_N, solved.x, b, p);
  for (int64_t j = 0; j < p; ++j) {
    EXPECT_TRUE(std::isfinite(norms[j].first));
    EXPECT_NEAR(told.residuals[j], norms[j].first, 1e-12 * norms[j].second);
    if (told.reasons[j] == TSGU_CONVERGED)
      EXPECT_LE(norms[j].first, told.goals[j] + 1e-13 * norms[j].second);
    else
      EXPECT_GT(norms[j].first, told.goals[j] * 0.999);
    EXPECT_LE(norms[j].first, norms[j].second * (1 + 1e-12)); // Never worse.
  }
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

template <typename T> Sparse<T> diagonal(const std::vector<T> &values) {
  Sparse<T> A;
  A.rows = A.columns = values.size();
  for (size_t i = 0; i < values.size(); ++i) {
    A.add(i, values[i]);
    A.endRow();
  }
  A.close();
  return A;
}

/// The 5-point Laplacian of an m x m grid plus `shift`.
template <typename T> Sparse<T> grid(int64_t m, double shift = 0) {
  Sparse<T> A;
  A.rows = A.columns = m * m;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < m; ++j) {
      const int64_t row = i * m + j;
      if (i > 0)
        A.add(row - m, T(-1));
      if (j > 0)
        A.add(row - 1, T(-1));
      A.add(row, T(RealOf<T>(4 + shift)));
      if (j + 1 < m)
        A.add(row + 1, T(-1));
      if (i + 1 < m)
        A.add(row + m, T(-1));
      A.endRow();
    }
  A.close();
  return A;
}

/// Hermitian with eigenvalues around `shift`, complex off the diagonal.
template <typename T>
Sparse<T> hermitian(int64_t n, unsigned seed, double shift) {
  Random<T> random(seed);
  std::vector<T> dense(n * n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j)
      if (i == j)
        dense[i * n + i] = T(RealOf<T>(shift) + random.real());
      else if (random.engine() % 4 == 0) {
        dense[i * n + j] = random();
        dense[j * n + i] = conjugateOf(dense[i * n + j]);
      }
  return Sparse<T>(n, n,
                   [&](int64_t i, int64_t j) { return dense[i * n + j]; });
}

/// General, diagonally shifted.
template <typename T>
Sparse<T> general(int64_t m, int64_t n, unsigned seed, double shift) {
  Random<T> random(seed);
  return Sparse<T>(m, n, [&](int64_t i, int64_t j) {
    T value = random.engine() % 3 == 0 ? random() : T(0);
    return i == j ? value + T(RealOf<T>(shift)) : value;
  });
}

} // namespace tsgu::test

#endif // TSGU_TEST_KRYLOVMATRICES_H
