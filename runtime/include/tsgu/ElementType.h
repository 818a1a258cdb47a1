//===- ElementType.h - The types of values and indices ----------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the runtime, the compiler and the PyTorch operators know of a type
// stands in one table. A type that is not in it is refused where it enters.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ELEMENTTYPE_H
#define TSGU_ELEMENTTYPE_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tsgu {

/// Values of the C type `tsgu_type`.
enum class ElementType : uint8_t {
  F32 = 0,
  F64 = 1,
  I32 = 2,
  I64 = 3,
  C64 = 4,
  C128 = 5,
  F16 = 6,
  BF16 = 7
};

struct TypeInfo {
  enum Kind : uint8_t { Real, Complex, Index };
  const char *name;
  int64_t size; ///< Bytes of one element.
  Kind kind;
  ElementType computed; ///< What elements are computed and summed in; results
                        ///< are rounded to the type once, as they are stored.
};

/// By ElementType.
inline constexpr TypeInfo typeTable[] = {
    {"f32", 4, TypeInfo::Real, ElementType::F32},
    {"f64", 8, TypeInfo::Real, ElementType::F64},
    {"i32", 4, TypeInfo::Index, ElementType::I32},
    {"i64", 8, TypeInfo::Index, ElementType::I64},
    {"c64", 8, TypeInfo::Complex, ElementType::C64},
    {"c128", 16, TypeInfo::Complex, ElementType::C128},
    {"f16", 2, TypeInfo::Real, ElementType::F32},
    {"bf16", 2, TypeInfo::Real, ElementType::F32},
};
inline constexpr size_t typeCount = sizeof(typeTable) / sizeof(TypeInfo);

/// For messages: the types of values, and those that solvers compute in.
inline constexpr const char *valueTypes = "f32, f64, f16, bf16, c64 or c128";
inline constexpr const char *solverTypes = "f32, f64, c64 or c128";

/// Whether a number that arrives as a type is one.
constexpr bool isKnownType(int64_t type) {
  return type >= 0 && type < static_cast<int64_t>(typeCount);
}

constexpr const TypeInfo &infoOf(ElementType type) {
  constexpr TypeInfo const &none = typeTable[1];
  return isKnownType(static_cast<int64_t>(type))
             ? typeTable[static_cast<size_t>(type)]
             : none;
}

constexpr int64_t elementSize(ElementType type) { return infoOf(type).size; }

constexpr const char *elementName(ElementType type) {
  return isKnownType(static_cast<int64_t>(type)) ? infoOf(type).name
                                                 : "no type";
}

/// Whether values may be of this type: real or complex.
constexpr bool isFloat(ElementType type) {
  return isKnownType(static_cast<int64_t>(type)) &&
         infoOf(type).kind != TypeInfo::Index;
}

constexpr bool isComplexType(ElementType type) {
  return isKnownType(static_cast<int64_t>(type)) &&
         infoOf(type).kind == TypeInfo::Complex;
}

/// Whether values of this type are summed in another one.
constexpr bool isNarrow(ElementType type) {
  return infoOf(type).computed != type;
}

/// Whether solvers take values of this type.
constexpr bool isSolverType(ElementType type) {
  return isFloat(type) && !isNarrow(type);
}

/// The type of this name; `otherwise` where there is none.
constexpr ElementType typeNamed(std::string_view name, ElementType otherwise) {
  for (size_t i = 0; i < typeCount; ++i)
    if (name == typeTable[i].name)
      return static_cast<ElementType>(i);
  return otherwise;
}

} // namespace tsgu

#endif // TSGU_ELEMENTTYPE_H
