// What becomes of a row: loops that are partitioned for devices alone, and
// kernels that have no rows.

// RUN: split-file %s %t
// RUN: tsgu-opt %t/total.mlir --tsgu-lower-to-kernels=value=f64 --tsgu-to-gpu \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=TOTAL
// RUN: tsgu-opt %t/negative.mlir --tsgu-batch \
// RUN:   --tsgu-lower-to-kernels=value=f64 --tsgu-to-gpu \
// RUN:   | FileCheck %s --check-prefix=VECTOR
// RUN: tsgu-opt %t/scale.mlir --tsgu-lower-to-kernels=value=f32 --tsgu-to-gpu \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=SCALE
// RUN: tsgu-opt %t/negative.mlir --tsgu-batch \
// RUN:   --tsgu-lower-to-kernels="value=f64 widths=0,64" --tsgu-to-gpu \
// RUN:   | FileCheck %s --check-prefix=FIXED
// RUN: tsgu-opt %t/expand.mlir --tsgu-lower-to-kernels=value=f32 --tsgu-to-gpu \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=EXPAND
// RUN: tsgu-opt %programs/spmm.mlir --tsgu-batch=operands=1 \
// RUN:   --tsgu-lower-to-kernels="value=f32 widths=0,0,0,32" --tsgu-to-gpu \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=ITEMS

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

// One matrix and many dense ones: loops over rows, entries, items and columns
// become those over rows, items, entries and columns, of which the first two
// make the rows.

// ITEMS: remark: [Passed] MapToGPU {{.*}}Function=spmm_batch_k0 | Remark="lanes share a dense row of the output", lanes by columns=8
// ITEMS: name = "spmm_batch_k0", partition = {loops = array<i32: 0, 2>, parallel = true, proof = "{{[^"]*}}"}
// ITEMS-LABEL: gpu.func @spmm_batch_k0(
// ITEMS:         %[[ROW:.*]] = arith.divui %{{.*}}, %arg6
// ITEMS:         %[[ITEM:.*]] = arith.remui %{{.*}}, %arg6
// ITEMS:         scf.for {{.*}} iter_args
// ITEMS:           vector.load %arg3[%[[ITEM]], %{{.*}}, %{{.*}}]
// ITEMS:         scf.if
// ITEMS-NEXT:      vector.store %{{.*}}, %arg4[%[[ITEM]], %[[ROW]], %{{.*}}]

//--- negative.mlir

// A vector for each item of a batch: the few items may have many elements, so
// each element gets a thread, and those of a warp are neighbours.

// VECTOR: name = "negative_batch_k0", partition = {loops = array<i32: 0, 1>, parallel = true
// VECTOR-LABEL: gpu.func @negative_batch_k0(
// VECTOR:         %[[ALL:.*]] = arith.muli %arg2, %arg3
// VECTOR:         arith.cmpi slt, %{{.*}}, %[[ALL]]
// VECTOR-NOT:     scf.for
// VECTOR:         %[[ITEM:.*]] = arith.divui %[[NUMBER:.*]], %arg3
// VECTOR:         %[[ROW:.*]] = arith.remui %[[NUMBER]], %arg3
// VECTOR:         memref.store %{{.*}}, %arg1[%[[ITEM]], %[[ROW]]]
// VECTOR:         gpu.return

// Lanes share what is known to be short.

// FIXED: device = {block_threads = 128 : i64, dense_lanes = 32 : i64, {{.*}} name = "negative_batch_k0", partition = {loops = array<i32: 0>, parallel = true

func.func @negative(%x: tensor<?xf64> {tsgu.name = "x"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                       iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %o: f64):
    %r = arith.negf %a : f64
    linalg.yield %r : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}

//--- scale.mlir

// Of three dense loops the first two make the rows, and lanes share the last.
// For each buffer the manifest says which dimensions the first two index.

// SCALE: remark: [Passed] MapToGPU {{.*}}Function=scale_k0 | Remark="lanes share a dense row", lanes by columns=32
// SCALE: shape = array<i32: 0, 1, 2>, slice = array<i32: 0, 1>, written = false
// SCALE: shape = array<i32: 1>, slice = array<i32: -1, 0>, written = false
// SCALE: partition = {loops = array<i32: 0, 1>, parallel = true, proof = "d0 indexes the output: its iterations write different elements; so do those of the loop within"
// SCALE-LABEL: gpu.func @scale_k0(
// SCALE-COUNT-1: scf.for
// SCALE-NOT:     scf.for
// SCALE:         gpu.return

func.func @scale(%X: tensor<?x?x?xf64> {tsgu.name = "X"}, %v: tensor<?xf64> {tsgu.name = "v"})
    -> tensor<?x?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %m = tensor.dim %X, %c0 : tensor<?x?x?xf64>
  %n = tensor.dim %X, %c1 : tensor<?x?x?xf64>
  %p = tensor.dim %X, %c2 : tensor<?x?x?xf64>
  %empty = tensor.empty(%m, %n, %p) : tensor<?x?x?xf64>
  %Y = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (j)>,
                                        affine_map<(i, j, k) -> (i, j, k)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%X, %v : tensor<?x?x?xf64>, tensor<?xf64>) outs(%empty : tensor<?x?x?xf64>) {
  ^bb0(%x: f64, %a: f64, %y: f64):
    %product = arith.mulf %x, %a : f64
    linalg.yield %product : f64
  } -> tensor<?x?x?xf64>
  return %Y : tensor<?x?x?xf64>
}

//--- expand.mlir

// The entries of a row are added to some of its elements: a thread fills the
// row first.

// EXPAND: remark: [Passed] MapToGPU {{.*}}Function=expand_k0 | Remark="a thread for each row"
// EXPAND-LABEL: gpu.func @expand_k0(
// EXPAND:         scf.if
// EXPAND:           %[[LAST:.*]] = arith.subi
// EXPAND:           %[[ROW:.*]] = arith.minsi %{{.*}}, %[[LAST]]
// EXPAND:           scf.for %[[J:.*]] =
// EXPAND-NEXT:        memref.store %cst, %arg3[%[[ROW]], %[[J]]]
// EXPAND:           scf.for
// EXPAND:             memref.store %{{.*}}, %arg3[%[[ROW]], %{{.*}}]
// EXPAND:         gpu.return

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @expand(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %m = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %n = tensor.dim %A, %c1 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%m, %n) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %B = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%init : tensor<?x?xf64>) {
  ^bb0(%a: f64, %b: f64):
    linalg.yield %a : f64
  } -> tensor<?x?xf64>
  return %B : tensor<?x?xf64>
}
