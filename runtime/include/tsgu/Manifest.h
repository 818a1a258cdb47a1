//===- Manifest.h - The contract between compiler and runtime ---*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A manifest says what a compiled program computes with: its operands, the
// sizes they share, and the ordered stages (kernels and runtime steps) that
// produce the result. The compiler writes it into the object file, the runtime
// reads it from there, and `print` shows it. Nothing else is agreed between
// the two.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_MANIFEST_H
#define TSGU_MANIFEST_H

#include "tsgu/ElementType.h"
#include "tsgu/Level.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tsgu {

/// The version that `serialize` writes and `parse` accepts.
inline constexpr uint32_t manifestVersion = 7;

/// A size on which the program depends: the extent of a dimension, or the
/// number of stored entries of a pattern.
struct Symbol {
  std::string name;
  int32_t storedOf = -1;   ///< >= 0: the stored entries of this pattern.
  int64_t fixed = 0;       ///< > 0: the kernels are specialised to this value.
  int32_t chunksOf = -1;   ///< >= 0: the chunks of this layout's long rows.
  int32_t longRowsOf = -1; ///< >= 0: the long rows of this layout.
  int32_t nodesOf = -1;    ///< >= 0: the nodes of this layout's first level.
};

/// A sparsity pattern shared by operands and results.
struct PatternInfo {
  std::string name;
  std::vector<int32_t> shape; ///< Symbols, 2 or 3 of them.
  int32_t stored = -1;        ///< The symbol of the stored entries.
};

/// The storage of a pattern by levels, one for each dimension. The last one is
/// not dense, nor is any after a compressed one; only the last is a singleton
/// or of diagonals.
struct LayoutInfo {
  int32_t pattern = 0;
  Levels levels;
  ElementType indexType = ElementType::I32;
};

/// An operand, the result, or a scratch buffer of the program.
struct Buffer {
  enum Kind : uint8_t { Operand = 0, Result = 1, Scratch = 2 };
  Kind kind = Operand;
  int32_t index = 0;

  bool operator==(const Buffer &) const = default;
};

/// An operand or result as the caller sees it. A sparse one is passed as its
/// values, in canonical order.
struct TensorInfo {
  std::string name;
  ElementType type = ElementType::F64;
  int32_t pattern = -1;       ///< >= 0: sparse, on this pattern.
  std::vector<int32_t> shape; ///< Symbols of the logical dimensions.
  bool read = true;           ///< false: only its shape matters.
  int32_t resultOf = -1; ///< >= 0: holds the result of the program this one was
                         ///< derived from, or a cotangent that was given with
                         ///< it, after that many more derivations.
  bool solver = false; ///< A tsgu_solver; `type` is I64 and the shape is empty.
};

/// A buffer that Launch provides for the duration of one run.
struct ScratchInfo {
  ElementType type = ElementType::F64;
  std::vector<int32_t> shape; ///< Symbols; the elements are their product.
};

/// One pointer argument of a kernel.
struct Argument {
  enum Role : uint8_t {
    Positions = 0,
    Coordinates = 1,
    Values = 2,
    Dense = 3,
    // On devices: rows beyond SizeRef::SplitLength are cut into chunks.
    ChunkRows = 4,      ///< The row of each chunk, items' rows counted through.
    ChunkPositions = 5, ///< Where each chunk begins.
    LongRows = 6,       ///< The rows that are cut.
    LongPositions = 7   ///< From one long row's chunks to the next one's.
  };
  Role role = Dense;
  int32_t layout = -1; ///< All but Values and Dense: of this layout.
  int32_t level = -1;  ///< Positions and Coordinates: of this level of it.
  Buffer buffer;       ///< Values and Dense: where the data is.
  std::vector<int32_t>
      shape; ///< Dense: symbols, the last dimension contiguous.
  /// Dense, and Coordinates that a loop over stored entries cuts: for each
  /// partitioned loop the dimension that it indexes, or -1.
  std::vector<int32_t> slice;
  bool written = false;
};

/// One entry of a kernel's size list.
struct SizeRef {
  enum Kind : uint8_t {
    Extent = 0, ///< The value of symbol `index`.
    Range = 1,  ///< The iterations of partitioned loop `index` in this call.
    Stride = 2, ///< Elements between neighbours in dimension `dim` of the
                ///< Dense argument `index`.
    EntryLanes = 3, ///< DeviceMap: the logarithm of the threads by entries.
    SplitLength = 4 ///< Entries beyond which rows of layout `index` are cut.
  };
  Kind kind = Extent;
  int32_t index = 0;
  int32_t dim = 0;
};

/// The outermost loops of a kernel, which may be cut into ranges.
struct Partition {
  std::vector<int32_t> loops; ///< Symbols, outermost first: one, or batch+rows.
  bool parallel = false;      ///< Proven: no two iterations write one element.
  int32_t weightLayout = -1;  ///< Work is the stored entries of this layout's
                              ///< rows; -1: every iteration is alike.
  std::string proof;          ///< Why it is parallel, or why not.
  /// How parts of a row, each computed as a row, make up the row: its entries
  /// are written one by one, or its results combined. Whole: a row is not cut.
  enum Within : uint8_t { Whole, Entries, Add, Max, Min, MaxNumber, MinNumber };
  Within within = Whole;
};

/// How a kernel is spread over a device. A group of threads, denseLanes times
/// 2^EntryLanes of them and at most a warp, computes one iteration of the
/// partitioned loops together.
struct DeviceMap {
  int32_t blockThreads = 0; ///< 0: a kernel for the CPU.
  int32_t denseLanes = 1;   ///< Share the elements of dense rows.
  int32_t entryLanes = 1;   ///< At most so many share the stored entries of a
                          ///< row; the launch chooses by the rows' mean length.
  bool serial = false; ///< One thread does all iterations.
};

/// A sum of products of symbols, for cost formulas.
struct Cost {
  struct Term {
    double factor = 0;
    std::vector<int32_t> symbols;
  };
  std::vector<Term> flops;
  std::vector<Term> bytes; ///< Compulsory traffic: every byte once.
};

/// What the runtime does itself: the step of this name in program/steps. What
/// layout and numbers mean is the step's own; if that changes, so does
/// manifestVersion.
struct StepInfo {
  /// The steps that stand for no op of programs.
  static constexpr const char *permuteValues = "permute_values";
  static constexpr const char *fill = "fill";

  std::string name; ///< Empty: the stage is a kernel.
  int32_t layout = -1;
  std::vector<Buffer> reads, writes;
  std::vector<int32_t> numbers;
};

/// A runtime step, or the call of a kernel.
struct Stage {
  bool isKernel() const { return step.name.empty(); }

  StepInfo step;

  // Kernel.
  std::string name;
  std::vector<Argument> arguments;
  std::vector<SizeRef> sizes;
  Partition partition;
  DeviceMap device;
  Cost cost;
};

struct Manifest {
  std::string program; ///< Name and derivation, such as "spmm/vjp0".
  std::string target;  ///< CPU and features that the kernels were compiled for.
  std::vector<Symbol> symbols;
  std::vector<PatternInfo> patterns;
  std::vector<LayoutInfo> layouts;
  std::vector<TensorInfo> operands;
  TensorInfo result;
  bool onHost = false; ///< Of a signature: some steps are the CPU's alone.
  std::vector<ScratchInfo> scratch;
  std::vector<Stage>
      stages; ///< Empty in a signature (see CompilerInterface.h).

  /// Little-endian bytes: magic, version, total length, fields.
  std::vector<uint8_t> serialize() const;

  /// Reads what `serialize` wrote. Throws Error(CompileFailed) when the bytes
  /// are not a manifest of this version, are cut short, or refer to symbols,
  /// patterns, layouts or buffers that do not exist.
  static Manifest parse(const void *data, size_t size);

  /// For people: one line per operand, symbol and stage.
  std::string print() const;

  /// For programs: a JSON object with name, patterns, operands, result.
  std::string signatureJSON() const;
};

/// The type of a buffer's elements.
ElementType typeOf(const Manifest &manifest, const Buffer &buffer);

} // namespace tsgu

#endif // TSGU_MANIFEST_H
