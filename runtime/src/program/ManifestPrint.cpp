//===- ManifestPrint.cpp - Manifests as text ------------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "program/ManifestPrint.h"
#include "program/Step.h"

#include <algorithm>
#include <sstream>

namespace tsgu {

using namespace runtime;

namespace {

class Printer {
public:
  explicit Printer(const Manifest &manifest) : m(manifest) {
    out.exceptions(std::ios::badbit); // Not a text that ends early.
  }

  std::string run() {
    out << "program " << m.program;
    if (!m.target.empty())
      out << " for " << m.target;
    out << '\n';
    for (const Symbol &symbol : m.symbols)
      this->symbol(symbol);
    for (const PatternInfo &pattern : m.patterns)
      out << "  pattern " << pattern.name << ' ' << shape(pattern.shape) << ", "
          << name(pattern.stored) << " stored\n";
    for (size_t i = 0; i < m.layouts.size(); ++i)
      out << "  layout " << i << ": " << layout(static_cast<int32_t>(i))
          << '\n';
    for (const TensorInfo &operand : m.operands)
      tensor("operand", operand);
    tensor("result", m.result);
    for (size_t i = 0; i < m.scratch.size(); ++i)
      out << "  scratch " << i << ": " << elementName(m.scratch[i].type) << ' '
          << shape(m.scratch[i].shape) << '\n';
    for (const Stage &stage : m.stages)
      this->stage(stage);
    return out.str();
  }

  std::string layout(int32_t index) {
    const LayoutInfo &info = m.layouts[index];
    return m.patterns[info.pattern].name + " {" + tsgu::print(info.levels) +
           "} " + elementName(info.indexType);
  }

  std::string loops(const Partition &partition) {
    std::string text = partition.parallel
                           ? "parallel over " + list(partition.loops, ", ")
                           : "serial";
    if (partition.weightLayout >= 0)
      text += ", work by the rows of layout " +
              std::to_string(partition.weightLayout);
    return text + (partition.proof.empty() ? "" : ": ") + partition.proof;
  }

private:
  const std::string &name(int32_t symbol) { return m.symbols[symbol].name; }

  std::string list(const std::vector<int32_t> &symbols, const char *between) {
    std::string text;
    for (int32_t symbol : symbols)
      text += (text.empty() ? "" : between) + name(symbol);
    return text;
  }
  std::string shape(const std::vector<int32_t> &symbols) {
    return '[' + list(symbols, " x ") + ']';
  }

  void symbol(const Symbol &symbol) {
    out << "  size " << symbol.name;
    if (symbol.fixed > 0)
      out << " = " << symbol.fixed;
    if (symbol.storedOf >= 0)
      out << ", the stored entries of " << m.patterns[symbol.storedOf].name;
    if (symbol.chunksOf >= 0)
      out << ", the chunks of the long rows of layout " << symbol.chunksOf;
    if (symbol.longRowsOf >= 0)
      out << ", the long rows of layout " << symbol.longRowsOf;
    if (symbol.nodesOf >= 0)
      out << ", the nodes of the first level of layout " << symbol.nodesOf;
    out << '\n';
  }

  void tensor(const char *kind, const TensorInfo &info) {
    out << "  " << kind << ' ' << info.name << ": ";
    if (info.solver)
      out << "solver";
    else
      out << elementName(info.type) << ' ' << shape(info.shape);
    if (info.pattern >= 0)
      out << " on " << m.patterns[info.pattern].name;
    if (!info.read)
      out << ", not read";
    if (info.resultOf >= 0)
      out << ", a result of " << info.resultOf << " derivations before";
    out << '\n';
  }

  void argument(const Argument &argument, const Partition &partition) {
    static constexpr const char *roles[] = {
        "positions", "coordinates",        "values",
        "dense",     "rows of the chunks", "positions of the chunks",
        "long rows", "first chunks"};
    out << "    " << roles[argument.role] << ' ';
    if (argument.level >= 0)
      out << "of level " << argument.level << ' ';
    if (argument.role != Argument::Values && argument.role != Argument::Dense)
      out << "of layout " << argument.layout;
    else
      out << nameOf(m, argument.buffer);
    if (argument.role == Argument::Dense)
      out << ' ' << shape(argument.shape);
    for (size_t loop = 0; loop < argument.slice.size(); ++loop)
      if (argument.slice[loop] >= 0)
        out << ", dimension " << argument.slice[loop] << " follows "
            << name(partition.loops[loop]);
    out << (argument.written ? ", written\n" : "\n");
  }

  void size(const SizeRef &size, const Partition &partition) {
    if (size.kind == SizeRef::Extent)
      out << ' ' << name(size.index);
    else if (size.kind == SizeRef::Range)
      out << " range(" << name(partition.loops[size.index]) << ')';
    else if (size.kind == SizeRef::EntryLanes)
      out << " lanes";
    else if (size.kind == SizeRef::SplitLength)
      out << " split(" << size.index << ')';
    else
      out << " stride(" << size.index << ", " << size.dim << ')';
  }

  void cost(const char *what, const std::vector<Cost::Term> &terms) {
    out << "    " << what << ':';
    for (size_t i = 0; i < terms.size(); ++i) {
      out << (i ? " + " : " ") << terms[i].factor;
      if (!terms[i].symbols.empty())
        out << ' ' << list(terms[i].symbols, " ");
    }
    out << '\n';
  }

  void kernel(const Stage &stage) {
    const Partition &partition = stage.partition;
    out << "  kernel " << stage.name << '\n';
    for (const Argument &argument : stage.arguments)
      this->argument(argument, partition);
    out << "    sizes:";
    for (const SizeRef &size : stage.sizes)
      this->size(size, partition);
    out << "\n    " << loops(partition) << '\n';
    if (const DeviceMap &map = stage.device; map.blockThreads > 0) {
      out << "    blocks of " << map.blockThreads << " threads, ";
      if (map.serial)
        out << "of which the first does everything";
      else
        out << map.denseLanes << " by columns, up to " << map.entryLanes
            << " by entries";
      out << '\n';
    }
    cost("flops", stage.cost.flops);
    cost("bytes", stage.cost.bytes);
  }

  void stage(const Stage &stage) {
    if (stage.isKernel())
      return kernel(stage);
    out << "  " << stepNamed(stage.step.name).print({m, stage.step}) << '\n';
  }

  const Manifest &m;
  std::ostringstream out;
};

/// Bytes beyond ASCII are taken for Latin-1: always valid JSON.
std::string quoted(const std::string &text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string result = "\"";
  for (char character : text) {
    auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte >= 0x7f) {
      result += "\\u00";
      result += digits[byte >> 4];
      result += digits[byte & 15];
      continue;
    }
    if (byte == '"' || byte == '\\')
      result += '\\';
    result += character;
  }
  return result + '"';
}

std::string namesJSON(const Manifest &m, const std::vector<int32_t> &symbols) {
  std::string text = "[";
  for (size_t i = 0; i < symbols.size(); ++i)
    text += (i ? ", " : "") + quoted(m.symbols[symbols[i]].name);
  return text + "]";
}

std::string tensorJSON(const Manifest &m, const TensorInfo &info) {
  std::string text = "{\"name\": " + quoted(info.name) + ", \"pattern\": ";
  text += info.pattern < 0 ? "null" : quoted(m.patterns[info.pattern].name);
  text += ", \"shape\": " + namesJSON(m, info.shape) + ", \"read\": ";
  text += info.read ? "true" : "false";
  text += ", \"result_of\": ";
  text += info.resultOf < 0 ? "null" : std::to_string(info.resultOf);
  if (info.solver)
    text += ", \"solver\": true";
  return text + "}";
}

/// Of the stage's arguments or step, each once.
std::vector<int32_t> layoutsOf(const Stage &stage) {
  std::vector<int32_t> layouts;
  const auto add = [&](int32_t layout) {
    if (layout >= 0 && std::ranges::find(layouts, layout) == layouts.end())
      layouts.push_back(layout);
  };
  for (const Argument &argument : stage.arguments)
    add(argument.layout);
  if (!stage.isKernel())
    add(stage.step.layout);
  return layouts;
}

} // namespace

std::string runtime::fieldsJSON(const Manifest &manifest, const Stage &stage) {
  Printer printer(manifest);
  const bool kernel = stage.isKernel();
  std::string text = "\"program\": " + quoted(manifest.program);
  text += ", \"stage\": ";
  text +=
      quoted(kernel ? stage.name
                    : stepNamed(stage.step.name).print({manifest, stage.step}));
  text += ", \"kernel\": ";
  text += kernel ? "true" : "false";
  text += ", \"layouts\": [";
  const char *between = "";
  for (int32_t layout : layoutsOf(stage))
    text += between + quoted(printer.layout(layout)), between = ", ";
  text += "], \"partition\": ";
  return text + (kernel ? quoted(printer.loops(stage.partition)) : "\"\"");
}

std::string Manifest::print() const { return Printer(*this).run(); }

std::string Manifest::signatureJSON() const {
  std::string text = "{\"name\": " + quoted(program) + ", \"sizes\": [";
  for (size_t i = 0; i < symbols.size(); ++i)
    text += (i ? ", " : "") + quoted(symbols[i].name);
  text += "], \"patterns\": [";
  for (size_t i = 0; i < patterns.size(); ++i)
    text += (i ? ", " : "") + std::string("{\"name\": ") +
            quoted(patterns[i].name) +
            ", \"rank\": " + std::to_string(patterns[i].shape.size()) +
            ", \"shape\": " + namesJSON(*this, patterns[i].shape) + "}";
  text += "], \"operands\": [";
  for (size_t i = 0; i < operands.size(); ++i)
    text += (i ? ", " : "") + tensorJSON(*this, operands[i]);
  return text + "], \"result\": " + tensorJSON(*this, result) + "}";
}

} // namespace tsgu
