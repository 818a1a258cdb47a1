//===- Levels.cpp - Levels as encodings of sparse tensors -----------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/Levels.h"

using namespace mlir;
namespace st = mlir::sparse_tensor;

namespace tsgu {

static st::LevelType getLevelType(Level::Kind kind) {
  if (kind == Level::Singleton) // With coordinates of its own.
    return *st::buildLevelType(st::LevelFormat::Singleton,
                               {st::LevelPropNonDefault::SoA});
  auto format = kind == Level::Dense ? st::LevelFormat::Dense
                                     : st::LevelFormat::Compressed;
  return *st::buildLevelType(format, /*ordered=*/true, /*unique=*/true);
}

st::SparseTensorEncodingAttr
getEncoding(MLIRContext *context, ArrayRef<Level> levels, unsigned width) {
  SmallVector<st::LevelType> types;
  SmallVector<AffineExpr> dimensions;
  for (const Level &level : levels) {
    types.push_back(getLevelType(level.kind));
    dimensions.push_back(getAffineDimExpr(level.dimension, context));
  }
  return st::SparseTensorEncodingAttr::get(
      context, types, AffineMap::get(levels.size(), 0, dimensions, context),
      AffineMap(), width, width);
}

Levels getLevels(st::SparseTensorEncodingAttr encoding) {
  Levels levels;
  AffineMap map = encoding.getDimToLvl();
  if (!map.isPermutation())
    return {};
  for (unsigned level = 0; level < map.getNumResults(); ++level) {
    st::LevelType type = encoding.getLvlType(level);
    Level::Kind kind = st::isDenseLT(type)       ? Level::Dense
                       : st::isSingletonLT(type) ? Level::Singleton
                                                 : Level::Compressed;
    bool fits = kind == Level::Singleton
                    ? level > 0 && levels.back().kind == Level::Compressed &&
                          level + 1 == map.getNumResults()
                    : levels.empty() || levels.back().kind == Level::Dense ||
                          kind == Level::Compressed;
    if (type != getLevelType(kind) || !fits)
      return {};
    levels.push_back({static_cast<int32_t>(map.getDimPosition(level)), kind});
  }
  if (levels.back().kind == Level::Dense)
    return {};
  return levels;
}

} // namespace tsgu
