//===- KLU.cpp - Any square matrix, by KLU --------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Version 1.3, of SuiteSparse 5, with indices of 64 bits. The analysis is the
// pattern's; pivots are found anew for all values, so that what was factorised
// before shows in no bit.
//
//===----------------------------------------------------------------------===//

#include "base/ForkSafeMutex.h"
#include "direct/foreign/ForeignLU.h"
#include "direct/foreign/Library.h"

namespace tsgu::runtime {
namespace {

constexpr int64_t singular = 1, outOfMemory = -2;

/// What it is told and tells, as far as it is read here; behind it room for
/// what it writes there.
struct Common {
  double tolerance, growth, firstAMD, first, mostWork;
  int64_t blockTriangular, ordering, scaling;
  void *userOrder, *userData;
  int64_t haltIfSingular;
  int64_t status, reallocations, structuralRank, numericalRank, singularColumn;
  char room[512];
};

/// The beginnings of its analysis and of its factors.
struct Symbolic {
  double numbers[4];
  double *entries;
  int64_t n, stored;
  int64_t *P, *Q, *R;
};
struct Numeric {
  int64_t n, blocks, entriesOfL, entriesOfU, mostOfL, mostOfU;
  int64_t *pivotRows, *places;
  int64_t *startsOfL, *startsOfU, *lengthsOfL, *lengthsOfU;
  void **blocksOfLU;
  size_t *sizes;
  void *diagonalOfU;
};

struct KLU {
  int64_t (*defaults)(Common *);
  Symbolic *(*analyze)(int64_t, int64_t *, int64_t *, Common *);
  Numeric *(*factor[2])(int64_t *, int64_t *, double *, Symbolic *, Common *);
  int64_t (*solve[2])(Symbolic *, Numeric *, int64_t, int64_t, double *,
                      Common *);
  int64_t (*solveTransposed)(Symbolic *, Numeric *, int64_t, int64_t, double *,
                             Common *);
  int64_t (*solveTransposedComplex)(Symbolic *, Numeric *, int64_t, int64_t,
                                    double *, int64_t, Common *);
  int64_t (*freeSymbolic)(Symbolic **, Common *);
  int64_t (*freeNumeric[2])(Numeric **, Common *);

  Common common() const {
    Common made{};
    defaults(&made);
    made.scaling = 0;
    return made;
  }

  KLU() {
    const foreign::Library library("lu:klu", "KLU", {"libklu.so.1"},
                                   "KLU 1.3 is Debian's and Ubuntu's package "
                                   "libklu1 (apt install libklu1)");
    library.find(defaults, "klu_l_defaults");
    library.find(analyze, "klu_l_analyze");
    library.find(factor[0], "klu_l_factor");
    library.find(factor[1], "klu_zl_factor");
    library.find(solve[0], "klu_l_solve");
    library.find(solve[1], "klu_zl_solve");
    library.find(solveTransposed, "klu_l_tsolve");
    library.find(solveTransposedComplex, "klu_zl_tsolve");
    library.find(freeSymbolic, "klu_l_free_symbolic");
    library.find(freeNumeric[0], "klu_l_free_numeric");
    library.find(freeNumeric[1], "klu_zl_free_numeric");
    // It cannot be asked for its version.
    Common made{};
    defaults(&made);
    if (made.tolerance != 0.001 || made.growth != 1.2 || made.first != 10 ||
        made.blockTriangular != 1 || made.scaling != 2 ||
        made.haltIfSingular != 1 || made.status != 0)
      library.refuse("its defaults are not those of version 1.3");
  }
};

struct Analysis : Attachment {
  Symbolic *symbolic = nullptr;
  int64_t size = 0;

  ~Analysis() override {
    Common common = foreign::opened<KLU>().common();
    foreign::opened<KLU>().freeSymbolic(&symbolic, &common);
  }
  int64_t bytes() const override { return size; }
};

template <typename T> class ByKLU : public foreign::ForeignLU<T> {
  using W = Wide<T>;
  static constexpr int kind = isComplex<T> ? 1 : 0;

public:
  explicit ByKLU(const Matrix<T> &A)
      : foreign::ForeignLU<T>("lu:klu", A), library(foreign::opened<KLU>()),
        common(library.common()) {
    analysis = A.pattern->attachments().template get<Analysis>(
        attachmentKey(AttachmentKind::Elimination,
                      static_cast<uint64_t>(A.item) << 8 | TSGU_LU_KLU),
        [&] { return analyse(A.rows()); });
    numeric =
        library.factor[kind](this->starts.data(), this->rows.data(),
                             reinterpret_cast<double *>(this->values.data()),
                             analysis->symbolic, &common);
    if (!numeric && common.status == singular)
      this->failSingular(A, common.singularColumn);
    if (!numeric)
      this->failStatus(common.status, outOfMemory);
    this->setPivots(pivots(), analysis->symbolic->Q);
    this->rows = {}, this->values = {};
  }
  ~ByKLU() override { library.freeNumeric[kind](&numeric, &common); }

  Determinant<T> determinant() const override {
    const int64_t n = numeric->n;
    return this->determinantOf(
        pivots(), signOf(std::vector<int64_t>(numeric->pivotRows,
                                              numeric->pivotRows + n)) *
                      signOf(std::vector<int64_t>(analysis->symbolic->Q,
                                                  analysis->symbolic->Q + n)));
  }

  double entries() const override {
    return static_cast<double>(numeric->entriesOfL + numeric->entriesOfU);
  }
  int64_t bytes() const override {
    return static_cast<int64_t>(entries()) * int64_t{sizeof(W) + 8} +
           numeric->n * int64_t{12 * sizeof(int64_t)};
  }

protected:
  void solve(bool transposed, std::vector<W> &y, int64_t count,
             const tsgu_executor &) const override {
    // The factors have its workspace.
    std::lock_guard lock(working);
    const int64_t n = numeric->n;
    auto *const data = reinterpret_cast<double *>(y.data());
    if (!transposed)
      library.solve[kind](analysis->symbolic, numeric, n, count, data, &common);
    else if (isComplex<T>)
      library.solveTransposedComplex(analysis->symbolic, numeric, n, count,
                                     data, 0, &common);
    else
      library.solveTransposed(analysis->symbolic, numeric, n, count, data,
                              &common);
    if (common.status < 0)
      this->failStatus(common.status, outOfMemory);
  }

private:
  std::shared_ptr<Analysis> analyse(int64_t n) {
    auto made = std::make_shared<Analysis>();
    made->symbolic =
        library.analyze(n, this->starts.data(), this->rows.data(), &common);
    if (!made->symbolic)
      this->failStatus(common.status, outOfMemory);
    made->size = n * int64_t{4 * sizeof(int64_t)};
    return made;
  }
  const W *pivots() const {
    return static_cast<const W *>(numeric->diagonalOfU);
  }

  const KLU &library;
  mutable Common common;
  mutable ForkSafeMutex working;
  std::shared_ptr<Analysis> analysis;
  Numeric *numeric = nullptr;
};

} // namespace

template <typename T>
Factors<T> factorizeByKLU(const Matrix<T> &A, const tsgu_executor &) {
  return std::make_shared<ByKLU<T>>(A);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> factorizeByKLU(const Matrix<T> &, const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
