//===- PseudoInverse.h - A matrix of any shape and rank, factorised -*- C++
//-*-//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DIRECT_PSEUDOINVERSE_H
#define TSGU_SRC_DIRECT_PSEUDOINVERSE_H

#include "pattern/Prepared.h"

namespace tsgu::runtime {

/// out = A^+ in for mode N, (A^H)^+ in for C; there is no T. So `out` minimises
/// norm(in - op(A) out), and is the smallest that does.
template <typename T> class PseudoInverse : public Prepared<T> {
public:
  int64_t rank = 0;
  double entries = 0; ///< Of the factors.
  double rcond = 1;   ///< An estimate of 1 / cond(R), in 1-norms.
  int exponent = 0;   ///< As that of a Factorization.
  double norm = 0;    ///< Of A 2^-exponent, Frobenius's.
};

/// By QR (backends/QR.cpp), prepared once for A's values. Throws
/// InvalidArgument for an entry that is not finite; Singular where the rank is
/// not told by R's diagonal.
template <typename T>
std::shared_ptr<const PseudoInverse<T>>
pseudoInverse(const Matrix<T> &A, const tsgu_executor &executor);

} // namespace tsgu::runtime

#endif // TSGU_SRC_DIRECT_PSEUDOINVERSE_H
