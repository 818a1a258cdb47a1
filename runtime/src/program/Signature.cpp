//===- Signature.cpp - Do the operands of a call fit? ---------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/Signature.h"

#include <algorithm>

namespace tsgu::runtime {

std::string shapeText(const tsgu_tensor &tensor) {
  std::string text = "[";
  for (int32_t d = 0; d < tensor.rank; ++d)
    text += (d ? ", " : "") + std::to_string(tensor.shape[d]);
  return text + "]";
}

Signature::Signature(Manifest manifest) : m(std::move(manifest)) {
  auto limit = [&](size_t count, int32_t most, const char *what) {
    if (count > static_cast<size_t>(most))
      fail(Status::CompileFailed, m.program, " has ", count, ' ', what,
           "; this runtime carries at most ", most);
  };
  limit(m.symbols.size(), maxSymbols, "sizes");
  limit(m.patterns.size(), maxPatterns, "patterns");
  limit(m.operands.size(), maxOperands, "operands");
  for (const TensorInfo &operand : m.operands)
    limit(operand.shape.size(), maxDims - 1, "dimensions in one operand");
  limit(m.result.shape.size(), maxDims - 1, "dimensions in its result");
  for (const ScratchInfo &scratch : m.scratch)
    limit(scratch.shape.size(), maxDims - 1, "dimensions in one buffer");

  std::vector<bool> bound(m.symbols.size()), ofPattern(m.symbols.size());
  for (const PatternInfo &pattern : m.patterns) {
    ofPattern[pattern.stored] = true;
    for (int32_t symbol : pattern.shape)
      ofPattern[symbol] = true;
  }
  for (size_t s = 0; s < m.symbols.size(); ++s)
    if (m.symbols[s].chunksOf >= 0 || m.symbols[s].longRowsOf >= 0 ||
        m.symbols[s].nodesOf >= 0)
      ofPattern[s] = true;
  for (const TensorInfo &operand : m.operands)
    for (int32_t d = 0; d < rankOf(operand); ++d)
      bound[symbolOf(operand, d)] = true;
  for (size_t s = 0; s < m.symbols.size(); ++s) {
    if (!bound[s] && !ofPattern[s])
      fail(Status::CompileFailed, m.program, " depends on the size ",
           m.symbols[s].name, ", which no operand has");
    if (!ofPattern[s])
      widthSymbols.push_back(static_cast<int32_t>(s));
  }
}

/// A sparse tensor is passed as its values. A solver has no sizes.
int32_t Signature::rankOf(const TensorInfo &info) const {
  return info.pattern >= 0 ? 1 : static_cast<int32_t>(info.shape.size());
}

int32_t Signature::symbolOf(const TensorInfo &info, int32_t dim) const {
  return info.pattern >= 0 ? m.patterns[info.pattern].stored : info.shape[dim];
}

std::string Signature::nameOperand(int32_t index) const {
  return "operand " + m.operands[index].name + " of " + m.program;
}

/// Where a symbol got its value: patterns come before operands.
std::string Signature::firstUse(int32_t symbol) const {
  for (const PatternInfo &pattern : m.patterns) {
    if (pattern.stored == symbol)
      return "the stored entries of pattern " + pattern.name;
    for (size_t d = 0; d < pattern.shape.size(); ++d)
      if (pattern.shape[d] == symbol)
        return "dimension " + std::to_string(d) + " of pattern " + pattern.name;
  }
  for (const TensorInfo &operand : m.operands)
    for (int32_t d = 0; d < rankOf(operand); ++d)
      if (symbolOf(operand, d) == symbol)
        return "dimension " + std::to_string(d) + " of " + operand.name;
  return "nothing";
}

void Signature::reportSize(int32_t symbol, int64_t value, int32_t pattern,
                           int32_t operand, int32_t dim,
                           const Binding &binding) const {
  std::string who =
      pattern >= 0 ? "pattern " + m.patterns[pattern].name + " of " + m.program
                   : nameOperand(operand);
  who += dim < 0 ? ": the number of stored entries"
                 : ": dimension " + std::to_string(dim);
  if (value < 0)
    fail(Status::InvalidArgument, who, " is ", value,
         "; extents are not negative");
  if (m.symbols[symbol].fixed > 0 && value != m.symbols[symbol].fixed)
    fail(Status::InvalidArgument, who, " is ", value,
         ", but the program was compiled for ", m.symbols[symbol].name, " = ",
         m.symbols[symbol].fixed);
  fail(Status::InvalidArgument, who, " is ", value, ", but ",
       m.symbols[symbol].name, " is ", binding.sizes[symbol], " according to ",
       firstUse(symbol));
}

void Signature::bindSize(int32_t symbol, int64_t value, int32_t pattern,
                         int32_t operand, int32_t dim, Binding &binding) const {
  int64_t &size = binding.sizes[symbol];
  if (size < 0)
    size = value;
  const int64_t fixed = m.symbols[symbol].fixed;
  if (value < 0 || size != value || (fixed > 0 && fixed != value))
    reportSize(symbol, value, pattern, operand, dim, binding);
}

void Signature::bindPatterns(const Arguments &arguments,
                             Binding &binding) const {
  if (arguments.patterns.size() != m.patterns.size())
    fail(Status::InvalidArgument, m.program, " takes ", m.patterns.size(),
         " patterns, not ", arguments.patterns.size());
  for (size_t p = 0; p < m.patterns.size(); ++p) {
    const PatternInfo &info = m.patterns[p];
    const Pattern *pattern = arguments.patterns[p];
    if (!pattern)
      fail(Status::InvalidArgument, "pattern ", info.name, " of ", m.program,
           " is NULL");
    if (pattern->rank() != static_cast<int32_t>(info.shape.size()))
      fail(Status::InvalidArgument, "pattern ", info.name, " of ", m.program,
           " has rank ", pattern->rank(), "; it must be ", info.shape.size());
    for (int32_t d = 0; d < pattern->rank(); ++d)
      bindSize(info.shape[d], pattern->extent(d), static_cast<int32_t>(p), -1,
               d, binding);
    bindSize(info.stored, pattern->stored(), static_cast<int32_t>(p), -1, -1,
             binding);
    binding.hollow[p] = arguments.patterns[p]->hollow();
    const BlockShape block = arguments.patterns[p]->blocks();
    if (block.rows > 1)
      binding.blocks[p] =
          static_cast<uint16_t>(block.rows | block.columns << 8);
    if (p == 0) {
      binding.indexType = pattern->indexType();
      binding.derivedIndexType = pattern->derivedIndexType();
    } else if (binding.indexType != pattern->indexType() ||
               binding.derivedIndexType != pattern->derivedIndexType()) {
      fail(Status::InvalidArgument, "the patterns ", m.patterns[0].name,
           " and ", info.name, " of ", m.program,
           " have indices of different types; give both int64 indices");
    }
  }
}

void Signature::bindOperand(int32_t index, const Arguments &arguments,
                            Binding &binding) const {
  const TensorInfo &info = m.operands[index];
  const tsgu_tensor &tensor = arguments.operands[index];
  if (info.solver)
    return bindSolver(index, tensor);
  const int32_t rank = rankOf(info);
  if (tensor.rank != rank && tensor.rank != rank + 1)
    fail(Status::InvalidArgument, nameOperand(index), " has rank ", tensor.rank,
         "; it must be ", rank, ", or ", rank + 1, " with a leading batch",
         info.pattern >= 0 ? " (a sparse operand is passed as its values)"
                           : "");
  if (tensor.rank > 0 && !tensor.shape)
    fail(Status::InvalidArgument, nameOperand(index), " has no shape");
  if (!isKnownType(tensor.type))
    fail(Status::InvalidArgument, nameOperand(index), " has the unknown type ",
         static_cast<int>(tensor.type));
  const int32_t lead = tensor.rank - rank;
  if (lead) {
    if (binding.batch < 0)
      binding.batch = tensor.shape[0];
    if (binding.batch != tensor.shape[0] || tensor.shape[0] < 0)
      fail(Status::InvalidArgument, nameOperand(index), " has a batch of ",
           tensor.shape[0], " (shape ", shapeText(tensor), "), but ",
           binding.batch == tensor.shape[0]
               ? "lengths are not negative"
               : "operands before it have one of " +
                     std::to_string(binding.batch));
  }
  for (int32_t d = 0; d < rank; ++d)
    bindSize(symbolOf(info, d), tensor.shape[lead + d], -1, index, lead + d,
             binding);
}

void Signature::bindSolver(int32_t index, const tsgu_tensor &tensor) const {
  const bool fits = tensor.type == TSGU_I64 && tensor.rank == 1 &&
                    tensor.shape && tensor.shape[0] == solverWords;
  if (!fits)
    fail(Status::InvalidArgument, nameOperand(index),
         " must be a solver: a tsgu_solver, ", solverWords,
         " words, passed as i64");
}

void Signature::bindTypes(const Arguments &arguments, Binding &binding) const {
  int32_t decides = -1; // The operand that gave valueType.
  for (size_t i = 0; i < m.operands.size(); ++i) {
    const TensorInfo &info = m.operands[i];
    const auto type = static_cast<ElementType>(arguments.operands[i].type);
    if (!info.read || info.solver)
      continue;
    if (isFloat(info.type) != isFloat(type) ||
        (!isFloat(type) && type != info.type))
      fail(Status::InvalidArgument, nameOperand(static_cast<int32_t>(i)),
           " is ", elementName(type), "; it must be ",
           isFloat(info.type) ? valueTypes : elementName(info.type));
    if (!isFloat(type))
      continue;
    if (decides < 0) {
      decides = static_cast<int32_t>(i);
      binding.valueType = type;
    }
    if (type != binding.valueType)
      fail(Status::InvalidArgument, nameOperand(static_cast<int32_t>(i)),
           " is ", elementName(type), ", but ", m.operands[decides].name,
           " is ", elementName(binding.valueType),
           "; convert one, all operands have one floating-point type");
  }
  for (size_t i = 0; decides < 0 && i < m.operands.size(); ++i)
    if (auto type = static_cast<ElementType>(arguments.operands[i].type);
        isFloat(m.operands[i].type) && isFloat(type))
      binding.valueType = type, decides = static_cast<int32_t>(i);
  const bool solves =
      std::any_of(m.operands.begin(), m.operands.end(),
                  [](const TensorInfo &info) { return info.solver; });
  if (solves && isNarrow(binding.valueType))
    fail(Status::InvalidArgument, nameOperand(decides), " is ",
         elementName(binding.valueType), ", and solves compute in ",
         solverTypes, "; convert it");
}

Binding Signature::bind(const Arguments &arguments) const {
  Binding binding;
  std::fill_n(binding.sizes.begin(), m.symbols.size(), -1);
  bindPatterns(arguments, binding);
  if (arguments.operands.size() != m.operands.size())
    fail(Status::InvalidArgument, m.program, " takes ", m.operands.size(),
         " operands, not ", arguments.operands.size());
  for (size_t i = 0; i < m.operands.size(); ++i)
    bindOperand(static_cast<int32_t>(i), arguments, binding);
  bindTypes(arguments, binding);
  return binding;
}

int32_t Signature::resultShape(const Binding &binding, int64_t *shape) const {
  int32_t rank = 0;
  if (binding.batch >= 0)
    shape[rank++] = binding.batch;
  for (int32_t d = 0; d < rankOf(m.result); ++d)
    shape[rank++] = binding.sizes[symbolOf(m.result, d)];
  return rank;
}

int64_t elementsOf(const tsgu_tensor &tensor) {
  int64_t elements = 1;
  for (int32_t d = 0; d < tensor.rank; ++d)
    if (tensor.shape[d] == 0)
      return 0;
  for (int32_t d = 0; d < tensor.rank; ++d)
    elements = multiply(elements, tensor.shape[d]);
  return elements;
}

/// Checks data and strides; returns the bytes from the first to the last
/// element. `distinct`: no two indices may name one element. `name` is called
/// only for a message.
template <typename Name>
static int64_t spanOf(const tsgu_tensor &tensor, bool distinct, Name &&name) {
  if (elementsOf(tensor) == 0)
    return 0;
  const int64_t size = elementSize(static_cast<ElementType>(tensor.type));
  if (!tensor.data)
    fail(Status::InvalidArgument, name(), " has no data");
  if (reinterpret_cast<uintptr_t>(tensor.data) % size != 0)
    fail(Status::InvalidArgument, name(), " is not aligned to its ", size,
         "-byte elements");
  if (tensor.rank > 0 && !tensor.strides)
    fail(Status::InvalidArgument, name(), " has no strides");
  int64_t span = 1;
  for (int32_t d = tensor.rank - 1; d >= 0; --d) {
    if (tensor.shape[d] == 1)
      continue;
    const int64_t stride = tensor.strides[d];
    if (stride < 0 || (d == tensor.rank - 1 && stride != 1))
      fail(Status::InvalidArgument, name(), ": the stride of dimension ", d,
           " is ", stride,
           "; the last one must be 1, the others not negative: ",
           "pass a contiguous copy");
    if (distinct && stride < span)
      fail(Status::InvalidArgument, name(), ": the stride of dimension ", d,
           " is ", stride, ", so that elements overlap; it must be at least ",
           span);
    span = add(span, multiply(tensor.shape[d] - 1, stride));
  }
  return multiply(span, size);
}

int64_t spanOf(const tsgu_tensor &tensor, bool distinct, const char *name) {
  return spanOf(tensor, distinct, [&] { return name; });
}

void Signature::checkMemory(const Binding &binding, const Arguments &arguments,
                            const tsgu_tensor &result) const {
  auto resultName = [&] { return "the result of " + m.program; };
  int64_t shape[maxDims];
  const int32_t rank = resultShape(binding, shape);
  const ElementType type =
      isFloat(m.result.type) ? binding.valueType : m.result.type;
  if (static_cast<ElementType>(result.type) != type)
    fail(Status::InvalidArgument, resultName(), " is ", elementName(type),
         "; its buffer has another type");
  const bool sameRank = result.rank == rank && (rank == 0 || result.shape);
  if (!sameRank || !std::equal(shape, shape + rank, result.shape)) {
    tsgu_tensor right{nullptr, TSGU_F32, rank, shape, nullptr};
    fail(Status::InvalidArgument, resultName(), " has shape ", shapeText(right),
         "; its buffer has ",
         sameRank ? shapeText(result) : "another rank, or no shape");
  }
  const int64_t bytes = spanOf(result, true, resultName);
  const auto begin = reinterpret_cast<uintptr_t>(result.data);
  for (size_t i = 0; i < m.operands.size(); ++i) {
    if (!m.operands[i].read)
      continue;
    const tsgu_tensor &operand = arguments.operands[i];
    auto name = [&] { return nameOperand(static_cast<int32_t>(i)); };
    const int64_t length = spanOf(operand, false, name);
    const auto from = reinterpret_cast<uintptr_t>(operand.data);
    if (length && bytes && from < begin + bytes && begin < from + length)
      fail(Status::InvalidArgument, name(), " overlaps the result; ",
           "give the result memory of its own");
  }
}

} // namespace tsgu::runtime
