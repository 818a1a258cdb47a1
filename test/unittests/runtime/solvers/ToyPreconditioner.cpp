//===- ToyPreconditioner.cpp - All that it takes to add a preconditioner --===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// M is a multiple of the identity.
//
//===----------------------------------------------------------------------===//

#include "solvers/preconditioners/Makers.h"

namespace tsgu::runtime {

template <typename T> class Multiple : public Prepared<T> {
public:
  explicit Multiple(double factor) : factor(static_cast<Real<T>>(factor)) {}

  void apply(Mode, Vectors<const T> r, Vectors<T> z,
             const tsgu_executor &) const override {
    for (int64_t i = 0; i < r.length; ++i)
      for (int64_t j = 0; j < r.count; ++j)
        z.row(i)[j] = r.row(i)[j] / factor;
  }
  int64_t bytes() const override { return sizeof(*this); }

private:
  Real<T> factor;
};

template <typename T>
Made<T> makeMultiple(const Matrix<T> &, const tsgu_solver &options,
                     const tsgu_executor &) {
  return std::make_shared<Multiple<T>>(options.relaxation);
}
#define INSTANTIATE(T)                                                         \
  template Made<T> makeMultiple(const Matrix<T> &, const tsgu_solver &,        \
                                const tsgu_executor &);
TSGU_FOR_VALUE_TYPES(INSTANTIATE)

} // namespace tsgu::runtime
