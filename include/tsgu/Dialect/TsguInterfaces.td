//===- TsguInterfaces.td - What passes ask of ops ----------*- tablegen -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_INTERFACES_TD
#define TSGU_INTERFACES_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::tsgu";
  let description = [{
    An op with a differentiation rule in terms of other such ops. `stored` gives
    the tensor to read where the derivative needs a value of the program being
    differentiated. The rules are attached by `registerDifferentiationRules`.
  }];
  let methods = [
    InterfaceMethod<[{
        The contribution to the cotangent of `input`, given that of the result;
        sampled on the pattern of `input` if that is sparse. Null where it is
        zero; emits an error where there is none.
      }], "::mlir::FailureOr<::mlir::Value>", "buildCotangent",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::OpOperand &":$input,
           "::mlir::Value":$cotangent, "::tsgu::StoredValue":$stored)>,
    InterfaceMethod<[{
        The tangent of the result, given those of the operands (null: zero).
      }], "::mlir::FailureOr<::mlir::Value>", "buildTangent",
      (ins "::mlir::OpBuilder &":$builder,
           "::llvm::ArrayRef<::mlir::Value>":$tangents,
           "::tsgu::StoredValue":$stored)>,
  ];
}

def StepOpInterface : OpInterface<"StepOpInterface"> {
  let cppNamespace = "::tsgu";
  let description = [{
    An op that the runtime does, as the step of the same name: it reads the
    operands and writes the results, in their order. All that is sparse has one
    pattern.
  }];
  let methods = [
    InterfaceMethod<"The first sparse operand, or null.", "::mlir::Value", "getSparse",
                    (ins), "", [{
        return ::tsgu::detail::findSparse($_op->getOperands());
      }]>,
    InterfaceMethod<"What the step is told beside its buffers.",
                    "::llvm::SmallVector<int32_t>", "getNumbers", (ins), "",
                    [{ return {}; }]>,
    InterfaceMethod<[{
        The operand whose buffer the result may take, so that the step works in
        place; null: it may not.
      }], "::mlir::Value", "getOverwritten", (ins), "", [{ return {}; }]>,
  ];
}

def SolveOpInterface : OpInterface<"SolveOpInterface"> {
  let cppNamespace = "::tsgu";
  let description = [{
    What the ops that solve with a sparse matrix have in common: `result` is a
    function of op(matrix) and `rhs`, where op is `mode`. With a leading
    dimension more, they solve for each item of a batch.
  }];
  let methods = [
    InterfaceMethod<"The options.", "::mlir::Value", "getSolver">,
    InterfaceMethod<"The sparse matrix.", "::mlir::Value", "getMatrix">,
    InterfaceMethod<"A right-hand side in each column.", "::mlir::Value",
                    "getRhs">,
    InterfaceMethod<"Which op(matrix).", "::tsgu::Mode", "getMode">,
    InterfaceMethod<"Sets it.", "void", "setMode", (ins "::tsgu::Mode":$mode)>,
    InterfaceMethod<[{
        Of the matrix's rows (0) and columns (1), those as many as rows of rhs.
      }], "unsigned", "getRhsDim", (ins), "", [{
        return ::tsgu::isTransposed($_op.getMode()) ? 1 : 0;
      }]>,
    InterfaceMethod<[{
        Of the matrix's rows (0) and columns (1), those as many as rows of the
        result.
      }], "unsigned", "getResultDim", (ins), "", [{
        return ::tsgu::isTransposed($_op.getMode()) ? 0 : 1;
      }]>,
    InterfaceMethod<"Whether the matrix must be square.", "bool",
                    "needsSquare", (ins), "", [{ return false; }]>,
  ];
  let verify = [{ return ::tsgu::detail::verifySolve($_op); }];
}

def FactorOpInterface : OpInterface<"FactorOpInterface"> {
  let cppNamespace = "::tsgu";
  let description = [{
    What a factorisation of a square sparse matrix, or of each item of a batch,
    says beside solutions.
  }];
  let methods = [
    InterfaceMethod<"The method.", "::mlir::Value", "getSolver">,
    InterfaceMethod<"The sparse matrix.", "::mlir::Value", "getMatrix">,
  ];
  let verify = [{ return ::tsgu::detail::verifyFactor($_op); }];
}

#endif // TSGU_INTERFACES_TD
