//===- Compiler.h - Programs to object files -------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_ENGINE_COMPILER_H
#define TSGU_ENGINE_COMPILER_H

#include "tsgu/CompilerInterface.h"
#include "tsgu/Manifest.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <mutex>

namespace tsgu {

/// The CPU that kernels are compiled for. On a device it runs what is around
/// them, and the emulator.
struct Target {
  std::string triple, cpu, features;
  unsigned vectorBits = 128;

  static Target host();
  /// By LLVM's name for it, such as "x86-64-v3".
  static llvm::Expected<Target> named(llvm::StringRef cpu);
  std::string describe() const { return cpu + " " + features; }
};

/// Derives and compiles programs. A path is a program's name followed by
/// derivations: "spmm/batch/vjp0/jvp1" is the tangent, by operand 1, of the
/// gradient, by operand 0, of the batched product. Of a program with several
/// results, the first derivation is one of them, "result0" or "result1".
/// "device/scan" is a library of device kernels. All functions may be called
/// from any thread, and work on one program at a time.
class Compiler {
public:
  Compiler();
  ~Compiler();

  /// Adds a program. The same text may be added again under its name.
  llvm::Error addProgram(llvm::StringRef name, llvm::StringRef text);

  /// The text of the program with which a path begins.
  llvm::Expected<std::string> getText(llvm::StringRef path);

  /// The operands, symbols and result of a program, without stages.
  llvm::Expected<Manifest> getSignature(llvm::StringRef path);

  /// The program as MLIR text.
  llvm::Expected<std::string> getDerived(llvm::StringRef path);

  /// An object file, for the host, with the constant `tsgu_object` under
  /// getSymbol(path).
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
  compile(llvm::StringRef path, const tsgu_specialization &specialization,
          const Target &target);

  /// The path with '_' for '/'.
  static std::string getSymbol(llvm::StringRef path);

private:
  struct State; // Keeps MLIR out of this header.
  std::unique_ptr<State> state;
  std::mutex mutex;
};

} // namespace tsgu

#endif // TSGU_ENGINE_COMPILER_H
