//===- ManifestTest.cpp - Manifests as bytes and text ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakePrograms.h"
#include "tsgu/Error.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

using namespace tsgu;
using namespace tsgu::test;

namespace {

const char *const names[] = {"spmm",         "spmm-transposed", "batched-spmm",
                             "shared-spmm",  "row-normalize",   "total",
                             "item-length",  "solve",           "batched-solve",
                             "keep-triangle"};

TEST(Manifest, RoundTrip) {
  for (const char *name : names) {
    const Manifest manifest =
        fakeManifest(name, {ElementType::F32, ElementType::I64});
    const std::vector<uint8_t> bytes = manifest.serialize();
    const Manifest again = Manifest::parse(bytes.data(), bytes.size());
    EXPECT_EQ(again.serialize(), bytes);
    EXPECT_EQ(again.print(), manifest.print());
    EXPECT_EQ(again.signatureJSON(), manifest.signatureJSON());
  }
}

TEST(Manifest, Print) {
  Manifest manifest = fakeManifest("spmm-transposed", {});
  manifest.symbols[2].fixed = 32;
  EXPECT_EQ(manifest.print(),
            R"(program spmm-transposed for any
  size m
  size n
  size p = 32
  size z0, the stored entries of P0
  pattern P0 [m x n], z0 stored
  layout 0: P0 {1 dense, 0 compressed} i32
  operand A: f64 [m x n] on P0
  operand B: f64 [m x p]
  result result: f64 [n x p]
  scratch 0: f64 [z0]
  permute values of A to layout 0 in scratch 0
  kernel spmm
    positions of level 1 of layout 0
    coordinates of level 1 of layout 0
    values scratch 0
    dense B [m x p]
    dense result [n x p], dimension 0 follows n, written
    sizes: range(n) p stride(3, 0) stride(4, 0)
    parallel over n, work by the rows of layout 0: written by hand
    flops: 2 z0 p
    bytes: 12 z0 + 16 m p
)");
}

TEST(Manifest, SignatureJSON) {
  Manifest manifest = fakeManifest("spmm", {});
  manifest.program = "a \"quoted\\\" name\n\xe9";
  manifest.operands[1].read = false;
  manifest.operands[1].resultOf = 0;
  EXPECT_EQ(
      manifest.signatureJSON(),
      R"({"name": "a \"quoted\\\" name\u000a\u00e9", "sizes": ["m", "n", "p", "z0"], )"
      R"("patterns": [{"name": "P0", "rank": 2, "shape": ["m", "n"]}], )"
      R"("operands": [{"name": "A", "pattern": "P0", "shape": ["m", "n"], "read": true, "result_of": null}, )"
      R"({"name": "B", "pattern": null, "shape": ["n", "p"], "read": false, "result_of": 0}], )"
      R"("result": {"name": "result", "pattern": null, "shape": ["m", "p"], "read": true, "result_of": null}})");
}

/// The message of the error that parsing raises; "" without one.
std::string parseError(const std::vector<uint8_t> &bytes) {
  try {
    Manifest::parse(bytes.data(), bytes.size());
    return "";
  } catch (const Error &error) {
    EXPECT_EQ(error.status(), Status::CompileFailed);
    return error.what();
  }
}

TEST(Manifest, CutShortAnywhere) {
  const auto bytes = fakeManifest("spmm-transposed", {}).serialize();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(parseError({bytes.begin(), bytes.begin() + size}), "");
}

TEST(Manifest, Headers) {
  auto bytes = fakeManifest("spmm", {}).serialize();
  auto changed = bytes;
  changed[0] = 'x';
  EXPECT_NE(parseError(changed).find("no manifest"), std::string::npos);
  changed = bytes;
  changed[8] = 9;
  EXPECT_NE(parseError(changed).find("version 9"), std::string::npos);
  changed = bytes;
  changed.push_back(0);
  EXPECT_NE(parseError(changed).find("bytes long"), std::string::npos);
  EXPECT_THROW(Manifest::parse(nullptr, 100), Error);
}

/// Everything that may refer to what does not exist.
TEST(Manifest, References) {
  const std::function<void(Manifest &)> corruptions[] = {
      [](Manifest &m) { m.symbols[0].storedOf = 1; },
      [](Manifest &m) { m.symbols[0].storedOf = -2; },
      [](Manifest &m) { m.symbols[0].fixed = -1; },
      [](Manifest &m) { m.patterns[0].shape[0] = 4; },
      [](Manifest &m) { m.patterns[0].shape = {0}; },
      [](Manifest &m) { m.patterns[0].stored = 0; },
      [](Manifest &m) { m.patterns[0].stored = -1; },
      [](Manifest &m) { m.layouts[0].pattern = 1; },
      [](Manifest &m) { m.layouts[0].levels[0].dimension = 0; },
      [](Manifest &m) { m.layouts[0].levels.pop_back(); },
      [](Manifest &m) { m.layouts[0].levels = canonicalLevels(3); },
      [](Manifest &m) { m.layouts[0].levels[1].kind = Level::Dense; },
      [](Manifest &m) { m.layouts[0].levels[0].dimension = -1; },
      [](Manifest &m) { m.layouts[0].levels[1].block = 0; },
      [](Manifest &m) { m.layouts[0].levels[1].kind = Level::Diagonal; },
      [](Manifest &m) { m.layouts[0].levels[0].block = 3; }, // It weighs rows.
      [](Manifest &m) {
        m.layouts[0].levels = {{0, Level::Compressed},
                               {1, Level::Compressed, 2}};
      },
      [](Manifest &m) { m.layouts[0].indexType = ElementType::F32; },
      [](Manifest &m) { m.symbols[0].nodesOf = 0; },
      [](Manifest &m) { m.stages[1].arguments[0].level = -1; },
      [](Manifest &m) { m.stages[1].arguments[0].level = 0; },
      [](Manifest &m) { m.stages[1].arguments[1].level = 2; },
      [](Manifest &m) { m.operands[0].pattern = 1; },
      [](Manifest &m) { m.operands[0].pattern = -2; },
      [](Manifest &m) { m.operands[1].shape[1] = -1; },
      [](Manifest &m) { m.operands[1].resultOf = -2; },
      [](Manifest &m) { m.result.shape[0] = 99; },
      [](Manifest &m) { m.scratch[0].shape[0] = 99; },
      [](Manifest &m) { m.stages[0].step.layout = 1; },
      [](Manifest &m) { m.stages[0].step.reads[0].index = 2; },
      [](Manifest &m) { m.stages[0].step.reads[0] = {Buffer::Operand, 1}; },
      [](Manifest &m) { m.stages[0].step.reads = m.stages[0].step.writes; },
      [](Manifest &m) { m.stages[0].step.writes[0] = {Buffer::Operand, 0}; },
      [](Manifest &m) { m.stages[0].step.writes[0] = {Buffer::Result, 0}; },
      [](Manifest &m) { m.stages[0].step.reads.clear(); },
      [](Manifest &m) { m.stages[0].step.reads.resize(2); },
      [](Manifest &m) { m.stages[0].step.writes.resize(2); },
      [](Manifest &m) { m.stages[0].step.layout = -1; },
      [](Manifest &m) { m.stages[0].step.numbers = {0}; },
      [](Manifest &m) { m.scratch[0].type = ElementType::F32; },
      [](Manifest &m) { m.stages[1].arguments[0].layout = -1; },
      [](Manifest &m) { m.stages[1].arguments[1].written = true; },
      [](Manifest &m) { m.stages[1].arguments[2].buffer.index = 1; },
      [](Manifest &m) { m.stages[1].arguments[3].written = true; },
      [](Manifest &m) { m.stages[1].arguments[3].shape[0] = 50; },
      [](Manifest &m) { m.stages[1].arguments[3].slice = {2}; },
      [](Manifest &m) { m.stages[1].arguments[3].slice = {0, 1}; },
      [](Manifest &m) { m.stages[1].arguments[4].buffer.index = 1; },
      [](Manifest &m) { m.stages[1].partition.within = Partition::Entries; },
      [](Manifest &m) {
        m.stages[1].partition.within = Partition::Add;
        m.stages[1].partition.weightLayout = -1;
      },
      [](Manifest &m) {
        m.stages[1].partition.within = Partition::Add;
        m.stages[1].arguments.clear();
      },
      [](Manifest &m) { m.stages[1].sizes[0].index = 1; },
      [](Manifest &m) { m.stages[1].sizes[1].index = 10; },
      [](Manifest &m) { m.stages[1].sizes[2].index = 0; },
      [](Manifest &m) { m.stages[1].sizes[2].dim = 2; },
      [](Manifest &m) { m.stages[1].partition.loops = {0, 0, 0}; },
      [](Manifest &m) { m.stages[1].partition.loops = {7}; },
      [](Manifest &m) { m.stages[1].partition.weightLayout = 1; },
      [](Manifest &m) { m.stages[1].cost.flops[0].symbols = {-1}; },
      [](Manifest &m) { m.stages[1].cost.bytes[0].factor = NAN; },
      [](Manifest &m) { m.stages[1].cost.bytes[0].factor = -1; },
  };
  int number = 0;
  for (const auto &corrupt : corruptions) {
    Manifest manifest = fakeManifest("spmm-transposed", {});
    corrupt(manifest);
    EXPECT_NE(parseError(manifest.serialize()).find("inconsistent"),
              std::string::npos)
        << "corruption " << number;
    ++number;
  }
}

TEST(Manifest, PrintSolve) {
  EXPECT_EQ(fakeManifest("solve", {}).print(),
            R"(program solve for any
  size m
  size n
  size p
  size z0, the stored entries of P0
  pattern P0 [m x n], z0 stored
  layout 0: P0 {0 dense, 1 compressed} i32
  operand solver: solver
  operand A: f64 [m x n] on P0
  operand B: f64 [m x p]
  result result: f64 [n x p]
  solve A (triangular) by solver: B to result
)");
}

TEST(Manifest, SolveReferences) {
  const std::function<void(Manifest &)> corruptions[] = {
      [](Manifest &m) { m.operands[0].shape = {0}; },
      [](Manifest &m) { m.operands[0].pattern = 0; },
      [](Manifest &m) { m.operands[0].type = ElementType::F64; },
      [](Manifest &m) { m.operands[0].solver = false; },
      [](Manifest &m) { m.stages[0].step.layout = 1; },
      [](Manifest &m) { m.layouts[0].levels = transposedLevels(2); },
      [](Manifest &m) { m.stages[0].step.reads[0].index = -1; },
      [](Manifest &m) { m.stages[0].step.reads[0].index = 1; },
      [](Manifest &m) { m.stages[0].step.reads[1] = {Buffer::Operand, 2}; },
      [](Manifest &m) { m.stages[0].step.reads[1] = {Buffer::Operand, 3}; },
      [](Manifest &m) { m.operands[2].shape[1] = 0; },
      [](Manifest &m) { m.stages[0].step.numbers = {1}; },
      [](Manifest &m) { m.stages[0].step.numbers = {3}; },
      [](Manifest &m) { m.stages[0].step.numbers = {-1}; },
      [](Manifest &m) { m.stages[0].step.name = "normal_solve"; },
      [](Manifest &m) { m.stages[0].step.name = "triangle"; },
      [](Manifest &m) { m.stages[0].step.reads[2] = {Buffer::Operand, 1}; },
      [](Manifest &m) { m.stages[0].step.reads[2] = {Buffer::Operand, 0}; },
      [](Manifest &m) { m.stages[0].step.writes[0] = {Buffer::Operand, 2}; },
      [](Manifest &m) { m.result.shape = {0, 2}; },
      [](Manifest &m) { m.result.type = ElementType::F32; },
  };
  int number = 0;
  for (const auto &corrupt : corruptions) {
    Manifest manifest = fakeManifest("solve", {});
    corrupt(manifest);
    EXPECT_NE(parseError(manifest.serialize()).find("inconsistent"),
              std::string::npos)
        << "corruption " << number;
    ++number;
  }
  Manifest manifest = fakeManifest("keep-triangle", {});
  manifest.stages[0].step.writes[0] = {Buffer::Operand, 1};
  EXPECT_NE(parseError(manifest.serialize()), "");
  manifest = fakeManifest("keep-triangle", {});
  manifest.stages[0].step.reads[0].index = 1;
  EXPECT_NE(parseError(manifest.serialize()), "");
}

TEST(Manifest, RandomFlips) {
  std::mt19937 random(11);
  int accepted = 0;
  for (int flip = 0; flip < 10000; ++flip) {
    auto bytes = fakeManifest(names[flip % std::size(names)], {}).serialize();
    for (int n = 1 + flip % 3; n > 0; --n)
      bytes[random() % bytes.size()] ^=
          static_cast<uint8_t>(1 + random() % 255);
    try {
      const Manifest manifest = Manifest::parse(bytes.data(), bytes.size());
      // What is accepted can be used.
      ++accepted;
      EXPECT_EQ(manifest.serialize().size(), bytes.size());
      EXPECT_FALSE(manifest.print().empty());
      EXPECT_FALSE(manifest.signatureJSON().empty());
    } catch (const Error &error) {
      EXPECT_EQ(error.status(), Status::CompileFailed);
    }
  }
  EXPECT_GT(accepted, 0); // Names and numbers may be any.
}

TEST(Manifest, RandomBytes) {
  std::mt19937 random(12);
  const auto sound = fakeManifest("spmm", {}).serialize();
  for (int i = 0; i < 3000; ++i) {
    auto bytes = sound;
    for (size_t at = 20; at < bytes.size(); ++at)
      if (random() % 4 == 0)
        bytes[at] = static_cast<uint8_t>(random());
    EXPECT_NE(parseError(bytes), "");
  }
}

} // namespace
