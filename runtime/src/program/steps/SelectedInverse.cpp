//===- SelectedInverse.cpp - Inverses on the pattern of a matrix ----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// destination = A^-H or A^-H D^H A^-H on the pattern of A, which is that of D.
//
//===----------------------------------------------------------------------===//

#include "program/steps/Factored.h"

namespace tsgu::runtime {

static void check(const StepView &view) {
  requireSquare(view);
  for (size_t i = 1; i < view.info.reads.size(); ++i)
    view.require(view.read(i).type == view.written(0).type,
                 "takes values of two types");
}

static std::string printInverse(const StepView &view) {
  return "sample the inverse of " + view.nameOfRead(1) + " by " +
         view.nameOfRead(0) + " to " + view.nameOfWritten(0);
}

static std::string printProduct(const StepView &view) {
  return "sample the inverse of " + view.nameOfRead(1) + " around " +
         view.nameOfRead(2) + " by " + view.nameOfRead(0) + " to " +
         view.nameOfWritten(0);
}

static void writeInverse(const HostStep &call) {
  forFactored(call, [&]<typename T>(const Matrix<T> &A,
                                    const Factorization<T> &factors) {
    factors.selectedInverse(
        A, itemOf(reinterpret_cast<T *>(call.written(0)), A), call.executor);
  });
}

static void writeProduct(const HostStep &call) {
  forFactored(call, [&]<typename T>(const Matrix<T> &A,
                                    const Factorization<T> &factors) {
    factors.selectedProduct(
        A, itemOf(reinterpret_cast<const T *>(call.read(2)), A),
        itemOf(reinterpret_cast<T *>(call.written(0)), A), call.executor);
  });
}

const Step steps::selectedInverse = {.name = "selected_inverse",
                                     .reads = {Step::Solver, Step::Values},
                                     .writes = {Step::Values},
                                     .check = check,
                                     .print = printInverse,
                                     .run = writeInverse};

const Step steps::selectedProduct = {
    .name = "selected_product",
    .reads = {Step::Solver, Step::Values, Step::Values},
    .writes = {Step::Values},
    .check = check,
    .print = printProduct,
    .run = writeProduct};

} // namespace tsgu::runtime
