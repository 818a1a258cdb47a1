// What becomes of a row: loops that are partitioned for devices alone, and
// kernels that have no rows.

// RUN: split-file %s %t
// RUN: tsgu-opt %t/total.mlir --tsgu-lower-to-kernels=value=f64 --tsgu-to-gpu \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=TOTAL

//--- total.mlir

// Nothing is parallel, and the manifest says so.

// TOTAL: remark: [Missed] MapToGPU {{.*}}Function=total_k0 | Reason="one thread does everything: no loop is known to be parallel"
// TOTAL: device = {block_threads = 128 : i64, dense_lanes = 1 : i64, entry_lanes = 1 : i64, serial = true}
// TOTAL-LABEL: gpu.func @total_k0(
// TOTAL:         %[[FIRST:.*]] = arith.cmpi eq
// TOTAL:         scf.if %[[FIRST]]

func.func @total(%x: tensor<?xf64> {tsgu.name = "x"}) -> tensor<f64> {
  %zero = arith.constant 0.0 : f64
  %empty = tensor.empty() : tensor<f64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<f64>) -> tensor<f64>
  %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>],
                         iterator_types = ["reduction"]}
      ins(%x : tensor<?xf64>) outs(%init : tensor<f64>) {
  ^bb0(%a: f64, %s: f64):
    %next = arith.addf %s, %a : f64
    linalg.yield %next : f64
  } -> tensor<f64>
  return %sum : tensor<f64>
}
