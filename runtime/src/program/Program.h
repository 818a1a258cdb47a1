//===- Program.h - A program and its compiled specialisations ---*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_PROGRAM_H
#define TSGU_SRC_PROGRAM_PROGRAM_H

#include "program/Plan.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace tsgu::runtime {

/// Lives as long as the process. Thread-safe; finding kernels takes no lock.
class Program {
public:
  /// The program of the compiler at this path.
  static Program &open(const std::string &path);
  /// A program compiled ahead of time, for one specialisation.
  static Program &fromObject(const tsgu_object &object);

  const std::string &signatureJSON() const { return json; }

  int32_t infer(const Arguments &arguments, int64_t *shape) const;

  void run(const Arguments &arguments, const tsgu_tensor &result,
           const tsgu_executor *executor);

  /// The same on a device.
  void runOn(const Arguments &arguments, const tsgu_tensor &result,
             const tsgu_queue &queue);

  /// The printed manifest of one specialisation; NULL: that of an object.
  std::string printManifest(const tsgu_specialization *specialization);

  /// The object file of one specialisation for a CPU; null: this machine's.
  std::vector<uint8_t> emit(const tsgu_specialization &specialization,
                            const char *cpu) const;

private:
  /// What selects kernels: types, the values of the width symbols, and where
  /// patterns are hollow.
  struct Key {
    ElementType valueType, indexType, derivedIndexType;
    std::array<uint16_t, maxSymbols> widths;
    uint8_t target = TSGU_TARGET_CPU;
    uint8_t alignment = 0; ///< On devices.
    std::array<uint8_t, maxPatterns> hollow{};
    std::array<uint16_t, maxPatterns> blocks{}; ///< On the CPU.
  };
  struct Entry {
    Entry(const Key &key, const tsgu_object &object) : key(key), plan(object) {}
    Key key;
    Plan plan;
    std::unique_ptr<Entry> next;
  };
  using Bucket = std::atomic<Entry *>;

  Program(std::string path, Manifest signature);
  explicit Program(const tsgu_object &object);

  bool runsOnDevices() const;
  void launchAt(const struct Place &place, const Binding &binding,
                const Arguments &arguments, const tsgu_tensor &result);
  Key keyOf(const Binding &binding) const;
  Key keyOf(const tsgu_specialization &specialization) const;
  bool equal(const Key &a, const Key &b) const;
  Bucket &bucketOf(const Key &key);
  const Plan *find(const Key &key, const Bucket &bucket) const;
  const Plan &planFor(const Key &key);

  const std::string path; ///< Of the compiler's program; "" for an object.
  Signature signature;
  std::string json;
  std::unique_ptr<Plan> object; ///< Compiled ahead of time.
  std::array<Bucket, 64> buckets{};
};

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_PROGRAM_H
