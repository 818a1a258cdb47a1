// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-lower-to-kernels{value=f32 widths=0,0,16 blocks=515},func.func(tsgu-register-tile),tsgu-jam-rows)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=1},tsgu-lower-to-kernels{value=f32 widths=0,0,16 blocks=515},func.func(tsgu-register-tile),tsgu-jam-rows)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=TRANSPOSED
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=0},tsgu-lower-to-kernels{value=f32 widths=0,0,64 blocks=2056},func.func(tsgu-register-tile,tsgu-vectorize,tsgu-jam-nonzeros),tsgu-jam-rows)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=SAMPLED
// RUN: tsgu-opt %programs/spmm.mlir --pass-pipeline='builtin.module(tsgu-differentiate{wrt=0},tsgu-lower-to-kernels{value=f32 widths=0,0,16 blocks=771},func.func(tsgu-register-tile,tsgu-vectorize,tsgu-jam-nonzeros),tsgu-jam-rows)' \
// RUN:   --remarks-filter=tsgu 2>&1 | FileCheck %s --check-prefix=SHORT

// A pattern of blocks of 3 rows and 2 columns. Where the entries of 3 rows are as many as their blocks have
// elements, a block's two columns are read for all three; the values of a row begin where those before end.
// Rows of other blocks, and those that are left, are gone through one by one.
// CHECK:       [Passed] JamRows {{.*}} Function=spmm_k0 | {{.*}}Layout="0 dense by 3, 1 compressed by 2"
// CHECK:       tsgu.manifest = {layouts = [{{.*}}, {index = 2 : i64, levels = [{block = 3 : i64, dimension = 0 : i64, kind = 0 : i64}, {block = 2 : i64, dimension = 1 : i64, kind = 1 : i64}]
// CHECK-LABEL: func.func @spmm_k0(
// CHECK-SAME:    %[[POS:[a-z0-9]+]]: memref<?xi32>, %[[CRD:[a-z0-9]+]]: memref<?xi32>, %[[A:[a-z0-9]+]]: memref<?xf32>, %[[B:[a-z0-9]+]]: memref<?x16xf32, strided<[?, 1]>>,
// CHECK-SAME:    %[[BPOS:[a-z0-9]+]]: memref<?xi32>, %[[BCRD:[a-z0-9]+]]: memref<?xi32>, %[[C:[a-z0-9]+]]: memref<?x16xf32, strided<[?, 1]>>, %[[ROWS:[a-z0-9]+]]: index)
// CHECK-SAME:    tsgu.output = 6
// CHECK:         scf.for %[[BLOCK:[a-z0-9]+]] =
// CHECK:           memref.load %[[POS]]
// CHECK:           memref.load %[[BPOS]][%[[BLOCK]]]
// CHECK:           %[[INSIDE:.*]] = arith.cmpi ule
// CHECK:           %[[FULL:.*]] = arith.cmpi eq
// CHECK:           %[[BOTH:.*]] = arith.andi %[[INSIDE]], %[[FULL]]
// CHECK:           scf.if %[[BOTH]] {
// CHECK:             memref.prefetch %[[A]]
// CHECK:             %[[SUMS:.*]]:3 = scf.for %[[NODE:[a-z0-9]+]] = {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>) {
// CHECK:               memref.load %[[BCRD]][%[[NODE]]]
// CHECK-COUNT-3:       memref.load %[[A]]
// CHECK:               vector.load %[[B]]
// CHECK-COUNT-3:       arith.addf
// CHECK-COUNT-3:       memref.load %[[A]]
// CHECK:               vector.load %[[B]]
// CHECK-COUNT-3:       arith.addf
// CHECK:               scf.yield
// CHECK:             vector.store %[[SUMS]]#0, %[[C]]
// CHECK:             vector.store %[[SUMS]]#1, %[[C]]
// CHECK:             vector.store %[[SUMS]]#2, %[[C]]
// CHECK:           } else {
// CHECK:             scf.for
// CHECK:               scf.for {{.*}} -> (vector<16xf32>) {
// CHECK:                 memref.load %[[CRD]]

// By columns of A, blocks have 2 rows and 3 columns.
// TRANSPOSED:  [Passed] JamRows {{.*}} Function=spmm_vjp1_k0 | {{.*}}Layout="1 dense by 2, 0 compressed by 3"

// Entries are stored by four: twice for each row of a block of 8, of which 2, 3 and 3 have registers together.
// SAMPLED:     [Passed] JamRows {{.*}} Function=spmm_vjp0_k0
// SAMPLED-LABEL: func.func @spmm_vjp0_k0(
// SAMPLED:       scf.if
// SAMPLED:         scf.for
// SAMPLED-COUNT-4:   vector.store %{{.*}} : memref<?xf32>, vector<4xf32>
// SAMPLED:         scf.for

// Blocks of 3 columns would have portions of four across them.
// SHORT:       [Missed] JamRows {{.*}} Function=spmm_vjp0_k0 | Reason="entries are stored in other portions than those of blocks
