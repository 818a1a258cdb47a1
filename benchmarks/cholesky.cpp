//===- cholesky.cpp - Cholesky factorisations to compare with -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ours, Eigen's simplicial one, and CHOLMOD's if a library of it is installed,
// all on the ordering of ours. CHOLMOD is opened by name: nothing of it is
// linked, and of its structures only what is used is declared.
//
//===----------------------------------------------------------------------===//

#include "base/Parallel.h"
#include "direct/cholesky/Numeric.h"

#define EIGEN_MPL2_ONLY
#include <Eigen/SparseCholesky>

#include <dlfcn.h>

#include <vector>

#define EXPORTED extern "C" __attribute__((visibility("default")))

using namespace tsgu::runtime;

namespace {

struct CholmodSparse {
  size_t nrow, ncol, nzmax;
  void *p, *i, *nz, *x, *z;
  int stype, itype, xtype, dtype, sorted, packed;
};
struct CholmodDense {
  size_t nrow, ncol, nzmax, d;
  void *x, *z;
  int xtype, dtype;
};
union CholmodCommon {
  struct {
    double reals[6];
    int supernodal, finals[6];
    double zrelax[3];
    size_t nrelax[3];
    int preferences[6];
    void *handler;
    int nmethods;
  } head;
  char room[1 << 14];
};

/// CHOLMOD with 64-bit indices.
struct Cholmod {
  CholmodCommon common;
  int (*start)(void *);
  void *(*analyze)(CholmodSparse *, int64_t *, int64_t *, size_t, void *);
  int (*factorize)(CholmodSparse *, void *, void *);
  CholmodDense *(*solve)(int, void *, CholmodDense *, void *);
  int (*freeDense)(CholmodDense **, void *);
  int (*freeFactor)(void **, void *);

  static Cholmod *get() {
    static Cholmod library;
    static const bool found = library.open();
    return found ? &library : nullptr;
  }

private:
  bool open() {
    void *handle = dlopen("libcholmod.so.3", RTLD_NOW | RTLD_LOCAL);
    const auto find = [&](auto &function, const char *name) {
      function = handle ? reinterpret_cast<std::decay_t<decltype(function)>>(
                              dlsym(handle, name))
                        : nullptr;
      return function != nullptr;
    };
    return find(start, "cholmod_l_start") &&
           find(analyze, "cholmod_l_analyze_p") &&
           find(factorize, "cholmod_l_factorize") &&
           find(solve, "cholmod_l_solve") &&
           find(freeDense, "cholmod_l_free_dense") &&
           find(freeFactor, "cholmod_l_free_factor") && start(&common);
  }
};

using Lower = Eigen::SparseMatrix<double, Eigen::ColMajor, int64_t>;

struct EigenLLT : Eigen::SimplicialLLT<Lower, Eigen::Lower,
                                       Eigen::NaturalOrdering<int64_t>> {};

/// One matrix and its factors.
struct Case {
  Pattern *pattern;
  Matrix<double> A;
  std::shared_ptr<const cholesky::Symbolic> symbolic;
  /// L L^T, and L J L^T.
  std::unique_ptr<cholesky::Factor<double>> factor, indefinite;
  std::vector<double> ones;
  Lower permuted; ///< Its lower triangle in our order.
  std::unique_ptr<EigenLLT> eigen;
  void *cholmod = nullptr;

  ~Case() {
    if (cholmod)
      Cholmod::get()->freeFactor(&cholmod, &Cholmod::get()->common);
    factor.reset(), indefinite.reset();
    pattern->release();
  }

  CholmodSparse sparse() {
    const auto n = size_t(permuted.rows());
    return {n,
            n,
            size_t(permuted.nonZeros()),
            permuted.outerIndexPtr(),
            permuted.innerIndexPtr(),
            nullptr,
            permuted.valuePtr(),
            nullptr,
            -1,
            2,
            1,
            0,
            1,
            1};
  }
};

} // namespace

/// int32 CSR; values of both triangles. Analyses.
EXPORTED Case *bench_cholesky_case(int64_t n, const int32_t *positions,
                                   const int32_t *coordinates,
                                   const double *values) {
  const int64_t shape[] = {n, n};
  auto *made = new Case;
  made->pattern = Pattern::fromCSR(2, shape, TSGU_I32, positions, coordinates,
                                   positions[n]);
  made->A = {made->pattern, 0, values};
  made->symbolic = cholesky::analyse(made->A);
  made->ones.assign(n, 1);
  std::vector<int64_t> place(n);
  for (int64_t k = 0; k < n; ++k)
    place[made->symbolic->order[k]] = k;
  std::vector<Eigen::Triplet<double, int64_t>> entries;
  for (int64_t i = 0; i < n; ++i)
    for (int32_t e = positions[i]; e < positions[i + 1]; ++e)
      if (place[i] >= place[coordinates[e]])
        entries.emplace_back(place[i], place[coordinates[e]], values[e]);
  made->permuted = Lower(n, n);
  made->permuted.setFromTriplets(entries.begin(), entries.end());
  return made;
}
EXPORTED void bench_cholesky_free(Case *of) { delete of; }

/// 0: supernodes, 1: entries of the factor, 2: flops, 3: bytes.
EXPORTED double bench_cholesky_fact(Case *of, int which) {
  switch (which) {
  case 0:
    return of->symbolic->supernodes();
  case 1:
    return double(of->symbolic->factorEntries);
  case 2:
    return of->symbolic->flops;
  default:
    return of->factor ? double(of->factor->bytes()) : 0;
  }
}

static cholesky::Stop factorise(Case *of,
                                std::unique_ptr<cholesky::Factor<double>> &to,
                                bool isIndefinite, int threads) {
  if (!to)
    to = std::make_unique<cholesky::Factor<double>>(of->symbolic, isIndefinite);
  setThreads(threads);
  return cholesky::factorise(*to, of->A.values, of->ones, executorOr(nullptr));
}
EXPORTED int bench_cholesky_factorise(Case *of, int threads) {
  return factorise(of, of->factor, false, threads).column < 0;
}
EXPORTED int bench_ldlt_factorise(Case *of) {
  return factorise(of, of->indefinite, true, 1).column < 0;
}
/// Of the factor, on the pattern: one value for each entry.
EXPORTED void bench_cholesky_invert(Case *of, double *values, int threads) {
  setThreads(threads);
  cholesky::invertSelected(*of->factor, of->ones, values, executorOr(nullptr));
}
EXPORTED void bench_cholesky_solve(Case *of, double *y, int threads) {
  setThreads(threads);
  for (const bool forward : {true, false})
    cholesky::substitute(*of->factor, forward, y, 1, executorOr(nullptr));
}

EXPORTED int bench_eigen_factorise(Case *of) {
  if (!of->eigen) {
    of->eigen = std::make_unique<EigenLLT>();
    of->eigen->analyzePattern(of->permuted);
  }
  of->eigen->factorize(of->permuted);
  return of->eigen->info() == Eigen::Success;
}
EXPORTED void bench_eigen_solve(Case *of, double *y) {
  Eigen::Map<Eigen::VectorXd> vector(y, of->permuted.rows());
  vector = of->eigen->solve(vector).eval();
}

/// 0: no CHOLMOD here.
EXPORTED int bench_cholmod_factorise(Case *of) {
  Cholmod *library = Cholmod::get();
  if (!library)
    return 0;
  CholmodSparse A = of->sparse();
  if (!of->cholmod) {
    std::vector<int64_t> order(A.nrow);
    for (size_t k = 0; k < order.size(); ++k)
      order[k] = int64_t(k);
    library->common.head.nmethods = 1;
    of->cholmod =
        library->analyze(&A, order.data(), nullptr, 0, &library->common);
  }
  return of->cholmod && library->factorize(&A, of->cholmod, &library->common);
}
EXPORTED void bench_cholmod_solve(Case *of, double *y) {
  Cholmod *library = Cholmod::get();
  const auto n = size_t(of->permuted.rows());
  CholmodDense b{n, 1, n, n, y, nullptr, 1, 0};
  CholmodDense *x = library->solve(0, of->cholmod, &b, &library->common);
  std::copy_n(static_cast<double *>(x->x), n, y);
  library->freeDense(&x, &library->common);
}
