//===- Step.cpp - What all steps are checked for --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Step.h"

#include "program/Work.h"

#include <algorithm>

namespace tsgu::runtime {

void StepView::requireCSR() const {
  require(isCanonical(manifest.layouts[info.layout].levels),
          "has no CSR layout");
}

static bool hasRole(const StepView &view, const Buffer &buffer,
                    Step::Role role) {
  const BufferInfo info = infoOf(view.manifest, buffer);
  if (role == Step::Values)
    return holdsValues(view.manifest, buffer,
                       view.manifest.layouts[view.info.layout].pattern);
  return role == Step::Solver ? info.solver : !info.solver && info.pattern < 0;
}

static void checkBuffers(const StepView &view,
                         const std::vector<Buffer> &buffers,
                         std::span<const Step::Role> roles, const char *does) {
  const size_t count =
      std::find(roles.begin(), roles.end(), Step::None) - roles.begin();
  view.require(buffers.size() == count, does, ' ', buffers.size(),
               " buffers, not ", count);
  static constexpr const char *names[] = {
      "", "a solver", "values of its pattern", "a dense tensor"};
  for (size_t i = 0; i < count; ++i) {
    view.require(roles[i] != Step::Values || view.info.layout >= 0,
                 "has no layout");
    view.require(hasRole(view, buffers[i], roles[i]), does, ' ',
                 nameOf(view.manifest, buffers[i]), " as ", names[roles[i]]);
  }
}

void checkStep(const StepView &view) {
  const Step &step = stepNamed(view.info.name);
  checkBuffers(view, view.info.reads, step.reads, "reads");
  checkBuffers(view, view.info.writes, step.writes, "writes");
  for (const Buffer &buffer : view.info.writes)
    view.require(buffer.kind != Buffer::Operand, "writes to an operand");
  view.require(view.info.numbers.size() == step.numbers, "is told ",
               view.info.numbers.size(), " numbers, not ", step.numbers);
  step.check(view);
}

double workOfEntries(const StepView &view, const Binding &binding) {
  return 16 * flopsPerByte *
         static_cast<double>(binding.sizes[view.pattern().stored]);
}

} // namespace tsgu::runtime
