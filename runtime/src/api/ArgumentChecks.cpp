//===- ArgumentChecks.cpp - Do the tensors of a solve fit? ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "api/ArgumentChecks.h"
#include "program/Signature.h"

#include <algorithm>

namespace tsgu::runtime {

void requireNotNull(bool condition, const char *name) {
  if (!condition)
    fail(Status::InvalidArgument, name, " is NULL");
}

static void checkTensor(const char *name, const tsgu_tensor *tensor,
                        int32_t rank, const int64_t *shape, tsgu_type type) {
  requireNotNull(tensor, name);
  const bool sameRank = tensor->rank == rank && tensor->shape;
  if (!sameRank || !std::equal(shape, shape + rank, tensor->shape)) {
    const tsgu_tensor right{nullptr, type, rank, shape, nullptr};
    fail(Status::InvalidArgument, name, " must have shape ", shapeText(right),
         "; it has ",
         sameRank        ? shapeText(*tensor)
         : tensor->shape ? "rank " + std::to_string(tensor->rank)
                         : "none");
  }
  if (tensor->type != type)
    fail(Status::InvalidArgument, name, " is of type ",
         elementName(static_cast<ElementType>(tensor->type)),
         ", the values are of type ",
         elementName(static_cast<ElementType>(type)));
}

Arguments argumentsOf(tsgu_pattern *const *patterns, int32_t pattern_count,
                      const tsgu_tensor *operands, int32_t operand_count) {
  if (pattern_count < 0 || operand_count < 0)
    fail(Status::InvalidArgument, "a number of arguments is negative");
  requireNotNull(patterns || pattern_count == 0, "patterns");
  requireNotNull(operands || operand_count == 0, "operands");
  return {{reinterpret_cast<Pattern *const *>(patterns),
           static_cast<size_t>(pattern_count)},
          {operands, static_cast<size_t>(operand_count)}};
}

void checkValues(const Pattern &pattern, const tsgu_tensor *values) {
  pattern.requireHost();
  requireNotNull(values, "values");
  const auto type = static_cast<ElementType>(values->type);
  if (!isSolverType(type))
    fail(Status::InvalidArgument, "values are of type ", elementName(type),
         "; they must be ", solverTypes);
  const int64_t stored = pattern.stored();
  checkTensor("values", values, 1, &stored, values->type);
  spanOf(*values, false, "values");
}

void checkApart(const char *name, const tsgu_tensor &tensor,
                const char *resultName, const tsgu_tensor &result) {
  const int64_t bytes = spanOf(tensor, false, name);
  const int64_t resultBytes = spanOf(result, true, resultName);
  const auto from = reinterpret_cast<uintptr_t>(tensor.data);
  const auto to = reinterpret_cast<uintptr_t>(result.data);
  if (bytes && resultBytes && from < to + resultBytes && to < from + bytes)
    fail(Status::InvalidArgument, name, " overlaps ", resultName, "; give ",
         resultName, " memory of its own");
}

void checkExecutor(const tsgu_executor *executor) {
  requireNotNull(!executor || executor->threads <= 1 || executor->parallel_for,
                 "parallel_for of the executor");
}

SystemShape checkSystem(const Pattern &pattern, tsgu_mode mode, tsgu_type type,
                        const tsgu_tensor *b, const tsgu_tensor *x,
                        bool inPlace) {
  requireNotNull(b, "b");
  requireNotNull(x, "x");
  if (mode < TSGU_N || mode > TSGU_C)
    fail(Status::InvalidArgument, "mode is ", static_cast<int>(mode),
         "; it is TSGU_N, TSGU_T or TSGU_C");
  const int32_t rank = pattern.rank();
  const int32_t last = rank - 1, row = rank - 2;
  if (b->rank != rank || !b->shape || b->shape[last] < 0)
    fail(Status::InvalidArgument, "b must have shape ",
         rank == 2 ? "[n, p]" : "[items, n, p]", "; its rank is ", b->rank);
  const int64_t columns = b->shape[last];
  int64_t bShape[3] = {pattern.items()}, xShape[3] = {pattern.items()};
  bShape[row] = mode == TSGU_N ? pattern.rows() : pattern.columns();
  xShape[row] = mode == TSGU_N ? pattern.columns() : pattern.rows();
  bShape[last] = xShape[last] = columns;
  checkTensor("b", b, rank, bShape, type);
  checkTensor("x", x, rank, xShape, type);
  const bool same = b->data == x->data && b->strides && x->strides &&
                    std::equal(b->strides, b->strides + rank, x->strides);
  if (inPlace && same)
    spanOf(*x, true, "x");
  else
    checkApart("b", *b, "x", *x);
  // Tensors without elements may come without strides.
  auto stride = [](const tsgu_tensor *tensor, int32_t d) {
    return tensor->strides ? tensor->strides[d] : 0;
  };
  return {columns, rank == 2 ? 0 : stride(b, 0), rank == 2 ? 0 : stride(x, 0),
          stride(b, row), stride(x, row)};
}

} // namespace tsgu::runtime
