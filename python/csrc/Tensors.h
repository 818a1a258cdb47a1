//===- Tensors.h - Torch tensors through the stable ABI ---------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TORCH_TENSORS_H
#define TSGU_TORCH_TENSORS_H

#include "Place.h"
#include "tsgu/ElementType.h"
#include "tsgu/tsgu.h"

#include <torch/csrc/stable/c/shim.h>

#include <string>
#include <utility>

namespace tsgu::torch_plugin {

/// Owns one reference to a torch tensor.
class TensorHandle {
public:
  TensorHandle() = default;
  explicit TensorHandle(AtenTensorHandle handle) : handle(handle) {}
  TensorHandle(TensorHandle &&other) noexcept
      : handle(std::exchange(other.handle, nullptr)) {}
  TensorHandle &operator=(TensorHandle &&other) noexcept {
    std::swap(handle, other.handle);
    return *this;
  }
  ~TensorHandle() {
    if (handle)
      aoti_torch_delete_tensor_object(handle);
  }

  AtenTensorHandle get() const { return handle; }
  AtenTensorHandle release() { return std::exchange(handle, nullptr); }
  explicit operator bool() const { return handle != nullptr; }

  /// Another reference to a borrowed tensor.
  static TensorHandle share(AtenTensorHandle tensor);

private:
  AtenTensorHandle handle = nullptr;
};

/// What a kernel needs to know of a dense tensor. Borrows.
struct TensorView {
  void *data = nullptr;
  Place place;
  tsgu_type type = TSGU_F64;
  int32_t rank = 0;
  const int64_t *shape = nullptr;
  const int64_t *strides = nullptr;

  int64_t elements() const;
  bool contiguous() const;
};

/// The greatest rank of an operand, its batch dimension included.
inline constexpr int32_t maxRank = 8;

/// For messages: those of values.
inline constexpr const char *valueDtypes =
    "float32, float64, float16, bfloat16, complex64 or complex128";

inline int64_t elementSize(tsgu_type type) {
  return tsgu::elementSize(static_cast<ElementType>(type));
}
/// Whether values of this type are summed in another one.
inline bool isNarrow(tsgu_type type) {
  return tsgu::isNarrow(static_cast<ElementType>(type));
}
/// As torch calls the type.
const char *dtypeName(tsgu_type type);
/// Whether values may be of this type: real or complex.
inline bool isFloat(tsgu_type type) {
  return tsgu::isFloat(static_cast<ElementType>(type));
}

/// Fails with a TypeError unless the tensor is dense, on the CPU or a CUDA
/// device, and of a type that the table of ElementType.h has.
/// `what` names the tensor in the message.
TensorView inspect(AtenTensorHandle tensor, const char *what, int index);

inline tsgu_tensor toTensor(const TensorView &view) {
  return {view.data, view.type, view.rank, view.shape, view.strides};
}

/// The same elements with all strides contiguous: a copy where they are not.
TensorHandle contiguous(AtenTensorHandle tensor, const TensorView &view);

/// A tensor whose memory is not yet initialised. On the CPU large ones of
/// values get that of results before them (outputs.h), others huge pages:
/// first-touch faults cost more than the kernel itself.
TensorHandle allocate(Place place, tsgu_type type, int32_t rank,
                      const int64_t *shape, TensorView &view);

/// A copy of `count` elements at `place`, as a tensor.
TensorHandle copyOf(Place place, tsgu_type type, int64_t count,
                    const void *data);

/// Whether two tensors of one shape have the same elements; waits for devices.
bool equal(AtenTensorHandle a, AtenTensorHandle b);

/// The tensor's elements in a new tensor elsewhere; waits for the copy.
TensorHandle copiedTo(Place place, AtenTensorHandle tensor,
                      const TensorView &view);

} // namespace tsgu::torch_plugin

#endif // TSGU_TORCH_TENSORS_H
