//===- SolveOps.td - Solves as ops of programs -------------*- tablegen -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_SOLVE_OPS_TD
#define TSGU_SOLVE_OPS_TD

include "tsgu/Dialect/TsguBase.td"
include "tsgu/Dialect/TsguInterfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tsgu_SolverType : TypeDef<Tsgu_Dialect, "Solver"> {
  let mnemonic = "solver";
  let summary = "what a solver is told";
  let description = [{
    The method and its options (`tsgu_solver` in solvers.h): plain data, given
    to the program as an operand. Analyses, factors and preconditioners are kept
    with the pattern of a matrix and found again, so one solver serves a solve,
    its adjoint and their derivatives. It is no number: nothing is
    differentiated by it.
  }];
}

def Tsgu_Mode : I32EnumAttr<"Mode",
    "the matrix itself, transposed, adjoint or conjugated", [
    I32EnumAttrCase<"N", 0>, I32EnumAttrCase<"T", 1>, I32EnumAttrCase<"C", 2>,
    I32EnumAttrCase<"R", 3>]> {
  let cppNamespace = "::tsgu";
  let genSpecializedAttr = 0;
}
def Tsgu_ModeAttr : EnumAttr<Tsgu_Dialect, Tsgu_Mode, "mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Tsgu_Rank : I32EnumAttr<"Rank", "the full rank that a derivative may assume", [
    I32EnumAttrCase<"Column", 0, "column">, I32EnumAttrCase<"Row", 1, "row">]> {
  let cppNamespace = "::tsgu";
  let genSpecializedAttr = 0;
}
def Tsgu_RankAttr : EnumAttr<Tsgu_Dialect, Tsgu_Rank, "rank"> {
  let assemblyFormat = "`<` $value `>`";
}

class Tsgu_SolveBase<string mnemonic, string declarations = "">
    : Op<Tsgu_Dialect, mnemonic, [Pure, SolveOpInterface, StepOpInterface]> {
  dag common = (ins Tsgu_SolverType:$solver, AnyRankedTensor:$matrix,
                    AnyRankedTensor:$rhs,
                    DefaultValuedAttr<Tsgu_ModeAttr, "::tsgu::Mode::N">:$mode);
  let arguments = common;
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $solver `,` $matrix `,` $rhs (`mode` `` $mode^)? attr-dict
    `:` type($matrix) `,` type($rhs) `->` type($result)
  }];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = declarations # [{
    ::llvm::SmallVector<int32_t> getNumbers() {
      return {static_cast<int32_t>(getMode())};
    }
  }];
}

def Tsgu_TriangularSolveOp : Tsgu_SolveBase<"triangular_solve",
    [{ bool needsSquare() { return true; } }]> {
  let summary = "X = op(L)^-1 B, where L is a triangle of A";
  let description = [{
    The solver says which triangle, and whether its diagonal is stored or one.
    Entries on the other side are not read, and their derivative is zero.

    | | shape |
    |---|---|
    | A | n x n, sparse |
    | B, X | n x p |

    ```mlir
    %X = tsgu.triangular_solve %solver, %A, %B mode<T>
        : tensor<?x?xf64, #CSR>, tensor<?x?xf64> -> tensor<?x?xf64>
    ```

    With G the cotangent of X, Y = op(L)^-H G is that of B. The one of op(A) is
    -Y X^H, on the entries of the triangle (`tsgu.triangle`).
  }];
}

def Tsgu_SolveOp
    : Tsgu_SolveBase<"solve", [{ bool needsSquare() { return true; } }]> {
  let summary = "X = op(A)^-1 B";
  let description = [{
    | | shape |
    |---|---|
    | A | n x n, sparse |
    | B, X | n x p |

    With G the cotangent of X, Y = op(A)^-H G is that of B, and -Y X^H, at the
    stored entries, that of op(A).
  }];
}

def Tsgu_HalfSolveOp
    : Tsgu_SolveBase<"half_solve", [{ bool needsSquare() { return true; } }]> {
  let summary = "L^-1 P B, where P A P^T = L L^H";
  let description = [{
    By a method that has such factors, P of its choice. Mode N; C gives
    P^T L^-H B, so that both after one another solve with A. T and R conjugate L
    in these. With standard normal B, mode C samples the distribution with
    precision A.

    Differentiable in B. In A it is not: what depends on A by more than its
    square (solves, determinants, inverses on the pattern) has ops of its own.
  }];
}

def Tsgu_LeastSquaresOp : Tsgu_SolveBase<"least_squares"> {
  let summary = "X = argmin norm(B - M X)^2 + damp^2 norm(X)^2 with M = op(A)";
  let description = [{
    Of several minima without damping, the X of the least norm. The damping is
    one of the solver's options.

    | | shape |
    |---|---|
    | M | m x n, sparse |
    | B | m x p |
    | X | n x p |

    A derivative needs full rank, `rank` says which. With G the cotangent of X:

    - `column`: X = (M^H M + damp^2)^-1 M^H B, also where damp > 0 makes up for
      the rank. With R = B - M X, Z = (M^H M + damp^2)^-1 G and W = M Z, the
      cotangent of B is W, that of M is R Z^H - W X^H.
    - `row`: X = M^H (M M^H + damp^2)^-1 B. With U = (M M^H + damp^2)^-1 B and
      W = (M M^H + damp^2)^-1 M G, the cotangent of B is W, that of M is
      U (G - M^H W)^H - W X^H.
  }];
  let arguments = !con(common,
      (ins DefaultValuedAttr<Tsgu_RankAttr, "::tsgu::Rank::Column">:$rank));
  let assemblyFormat = [{
    $solver `,` $matrix `,` $rhs (`mode` `` $mode^)? (`rank` `` $rank^)? attr-dict
    `:` type($matrix) `,` type($rhs) `->` type($result)
  }];
}

def Tsgu_NormalSolveOp : Tsgu_SolveBase<"normal_solve", [{
    unsigned getRhsDim() { return isTransposed(getMode()) ? 0 : 1; }
  }]> {
  let summary = "Z = (M^H M + damp^2)^-1 G with M = op(A)";
  let description = [{
    The inverse in derivatives of least squares. Needs M of full column rank, or
    damping.

    | | shape |
    |---|---|
    | M | m x n, sparse |
    | G, Z | n x p |

    With H the cotangent of Z, Y = (M^H M + damp^2)^-1 H is that of G, and
    -(M Z) Y^H - (M Y) Z^H that of M.
  }];
}

def Tsgu_TriangleOp
    : Op<Tsgu_Dialect, "triangle",
         [Pure, StepOpInterface, AllTypesMatch<["source", "result"]>]> {
  let summary = "the entries that a triangular solver reads, zeros elsewhere";
  let description = [{
    A sparse tensor on the pattern of `source`. The identity for solvers that
    are not triangular. It is linear and self-adjoint.

    ```mlir
    %L = tsgu.triangle %solver, %S : tensor<?x?xf64, #CSR>
    ```
  }];
  let arguments = (ins Tsgu_SolverType:$solver, AnyRankedTensor:$source);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$solver `,` $source attr-dict `:` type($source)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let extraClassDeclaration = [{
    ::mlir::Value getOverwritten() { return getSource(); }
  }];
}

#endif // TSGU_SOLVE_OPS_TD
