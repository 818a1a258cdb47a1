//===- DeviceLaunch.h - Run a compiled program on a device ------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_DEVICELAUNCH_H
#define TSGU_SRC_PROGRAM_DEVICELAUNCH_H

#include "device/Device.h"
#include "program/Plan.h"

namespace tsgu::runtime {

/// The most bytes (16, 8 or 4) of which all rows of dense operands and of the
/// result consist, and to which they are aligned.
uint8_t alignmentOf(const Signature &signature, const Binding &binding,
                    const Arguments &arguments, const tsgu_tensor &result);

/// Puts all stages on the stream, as `launch` runs them on the CPU.
void launchOn(const Place &place, const Plan &plan, const Binding &binding,
              const Arguments &arguments, const tsgu_tensor &result);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_DEVICELAUNCH_H
