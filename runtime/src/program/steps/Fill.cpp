//===- Fill.cpp - An output before its kernel -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel on compressed levels leaves out what no entry belongs to: there its
// output is the neutral element of the reduction, 0 or an infinity.
//
//===----------------------------------------------------------------------===//

#include "base/Parallel.h"
#include "pattern/DeviceKernels.h"
#include "pattern/Matrix.h"
#include "pattern/Ranges.h"
#include "program/Step.h"
#include "program/Work.h"

#include <cstring>
#include <limits>
#include <vector>

namespace tsgu::runtime {

static void check(const StepView &view) {
  const int32_t sign = view.info.numbers[0];
  const ElementType type = view.written(0).type;
  const bool ordered = isFloat(type) && !isComplexType(type);
  view.require(sign == 0 || (ordered && (sign == 1 || sign == -1)),
               "writes no number to ", view.nameOfWritten(0));
}

static std::string print(const StepView &view) {
  static constexpr const char *numbers[] = {"-inf", "0", "inf"};
  return "fill " + view.nameOfWritten(0) + " with " +
         numbers[view.info.numbers[0] + 1];
}

static double bytesOf(const StepView &view, const Binding &binding) {
  double bytes = static_cast<double>(elementSize(view.written(0).type));
  for (int32_t symbol : view.written(0).shape)
    bytes *= static_cast<double>(binding.sizes[symbol]);
  return bytes;
}

static double work(const StepView &view, const Binding &binding) {
  return flopsPerByte * bytesOf(view, binding);
}

/// The bits of an infinity of the type, for its first bytes.
static uint64_t infinity(ElementType type, bool negative) {
  switch (type) {
  case ElementType::F16:
    return negative ? 0xfc00 : 0x7c00;
  case ElementType::BF16:
    return negative ? 0xff80 : 0x7f80;
  case ElementType::F32:
    return negative ? 0xff800000 : 0x7f800000;
  default:
    return negative ? 0xfff0000000000000 : 0x7ff0000000000000;
  }
}

static void fill(char *to, int64_t count, int64_t size, uint64_t bits) {
  if (bits == 0)
    std::memset(to, 0, count * size);
  else
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(to + i * size, &bits, size);
}

static uint64_t bitsOf(const StepView &view) {
  const int32_t sign = view.info.numbers[0];
  return sign == 0 ? 0 : infinity(view.written(0).type, sign < 0);
}

/// The output as runs of elements that lie one after the other.
class Runs {
public:
  Runs(const BufferInfo &info, const Binding &binding, const int64_t *strides)
      : strides(strides) {
    for (int32_t symbol : info.shape)
      extents.push_back(binding.sizes[symbol]);
    outer = extents.size();
    while (outer > 0 &&
           (outer == extents.size() || strides[outer - 1] == length))
      length *= extents[--outer];
    for (size_t d = 0; d < outer; ++d)
      count *= extents[d];
  }

  /// Elements before a run.
  int64_t begin(int64_t run) const {
    int64_t offset = 0;
    for (size_t d = outer; d-- > 0;) {
      offset += run % extents[d] * strides[d];
      run /= extents[d];
    }
    return offset;
  }
  /// So many runs follow one another at equal distances.
  int64_t rows() const { return outer > 0 ? extents[outer - 1] : 1; }
  int64_t stride() const { return outer > 0 ? strides[outer - 1] : 0; }

  int64_t count = 1, length = 1;

private:
  std::vector<int64_t> extents;
  const int64_t *strides;
  size_t outer;
};

static void run(const HostStep &call) {
  const uint64_t bits = bitsOf(call.view);
  const int64_t size = call.plan.elementSize;
  const Runs runs(call.view.written(0), call.binding,
                  call.frame.strides(call.plan.writes[0]));
  const int64_t length = runs.length, count = runs.count * length;
  const int64_t parts = std::max<int64_t>(
      1, partsOf(count, work(call.view, call.binding), call.executor.threads));
  const Ranges ranges(count, parts);
  char *to = call.written(0);
  parallelFor(call.executor, parts, [&](int64_t first, int64_t last) {
    int64_t at = ranges.boundary(first);
    const int64_t end = ranges.boundary(last);
    while (at < end) {
      const int64_t within = at % length;
      const int64_t next = std::min(end - at, length - within);
      fill(to + (runs.begin(at / length) + within) * size, next, size, bits);
      at += next;
    }
  });
}

static void runOn(const DeviceStep &call) {
  const int32_t slot = call.plan.writes[0];
  const int64_t size = call.plan.elementSize;
  const Runs runs(call.view.written(0), call.binding, call.frame.strides(slot));
  for (int64_t run = 0; run < runs.count; run += runs.rows())
    fillOn(call.place.device, call.place.stream(), bitsOf(call.view), size,
           {call.frame.data(slot, call.first) + runs.begin(run) * size,
            call.frame.itemBytes(slot)},
           runs.rows(), runs.length, runs.stride(), call.items);
}

const Step steps::fill = {.name = StepInfo::fill,
                          .reads = {},
                          .writes = {Step::Dense},
                          .numbers = 1,
                          .check = check,
                          .print = print,
                          .work = work,
                          .run = run,
                          .runOn = runOn};

} // namespace tsgu::runtime
