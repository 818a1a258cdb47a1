//===- SolverSystems.h - Systems and ways to solve them ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_SOLVERSYSTEMS_H
#define TSGU_TEST_SOLVERSYSTEMS_H

#include "tsgu/tsgu.hpp"

#include <complex>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace tsgu::test {

inline const char *const methodNames[] = {
    "Triangular", "CG",       "BiCGSTAB", "MINRES",   "GMRES", "CGS",
    "LSMR",       "Callback", "LU",       "Cholesky", "QR",    "LDLT"};
inline const char *const preconditionerNames[] = {
    "", "Jacobi", "BlockJacobi", "SSOR", "ILU0", "IC0", "AMG"};

/// A method with a preconditioner.
struct Choice {
  int64_t method, preconditioner;

  tsgu_solver solver() const {
    tsgu_solver solver{};
    solver.method = method;
    solver.preconditioner = preconditioner;
    solver.rtol = -1;
    solver.on_fail = TSGU_RAISE;
    return solver;
  }
  std::string name() const {
    return std::string(methodNames[method]) +
           preconditionerNames[preconditioner];
  }
};

/// Every method, and every preconditioner with every method that takes it.
inline std::vector<Choice> choices() {
  std::vector<Choice> all{{TSGU_TRIANGULAR, 0}, {TSGU_LSMR, 0}, {TSGU_LU, 0},
                          {TSGU_CHOLESKY, 0},   {TSGU_LDLT, 0}, {TSGU_QR, 0}};
  for (int64_t method = TSGU_CG; method <= TSGU_CGS; ++method)
    for (int64_t preconditioner = 0; preconditioner <= TSGU_AMG;
         ++preconditioner)
      all.push_back({method, preconditioner});
  return all;
}

inline std::string describe(const tsgu_solver &solver, tsgu_mode mode) {
  return Choice{solver.method, solver.preconditioner}.name() + " of mode " +
         "NTC"[mode];
}

template <typename T> constexpr tsgu_type typeOfScalar() {
  return std::is_same_v<T, float>                 ? TSGU_F32
         : std::is_same_v<T, double>              ? TSGU_F64
         : std::is_same_v<T, std::complex<float>> ? TSGU_C64
                                                  : TSGU_C128;
}

/// A x = b with everything that a call of the C API needs. A copy has a pattern
/// of its own.
template <typename T> struct System {
  int64_t rows = 0, columns = 0;
  std::vector<int32_t> positions{0}, coordinates;
  std::vector<T> values, b, x;
  std::optional<Pattern> pattern;
  int64_t shape[2], strides[2], stored[1], unit[1] = {1};
  tsgu_tensor tensors[3];

  System() = default;
  System(const System &other) { *this = other; }
  System &operator=(const System &other) {
    rows = other.rows, columns = other.columns;
    positions = other.positions, coordinates = other.coordinates;
    values = other.values, b = other.b, x = other.x;
    finish();
    return *this;
  }

  void finish() {
    pattern = Pattern::csr<int32_t>({rows, rows}, positions, coordinates);
    shape[0] = rows, shape[1] = columns;
    strides[0] = columns, strides[1] = 1;
    stored[0] = static_cast<int64_t>(values.size());
    tensors[0] = {values.data(), typeOfScalar<T>(), 1, stored, unit};
    tensors[1] = {b.data(), typeOfScalar<T>(), 2, shape, strides};
    tensors[2] = {x.data(), typeOfScalar<T>(), 2, shape, strides};
  }

  const tsgu_tensor *valueTensor() const { return tensors; }
  const tsgu_tensor *bTensor() const { return tensors + 1; }
  const tsgu_tensor *xTensor() const { return tensors + 2; }

  tsgu_status solve(const tsgu_solver &solver, tsgu_mode mode,
                    const tsgu_executor *executor = nullptr) {
    return tsgu_solve(&solver, mode, pattern->get(), valueTensor(), bTensor(),
                      xTensor(), 0, executor);
  }
};

template <typename T>
bool sameBits(const std::vector<T> &a, const std::vector<T> &b) {
  return a.size() == b.size() &&
         (a.empty() ||
          std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// A reaction and diffusion on a square grid, Hermitian positive definite;
/// `skew` of convection makes it nonsymmetric.
template <typename T>
System<T> gridSystem(int64_t side, int64_t columns, double skew = 0) {
  System<T> system;
  system.rows = side * side, system.columns = columns;
  auto add = [&](int64_t column, double value) {
    system.coordinates.push_back(static_cast<int32_t>(column));
    system.values.push_back(static_cast<T>(value));
  };
  for (int64_t i = 0; i < system.rows; ++i) {
    if (i >= side)
      add(i - side, -1);
    if (i % side > 0)
      add(i - 1, -1 - skew);
    add(i, 4.5);
    if (i % side < side - 1)
      add(i + 1, -1 + skew);
    if (i + side < system.rows)
      add(i + side, -1);
    system.positions.push_back(static_cast<int32_t>(system.values.size()));
  }
  system.b.resize(system.rows * columns);
  for (size_t k = 0; k < system.b.size(); ++k)
    system.b[k] = static_cast<T>(1 + static_cast<double>(k * 7919 % 97) / 97);
  system.x.resize(system.b.size());
  system.finish();
  return system;
}

} // namespace tsgu::test

#endif // TSGU_TEST_SOLVERSYSTEMS_H
