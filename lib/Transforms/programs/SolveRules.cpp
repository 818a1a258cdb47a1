//===- SolveRules.cpp - Derivatives of solves -----------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With M = op(A). A cotangent of M is written as a sum of outer products P Q^H,
// which are sampled on the pattern of A.
//
//===----------------------------------------------------------------------===//

#include "programs/SolveRules.h"
#include "programs/LinalgRules.h"
#include "programs/ScalarOps.h"
#include "programs/SelfAdjointRule.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tsgu;

namespace {

/// What becomes of a matrix.
struct Form {
  bool transposed, conjugated;

  explicit Form(Mode mode)
      : transposed(isTransposed(mode)),
        conjugated(mode == Mode::C || mode == Mode::R) {}
  Mode mode() const {
    return transposed ? (conjugated ? Mode::C : Mode::T)
                      : (conjugated ? Mode::R : Mode::N);
  }
  Form adjoint() const {
    Form result(*this);
    result.transposed = !transposed, result.conjugated = !conjugated;
    return result;
  }
};

/// P Q^H, or its negative.
struct Outer {
  Value P, Q;
  bool negated = false;
};

/// The matrix of a solve and what derivatives do with it.
class Algebra {
public:
  Algebra(OpBuilder &builder, SolveOpInterface op, StoredValue stored)
      : M(op.getMode()), A(stored(op.getMatrix())), B(stored(op.getRhs())),
        X(stored(op->getResult(0))), builder(builder), loc(op.getLoc()),
        solver(op.getSolver()), complex(isComplex(A.getType())),
        rank(typeOf(A).getRank()) {}

  /// form(matrix) V, or its negative; of the extents of `like` if given.
  Value product(Value matrix, Form form, Value V, bool negated = false);
  /// The cotangent of A to that of M.
  Value sample(ArrayRef<Outer> cotangent);
  /// The op with the matrix form(A), and right-hand sides V.
  template <typename SolveKind> Value inverse(Form form, Value V);
  Value triangle(Value S) {
    return TriangleOp::create(builder, loc, S.getType(), solver, S);
  }
  /// x + y, where null stands for zero.
  Value add(Value x, Value y) {
    return x && y ? buildSum(builder, loc, x, y) : x ? x : y;
  }

  const Form M;
  const Value A, B, X;

private:
  static RankedTensorType typeOf(Value tensor) {
    return cast<RankedTensorType>(tensor.getType());
  }
  RankedTensorType vectorsType(Value matrix, unsigned dim, Value V);
  Value zeros(Value matrix, unsigned dim, Value V);
  AffineMap map(ArrayRef<unsigned> loops);

  OpBuilder &builder;
  Location loc;
  Value solver;
  bool complex;
  int64_t rank;
};

/// The loops are i, j and p, after that over the items of a batch.
AffineMap Algebra::map(ArrayRef<unsigned> loops) {
  unsigned lead = rank - 2;
  SmallVector<AffineExpr> indices;
  if (lead)
    indices.push_back(builder.getAffineDimExpr(0));
  for (unsigned loop : loops)
    indices.push_back(builder.getAffineDimExpr(lead + loop));
  return AffineMap::get(lead + 3, 0, indices, builder.getContext());
}

/// As many rows as the matrix has rows (dim 0) or columns (dim 1), as many
/// columns as V.
RankedTensorType Algebra::vectorsType(Value matrix, unsigned dim, Value V) {
  SmallVector<int64_t> shape(typeOf(V).getShape());
  shape[rank - 2] = typeOf(matrix).getDimSize(rank - 2 + dim);
  return RankedTensorType::get(shape, typeOf(V).getElementType());
}

Value Algebra::zeros(Value matrix, unsigned dim, Value V) {
  RankedTensorType type = vectorsType(matrix, dim, V);
  SmallVector<Value> extents;
  for (int64_t d = 0; d < rank; ++d)
    if (type.isDynamicDim(d))
      extents.push_back(
          d == rank - 2
              ? tensor::DimOp::create(builder, loc, matrix, d + dim).getResult()
              : tensor::DimOp::create(builder, loc, V, d).getResult());
  Value empty = tensor::EmptyOp::create(builder, loc, type, extents);
  Value zero = createConstant(builder, loc, type.getElementType(), 0.0);
  return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
}

Value Algebra::product(Value matrix, Form form, Value V, bool negated) {
  unsigned row = form.transposed ? 1 : 0, column = 1 - row;
  ProductTerm term{
      {{matrix, map({0, 1}), form.conjugated}, {V, map({column, 2})}}, negated};
  return buildSumOfProducts(builder, loc, term, zeros(matrix, row, V),
                            map({row, 2}));
}

Value Algebra::sample(ArrayRef<Outer> cotangent) {
  unsigned row = M.transposed ? 1 : 0, column = 1 - row;
  SmallVector<ProductTerm> terms;
  for (const Outer &outer : cotangent)
    terms.push_back({{{outer.P, map({row, 2}), M.conjugated},
                      {outer.Q, map({column, 2}), !M.conjugated}},
                     outer.negated});
  return buildSumOfProducts(builder, loc, terms, buildZero(builder, loc, A),
                            map({0, 1}));
}

template <typename SolveKind> Value Algebra::inverse(Form form, Value V) {
  if (!complex)
    form.conjugated = false;
  return SolveKind::create(builder, loc, V.getType(), solver, A, V,
                           form.mode());
}

constexpr unsigned matrixOperand = 1, rhsOperand = 2;

/// X = M^-1 B: dX = M^-1 (dB - dM X).
template <typename SolveKind>
struct InverseRule
    : DifferentiableOpInterface::ExternalModel<InverseRule<SolveKind>,
                                               SolveKind> {
  static constexpr bool triangular =
      std::is_same_v<SolveKind, TriangularSolveOp>;

  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &input, Value G,
                                  StoredValue stored) const {
    Algebra a(builder, cast<SolveKind>(op), stored);
    Value Y = a.inverse<SolveKind>(a.M.adjoint(), G);
    if (input.getOperandNumber() == rhsOperand)
      return Y;
    Value cotangent = a.sample({{Y, a.X, /*negated=*/true}});
    return triangular ? a.triangle(cotangent) : cotangent;
  }

  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    Algebra a(builder, cast<SolveKind>(op), stored);
    Value change = tangents[rhsOperand];
    if (Value dA = tangents[matrixOperand])
      change = a.add(change, a.product(triangular ? a.triangle(dA) : dA, a.M,
                                       a.X, /*negated=*/true));
    return a.inverse<SolveKind>(a.M, change);
  }
};

/// Linear in B; of A it tells the square only.
struct HalfSolveRule
    : DifferentiableOpInterface::ExternalModel<HalfSolveRule, HalfSolveOp> {
  static LogicalResult refuse(Operation *op) {
    return op->emitOpError(
        "has no derivative by its matrix, only by its "
        "right-hand sides; solves, determinants and inverses "
        "on the pattern have both");
  }
  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &input, Value G,
                                  StoredValue stored) const {
    if (input.getOperandNumber() != rhsOperand)
      return refuse(op);
    Algebra a(builder, cast<HalfSolveOp>(op), stored);
    return a.inverse<HalfSolveOp>(a.M.adjoint(), G);
  }
  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    if (tangents[matrixOperand])
      return refuse(op);
    Algebra a(builder, cast<HalfSolveOp>(op), stored);
    return a.inverse<HalfSolveOp>(a.M, tangents[rhsOperand]);
  }
};

/// Z = K^-1 G with K = M^H M + damp^2: dZ = K^-1 (dG - dK Z).
struct NormalRule
    : DifferentiableOpInterface::ExternalModel<NormalRule, NormalSolveOp> {
  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &input, Value H,
                                  StoredValue stored) const {
    Algebra a(builder, cast<NormalSolveOp>(op), stored);
    Value Z = a.X, Y = a.inverse<NormalSolveOp>(a.M, H);
    if (input.getOperandNumber() == rhsOperand)
      return Y;
    return a.sample({{a.product(a.A, a.M, Z), Y, /*negated=*/true},
                     {a.product(a.A, a.M, Y), Z, /*negated=*/true}});
  }

  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    Algebra a(builder, cast<NormalSolveOp>(op), stored);
    Value Z = a.X, change = tangents[rhsOperand];
    if (Value dA = tangents[matrixOperand]) {
      Form adjoint = a.M.adjoint();
      Value left = a.product(dA, adjoint, a.product(a.A, a.M, Z), true);
      Value right = a.product(a.A, adjoint, a.product(dA, a.M, Z), true);
      change = a.add(change, a.add(left, right));
    }
    return a.inverse<NormalSolveOp>(a.M, change);
  }
};

/// X = K^-1 M^H B with K = M^H M + damp^2:
/// dX = K^-1 (dM^H (B - M X) + M^H (dB - dM X)).
/// For full row rank X = M^H U with U = K'^-1 B and K' = M M^H + damp^2:
/// dX = dM^H U + M^H K'^-1 (dB - dM X - M dM^H U).
struct LeastSquaresRule
    : DifferentiableOpInterface::ExternalModel<LeastSquaresRule,
                                               LeastSquaresOp> {
  FailureOr<Value> buildCotangent(Operation *op, OpBuilder &builder,
                                  OpOperand &input, Value G,
                                  StoredValue stored) const {
    auto solve = cast<LeastSquaresOp>(op);
    Algebra a(builder, solve, stored);
    Form adjoint = a.M.adjoint();
    bool wantsRhs = input.getOperandNumber() == rhsOperand;
    if (solve.getRank() == Rank::Column) {
      Value Z = a.inverse<NormalSolveOp>(a.M, G);
      Value W = a.product(a.A, a.M, Z);
      if (wantsRhs)
        return W;
      Value R = a.add(a.B, a.product(a.A, a.M, a.X, /*negated=*/true));
      return a.sample({{R, Z}, {W, a.X, /*negated=*/true}});
    }
    Value W = a.inverse<NormalSolveOp>(adjoint, a.product(a.A, a.M, G));
    if (wantsRhs)
      return W;
    Value U = a.inverse<NormalSolveOp>(adjoint, a.B);
    Value rest = a.add(G, a.product(a.A, adjoint, W, /*negated=*/true));
    return a.sample({{U, rest}, {W, a.X, /*negated=*/true}});
  }

  FailureOr<Value> buildTangent(Operation *op, OpBuilder &builder,
                                ArrayRef<Value> tangents,
                                StoredValue stored) const {
    auto solve = cast<LeastSquaresOp>(op);
    Algebra a(builder, solve, stored);
    Form adjoint = a.M.adjoint();
    Value change = tangents[rhsOperand], dA = tangents[matrixOperand];
    if (dA)
      change = a.add(change, a.product(dA, a.M, a.X, /*negated=*/true));
    if (solve.getRank() == Rank::Column) {
      Value inner = a.product(a.A, adjoint, change);
      if (dA) {
        Value R = a.add(a.B, a.product(a.A, a.M, a.X, /*negated=*/true));
        inner = a.add(inner, a.product(dA, adjoint, R));
      }
      return a.inverse<NormalSolveOp>(a.M, inner);
    }
    Value moved;
    if (dA) {
      moved = a.product(dA, adjoint, a.inverse<NormalSolveOp>(adjoint, a.B));
      change = a.add(change, a.product(a.A, a.M, moved, /*negated=*/true));
    }
    Value dU = a.inverse<NormalSolveOp>(adjoint, change);
    return a.add(moved, a.product(a.A, adjoint, dU));
  }
};

} // namespace

void tsgu::registerSolveRules(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TsguDialect *) {
    TriangularSolveOp::attachInterface<InverseRule<TriangularSolveOp>>(
        *context);
    SolveOp::attachInterface<InverseRule<SolveOp>>(*context);
    HalfSolveOp::attachInterface<HalfSolveRule>(*context);
    LeastSquaresOp::attachInterface<LeastSquaresRule>(*context);
    NormalSolveOp::attachInterface<NormalRule>(*context);
    TriangleOp::attachInterface<SelfAdjointRule<TriangleOp>>(*context);
  });
}
