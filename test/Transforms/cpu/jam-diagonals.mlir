// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-lower-to-kernels{value=f32 widths=0,0,1 blocks=8},func.func(tsgu-register-tile),tsgu-jam-diagonals)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-lower-to-kernels{value=f64 widths=0,0,1 blocks=8},func.func(tsgu-register-tile),tsgu-jam-diagonals)' \
// RUN:   | FileCheck %s --check-prefix=DOUBLE
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels{value=f32 widths=0,0,1 blocks=8},func.func(tsgu-register-tile),tsgu-jam-diagonals)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=TRANSPOSED
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=0},tsgu-lower-to-kernels{value=f32 widths=0,0,1 blocks=8},func.func(tsgu-register-tile),tsgu-jam-diagonals)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=SAMPLED
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-lower-to-kernels{value=f32 widths=0,0,16 blocks=8},func.func(tsgu-register-tile),tsgu-jam-diagonals)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=WIDE
// RUN: tsgu-opt %programs/amax.mlir --pass-pipeline='builtin.module(tsgu-lower-to-kernels{value=f32 blocks=8},func.func(tsgu-register-tile),tsgu-jam-diagonals)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=AMAX

// Eight rows along diagonals are the lanes of vectors, if B and C are lines of elements. Four values of each row are
// loaded at once and transposed; what they meet of B is a vector, from the column of the first row on.
// CHECK:       [Passed] JamDiagonals {{.*}} Function=spmm_k0 | {{.*}}Layout="0 dense by 8, 1 diagonal"
// CHECK:       levels = [{block = 8 : i64, dimension = 0 : i64, kind = 0 : i64}, {dimension = 1 : i64, kind = 3 : i64}]
// CHECK-LABEL: func.func @spmm_k0(
// CHECK-SAME:    %[[POS:[a-z0-9]+]]: memref<?xi32>, %[[CRD:[a-z0-9]+]]: memref<?xi32>, %[[A:[a-z0-9]+]]: memref<?xf32>, %[[B:[a-z0-9]+]]: memref<?x1xf32, strided<[?, 1]>>,
// CHECK-SAME:    %[[DPOS:[a-z0-9]+]]: memref<?xi32>, %[[DCRD:[a-z0-9]+]]: memref<?xi32>, %[[C:[a-z0-9]+]]: memref<?x1xf32, strided<[?, 1]>>, %[[ROWS:[a-z0-9]+]]: index)
// CHECK:         memref.extract_strided_metadata %[[B]]
// CHECK:         %[[LINES:.*]] = arith.andi
// CHECK:         scf.for %[[BLOCK:[a-z0-9]+]] =
// CHECK:           memref.load %[[DPOS]][%[[BLOCK]]]
// CHECK:           %[[FULL:.*]] = arith.cmpi eq
// CHECK:           %[[INSIDE:.*]] = arith.andi {{.*}}, %[[FULL]]
// CHECK:           %[[LANES:.*]] = arith.andi %[[LINES]], %[[INSIDE]]

// Where a block some way ahead is none, its columns are asked for.
// CHECK:           scf.if
// CHECK:           } else {
// CHECK:             memref.prefetch %[[CRD]]
// CHECK:           scf.if %[[LANES]] {

// Of eight entries and more, each eight add to sums of their own, as those of a single row do.
// CHECK:             %[[SUM:.*]] = scf.if {{.*}} -> (vector<8xf32>) {
// CHECK:               %[[SUMS:.*]]:8 = scf.for
// CHECK:                 memref.prefetch %[[A]]
// CHECK-COUNT-8:         vector.load %[[A]]{{.*}} : memref<?xf32>, vector<4xf32>
// CHECK-COUNT-8:         vector.shuffle
// CHECK:                 memref.load %[[DCRD]]
// CHECK:                 vector.load {{.*}} : memref<?xf32, strided<[1], offset: ?>>, vector<8xf32>
// CHECK:                 arith.mulf {{.*}} : vector<8xf32>
// CHECK:               %[[ALL:.*]]:8 = scf.if {{.*}} -> (vector<8xf32>, vector<8xf32>,
// CHECK:               arith.addf %[[ALL]]#0, %[[ALL]]#4 : vector<8xf32>
// CHECK:             } else {
// CHECK:               scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK:             vector.store %[[SUM]]
// CHECK:           } else {
// CHECK:             memref.prefetch %[[A]]
// CHECK:             scf.for
// CHECK:               scf.for
// CHECK:                 memref.load %[[CRD]]

// DOUBLE-COUNT-8: vector.load {{.*}} : memref<?xf64>, vector<2xf64>

// TRANSPOSED:  [Passed] JamDiagonals {{.*}} Function=spmm_vjp1_k0 | {{.*}}Layout="1 dense by 8, 0 diagonal"

// Entries that are stored are transposed to rows.
// SAMPLED:     [Passed] JamDiagonals {{.*}} Function=spmm_vjp0_k0
// SAMPLED-LABEL: func.func @spmm_vjp0_k0(
// SAMPLED:       scf.if
// SAMPLED-COUNT-4: arith.mulf {{.*}} : vector<8xf32>
// SAMPLED:         memref.prefetch {{.*}}, write
// SAMPLED-COUNT-8: vector.shuffle
// SAMPLED-COUNT-8: vector.store {{.*}} : memref<?xf32>, vector<4xf32>
// SAMPLED-COUNT-8: memref.store {{.*}} : memref<?xf32>
// SAMPLED:       } else {
// SAMPLED:         memref.prefetch {{.*}}, write

// WIDE:        [Missed] JamDiagonals {{.*}} Function=spmm_k0 | Reason="a row has several columns"
// AMAX:        [Missed] JamDiagonals {{.*}} Function=amax_k0 | Reason="it has no loop over rows that reads columns"
