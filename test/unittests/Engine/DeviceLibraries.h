//===- DeviceLibraries.h - Libraries of kernels, emulated -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TEST_DEVICELIBRARIES_H
#define TSGU_TEST_DEVICELIBRARIES_H

#include "device/Device.h"
#include "tsgu/Engine/Engine.h"
#include "tsgu/tsgu.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace tsgu::test {

template <typename I> constexpr uint8_t indexTypeOf() {
  return sizeof(I) == 4 ? TSGU_I32 : TSGU_I64;
}

/// What a pattern and its derived layouts are indexed by.
template <typename Own, typename Derived = Own> struct Widths {
  using Index = Own;
  using DerivedIndex = Derived;
};

inline Engine &engine() {
  static Engine &made = *new Engine("");
  return made;
}

inline tsgu_specialization specialize(uint8_t index, uint8_t derived,
                                      tsgu_target target) {
  return {TSGU_F32, index, derived, nullptr, 0, static_cast<uint8_t>(target),
          0,        {},    {}};
}

inline const tsgu_object &libraryFor(const char *path, uint8_t index,
                                     uint8_t derived, tsgu_target target) {
  auto object = engine().get(path, specialize(index, derived, target));
  if (object)
    return **object;
  ADD_FAILURE() << llvm::toString(object.takeError());
  static const tsgu_object none{};
  return none;
}

/// One argument of a kernel: an array that it reads, one that it also writes,
/// or a number.
class Word {
public:
  Word(int64_t number) : value(static_cast<uint64_t>(number)) {}
  Word(int number) : Word(int64_t(number)) {}
  Word(size_t number) : Word(static_cast<int64_t>(number)) {}
  template <typename T>
  Word(const std::vector<T> &array) : Word(array, false) {}
  template <typename T> Word(std::vector<T> &array) : Word(array, true) {}

  uint64_t value;
  runtime::EmulatorChecks::Region region{nullptr, 0, false, "argument"};

private:
  template <typename T>
  Word(const std::vector<T> &array, bool written)
      : value(reinterpret_cast<uint64_t>(array.data())),
        region{array.data(), static_cast<int64_t>(array.size() * sizeof(T)),
               written, "argument"} {}
};

inline int64_t blocksFor(int64_t threads, int64_t perBlock = 256) {
  return (threads + perBlock - 1) / perBlock;
}

/// Runs a kernel of a library. It may touch its arguments and nothing else, and
/// its threads must not race.
template <typename W>
void launch(const char *library, const char *kernel, int64_t blocks,
            const std::vector<Word> &arguments) {
  const tsgu_object &object =
      libraryFor(library, indexTypeOf<typename W::Index>(),
                 indexTypeOf<typename W::DerivedIndex>(), TSGU_TARGET_EMULATOR);
  std::vector<uint64_t> words;
  std::vector<runtime::EmulatorChecks::Region> regions;
  for (const Word &argument : arguments) {
    words.push_back(argument.value);
    if (argument.region.bytes > 0)
      regions.push_back(argument.region);
  }
  runtime::EmulatorChecks checks(regions);
  for (uint32_t i = 0; i < object.kernel_count; ++i)
    if (std::strcmp(object.device_kernels[i].name, kernel) == 0)
      return runtime::Device::emulator().launch(
          object, i, {static_cast<uint32_t>(blocks), 1}, words, nullptr);
  ADD_FAILURE() << library << " has no kernel " << kernel;
}

/// Exclusive prefix sums, as scan.mlir says.
template <typename I> std::vector<I> scan(const std::vector<I> &values) {
  const auto count = static_cast<int64_t>(values.size());
  const int64_t tiles = blocksFor(count, 2048);
  std::vector<I> result(values.size(), -1), sums(tiles, -1);
  launch<Widths<I>>("device/scan", "scan_tiles", tiles,
                    {values, result, sums, count});
  if (tiles > 1) {
    const std::vector<I> before = scan(sums);
    launch<Widths<I>>("device/scan", "add_before", blocksFor(count),
                      {result, before, count});
  }
  return result;
}

} // namespace tsgu::test

#endif // TSGU_TEST_DEVICELIBRARIES_H
