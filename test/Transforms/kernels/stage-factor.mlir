// RUN: tsgu-opt %programs/logdet.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-differentiate{wrt=1},tsgu-specialize,func.func(tsgu-select-layout),tsgu-stage)' \
// RUN:   | FileCheck %s
// RUN: tsgu-opt %programs/logdet.mlir --pass-pipeline='builtin.module(tsgu-batch,tsgu-specialize,func.func(tsgu-select-layout),tsgu-stage)' \
// RUN:   | FileCheck %s --check-prefix=BATCH

// A kernel scales the direction, a step reads it beside the matrix, a kernel negates.
// CHECK:      patterns = [{name = "A", shape = array<i32: 0, 0>
// CHECK-SAME: name = "logdet_vjp1_vjp1_k0"
// CHECK-SAME: {step = {layout = 0 : i64, name = "selected_product", numbers = array<i32>,
// CHECK-SAME:   reads = [{index = 0 : i64, kind = 0 : i64}, {index = 1 : i64, kind = 0 : i64}, {index = 0 : i64, kind = 2 : i64}]

// A number for each item.
// BATCH:      result = {name = "", {{[^}]*}}shape = array<i32: 0>
// BATCH-SAME: name = "logdet"
