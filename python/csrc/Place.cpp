//===- Place.cpp - Where a tensor is --------------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Place.h"
#include "Errors.h"

using namespace tsgu::torch_plugin;

std::string tsgu::torch_plugin::describe(const char *what, int index) {
  return index < 0 ? what : std::string(what) + " " + std::to_string(index);
}

std::string Place::name() const {
  return isCPU() ? "cpu" : "cuda:" + std::to_string(cuda);
}

int32_t Place::deviceType() const {
  static const int32_t cpuType = aoti_torch_device_type_cpu();
  static const int32_t cudaType = aoti_torch_device_type_cuda();
  return isCPU() ? cpuType : cudaType;
}

Place tsgu::torch_plugin::placeOf(AtenTensorHandle tensor, const char *what,
                                  int index) {
  static const int32_t cpuType = aoti_torch_device_type_cpu();
  static const int32_t cudaType = aoti_torch_device_type_cuda();
  int32_t type = -1, number = -1;
  checkTorch(aoti_torch_get_device_type(tensor, &type), "read a device");
  if (type == cpuType)
    return {};
  if (type != cudaType)
    fail(ErrorKind::Type, describe(what, index) +
                              " is on a device that tsgu does not know: it "
                              "runs on the CPU and on CUDA devices, move it "
                              "with .cpu() or .cuda()");
  checkTorch(aoti_torch_get_device_index(tensor, &number), "read a device");
  return {number};
}

void tsgu::torch_plugin::requireSame(Place place, const char *what, int index,
                                     Place call) {
  if (place != call) [[unlikely]]
    fail(ErrorKind::Type,
         "expected all tensors to be on the same device, but " +
             describe(what, index) + " is on " + place.name() +
             " and the index tensors (or first operand) on " + call.name());
}
