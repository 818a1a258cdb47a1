//===- ObjectLoader.cpp - Object files into the process -------------------===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tsgu/Engine/ObjectLoader.h"

#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

#include <cmath>

using namespace llvm;

namespace tsgu {

ObjectLoader::ObjectLoader() = default;
ObjectLoader::~ObjectLoader() = default;

/// What kernels may call: the functions of libm that a payload can name. They
/// are given by address, so that it does not matter what the process exports.
static orc::SymbolMap getMathSymbols(orc::LLJIT &jit) {
  orc::SymbolMap symbols;
  auto add = [&](StringRef name, auto *function) {
    symbols[jit.mangleAndIntern(name)] = {orc::ExecutorAddr::fromPtr(function),
                                          JITSymbolFlags::Exported |
                                              JITSymbolFlags::Callable};
  };
#define TSGU_UNARY(name)                                                       \
  add(#name, static_cast<double (*)(double)>(::name));                         \
  add(#name "f", static_cast<float (*)(float)>(::name##f))
#define TSGU_BINARY(name)                                                      \
  add(#name, static_cast<double (*)(double, double)>(::name));                 \
  add(#name "f", static_cast<float (*)(float, float)>(::name##f))
  TSGU_UNARY(exp);
  TSGU_UNARY(exp2);
  TSGU_UNARY(expm1);
  TSGU_UNARY(log);
  TSGU_UNARY(log2);
  TSGU_UNARY(log10);
  TSGU_UNARY(log1p);
  TSGU_UNARY(cbrt);
  TSGU_UNARY(sin);
  TSGU_UNARY(cos);
  TSGU_UNARY(tan);
  TSGU_UNARY(sinh);
  TSGU_UNARY(cosh);
  TSGU_UNARY(tanh);
  TSGU_UNARY(asin);
  TSGU_UNARY(acos);
  TSGU_UNARY(atan);
  TSGU_UNARY(asinh);
  TSGU_UNARY(acosh);
  TSGU_UNARY(atanh);
  TSGU_UNARY(erf);
  TSGU_UNARY(erfc);
  TSGU_UNARY(floor);
  TSGU_UNARY(ceil);
  TSGU_UNARY(round);
  TSGU_UNARY(trunc);
  TSGU_UNARY(sqrt);
  TSGU_BINARY(pow);
  TSGU_BINARY(atan2);
  TSGU_BINARY(fmod);
#undef TSGU_UNARY
#undef TSGU_BINARY
  add("roundeven", static_cast<double (*)(double)>(::nearbyint));
  add("roundevenf", static_cast<float (*)(float)>(::nearbyintf));
  // Filling and copying loops may become these.
  add("memset", static_cast<void *(*)(void *, int, size_t)>(::memset));
  add("memcpy", static_cast<void *(*)(void *, const void *, size_t)>(::memcpy));
  return symbols;
}

Expected<const tsgu_object *>
ObjectLoader::load(std::unique_ptr<MemoryBuffer> object, StringRef symbol) {
  if (!jit) {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    auto created = orc::LLJITBuilder().create();
    if (!created)
      return created.takeError();
    jit = std::move(*created);
    if (Error error = jit->getMainJITDylib().define(
            orc::absoluteSymbols(getMathSymbols(*jit))))
      return error;
  }
  // A library of its own each, for one program may come in many versions.
  auto library = jit->createJITDylib(("program" + Twine(loaded++)).str());
  if (!library)
    return library.takeError();
  library->addToLinkOrder(jit->getMainJITDylib());
  if (Error error = jit->addObjectFile(*library, std::move(object)))
    return error;
  auto address = jit->lookup(*library, symbol);
  if (!address)
    return address.takeError();
  return address->toPtr<const tsgu_object *>();
}

} // namespace tsgu
