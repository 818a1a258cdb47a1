//===- klu.cpp - A loop over KLU's refactorisation and solves -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What small_systems.py compares with: one analysis and one pivot order for all
// items, as a simulator of circuits does it. KLU is opened if it is installed.
//
//===----------------------------------------------------------------------===//

#include <cstddef>
#include <cstdint>
#include <vector>

#include <dlfcn.h>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

/// Room for klu_common, which is only handed through.
struct Common {
  alignas(16) char memory[1024];
};

struct KLU {
  int (*defaults)(Common *);
  void *(*analyze)(int, const int *, const int *, Common *);
  void *(*factor)(const int *, const int *, const double *, void *, Common *);
  int (*refactor)(const int *, const int *, const double *, void *, void *,
                  Common *);
  int (*solve)(void *, void *, int, int, double *, Common *);
  int (*solveTransposed)(void *, void *, int, int, double *, Common *);
  int (*freeSymbolic)(void **, Common *);
  int (*freeNumeric)(void **, Common *);
  bool isHere;

  KLU() {
    void *handle = dlopen("libklu.so.1", RTLD_NOW | RTLD_LOCAL);
    isHere = handle;
    const auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(
          handle ? dlsym(handle, name) : nullptr);
      isHere = isHere && function;
    };
    find(defaults, "klu_defaults");
    find(analyze, "klu_analyze");
    find(factor, "klu_factor");
    find(refactor, "klu_refactor");
    find(solve, "klu_solve");
    find(solveTransposed, "klu_tsolve");
    find(freeSymbolic, "klu_free_symbolic");
    find(freeNumeric, "klu_free_numeric");
  }
};

} // namespace

/// The gradient of norm(A^-1 b)^2 in values [items][stored] and b [items][n];
/// the columns that KLU takes are the rows of A. 0: there is no KLU, or it
/// failed.
EXPORTED int bench_klu(int n, const int *starts, const int *coordinates,
                       int64_t items, const double *values, const double *b,
                       double *ofValues, double *ofB) {
  static const KLU library;
  if (!library.isHere)
    return 0;
  Common common;
  library.defaults(&common);
  void *symbolic = library.analyze(n, starts, coordinates, &common);
  void *numeric =
      symbolic ? library.factor(starts, coordinates, values, symbolic, &common)
               : nullptr;
  bool succeeds = numeric;
  std::vector<double> x(n);
  for (int64_t item = 0; succeeds && item < items; ++item) {
    const double *own = values + item * starts[n];
    double *y = ofB + item * n, *gradient = ofValues + item * starts[n];
    x.assign(b + item * n, b + (item + 1) * n);
    succeeds =
        library.refactor(starts, coordinates, own, symbolic, numeric,
                         &common) &&
        library.solveTransposed(symbolic, numeric, n, 1, x.data(), &common);
    for (int i = 0; i < n; ++i)
      y[i] = 2 * x[i];
    succeeds = succeeds && library.solve(symbolic, numeric, n, 1, y, &common);
    for (int i = 0; i < n; ++i)
      for (int e = starts[i]; e < starts[i + 1]; ++e)
        gradient[e] = -y[i] * x[coordinates[e]];
  }
  library.freeNumeric(&numeric, &common);
  library.freeSymbolic(&symbolic, &common);
  return succeeds;
}
