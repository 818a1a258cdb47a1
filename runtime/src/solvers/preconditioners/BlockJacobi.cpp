//===- BlockJacobi.cpp - The inverses of diagonal blocks ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Block k holds the rows and columns k * size .. (k + 1) * size - 1; the last
// may be smaller.
//
//===----------------------------------------------------------------------===//

#include "pattern/Rows.h"
#include "solvers/preconditioners/Makers.h"

namespace tsgu::runtime {
namespace {

/// Replaces the row-major n x n matrix by its inverse: Gauss-Jordan elimination
/// with row exchanges. False: it is singular.
template <typename T> bool invert(T *a, int64_t n, std::vector<int64_t> &from) {
  from.resize(n);
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i)
      if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k]))
        pivot = i;
    from[k] = pivot;
    if (pivot != k)
      std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
    if (a[k * n + k] == T(0))
      return false;
    const T inverse = T(1) / a[k * n + k];
    a[k * n + k] = T(1);
    for (int64_t j = 0; j < n; ++j)
      a[k * n + j] *= inverse;
    for (int64_t i = 0; i < n; ++i) {
      if (i == k)
        continue;
      const T factor = std::exchange(a[i * n + k], T(0));
      for (int64_t j = 0; j < n; ++j)
        a[i * n + j] -= factor * a[k * n + j];
    }
  }
  for (int64_t k = n - 1; k >= 0;
       --k) // Rows exchanged: columns of the inverse.
    for (int64_t i = 0; i < n && from[k] != k; ++i)
      std::swap(a[i * n + k], a[i * n + from[k]]);
  return true;
}

template <typename T> class BlockJacobi : public Prepared<T> {
public:
  BlockJacobi(const Matrix<T> &A, int64_t size, const tsgu_executor &executor)
      : rows(A.rows()), size(size), blocks((rows + size - 1) / size),
        inverses(multiply(blocks, size * size)) {
    withRows(A, [&](auto *positions, auto *coordinates) {
      forRows(executor, blocks, size * size * size,
              [&](int64_t begin, int64_t end) {
                std::vector<int64_t> exchanged;
                for (int64_t block = begin; block < end; ++block)
                  invertBlock(A, positions, coordinates, block, exchanged);
              });
    });
    for (int64_t block = 0; block < blocks; ++block)
      checkBlock(A, block);
  }

  void apply(Mode mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &executor) const override {
    forRows(executor, blocks, size * size * r.count,
            [&](int64_t begin, int64_t end) {
              for (int64_t block = begin; block < end; ++block)
                applyBlock(mode, block, r, z);
            });
  }

  int64_t bytes() const override { return inverses.size() * sizeof(T); }

private:
  int64_t extent(int64_t block) const {
    return std::min(size, rows - block * size);
  }
  const T *inverse(int64_t block) const {
    return inverses.data() + block * size * size;
  }

  /// A singular block becomes NaN, which checkBlock finds.
  template <typename I>
  void invertBlock(const Matrix<T> &A, const I *positions, const I *coordinates,
                   int64_t block, std::vector<int64_t> &exchanged) {
    const int64_t first = block * size, n = extent(block);
    T *dense = inverses.data() + block * size * size;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t k = positions[first + i]; k < positions[first + i + 1]; ++k)
        if (coordinates[k] >= first && coordinates[k] < first + n)
          dense[i * n + coordinates[k] - first] = A.values[k];
    if (!invert(dense, n, exchanged))
      std::fill_n(dense, n * n, T(std::nan("")));
  }

  /// NaN is an error where the block itself has none.
  void checkBlock(const Matrix<T> &A, int64_t block) const {
    const int64_t first = block * size, n = extent(block);
    if (std::all_of(inverse(block), inverse(block) + n * n,
                    [](T x) { return isFinite(x); }))
      return;
    const Layout &csr = A.pattern->csr();
    for (int64_t k = csr.position(A.firstRow() + first);
         k < csr.position(A.firstRow() + first + n); ++k)
      if (!isFinite(A.values[k]))
        return;
    fail(Status::Singular, "block Jacobi: the block of ", n,
         " rows that begins with ", nameOfRow(A, first),
         " is singular; choose another block size or preconditioner");
  }

  void applyBlock(Mode mode, int64_t block, Vectors<const T> r,
                  Vectors<T> z) const {
    const int64_t first = block * size, n = extent(block);
    const T *a = inverse(block);
    const int64_t down = mode == Mode::N ? n : 1, right = n + 1 - down;
    for (int64_t i = 0; i < n; ++i) {
      T *to = z.row(first + i);
      std::fill_n(to, r.count, T(0));
      for (int64_t k = 0; k < n; ++k) {
        T entry = a[i * down + k * right];
        if (mode == Mode::C)
          entry = conjugate(entry);
        for (int64_t j = 0; j < r.count; ++j)
          to[j] += times(entry, r.row(first + k)[j]);
      }
    }
  }

  int64_t rows, size, blocks;
  std::vector<T> inverses;
};

} // namespace

template <typename T>
Made<T> makeBlockJacobi(const Matrix<T> &A, const tsgu_solver &options,
                        const tsgu_executor &executor) {
  return std::make_shared<BlockJacobi<T>>(A, options.block_size, executor);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeBlockJacobi(const Matrix<T> &, const tsgu_solver &,     \
                                   const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
