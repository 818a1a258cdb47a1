//===- Methods.cpp - The table of methods ---------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "solvers/Methods.h"
#include "tsgu/Error.h"

#include <iterator>

namespace tsgu::runtime {

static constexpr Method methods[] = {
#define TSGU_METHOD(number, enumerator, name, title) {#enumerator, name, title},
#define TSGU_KRYLOV_METHOD(number, enumerator, name, title, needs, products,   \
                           function)                                           \
  {#enumerator, name, title, TSGU_KRYLOV, Method::needs, products},
#define TSGU_DIRECT_METHOD(number, enumerator, name, title, needs, function)   \
  {#enumerator, name, title, TSGU_DIRECT, Method::needs},
#include "tsgu/Methods.def"
};

static constexpr const char *preconditioners[] = {
    "",
#define TSGU_PRECONDITIONER(number, enumerator, name, ...) name,
#include "tsgu/Methods.def"
};

namespace {
constexpr int64_t methodNumbers[] = {
#define TSGU_METHOD(number, ...) number,
#include "tsgu/Methods.def"
};
constexpr int64_t preconditionerNumbers[] = {
    0,
#define TSGU_PRECONDITIONER(number, ...) number,
#include "tsgu/Methods.def"
};
template <size_t n> constexpr bool areInOrder(const int64_t (&numbers)[n]) {
  for (size_t k = 0; k < n; ++k)
    if (numbers[k] != static_cast<int64_t>(k))
      return false;
  return true;
}
} // namespace
static_assert(areInOrder(methodNumbers) && areInOrder(preconditionerNumbers));

int64_t methodCount() { return std::ssize(methods); }

const Method &methodAt(int64_t number) {
  if (number < 0 || number >= methodCount())
    fail(Status::InvalidArgument, "there is no method of number ", number);
  return methods[number];
}

std::string squareMethods() {
  std::string list;
  for (const Method &method : methods)
    if (method.kind != TSGU_OTHER)
      list += (list.empty() ? "" : ", ") + std::string(method.enumerator);
  return list;
}

int64_t preconditionerCount() { return std::ssize(preconditioners); }

const char *preconditionerName(int64_t number) {
  return number < 0 || number >= preconditionerCount()
             ? nullptr
             : preconditioners[number];
}

} // namespace tsgu::runtime
