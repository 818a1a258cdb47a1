//===- Factorization.cpp - Factorisations, made once for their values -----===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "direct/Factorization.h"
#include "base/Callbacks.h"
#include "base/Exponents.h"
#include "pattern/Rows.h"
#include "solvers/Methods.h"
#include "solvers/Product.h"

#include <cmath>
#include <limits>

namespace tsgu::runtime {

static std::atomic<uint64_t> made{0};

uint64_t factorizations() { return made.load(std::memory_order_relaxed); }
void countFactorizations(int64_t more) {
  made.fetch_add(static_cast<uint64_t>(more), std::memory_order_relaxed);
}

template <typename R> R scaleOf(R size) {
  constexpr int most = sizeof(R) == 4 ? 80 : 900;
  return size > 0 ? powerOfTwo<R>(std::clamp(-exponentOf(size), -most, most))
                  : R(1);
}

template <typename T>
double largestEntry(const char *name, const Matrix<T> &A) {
  const Layout &csr = A.pattern->csr();
  const T *entry = A.values + csr.position(A.firstRow());
  const T *end = A.values + csr.position(A.firstRow() + A.rows());
  double most = 0;
  for (; entry < end && isFinite(*entry); ++entry)
    most = std::max({most, std::abs(double(std::real(*entry))),
                     std::abs(double(std::imag(*entry)))});
  if (entry == end)
    return most;
  fail(Status::InvalidArgument, name, ": the matrix",
       ofItem(*A.pattern, A.item), " has ", firstNotFinite(A),
       "; a matrix with NaN or infinity cannot be factorised");
}

template <typename T> int exponentOfMatrix(double largest) {
  constexpr int moderate = 40;
  constexpr int room = std::numeric_limits<Real<T>>::max_exponent / 4 * 3;
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  return std::abs(exponent) <= moderate ? 0 : std::clamp(exponent, -room, room);
}

namespace {

/// The one with the largest part in a combination of rows that is all but 0.
template <typename T>
int64_t dependentRow(const Matrix<T> &A, const Factorization<T> &factors) {
  std::vector<T> ones(A.rows(), T(1)), y(A.rows());
  factors.apply(Mode::T, {ones.data(), A.rows(), 1, 1},
                {y.data(), A.rows(), 1, 1}, tsgu_executor{});
  return std::max_element(y.begin(), y.end(),
                          [](T a, T b) { return std::abs(a) < std::abs(b); }) -
         y.begin();
}

/// A pivot that is small may be so because of the matrix's scales alone, or by
/// a few rounding errors nothing: the condition tells.
template <typename T>
void requireRegular(const Method &method, const Matrix<T> &A,
                    const Factorization<T> &factors) {
  using Limits = std::numeric_limits<Real<T>>;
  if (factors.weakestPivot > std::sqrt(Limits::epsilon()))
    return;
  if (reciprocalCondition(A, factors) >= double(Limits::epsilon()))
    return;
  const bool isKnown = factors.weakestRow >= 0;
  const std::string row =
      nameOfRow(A, isKnown ? factors.weakestRow : dependentRow(A, factors));
  if (method.needs == Method::Definite && isKnown)
    fail(Status::Singular, method.name,
         ": the matrix is not positive definite to working precision: all but ",
         factors.weakestPivot, " of the diagonal of ", row,
         " is cancelled by the rows eliminated before it; try \"lu\" or, if "
         "the matrix is singular, sparse_generic_lstsq");
  std::ostringstream pivot;
  if (isKnown)
    pivot << " (its pivot is " << factors.weakestPivot << ")";
  fail(Status::Singular, method.name,
       ": the matrix is singular to working precision: ", row,
       " is all but a combination of other rows", pivot.str(),
       "; try sparse_generic_lstsq");
}

template <typename T>
Factors<T> byMethod(int64_t number, const Matrix<T> &A,
                    const tsgu_executor &executor) {
  switch (number) {
#define TSGU_DIRECT_METHOD(number, enumerator, name, title, needs, function)   \
  case number:                                                                 \
    return function(A, executor);
#include "tsgu/Methods.def"
  default:
    fail(Status::InvalidArgument, "solver: method ", number,
         " does not factorise");
  }
}

template <typename T>
Factors<T> make(int64_t number, const Matrix<T> &A,
                const tsgu_executor &executor) {
  const Method &method = methodAt(number);
  const double largest = largestEntry(method.name, A);
  checkInterrupt();
  Factors<T> factors = byMethod(number, A, executor);
  factors->rowScale.resize(A.rows(), 1);
  factors->columnScale.resize(A.rows(), 1);
  factors->exponent = exponentOfMatrix<T>(largest);
  checkInterrupt();
  requireRegular(method, A, *factors);
  countFactorizations(1);
  return factors;
}

} // namespace

template <typename T>
std::shared_ptr<const Factorization<T>>
factorize(int64_t method, const Matrix<T> &A, const tsgu_executor &executor) {
  PreparedKey key;
  key.kind = method;
  return prepare<Factorization<T>>(key, A, executor,
                                   [&] { return make(method, A, executor); });
}

template float scaleOf(float);
template double scaleOf(double);
#define INSTANTIATE(T)                                                         \
  template double largestEntry(const char *, const Matrix<T> &);               \
  template int exponentOfMatrix<T>(double);                                    \
  template std::shared_ptr<const Factorization<T>> factorize(                  \
      int64_t, const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
