//===- PARDISO.cpp - LU and Cholesky by MKL's PARDISO ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All that it takes are arrays of numbers. Its analysis looks at the values and
// belongs to their factors: it is made anew for each. It perturbs pivots that
// are too small, which is refused here, and tells none: the condition of every
// matrix is estimated.
//
//===----------------------------------------------------------------------===//

#include "base/ForkSafeMutex.h"
#include "direct/foreign/ForeignCholesky.h"
#include "direct/foreign/ForeignLU.h"
#include "direct/foreign/Library.h"

#include <array>

namespace tsgu::runtime {
namespace {

constexpr int64_t outOfMemory = -2, zeroPivot = -4;
/// What is asked of it.
constexpr int64_t factorise = 12, substitute = 33, release = -1;
/// Places in its array of options and answers.
enum Place : uint8_t {
  IsGiven = 0,
  Ordering = 1,
  Refinement = 7,
  Perturbation = 9,
  Scaling = 10,
  Transpose = 11,
  Matching = 12,
  Perturbed = 13,
  PeakKilobytes = 15,
  Kilobytes = 16,
  Entries = 17,
  StoppedAt = 29,
  FromZero = 34
};

struct MKL {
  void (*pardiso)(void *, const int64_t *, const int64_t *, const int64_t *,
                  const int64_t *, const int64_t *, const void *,
                  const int64_t *, const int64_t *, int64_t *, const int64_t *,
                  int64_t *, const int64_t *, void *, void *, int64_t *);
  int (*setThreads)(int);

  MKL() {
    const foreign::Library library(
        "pardiso", "MKL",
        {"libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so.1"},
        "PARDISO is in the package mkl of PyPI (pip install mkl)");
    library.find(pardiso, "pardiso_64");
    library.find(setThreads, "MKL_Set_Num_Threads_Local");
  }
};

/// So many threads, for what this thread calls meanwhile.
struct Threads {
  explicit Threads(int count)
      : before(foreign::opened<MKL>().setThreads(count)) {}
  Threads(const Threads &) = delete;
  ~Threads() { foreign::opened<MKL>().setThreads(before); }
  int before;
};

/// One matrix's factors. MKL prepares them for a number of threads: all that is
/// done with them is done by as many.
class Handle {
public:
  /// Real 2 and 11, complex 4 and 13: definite, and any.
  Handle(int64_t type, int64_t n, const tsgu_executor &executor)
      : library(foreign::opened<MKL>()), type(type), n(n),
        threads(std::max(executor.threads, 1)) {
    options[IsGiven] = 1, options[FromZero] = 1;
    options[Ordering] = 2;
    options[Entries] = -1;
    if (type > 10)
      options[Perturbation] = 13, options[Scaling] = options[Matching] = 1;
  }
  Handle(const Handle &) = delete;
  ~Handle() {
    if (isHeld)
      call(release, nullptr, nullptr, nullptr, 0, nullptr, nullptr);
  }

  int64_t call(int64_t phase, const void *values, const int64_t *starts,
               const int64_t *columns, int64_t count, void *b, void *x) {
    const int64_t one = 1, quiet = 0;
    int64_t status = 0, noOrder = 0;
    const Threads asMany(threads);
    isHeld |= phase != release;
    library.pardiso(memory.data(), &one, &one, &type, &phase, &n, values,
                    starts, columns, &noOrder, &count, options.data(), &quiet,
                    b, x, &status);
    return status;
  }

  double entries() const { return static_cast<double>(options[Entries]); }
  int64_t bytes() const {
    return (options[PeakKilobytes] + options[Kilobytes]) * 1024;
  }

  std::array<int64_t, 64> options{};
  ForkSafeMutex working; ///< Options are read and written by solves.

private:
  const MKL &library;
  int64_t type, n;
  int threads;
  std::array<void *, 64> memory{};
  bool isHeld = false;
};

template <typename T> class ByPARDISO : public foreign::ForeignLU<T> {
  using W = Wide<T>;

public:
  ByPARDISO(const Matrix<T> &A, const tsgu_executor &executor)
      : foreign::ForeignLU<T>("lu:pardiso", A),
        handle(isComplex<T> ? 13 : 11, A.rows(), executor) {
    const int64_t status =
        handle.call(factorise, this->values.data(), this->starts.data(),
                    this->rows.data(), 1, nullptr, nullptr);
    if (status == zeroPivot)
      this->failSingular(A, handle.options[StoppedAt]);
    if (status != 0)
      this->failStatus(status, outOfMemory);
    if (handle.options[Perturbed] > 0)
      failPerturbed(A, executor);
    this->weakestPivot = 0;
  }

  Determinant<T> determinant() const override {
    fail(Status::InvalidArgument, this->name,
         ": PARDISO does not tell the signs of its permutations: no "
         "determinant; use \"lu\" of another backend");
  }
  double entries() const override { return handle.entries(); }
  int64_t bytes() const override { return handle.bytes(); }

protected:
  // It is told R A C, which is M^T.
  void solve(bool transposed, std::vector<W> &y, int64_t count,
             const tsgu_executor &) const override {
    std::vector<W> x(y.size());
    std::lock_guard lock(handle.working);
    handle.options[Transpose] = transposed ? 0 : 2;
    const int64_t status =
        handle.call(substitute, this->values.data(), this->starts.data(),
                    this->rows.data(), count, y.data(), x.data());
    if (status != 0)
      this->failStatus(status, outOfMemory);
    y = std::move(x);
  }

private:
  /// What it then factorised is another matrix, which may be regular where this
  /// one is not.
  [[noreturn]] void failPerturbed(const Matrix<T> &A,
                                  const tsgu_executor &executor) const {
    std::vector<W> y(static_cast<size_t>(A.rows()), W(1));
    solve(false, y, 1, executor);
    const auto row = std::max_element(
        y.begin(), y.end(), [](W a, W b) { return std::abs(a) < std::abs(b); });
    fail(Status::Singular, this->name,
         ": the matrix is singular, or needs pivots that PARDISO does not look "
         "for: ",
         nameOfRow(A, row - y.begin()),
         " is all but a combination of other rows; try \"lu\" of another "
         "backend or, if the matrix is singular, sparse_generic_lstsq");
  }

  mutable Handle handle;
};

template <typename T>
class CholeskyByPARDISO : public foreign::ForeignCholesky<T> {
  using W = Wide<T>;

public:
  CholeskyByPARDISO(const Matrix<T> &A, const tsgu_executor &executor)
      : foreign::ForeignCholesky<T>("cholesky:pardiso", A),
        handle(isComplex<T> ? 4 : 2, A.rows(), executor) {
    const int64_t status =
        handle.call(factorise, this->values.data(), this->starts.data(),
                    this->columns.data(), 1, nullptr, nullptr);
    if (status == zeroPivot)
      this->failIndefinite(A, handle.options[StoppedAt]);
    if (status != 0)
      this->failStatus(status, outOfMemory);
    this->weakestPivot = 0;
  }

  Determinant<T> determinant() const override {
    fail(Status::InvalidArgument, this->name,
         ": PARDISO does not tell its pivots: no determinant; use "
         "\"cholesky\" of another backend");
  }
  double entries() const override { return handle.entries(); }
  int64_t bytes() const override { return handle.bytes(); }

protected:
  void solve(std::vector<W> &y, int64_t count,
             const tsgu_executor &) const override {
    std::vector<W> x(y.size());
    std::lock_guard lock(handle.working);
    const int64_t status =
        handle.call(substitute, this->values.data(), this->starts.data(),
                    this->columns.data(), count, y.data(), x.data());
    if (status != 0)
      this->failStatus(status, outOfMemory);
    y = std::move(x);
  }

private:
  mutable Handle handle;
};

} // namespace

template <typename T>
Factors<T> factorizeByPARDISO(const Matrix<T> &A,
                              const tsgu_executor &executor) {
  return std::make_shared<ByPARDISO<T>>(A, executor);
}
template <typename T>
Factors<T> factorizeByPARDISOCholesky(const Matrix<T> &A,
                                      const tsgu_executor &executor) {
  return std::make_shared<CholeskyByPARDISO<T>>(A, executor);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> factorizeByPARDISO(const Matrix<T> &,                    \
                                         const tsgu_executor &);               \
  template Factors<T> factorizeByPARDISOCholesky(const Matrix<T> &,            \
                                                 const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
