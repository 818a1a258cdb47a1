//===- VectorBody.h - Loop bodies at vector width --------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_VECTORBODY_H
#define TSGU_TRANSFORMS_VECTORBODY_H

#include "tsgu/Transforms/KernelLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

namespace tsgu {

/// A run of iterations computed at once: base, base + 1, ..., as many as there
/// are lanes, or as the mask (null: all of them) has bits set.
struct Chunk {
  mlir::Value base;
  int64_t lanes;
  mlir::Value mask;
};

/// What an innermost loop computes, known to be computable for several
/// iterations at once: every access is at the same place in all iterations, at
/// consecutive places, or a gather; every loop-carried value is a reduction.
class VectorBody {
public:
  /// On failure `whyNot` says what stands in the way. If `given` is set, only
  /// what the stores need besides that value, computed elsewhere, is looked at.
  static mlir::FailureOr<VectorBody> analyze(Kernel kernel,
                                             mlir::scf::ForOp loop,
                                             std::string &whyNot,
                                             mlir::Value given = {});

  mlir::scf::ForOp getLoop() const { return loop; }
  /// Lanes of the widest element type that the loop computes with.
  int64_t getLanes(unsigned vectorBits) const;
  /// The only load of the output and its only store, at the same indices; null
  /// where there is none.
  mlir::memref::LoadOp getOutputLoad() const { return outputLoad; }
  mlir::memref::StoreOp getOutputStore() const { return outputStore; }
  /// The op that reduces loop-carried value number `i`, and how.
  mlir::Operation *getCombiner(unsigned i) const {
    return getLoop().getYieldedValues()[i].getDefiningOp();
  }
  mlir::vector::CombiningKind getKind(unsigned i) const { return kinds[i]; }
  bool hasGather() const { return gathers; }
  /// The gathers from rows of a matrix, which lie a leading stride apart.
  llvm::ArrayRef<mlir::memref::LoadOp> getStridedGathers() const {
    return stridedGathers;
  }
  /// Whether it calls functions that cost more than loading their arguments.
  bool hasMathCalls() const { return mathCalls; }

private:
  friend class VectorEmitter;
  bool analyzeLoad(Kernel kernel, mlir::memref::LoadOp load,
                   std::string &whyNot);
  bool analyzeStore(Kernel kernel, mlir::memref::StoreOp store,
                    std::string &whyNot);
  bool analyzeScalar(mlir::Operation &op, std::string &whyNot);
  bool analyzeReductions(std::string &whyNot);
  bool isVarying(mlir::Value value) const;

  mlir::scf::ForOp loop;
  mlir::Value given;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::DenseSet<mlir::Operation *> varying;
  llvm::SmallVector<mlir::vector::CombiningKind> kinds;
  mlir::memref::LoadOp outputLoad;
  mlir::memref::StoreOp outputStore;
  llvm::SmallVector<mlir::memref::LoadOp> stridedGathers;
  bool gathers = false;
  bool mathCalls = false;
};

/// Writes a body at vector width, chunk by chunk into one block.
class VectorEmitter {
public:
  /// `scalars` maps values of the original function to those in the block; what
  /// the iterations share must be in it (`emitShared`). With `unitStrides` the
  /// strides of strided gathers are known to be 1.
  VectorEmitter(const VectorBody &body, mlir::OpBuilder &builder,
                mlir::IRMapping &scalars, bool unitStrides = false)
      : body(body), builder(builder), scalars(scalars),
        unitStrides(unitStrides) {}

  /// Computes what the iterations share and adds it to `scalars`.
  void emitShared();

  /// The loop-carried values after the chunk; null ones have none before it.
  llvm::SmallVector<mlir::Value> emit(const Chunk &chunk,
                                      llvm::ArrayRef<mlir::Value> carried);
  /// The chunk's elements of the output, updated instead of loaded and stored.
  mlir::Value emitUpdate(const Chunk &chunk, mlir::Value output);
  /// For a body with a `given` value, whose lanes are passed.
  void emitGiven(const Chunk &chunk, mlir::Value given);

private:
  void emitOps();
  mlir::Value emitScalar(mlir::Operation &op);
  bool isReducedNumber(mlir::Operation &op) const;
  mlir::Value widen(mlir::Value value);
  mlir::Value widenCoordinate(mlir::Value index);
  mlir::Value emitLoad(mlir::memref::LoadOp load);
  mlir::Value emitLane(mlir::Value value, mlir::Value iteration);
  mlir::Value emitLanes(mlir::memref::LoadOp load);
  mlir::Value emitGather(mlir::memref::LoadOp load);
  std::pair<mlir::Value, mlir::Value> flatten(mlir::memref::LoadOp load,
                                              mlir::Value memref);
  void emitStore(mlir::memref::StoreOp store);

  const VectorBody &body;
  mlir::OpBuilder &builder;
  mlir::IRMapping &scalars;
  bool unitStrides;
  Chunk chunk;
  /// The chunk of the output if it is held in a register.
  mlir::Value held;
  llvm::DenseMap<mlir::Value, mlir::Value> vectors;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> broadcasts;
};

/// A vector constant with all lanes equal.
mlir::Value buildSplat(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::TypedAttr value, int64_t lanes);

/// How an op combines two values in a reduction; nullopt for other ops.
std::optional<mlir::vector::CombiningKind>
getCombiningKind(mlir::Operation *op);

/// Where the accumulators of a reduction start.
mlir::TypedAttr getNeutral(mlir::Operation *combiner);

/// Whether the op, which may be null, combines values, and a reduction by it
/// that starts at `start` starts where accumulators do: then any part of the
/// terms may be reduced apart, from the same start.
bool startsNeutral(mlir::Operation *combiner, mlir::Attribute start);
bool startsNeutral(mlir::Operation *combiner, mlir::Value start);

/// One step of a reduction.
mlir::Value buildCombine(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::vector::CombiningKind kind,
                         mlir::Value accumulated, mlir::Value term);

/// The reduction of all lanes of a vector to a scalar, complex or not.
mlir::Value buildReduction(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::vector::CombiningKind kind, mlir::Value vector,
                           bool complexLanes);

/// The constant mask of the first `active` lanes.
mlir::Value buildMask(mlir::OpBuilder &builder, mlir::Location loc,
                      int64_t active, int64_t lanes);

/// Accesses to a chunk of a memref's innermost dimension.
mlir::Value buildLoad(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value memref, mlir::ValueRange indices,
                      const Chunk &chunk);
void buildStore(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::Value vector, mlir::Value memref,
                mlir::ValueRange indices, const Chunk &chunk);

} // namespace tsgu

#endif // TSGU_TRANSFORMS_VECTORBODY_H
