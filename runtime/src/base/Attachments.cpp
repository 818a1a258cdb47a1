//===- Attachments.cpp - What is kept with a pattern ----------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "base/Attachments.h"

namespace tsgu::runtime {

std::shared_ptr<Attachments::Slot> Attachments::slotOf(uint64_t key) {
  std::lock_guard guard(lock);
  if (auto known = slots.find(key); known != slots.end())
    return known->second;
  return slots.emplace(key, std::make_shared<Slot>()).first->second;
}

int64_t Attachments::bytes() const {
  std::lock_guard guard(lock);
  int64_t sum = 0;
  for (const auto &[key, slot] : slots)
    if (std::unique_lock making(slot->making, std::try_to_lock);
        making && slot->made)
      sum += slot->made->bytes();
  return sum;
}

} // namespace tsgu::runtime
