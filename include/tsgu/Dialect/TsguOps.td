//===- TsguOps.td - Ops of the tsgu dialect ----------------*- tablegen -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_OPS_TD
#define TSGU_OPS_TD

include "tsgu/Dialect/FactorOps.td"
include "tsgu/Dialect/SolveOps.td"
include "tsgu/Dialect/TsguBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tsgu_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tsgu_Dialect, mnemonic, traits>;

/// What values are made of.
def Tsgu_Number : AnyTypeOf<[AnyFloat, Complex<AnyFloat>]>;

def Tsgu_ZerosLikeOp : Tsgu_Op<"zeros_like", [Pure, SameOperandsAndResultType]> {
  let summary = "the stored entries of a sparse tensor, all with value zero";
  let description = [{
    The start of a sampled output: a tensor on the operand's pattern.

    ```mlir
    %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source)";
  let hasVerifier = 1;
}

def Tsgu_LogAddExpOp
    : Tsgu_Op<"logaddexp", [Pure, Commutative, SameOperandsAndResultType]> {
  let summary = "log(exp(x) + exp(y)) without overflow";
  let description = [{
    The addition of the log semiring. As the reduction of a `linalg.generic`
    that starts at -inf it is the log-sum-exp; its derivative by a reduced
    element x is exp(x - result).
  }];
  let arguments = (ins AnyFloat:$lhs, AnyFloat:$rhs);
  let results = (outs AnyFloat:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}

def Tsgu_StoredOp : Tsgu_Op<"stored", [MemoryEffects<[MemRead]>]> {
  let summary = "the value at the position of the stored entry being visited";
  let description = [{
    Reads `values` at the position of the innermost loop over stored entries.
    Only `--tsgu-lower-sampled` creates it, so that several operands on one
    pattern are read in one loop; `--tsgu-export-abi` turns it into a load.
  }];
  let arguments = (ins MemRefRankOf<[Tsgu_Number], [1]>:$values);
  let results = (outs Tsgu_Number:$result);
  let assemblyFormat = "$values attr-dict `:` type($values) `->` type($result)";
}

def Tsgu_PartsOp : Tsgu_Op<"parts", [Pure]> {
  let summary = "memory of complex numbers as memory of their parts";
  let description = [{
    The result has one more dimension, of the real and the imaginary part, so
    that vectors can be loaded and stored. The passes that write vectors create
    it; `--tsgu-split-complex` makes it the buffer itself.
  }];
  let arguments = (ins MemRefOf<[Complex<AnyFloat>]>:$numbers);
  let results = (outs MemRefOf<[AnyFloat]>:$parts);
  let assemblyFormat = "$numbers attr-dict `:` type($numbers) `->` type($parts)";
}

def Tsgu_TermOp
    : Tsgu_Op<"term", [RecursiveMemoryEffects, SingleBlock]> {
  let summary = "a scalar that a region computes from others";
  let description = [{
    Keeps a payload together while upstream's sparsifier works on the op around
    it, which walks payloads as trees: shared values would be visited over and
    over. `--tsgu-export-abi` puts the region in its place.
  }];
  let arguments = (ins Variadic<Tsgu_Number>:$elements);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Tsgu_Number:$result);
  let assemblyFormat =
      "`(` $elements `)` attr-dict-with-keyword `:` functional-type($elements, $result) $body";
}

def Tsgu_YieldOp
    : Tsgu_Op<"yield", [Pure, Terminator, HasParent<"TermOp">]> {
  let summary = "the value of a tsgu.term";
  let arguments = (ins Tsgu_Number:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif // TSGU_OPS_TD
