//===- PreconditionerTest.cpp - Against their dense definitions -----------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// M is assembled densely from its definition, and op(M) z = r checked.
//
//===----------------------------------------------------------------------===//

#include "PreconditionerTesting.h"

using namespace tsgu;
using namespace tsgu::test;

namespace {

const double absent = std::nan("");

/// Of a fixed but irregular choice of entries, with a strong diagonal.
Complex irregular(int64_t item, int64_t i, int64_t j) {
  std::mt19937 random(static_cast<unsigned>(7919 * item + 101 * i + j + 1));
  random.discard(10);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const double choice = uniform(random), real = uniform(random);
  const Complex value(real, uniform(random));
  if (i == j)
    return Complex(5, 2) + value;
  return choice < -0.6 ? value : absent;
}

/// The same made Hermitian, with a real diagonal.
Complex hermitian(int64_t item, int64_t i, int64_t j) {
  if (i == j)
    return 8 + irregular(item, i, i).real();
  return i > j ? irregular(item, i, j) : std::conj(irregular(item, j, i));
}

template <typename P> class Preconditioners : public ::testing::Test {
public:
  using T = typename P::Value;
  using I = typename P::Index;
  using S = Sample<T, I>;

  /// Rank 2, and every item of rank 3.
  void forItems(const typename S::Entry &entry,
                const std::function<void(const S &, int64_t item)> &check) {
    for (int64_t rows : {1, 2, 30}) {
      const S one(2, 1, rows, rows, entry), three(3, 3, rows, rows, entry);
      check(one, 0);
      for (int64_t item : {2, 0, 1})
        check(three, item);
    }
  }

  static auto make(const tsgu_solver &solver, const S &A, int64_t item) {
    return makePreconditioner<T>(solver, A.matrix(item), serial());
  }
};
TYPED_TEST_SUITE(Preconditioners, AllTypes);

TYPED_TEST(Preconditioners, Jacobi) {
  this->forItems(irregular, [&](auto &A, int64_t item) {
    DenseMatrix M = A.dense(item).diagonal().asDiagonal();
    expectInverse(*this->make(asking(TSGU_JACOBI), A, item), M);
  });
}

TYPED_TEST(Preconditioners, BlockJacobi) {
  for (int64_t size : {0, 1, 4, 7, 64})
    this->forItems(irregular, [&](auto &A, int64_t item) {
      const int64_t n = A.pattern->rows(), step = size ? size : 8;
      DenseMatrix M = DenseMatrix::Zero(n, n);
      for (int64_t at = 0; at < n; at += step) {
        const int64_t extent = std::min(step, n - at);
        M.block(at, at, extent, extent) =
            A.dense(item).block(at, at, extent, extent);
      }
      tsgu_solver solver = asking(TSGU_BLOCK_JACOBI);
      solver.block_size = size;
      expectInverse(*this->make(solver, A, item), M);
    });
}

TYPED_TEST(Preconditioners, BlockJacobiExchangesRows) {
  // Blocks with zeros on the diagonal, and none stored in places.
  auto entry = [](int64_t, int64_t i, int64_t j) -> Complex {
    if (i / 3 != j / 3)
      return absent;
    return i % 3 == (j + 1) % 3 ? Complex(2 + i, 1)
           : i == j             ? (i % 2 ? absent : 0)
                                : Complex(0.5 * (i - j), 0.25);
  };
  typename TestFixture::S A(2, 1, 9, 9, entry);
  tsgu_solver solver = asking(TSGU_BLOCK_JACOBI);
  solver.block_size = 3;
  expectInverse(*this->make(solver, A, 0), A.dense());
}

TYPED_TEST(Preconditioners, SSOR) {
  for (double relaxation : {0.0, 0.7, 1.6})
    this->forItems(irregular, [&](auto &A, int64_t item) {
      const double w = relaxation == 0 ? 1 : relaxation;
      const DenseMatrix dense = A.dense(item);
      const DenseMatrix D = dense.diagonal().asDiagonal();
      const DenseMatrix L =
          dense.template triangularView<Eigen::StrictlyLower>();
      const DenseMatrix U =
          dense.template triangularView<Eigen::StrictlyUpper>();
      const DenseMatrix M = w / (2 - w) * (D / w + L) *
                            D.diagonal().cwiseInverse().asDiagonal() *
                            (D / w + U);
      tsgu_solver solver = asking(TSGU_SSOR);
      solver.relaxation = relaxation;
      expectInverse(*this->make(solver, A, item), M, 2000);
    });
}

double onMask(const Eigen::MatrixXi &mask, const DenseMatrix &A) {
  return (A.cwiseAbs().array() * mask.cast<double>().array()).maxCoeff();
}

/// L U on the mask by dense loops over pivots (KIJ): another order than ours.
void denseILU(const DenseMatrix &A, const Eigen::MatrixXi &mask, DenseMatrix &L,
              DenseMatrix &U) {
  DenseMatrix F = A;
  const int64_t n = A.rows();
  for (int64_t k = 0; k < n; ++k)
    for (int64_t i = k + 1; i < n; ++i) {
      if (!mask(i, k))
        continue;
      F(i, k) /= F(k, k);
      for (int64_t j = k + 1; j < n; ++j)
        if (mask(i, j))
          F(i, j) -= F(i, k) * F(k, j);
    }
  U = F.triangularView<Eigen::Upper>();
  L = F.triangularView<Eigen::UnitLower>();
}

TYPED_TEST(Preconditioners, IncompleteLU) {
  this->forItems(irregular, [&](auto &A, int64_t item) {
    DenseMatrix L, U;
    denseILU(A.dense(item), A.mask(item), L, U);
    const DenseMatrix M = L * U;
    // The oracle is one.
    EXPECT_LE(onMask(A.mask(item), M - A.dense(item)), 1e-12);
    expectInverse(*this->make(asking(TSGU_ILU0), A, item), M, 2000);
  });
}

/// L on the mask by dense loops over pivots, of A + shift D. False: breakdown.
bool denseIC(const DenseMatrix &A, const Eigen::MatrixXi &mask, double shift,
             DenseMatrix &L) {
  L = A.triangularView<Eigen::Lower>();
  L.diagonal() *= 1 + shift;
  const int64_t n = A.rows();
  for (int64_t k = 0; k < n; ++k) {
    if (L(k, k).real() <= 1e-7 * A(k, k).real())
      return false;
    L(k, k) = std::sqrt(L(k, k).real());
    for (int64_t i = k + 1; i < n; ++i)
      L(i, k) /= L(k, k);
    for (int64_t j = k + 1; j < n; ++j)
      for (int64_t i = j; i < n; ++i)
        if (mask(i, j))
          L(i, j) -= L(i, k) * std::conj(L(j, k));
  }
  return true;
}

TYPED_TEST(Preconditioners, IncompleteCholesky) {
  this->forItems(hermitian, [&](auto &A, int64_t item) {
    DenseMatrix L;
    ASSERT_TRUE(denseIC(A.dense(item), A.mask(item), 0, L));
    const DenseMatrix M = L * L.adjoint();
    EXPECT_LE(onMask(A.mask(item), M - A.dense(item)), 1e-6);
    expectInverse(*this->make(asking(TSGU_IC0), A, item), M, 2000);
  });
}

TYPED_TEST(Preconditioners, IncompleteCholeskyReadsTheLowerTriangle) {
  auto upperToo = [](int64_t item, int64_t i, int64_t j) {
    return i >= j ? hermitian(item, i, j) : irregular(item, i, j);
  };
  typename TestFixture::S A(2, 1, 30, 30, upperToo), B(2, 1, 30, 30, hermitian);
  DenseMatrix L;
  ASSERT_TRUE(denseIC(B.dense(), B.mask(), 0, L));
  expectInverse(*this->make(asking(TSGU_IC0), A, 0), L * L.adjoint(), 2000);
}

/// Positive definite, and IC(0) breaks down (Kershaw 1978).
Complex kershaw(int64_t, int64_t i, int64_t j) {
  const double rows[4][4] = {
      {3, -2, 0, 2}, {-2, 3, -2, 0}, {0, -2, 3, -2}, {2, 0, -2, 3}};
  return rows[i][j] != 0 ? rows[i][j] : absent;
}

TYPED_TEST(Preconditioners, IncompleteCholeskyShifts) {
  typename TestFixture::S A(2, 1, 4, 4, kershaw);
  DenseMatrix L;
  ASSERT_FALSE(denseIC(A.dense(), A.mask(), 0, L));
  double shift = 1e-3;
  while (!denseIC(A.dense(), A.mask(), shift, L))
    shift *= 2;
  EXPECT_GT(shift, 1e-3); // Doubled at least once.
  expectInverse(*this->make(asking(TSGU_IC0), A, 0), L * L.adjoint(), 2000);
}

//===----------------------------------------------------------------------===//
// What cannot be made
//===----------------------------------------------------------------------===//

TYPED_TEST(Preconditioners, SingularOnesNameTheRow) {
  using S = typename TestFixture::S;
  auto zeroAt5 = [](int64_t item, int64_t i, int64_t j) {
    return item == 1 && i == 5 && j == 5 ? 0 : hermitian(item, i, j);
  };
  auto missingAt5 = [](int64_t item, int64_t i, int64_t j) {
    return item == 1 && i == 5 && j == 5 ? absent : hermitian(item, i, j);
  };
  auto emptyAt5 = [](int64_t item, int64_t i, int64_t j) {
    return item == 1 && i == 5 ? absent : hermitian(item, i, j);
  };
  for (const typename S::Entry &entry :
       {typename S::Entry(zeroAt5), typename S::Entry(missingAt5),
        typename S::Entry(emptyAt5)}) {
    const S A(3, 2, 9, 9, entry);
    for (int64_t kind :
         {TSGU_JACOBI, TSGU_SSOR, TSGU_ILU0, TSGU_IC0, TSGU_AMG}) {
      EXPECT_NE(this->make(asking(kind), A, 0), nullptr);
      const std::string text =
          errorOf(Status::Singular, [&] { this->make(asking(kind), A, 1); });
      EXPECT_NE(text.find("row 5 of item 1"), std::string::npos) << text;
    }
  }
  const S A(3, 2, 9, 9, emptyAt5);
  tsgu_solver blocks = asking(TSGU_BLOCK_JACOBI);
  blocks.block_size = 4;
  const std::string text =
      errorOf(Status::Singular, [&] { this->make(blocks, A, 1); });
  EXPECT_NE(text.find("4 rows that begins with row 4 of item 1"),
            std::string::npos)
      << text;
}

TYPED_TEST(Preconditioners, ZeroPivot) {
  auto entry = [](int64_t, int64_t i, int64_t j) -> Complex {
    return i < 3 && j < 3 ? 1 : i == j ? 2 : absent;
  };
  typename TestFixture::S A(2, 1, 6, 6, entry);
  const std::string text =
      errorOf(Status::Singular, [&] { this->make(asking(TSGU_ILU0), A, 0); });
  EXPECT_NE(text.find("row 1 became zero"), std::string::npos) << text;
}

TYPED_TEST(Preconditioners, NotPositiveDiagonal) {
  auto entry = [](int64_t item, int64_t i, int64_t j) {
    return i == 4 && j == 4 ? -2 : hermitian(item, i, j);
  };
  typename TestFixture::S A(2, 1, 6, 6, entry);
  const std::string text =
      errorOf(Status::Singular, [&] { this->make(asking(TSGU_IC0), A, 0); });
  EXPECT_NE(text.find("row 4 is"), std::string::npos) << text;
  EXPECT_NE(text.find("-2"), std::string::npos) << text;
}

TYPED_TEST(Preconditioners, NotSquare) {
  typename TestFixture::S A(2, 1, 6, 7, irregular);
  for (int64_t kind = TSGU_JACOBI; kind <= TSGU_AMG; ++kind) {
    const std::string text = errorOf(Status::InvalidArgument,
                                     [&] { this->make(asking(kind), A, 0); });
    EXPECT_NE(text.find("6 x 7"), std::string::npos) << text;
  }
}

TYPED_TEST(Preconditioners, None) {
  typename TestFixture::S A(2, 1, 3, 3, irregular);
  EXPECT_EQ(this->make(asking(TSGU_NO_PRECONDITIONER), A, 0), nullptr);
}

TYPED_TEST(Preconditioners, NoRows) {
  typename TestFixture::S A(2, 1, 0, 0, irregular);
  for (int64_t kind = TSGU_JACOBI; kind <= TSGU_AMG; ++kind)
    applied(*this->make(asking(kind), A, 0), Mode::N,
            Columns<typename TestFixture::T>(0, 2, 0, 0));
}

/// An error or NaN, and no end of neither.
TYPED_TEST(Preconditioners, NotFinite) {
  for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    for (int64_t rows : {9, 700})
      for (int64_t diagonal : {0, 1}) {
        typename TestFixture::S A(
            2, 1, rows, rows, [&](int64_t, int64_t i, int64_t j) -> Complex {
              return i == j ? 4 : std::abs(i - j) == 1 ? -1 : absent;
            });
        A.values[diagonal ? 6 : 5] =
            static_cast<typename TestFixture::T>(bad); // Of row 2.
        for (int64_t kind = TSGU_JACOBI; kind <= TSGU_AMG; ++kind) {
          try {
            const auto M = this->make(asking(kind), A, 0);
            applied(*M, Mode::N,
                    Columns<typename TestFixture::T>(rows, 1, 0, 3));
          } catch (const Error &error) {
            EXPECT_EQ(error.status(), Status::Singular);
          }
        }
      }
}

} // namespace
