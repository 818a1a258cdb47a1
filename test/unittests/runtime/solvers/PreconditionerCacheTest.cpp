//===- PreconditionerCacheTest.cpp - Made once for their values -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PreconditionerTesting.h"

#include <thread>

using namespace tsgu;
using namespace tsgu::test;

namespace {

using S = Sample<double, int32_t>;

Complex laplace(int64_t, int64_t i, int64_t j) {
  return i == j ? 3 : std::abs(i - j) == 1 ? -1 : std::nan("");
}

auto make(const tsgu_solver &solver, const S &A, int64_t item = 0) {
  return makePreconditioner<double>(solver, A.matrix(item), serial());
}

/// Setups that `call` makes.
template <typename F> uint64_t setupsOf(F &&call) {
  const uint64_t before = preconditionerSetups();
  call();
  return preconditionerSetups() - before;
}

class PreconditionerCache : public ::testing::TestWithParam<int64_t> {
protected:
  tsgu_solver solver = asking(GetParam());
};
INSTANTIATE_TEST_SUITE_P(All, PreconditionerCache,
                         ::testing::Range<int64_t>(TSGU_JACOBI, TSGU_AMG + 1));

TEST_P(PreconditionerCache, SameValuesNoSetup) {
  S A(2, 1, 400, 400, laplace);
  EXPECT_EQ(setupsOf([&] { make(solver, A); }), 1u);
  EXPECT_EQ(setupsOf([&] { make(solver, A); }), 0u);
  // Elsewhere in memory, in another mode: found by content.
  const std::vector<double> copy = A.values;
  A.values = std::vector<double>(copy);
  EXPECT_EQ(setupsOf([&] {
              applied(*make(solver, A), Mode::C, Columns<double>(400, 1, 0, 3));
            }),
            0u);
}

TEST_P(PreconditionerCache, ChangedValuesNewSetup) {
  S A(2, 1, 400, 400, laplace);
  const auto first = make(solver, A);
  const Columns<double> r(400, 2, 0, 3);
  const Columns<double> before = applied(*first, Mode::N, r);
  auto asBefore = [&](const Prepared<double> &M) {
    const Columns<double> now = applied(M, Mode::N, r);
    return std::memcmp(now.data.data(), before.data.data(),
                       before.data.size() * sizeof(double)) == 0;
  };
  A.values[3] = 2.5; // A diagonal entry.
  EXPECT_EQ(setupsOf([&] { make(solver, A); }), 1u);
  EXPECT_FALSE(asBefore(*make(solver, A)));
  // The first is still there, and what was handed out is as it was.
  A.values[3] = 3;
  EXPECT_EQ(setupsOf([&] { make(solver, A); }), 0u);
  EXPECT_TRUE(asBefore(*first));
  EXPECT_TRUE(asBefore(*make(solver, A)));
}

TEST_P(PreconditionerCache, BitsNotNumbers) {
  S A(2, 1, 9, 9, laplace);
  A.values[1] = 0.0;
  make(solver, A);
  A.values[1] = -0.0;
  EXPECT_EQ(setupsOf([&] { make(solver, A); }), 1u);
  EXPECT_EQ(setupsOf([&] { make(solver, A); }), 0u);
}

TEST_P(PreconditionerCache, ItemsApart) {
  S A(3, 3, 40, 40, laplace);
  EXPECT_EQ(setupsOf([&] {
              for (int64_t item : {0, 1, 2, 0, 1, 2})
                make(solver, A, item);
            }),
            3u);
  A.values.back() = 5; // Of the last item.
  EXPECT_EQ(setupsOf([&] { make(solver, A, 0); }), 0u);
  EXPECT_EQ(setupsOf([&] { make(solver, A, 2); }), 1u);
}

TEST_P(PreconditionerCache, GoesWithThePattern) {
  const uint64_t alive = runtime::Pattern::alive();
  const int64_t bytes = runtime::Pattern::bytesAlive();
  const int64_t prepared = PreparedCache::get().counters().bytes;
  std::shared_ptr<const Prepared<double>> kept;
  {
    S A(2, 1, 400, 400, laplace);
    kept = make(solver, A);
    EXPECT_GT(kept->bytes(), 0);
    EXPECT_GE(PreparedCache::get().counters().bytes - prepared, kept->bytes());
    EXPECT_EQ(runtime::Pattern::alive(), alive + 1);
    EXPECT_GE(runtime::Pattern::bytesAlive() - bytes, A.pattern->bytes());
    kept.reset();
  }
  EXPECT_EQ(runtime::Pattern::alive(), alive);
  EXPECT_EQ(runtime::Pattern::bytesAlive(), bytes);
  EXPECT_EQ(PreparedCache::get().counters().bytes, prepared);
}

TEST_P(PreconditionerCache, ErrorsAreNotKept) {
  S A(2, 1, 16, 16, laplace);
  const std::vector<double> good = A.values;
  std::fill(A.values.begin(), A.values.end(), 0.0);
  for (int time = 0; time < 2; ++time)
    errorOf(Status::Singular, [&] { make(solver, A); });
  A.values = good;
  EXPECT_NE(make(solver, A), nullptr);
}

TEST_P(PreconditionerCache, ThreadsWithTheirOwnValues) {
  S A(2, 1, 300, 300, laplace);
  const Columns<double> r(300, 1, 0, 3);
  std::vector<std::vector<double>> values(8, A.values), expected;
  for (size_t t = 0; t < values.size(); ++t) {
    values[t][0] += static_cast<double>(t);
    Columns<double> z(300, 1, 0, 0);
    makePreconditioner<double>(solver, {A.pattern, 0, values[t].data()},
                               serial())
        ->apply(Mode::N, r.read(), z.get(), serial());
    expected.push_back(z.data);
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < values.size(); ++t)
    threads.emplace_back([&, t] {
      for (int call = 0; call < 50; ++call) {
        const size_t k = call % 5 ? t : (t + 1) % values.size();
        Columns<double> z(300, 1, 0, 0);
        makePreconditioner<double>(solver, {A.pattern, 0, values[k].data()},
                                   executorOr(nullptr))
            ->apply(Mode::N, r.read(), z.get(), executorOr(nullptr));
        wrong += z.data != expected[k];
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(PreconditionerOptions, ApartInTheCache) {
  S A(2, 1, 20, 20, laplace);
  tsgu_solver blocks = asking(TSGU_BLOCK_JACOBI);
  make(blocks, A);
  blocks.block_size = 8; // What 0 stands for.
  EXPECT_EQ(setupsOf([&] { make(blocks, A); }), 0u);
  blocks.block_size = 3;
  EXPECT_EQ(setupsOf([&] { make(blocks, A); }), 1u);
  tsgu_solver ssor = asking(TSGU_SSOR);
  make(ssor, A);
  ssor.relaxation = 1.5;
  EXPECT_EQ(setupsOf([&] { make(ssor, A); }), 1u);
  // Options of no concern.
  ssor.block_size = 5, ssor.rtol = 0.1, ssor.method = TSGU_GMRES;
  EXPECT_EQ(setupsOf([&] { make(ssor, A); }), 0u);
}

TEST(PreconditionerOptions, TypesApart) {
  S A(2, 1, 20, 20, laplace);
  const std::vector<float> single(A.values.begin(), A.values.end());
  make(asking(TSGU_JACOBI), A);
  EXPECT_EQ(setupsOf([&] {
              makePreconditioner<float>(
                  asking(TSGU_JACOBI), {A.pattern, 0, single.data()}, serial());
            }),
            1u);
}

} // namespace
