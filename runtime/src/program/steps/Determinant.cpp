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

#include "direct/lanes/Factors.h"
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

/// store(item, determinant) for those of `count` items that go several at once.
/// Returns which.
template <typename F>
static std::vector<char> storeInLanes(const HostStep &call, int64_t count,
                                      F &&store) {
  std::vector<char> stored(count);
  withValueType(call.binding.valueType, [&]<typename T>(T) {
    Pattern &pattern = call.pattern();
    if constexpr (!isComplex<T>)
      if (pattern.rows() > 0 && pattern.rows() == pattern.columns())
        lanewise::forBlocks<T>(
            call.solver().method,
            {&pattern, reinterpret_cast<const T *>(call.read(1)), count},
            call.executor, [&](const lanewise::Factored<T> &block) {
              Determinant<T> group[lanewise::width];
              for (int64_t k = 0; k < block.items.count; ++k) {
                if (k % lanewise::width == 0)
                  block.factors->determinants(k / lanewise::width, group);
                if (!block.factors->hold(k))
                  continue;
                store(block.first + k, group[k % lanewise::width]);
                stored[block.first + k] = 1;
              }
            });
  });
  return stored;
}

/// numberOf(determinant) for each item.
template <typename F> static void write(const HostStep &call, F &&numberOf) {
  Pattern &pattern = call.pattern();
  const int64_t apart =
      pattern.rank() == 3 ? call.frame.strides(call.plan.writes[0])[0] : 0;
  auto store = [&]<typename T>(int64_t item, Determinant<T> of) {
    reinterpret_cast<T *>(call.written(0))[item * apart] = numberOf(of);
  };
  const std::vector<char> stored = storeInLanes(call, pattern.items(), store);
  forFactored(
      call,
      [&]<typename T>(const Matrix<T> &A, const Factorization<T> &factors) {
        store(A.item, factors.determinant());
      },
      stored);
  if (pattern.rows() == 0)
    withValueType(call.binding.valueType, [&]<typename T>(T) {
      for (int64_t item = 0; item < pattern.items(); ++item)
        store(item, Determinant<T>{T(1), Real<T>(0)});
    });
}

/// The same for items of a batch of values.
template <typename F>
static void writeItems(const HostStep &call, int64_t count, F &&numberOf) {
  std::vector<char> stored(count);
  if (hasManyMatrices(call))
    stored = storeInLanes(
        call, count, [&]<typename T>(int64_t item, Determinant<T> of) {
          *reinterpret_cast<T *>(call.of(call.item + item).written(0)) =
              numberOf(of);
        });
  for (int64_t item = 0; item < count; ++item)
    if (!stored[item])
      write(call.of(call.item + item), numberOf);
}

struct Logarithm {
  template <typename T> T operator()(const Determinant<T> &of) const {
    if constexpr (isComplex<T>)
      return T(of.log, std::arg(of.sign));
    else
      return of.log;
  }
};

struct Sign {
  template <typename T> T operator()(const Determinant<T> &of) const {
    return of.sign;
  }
};

template <typename Number> static constexpr Step stepOf(const char *name) {
  return {.name = name,
          .reads = {Step::Solver, Step::Values},
          .writes = {Step::Dense},
          .check = check,
          .print = print,
          .run = [](const HostStep &call) { write(call, Number()); },
          .runItems = [](const HostStep &call,
                         int64_t count) { writeItems(call, count, Number()); }};
}

const Step steps::logdet = stepOf<Logarithm>("logdet");
const Step steps::signDet = stepOf<Sign>("sign_det");

} // namespace tsgu::runtime
