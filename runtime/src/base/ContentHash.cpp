//===- ContentHash.cpp - 128 bits that stand for content ------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every 16 bytes go through two multiplications to 128 bits, whose halves are
// crossed: a word that differs changes both halves of the state. Four states
// are independent, so that the multipliers are busy.
//
//===----------------------------------------------------------------------===//

#include "base/ContentHash.h"
#include "base/Parallel.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace tsgu::runtime {
namespace {

/// What one thread takes at a time.
constexpr int64_t chunkBytes = 1 << 18;

/// Odd; digits of pi.
constexpr uint64_t first = 0x243f6a8885a308d3, second = 0x13198a2e03707345;

struct State {
  uint64_t a = first, b = second;

  void take(const char *sixteen) {
    uint64_t words[2];
    std::memcpy(words, sixteen, sizeof words);
    take(words[0], words[1]);
  }
  void take(uint64_t left, uint64_t right) {
    using Wide = unsigned __int128;
    const Wide p = Wide(a ^ left) * first, q = Wide(b ^ right) * second;
    a = uint64_t(p) + uint64_t(q >> 64);
    b = uint64_t(q) ^ uint64_t(p >> 64);
  }
};

ContentHash hashChunk(const char *data, int64_t bytes) {
  constexpr int64_t count = 4, stripe = 16 * count;
  State states[count];
  for (int64_t k = 0; k < count; ++k)
    states[k].a += k;
  const char *end = data + bytes;
  for (; end - data >= stripe; data += stripe)
    for (int64_t k = 0; k < count; ++k)
      states[k].take(data + 16 * k);
  char rest[stripe] = {};
  std::memcpy(rest, data, end - data);
  for (int64_t k = 0; k < count; ++k)
    states[k].take(rest + 16 * k);
  State sum;
  sum.take(static_cast<uint64_t>(bytes), 0);
  for (const State &state : states)
    sum.take(state.a, state.b);
  sum.take(0, 0), sum.take(0, 0);
  return {sum.a, sum.b};
}

} // namespace

ContentHash hashOf(const void *data, int64_t bytes,
                   const tsgu_executor &executor) {
  const auto *from = static_cast<const char *>(data);
  if (bytes <= chunkBytes)
    return bytes ? hashChunk(from, bytes) : ContentHash();
  const int64_t chunks = (bytes + chunkBytes - 1) / chunkBytes;
  std::vector<ContentHash> parts(chunks);
  parallelFor(executor, chunks, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      parts[k] = hashChunk(from + k * chunkBytes,
                           std::min(chunkBytes, bytes - k * chunkBytes));
  });
  return hashChunk(reinterpret_cast<const char *>(parts.data()),
                   chunks * static_cast<int64_t>(sizeof(ContentHash)));
}

} // namespace tsgu::runtime
