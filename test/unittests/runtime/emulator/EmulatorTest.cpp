//===- EmulatorTest.cpp - Kernels run by the emulator ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceTesting.h"

#include <numeric>
#include <random>
#include <thread>

using namespace tsgu;
using namespace tsgu::runtime;
using namespace tsgu::test;

namespace {

//===----------------------------------------------------------------------===//
// Grids
//===----------------------------------------------------------------------===//

/// out[((y * gridX + x) * threads + t)] = its own indices and extents.
void tellIndices(const uint64_t *words, Self *self) {
  const uint64_t at =
      (uint64_t(self->block[1]) * self->grid_extent[0] + self->block[0]) *
          self->block_extent[0] +
      self->thread[0];
  uint32_t *out = pointer<uint32_t>(words[0]) + 12 * at;
  for (const uint32_t *field :
       {self->thread, self->block, self->block_extent, self->grid_extent})
    for (int d = 0; d < 3; ++d)
      *out++ = field[d];
}

TEST(Emulator, EveryThreadOfTheGridRunsOnce) {
  for (uint32_t threads : {1u, 31u, 32u, 100u, 1024u}) {
    const Grid grid{5, 3};
    std::vector<uint32_t> out(12 * 15 * threads, ~0u), expected;
    emulate(objectOf("indices", tellIndices, threads), grid,
            {word(out.data())});
    for (uint32_t y = 0; y < 3; ++y)
      for (uint32_t x = 0; x < 5; ++x)
        for (uint32_t t = 0; t < threads; ++t)
          for (uint32_t value :
               {t, 0u, 0u, x, y, 0u, threads, 1u, 1u, 5u, 3u, 1u})
            expected.push_back(value);
    EXPECT_EQ(out, expected);
  }
}

TEST(Emulator, AnEmptyGridStartsNothing) {
  const tsgu_object &object =
      objectOf("never", [](const uint64_t *, Self *) { FAIL(); }, 32);
  emulate(object, {0, 1}, {});
  emulate(object, {1, 0}, {});
}

TEST(Emulator, RefusesWhatADeviceRefuses) {
  auto nothing = [](const uint64_t *, Self *) {};
  const tsgu_object &object = objectOf("big", nothing, 32);
  for (Grid grid : {Grid{0x80000000u, 1}, Grid{1, 65536}})
    expectHas(errorOf(Status::Device, [&] { emulate(object, grid, {}); }),
              "kernel big would need");
  for (uint32_t threads : {0u, 1025u})
    EXPECT_EQ(
        errorOf(Status::Device,
                [&] { emulate(objectOf("wide", nothing, threads), {}, {}); }),
        "cuLaunchKernel of kernel wide failed: "
        "CUDA_ERROR_INVALID_VALUE");
}

TEST(Emulator, RefusesObjectsForOtherTargets) {
  EXPECT_EQ(errorOf(Status::Internal,
                    [] { emulate(objectOf("ptx", nullptr, 32), {}, {}); }),
            "kernel ptx was not compiled for the emulator");
  tsgu_object host{};
  host.kernel_count = 1;
  EXPECT_EQ(errorOf(Status::Internal, [&] { emulate(host, {}, {}); }),
            "kernel 0 of an object that has 0 for devices");
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

/// out[block] = sum of a tree of pairs over in[block, thread].
void sumOfBlock(const uint64_t *words, Self *self) {
  const auto *in = pointer<const int64_t>(words[0]);
  auto *shared = static_cast<int64_t *>(self->workgroup);
  const uint32_t t = self->thread[0], threads = self->block_extent[0];
  store(self, shared + t,
        load(self, in + uint64_t(self->block[0]) * threads + t));
  for (uint32_t half = threads / 2; half > 0; half /= 2) {
    self->barrier(self);
    if (t < half)
      store(self, shared + t,
            load(self, shared + t) + load(self, shared + t + half));
  }
  if (t == 0)
    store(self, pointer<int64_t>(words[1]) + self->block[0],
          load(self, shared));
}

TEST(Emulator, BlockReductionWithBarriers) {
  std::mt19937_64 random(1);
  for (uint32_t threads : {1u, 2u, 64u, 256u, 1024u}) {
    std::vector<int64_t> in(40 * threads), out(40), expected(40);
    for (size_t i = 0; i < in.size(); ++i) {
      in[i] = static_cast<int64_t>(random() >> 20);
      expected[i / threads] += in[i];
    }
    emulate(objectOf("sum", sumOfBlock, threads, 8 * threads), {40, 1},
            {word(in.data()), word(out.data())});
    EXPECT_EQ(out, expected);
  }
}

/// Threads end after as many barriers as their number; the others count them.
void exitOneByOne(const uint64_t *words, Self *self) {
  auto *counts = pointer<uint32_t>(words[0]);
  for (uint32_t round = 0; round < self->thread[0]; ++round) {
    self->barrier(self);
    ++counts[round];
  }
}

TEST(Emulator, ExitedThreadsDoNotCountAtBarriers) {
  std::vector<uint32_t> counts(99);
  emulate(objectOf("exits", exitOneByOne, 100), {}, {word(counts.data())});
  for (uint32_t round = 0; round < 99; ++round)
    EXPECT_EQ(counts[round], 99 - round); // Those of a greater number.
}

/// What one thread wrote before a barrier, all read after it.
TEST(Emulator, BarriersSeparateRounds) {
  std::vector<uint32_t> seen(64 * 10);
  auto kernel = [](const uint64_t *words, Self *self) {
    auto *shared = static_cast<volatile uint32_t *>(self->workgroup);
    const uint32_t t = self->thread[0];
    for (uint32_t round = 0; round < 10; ++round) {
      if (t == (7 * round) % 64)
        *shared = 1000 + round;
      self->barrier(self);
      pointer<uint32_t>(words[0])[64 * round + t] = *shared;
      self->barrier(self);
    }
  };
  emulate(objectOf("rounds", kernel, 64, 4), {}, {word(seen.data())});
  for (uint32_t i = 0; i < seen.size(); ++i)
    EXPECT_EQ(seen[i], 1000 + i / 64);
}

TEST(Emulator, WorkgroupMemoryIsAlignedAndForgotten) {
  auto kernel = [](const uint64_t *words, Self *self) {
    auto *out = pointer<uint64_t>(words[0]) + 2 * self->block[0];
    auto *shared = static_cast<uint64_t *>(self->workgroup);
    out[0] = word(shared) % 16;
    out[1] = *shared;
    *shared = 42;
  };
  std::vector<uint64_t> out(6);
  emulate(objectOf("fresh", kernel, 1, 8), {3, 1}, {word(out.data())});
  EXPECT_EQ(out, (std::vector<uint64_t>{0, ~0ull, 0, ~0ull, 0, ~0ull}));
}

//===----------------------------------------------------------------------===//
// Shuffles
//===----------------------------------------------------------------------===//

/// The lane that is read, as the PTX manual defines it for shfl.sync.
uint32_t laneOfManual(uint32_t lane, uint32_t b, uint32_t width,
                      uint32_t mode) {
  const uint32_t c = (32 - width) << 8 | (mode == 2 ? 0 : 31);
  const uint32_t bval = b & 31, cval = c & 31, mask = c >> 8 & 31;
  const uint32_t maxLane = (lane & mask) | (cval & ~mask);
  const uint32_t minLane = lane & mask;
  uint32_t j = 0;
  bool inside = false;
  switch (mode) {
  case 2: // .up
    j = lane - bval;
    inside = static_cast<int32_t>(j) >= static_cast<int32_t>(maxLane);
    break;
  case 1: // .down
    j = lane + bval;
    inside = j <= maxLane;
    break;
  case 0: // .bfly
    j = lane ^ bval;
    inside = j <= maxLane;
    break;
  case 3: // .idx
    j = minLane | (bval & ~mask);
    inside = j <= maxLane;
    break;
  }
  return inside ? j : lane;
}

/// words: out, operand, width, mode.
void shuffleOnce(const uint64_t *words, Self *self) {
  const uint32_t t = self->thread[0];
  pointer<uint32_t>(words[0])[t] = self->shuffle(
      self, 1000 + t, static_cast<uint32_t>(words[1]),
      static_cast<uint32_t>(words[2]), static_cast<uint32_t>(words[3]));
}

TEST(Emulator, ShufflesReadTheLanesOfTheManual) {
  const tsgu_object &object = objectOf("shuffle", shuffleOnce, 96);
  std::vector<uint32_t> out(96);
  for (uint32_t mode : {0u, 1u, 2u, 3u})
    for (uint32_t width : {1u, 2u, 4u, 8u, 16u, 32u})
      for (uint32_t operand = 0; operand < 40; ++operand) {
        emulate(object, {}, {word(out.data()), operand, width, mode});
        for (uint32_t t = 0; t < 96; ++t)
          ASSERT_EQ(out[t], 1000 + t / 32 * 32 +
                                laneOfManual(t % 32, operand, width, mode))
              << "thread " << t << " mode " << mode << " width " << width
              << " operand " << operand;
      }
}

/// The sum over a warp, in all its lanes, as 64-bit values in two halves.
double butterfly(Self *self, double value) {
  for (uint32_t offset = 16; offset > 0; offset /= 2) {
    const auto bits = std::bit_cast<uint64_t>(value);
    const uint64_t low =
        self->shuffle(self, static_cast<uint32_t>(bits), offset, 32, 0);
    const uint64_t high =
        self->shuffle(self, static_cast<uint32_t>(bits >> 32), offset, 32, 0);
    value += std::bit_cast<double>(high << 32 | low);
  }
  return value;
}

TEST(Emulator, ButterflyOf64BitWords) {
  auto kernel = [](const uint64_t *words, Self *self) {
    const uint64_t at = uint64_t(self->block[0]) * 128 + self->thread[0];
    pointer<double>(words[1])[at] =
        butterfly(self, pointer<const double>(words[0])[at]);
  };
  std::vector<double> in(128 * 7), out(128 * 7);
  std::iota(in.begin(), in.end(), -300.25); // Sums are exact.
  emulate(objectOf("butterfly", kernel, 128), {7, 1},
          {word(in.data()), word(out.data())});
  for (size_t i = 0; i < in.size(); ++i)
    EXPECT_EQ(out[i],
              std::accumulate(&in[i / 32 * 32], &in[i / 32 * 32] + 32, 0.0));
}

/// Warps need not run in step: each goes its own number of rounds, and all
/// meet at a barrier.
TEST(Emulator, WarpsShuffleOnTheirOwn) {
  auto kernel = [](const uint64_t *words, Self *self) {
    uint32_t value = self->thread[0];
    for (uint32_t round = 0; round <= self->thread[0] / 32; ++round)
      value = self->shuffle(self, value, 1, 32, 3) + 1;
    auto *shared = static_cast<uint32_t *>(self->workgroup);
    shared[self->thread[0]] = value;
    self->barrier(self);
    pointer<uint32_t>(words[0])[self->thread[0]] =
        shared[(self->thread[0] + 32) % 128];
  };
  std::vector<uint32_t> out(128);
  emulate(objectOf("own pace", kernel, 128, 512), {}, {word(out.data())});
  // Lane 1 of warp w holds 32 w + 1, and one is added in each of w + 1 rounds.
  for (uint32_t t = 0; t < 128; ++t) {
    const uint32_t warp = (t + 32) % 128 / 32;
    EXPECT_EQ(out[t], 32 * warp + 1 + warp + 1);
  }
}

TEST(Emulator, LanesThatDoNotExistDoNotCount) {
  std::vector<uint32_t> out(40);
  emulate(objectOf("partial", shuffleOnce, 40), {},
          {word(out.data()), 4, 8, 0});
  for (uint32_t t = 0; t < 40; ++t)
    EXPECT_EQ(out[t], 1000 + (t ^ 4));
}

//===----------------------------------------------------------------------===//
// Mistakes of kernels
//===----------------------------------------------------------------------===//

/// Launches a wrong kernel, then a right one; returns what the first said.
std::string mistake(const tsgu_object &object, Grid grid,
                    std::initializer_list<uint64_t> words = {}) {
  std::string message =
      errorOf(Status::Device, [&] { emulate(object, grid, words); });
  std::vector<int64_t> in(64, 1), out(1);
  emulate(objectOf("next", sumOfBlock, 64, 8 * 64), {},
          {word(in.data()), word(out.data())});
  EXPECT_EQ(out[0], 64);
  return message;
}

TEST(Emulator, ShufflesWithoutExitedLanes) {
  auto kernel = [](const uint64_t *, Self *self) {
    if (self->block[0] == 1 && self->thread[0] == 37)
      return;
    self->shuffle(self, 0, 1, 32, 0);
  };
  EXPECT_EQ(mistake(objectOf("leaver", kernel, 64), {3, 2}),
            "cuLaunchKernel of kernel leaver failed: "
            "CUDA_ERROR_LAUNCH_FAILED: block (1, 0), thread 32 shuffles for "
            "ever: thread 37 of its warp has ended, and all of its threads "
            "have to shuffle together");
}

TEST(Emulator, ShufflesWhileOthersWait) {
  auto kernel = [](const uint64_t *, Self *self) {
    if (self->thread[0] % 32 < 3)
      self->barrier(self);
    else
      self->shuffle(self, 0, 1, 32, 0);
  };
  expectHas(mistake(objectOf("divergent", kernel, 64), {1, 1}),
            "block (0, 0), thread 3 shuffles for ever: thread 0 of "
            "its warp waits at a barrier");
}

/// Warp 0 waits for warp 1, half of which has gone on to a shuffle.
TEST(Emulator, BarriersThatAreNeverMet) {
  auto kernel = [](const uint64_t *, Self *self) {
    if (self->thread[0] >= 48)
      self->shuffle(self, 0, 1, 16, 0);
    self->barrier(self);
  };
  expectHas(mistake(objectOf("deadlock", kernel, 64), {1, 1}),
            "kernel deadlock failed: CUDA_ERROR_LAUNCH_FAILED: block "
            "(0, 0), thread 48 shuffles for ever: thread 32");
}

TEST(Emulator, ShufflesOfDifferentKinds) {
  auto kernel = [](const uint64_t *, Self *self) {
    self->shuffle(self, 0, 1, self->thread[0] < 5 ? 32 : 16, 0);
  };
  expectHas(mistake(objectOf("mixed", kernel, 32), {1, 1}),
            "thread 5 shuffles with width 16 and mode 0, and others "
            "of its warp at the same time with width 32");
  expectHas(mistake(objectOf("odd", shuffleOnce, 32), {1, 1}, {0, 1, 12, 0}),
            "thread 0 shuffles with width 12 and mode 0");
}

TEST(Emulator, ShufflesWithLanesThatDoNotExist) {
  std::vector<uint32_t> out(40);
  expectHas(mistake(objectOf("beyond", shuffleOnce, 40), {1, 1},
                    {word(out.data()), 8, 32, 0}),
            "thread 32 shuffles with lane 8 of its warp, which the "
            "block does not have");
}

/// More than a stack has: the page below it stops the kernel.
void deep(const uint64_t *words, Self *self) {
  volatile char frame[4096];
  frame[words[0] % 4096] = 1;
  const uint64_t next[] = {words[0] + frame[words[0] % 4096]};
  if (next[0] < 1000)
    deep(next, self);
  frame[0] = 0;
}

TEST(EmulatorDeathTest, StacksEndInAPageThatStops) {
  emulate(objectOf("flat", deep, 1), {}, {990});
  EXPECT_DEATH(emulate(objectOf("deep", deep, 1), {}, {0}), "");
}

//===----------------------------------------------------------------------===//
// Hosts' threads and memory
//===----------------------------------------------------------------------===//

TEST(Emulator, SixteenThreadsOfTheHost) {
  const tsgu_object &object = objectOf("sum", sumOfBlock, 128, 8 * 128);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 16; ++caller)
    callers.emplace_back([&, caller] {
      for (int repeat = 0; repeat < 20; ++repeat) {
        std::vector<int64_t> in(128 * 4, caller), out(4);
        emulate(object, {4, 1}, {word(in.data()), word(out.data())});
        wrong += out != std::vector<int64_t>(4, 128 * caller);
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Emulator, Memory) {
  Device &device = Device::emulator();
  EXPECT_TRUE(device.isEmulator());
  EXPECT_FALSE(device.isCapturing(nullptr));
  DeviceBlock block(device, 4000);
  EXPECT_EQ(word(block.data()) % 256, 0u);
  device.fill(block.data(), 0xabcdef01, 1000, nullptr);
  std::vector<uint32_t> host(1000), expected(1000, 0xabcdef01);
  host[3] = 7;
  device.write(block.as<uint32_t>() + 10, host.data(), 16, nullptr);
  expected[10] = expected[11] = expected[12] = 0, expected[13] = 7;
  device.read(host.data(), block.data(), 4000, nullptr);
  EXPECT_EQ(host, expected);
  EXPECT_EQ(DeviceBlock(device, 0).data(), nullptr);
  expectHas(errorOf(Status::OutOfMemory,
                    [&] { DeviceBlock(device, INT64_MAX - 10000); }),
            "cuMemAlloc of 9223372036854765807 bytes failed: "
            "CUDA_ERROR_OUT_OF_MEMORY");
}

} // namespace
