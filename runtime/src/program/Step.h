//===- Step.h - What the runtime does itself --------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step is one file in program/steps and one line of Steps.def. An op of
// programs with the interface StepOpInterface becomes the step of its name.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_STEP_H
#define TSGU_SRC_PROGRAM_STEP_H

#include "program/Buffers.h"
#include "program/Frame.h"

/// A test may have a table with more of them.
#ifndef TSGU_STEPS
#define TSGU_STEPS "program/steps/Steps.def"
#endif

namespace tsgu::runtime {

/// Throws CompileFailed, naming the program.
template <typename... Parts>
void require(const Manifest &manifest, bool condition, const Parts &...parts) {
  if (!condition)
    fail(Status::CompileFailed, "the manifest of ", manifest.program,
         " is inconsistent: ", parts...);
}

/// A step where a manifest has it.
struct StepView {
  const Manifest &manifest;
  const StepInfo &info;

  BufferInfo read(size_t i) const { return infoOf(manifest, info.reads[i]); }
  BufferInfo written(size_t i) const {
    return infoOf(manifest, info.writes[i]);
  }
  std::string nameOfRead(size_t i) const {
    return nameOf(manifest, info.reads[i]);
  }
  std::string nameOfWritten(size_t i) const {
    return nameOf(manifest, info.writes[i]);
  }
  const PatternInfo &pattern() const {
    return manifest.patterns[manifest.layouts[info.layout].pattern];
  }

  template <typename... Parts>
  void require(bool condition, const Parts &...parts) const {
    runtime::require(manifest, condition, info.name, ' ', parts...);
  }
  void requireCSR() const;
};

/// One run for one item of a batch, on the host.
struct HostStep {
  StepView view;
  const StagePlan &plan;
  const Binding &binding;
  Frame &frame;
  const tsgu_executor &executor;
  int64_t item;

  char *read(size_t i) const { return frame.data(plan.reads[i], item); }
  char *written(size_t i) const { return frame.data(plan.writes[i], item); }
  Pattern &pattern() const { return frame.pattern(view.info.layout); }
  HostStep of(int64_t other) const {
    return {view, plan, binding, frame, executor, other};
  }
  /// Of a step that reads a solver first.
  const tsgu_solver &solver() const {
    return *reinterpret_cast<const tsgu_solver *>(read(0));
  }
};

/// One run for many items, to be put on a device's stream.
struct DeviceStep {
  StepView view;
  const StagePlan &plan;
  const Binding &binding;
  const Place &place;
  Frame &frame;
  int64_t first, items;
};

struct Step {
  enum Role : uint8_t {
    None,
    Solver, ///< An operand that is a solver.
    Values, ///< Of the pattern that `layout` is of.
    Dense
  };

  const char *name;
  Role reads[8], writes[2]; ///< The buffers; None: no more.
  size_t numbers = 0;       ///< How many it is told.

  /// Throws by StepView::require. Buffers exist and have their roles, and no
  /// operand is written.
  void (*check)(const StepView &);
  std::string (*print)(const StepView &);
  /// In flops, for one item. NULL: it takes all threads and may call back, so
  /// that items follow one another.
  double (*work)(const StepView &, const Binding &) = nullptr;
  void (*run)(const HostStep &);
  /// For so many items of a batch, from the step's own on, where that is faster
  /// than one after the other; NULL: it is not.
  void (*runItems)(const HostStep &, int64_t count) = nullptr;
  /// NULL: on the CPU alone.
  void (*runOn)(const DeviceStep &) = nullptr;
};

/// Throws CompileFailed where there is none.
const Step &stepNamed(const std::string &name);

/// Throws CompileFailed unless the step's buffers are what it takes.
void checkStep(const StepView &view);

/// The work of reading and writing each stored entry once.
double workOfEntries(const StepView &view, const Binding &binding);

/// All of them, each defined in a file of its own.
namespace steps {
#define STEP(name) extern const Step name;
#include TSGU_STEPS
#undef STEP
} // namespace steps

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_STEP_H
