//===- EmulatorChecksTest.cpp - Bounds and races --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceTesting.h"

#include <algorithm>

using namespace tsgu;
using namespace tsgu::runtime;
using namespace tsgu::test;

namespace {

/// One kernel over `given`, which may be read, and `result`, which may be
/// written, both of 64 words.
class EmulatorMemory : public testing::Test {
protected:
  std::vector<int32_t> memory = std::vector<int32_t>(512, 5);
  // With gaps between them.
  std::span<int32_t> given = std::span(memory).subspan(64, 64);
  std::span<int32_t> result = std::span(memory).subspan(256, 64);

  void SetUp() override { std::ranges::fill(result, 0); }

  void launch(tsgu_emulated_kernel kernel, uint32_t threads, Grid grid = {},
              uint32_t workgroupBytes = 0) {
    const EmulatorChecks::Region regions[] = {{result.data(), 256, true, "out"},
                                              {given.data(), 256, false, "in"}};
    EmulatorChecks checks(regions);
    emulate(objectOf("checked", kernel, threads, workgroupBytes), grid,
            {word(given.data()), word(result.data())});
  }
  std::string mistake(tsgu_emulated_kernel kernel, uint32_t threads,
                      Grid grid = {}, uint32_t workgroupBytes = 0) {
    return errorOf(Status::Device,
                   [&] { launch(kernel, threads, grid, workgroupBytes); });
  }
};

int32_t *in(const uint64_t *words) { return pointer<int32_t>(words[0]); }
int32_t *out(const uint64_t *words) { return pointer<int32_t>(words[1]); }

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

TEST_F(EmulatorMemory, WhatIsGivenMayBeUsed) {
  // Its own memory on the stack, where AddressSanitizer would not leave it.
  auto kernel = [](const uint64_t *words,
                   Self *self) __attribute__((no_sanitize("address"))) {
    const uint32_t i = self->block[0] * 32 + self->thread[0];
    int32_t own[4] = {};
    store(self, own + i % 4, load(self, in(words) + i));
    atomicAdd(self, out(words) + i, load(self, own + i % 4));
    store(self, out(words) + i, load(self, out(words) + i) + 1);
  };
  launch(kernel, 32, {2, 1});
  EXPECT_EQ(std::ranges::count(result, 6), 64);
}

TEST_F(EmulatorMemory, NothingElse) {
  expectHas(mistake(
                [](const uint64_t *words, Self *self) {
                  if (self->block[0] == 2 && self->thread[0] == 9)
                    load(self, in(words) + 64);
                },
                32, {3, 1}),
            "cuLaunchKernel of kernel checked failed: "
            "CUDA_ERROR_ILLEGAL_ADDRESS: block (2, 0), thread 9 loads 4 bytes "
            "at 0x");
  expectHas(mistake([](const uint64_t *words,
                       Self *self) { load(self, in(words) + 64); },
                    1),
            "out of bounds: they begin 256 bytes into 'in', which has 256");
  expectHas(mistake([](const uint64_t *words,
                       Self *self) { store(self, out(words) - 1, 0); },
                    1),
            "stores 4 bytes");
  expectHas(
      mistake([](const uint64_t *words,
                 Self *self) { self->access(self, out(words) + 62, 16, 1); },
              1),
      "stores 16 bytes");
  expectHas(mistake([](const uint64_t *,
                       Self *self) { self->access(self, nullptr, 8, 0); },
                    1),
            "loads 8 bytes at (nil), out of bounds");
}

TEST_F(EmulatorMemory, NothingIsWrittenWhereItMayOnlyBeRead) {
  expectHas(mistake([](const uint64_t *words,
                       Self *self) { store(self, in(words) + 3, 0); },
                    1),
            "in 'in', which may only be read");
  expectHas(mistake([](const uint64_t *words,
                       Self *self) { atomicAdd(self, in(words) + 3, 0); },
                    1),
            "updates 4 bytes");
  EXPECT_EQ(std::ranges::count(given, 5), 64); // Stopped before.
}

TEST_F(EmulatorMemory, StacksOfOthersAndWorkgroupMemoryHaveBounds) {
  expectHas(mistake(
                [](const uint64_t *, Self *self) {
                  store(self, static_cast<int32_t *>(self->workgroup) + 2, 0);
                },
                1, {}, 8),
            "out of bounds");
  expectHas(mistake(
                [](const uint64_t *, Self *self) {
                  self->access(self, static_cast<char *>(self->workgroup) + 4,
                               8, 1);
                },
                1, {}, 8),
            "stores 8 bytes at 4 of workgroup memory, which has 8");
  expectHas(mistake(
                [](const uint64_t *, Self *self) {
                  static int32_t *theirs;
                  int32_t own = 0;
                  if (self->thread[0] == 0)
                    theirs = &own;
                  self->barrier(self);
                  store(self, theirs, 1);
                },
                2),
            "thread 1 stores");
}

TEST_F(EmulatorMemory, OverlappingRegions) {
  const EmulatorChecks::Region regions[] = {
      {given.data(), 256, false, "all"},
      {given.data() + 8, 16, true, "part"},
      {given.data() + 8, 8, false, "less"}};
  EmulatorChecks checks(regions);
  auto kernel = [](const uint64_t *words, Self *self) {
    const auto i = static_cast<int64_t>(words[1]);
    load(self, in(words) + 40);
    store(self, in(words) + i, 1);
  };
  const tsgu_object &object = objectOf("overlap", kernel, 1);
  for (uint64_t inside : {8, 9, 11})
    emulate(object, {}, {word(given.data()), inside});
  for (uint64_t outside : {7, 12})
    expectHas(
        errorOf(Status::Device,
                [&] { emulate(object, {}, {word(given.data()), outside}); }),
        "in 'all', which may only be read");
}

//===----------------------------------------------------------------------===//
// Races
//===----------------------------------------------------------------------===//

/// What the two threads of a pair do to out[0]: 0 load, 1 store, 2 atomic.
template <uint32_t First, uint32_t Second>
void pairOfAccesses(const uint64_t *words, Self *self) {
  const bool first = self->block[0] == 0 && self->thread[0] == 0;
  self->access(self, out(words), 4, first ? First : Second);
}

TEST_F(EmulatorMemory, RacesInABlockAndBetweenBlocks) {
  for (auto [threads, blocks] : {std::pair{2u, 1u}, {1u, 2u}}) {
    const Grid grid{blocks, 1};
    const char *second =
        threads == 2 ? "block (0, 0), thread 1 " : "block (1, 0), thread 0 ";
    for (auto kernel :
         {pairOfAccesses<0, 1>, pairOfAccesses<1, 0>, pairOfAccesses<1, 1>,
          pairOfAccesses<1, 2>, pairOfAccesses<2, 1>, pairOfAccesses<0, 2>,
          pairOfAccesses<2, 0>}) {
      const std::string message = mistake(kernel, threads, grid);
      expectHas(message, second);
      expectHas(message, "in 'out', a race: block (0, 0), thread 0 ");
    }
    launch(pairOfAccesses<0, 0>, threads, grid);
    launch(pairOfAccesses<2, 2>, threads, grid);
  }
}

TEST_F(EmulatorMemory, BarriersPutABlockInOrder) {
  auto kernel = [](const uint64_t *words, Self *self) {
    for (uint32_t round = 0; round < 8; ++round) {
      if (self->thread[0] == round)
        store(self, out(words), load(self, out(words)) + 1);
      self->barrier(self);
      load(self, out(words));
      self->barrier(self);
      atomicAdd(self, out(words), 1);
      self->barrier(self);
    }
  };
  launch(kernel, 8);
  EXPECT_EQ(result[0], 8 + 8 * 8);
}

TEST_F(EmulatorMemory, BarriersDoNotPutTheGridInOrder) {
  auto kernel = [](const uint64_t *words, Self *self) {
    if (self->block[0] == 0)
      load(self, out(words));
    self->barrier(self);
    if (self->block[0] == 1)
      store(self, out(words), 1);
  };
  expectHas(mistake(kernel, 4, {2, 1}), "a race: block (0, 0), thread");
}

/// A reader is not forgotten for one that came after it.
TEST_F(EmulatorMemory, RacesWithEarlierReaders) {
  auto kernel = [](const uint64_t *words, Self *self) {
    load(self, out(words));
    if (self->block[0] == 1)
      store(self, out(words), 1);
  };
  expectHas(mistake(kernel, 1, {2, 1}), "block (1, 0), thread 0 stores");
}

TEST_F(EmulatorMemory, NeighboursDoNotRace) {
  auto bytes = [](const uint64_t *words, Self *self) {
    auto *own = pointer<uint8_t>(words[1]) + self->thread[0];
    store(self, own, static_cast<uint8_t>(self->thread[0]));
  };
  launch(bytes, 256);
  auto words = [](const uint64_t *words, Self *self) {
    store(self, pointer<int64_t>(words[1]) + self->thread[0], int64_t{1});
  };
  launch(words, 32);
}

TEST_F(EmulatorMemory, RacesOfWordsAndBytes) {
  auto byteLast = [](const uint64_t *words, Self *self) {
    if (self->thread[0] == 0)
      self->access(self, out(words) + 2, 8, 1);
    else
      self->access(self, pointer<char>(words[1]) + 15, 1, 0);
  };
  expectHas(mistake(byteLast, 2), "thread 1 loads 1 bytes");
  auto wordLast = [](const uint64_t *words, Self *self) {
    if (self->thread[0] == 0)
      self->access(self, pointer<char>(words[1]) + 15, 1, 1);
    else
      self->access(self, out(words) + 2, 8, 0);
  };
  expectHas(mistake(wordLast, 2), "thread 1 loads 8 bytes");
}

TEST_F(EmulatorMemory, WorkgroupMemoryIsOfOneBlock) {
  auto kernel = [](const uint64_t *, Self *self) {
    auto *shared = static_cast<int32_t *>(self->workgroup);
    if (self->thread[0] == 0)
      store(self, shared, 1);
    self->barrier(self);
    load(self, shared);
  };
  launch(kernel, 32, {3, 1}, 4);
  auto racing = [](const uint64_t *, Self *self) {
    store(self, static_cast<int32_t *>(self->workgroup), 1);
  };
  expectHas(mistake(racing, 2, {}, 4), "in 'workgroup memory', a race");
}

TEST_F(EmulatorMemory, LaunchesAreInOrder) {
  const EmulatorChecks::Region regions[] = {{result.data(), 256, true, "out"}};
  EmulatorChecks checks(regions);
  auto kernel = [](const uint64_t *words, Self *self) {
    store(self, pointer<int32_t>(words[1]), 1);
    (void)words;
  };
  const tsgu_object &object = objectOf("twice", kernel, 1);
  emulate(object, {}, {0, word(result.data())});
  emulate(object, {}, {0, word(result.data())});
}

TEST_F(EmulatorMemory, ChecksThatNeedTooMuchMemory) {
  const EmulatorChecks::Region regions[] = {
      {result.data(), int64_t{1} << 58, true, "huge"}};
  EmulatorChecks checks(regions);
  const tsgu_object &object =
      objectOf("huge", [](const uint64_t *, Self *) { FAIL(); }, 1);
  expectHas(errorOf(Status::OutOfMemory, [&] { emulate(object, {}, {}); }),
            "cuLaunchKernel of kernel huge failed: CUDA_ERROR_OUT_OF_MEMORY: "
            "out of memory: the emulator's checks of 288230376151711744 bytes");
}

TEST_F(EmulatorMemory, ChecksEndWithTheirObject) {
  auto kernel = [](const uint64_t *words, Self *self) {
    EXPECT_EQ(self->access != nullptr, words[0] != 0);
  };
  const tsgu_object &object = objectOf("unchecked", kernel, 1);
  emulate(object, {}, {0});
  {
    EmulatorChecks outer({});
    {
      EmulatorChecks inner({});
    }
    emulate(object, {}, {1});
  }
  emulate(object, {}, {0});
}

} // namespace
