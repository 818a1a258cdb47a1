//===- FactorOps.td - What a factorisation says ------------*- tablegen -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_FACTOR_OPS_TD
#define TSGU_FACTOR_OPS_TD

include "tsgu/Dialect/SolveOps.td"

/// Of a square sparse matrix that the solver's method factorises: one that is
/// not direct is refused when the program runs.
class Tsgu_FactorBase<string mnemonic, list<Trait> traits = []>
    : Op<Tsgu_Dialect, mnemonic,
         !listconcat([Pure, FactorOpInterface, StepOpInterface], traits)> {
  let arguments = (ins Tsgu_SolverType:$solver, AnyRankedTensor:$matrix);
  let results = (outs AnyRankedTensor:$result);
}

class Tsgu_DeterminantBase<string mnemonic> : Tsgu_FactorBase<mnemonic> {
  let assemblyFormat = [{
    $solver `,` $matrix attr-dict `:` type($matrix) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Tsgu_LogDetOp : Tsgu_DeterminantBase<"logdet"> {
  let summary = "log |det A|; of a complex A log det A";
  let description = [{
    A number for each item. The imaginary part of a complex one is the phase, as
    an angle of at most pi. A singular matrix is an error.

    ```mlir
    %l = tsgu.logdet %solver, %A : tensor<?x?xf64, #CSR> -> tensor<f64>
    ```

    With g the cotangent of the result, g A^-H on the pattern of A is that of A
    (`tsgu.selected_inverse`).
  }];
}

def Tsgu_SignDetOp : Tsgu_DeterminantBase<"sign_det"> {
  let summary = "the sign of det A, for real A";
  let description = [{
    1 or -1 for each item; its derivative is zero. That of a complex
    determinant is exp(i Im log det A).
  }];
}

def Tsgu_SelectedInverseOp
    : Tsgu_FactorBase<"selected_inverse", [AllTypesMatch<["matrix", "result"]>]> {
  let summary = "A^-H on the pattern of A";
  let description = [{
    Entry (i, j) is the conjugate of entry (j, i) of the inverse.

    ```mlir
    %S = tsgu.selected_inverse %solver, %A : tensor<?x?xf64, #CSR>
    ```

    Its derivative in the direction D is -A^-H D^H A^-H on the pattern
    (`tsgu.selected_product`), which is self-adjoint.
  }];
  let assemblyFormat = "$solver `,` $matrix attr-dict `:` type($matrix)";
}

def Tsgu_SelectedProductOp
    : Tsgu_FactorBase<"selected_product",
                      [AllTypesMatch<["matrix", "direction", "result"]>]> {
  let summary = "A^-H D^H A^-H on the pattern of A and D";
  let description = [{
    D has the pattern of A. Linear in D, over the real numbers, and self-adjoint.
    Its derivative by A needs entries of A^-H beside the pattern, and is refused:
    a log-determinant has two derivatives, a selected inverse one.
  }];
  let arguments = (ins Tsgu_SolverType:$solver, AnyRankedTensor:$matrix,
                       AnyRankedTensor:$direction);
  let assemblyFormat = [{
    $solver `,` $matrix `,` $direction attr-dict `:` type($matrix)
  }];
  let hasFolder = 1;
}

def Tsgu_AdjointOp
    : Op<Tsgu_Dialect, "adjoint",
         [Pure, StepOpInterface, AllTypesMatch<["source", "result"]>]> {
  let summary = "A^H on the pattern of A";
  let description = [{
    Entry (i, j) is the conjugate of entry (j, i), for a pattern that has either
    both or none; another one is an error when the program runs. Linear over the
    real numbers, and self-adjoint.

    ```mlir
    %H = tsgu.adjoint %A : tensor<?x?xf64, #CSR>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // TSGU_FACTOR_OPS_TD
