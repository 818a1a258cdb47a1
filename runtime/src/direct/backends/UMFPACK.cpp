//===- UMFPACK.cpp - Any square matrix, by UMFPACK ------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Version 5, with indices of 64 bits. All that it takes are arrays of numbers.
//
//===----------------------------------------------------------------------===//

#include "direct/foreign/ForeignLU.h"
#include "direct/foreign/Library.h"

namespace tsgu::runtime {
namespace {

constexpr int64_t singular = 1, outOfMemory = -1;
/// Places in its array of controls, of 20 numbers.
constexpr int refinementSteps = 7, scaling = 16;
/// Which system is solved.
constexpr int64_t asItIs = 0, byTranspose = 2;

using Positions = const int64_t *;

struct UMFPACK {
  // Of real matrices, and of complex ones, whose second arrays are NULL where
  // the parts of numbers alternate.
  void (*defaults[2])(double *);
  int64_t (*analyze)(int64_t, int64_t, Positions, Positions, const double *,
                     void **, const double *, double *);
  int64_t (*analyzeComplex)(int64_t, int64_t, Positions, Positions,
                            const double *, const double *, void **,
                            const double *, double *);
  int64_t (*factor)(Positions, Positions, const double *, void *, void **,
                    const double *, double *);
  int64_t (*factorComplex)(Positions, Positions, const double *, const double *,
                           void *, void **, const double *, double *);
  int64_t (*solve)(int64_t, Positions, Positions, const double *, double *,
                   const double *, void *, const double *, double *);
  int64_t (*solveComplex)(int64_t, Positions, Positions, const double *,
                          const double *, double *, double *, const double *,
                          const double *, void *, const double *, double *);
  int64_t (*get)(int64_t *, int64_t *, double *, int64_t *, int64_t *, double *,
                 int64_t *, int64_t *, double *, int64_t *, double *, void *);
  int64_t (*getComplex)(int64_t *, int64_t *, double *, double *, int64_t *,
                        int64_t *, double *, double *, int64_t *, int64_t *,
                        double *, double *, int64_t *, double *, void *);
  int64_t (*count[2])(int64_t *, int64_t *, int64_t *, int64_t *, int64_t *,
                      void *);
  void (*freeSymbolic[2])(void **);
  void (*freeNumeric[2])(void **);

  UMFPACK() {
    const foreign::Library library(
        "lu:umfpack", "UMFPACK", {"libumfpack.so.5"},
        "UMFPACK 5 is Debian's and Ubuntu's package libumfpack5 (apt install "
        "libumfpack5)");
    library.find(defaults[0], "umfpack_dl_defaults");
    library.find(defaults[1], "umfpack_zl_defaults");
    library.find(analyze, "umfpack_dl_symbolic");
    library.find(analyzeComplex, "umfpack_zl_symbolic");
    library.find(factor, "umfpack_dl_numeric");
    library.find(factorComplex, "umfpack_zl_numeric");
    library.find(solve, "umfpack_dl_solve");
    library.find(solveComplex, "umfpack_zl_solve");
    library.find(get, "umfpack_dl_get_numeric");
    library.find(getComplex, "umfpack_zl_get_numeric");
    library.find(count[0], "umfpack_dl_get_lunz");
    library.find(count[1], "umfpack_zl_get_lunz");
    library.find(freeSymbolic[0], "umfpack_dl_free_symbolic");
    library.find(freeSymbolic[1], "umfpack_zl_free_symbolic");
    library.find(freeNumeric[0], "umfpack_dl_free_numeric");
    library.find(freeNumeric[1], "umfpack_zl_free_numeric");
  }
};

struct Analysis : Attachment {
  explicit Analysis(int kind) : kind(kind) {}
  ~Analysis() override {
    foreign::opened<UMFPACK>().freeSymbolic[kind](&symbolic);
  }
  int64_t bytes() const override { return size; }

  int kind;
  void *symbolic = nullptr;
  int64_t size = 0;
};

template <typename T> class ByUMFPACK : public foreign::ForeignLU<T> {
  using W = Wide<T>;
  static constexpr int kind = isComplex<T> ? 1 : 0;

public:
  explicit ByUMFPACK(const Matrix<T> &A)
      : foreign::ForeignLU<T>("lu:umfpack", A),
        library(foreign::opened<UMFPACK>()), n(A.rows()), columns(n),
        pivots(n) {
    library.defaults[kind](control);
    control[refinementSteps] = 0, control[scaling] = 0;
    const auto analysis = A.pattern->attachments().template get<Analysis>(
        attachmentKey(AttachmentKind::Elimination,
                      static_cast<uint64_t>(A.item) << 8 | kind << 7 |
                          TSGU_LU_UMFPACK),
        [&] { return analyse(); });
    checkInterrupt();
    const auto *const numbers = numbersOf(this->values.data());
    const int64_t status = [&] {
      std::lock_guard guard(foreign::systemBLAS);
      if constexpr (kind == 1)
        return library.factorComplex(this->starts.data(), this->rows.data(),
                                     numbers, nullptr, analysis->symbolic,
                                     &numeric, control, nullptr);
      else
        return library.factor(this->starts.data(), this->rows.data(), numbers,
                              analysis->symbolic, &numeric, control, nullptr);
    }();
    try {
      if (status != 0 && status != singular)
        this->failStatus(status, outOfMemory);
      read();
      if (status == singular)
        this->failSingular(A, this->weakestRow);
    } catch (...) {
      library.freeNumeric[kind](&numeric);
      throw;
    }
    this->starts = {}, this->rows = {}, this->values = {};
  }
  ~ByUMFPACK() override { library.freeNumeric[kind](&numeric); }

  Determinant<T> determinant() const override {
    return this->determinantOf(pivots.data(), sign);
  }
  double entries() const override { return stored; }
  int64_t bytes() const override {
    return static_cast<int64_t>(stored) * int64_t{sizeof(W) + 4} +
           n * int64_t{sizeof(W) + 8 * sizeof(int64_t)};
  }

protected:
  void solve(bool transposed, std::vector<W> &y, int64_t count,
             const tsgu_executor &) const override {
    std::vector<W> x(n);
    const int64_t system = transposed ? byTranspose : asItIs;
    for (int64_t j = 0; j < count; ++j) {
      W *const b = y.data() + j * n;
      int64_t status;
      if constexpr (kind == 1)
        status = library.solveComplex(
            system, nullptr, nullptr, nullptr, nullptr, numbersOf(x.data()),
            nullptr, numbersOf(b), nullptr, numeric, control, nullptr);
      else
        status = library.solve(system, nullptr, nullptr, nullptr, x.data(), b,
                               numeric, control, nullptr);
      if (status < 0)
        this->failStatus(status, outOfMemory);
      std::copy(x.begin(), x.end(), b);
      checkInterrupt();
    }
  }

private:
  static double *numbersOf(W *of) { return reinterpret_cast<double *>(of); }

  std::shared_ptr<Analysis> analyse() const {
    auto made = std::make_shared<Analysis>(kind);
    int64_t status;
    if constexpr (kind == 1)
      status = library.analyzeComplex(n, n, this->starts.data(),
                                      this->rows.data(), nullptr, nullptr,
                                      &made->symbolic, control, nullptr);
    else
      status = library.analyze(n, n, this->starts.data(), this->rows.data(),
                               nullptr, &made->symbolic, control, nullptr);
    if (status != 0)
      this->failStatus(status, outOfMemory);
    made->size = n * int64_t{8 * sizeof(int64_t)};
    return made;
  }

  void read() {
    std::vector<int64_t> order(n);
    int64_t reciprocals = 0, ofL = 0, ofU = 0, none[3];
    auto *const diagonal = numbersOf(pivots.data());
    if constexpr (kind == 1)
      library.getComplex(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                         nullptr, nullptr, order.data(), columns.data(),
                         diagonal, nullptr, &reciprocals, nullptr, numeric);
    else
      library.get(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                  order.data(), columns.data(), diagonal, &reciprocals, nullptr,
                  numeric);
    library.count[kind](&ofL, &ofU, none, none + 1, none + 2, numeric);
    stored = static_cast<double>(ofL + ofU);
    sign = signOf(order) * signOf(columns);
    this->setPivots(pivots.data(), columns.data());
  }

  const UMFPACK &library;
  int64_t n;
  std::vector<int64_t> columns; ///< Of M, which are rows of A, by pivots.
  std::vector<W> pivots;
  double control[20];
  double stored = 0;
  int sign = 1;
  void *numeric = nullptr;
};

} // namespace

template <typename T>
Factors<T> factorizeByUMFPACK(const Matrix<T> &A, const tsgu_executor &) {
  return std::make_shared<ByUMFPACK<T>>(A);
}
#define INSTANTIATE(T)                                                         \
  template Factors<T> factorizeByUMFPACK(const Matrix<T> &,                    \
                                         const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
