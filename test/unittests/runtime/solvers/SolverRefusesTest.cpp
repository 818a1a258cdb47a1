//===- SolverRefusesTest.cpp - Malformed arguments and edges --------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SolverSystems.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

using namespace tsgu::test;

namespace {

class SolverRefuses : public ::testing::Test {
protected:
  System<double> system = gridSystem<double>(4, 2);
  tsgu_solver solver = Choice{TSGU_CG, 0}.solver();
  tsgu_tensor values = *system.valueTensor(), b = *system.bTensor(),
              x = *system.xTensor();

  tsgu_status solve(tsgu_mode mode = TSGU_N) {
    return tsgu_solve(&solver, mode, system.pattern->get(), &values, &b, &x, 0,
                      nullptr);
  }

  /// Refused, with a message that has all the words; x untouched.
  void expect(tsgu_status status, const std::vector<std::string> &words,
              tsgu_status wanted = TSGU_INVALID_ARGUMENT) {
    const std::string text = tsgu_last_error();
    EXPECT_EQ(status, wanted) << text;
    for (const std::string &word : words)
      EXPECT_NE(text.find(word), std::string::npos)
          << '"' << word << "\" is not in: " << text;
    EXPECT_EQ(system.x, std::vector<double>(system.x.size(), 0.0));
  }
};

TEST_F(SolverRefuses, Null) {
  tsgu_pattern *p = system.pattern->get();
  expect(tsgu_solve(nullptr, TSGU_N, p, &values, &b, &x, 0, nullptr),
         {"solver"});
  expect(tsgu_solve(&solver, TSGU_N, nullptr, &values, &b, &x, 0, nullptr),
         {"pattern"});
  expect(tsgu_solve(&solver, TSGU_N, p, nullptr, &b, &x, 0, nullptr),
         {"values"});
  expect(tsgu_solve(&solver, TSGU_N, p, &values, nullptr, &x, 0, nullptr),
         {"b"});
  expect(tsgu_solve(&solver, TSGU_N, p, &values, &b, nullptr, 0, nullptr),
         {"x"});
  for (tsgu_tensor *tensor : {&values, &b, &x}) {
    const tsgu_tensor before = *tensor;
    tensor->data = nullptr;
    expect(solve(), {});
    *tensor = before;
    tensor->shape = nullptr;
    expect(solve(), {});
    *tensor = before;
    tensor->strides = nullptr;
    expect(solve(), {});
    *tensor = before;
  }
}

TEST_F(SolverRefuses, Mode) {
  for (int mode : {-1, 3, 1000})
    expect(solve(static_cast<tsgu_mode>(mode)), {"mode"});
}

TEST_F(SolverRefuses, TypesAndRanks) {
  for (tsgu_tensor *tensor : {&values, &b, &x}) {
    const tsgu_tensor before = *tensor;
    for (tsgu_type type : {TSGU_I32, TSGU_I64, static_cast<tsgu_type>(77)}) {
      tensor->type = type;
      expect(solve(), {});
    }
    tensor->type = TSGU_F32;
    expect(solve(), {"f32"});
    *tensor = before;
    for (int rank : {-1, 0, 4, 1 << 30}) {
      tensor->rank = rank;
      expect(solve(), {"rank"});
    }
    *tensor = before;
  }
  b.rank = x.rank = 3;
  expect(solve(), {"rank"});
}

TEST_F(SolverRefuses, ShapesAndStrides) {
  const int64_t short1[] = {system.stored[0] - 1},
                long1[] = {system.stored[0] + 1};
  for (const int64_t *shape : {short1, long1}) {
    values.shape = shape;
    expect(solve(),
           {std::to_string(shape[0]), std::to_string(system.stored[0])});
  }
  values = *system.valueTensor();
  const int64_t rows[] = {15, 2}, columns[] = {16, 3}, negative[] = {16, -2};
  for (tsgu_tensor *tensor : {&b, &x}) {
    const tsgu_tensor before = *tensor;
    for (const int64_t *shape : {rows, columns, negative}) {
      tensor->shape = shape;
      expect(solve(), {});
    }
    *tensor = before;
  }
  const int64_t backwards[] = {-2, 1}, spread[] = {4, 2},
                overlapping[] = {1, 1}, zero[] = {0, 1};
  for (const int64_t *strides : {backwards, spread, overlapping}) {
    x.strides = strides;
    expect(solve(), {"x"});
  }
  x.strides = zero;
  expect(solve(), {"x"});
  x = *system.xTensor();
  for (const int64_t *strides : {backwards, spread}) {
    b.strides = strides;
    expect(solve(), {"b"});
  }
}

TEST_F(SolverRefuses, Aliases) {
  x.data = b.data;
  expect(solve(), {"overlap"});
  x.data = static_cast<double *>(b.data) + 3;
  expect(solve(), {"overlap"});
}

TEST_F(SolverRefuses, NotSquare) {
  const tsgu::Pattern wide =
      tsgu::Pattern::csr<int32_t>({2, 3}, {0, 1, 2}, {0, 2});
  double two[2] = {1, 1}, right[2] = {1, 1}, left[3] = {};
  const int64_t n2[] = {2, 1}, n3[] = {3, 1}, unit[] = {1, 1}, stored[] = {2};
  const tsgu_tensor v{two, TSGU_F64, 1, stored, unit},
      bb{right, TSGU_F64, 2, n2, unit}, xx{left, TSGU_F64, 2, n3, unit};
  for (const Choice &choice : choices()) {
    if (choice.method == TSGU_LSMR || choice.method == TSGU_QR)
      continue;
    const tsgu_solver square = choice.solver();
    expect(tsgu_solve(&square, TSGU_N, wide.get(), &v, &bb, &xx, 0, nullptr),
           {"2 x 3"});
  }
}

TEST_F(SolverRefuses, EveryOption) {
  using Set = std::function<void(tsgu_solver &)>;
  const double nan = std::nan(""), inf = HUGE_VAL;
  const std::vector<std::pair<const char *, Set>> bad{
      {"method is -1", [](auto &s) { s.method = -1; }},
      {"method is 17", [](auto &s) { s.method = 17; }},
      {"method is 4294967296", [](auto &s) { s.method = int64_t{1} << 32; }},
      {"upper is 2", [](auto &s) { s.upper = 2; }},
      {"unit_diagonal is -1", [](auto &s) { s.unit_diagonal = -1; }},
      {"preconditioner is 7", [](auto &s) { s.preconditioner = 7; }},
      {"preconditioner is -1", [](auto &s) { s.preconditioner = -1; }},
      {"block_size is -1", [](auto &s) { s.block_size = -1; }},
      {"block_size is 1000", [](auto &s) { s.block_size = 1000; }},
      {"relaxation is 2", [](auto &s) { s.relaxation = 2; }},
      {"relaxation is -0.5", [](auto &s) { s.relaxation = -0.5; }},
      {"relaxation is nan", [=](auto &s) { s.relaxation = nan; }},
      {"rtol is 1;", [](auto &s) { s.rtol = 1; }},
      {"rtol is nan", [=](auto &s) { s.rtol = nan; }},
      {"rtol is inf", [=](auto &s) { s.rtol = inf; }},
      {"atol is -1", [](auto &s) { s.atol = -1; }},
      {"atol is nan", [=](auto &s) { s.atol = nan; }},
      {"atol is inf", [=](auto &s) { s.atol = inf; }},
      {"max_iterations is -1", [](auto &s) { s.max_iterations = -1; }},
      {"restart is -3", [](auto &s) { s.restart = -3; }},
      {"restart is 1048576", [](auto &s) { s.restart = 1 << 20; }},
      {"damp is -1", [](auto &s) { s.damp = -1; }},
      {"damp is nan", [=](auto &s) { s.damp = nan; }},
      {"scale_columns is 2", [](auto &s) { s.scale_columns = 2; }},
      {"on_fail is 3", [](auto &s) { s.on_fail = 3; }},
      {"report is 8", [](auto &s) { s.report = 8; }},
      {"reserved is 1", [](auto &s) { s.reserved = 1; }}};
  for (const auto &[words, set] : bad) {
    solver = Choice{TSGU_CG, 0}.solver();
    set(solver);
    expect(solve(), {words, "must be"});
  }
}

TEST_F(SolverRefuses, Singular) {
  for (int32_t k = system.positions[5]; k < system.positions[6]; ++k)
    system.values[k] = 0;
  for (const Choice &choice :
       {Choice{TSGU_TRIANGULAR, 0}, Choice{TSGU_CG, TSGU_JACOBI},
        Choice{TSGU_CG, TSGU_SSOR}, Choice{TSGU_BICGSTAB, TSGU_ILU0},
        Choice{TSGU_MINRES, TSGU_IC0}, Choice{TSGU_CG, TSGU_AMG}}) {
    solver = choice.solver();
    for (int mode = 0; mode < 3; ++mode) {
      const tsgu_status status = solve(static_cast<tsgu_mode>(mode));
      EXPECT_EQ(status, TSGU_SINGULAR) << choice.name();
      EXPECT_NE(std::string(tsgu_last_error()).find("row 5"), std::string::npos)
          << tsgu_last_error();
    }
  }
}

TEST_F(SolverRefuses, StoredDiagonalsOfUnitTriangles) {
  solver = Choice{TSGU_TRIANGULAR, 0}.solver();
  solver.unit_diagonal = 1;
  for (int64_t upper : {0, 1})
    for (int mode = 0; mode < 3; ++mode) {
      solver.upper = upper;
      expect(solve(static_cast<tsgu_mode>(mode)),
             {"strictly triangular", "row 0"});
    }
}

TEST_F(SolverRefuses, Triangles) {
  tsgu_pattern *p = system.pattern->get();
  tsgu_triangular *triangle = nullptr;
  auto create = [&](tsgu_pattern *pattern, int32_t upper, int32_t unit,
                    const tsgu_tensor *from) {
    const tsgu_status status =
        tsgu_triangular_create(pattern, upper, unit, from, &triangle);
    EXPECT_EQ(triangle, nullptr);
    return status;
  };
  expect(create(nullptr, 0, 0, &values), {"pattern"});
  expect(create(p, 0, 0, nullptr), {"values"});
  expect(create(p, 2, 0, &values), {"upper"});
  expect(create(p, 0, -1, &values), {"unit"});
  expect(tsgu_triangular_create(p, 0, 0, &values, nullptr), {});
  values.type = TSGU_I64;
  expect(create(p, 0, 0, &values), {"i64"});
  values = *system.valueTensor();

  ASSERT_EQ(tsgu_triangular_create(p, 0, 0, &values, &triangle), TSGU_OK);
  expect(tsgu_triangular_solve(nullptr, TSGU_N, &b, &x, nullptr), {});
  expect(tsgu_triangular_solve(triangle, TSGU_N, nullptr, &x, nullptr), {"b"});
  expect(tsgu_triangular_solve(triangle, TSGU_N, &b, nullptr, nullptr), {"x"});
  expect(tsgu_triangular_solve(triangle, static_cast<tsgu_mode>(9), &b, &x,
                               nullptr),
         {"mode"});
  expect(tsgu_triangular_update(nullptr, &values), {});
  expect(tsgu_triangular_update(triangle, nullptr), {"values"});
  values.type = TSGU_F32;
  expect(tsgu_triangular_update(triangle, &values), {"f32", "f64"});
  values = *system.valueTensor();

  // Singular values make it unusable until others come.
  const double kept = system.values[system.positions[1] - 1];
  for (int64_t i = 0; i < system.rows; ++i)
    for (int32_t k = system.positions[i]; k < system.positions[i + 1]; ++k)
      if (system.coordinates[k] == i && i == 3)
        system.values[k] = 0;
  expect(tsgu_triangular_update(triangle, &values), {"row 3"}, TSGU_SINGULAR);
  EXPECT_NE(tsgu_triangular_solve(triangle, TSGU_N, &b, &x, nullptr), TSGU_OK);
  system.values = gridSystem<double>(4, 2).values;
  EXPECT_EQ(kept, system.values[system.positions[1] - 1]);
  values.data = system.values.data();
  EXPECT_EQ(tsgu_triangular_update(triangle, &values), TSGU_OK);
  EXPECT_EQ(tsgu_triangular_solve(triangle, TSGU_N, &b, &x, nullptr), TSGU_OK);
  tsgu_triangular_free(triangle);
  tsgu_triangular_free(nullptr);
}

/// Nothing to do is no error.
TEST(SolverEdges, Empty) {
  const tsgu::Pattern none = tsgu::Pattern::csr<int32_t>({0, 0}, {0}, {});
  const int64_t shape[] = {0, 2}, strides[] = {2, 1}, stored[] = {0},
                unit[] = {1};
  const tsgu_tensor values{nullptr, TSGU_F64, 1, stored, unit},
      block{nullptr, TSGU_F64, 2, shape, strides};
  for (const Choice &choice : choices()) {
    const tsgu_solver solver = choice.solver();
    EXPECT_EQ(tsgu_solve(&solver, TSGU_N, none.get(), &values, &block, &block,
                         0, nullptr),
              TSGU_OK)
        << choice.name() << ": " << tsgu_last_error();
  }
}

/// Right-hand sides of zero and of all sizes, matrices of 1 x 1.
TEST(SolverEdges, Sizes) {
  for (const Choice &choice : choices())
    for (double scale : {0.0, 1e-300, 1e-30, 1.0, 1e30, 1e300}) {
      System<double> one = gridSystem<double>(1, 1);
      one.b[0] = scale;
      EXPECT_EQ(one.solve(choice.solver(), TSGU_N), TSGU_OK)
          << choice.name() << ", " << scale << ": " << tsgu_last_error();
      EXPECT_NEAR(one.x[0] / 1e-8, scale / 4.5 / 1e-8, scale / 4.5)
          << choice.name() << ", " << scale;
    }
}

/// NaN anywhere ends with an error or NaN, and soon.
TEST(SolverEdges, NotFinite) {
  for (const Choice &choice : choices())
    for (double bad : {std::nan(""), HUGE_VAL})
      for (bool inMatrix : {false, true}) {
        System<double> system = gridSystem<double>(15, 1);
        (inMatrix ? system.values : system.b)[100] = bad;
        const tsgu_status status = system.solve(choice.solver(), TSGU_N);
        if (inMatrix && choice.method >= TSGU_LU)
          EXPECT_EQ(status, TSGU_INVALID_ARGUMENT) << choice.name();
        else if (status == TSGU_OK) // A triangular solve tells nobody.
          EXPECT_EQ(choice.method, TSGU_TRIANGULAR) << choice.name();
        else
          EXPECT_TRUE(status == TSGU_NOT_CONVERGED || status == TSGU_SINGULAR)
              << choice.name() << ": " << tsgu_last_error();
      }
}

} // namespace
