//===- Signature.h - Do the operands of a call fit? -------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SRC_PROGRAM_SIGNATURE_H
#define TSGU_SRC_PROGRAM_SIGNATURE_H

#include "pattern/Pattern.h"
#include "tsgu/Manifest.h"

#include <array>
#include <span>

namespace tsgu::runtime {

// What a program may have at most.
inline constexpr int32_t maxSymbols = 64;
inline constexpr int32_t maxPatterns = 8;
inline constexpr int32_t maxOperands = 32;
inline constexpr int32_t maxDims = 8; ///< The one of a batch included.

/// Widths up to this one get kernels of their own.
inline constexpr int64_t maxExactWidth = 256;

struct Arguments {
  std::span<Pattern *const> patterns;
  std::span<const tsgu_tensor> operands;
};

/// What the operands of a call say about sizes and types.
struct Binding {
  std::array<int64_t, maxSymbols> sizes; ///< By symbol.
  int64_t batch = -1; ///< Length of the leading dimension; -1: there is none.
  ElementType valueType = ElementType::F64;
  ElementType indexType = ElementType::I32;
  ElementType derivedIndexType = ElementType::I32;
  std::array<uint8_t, maxPatterns> hollow{};  ///< By pattern.
  std::array<uint16_t, maxPatterns> blocks{}; ///< As tsgu_specialization's.

  int64_t items() const { return batch < 0 ? 1 : batch; }
};

/// Operands and result of a program.
class Signature {
public:
  /// Throws CompileFailed for a program beyond the limits above, or with a size
  /// that no operand has.
  explicit Signature(Manifest manifest);

  const Manifest &manifest() const { return m; }

  /// The symbols to whose values kernels are specialised.
  std::span<const int32_t> widths() const { return widthSymbols; }

  /// Sizes and types, not data. Throws InvalidArgument that names the operand
  /// and the sizes that do not fit.
  Binding bind(const Arguments &arguments) const;

  /// Writes at most maxDims extents; returns the rank.
  int32_t resultShape(const Binding &binding, int64_t *shape) const;

  /// Operands that are read have data that can be read; the result has the
  /// right type and shape, and overlaps neither itself nor an operand.
  void checkMemory(const Binding &binding, const Arguments &arguments,
                   const tsgu_tensor &result) const;

private:
  void bindPatterns(const Arguments &arguments, Binding &binding) const;
  void bindOperand(int32_t index, const Arguments &arguments,
                   Binding &binding) const;
  void bindSize(int32_t symbol, int64_t value, int32_t pattern, int32_t operand,
                int32_t dim, Binding &binding) const;
  [[noreturn]] void reportSize(int32_t symbol, int64_t value, int32_t pattern,
                               int32_t operand, int32_t dim,
                               const Binding &binding) const;
  std::string firstUse(int32_t symbol) const;
  void bindSolver(int32_t index, const tsgu_tensor &tensor) const;
  void bindTypes(const Arguments &arguments, Binding &binding) const;
  int32_t rankOf(const TensorInfo &info) const;
  int32_t symbolOf(const TensorInfo &info, int32_t dim) const;
  std::string nameOperand(int32_t index) const;

  Manifest m;
  std::vector<int32_t> widthSymbols;
};

/// Words of a solver operand.
inline constexpr int64_t solverWords = sizeof(tsgu_solver) / 8;
static_assert(sizeof(tsgu_solver) == 128);

/// The product of the extents; throws when it does not fit.
int64_t elementsOf(const tsgu_tensor &tensor);

/// Throws InvalidArgument, naming the tensor, unless there is data where there
/// are elements, and strides end in 1 and are not negative. Returns the bytes
/// from the first to the last element. `distinct`: no two indices may name one
/// element.
int64_t spanOf(const tsgu_tensor &tensor, bool distinct, const char *name);

/// "[3, 4]"
std::string shapeText(const tsgu_tensor &tensor);

} // namespace tsgu::runtime

#endif // TSGU_SRC_PROGRAM_SIGNATURE_H
