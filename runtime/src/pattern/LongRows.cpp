//===- LongRows.cpp - Rows that have much of a matrix ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/LongRows.h"

namespace tsgu::runtime {

/// Shorter rows are not worth another call of the kernel.
static constexpr int64_t leastLong = 16384;
static constexpr int64_t chunkLength = 8192;
/// A row with less than this part of all entries keeps no thread waiting.
static constexpr int64_t leastShare = 256;

int64_t LongRows::bytes() const {
  return positions.bytes() +
         static_cast<int64_t>((rows.size() + firsts.size()) * sizeof(int64_t) +
                              chunks.size() * sizeof(Chunk));
}

/// The layout's rows that are cut, and into how many chunks.
static std::shared_ptr<LongRows> find(const Layout &layout) {
  auto found = std::make_shared<LongRows>();
  const int64_t least = std::max(leastLong, layout.stored / leastShare);
  int64_t begin = layout.position(0);
  for (int64_t row = 0; row < layout.rows; ++row) {
    const int64_t end = layout.position(row + 1);
    if (end - begin >= least) {
      found->rows.push_back(row);
      found->firsts.push_back(static_cast<int64_t>(found->chunks.size()));
      const int64_t count = (end - begin + chunkLength - 1) / chunkLength;
      for (int64_t i = 0; i < count; ++i)
        found->chunks.push_back({row, i});
    }
    begin = end;
  }
  found->firsts.push_back(static_cast<int64_t>(found->chunks.size()));
  return found;
}

template <typename I>
static void fillPositions(const Layout &layout, LongRows &found) {
  const auto count = static_cast<int64_t>(found.chunks.size());
  found.positions = blockOf<I>(multiply(2, count));
  I *positions = found.positions.as<I>();
  for (const LongRows::Chunk &chunk : found.chunks) {
    const int64_t begin =
        layout.position(chunk.row) + chunk.number * chunkLength;
    *positions++ = static_cast<I>(begin);
    *positions++ = static_cast<I>(
        std::min(begin + chunkLength, layout.position(chunk.row + 1)));
  }
}

std::shared_ptr<const LongRows> longRowsOf(Pattern &pattern,
                                           const Layout &layout) {
  if (layout.stored < leastLong) // Most patterns ask for nothing else.
    return nullptr;
  auto found = pattern.attachments().get<LongRows>(
      attachmentKey(AttachmentKind::LongRows, layout.number), [&] {
        std::shared_ptr<LongRows> made = find(layout);
        if (layout.indexType == ElementType::I32)
          fillPositions<int32_t>(layout, *made);
        else
          fillPositions<int64_t>(layout, *made);
        return made;
      });
  return found->rows.empty() ? nullptr : found;
}

} // namespace tsgu::runtime
