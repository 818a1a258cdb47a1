//===- Trace.cpp - What the stages of programs took -----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Trace.h"
#include "base/ForkSafeMutex.h"
#include "program/ManifestPrint.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <sstream>

namespace tsgu::runtime {
namespace {

struct Record {
  const StagePlan *of;
  std::string text; ///< JSON fields that say what it is.
  int64_t runs = 0, parts = 1;
  double seconds = 0, flops = 0, bytes = 0;
};

std::atomic<bool> traces{false};
ForkSafeMutex mutex;
std::vector<Record> records; ///< Guarded by the mutex.

Record &recordOf(const Plan &plan, const StagePlan &stage) {
  const auto known = std::ranges::find(records, &stage, &Record::of);
  if (known != records.end())
    return *known;
  return records.emplace_back(&stage,
                              fieldsJSON(plan.manifest(), *stage.stage));
}

} // namespace

void startTrace() {
  std::lock_guard lock(mutex);
  records.clear();
  traces.store(true, std::memory_order_relaxed);
}

std::string stopTrace() {
  std::lock_guard lock(mutex);
  traces.store(false, std::memory_order_relaxed);
  std::ostringstream out;
  out.exceptions(std::ios::badbit);
  out.precision(17);
  const char *between = "[";
  for (const Record &record : records) {
    out << between << '{' << record.text << ", \"runs\": " << record.runs
        << ", \"parts\": " << record.parts
        << ", \"seconds\": " << record.seconds
        << ", \"flops\": " << record.flops << ", \"bytes\": " << record.bytes
        << '}';
    between = ", ";
  }
  out << (records.empty() ? "[]" : "]");
  records.clear();
  return out.str();
}

TracedRun::TracedRun(const Plan &plan, const StagePlan &stage,
                     const Binding &binding)
    : plan(plan), stage(stage), binding(binding) {
  if (traces.load(std::memory_order_relaxed))
    start = Clock::now();
}

TracedRun::~TracedRun() {
  if (!start)
    return;
  const std::chrono::duration<double> took = Clock::now() - *start;
  try {
    std::lock_guard lock(mutex);
    Record &record = recordOf(plan, stage);
    ++record.runs, record.seconds += took.count();
    record.parts = std::max(record.parts, parts);
    record.flops += evaluate(stage.stage->cost.flops, binding);
    record.bytes += evaluate(stage.stage->cost.bytes, binding);
  } catch (const std::bad_alloc &) { // It is not in the list.
  }
}

double evaluate(const std::vector<Cost::Term> &terms, const Binding &binding) {
  double sum = 0;
  for (const Cost::Term &term : terms) {
    double product = term.factor;
    for (int32_t symbol : term.symbols)
      product *= static_cast<double>(binding.sizes[symbol]);
    sum += product;
  }
  return sum;
}

} // namespace tsgu::runtime
