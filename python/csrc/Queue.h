//===- Queue.h - The current stream of a device -----------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What torch knows of CUDA streams is in a library of its own, which builds for
// the CPU lack. It is looked up when the first CUDA tensor arrives, and never
// linked.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_QUEUE_H
#define TSGU_TORCH_QUEUE_H

#include "Tensors.h"

namespace tsgu::torch_plugin {

/// Where calls of the runtime put their work: on the stream that torch has
/// chosen for a CUDA device, which is the current device while this lives. On
/// the CPU there is none. Scratch comes from torch's allocator.
class Queue {
public:
  explicit Queue(Place place);
  ~Queue();
  Queue(const Queue &) = delete;
  Queue &operator=(const Queue &) = delete;

  /// For one call of the runtime at a time; NULL on the CPU.
  const tsgu_queue *get() const { return place.isCPU() ? nullptr : &queue; }

  /// Whether what is put here now is recorded into a CUDA graph. Fails with a
  /// DeviceError where the driver says that earlier work failed.
  bool recording() const;

private:
  static void *allocateScratch(void *self, int64_t bytes);

  Place place;
  void *guard = nullptr;
  TensorHandle scratch;
  tsgu_queue queue{};
};

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_QUEUE_H
