//===- PreparedTriangle.h - A triangle with its values ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_TRIANGULAR_PREPAREDTRIANGLE_H
#define TSGU_SRC_TRIANGULAR_PREPAREDTRIANGLE_H

#include "pattern/ItemValues.h"
#include "pattern/Prepared.h"
#include "triangular/Choice.h"
#include "triangular/Solves.h"

namespace tsgu::runtime {

/// A triangle whose values are brought into the order of the analysis, for each
/// direction at its first use. `in` and `out` may be the same. Throws as
/// triangularSolve.
template <typename T> class PreparedTriangle : public Prepared<T> {
public:
  /// Holds these values, which are those of A.
  PreparedTriangle(const Matrix<T> &A, Triangle triangle, ItemValues<T> values,
                   const tsgu_executor &executor);
  /// Holds none, and sweeps alone: whoever solves has them. For levels that are
  /// not narrow.
  PreparedTriangle(const Matrix<T> &A, Triangle triangle);

  void apply(Mode mode, Vectors<const T> in, Vectors<T> out,
             const tsgu_executor &executor) const override;
  /// The same by packed values, in one way.
  void sweep(const TriangleSolve<T> &solve) const;
  /// Without the values that it holds.
  int64_t bytes() const override;

  /// Brings these values, which are those of A, into order if they are not.
  const Packed<T> &pack(bool transposed, const T *from,
                        const tsgu_executor &executor) const;
  /// Whether these are the values that were packed, as far as a few of them
  /// tell, others at each call.
  bool resembles(bool transposed, const T *from) const;

private:
  void requireDiagonal(const tsgu_executor &executor) const;

  Pattern *const pattern;
  const int64_t item;
  const Triangle triangle;
  const std::shared_ptr<Analysis> analysis;
  const ItemValues<T> values;
  mutable ForkSafeMutex packing;
  mutable Packed<T> packed[2];
  mutable std::atomic<bool> ready[2]{};
  mutable std::atomic<uint32_t> looks{0};
  mutable Choice choices[2];
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_TRIANGULAR_PREPAREDTRIANGLE_H
