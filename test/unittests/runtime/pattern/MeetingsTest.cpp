//===- MeetingsTest.cpp - Which entries of two patterns meet --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "pattern/Meetings.h"
#include "ErrorTesting.h"
#include "base/Parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>

using namespace tsgu;
using namespace tsgu::runtime;

namespace {

using Entry = std::array<int64_t, 3>; ///< item, row, column
using Owned = std::unique_ptr<Pattern, void (*)(Pattern *)>;

struct Matrix {
  int64_t items, rows, columns;
  std::vector<Entry> entries;

  static Matrix random(std::mt19937 &random, int64_t items, int64_t rows,
                       int64_t columns, size_t count) {
    std::set<Entry> chosen;
    auto below = [&](int64_t n) {
      return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
    };
    for (size_t k = 0; k < count; ++k)
      chosen.insert({below(items), below(rows), below(columns)});
    return {items, rows, columns, {chosen.begin(), chosen.end()}};
  }

  /// In another order, and some of them twice.
  Matrix shuffled(std::mt19937 &random) const {
    Matrix other = *this;
    const size_t half = entries.size() / 2;
    other.entries.insert(other.entries.end(), entries.begin(),
                         entries.begin() + static_cast<int64_t>(half));
    std::ranges::shuffle(other.entries, random);
    return other;
  }

  /// A batch, or the first item as a matrix.
  Owned pattern(bool batched) const {
    const int32_t first = batched ? 0 : 1, rank = 3 - first;
    const int64_t shape[] = {items, rows, columns};
    std::vector<int64_t> coordinates[3];
    const void *pointers[3] = {};
    for (int32_t d = 0; d < rank; ++d) {
      for (const Entry &entry : entries)
        coordinates[d].push_back(entry[static_cast<size_t>(first + d)]);
      pointers[d] = coordinates[d].data();
    }
    return {Pattern::fromCOO(rank, shape + first, TSGU_I64, pointers,
                             static_cast<int64_t>(entries.size())),
            [](Pattern *made) { made->release(); }};
  }
};

/// What meets in each entry of the result, found by search.
std::map<Entry, std::vector<std::array<int64_t, 2>>>
search(tsgu_meeting kind, const Matrix &a, const Matrix &b) {
  std::map<Entry, std::vector<std::array<int64_t, 2>>> found;
  const auto counted = static_cast<int64_t>(a.entries.size());
  for (size_t x = 0; x < a.entries.size(); ++x) {
    const Entry &left = a.entries[x];
    if (kind == TSGU_EITHER)
      found[left].push_back({static_cast<int64_t>(x), -1});
    for (size_t y = 0; y < b.entries.size(); ++y) {
      const Entry &right = b.entries[y];
      if (kind == TSGU_PRODUCT && left[0] == right[0] && left[2] == right[1])
        found[{left[0], left[1], right[2]}].push_back(
            {static_cast<int64_t>(x), static_cast<int64_t>(y)});
      if (kind == TSGU_COMMON && left == right)
        found[left].push_back(
            {static_cast<int64_t>(x), static_cast<int64_t>(y)});
    }
  }
  for (size_t y = 0; kind == TSGU_EITHER && y < b.entries.size(); ++y)
    found[b.entries[y]].push_back({counted + static_cast<int64_t>(y), -1});
  return found;
}

struct Written {
  std::vector<int64_t> positions, coordinates;
  std::vector<std::vector<int64_t>> entries;
  bool operator==(const Written &) const = default;
};

template <typename R, typename O>
Written write(const Meetings &m, const tsgu_executor &executor) {
  std::vector<R> positions(static_cast<size_t>(m.rows()) + 1);
  std::vector<R> coordinates(static_cast<size_t>(m.stored()));
  std::vector<std::vector<O>> entries(
      static_cast<size_t>(m.width()),
      std::vector<O>(static_cast<size_t>(m.count())));
  void *arrays[3] = {};
  for (size_t k = 0; k < entries.size(); ++k)
    arrays[k] = entries[k].data();
  m.write(indexTypeOf<R>(), positions.data(), coordinates.data(),
          indexTypeOf<O>(), arrays, executor);
  Written all{{positions.begin(), positions.end()},
              {coordinates.begin(), coordinates.end()},
              {}};
  for (const auto &list : entries)
    all.entries.emplace_back(list.begin(), list.end());
  return all;
}

const tsgu_executor serial{1, nullptr};

/// Begins a thread for each task.
const tsgu_executor threaded{4,
                             [](int64_t count, tsgu_task task, void *context) {
                               std::vector<std::thread> threads;
                               for (int64_t k = 0; k < count; ++k)
                                 threads.emplace_back(task, context, k, k + 1);
                               for (std::thread &thread : threads)
                                 thread.join();
                             }};

void expectMeetings(tsgu_meeting kind, const Matrix &a, const Matrix &b,
                    bool batched) {
  const Owned left = a.pattern(batched), right = b.pattern(batched);
  const Meetings meetings(kind, *left, *right, serial);
  const Written written = write<int32_t, int32_t>(meetings, serial);
  EXPECT_EQ((write<int64_t, int64_t>(meetings, threaded)), written);
  EXPECT_EQ((write<int64_t, int32_t>(Meetings(kind, *left, *right, threaded),
                                     threaded)),
            written);
  Written expected;
  expected.entries.resize(static_cast<size_t>(meetings.width()));
  int64_t stored = 0;
  for (const auto &[entry, met] : search(kind, a, b)) {
    expected.coordinates.push_back(entry[2]);
    for (const auto &pair : met) {
      expected.entries[0].push_back(stored);
      for (size_t k = 1; k < expected.entries.size(); ++k)
        expected.entries[k].push_back(pair[k - 1]);
    }
    const auto row = static_cast<size_t>(entry[0] * a.rows + entry[1]);
    expected.positions.resize(row + 1, stored);
    ++stored;
  }
  expected.positions.resize(static_cast<size_t>(meetings.rows()) + 1, stored);
  EXPECT_EQ(written, expected);
  EXPECT_EQ(meetings.stored(), stored);
}

TEST(Meetings, AreThoseOfASearch) {
  std::mt19937 random(11);
  for (bool batched : {false, true})
    for (auto [n, m, p, count] : {std::array<int64_t, 4>{7, 5, 6, 20},
                                  {1, 1, 1, 1},
                                  {40, 30, 20, 90},
                                  {9, 12, 9, 0},
                                  {60, 2, 60, 80}})
      for (int64_t items : {int64_t{1}, int64_t{3}}) {
        if (items > 1 && !batched)
          continue;
        const auto all = static_cast<size_t>(count);
        const Matrix a = Matrix::random(random, items, n, m, all);
        const Matrix b = Matrix::random(random, items, m, p, all);
        const Matrix like = Matrix::random(random, items, n, m, all);
        const Matrix other = a.shuffled(random);
        for (const Matrix &left : {a, other}) {
          expectMeetings(TSGU_PRODUCT, left, b, batched);
          expectMeetings(TSGU_PRODUCT, left, b.shuffled(random), batched);
          for (auto kind : {TSGU_COMMON, TSGU_EITHER}) {
            expectMeetings(kind, left, like, batched);
            expectMeetings(kind, left, like.shuffled(random), batched);
          }
        }
      }
}

/// Of more rows than one range has.
TEST(Meetings, AreSharedOut) {
  std::mt19937 random(12);
  const Matrix a = Matrix::random(random, 1, 3000, 40, 60000);
  const Matrix b = Matrix::random(random, 1, 40, 300, 4000);
  const Owned left = a.pattern(false), right = b.pattern(false);
  const Meetings one(TSGU_PRODUCT, *left, *right, serial);
  const Meetings many(TSGU_PRODUCT, *left, *right, threaded);
  EXPECT_GT(one.count(), 1 << 20);
  EXPECT_EQ((write<int32_t, int32_t>(one, serial)),
            (write<int32_t, int32_t>(many, threaded)));
}

TEST(Meetings, HaveNoRows) {
  for (auto [n, m, p] : {std::array<int64_t, 3>{0, 3, 4}, {3, 0, 4}, {3, 4, 0}})
    expectMeetings(TSGU_PRODUCT, {1, n, m, {}}, {1, m, p, {}}, false);
  expectMeetings(TSGU_EITHER, {0, 3, 4, {}}, {0, 3, 4, {}}, true);
}

TEST(Meetings, OfShapesThatDoNotFit) {
  const Owned a = Matrix{1, 3, 4, {}}.pattern(false);
  const Owned b = Matrix{1, 3, 5, {}}.pattern(false);
  const Owned batch = Matrix{2, 4, 4, {}}.pattern(true);
  for (auto kind : {TSGU_PRODUCT, TSGU_COMMON, TSGU_EITHER}) {
    EXPECT_THROW(Meetings(kind, *a, *b, serial), Error);
    EXPECT_THROW(Meetings(kind, *a, *batch, serial), Error);
  }
  EXPECT_THROW(Meetings(static_cast<tsgu_meeting>(3), *a, *a, serial), Error);
}

TEST(Meetings, ByTheCAPI) {
  const Owned a = Matrix{1, 2, 2, {{0, 0, 1}, {0, 1, 0}}}.pattern(false);
  auto *pattern = reinterpret_cast<tsgu_pattern *>(a.get());
  tsgu_meetings *meetings = nullptr;
  tsgu_meetings_info info{};
  EXPECT_EQ(tsgu_meetings_count(TSGU_PRODUCT, nullptr, pattern, nullptr,
                                &meetings, &info),
            TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(tsgu_meetings_count(TSGU_PRODUCT, pattern, pattern, nullptr,
                                nullptr, &info),
            TSGU_INVALID_ARGUMENT);
  ASSERT_EQ(tsgu_meetings_count(TSGU_PRODUCT, pattern, pattern, nullptr,
                                &meetings, &info),
            TSGU_OK);
  EXPECT_EQ(info.rows, 2);
  EXPECT_EQ(info.stored, 2);
  EXPECT_EQ(info.count, 2);
  EXPECT_EQ(info.width, 3);
  EXPECT_EQ(info.index_type, TSGU_I32);
  int32_t positions[3], coordinates[2], entries[3][2];
  void *arrays[3] = {entries[0], entries[1], entries[2]};
  auto write = [&](tsgu_type type, void *first, void *const *others) {
    return tsgu_meetings_write(meetings, type, first, coordinates, TSGU_I32,
                               others, nullptr);
  };
  EXPECT_EQ(write(TSGU_F32, positions, arrays), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(write(TSGU_I32, nullptr, arrays), TSGU_INVALID_ARGUMENT);
  EXPECT_EQ(write(TSGU_I32, positions, nullptr), TSGU_INVALID_ARGUMENT);
  ASSERT_EQ(write(TSGU_I32, positions, arrays), TSGU_OK);
  EXPECT_EQ(coordinates[0], 0);
  EXPECT_EQ(coordinates[1], 1);
  EXPECT_EQ(entries[1][0], 0);
  EXPECT_EQ(entries[2][0], 1);
  tsgu_meetings_free(meetings);
  tsgu_meetings_free(nullptr);
}

/// By more columns than int32 counts.
TEST(Meetings, OfWidePatterns) {
  const int64_t wide = int64_t{1} << 33;
  const Matrix a{1, 2, wide, {{0, 0, 5}, {0, 0, wide - 1}, {0, 1, 7}}};
  const Matrix b{1, 2, wide, {{0, 0, 5}, {0, 1, 6}, {0, 1, wide - 2}}};
  const Owned left = a.pattern(false), right = b.pattern(false);
  const Meetings meetings(TSGU_EITHER, *left, *right, serial);
  EXPECT_EQ(meetings.indexType(), ElementType::I64);
  const Written written = write<int64_t, int64_t>(meetings, serial);
  EXPECT_EQ(written.coordinates,
            (std::vector<int64_t>{5, wide - 1, 6, 7, wide - 2}));
  int32_t place = 0;
  void *none[3] = {};
  EXPECT_THROW(meetings.write(ElementType::I32, &place, &place,
                              ElementType::I64, none, serial),
               Error);
}

} // namespace
