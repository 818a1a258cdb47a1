//===- TsguBase.td - The tsgu dialect ----------------------*- tablegen -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_BASE_TD
#define TSGU_BASE_TD

include "mlir/IR/OpBase.td"

def Tsgu_Dialect : Dialect {
  let name = "tsgu";
  let cppNamespace = "::tsgu";
  let summary = "What sparse tensor programs need and linalg cannot say";
  let description = [{
    A program is a module with one public function over tensors: `linalg` ops on
    `sparse_tensor` types, and the few ops of this dialect. The dialect also
    gives meaning to these attributes:

    | attribute | on | says |
    |---|---|---|
    | `tsgu.pattern = @P` | sparse arguments and results | those with one name share one sparsity pattern |
    | `tsgu.name = "A"` | arguments | the name users see |
    | `tsgu.result_of = @f` | arguments | holds the result of `@f`, called with the arguments before it |
    | `tsgu.shape = array<i32: 0, 1>` | arguments | numbers the extents of a tensor: those with one number are equal |
    | `tsgu.sampled` | `linalg.generic` | the iteration space is the stored entries of its sparse tensors, all of one pattern: absent entries take no part |
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

#endif // TSGU_BASE_TD
