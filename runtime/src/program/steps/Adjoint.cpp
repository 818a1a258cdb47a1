//===- Adjoint.cpp - Adjoint matrices on their own pattern ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Entry (i, j) of destination = the conjugate of entry (j, i) of source.
//
//===----------------------------------------------------------------------===//

#include "pattern/Rows.h"
#include "program/Step.h"

#include <vector>

namespace tsgu::runtime {

static void check(const StepView &view) {
  view.requireCSR();
  const std::vector<int32_t> &shape = view.pattern().shape;
  view.require(shape.back() == shape[shape.size() - 2],
               "has a matrix that is not square");
  view.require(view.read(0).type == view.written(0).type,
               "takes values of two types");
}

static std::string print(const StepView &view) {
  return "adjoint of " + view.nameOfRead(0) + " to " + view.nameOfWritten(0);
}

[[noreturn]] static void refuse(const Pattern &pattern, int64_t item, int64_t i,
                                int64_t j) {
  fail(Status::InvalidArgument, "the pattern", ofItem(pattern, item),
       " is not symmetric: entry (", i, ", ", j, ") is stored, and entry (", j,
       ", ", i, ") is not; store zeros there");
}

/// Rows are asked for their columns in ascending order: by row i, row j for
/// its column i.
template <typename T> static void transpose(const Matrix<T> &A, T *to) {
  const int64_t n = A.rows();
  withRows(A, [&](auto *positions, auto *coordinates) {
    std::vector<int64_t> next(positions, positions + n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t e = positions[i]; e < positions[i + 1]; ++e) {
        const int64_t j = coordinates[e], other = next[j]++;
        if (other == positions[j + 1] || coordinates[other] > i)
          refuse(*A.pattern, A.item, i, j);
        if (coordinates[other] < i)
          refuse(*A.pattern, A.item, j, coordinates[other]);
        to[e] = conjugate(A.values[other]);
      }
    // As many entries were asked for as there are, each once.
  });
}

template <typename T> static void runOf(const HostStep &call) {
  Pattern &pattern = call.pattern();
  for (int64_t item = 0; item < pattern.items(); ++item)
    transpose<T>({&pattern, item, reinterpret_cast<const T *>(call.read(0))},
                 reinterpret_cast<T *>(call.written(0)));
}

static void run(const HostStep &call) {
  switch (call.binding.valueType) {
  case ElementType::F64:
    return runOf<double>(call);
  case ElementType::F32:
    return runOf<float>(call);
  case ElementType::C64:
    return runOf<std::complex<float>>(call);
  case ElementType::C128:
    return runOf<std::complex<double>>(call);
  default: // The bits of 16 are moved.
    return runOf<uint16_t>(call);
  }
}

const Step steps::adjoint = {.name = "adjoint",
                             .reads = {Step::Values},
                             .writes = {Step::Values},
                             .check = check,
                             .print = print,
                             .work = workOfEntries,
                             .run = run};

} // namespace tsgu::runtime
