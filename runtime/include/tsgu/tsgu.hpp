//===- tsgu.hpp - The C API with C++ ownership and exceptions ---*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   auto A = tsgu::Pattern::csr<int32_t>({rows, columns}, positions, columns);
//   tsgu::Program spmm("spmm");
//   std::vector<float> C = spmm.compute<float>({A}, {values, {B, {columns,
//   p}}});
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_TSGU_HPP
#define TSGU_TSGU_HPP

#include "tsgu/Error.h"
#include "tsgu/tsgu.h"

#include <array>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tsgu {

/// Throws Error with the thread's last message unless the status is TSGU_OK.
inline void check(tsgu_status status) {
  if (status != TSGU_OK)
    throw Error(static_cast<Status>(status), tsgu_last_error());
}

/// The tsgu_type of float, double, int32_t or int64_t.
template <typename T> constexpr tsgu_type typeOf() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> ||
                std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t>);
  if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? TSGU_F32 : TSGU_F64;
  else
    return sizeof(T) == 4 ? TSGU_I32 : TSGU_I64;
}

/// A sparsity pattern; copies share it.
class Pattern {
public:
  /// Shape {rows, columns} or {items, rows, columns}; arrays as for
  /// tsgu_pattern_from_csr. Throws InvalidPattern.
  template <typename I>
  static Pattern csr(const std::vector<int64_t> &shape,
                     const std::vector<I> &positions,
                     const std::vector<I> &coordinates) {
    tsgu_pattern *pattern = nullptr;
    check(tsgu_pattern_from_csr(
        static_cast<int32_t>(shape.size()), shape.data(), typeOf<I>(),
        positions.data(), coordinates.data(),
        static_cast<int64_t>(coordinates.size()), &pattern));
    return Pattern(pattern);
  }

  /// One array of coordinates for each dimension, all equally long. Throws
  /// InvalidPattern.
  template <typename I>
  static Pattern coo(const std::vector<int64_t> &shape,
                     const std::vector<std::vector<I>> &coordinates) {
    if (coordinates.size() != shape.size())
      fail(Status::InvalidArgument, "a pattern of rank ", shape.size(),
           " needs as many arrays of coordinates, not ", coordinates.size());
    std::vector<const void *> pointers;
    for (const std::vector<I> &dimension : coordinates) {
      if (dimension.size() != coordinates[0].size())
        fail(Status::InvalidArgument, "one array of coordinates has ",
             coordinates[0].size(), " entries, another ", dimension.size());
      pointers.push_back(dimension.data());
    }
    const auto stored =
        coordinates.empty() ? 0 : static_cast<int64_t>(coordinates[0].size());
    tsgu_pattern *pattern = nullptr;
    check(tsgu_pattern_from_coo(static_cast<int32_t>(shape.size()),
                                shape.data(), typeOf<I>(), pointers.data(),
                                stored, &pattern));
    return Pattern(pattern);
  }

  tsgu_pattern_info info() const {
    tsgu_pattern_info info;
    tsgu_pattern_describe(get(), &info);
    return info;
  }

  tsgu_pattern *get() const { return pattern.get(); }

private:
  explicit Pattern(tsgu_pattern *owned)
      : pattern(owned, tsgu_pattern_release) {}
  std::shared_ptr<tsgu_pattern> pattern;
};

/// An operand or result in memory that the caller owns.
class View {
public:
  /// Row-major and contiguous.
  template <typename T>
  View(T *data, std::initializer_list<int64_t> shape)
      : View(data, typeOf<std::remove_const_t<T>>(), shape.begin(),
             static_cast<int32_t>(shape.size())) {}
  /// One dimension: the values of a pattern, or a vector.
  template <typename T>
  View(const std::vector<T> &values)
      : View(values.data(), {static_cast<int64_t>(values.size())}) {}
  template <typename T>
  View(const std::vector<T> &values, std::initializer_list<int64_t> shape)
      : View(values.data(), shape) {}

  /// What a solver operand takes.
  View(const tsgu_solver &solver)
      : View(&solver, TSGU_I64, std::array{solverWords}.data(), 1) {}

  /// Points into this view.
  tsgu_tensor tensor() const & {
    return {data, type, rank, shape.data(), strides.data()};
  }
  tsgu_tensor tensor() const && = delete;

  static constexpr int32_t maxRank = 8;
  static constexpr int64_t solverWords = sizeof(tsgu_solver) / sizeof(int64_t);

private:
  friend class Program;
  View(const void *data, tsgu_type type, const int64_t *extents, int32_t rank)
      : data(const_cast<void *>(data)), type(type), rank(rank) {
    if (rank > maxRank)
      fail(Status::InvalidArgument, "a tensor has at most ", maxRank,
           " dimensions, not ", rank);
    int64_t stride = 1;
    for (int32_t d = rank - 1; d >= 0; --d) {
      shape[d] = extents[d];
      strides[d] = stride;
      stride *= extents[d];
    }
  }

  void *data;
  tsgu_type type;
  int32_t rank;
  std::array<int64_t, maxRank> shape{}, strides{};
};

/// A program of the library, or one derived from it. Cheap to copy.
class Program {
public:
  /// "spmm", "spmm/vjp0", ... Throws CompileFailed.
  explicit Program(const std::string &path) {
    check(tsgu_program_open(path.c_str(), &program));
  }
  /// Compiled ahead of time.
  explicit Program(const tsgu_object &object) {
    check(tsgu_program_from_object(&object, &program));
  }

  /// Adds a program given as MLIR text under a new name. Throws CompileFailed.
  static void add(const std::string &name, const std::string &text) {
    check(tsgu_program_add(name.c_str(), text.c_str()));
  }

  std::vector<int64_t> inferShape(const std::vector<Pattern> &patterns,
                                  const std::vector<View> &operands) const {
    const Call call(patterns, operands);
    std::array<int64_t, View::maxRank> shape;
    int32_t rank = 0;
    check(tsgu_program_infer(program, call.patterns.data(), call.patternCount(),
                             call.operands.data(), call.operandCount(),
                             shape.data(), &rank));
    return {shape.begin(), shape.begin() + rank};
  }

  /// Overwrites the result, which overlaps no operand. Throws InvalidArgument
  /// or CompileFailed.
  void run(const std::vector<Pattern> &patterns,
           const std::vector<View> &operands, const View &result,
           const tsgu_executor *executor = nullptr) const {
    const Call call(patterns, operands);
    const tsgu_tensor output = result.tensor();
    check(tsgu_program_run(program, call.patterns.data(), call.patternCount(),
                           call.operands.data(), call.operandCount(), &output,
                           executor));
  }

  /// The result in memory of its own, row-major; T is its element type.
  template <typename T>
  std::vector<T> compute(const std::vector<Pattern> &patterns,
                         const std::vector<View> &operands) const {
    const std::vector<int64_t> shape = inferShape(patterns, operands);
    int64_t elements = 1;
    for (int64_t extent : shape)
      elements *= extent;
    std::vector<T> result(static_cast<size_t>(elements));
    run(patterns, operands,
        View(result.data(), typeOf<T>(), shape.data(),
             static_cast<int32_t>(shape.size())));
    return result;
  }

  /// JSON, as tsgu_program_signature.
  const char *signature() const { return tsgu_program_signature(program); }

private:
  struct Call {
    Call(const std::vector<Pattern> &from, const std::vector<View> &views) {
      for (const Pattern &pattern : from)
        patterns.push_back(pattern.get());
      for (const View &view : views)
        operands.push_back(view.tensor());
    }
    int32_t patternCount() const {
      return static_cast<int32_t>(patterns.size());
    }
    int32_t operandCount() const {
      return static_cast<int32_t>(operands.size());
    }
    std::vector<tsgu_pattern *> patterns;
    std::vector<tsgu_tensor> operands;
  };

  tsgu_program *program = nullptr;
};

} // namespace tsgu

#endif // TSGU_TSGU_HPP
