//===- SystemCheck.cpp - Do the tensors of a solve fit? -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SystemCheck.h"
#include "Signature.h"

namespace tsgu::runtime {

void requireNotNull(bool condition, const char *name) {
  if (!condition)
    fail(Status::InvalidArgument, name, " is NULL");
}

/// The extents, and strides that end in 1.
static void checkTensor(const char *name, const tsgu_tensor *tensor,
                        const std::vector<int64_t> &shape, tsgu_type type) {
  requireNotNull(tensor, name);
  const auto rank = static_cast<int32_t>(shape.size());
  bool fits = tensor->rank == rank && tensor->shape && tensor->strides;
  for (int32_t d = 0; fits && d < rank; ++d)
    fits = tensor->shape[d] == shape[d] &&
           (d + 1 < rank ? tensor->strides[d] >= 0
                         : tensor->strides[d] == 1 || shape[d] <= 1);
  if (!fits) {
    std::string wanted;
    for (int64_t extent : shape)
      wanted += (wanted.empty() ? "" : ", ") + std::to_string(extent);
    fail(Status::InvalidArgument, name, " must have shape [", wanted,
         "] and a last stride of 1");
  }
  if (tensor->type != type)
    fail(Status::InvalidArgument, name, " has another type than the values");
  if (elementsOf(*tensor) > 0)
    requireNotNull(tensor->data, name);
}

void checkValues(const Pattern &pattern, const tsgu_tensor *values) {
  requireNotNull(values, "values");
  if (!isFloat(static_cast<ElementType>(values->type)) ||
      values->type < TSGU_F32 || values->type > TSGU_C128)
    fail(Status::InvalidArgument,
         "values must be of type f32, f64, c64 or c128");
  checkTensor("values", values, {pattern.stored()}, values->type);
}

SystemShape checkSystem(const Pattern &pattern, tsgu_mode mode, tsgu_type type,
                        const tsgu_tensor *b, const tsgu_tensor *x) {
  requireNotNull(b, "b");
  if (mode < TSGU_N || mode > TSGU_C)
    fail(Status::InvalidArgument, "mode is ", static_cast<int>(mode),
         "; it is TSGU_N, TSGU_T or TSGU_C");
  if (b->rank < 2 || !b->shape || b->shape[b->rank - 1] < 0)
    fail(Status::InvalidArgument, "b must have shape [n, p], or [items, n, p] ",
         "for a batch of matrices");
  std::vector<int64_t> lead;
  if (pattern.rank() == 3)
    lead.push_back(pattern.items());
  const int64_t columns = b->shape[b->rank - 1];
  std::vector<int64_t> bShape = lead, xShape = lead;
  bShape.push_back(mode == TSGU_N ? pattern.rows() : pattern.columns());
  xShape.push_back(mode == TSGU_N ? pattern.columns() : pattern.rows());
  bShape.push_back(columns), xShape.push_back(columns);
  checkTensor("b", b, bShape, type);
  checkTensor("x", x, xShape, type);
  return {columns, lead.empty() ? 0 : b->strides[0],
          lead.empty() ? 0 : x->strides[0], b->strides[lead.size()],
          x->strides[lead.size()]};
}

} // namespace tsgu::runtime
