//===- ExpandLogSumExp.cpp - Log-sum-exp as maximum and sum ---------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// log sum exp(x) = m + log s, where m is the maximum of the numbers among the
// x, brought into the range of finite ones, and s = sum exp(x - m): so nothing
// overflows, an empty sum gives -inf, and +inf and NaN come through, by s.
//
// What the reduction starts from takes part in both like one more term.
//
// The rounded result has lost the digits of log s where m is large. Who reads
// it therefore gets m and s: x - l becomes (x - m) - log s, and exp(x - l)
// becomes exp(x - m) / s, which are right to a few roundings for every m.
//
//===----------------------------------------------------------------------===//

#include "programs/Simplify.h"
#include "tsgu/Dialect/Program.h"
#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace tsgu {
#define GEN_PASS_DEF_EXPANDLOGSUMEXP
#include "tsgu/Transforms/Passes.h.inc"
} // namespace tsgu

using namespace mlir;
using namespace tsgu;
using linalg::GenericOp;
using mlir::utils::IteratorType;

namespace {

/// An uninitialised tensor like the output of `op`.
Value buildEmpty(OpBuilder &builder, GenericOp op) {
  Value init = op.getDpsInits()[0];
  if (!getStart(op))
    return init.getDefiningOp<linalg::FillOp>().output();
  auto type = cast<RankedTensorType>(init.getType());
  SmallVector<Value> extents;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (type.isDynamicDim(d))
      extents.push_back(
          tensor::DimOp::create(builder, op.getLoc(), init, d).getResult());
  return tensor::EmptyOp::create(builder, op.getLoc(), type, extents);
}

/// Builds `out[map] = combine(out, term)` from the reduction `op` with another
/// combination; `shift` (may be null) is one more input, indexed as the output.
Value rebuildReduction(
    OpBuilder &builder, GenericOp op, Reduction reduction, Value shift,
    function_ref<Value(OpBuilder &, Value out, Value term, Value shift)>
        combine) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  Value identity = arith::ConstantOp::create(
      builder, loc,
      getIdentity(reduction, cast<FloatType>(type.getElementType())));
  Value init =
      linalg::FillOp::create(builder, loc, identity, buildEmpty(builder, op))
          .getResult(0);
  SmallVector<Value> inputs = op.getDpsInputs();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (shift) {
    inputs.push_back(shift);
    maps.push_back(maps.back());
  }
  Value term = getPayload(op)->term;
  auto body = [&](OpBuilder &inner, Location, ValueRange elements) {
    IRMapping mapping;
    for (auto [from, to] :
         llvm::zip(op.getBlock()->getArguments().drop_back(), elements))
      mapping.map(from, to);
    for (Operation &payload : op.getBlock()->without_terminator())
      if (!isa<LogAddExpOp>(payload))
        inner.clone(payload, mapping);
    linalg::YieldOp::create(
        inner, loc,
        combine(inner, elements.back(), mapping.lookupOrDefault(term),
                shift ? elements[elements.size() - 2] : Value()));
  };
  auto result = GenericOp::create(builder, loc, type, inputs, init, maps,
                                  op.getIteratorTypesArray(), body);
  if (isSampled(op))
    setSampled(result);
  return result.getResult(0);
}

/// Builds an elementwise op over dense tensors of the result's type.
Value buildElementwise(OpBuilder &builder, GenericOp op, ValueRange inputs,
                       function_ref<Value(OpBuilder &, ValueRange)> payload) {
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  Value empty = buildEmpty(builder, op);
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<IteratorType> iterators(type.getRank(), IteratorType::parallel);
  return GenericOp::create(
             builder, op.getLoc(), type, inputs, empty, maps, iterators,
             [&](OpBuilder &inner, Location loc, ValueRange e) {
               linalg::YieldOp::create(inner, loc, payload(inner, e));
             })
      .getResult(0);
}

/// A log-sum-exp: maximum + log(sum), tensors of its type.
struct Parts {
  Value maximum, sum, logSum;
};

/// Brings a term into the range of finite numbers; NaN stays. Comparisons and
/// choices are two instructions, which minimumf and maximumf are not.
Value clampToFinite(OpBuilder &b, Location loc, Value term) {
  using P = arith::CmpFPredicate;
  auto type = cast<FloatType>(term.getType());
  auto limit = [&](Value value, P beyond, bool negative) -> Value {
    Value largest = arith::ConstantOp::create(
        b, loc,
        FloatAttr::get(
            type, APFloat::getLargest(type.getFloatSemantics(), negative)));
    Value is = arith::CmpFOp::create(b, loc, beyond, value, largest);
    return arith::SelectOp::create(b, loc, is, largest, value);
  };
  return limit(limit(term, P::OGT, false), P::OLT, true);
}

Parts expand(OpBuilder &builder, GenericOp op) {
  Location loc = op.getLoc();
  auto larger = [&](OpBuilder &b, Value out, Value term, Value) -> Value {
    return arith::MaxNumFOp::create(b, loc, out, clampToFinite(b, loc, term));
  };
  auto addExp = [&](OpBuilder &b, Value out, Value term, Value m) -> Value {
    Value shifted = arith::SubFOp::create(b, loc, term, m);
    Value exp = math::ExpOp::create(b, loc, shifted);
    return arith::AddFOp::create(b, loc, out, exp);
  };
  Value start = getStart(op);
  Value maximum =
      rebuildReduction(builder, op, Reduction::MaxNumber, nullptr, larger);
  if (start)
    maximum = buildElementwise(builder, op, {maximum, start},
                               [&](OpBuilder &b, ValueRange e) {
                                 return larger(b, e[0], e[1], nullptr);
                               });
  Value sum = rebuildReduction(builder, op, Reduction::Add, maximum, addExp);
  if (start)
    sum = buildElementwise(builder, op, {sum, start, maximum},
                           [&](OpBuilder &b, ValueRange e) {
                             return addExp(b, e[0], e[1], e[2]);
                           });
  Value logSum = buildElementwise(builder, op, sum,
                                  [&](OpBuilder &b, ValueRange e) -> Value {
                                    return math::LogOp::create(b, loc, e[0]);
                                  });
  return {maximum, sum, logSum};
}

/// Rewrites the payload of an op that reads log-sum-exps.
class Reader {
public:
  Reader(GenericOp op, const DenseMap<Value, Parts> &expanded)
      : op(op), expanded(expanded), b(op.getContext()),
        inputs(op.getDpsInputs()), maps(op.getIndexingMapsArray()) {}

  GenericOp rewrite();

private:
  /// The log of a sum, to be added or subtracted.
  struct Log {
    unsigned input; // the maximum
    bool negative;
  };
  /// A value of the payload: `high` and the logs.
  struct Split {
    Value high;
    SmallVector<Log> logs;
  };

  /// More are added up, or sums of sums would double them over and over.
  static constexpr size_t mostLogs = 8;

  Value addInput(DenseMap<unsigned, Value> &elements, unsigned maximum,
                 Value tensor);
  Value addLogs(Split split, bool positiveOnly);
  void splitElements();
  void splitSum(Operation *inner);
  void splitExp(math::ExpOp inner);
  void joinOperands(Operation *inner);

  GenericOp op;
  const DenseMap<Value, Parts> &expanded;
  OpBuilder b;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  SmallVector<Parts> parts;             // of the inputs that have them
  DenseMap<unsigned, Value> sums, logs; // of the sums, by the maximum's input
  DenseMap<Value, Split> splits;
};

/// The element of one more tensor, indexed as the maximum.
Value Reader::addInput(DenseMap<unsigned, Value> &elements, unsigned maximum,
                       Value tensor) {
  Value &element = elements[maximum];
  if (!element) {
    element = op.getBlock()->insertArgument(
        inputs.size(), getElementTypeOrSelf(tensor), op.getLoc());
    inputs.push_back(tensor);
    maps.insert(maps.end() - 1, maps[maximum]);
  }
  return element;
}

Value Reader::addLogs(Split split, bool positiveOnly) {
  Value value = split.high;
  for (Log log : split.logs) {
    if (positiveOnly && log.negative)
      continue;
    Value element = addInput(logs, log.input, parts[log.input].logSum);
    value =
        log.negative
            ? arith::SubFOp::create(b, op.getLoc(), value, element).getResult()
            : arith::AddFOp::create(b, op.getLoc(), value, element);
  }
  return value;
}

void Reader::splitElements() {
  parts.resize(inputs.size());
  for (unsigned i = 0; i < parts.size(); ++i) {
    auto found = expanded.find(inputs[i]);
    if (found == expanded.end())
      continue;
    parts[i] = found->second;
    inputs[i] = parts[i].maximum;
    BlockArgument element = op.getBlock()->getArgument(i);
    if (!element.use_empty())
      splits[element] = {element, {{i, false}}};
  }
}

/// x + y, x - y and -x of values with logs have the logs of both.
void Reader::splitSum(Operation *inner) {
  Split result{inner->getResult(0), {}};
  for (OpOperand &operand : inner->getOpOperands()) {
    bool flipped =
        isa<arith::NegFOp>(inner) ||
        (isa<arith::SubFOp>(inner) && operand.getOperandNumber() == 1);
    for (Log log : splits.lookup(operand.get()).logs)
      result.logs.push_back({log.input, log.negative != flipped});
  }
  if (result.logs.size() > mostLogs)
    return joinOperands(inner);
  for (OpOperand &operand : inner->getOpOperands())
    if (auto found = splits.find(operand.get()); found != splits.end())
      operand.set(found->second.high);
  splits[inner->getResult(0)] = result;
}

/// exp(x - log s) = exp(x) / s. Logs that are added stay in the exponent, as
/// exp(x) may be too small a number where exp(x) s is none.
void Reader::splitExp(math::ExpOp inner) {
  Split split = splits.lookup(inner.getOperand());
  b.setInsertionPoint(inner);
  inner.getOperandMutable().assign(addLogs(split, /*positiveOnly=*/true));
  b.setInsertionPointAfter(inner);
  Value result = inner.getResult();
  for (Log log : split.logs)
    if (log.negative) {
      Value sum = addInput(sums, log.input, parts[log.input].sum);
      auto quotient = arith::DivFOp::create(b, op.getLoc(), result, sum);
      result.replaceAllUsesExcept(quotient, quotient);
      result = quotient;
    }
}

/// Anything else reads the rounded value.
void Reader::joinOperands(Operation *inner) {
  b.setInsertionPoint(inner);
  for (OpOperand &operand : inner->getOpOperands()) {
    auto found = splits.find(operand.get());
    if (found != splits.end())
      operand.set(addLogs(found->second, /*positiveOnly=*/false));
  }
}

GenericOp Reader::rewrite() {
  splitElements();
  BlockArgument out = op.getBlock()->getArguments().back();
  for (Operation &inner : llvm::make_early_inc_range(*op.getBlock())) {
    bool reads = llvm::any_of(inner.getOperands(),
                              [&](Value v) { return splits.contains(v); });
    if (!reads)
      continue;
    bool reduces = llvm::is_contained(inner.getOperands(), out);
    if (isa<arith::AddFOp, arith::SubFOp, arith::NegFOp>(inner) && !reduces)
      splitSum(&inner);
    else if (auto exp = dyn_cast<math::ExpOp>(inner))
      splitExp(exp);
    else
      joinOperands(&inner);
  }
  return replaceInputs(op, inputs, maps);
}

/// Whether an elementwise op of a few additions lets the digits of the sum
/// through, so that its readers had better do without its rounded result.
bool passesOn(GenericOp op, Value result) {
  if (op.getNumReductionLoops() != 0)
    return false;
  DenseSet<Value> carriers;
  for (OpOperand *input : op.getDpsInputOperands())
    if (input->get() == result)
      carriers.insert(op.getMatchingBlockArgument(input));
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (!isa<arith::ConstantOp, arith::AddFOp, arith::SubFOp, arith::NegFOp,
             arith::MulFOp>(inner))
      return false;
    if (!isa<arith::MulFOp>(inner) &&
        llvm::any_of(inner.getOperands(),
                     [&](Value v) { return carriers.contains(v); }))
      carriers.insert(inner.getResult(0));
  }
  return carriers.contains(op.getBlock()->getTerminator()->getOperand(0));
}

OpOperand *findPassedOn(Value result) {
  for (Operation *user : result.getUsers()) {
    auto carrier = dyn_cast<GenericOp>(user);
    if (!carrier || !passesOn(carrier, result))
      continue;
    for (OpOperand &use : carrier->getUses())
      if (isa<GenericOp>(use.getOwner()) &&
          linalg::areElementwiseOpsFusable(&use))
        return &use;
  }
  return nullptr;
}

/// Replaces what is left of a log-sum-exp, whose readers were rewritten.
void finish(GenericOp op, Parts parts) {
  OpBuilder builder(op);
  for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
    if (isa<tensor::DimOp>(user))
      user->setOperand(0, parts.maximum);
  if (!op->use_empty()) {
    Value result = buildElementwise(builder, op, {parts.maximum, parts.logSum},
                                    [&](OpBuilder &b, ValueRange e) -> Value {
                                      return arith::AddFOp::create(
                                          b, op.getLoc(), e[0], e[1]);
                                    });
    op->replaceAllUsesWith(ValueRange(result));
  }
  op.erase();
}

struct ExpandLogSumExp : tsgu::impl::ExpandLogSumExpBase<ExpandLogSumExp> {
  static bool isLogSumExp(GenericOp op) {
    return getPayload(op)->reduction == Reduction::LogAddExp;
  }

  void runOnOperation() override {
    func::FuncOp program = getOperation();
    if (failed(verifyProgram(program)))
      return signalPassFailure();
    for (auto op : program.getOps<GenericOp>())
      while (OpOperand *operand =
                 isLogSumExp(op) ? findPassedOn(op.getResult(0)) : nullptr)
        if (!fuseProducer(*operand))
          break;
    DenseMap<Value, Parts> expanded;
    SmallVector<GenericOp> reductions;
    for (GenericOp op :
         llvm::make_early_inc_range(program.getOps<GenericOp>())) {
      if (llvm::any_of(op.getDpsInputs(),
                       [&](Value v) { return expanded.contains(v); }))
        op = Reader(op, expanded).rewrite();
      if (!isLogSumExp(op))
        continue;
      OpBuilder builder(op);
      expanded[op.getResult(0)] = expand(builder, op);
      reductions.push_back(op);
    }
    for (GenericOp op : reductions)
      finish(op, expanded.lookup(op.getResult(0)));
    if (!reductions.empty())
      simplifyProgram(program); // Removes the parts that nobody reads.
  }
};

} // namespace
