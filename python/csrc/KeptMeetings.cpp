//===- KeptMeetings.cpp - Meetings that patterns keep ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PatternCache.h"

#include <algorithm>
#include <iterator>

using namespace tsgu::torch_plugin;

static std::array<TensorHandle, 3>
shared(const std::array<TensorHandle, 3> &tensors) {
  return {TensorHandle::share(tensors[0].get()),
          TensorHandle::share(tensors[1].get()),
          TensorHandle::share(tensors[2].get())};
}

std::optional<std::array<TensorHandle, 3>>
PatternCache::findMet(CachedPattern &pattern,
                      const std::shared_ptr<CachedPattern> &other,
                      const Met::Key &key) {
  std::lock_guard<std::mutex> lock(access);
  auto it =
      std::find_if(pattern.met.begin(), pattern.met.end(), [&](const Met &met) {
        return met.key == key && met.other.lock() == other;
      });
  if (it == pattern.met.end())
    return std::nullopt;
  std::rotate(it, it + 1, pattern.met.end());
  return shared(pattern.met.back().tensors);
}

std::array<TensorHandle, 3>
PatternCache::keepMet(CachedPattern &pattern,
                      const std::shared_ptr<CachedPattern> &other,
                      const Met::Key &key, std::array<TensorHandle, 3> made) {
  if (auto known = findMet(pattern, other, key))
    return std::move(*known);
  constexpr size_t most = 8; // of one pattern with others
  std::vector<Met> dropped;  // freed last, under no lock
  Met met{other, key, shared(made), 0};
  for (const TensorHandle &tensor : made) {
    const TensorView view = inspect(tensor.get(), "index tensor", -1);
    met.bytes += view.elements() * elementSize(view.type);
  }
  std::lock_guard<std::mutex> lock(access);
  if (!sweep.load()) // Python ends, and cannot free tensors that are held here.
    return made;
  auto &all = pattern.met;
  auto gone = std::stable_partition(all.begin(), all.end(), [](const Met &met) {
    return !met.other.expired();
  });
  if (gone == all.end() && all.size() == most)
    gone = std::rotate(all.begin(), all.begin() + 1, all.end());
  dropped.assign(std::make_move_iterator(gone),
                 std::make_move_iterator(all.end()));
  all.erase(gone, all.end());
  int64_t change = met.bytes;
  for (const Met &each : dropped)
    change -= each.bytes;
  pattern.addBytes(change);
  all.push_back(std::move(met));
  return made;
}
