//===- Queue.cpp - The current stream of a device -------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Queue.h"
#include "Errors.h"

#include <algorithm>
#include <type_traits>
#if defined(__unix__)
#include <dlfcn.h>
#endif

using namespace tsgu::torch_plugin;

namespace {
/// Functions of torch's CUDA library; declared in torch's shim.h for those who
/// link it.
struct TorchCUDA {
  AOTITorchError (*currentStream)(int32_t device, void **stream) = nullptr;
  AOTITorchError (*createGuard)(int32_t device, void **guard) = nullptr;
  AOTITorchError (*deleteGuard)(void *guard) = nullptr;

  bool complete() const { return currentStream && createGuard && deleteGuard; }
};
} // namespace

static TorchCUDA openTorchCUDA() {
  TorchCUDA found;
#if defined(__unix__)
  // torch is loaded with local symbols, so that the library has to be asked.
  if (void *library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD)) {
    auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
          dlsym(library, name));
    };
    find(found.currentStream, "aoti_torch_get_current_cuda_stream");
    find(found.createGuard, "aoti_torch_create_cuda_guard");
    find(found.deleteGuard, "aoti_torch_delete_cuda_guard");
  }
#endif
  return found;
}

static const TorchCUDA &torchCUDA() {
  static const TorchCUDA library = openTorchCUDA();
  if (!library.complete())
    fail(ErrorKind::Device,
         "this build of torch has no CUDA streams: install one for CUDA, 2.11 "
         "or later, or move the tensors with .cpu()");
  return library;
}

Queue::Queue(Place place) : place(place) {
  if (place.isCPU())
    return;
  const TorchCUDA &torch = torchCUDA();
  queue = {place.cuda, nullptr, allocateScratch, this};
  checkTorch(torch.currentStream(place.cuda, &queue.stream),
             "name its current stream");
  checkTorch(torch.createGuard(place.cuda, &guard), "set the current device");
}

Queue::~Queue() {
  if (guard)
    torchCUDA().deleteGuard(guard);
}

bool Queue::recording() const {
  int32_t recording = 0;
  if (get())
    check(tsgu_queue_recording(get(), &recording));
  return recording != 0;
}

/// Called by the runtime, so it must not throw. The memory of the call before
/// is given back here, and the last one's with the queue, although kernels may
/// not have run yet: torch hands it out again to this stream alone, behind
/// them.
void *Queue::allocateScratch(void *self, int64_t bytes) {
  Queue &queue = *static_cast<Queue *>(self);
  const int64_t length = std::max<int64_t>(bytes, 1), stride = 1;
  AtenTensorHandle handle = nullptr;
  if (aoti_torch_empty_strided(1, &length, &stride, aoti_torch_dtype_uint8(),
                               queue.place.deviceType(), queue.place.cuda,
                               &handle) != 0)
    return nullptr;
  queue.scratch = TensorHandle(handle);
  void *data = nullptr;
  return aoti_torch_get_data_ptr(handle, &data) == 0 ? data : nullptr;
}
