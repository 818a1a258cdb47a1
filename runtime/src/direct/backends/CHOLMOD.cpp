//===- CHOLMOD.cpp - Positive definite matrices, by CHOLMOD ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Version 3.0.14, of SuiteSparse 5.10 to 5.13, with indices of 64 bits. Always
// L L^H by supernodes: its own choice would take indefinite matrices when they
// are small.
//
//===----------------------------------------------------------------------===//

#include "direct/foreign/ForeignCholesky.h"
#include "direct/foreign/Library.h"

#include <cstring>
#include <mutex>

namespace tsgu::runtime {
namespace {

constexpr int supernodes = 2, indices64 = 2, notDefinite = 1, outOfMemory = -2;

/// What it is told and tells, of 2,664 bytes in this version; members by their
/// places.
struct alignas(16) Common {
  char memory[8192]{};

  template <typename V> V &at(size_t place) {
    return *reinterpret_cast<V *>(memory + place);
  }
  double &growth() { return at<double>(8); }
  int &supernodal() { return at<int>(48); }
  int &isLL() { return at<int>(60); }
  int &stopsIfNotDefinite() { return at<int>(136); }
  int &print() { return at<int>(144); }
  int &methods() { return at<int>(168); }
  int &indexType() { return at<int>(1960); }
  int &status() { return at<int>(1972); }
  double &entries() { return at<double>(1984); }
};

struct Sparse {
  size_t rows, columns, room;
  void *starts, *coordinates, *lengths, *values, *imaginary;
  int side, indexType, valueType, precision, isSorted, isPacked;
};
struct Dense {
  size_t rows, columns, room, stride;
  void *values, *imaginary;
  int valueType, precision;
};
struct Factor {
  size_t n, minor;
  int64_t *order, *counts, *places;
  size_t room;
  void *starts, *coordinates, *values, *imaginary, *lengths, *next, *previous;
  size_t supernodes, indices, numbers, mostUpdate, mostEntries;
  int64_t *first, *indexStarts, *numberStarts, *rows;
  int ordering, isLL, isSupernodal, isMonotonic;
};

struct CHOLMOD {
  int (*start)(Common *), (*finish)(Common *), (*version)(int *);
  Factor *(*analyze)(Sparse *, Common *);
  Factor *(*copy)(Factor *, Common *);
  int (*factorize)(Sparse *, Factor *, Common *);
  Dense *(*solve)(int, Factor *, Dense *, Common *);
  int (*freeFactor)(Factor **, Common *);
  int (*freeDense)(Dense **, Common *);

  CHOLMOD() {
    const foreign::Library library(
        "cholesky:cholmod", "CHOLMOD", {"libcholmod.so.3"},
        "CHOLMOD 3.0.14 is the package libcholmod3 of Debian 12 and Ubuntu "
        "22.04 (apt install libcholmod3)");
    library.find(version, "cholmod_l_version");
    library.find(start, "cholmod_l_start");
    library.find(finish, "cholmod_l_finish");
    library.find(analyze, "cholmod_l_analyze");
    library.find(copy, "cholmod_l_copy_factor");
    library.find(factorize, "cholmod_l_factorize");
    library.find(solve, "cholmod_l_solve");
    library.find(freeFactor, "cholmod_l_free_factor");
    library.find(freeDense, "cholmod_l_free_dense");
    int numbers[3] = {};
    version(numbers);
    Common common;
    if (numbers[0] == 3 && numbers[1] == 0 && numbers[2] == 14)
      start(&common);
    if (common.growth() != 1.2 || common.supernodal() != 1 ||
        common.print() != 3 || common.indexType() != indices64)
      library.refuse((std::ostringstream()
                      << "is of version " << numbers[0] << '.' << numbers[1]
                      << '.' << numbers[2])
                         .str()
                         .c_str());
    finish(&common);
  }
};

/// A session with it: nothing that it writes is shared.
struct Session {
  Session() : library(foreign::opened<CHOLMOD>()) {
    library.start(&common);
    common.supernodal() = supernodes, common.isLL() = 1;
    common.stopsIfNotDefinite() = 1, common.print() = 0;
  }
  Session(const Session &) = delete;
  ~Session() { library.finish(&common); }

  const CHOLMOD &library;
  Common common;
};

struct Analysis : Attachment {
  ~Analysis() override {
    Session session;
    session.library.freeFactor(&factor, &session.common);
  }
  int64_t bytes() const override {
    return static_cast<int64_t>((4 * factor->n + factor->indices) *
                                sizeof(int64_t));
  }
  Factor *factor = nullptr;
};

template <typename T> class ByCHOLMOD : public foreign::ForeignCholesky<T> {
  using W = Wide<T>;
  static constexpr int valueType = isComplex<T> ? 2 : 1;

public:
  explicit ByCHOLMOD(const Matrix<T> &A)
      : foreign::ForeignCholesky<T>("cholesky:cholmod", A) {
    Session session;
    // The upper triangle by rows is the conjugate's lower one by columns.
    for (W &value : this->values)
      value = conjugate(value);
    const auto n = static_cast<size_t>(A.rows());
    Sparse lower{n,
                 n,
                 this->values.size(),
                 this->starts.data(),
                 this->columns.data(),
                 nullptr,
                 this->values.data(),
                 nullptr,
                 -1,
                 indices64,
                 valueType,
                 0,
                 1,
                 1};
    const auto analysis = A.pattern->attachments().template get<Analysis>(
        attachmentKey(AttachmentKind::Elimination, static_cast<uint64_t>(A.item)
                                                           << 8 |
                                                       TSGU_CHOLESKY_CHOLMOD),
        [&] {
          auto made = std::make_shared<Analysis>();
          made->factor = session.library.analyze(&lower, &session.common);
          if (!made->factor)
            this->failStatus(session.common.status(), outOfMemory);
          return made;
        });
    checkInterrupt();
    factor = {session.library.copy(analysis->factor, &session.common), release};
    if (!factor)
      this->failStatus(session.common.status(), outOfMemory);
    {
      std::lock_guard guard(foreign::systemBLAS);
      session.library.factorize(&lower, factor.get(), &session.common);
    }
    if (session.common.status() == notDefinite)
      this->failIndefinite(A, factor->minor < n ? factor->order[factor->minor]
                                                : -1);
    if (session.common.status() != 0 || !factor->isSupernodal)
      this->failStatus(session.common.status(), outOfMemory);
    this->starts = {}, this->columns = {}, this->values = {};
    eachPivot([&](int64_t k, double pivot) {
      const auto size = static_cast<Real<T>>(pivot * pivot);
      if (size < this->weakestPivot || this->weakestRow < 0)
        this->weakestPivot = size, this->weakestRow = factor->order[k];
    });
  }

  Determinant<T> determinant() const override {
    ScaledProduct<double> product;
    eachPivot([&](int64_t, double pivot) {
      product.multiply(pivot), product.multiply(pivot);
    });
    for (const Real<T> scale : this->rowScale)
      product.divide(double(scale)), product.divide(double(scale));
    return {T(1), static_cast<Real<T>>(product.determinant().log)};
  }

  double entries() const override {
    return static_cast<double>(factor->numbers);
  }
  int64_t bytes() const override {
    return static_cast<int64_t>(factor->numbers * sizeof(W) +
                                (factor->indices + 4 * factor->n) *
                                    sizeof(int64_t));
  }

protected:
  void solve(std::vector<W> &y, int64_t count,
             const tsgu_executor &) const override {
    Session session;
    std::lock_guard guard(foreign::systemBLAS);
    Dense b{factor->n, static_cast<size_t>(count),
            y.size(),  factor->n,
            y.data(),  nullptr,
            valueType, 0};
    Dense *x = session.library.solve(0, factor.get(), &b, &session.common);
    if (!x)
      this->failStatus(session.common.status(), outOfMemory);
    std::memcpy(static_cast<void *>(y.data()), x->values, y.size() * sizeof(W));
    session.library.freeDense(&x, &session.common);
  }

private:
  static void release(Factor *factor) {
    Session session;
    session.library.freeFactor(&factor, &session.common);
  }

  /// function(column, L's diagonal there).
  template <typename F> void eachPivot(F &&function) const {
    const auto *const numbers = static_cast<const W *>(factor->values);
    for (size_t s = 0; s < factor->supernodes; ++s) {
      const int64_t height =
          factor->indexStarts[s + 1] - factor->indexStarts[s];
      const int64_t first = factor->first[s];
      for (int64_t k = 0; k < factor->first[s + 1] - first; ++k)
        function(
            first + k,
            std::real(numbers[factor->numberStarts[s] + k * (height + 1)]));
    }
  }

  std::unique_ptr<Factor, void (*)(Factor *)> factor{nullptr, release};
};

} // namespace

template <typename T>
Factors<T> factorizeByCHOLMOD(const Matrix<T> &A, const tsgu_executor &) {
  return std::make_shared<ByCHOLMOD<T>>(A);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> factorizeByCHOLMOD(const Matrix<T> &,                    \
                                         const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
