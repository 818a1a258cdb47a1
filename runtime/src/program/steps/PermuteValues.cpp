//===- PermuteValues.cpp - Values in the order of a layout ----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// destination[k] = source[permutation of the layout at k]. An identity is left
// out where nobody writes to either buffer afterwards.
//
//===----------------------------------------------------------------------===//

#include "base/Parallel.h"
#include "device/Device.h"
#include "pattern/DeviceKernels.h"
#include "pattern/Ranges.h"
#include "program/Step.h"
#include "program/Work.h"

#include <complex>
#include <cstring>

namespace tsgu::runtime {

static void check(const StepView &view) {
  view.require(view.read(0).type == view.written(0).type &&
                   view.info.reads != view.info.writes,
               "takes other than values of pattern ", view.pattern().name);
}

static std::string print(const StepView &view) {
  return "permute values of " + view.nameOfRead(0) + " to layout " +
         std::to_string(view.info.layout) + " in " + view.nameOfWritten(0);
}

static void run(const HostStep &call) {
  const Layout &layout = call.frame.layout(call.view.info.layout);
  char *source = call.read(0);
  char *destination = call.written(0);
  const int64_t size = call.plan.elementSize;
  if (!layout.permutation) {
    if (call.plan.mayAlias)
      call.frame.alias(call.plan.writes[0], source);
    else if (layout.stored > 0)
      std::memcpy(destination, source, layout.stored * size);
    return;
  }
  const double work = 16 * flopsPerByte * static_cast<double>(layout.stored);
  const int64_t parts =
      std::max<int64_t>(1, partsOf(layout.stored, work, call.executor.threads));
  const Ranges ranges(layout.stored, parts);
  auto gather = [&]<typename T, typename I>(T, I) {
    const auto *from = reinterpret_cast<const T *>(source);
    auto *to = reinterpret_cast<T *>(destination);
    const auto *permutation = static_cast<const I *>(layout.permutation);
    parallelFor(call.executor, parts, [&](int64_t first, int64_t last) {
      const int64_t end = ranges.boundary(last);
      for (int64_t k = ranges.boundary(first); k < end; ++k)
        to[k] = from[permutation[k]];
    });
  };
  withIndexType(layout.permutationType, [&](auto index) {
    size == 2   ? gather(uint16_t{}, index)
    : size == 4 ? gather(uint32_t{}, index)
    : size == 8 ? gather(uint64_t{}, index)
                : gather(std::complex<double>{}, index);
  });
}

static void runOn(const DeviceStep &call) {
  const StagePlan &plan = call.plan;
  const Layout &layout = call.frame.layout(plan.stage->step.layout);
  const int32_t from = plan.reads[0], to = plan.writes[0];
  if (!layout.permutation && plan.mayAlias) {
    call.frame.aliasSlot(to, from);
    return;
  }
  permuteOn(call.place.device, call.place.stream(), layout, plan.elementSize,
            {call.frame.data(from, call.first), call.frame.itemBytes(from)},
            {call.frame.data(to, call.first), call.frame.itemBytes(to)},
            call.items);
}

const Step steps::permuteValues = {.name = StepInfo::permuteValues,
                                   .reads = {Step::Values},
                                   .writes = {Step::Values},
                                   .check = check,
                                   .print = print,
                                   .work = workOfEntries,
                                   .run = run,
                                   .runOn = runOn};

} // namespace tsgu::runtime
