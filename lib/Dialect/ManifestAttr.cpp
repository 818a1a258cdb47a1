//===- ManifestAttr.cpp - The manifest in the IR --------------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dictionary by the names of ManifestFields.h.
//
//===----------------------------------------------------------------------===//

#include "tsgu/Dialect/ManifestAttr.h"

#include "tsgu/Dialect/TsguDialect.h"
#include "tsgu/ManifestFields.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace tsgu {

namespace {

struct Write {
  Builder builder;
  NamedAttrList list;

  template <typename T>
  void operator()(StringRef name, const T &field, FieldInfo about = {}) {
    if (!about.optional || !isAbsent(field, about))
      list.set(name, attribute(field));
  }
  static bool isAbsent(int32_t index, FieldInfo about) {
    return index == about.absent;
  }
  static bool isAbsent(const StepInfo &step, FieldInfo) {
    return step.name.empty();
  }
  static bool isAbsent(const DeviceMap &map, FieldInfo) {
    return map.blockThreads == 0;
  }
  static bool isAbsent(Partition::Within within, FieldInfo) {
    return within == Partition::Whole;
  }
  template <typename T> static bool isAbsent(const T &, FieldInfo) {
    return false;
  }
  Attribute attribute(const std::string &text) {
    return builder.getStringAttr(text);
  }
  Attribute attribute(bool value) { return builder.getBoolAttr(value); }
  Attribute attribute(double value) { return builder.getF64FloatAttr(value); }
  template <typename T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  Attribute attribute(T value) {
    return builder.getI64IntegerAttr(static_cast<int64_t>(value));
  }
  Attribute attribute(const std::vector<int32_t> &values) {
    return builder.getDenseI32ArrayAttr(values);
  }
  template <typename T> Attribute attribute(const std::vector<T> &values) {
    return builder.getArrayAttr(llvm::map_to_vector(
        values, [&](const T &value) { return attribute(value); }));
  }
  template <typename T>
    requires std::is_class_v<T>
  Attribute attribute(const T &value) {
    Write inner{builder, {}};
    fields(inner, value);
    return inner.list.getDictionary(builder.getContext());
  }
};

struct Read {
  DictionaryAttr dictionary;
  size_t known = 0; ///< Entries that are fields.
  bool failed = false;

  template <typename T>
  void operator()(StringRef name, T &field, FieldInfo about = {}) {
    Attribute attr = dictionary ? dictionary.get(name) : Attribute();
    known += attr != nullptr;
    if (attr ? !read(attr, field) : !about.optional)
      failed = true;
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
    if (!number)
      return false;
    if constexpr (std::is_enum_v<T>)
      if (number.getValue().ugt(static_cast<uint64_t>(lastOf(T()))))
        return false;
    value = static_cast<T>(std::is_same_v<T, bool>
                               ? number.getValue().getZExtValue()
                               : number.getValue().getSExtValue());
    return true;
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
    return inner.dictionary && !inner.failed &&
           inner.known == inner.dictionary.size();
  }
};

} // namespace

void setManifest(ModuleOp module, const Manifest &manifest) {
  Write write{Builder(module.getContext()), {}};
  module->setAttr(manifestAttr, write.attribute(manifest));
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
