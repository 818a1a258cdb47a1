//===- Emulator.h - A CUDA driver that computes on the host -----*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_DEVICE_EMULATOR_H
#define TSGU_SRC_DEVICE_EMULATOR_H

#include "Driver.h"

namespace tsgu::runtime {

/// One device with one context. Its memory is the host's, its modules are
/// loaded from a tsgu_object, and all work is done before a call returns.
const Driver &emulatorDriver();

} // namespace tsgu::runtime

#endif // TSGU_SRC_DEVICE_EMULATOR_H
