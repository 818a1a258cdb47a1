//===- SolveOps.cpp - Solves as ops of programs ---------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/SolveOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tsgu;

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

static bool mayBeEqual(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

/// Checks the right-hand side or the result: [items, matrix's `dim`, columns].
static LogicalResult verifyVectors(SolveOpInterface op, StringRef what,
                                   RankedTensorType vectors, unsigned dim) {
  auto matrix = cast<RankedTensorType>(op.getMatrix().getType());
  int64_t lead = matrix.getRank() - 2;
  if (sparse_tensor::getSparseTensorEncoding(vectors))
    return op->emitOpError(what) << " must be dense, not " << vectors;
  if (vectors.getRank() != matrix.getRank())
    return op->emitOpError(what) << " must have rank " << matrix.getRank()
                                 << " like the matrix, not " << vectors;
  if (vectors.getElementType() != matrix.getElementType())
    return op->emitOpError(what)
           << " has elements " << vectors.getElementType()
           << ", but the matrix has " << matrix.getElementType();
  if (lead == 1 && !mayBeEqual(vectors.getDimSize(0), matrix.getDimSize(0)))
    return op->emitOpError(what)
           << " has " << vectors.getDimSize(0) << " items, but the matrix has "
           << matrix.getDimSize(0);
  if (!mayBeEqual(vectors.getDimSize(lead), matrix.getDimSize(lead + dim)))
    return op->emitOpError(what)
           << " has " << vectors.getDimSize(lead)
           << " rows, but the matrix has " << matrix.getDimSize(lead + dim)
           << (dim ? " columns" : " rows");
  return success();
}

Value tsgu::detail::findSparse(ValueRange values) {
  for (Value value : values)
    if (sparse_tensor::getSparseTensorEncoding(value.getType()))
      return value;
  return {};
}

LogicalResult tsgu::detail::verifyMatrix(Operation *op, Value operand,
                                         bool square) {
  auto matrix = cast<RankedTensorType>(operand.getType());
  int64_t rank = matrix.getRank();
  if (!sparse_tensor::getSparseTensorEncoding(matrix))
    return op->emitOpError("needs a sparse matrix, got ") << matrix;
  if (rank != 2 && rank != 3)
    return op->emitOpError("needs a matrix of rank 2, or a batch of rank 3, "
                           "not ")
           << matrix;
  if (square &&
      !mayBeEqual(matrix.getDimSize(rank - 2), matrix.getDimSize(rank - 1)))
    return op->emitOpError("needs a square matrix, got ") << matrix;
  return success();
}

LogicalResult tsgu::detail::verifySolve(Operation *solve) {
  auto op = cast<SolveOpInterface>(solve);
  auto matrix = cast<RankedTensorType>(op.getMatrix().getType());
  auto rhs = cast<RankedTensorType>(op.getRhs().getType());
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  int64_t rank = matrix.getRank();
  if (failed(verifyMatrix(op, op.getMatrix(), op.needsSquare())))
    return failure();
  if (failed(verifyVectors(op, "right-hand side", rhs, op.getRhsDim())) ||
      failed(verifyVectors(op, "result", result, op.getResultDim())))
    return failure();
  if (!mayBeEqual(rhs.getDimSize(rank - 1), result.getDimSize(rank - 1)))
    return op->emitOpError("has ")
           << rhs.getDimSize(rank - 1) << " right-hand sides, but "
           << result.getDimSize(rank - 1) << " results";
  return success();
}

LogicalResult TriangleOp::verify() {
  if (!sparse_tensor::getSparseTensorEncoding(getSource().getType()))
    return emitOpError("needs a sparse operand, got ") << getSource().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Canonical forms
//===----------------------------------------------------------------------===//

std::pair<Value, int64_t> tsgu::getExtentOrigin(SolveOpInterface op,
                                                int64_t dim) {
  int64_t rank = cast<RankedTensorType>(op.getMatrix().getType()).getRank();
  if (dim == rank - 1)
    return {op.getRhs(), dim};
  bool isRow = dim == rank - 2;
  return {op.getMatrix(), isRow ? dim + op.getResultDim() : dim};
}

static bool isZero(Value tensor) {
  auto fill = tensor.getDefiningOp<linalg::FillOp>();
  return fill && (matchPattern(fill.value(), m_AnyZeroFloat()) ||
                  matchPattern(fill.value(), m_PosZeroFloat()));
}

/// C is T and R is N where elements are real; a solve of zeros gives zeros.
static OpFoldResult foldSolve(SolveOpInterface op) {
  Type element = getElementTypeOrSelf(op.getMatrix());
  bool conjugates = op.getMode() == Mode::C || op.getMode() == Mode::R;
  if (conjugates && !isa<ComplexType>(element)) {
    op.setMode(op.getMode() == Mode::C ? Mode::T : Mode::N);
    return op->getResult(0);
  }
  bool sameShape = op.needsSquare() || op.getRhsDim() == op.getResultDim();
  if (sameShape && isZero(op.getRhs()) &&
      op.getRhs().getType() == op->getResult(0).getType())
    return op.getRhs();
  return {};
}

/// A triangular solve reads nothing but its triangle.
OpFoldResult TriangularSolveOp::fold(FoldAdaptor) {
  auto triangle = getMatrix().getDefiningOp<TriangleOp>();
  if (triangle && triangle.getSolver() == getSolver()) {
    getMatrixMutable().assign(triangle.getSource());
    return getResult();
  }
  return foldSolve(*this);
}
OpFoldResult SolveOp::fold(FoldAdaptor) { return foldSolve(*this); }
OpFoldResult HalfSolveOp::fold(FoldAdaptor) { return foldSolve(*this); }
OpFoldResult LeastSquaresOp::fold(FoldAdaptor) { return foldSolve(*this); }
OpFoldResult NormalSolveOp::fold(FoldAdaptor) { return foldSolve(*this); }

/// A triangle of a triangle, or of zeros.
OpFoldResult TriangleOp::fold(FoldAdaptor) {
  auto inner = getSource().getDefiningOp<TriangleOp>();
  if ((inner && inner.getSolver() == getSolver()) ||
      getSource().getDefiningOp<ZerosLikeOp>())
    return getSource();
  return {};
}

/// The op that permutes the dimensions of `matrix` so: its rows and columns
/// exchanged, in each item of a batch, or as they were.
static linalg::TransposeOp getTranspose(Value matrix, bool exchanged) {
  auto transpose = matrix.getDefiningOp<linalg::TransposeOp>();
  if (!transpose)
    return {};
  ArrayRef<int64_t> order = transpose.getPermutation();
  SmallVector<int64_t> wanted =
      llvm::to_vector(llvm::seq<int64_t>(0, order.size()));
  if (exchanged && wanted.size() >= 2)
    std::swap(wanted[wanted.size() - 2], wanted[wanted.size() - 1]);
  return order == ArrayRef<int64_t>(wanted) ? transpose : linalg::TransposeOp();
}

static void setMatrix(SolveOpInterface op, Value matrix) {
  for (OpOperand &operand : op->getOpOperands())
    if (operand.get() == op.getMatrix())
      return operand.set(matrix);
}

/// The mode of op(conj(A)): A^T where A is Hermitian.
static Mode conjugate(Mode mode) {
  switch (mode) {
  case Mode::N:
    return Mode::R;
  case Mode::T:
    return Mode::C;
  case Mode::C:
    return Mode::T;
  case Mode::R:
    return Mode::N;
  }
  llvm_unreachable("covered switch");
}

bool tsgu::foldTransposedMatrix(SolveOpInterface op) {
  if (auto identity = getTranspose(op.getMatrix(), /*exchanged=*/false)) {
    setMatrix(op, identity.getInput());
    return true;
  }
  auto outer = getTranspose(op.getMatrix(), /*exchanged=*/true);
  if (!outer)
    return false;
  if (auto inner = getTranspose(outer.getInput(), /*exchanged=*/true)) {
    setMatrix(op, inner.getInput());
    return true;
  }
  if (isa<TriangularSolveOp>(op))
    return false;
  op.setMode(isa<HalfSolveOp>(op) ? conjugate(op.getMode())
                                  : transpose(op.getMode()));
  setMatrix(op, outer.getInput());
  return true;
}

namespace {

struct FoldTransposedMatrix : OpInterfaceRewritePattern<SolveOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(SolveOpInterface op,
                                PatternRewriter &rewriter) const override {
    rewriter.startOpModification(op);
    bool changed = foldTransposedMatrix(op);
    if (changed)
      rewriter.finalizeOpModification(op);
    else
      rewriter.cancelOpModification(op);
    return success(changed);
  }
};

/// Zeros of another shape than the right-hand side's.
struct LeastSquaresOfZero : OpRewritePattern<LeastSquaresOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LeastSquaresOp op,
                                PatternRewriter &rewriter) const override {
    if (!isZero(op.getRhs()))
      return failure();
    auto type = cast<RankedTensorType>(op.getType());
    SmallVector<Value> extents;
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d)) {
        auto [origin, dim] = getExtentOrigin(op, d);
        extents.push_back(
            tensor::DimOp::create(rewriter, op.getLoc(), origin, dim));
      }
    Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), type, extents);
    Value zero = op.getRhs().getDefiningOp<linalg::FillOp>().value();
    rewriter.replaceOpWithNewOp<linalg::FillOp>(op, zero, empty);
    return success();
  }
};

} // namespace

void TriangularSolveOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                    MLIRContext *context) {
  patterns.add<FoldTransposedMatrix>(context);
}
void SolveOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *context) {
  patterns.add<FoldTransposedMatrix>(context);
}
void HalfSolveOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<FoldTransposedMatrix>(context);
}
void LeastSquaresOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                 MLIRContext *context) {
  patterns.add<FoldTransposedMatrix, LeastSquaresOfZero>(context);
}
void NormalSolveOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                MLIRContext *context) {
  patterns.add<FoldTransposedMatrix>(context);
}
