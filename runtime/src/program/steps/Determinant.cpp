//===- Determinant.cpp - Logarithms and signs of determinants -------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// destination = a number of the determinant of each item. That of no rows is 1.
//
//===----------------------------------------------------------------------===//

#include "program/steps/Factored.h"

namespace tsgu::runtime {

static void check(const StepView &view) {
  requireSquare(view);
  const std::vector<int32_t> &matrix = view.pattern().shape;
  view.require(view.written(0).shape ==
                       std::vector<int32_t>(matrix.begin(), matrix.end() - 2) &&
                   view.written(0).type == view.read(1).type,
               "writes no number for each matrix");
}

static std::string print(const StepView &view) {
  return view.info.name + " of " + view.nameOfRead(1) + " by " +
         view.nameOfRead(0) + " to " + view.nameOfWritten(0);
}

/// numberOf(determinant) for each item.
template <typename F> static void write(const HostStep &call, F &&numberOf) {
  Pattern &pattern = call.pattern();
  const int64_t apart =
      pattern.rank() == 3 ? call.frame.strides(call.plan.writes[0])[0] : 0;
  auto store = [&]<typename T>(int64_t item, Determinant<T> of) {
    reinterpret_cast<T *>(call.written(0))[item * apart] = numberOf(of);
  };
  forFactored(call, [&]<typename T>(const Matrix<T> &A,
                                    const Factorization<T> &factors) {
    store(A.item, factors.determinant());
  });
  if (pattern.rows() == 0)
    withValueType(call.binding.valueType, [&]<typename T>(T) {
      for (int64_t item = 0; item < pattern.items(); ++item)
        store(item, Determinant<T>{T(1), Real<T>(0)});
    });
}

static void writeLogarithms(const HostStep &call) {
  write(call, []<typename T>(const Determinant<T> &of) {
    if constexpr (isComplex<T>)
      return T(of.log, std::arg(of.sign));
    else
      return of.log;
  });
}

static void writeSigns(const HostStep &call) {
  write(call, [](const auto &of) { return of.sign; });
}

static constexpr Step stepOf(const char *name, void (*run)(const HostStep &)) {
  return {.name = name,
          .reads = {Step::Solver, Step::Values},
          .writes = {Step::Dense},
          .check = check,
          .print = print,
          .run = run};
}

const Step steps::logdet = stepOf("logdet", writeLogarithms);
const Step steps::signDet = stepOf("sign_det", writeSigns);

} // namespace tsgu::runtime
