//===- Program.h - Reading programs ----------------------------*- C++ -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the passes over programs need to know of them: which function is the
// program, which values share a pattern, and what a linalg.generic computes.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_DIALECT_PROGRAM_H
#define TSGU_DIALECT_PROGRAM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/IR/BuiltinOps.h"

namespace tsgu {

/// The program of a module: its one public function. Emits an error otherwise.
mlir::FailureOr<mlir::func::FuncOp> getProgram(mlir::ModuleOp module);

bool isSparse(mlir::Type type);
inline bool isSparse(mlir::Value value) { return isSparse(value.getType()); }

/// The name of the pattern of a sparse value of a program: given on arguments,
/// inherited through tsgu.zeros_like and the outs of an op. Null for a sparse
/// value that comes from elsewhere.
mlir::FlatSymbolRefAttr getPattern(mlir::Value value);

/// The first argument of the function on the pattern; null if there is none.
mlir::BlockArgument getPatternArgument(mlir::func::FuncOp function,
                                       mlir::FlatSymbolRefAttr pattern);

/// The function whose result an argument holds (tsgu.result_of); null if none.
mlir::FlatSymbolRefAttr getResultOf(mlir::BlockArgument argument);

/// How a linalg.generic combines the terms of its reduction loops.
/// MaxNumber and MinNumber pass over NaN.
enum class Reduction { None, Add, Max, Min, MaxNumber, MinNumber, LogAddExp };

/// The neutral element, with which the output of such a reduction starts.
mlir::TypedAttr getIdentity(Reduction reduction, mlir::Type type);

/// The body of a linalg.generic: `out = combine(out, term)`, or `out = term`.
struct Payload {
  Reduction reduction;
  mlir::Value term;
};

/// Emits an error when the body is neither.
mlir::FailureOr<Payload> getPayload(mlir::linalg::GenericOp op);

/// The tensor from which a reduction starts, and whose elements take part in it
/// like terms; null where it starts from the neutral element.
mlir::Value getStart(mlir::linalg::GenericOp op);

/// Whether the iteration space is restricted to stored entries.
bool isSampled(mlir::linalg::GenericOp op);
void setSampled(mlir::linalg::GenericOp op);

/// Whether a term is known to be zero wherever sparse operands are absent, so
/// that leaving absent entries out changes nothing.
bool annihilates(mlir::Value term,
                 llvm::function_ref<bool(mlir::BlockArgument)> isSparse);
bool annihilates(mlir::linalg::GenericOp op, mlir::Value term);

/// Turns every linalg op except fill into a linalg.generic.
mlir::LogicalResult generalizeNamedOps(mlir::func::FuncOp function);

} // namespace tsgu

#endif // TSGU_DIALECT_PROGRAM_H
