//===- eigen_krylov.cpp - Eigen's Krylov methods as a peer ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled by krylov_peers.py with all that this machine has, OpenMP included.
//
//===----------------------------------------------------------------------===//

#define EIGEN_MPL2_ONLY
#include <Eigen/IterativeLinearSolvers>
#include <Eigen/Sparse>
#include <unsupported/Eigen/IterativeSolvers>

#include <cstdint>

namespace {

template <typename T> using Matrix = Eigen::SparseMatrix<T, Eigen::RowMajor>;
template <typename T> using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
constexpr int both = Eigen::Lower | Eigen::Upper;

template <typename Solver, typename A, typename T>
void run(const A &matrix, const T *b, T *x, int iterations) {
  Solver solver;
  solver.setTolerance(0);
  solver.setMaxIterations(iterations);
  solver.compute(matrix);
  const auto n = matrix.rows();
  Eigen::Map<Vector<T>>(x, n) = solver.solve(Eigen::Map<const Vector<T>>(b, n));
}

template <typename T>
void solve(int method, int n, int stored, const int *positions,
           const int *coordinates, const T *values, const T *b, T *x,
           int iterations) {
  using Plain = Eigen::IdentityPreconditioner;
  const Eigen::Map<const Matrix<T>> A(n, n, stored, positions, coordinates,
                                      values);
  if (method == 0)
    run<Eigen::ConjugateGradient<Matrix<T>, both, Plain>>(A, b, x, iterations);
  else if (method == 1)
    run<Eigen::BiCGSTAB<Matrix<T>, Plain>>(A, b, x, iterations);
  else
    run<Eigen::MINRES<Matrix<T>, both, Plain>>(A, b, x, iterations);
}

template <typename T>
void multiply(int n, int stored, const int *positions, const int *coordinates,
              const T *values, const T *x, T *y, int repeats) {
  const Eigen::Map<const Matrix<T>> A(n, n, stored, positions, coordinates,
                                      values);
  const Eigen::Map<const Vector<T>> in(x, n);
  Eigen::Map<Vector<T>> out(y, n);
  for (int r = 0; r < repeats; ++r)
    out.noalias() = A * in;
}

} // namespace

extern "C" {

void eigen_threads(int32_t count) { Eigen::setNbThreads(count); }

/// method: 0 CG, 1 BiCGSTAB, 2 MINRES; exactly so many iterations.
void eigen_solve(int32_t method, int32_t f64, int32_t n, int32_t stored,
                 const int *positions, const int *coordinates,
                 const void *values, const void *b, void *x,
                 int32_t iterations) {
  if (f64)
    solve(method, n, stored, positions, coordinates,
          static_cast<const double *>(values), static_cast<const double *>(b),
          static_cast<double *>(x), iterations);
  else
    solve(method, n, stored, positions, coordinates,
          static_cast<const float *>(values), static_cast<const float *>(b),
          static_cast<float *>(x), iterations);
}

void eigen_multiply(int32_t n, int32_t stored, const int *positions,
                    const int *coordinates, const double *values,
                    const double *x, double *y, int32_t repeats) {
  multiply(n, stored, positions, coordinates, values, x, y, repeats);
}
}
