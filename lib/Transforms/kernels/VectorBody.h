//===- VectorBody.h - Loop bodies at vector width ---------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TRANSFORMS_KERNELS_VECTORBODY_H
#define TSGU_TRANSFORMS_KERNELS_VECTORBODY_H

#include "kernels/KernelLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tsgu {

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
  /// Gathers of more lanes are slower than as many loads (up to twice, Zen 5).
  static constexpr int64_t mostGathered = 8;
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
  unsigned getGathers() const { return gathers; }
  /// The gathers from rows of a matrix, which lie a leading stride apart.
  llvm::ArrayRef<mlir::memref::LoadOp> getStridedGathers() const {
    return stridedGathers;
  }
  /// Whether it calls functions that cost more than loading their arguments.
  bool hasMathCalls() const { return mathCalls; }

  /// Whether only long rows are worth the gathers.
  bool needsLongRows() const { return gathers && !mathCalls; }
  /// From how many entries on they are: with one, and with several.
  int64_t getLongRow() const { return gathers > 1 ? 64 : 8; }
  /// Iterations at once: at most as many as are gathered, where little else is
  /// done.
  int64_t getChunk(unsigned vectorBits) const {
    const int64_t all = getLanes(vectorBits);
    return needsLongRows() ? std::min(all, mostGathered) : all;
  }
  /// Sums of their own that a short row has.
  static constexpr int64_t apart = 4;

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
  unsigned gathers = 0;
  bool mathCalls = false;
};

} // namespace tsgu

#endif // TSGU_TRANSFORMS_KERNELS_VECTORBODY_H
