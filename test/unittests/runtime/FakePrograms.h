//===- FakePrograms.h - Hand-written programs with manifests ----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the compiler would make, by hand: kernels in C++ that keep the kernel
// ABI, and the manifests that describe them.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_FAKEPROGRAMS_H
#define TSGU_TEST_FAKEPROGRAMS_H

#include "tsgu/CompilerInterface.h"
#include "tsgu/Manifest.h"

#include <algorithm>
#include <string>

namespace tsgu::test {

struct Types {
  ElementType value = ElementType::F64;
  ElementType index = ElementType::I32;
  ElementType derived = ElementType::I32;
};

/// "spmm", "spmm-transposed", "batched-spmm", "shared-spmm", "row-normalize",
/// "total", "item-length", "solve", "batched-solve" or "keep-triangle"; an
/// empty manifest for another name.
Manifest fakeManifest(const std::string &name, const Types &types);

/// An object with its kernels; lives as long as the test.
class FakeObject {
public:
  FakeObject(Manifest manifest, const Types &types);

  const tsgu_object &object() const { return compiled; }
  Manifest manifest;

private:
  std::vector<uint8_t> bytes;
  std::vector<tsgu_kernel> kernels;
  tsgu_object compiled;
};

} // namespace tsgu::test

#endif // TSGU_TEST_FAKEPROGRAMS_H
