//===- Tensors.cpp - Torch tensors through the stable ABI -------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensors.h"
#include "Errors.h"
#include "Queue.h"
#include "Transposed.h"

#include "tsgu/outputs.h"

#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <array>
#include <cstdint>

using namespace tsgu::torch_plugin;

TensorHandle TensorHandle::share(AtenTensorHandle tensor) {
  AtenTensorHandle handle = nullptr;
  checkTorch(aoti_torch_new_tensor_handle(tensor, &handle), "share a tensor");
  return TensorHandle(handle);
}

int64_t TensorView::elements() const {
  int64_t count = 1;
  for (int32_t d = 0; d < rank; ++d)
    count *= shape[d];
  return count;
}

bool TensorView::contiguous() const {
  int64_t stride = 1;
  for (int32_t d = rank - 1; d >= 0; --d) {
    if (shape[d] == 0)
      return true;
    if (shape[d] != 1 && strides[d] != stride)
      return false;
    stride *= shape[d];
  }
  return true;
}

/// torch's numbers of the types, by tsgu_type.
static const std::array<int32_t, tsgu::typeCount> &dtypes() {
  static const std::array<int32_t, tsgu::typeCount> numbers = {
      aoti_torch_dtype_float32(),   aoti_torch_dtype_float64(),
      aoti_torch_dtype_int32(),     aoti_torch_dtype_int64(),
      aoti_torch_dtype_complex64(), aoti_torch_dtype_complex128(),
      aoti_torch_dtype_float16(),   aoti_torch_dtype_bfloat16()};
  return numbers;
}

const char *tsgu::torch_plugin::dtypeName(tsgu_type type) {
  constexpr const char *names[tsgu::typeCount] = {
      "float32",   "float64",    "int32",   "int64",
      "complex64", "complex128", "float16", "bfloat16"};
  return names[type];
}

TensorView tsgu::torch_plugin::inspect(AtenTensorHandle tensor,
                                       const char *what, int index) {
  static const int32_t strided = aoti_torch_layout_strided();

  TensorView view;
  view.place = placeOf(tensor, what, index);
  int32_t layout = -1, dtype = -1;
  checkTorch(aoti_torch_get_layout(tensor, &layout), "read a layout");
  checkTorch(aoti_torch_get_dtype(tensor, &dtype), "read a dtype");
  if (layout != strided)
    fail(ErrorKind::Type, describe(what, index) +
                              " is not a dense (strided) tensor: pass a sparse "
                              "operand as its values");

  const auto &known = dtypes();
  const auto type = std::find(known.begin(), known.end(), dtype);
  if (type == known.end())
    fail(ErrorKind::Type, describe(what, index) +
                              " has an unsupported dtype: values are " +
                              valueDtypes + ", indices int32 or int64");
  view.type = static_cast<tsgu_type>(type - known.begin());

  int64_t rank = 0;
  int64_t *shape = nullptr, *strides = nullptr;
  checkTorch(aoti_torch_get_dim(tensor, &rank), "read a rank");
  checkTorch(aoti_torch_get_sizes(tensor, &shape), "read a shape");
  checkTorch(aoti_torch_get_strides(tensor, &strides), "read strides");
  checkTorch(aoti_torch_get_data_ptr(tensor, &view.data), "read a pointer");
  if (rank > maxRank)
    fail(ErrorKind::Value,
         describe(what, index) + " has " + std::to_string(rank) +
             " dimensions, more than " + std::to_string(maxRank));
  view.rank = static_cast<int32_t>(rank);
  view.shape = shape;
  view.strides = strides;
  return view;
}

TensorHandle tsgu::torch_plugin::contiguous(AtenTensorHandle tensor,
                                            const TensorView &view) {
  return isStoredByColumns(view) ? inRows(view)
                                 : copiedTo(view.place, tensor, view);
}

/// On a device torch may have failed for other reasons, which it only prints.
[[noreturn]] static void failToAllocate(Place place, int32_t rank,
                                        const int64_t *shape) {
  if (Queue(place).recording())
    fail(ErrorKind::Device,
         "torch could not allocate the result while its stream records a "
         "graph; its own message is on the standard error");
  std::string text = "out of memory: the result has shape (";
  for (int32_t d = 0; d < rank; ++d)
    text += (d ? ", " : "") + std::to_string(shape[d]);
  fail(ErrorKind::Memory, text + ") on " + place.name());
}

/// A tensor on memory of results before it, which goes back with its storage;
/// none where there is no memory.
static TensorHandle onKeptMemory(tsgu_type type, int32_t rank,
                                 const int64_t *shape, const int64_t *strides,
                                 int64_t bytes) {
  static const int32_t strided = aoti_torch_layout_strided();
  void *data = nullptr;
  if (tsgu_output_allocate(bytes, &data) != TSGU_OK)
    return {};
  AtenTensorHandle handle = nullptr;
  const auto end = [](void *memory, void *) { tsgu_output_free(memory); };
  constexpr int32_t anyIndex = -1; // With the CPU's, 0, torch refuses memory.
  if (torch_from_blob(data, rank, shape, strides, /*storage_offset=*/0,
                      dtypes()[type], Place().deviceType(), anyIndex, &handle,
                      strided, /*opaque_metadata=*/nullptr, 0, end,
                      /*deleter_ctx=*/nullptr) != 0)
    tsgu_output_free(data);
  return TensorHandle(handle);
}

/// A tensor on torch's own memory; none where there is none.
static TensorHandle onTorchsMemory(Place place, tsgu_type type, int32_t rank,
                                   const int64_t *shape,
                                   const int64_t *strides) {
  AtenTensorHandle handle = nullptr;
  // Shapes are inferred, not given, so that only the memory can be at fault.
  if (aoti_torch_empty_strided(rank, shape, strides, dtypes()[type],
                               place.deviceType(), place.deviceIndex(),
                               &handle) != 0)
    return {};
  return TensorHandle(handle);
}

TensorHandle tsgu::torch_plugin::allocate(Place place, tsgu_type type,
                                          int32_t rank, const int64_t *shape,
                                          TensorView &view) {
  int64_t strides[maxRank];
  int64_t elements = 1;
  for (int32_t d = rank - 1; d >= 0; --d) {
    strides[d] = elements ? elements : 1;
    if (__builtin_mul_overflow(elements, shape[d], &elements))
      failToAllocate(place, rank, shape);
  }
  int64_t bytes;
  if (__builtin_mul_overflow(elements, elementSize(type), &bytes))
    failToAllocate(place, rank, shape);
  // Users resize index tensors, and others look at whose memory these have.
  const bool kept =
      place.isCPU() && isFloat(type) && bytes >= TSGU_OUTPUT_LEAST;
  TensorHandle tensor = kept
                            ? onKeptMemory(type, rank, shape, strides, bytes)
                            : onTorchsMemory(place, type, rank, shape, strides);
  if (!tensor)
    failToAllocate(place, rank, shape);
  view.place = place;
  view.type = type;
  view.rank = rank;
  int64_t *sizes = nullptr, *steps = nullptr;
  checkTorch(aoti_torch_get_sizes(tensor.get(), &sizes), "read a shape");
  checkTorch(aoti_torch_get_strides(tensor.get(), &steps), "read strides");
  checkTorch(aoti_torch_get_data_ptr(tensor.get(), &view.data),
             "read a pointer");
  view.shape = sizes;
  view.strides = steps;
  if (place.isCPU() && !kept)
    tsgu_advise_huge(view.data, bytes);
  return tensor;
}

TensorHandle tsgu::torch_plugin::copyOf(Place place, tsgu_type type,
                                        int64_t count, const void *data) {
  const int64_t stride = 1;
  AtenTensorHandle borrowed = nullptr, owned = nullptr;
  checkTorch(aoti_torch_create_tensor_from_blob(
                 const_cast<void *>(data), 1, &count, &stride, 0,
                 dtypes()[type], place.deviceType(), place.deviceIndex(),
                 &borrowed),
             "name an array");
  TensorHandle source(borrowed);
  checkTorch(aoti_torch_clone(source.get(), &owned), "copy an array");
  return TensorHandle(owned);
}

bool tsgu::torch_plugin::equal(AtenTensorHandle a, AtenTensorHandle b) {
  // The dispatcher owns what it is given.
  StableIValue stack[] = {
      torch::stable::detail::from(TensorHandle::share(a).release()),
      torch::stable::detail::from(TensorHandle::share(b).release())};
  checkTorch(torch_call_dispatcher("aten::equal", "", stack, TORCH_ABI_VERSION),
             "compare index tensors");
  return torch::stable::detail::to<bool>(stack[0]);
}

TensorHandle tsgu::torch_plugin::copiedTo(Place place, AtenTensorHandle tensor,
                                          const TensorView &view) {
  TensorView copy;
  TensorHandle target = allocate(place, view.type, view.rank, view.shape, copy);
  checkTorch(aoti_torch_copy_(target.get(), tensor, /*non_blocking=*/0),
             "copy a tensor");
  return target;
}
