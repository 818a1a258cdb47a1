//===- CallersSolver.cpp - Solves by the caller's own function ------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Callbacks.h"
#include "solvers/Krylov.h"
#include "solvers/Product.h"
#include "solvers/Refinement.h"
#include "solvers/Report.h"

#include <cmath>

namespace tsgu::runtime {
namespace {

/// A function that knows no scales gets the columns of b as they are unless
/// their largest components are beyond 2^40 or 2^-40: cotangents may have any
/// size.
constexpr int moderate = 40;

template <typename T> Vectors<const T> constant(Vectors<T> x) {
  return {x.data, x.length, x.count, x.stride};
}

template <typename T>
void multiplyColumns(const std::vector<int> &exponents, Vectors<const T> from,
                     Vectors<T> to, bool back) {
  std::vector<PowerOfTwo<Real<T>>> factors;
  for (int exponent : exponents)
    factors.emplace_back(back ? -exponent : exponent);
  for (int64_t i = 0; i < from.length; ++i)
    for (int64_t j = 0; j < from.count; ++j)
      to.row(i)[j] = factors[j](from.row(i)[j]);
}

template <typename T> tsgu_type typeOf() {
  return isComplex<T> ? (std::is_same_v<Real<T>, float> ? TSGU_C64 : TSGU_C128)
                      : (std::is_same_v<Real<T>, float> ? TSGU_F32 : TSGU_F64);
}

template <typename T>
void call(const Problem &problem, const Matrix<T> &A, Mode mode,
          Vectors<const T> b, Vectors<T> x) {
  const tsgu_callbacks table = callbacks();
  if (!table.solve)
    fail(Status::CallbackError, "the caller's solver (id ",
         problem.solver->callback,
         ") is gone: no function is registered that could be called");
  const Layout &csr = A.pattern->csr();
  const int64_t begin = csr.position(A.firstRow()), one = 1;
  const int64_t stored = csr.position(A.firstRow() + A.rows()) - begin;
  const tsgu_type type = typeOf<T>();
  const int64_t bShape[2] = {b.length, b.count}, bStrides[2] = {b.stride, 1};
  const int64_t xShape[2] = {x.length, x.count}, xStrides[2] = {x.stride, 1};
  const tsgu_tensor values{const_cast<T *>(A.values + begin), type, 1, &stored,
                           &one};
  const tsgu_tensor right{const_cast<T *>(b.data), type, 2, bShape, bStrides};
  const tsgu_tensor left{x.data, type, 2, xShape, xStrides};
  if (table.solve(problem.solver->callback, static_cast<int32_t>(mode),
                  reinterpret_cast<tsgu_pattern *>(A.pattern), A.item, &values,
                  &right, &left) != 0)
    fail(Status::CallbackError, "the caller's solver failed");
}

/// x in the caller's units. Returns which columns are too small there.
template <typename T>
std::vector<char> unscale(const std::vector<int> &exponents, Vectors<T> x) {
  const std::vector<double> before = largest(constant(x));
  multiplyColumns<T>(exponents, constant(x), x, true);
  const std::vector<double> after = largest(constant(x));
  std::vector<char> lost(before.size());
  for (size_t j = 0; j < lost.size(); ++j)
    lost[j] = before[j] > 0 && after[j] < std::numeric_limits<Real<T>>::min();
  return lost;
}

/// Unscales x; residuals of columns of b as `exponents` scales them.
template <typename T>
Result judge(const Problem &problem, const Matrix<T> &A, Vectors<const T> b,
             Vectors<T> x, const std::vector<int> &exponents,
             const tsgu_executor &executor) {
  const int64_t k = b.count;
  const auto count = static_cast<size_t>(k);
  const tsgu_solver &solver = *problem.solver;
  const bool square = problem.kind == Problem::General;
  Product<T> product(A, problem.mode, executor);
  const Scratch memory(multiply(multiply(b.length + x.length, k),
                                static_cast<int64_t>(sizeof(T))));
  T *in = reinterpret_cast<T *>(memory.data()), *out = in + x.length * k;
  const std::vector<char> lost = unscale(exponents, x);
  std::vector<int> back(exponents);
  for (int &exponent : back)
    exponent -= product.exponent();
  multiplyColumns<T>(back, constant(x), Vectors<T>{in, x.length, k, k}, false);
  product.serve({Ask::Product, in, out, k});
  std::vector<double> norms(count), sizes(count);
  VectorOps<T> ops(b.length, executor);
  ops.columns = k;
  for (int64_t i = 0; i < b.length; ++i)
    for (int64_t j = 0; j < k; ++j)
      out[i * k + j] = b.row(i)[j] - out[i * k + j];
  ops.squares(out, norms);
  for (int64_t i = 0; i < b.length; ++i)
    for (int64_t j = 0; j < k; ++j)
      out[i * k + j] = b.row(i)[j];
  ops.squares(out, sizes);
  Result result;
  result.iterations.assign(count, 0);
  const double rtol = relativeTolerance<T>(solver);
  for (size_t j = 0; j < count; ++j) {
    const double unit = std::ldexp(1.0, -exponents[j]);
    const double residual = std::sqrt(norms[j]) * unit;
    const double goal =
        std::max(rtol * std::sqrt(sizes[j]) * unit, solver.atol);
    result.residuals.push_back(residual), result.goals.push_back(goal);
    const bool judged = square && solver.rtol != 0;
    result.reasons.push_back(!std::isfinite(residual)      ? TSGU_NOT_FINITE
                             : lost[j]                     ? TSGU_UNDERFLOW
                             : !judged || residual <= goal ? TSGU_CONVERGED
                                                           : TSGU_STAGNATED);
  }
  return result;
}

/// A copy of b with the scales of `exponents`.
template <typename T>
Vectors<T> scaledInto(const Block &block, const std::vector<int> &exponents,
                      Vectors<const T> b) {
  const Vectors<T> to{block.template as<T>(), b.length, b.count, b.count};
  multiplyColumns<T>(exponents, b, to, false);
  return to;
}

template <typename T> void conjugate(Vectors<T> x) {
  if constexpr (isComplex<T>)
    for (int64_t i = 0; i < x.length; ++i)
      for (int64_t j = 0; j < x.count; ++j)
        x.row(i)[j] = std::conj(x.row(i)[j]);
}

/// w = (op(A)^H)^-1 g, where conj(A)^-1 g is the conjugate of A^-1 conj(g).
template <typename T>
void callAdjoint(const Problem &problem, const Matrix<T> &A, Vectors<T> g,
                 Vectors<T> w) {
  if (problem.mode != Mode::T)
    return call(problem, A, problem.mode == Mode::N ? Mode::C : Mode::N,
                constant(g), w);
  conjugate(g);
  call(problem, A, Mode::N, constant(g), w);
  conjugate(g), conjugate(w);
}

/// Raises unless op(A)^H w = g, which has a solution for every g only if op(A)
/// has full column rank.
template <typename T>
void checkReached(const Problem &problem, const Matrix<T> &A, Vectors<T> g,
                  Vectors<T> w, const tsgu_executor &executor) {
  constexpr double slack = 1e-3; // for callables that iterate
  Product<T> product(A, problem.mode, executor);
  const Block in = blockOf<T>(multiply(w.length, w.count));
  const Block out = blockOf<T>(multiply(g.length, g.count));
  const Vectors<T> scaled{in.template as<T>(), w.length, w.count, w.count};
  multiplyColumns<T>(std::vector<int>(w.count, product.exponent()), constant(w),
                     scaled, true);
  T *const product_ = out.template as<T>();
  product.serve({Ask::Adjoint, scaled.data, product_, g.count});
  for (int64_t j = 0; j < g.count; ++j) {
    double rest = 0, size = 0;
    for (int64_t i = 0; i < g.length; ++i) {
      rest =
          std::hypot(rest, std::abs(product_[i * g.count + j] - g.row(i)[j]));
      size = std::hypot(size, std::abs(g.row(i)[j]));
    }
    if (rest > slack * size)
      failRank(problem);
  }
}

} // namespace

// (M^H M)^-1 = M^+ (M^+)^H.
template <typename T>
void solveNormalByCaller(const Problem &problem, const Matrix<T> &A,
                         Vectors<const T> g, Vectors<T> z,
                         const tsgu_executor &executor) {
  const int64_t m = problem.mode == Mode::N ? A.rows() : A.columns();
  if (m < g.length)
    failRank(problem);
  const std::vector<int> exponents = scalingExponents(largest(g), moderate);
  const Block gBlock = blockOf<T>(multiply(g.length, g.count));
  const Block wBlock = blockOf<T>(multiply(m, g.count));
  const Vectors<T> right = scaledInto(gBlock, exponents, g);
  const Vectors<T> w{wBlock.template as<T>(), m, g.count, g.count};
  callAdjoint(problem, A, right, w);
  checkReached(problem, A, right, w, executor);
  call(problem, A, problem.mode, constant(w), z);
  const Result result = judge(problem, A, constant(w), z, exponents, executor);
  report<T>(problem, A, result);
}

template <typename T>
void solveByCaller(const Problem &problem, const Matrix<T> &A,
                   Vectors<const T> b, Vectors<T> x,
                   const tsgu_executor &executor) {
  const std::vector<int> exponents = scalingExponents(largest(b), moderate);
  const bool scaled = std::any_of(exponents.begin(), exponents.end(),
                                  [](int exponent) { return exponent != 0; });
  const Block copy = blockOf<T>(scaled ? multiply(b.length, b.count) : 0);
  const Vectors<const T> right =
      scaled ? constant(scaledInto(copy, exponents, b)) : b;
  call(problem, A, problem.mode, right, x);
  const Result result = judge(problem, A, right, x, exponents, executor);
  report<T>(problem, A, result);
}

#define INSTANTIATE(T)                                                         \
  template void solveNormalByCaller(const Problem &, const Matrix<T> &,        \
                                    Vectors<const T>, Vectors<T>,              \
                                    const tsgu_executor &);                    \
  template void solveByCaller(const Problem &, const Matrix<T> &,              \
                              Vectors<const T>, Vectors<T>,                    \
                              const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
