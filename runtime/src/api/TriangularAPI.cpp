//===- TriangularAPI.cpp - The C API of prepared triangles ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "api/ArgumentChecks.h"
#include "api/LastError.h"
#include "base/Parallel.h"
#include "triangular/PreparedTriangle.h"

#include <variant>

using namespace tsgu;
using namespace tsgu::runtime;

namespace {

/// The triangles of all items, in one value type.
template <typename T>
using Items = std::vector<std::shared_ptr<const PreparedTriangle<T>>>;

struct Handle {
  Pattern *pattern;
  const tsgu_type type;
  const Triangle triangle;
  bool usable = true; ///< The last values could be taken.
  std::variant<Items<double>, Items<float>, Items<std::complex<float>>,
               Items<std::complex<double>>>
      items;

  Handle(Pattern *pattern, tsgu_type type, Triangle triangle)
      : pattern(pattern), type(type), triangle(triangle) {
    pattern->retain();
  }
  ~Handle() {
    items = Items<double>();
    pattern->release();
  }
  Handle(const Handle &) = delete;
};

void prepare(Handle &handle, const void *values) {
  const tsgu_executor executor = executorOr(nullptr);
  withValueType(static_cast<ElementType>(handle.type), [&]<typename T>(T) {
    Items<T> items;
    for (int64_t item = 0; item < handle.pattern->items(); ++item) {
      const Matrix<T> A{handle.pattern, item, static_cast<const T *>(values)};
      const ItemValues<T> own(A, executor);
      items.push_back(std::make_shared<PreparedTriangle<T>>(
          own.of(A), handle.triangle, own, executor));
    }
    handle.items = std::move(items);
  });
}

Handle *unwrap(tsgu_triangular *triangular) {
  return reinterpret_cast<Handle *>(triangular);
}

} // namespace

tsgu_status tsgu_triangular_create(tsgu_pattern *pattern, int32_t upper,
                                   int32_t unit_diagonal,
                                   const tsgu_tensor *values,
                                   tsgu_triangular **triangular) {
  return guarded([&] {
    requireNotNull(pattern, "pattern");
    requireNotNull(triangular, "triangular");
    auto &p = *reinterpret_cast<Pattern *>(pattern);
    for (int32_t flag : {upper, unit_diagonal})
      if (flag != 0 && flag != 1)
        fail(Status::InvalidArgument,
             "upper and unit_diagonal must be 0 or 1, ", "not ", flag);
    checkValues(p, values);
    auto handle = std::make_unique<Handle>(
        &p, values->type, Triangle{upper != 0, unit_diagonal != 0});
    prepare(*handle, values->data);
    *triangular = reinterpret_cast<tsgu_triangular *>(handle.release());
  });
}

tsgu_status tsgu_triangular_update(tsgu_triangular *triangular,
                                   const tsgu_tensor *values) {
  return guarded([&] {
    requireNotNull(triangular, "triangular");
    Handle &handle = *unwrap(triangular);
    checkValues(*handle.pattern, values);
    if (values->type != handle.type)
      fail(Status::InvalidArgument, "values are of type ",
           elementName(static_cast<ElementType>(values->type)),
           ", those of tsgu_triangular_create were of type ",
           elementName(static_cast<ElementType>(handle.type)));
    handle.usable = false;
    prepare(handle, values->data);
    handle.usable = true;
  });
}

tsgu_status tsgu_triangular_solve(const tsgu_triangular *triangular,
                                  tsgu_mode mode, const tsgu_tensor *b,
                                  const tsgu_tensor *x,
                                  const tsgu_executor *executor) {
  return guarded([&] {
    requireNotNull(triangular, "triangular");
    const Handle &handle = *reinterpret_cast<const Handle *>(triangular);
    checkExecutor(executor);
    if (!handle.usable)
      fail(Status::Singular, "tsgu_triangular_update failed, so there are no ",
           "values to solve with; give it others");
    const SystemShape shape =
        checkSystem(*handle.pattern, mode, handle.type, b, x, true);
    const int64_t n = handle.pattern->rows();
    std::visit(
        [&]<typename T>(const Items<T> &items) {
          const T *from = static_cast<const T *>(b->data);
          T *to = static_cast<T *>(x->data);
          for (const auto &item : items) {
            item->apply(
                static_cast<Mode>(mode), {from, n, shape.columns, shape.bRow},
                {to, n, shape.columns, shape.xRow}, executorOr(executor));
            from += shape.bItem, to += shape.xItem;
          }
        },
        handle.items);
  });
}

void tsgu_triangular_free(tsgu_triangular *triangular) {
  delete unwrap(triangular);
}
