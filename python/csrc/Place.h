//===- Place.h - Where a tensor is ------------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_PLACE_H
#define TSGU_TORCH_PLACE_H

#include <torch/csrc/stable/c/shim.h>

#include <cstdint>
#include <string>

namespace tsgu::torch_plugin {

/// The CPU, or one CUDA device.
struct Place {
  int32_t cuda = -1; ///< The device's number; -1: the CPU.

  bool isCPU() const { return cuda < 0; }
  bool operator==(const Place &) const = default;

  /// What torch calls it: "cpu", "cuda:0".
  std::string name() const;
  /// As torch's allocator takes it.
  int32_t deviceType() const;
  int32_t deviceIndex() const { return isCPU() ? 0 : cuda; }
};

/// Fails with a TypeError for a tensor on a device of another kind; `what` and
/// `index` name it in the message.
Place placeOf(AtenTensorHandle tensor, const char *what, int index);

/// Fails with a TypeError unless the tensor that is at `place` is where the
/// call is.
void requireSame(Place place, const char *what, int index, Place call);

/// "operand 1", or `what` alone for a negative index.
std::string describe(const char *what, int index);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_PLACE_H
