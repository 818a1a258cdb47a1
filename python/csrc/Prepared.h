//===- Prepared.h - What Python says of prepared things ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_PREPARED_H
#define TSGU_TORCH_PREPARED_H

#include "PatternCache.h"

#include <memory>
#include <vector>

namespace tsgu::torch_plugin {

/// What a run prepares or finds, and the patterns by which it is found again.
struct Kept {
  tsgu_kept *prepared = nullptr;
  std::vector<std::shared_ptr<CachedPattern>> patterns;

  Kept() = default;
  Kept(const Kept &) = delete;
  ~Kept() { tsgu_keep_free(prepared); }
};

/// What Python says before a run, which takes it: so nothing of it is left for
/// another one, whatever is raised in between.
struct Said {
  int32_t operand = 0; ///< Whose values have this number (tsgu_values_known).
  uint64_t number = 0; ///< 0: none have.
  bool sure = false;
  std::shared_ptr<Kept> kept; ///< Or NULL.

  /// What was said in this thread.
  static Said take();
};

/// For as long as the runtime is called.
class Heard {
public:
  Heard(const Said &said, const tsgu_tensor *operands, int32_t operandCount,
        const std::shared_ptr<CachedPattern> *patterns, int32_t patternCount);
  ~Heard();
  Heard(const Heard &) = delete;

private:
  tsgu_kept *keeping = nullptr;
};

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_PREPARED_H
