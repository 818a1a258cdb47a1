//===- ManifestAttr.cpp - The manifest in the IR --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dictionary with the field names of Manifest.h. `fields` names them once,
// for writing and for reading.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ManifestAttr.h"

#include "tsgu/Dialect/TsguDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace tsgu {

template <typename A> static void fields(A &a, Symbol &s) {
  a("name", s.name), a("stored_of", s.storedOf), a("fixed", s.fixed);
  a.optional("chunks_of", s.chunksOf), a.optional("long_rows_of", s.longRowsOf);
}
template <typename A> static void fields(A &a, PatternInfo &p) {
  a("name", p.name), a("shape", p.shape), a("stored", p.stored);
}
template <typename A> static void fields(A &a, LayoutInfo &l) {
  a("pattern", l.pattern), a("order", l.order), a("index", l.indexType);
}
template <typename A> static void fields(A &a, Buffer &b) {
  a("kind", b.kind), a("index", b.index);
}
template <typename A> static void fields(A &a, TensorInfo &t) {
  a("name", t.name), a("type", t.type), a("pattern", t.pattern);
  a("shape", t.shape), a("read", t.read), a("result_of", t.resultOf);
  a("solver", t.solver);
}
template <typename A> static void fields(A &a, ScratchInfo &s) {
  a("type", s.type), a("shape", s.shape);
}
template <typename A> static void fields(A &a, Argument &g) {
  a("role", g.role), a("layout", g.layout), a("buffer", g.buffer);
  a("shape", g.shape), a("slice", g.slice), a("written", g.written);
}
template <typename A> static void fields(A &a, SizeRef &s) {
  a("kind", s.kind), a("index", s.index), a("dim", s.dim);
}
template <typename A> static void fields(A &a, Partition &p) {
  a("loops", p.loops), a("parallel", p.parallel);
  a("weight_layout", p.weightLayout), a("proof", p.proof);
}
template <typename A> static void fields(A &a, DeviceMap &d) {
  a("block_threads", d.blockThreads), a("dense_lanes", d.denseLanes);
  a("entry_lanes", d.entryLanes), a("serial", d.serial);
}
template <typename A> static void fields(A &a, Cost::Term &t) {
  a("factor", t.factor), a("symbols", t.symbols);
}
template <typename A> static void fields(A &a, Cost &c) {
  a("flops", c.flops), a("bytes", c.bytes);
}
template <typename A> static void fields(A &a, SolveInfo &s) {
  a("kind", s.kind), a("mode", s.mode), a("solver", s.solver);
  a("values", s.values), a("columns", s.columns);
}
template <typename A> static void fields(A &a, Stage &s) {
  a("kind", s.kind), a("name", s.name), a("arguments", s.arguments);
  a("sizes", s.sizes), a("partition", s.partition), a("cost", s.cost);
  a.optional("device", s.device);
  a("source", s.source), a("destination", s.destination);
  a("layout", s.layout), a("solve", s.solve);
}
template <typename A> static void fields(A &a, Manifest &m) {
  a("program", m.program), a("target", m.target), a("symbols", m.symbols);
  a("patterns", m.patterns), a("layouts", m.layouts);
  a("operands", m.operands), a("result", m.result), a("scratch", m.scratch);
  a("stages", m.stages);
}

namespace {

struct Write {
  Builder &builder;
  NamedAttrList list;

  template <typename T> void operator()(StringRef name, T &field) {
    list.set(name, attribute(field));
  }
  /// Left out where it says nothing.
  void optional(StringRef name, int32_t &field) {
    if (field != -1)
      (*this)(name, field);
  }
  void optional(StringRef name, DeviceMap &field) {
    if (field.blockThreads > 0)
      (*this)(name, field);
  }
  Attribute attribute(std::string &text) { return builder.getStringAttr(text); }
  Attribute attribute(bool value) { return builder.getBoolAttr(value); }
  Attribute attribute(double value) { return builder.getF64FloatAttr(value); }
  template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  Attribute attribute(T value) {
    return builder.getI64IntegerAttr(static_cast<int64_t>(value));
  }
  Attribute attribute(std::vector<int32_t> &values) {
    return builder.getDenseI32ArrayAttr(values);
  }
  template <typename T> Attribute attribute(std::vector<T> &values) {
    SmallVector<Attribute> elements;
    for (T &value : values)
      elements.push_back(attribute(value));
    return builder.getArrayAttr(elements);
  }
  template <typename T>
    requires std::is_class_v<T>
  Attribute attribute(T &value) {
    Write inner{builder, {}};
    fields(inner, value);
    return inner.list.getDictionary(builder.getContext());
  }
};

struct Read {
  DictionaryAttr dictionary;
  bool failed = false;

  template <typename T> void operator()(StringRef name, T &field) {
    Attribute attr = dictionary ? dictionary.get(name) : Attribute();
    if (!attr || !read(attr, field))
      failed = true;
  }
  template <typename T> void optional(StringRef name, T &field) {
    if (dictionary && dictionary.contains(name))
      (*this)(name, field);
  }
  bool read(Attribute attr, std::string &text) {
    auto string = dyn_cast<StringAttr>(attr);
    if (string)
      text = string.getValue().str();
    return static_cast<bool>(string);
  }
  bool read(Attribute attr, double &value) {
    auto number = dyn_cast<FloatAttr>(attr);
    if (number)
      value = number.getValueAsDouble();
    return static_cast<bool>(number);
  }
  template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  bool read(Attribute attr, T &value) {
    auto number = dyn_cast<IntegerAttr>(attr);
    if (number)
      value = static_cast<T>(std::is_same_v<T, bool>
                                 ? number.getValue().getZExtValue()
                                 : number.getValue().getSExtValue());
    return static_cast<bool>(number);
  }
  bool read(Attribute attr, std::vector<int32_t> &values) {
    auto array = dyn_cast<DenseI32ArrayAttr>(attr);
    if (array)
      values.assign(array.asArrayRef().begin(), array.asArrayRef().end());
    return static_cast<bool>(array);
  }
  template <typename T> bool read(Attribute attr, std::vector<T> &values) {
    auto array = dyn_cast<ArrayAttr>(attr);
    if (!array)
      return false;
    for (Attribute element : array)
      if (!read(element, values.emplace_back()))
        return false;
    return true;
  }
  template <typename T>
    requires std::is_class_v<T>
  bool read(Attribute attr, T &value) {
    Read inner{dyn_cast<DictionaryAttr>(attr)};
    fields(inner, value);
    return !inner.failed;
  }
};

} // namespace

void setManifest(ModuleOp module, const Manifest &manifest) {
  Builder builder(module.getContext());
  Manifest copy = manifest;
  module->setAttr(manifestAttr, Write{builder, {}}.attribute(copy));
}

FailureOr<Manifest> getManifest(ModuleOp module) {
  Manifest manifest;
  Attribute attr = module->getAttr(manifestAttr);
  if (!attr)
    return module.emitError("has no '")
           << manifestAttr << "'; run --tsgu-stage first";
  if (!Read{}.read(attr, manifest))
    return module.emitError("'") << manifestAttr << "' is not a manifest";
  return manifest;
}

} // namespace tsgu
