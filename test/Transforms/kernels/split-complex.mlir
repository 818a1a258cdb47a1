// RUN: tsgu-opt %programs/spmm.mlir --tsgu-complexify --tsgu-lower-to-kernels="value=c64 widths=0,0,2" --tsgu-split-complex | FileCheck %s

// A buffer of complex numbers is one of floats with one more dimension, and an access to a number two to its parts.
// CHECK-LABEL: func.func @spmm_k0(
// CHECK-SAME:    %[[VALUES:[a-z0-9]+]]: memref<?x2xf32>, %{{[a-z0-9]+}}: memref<?x2x2xf32, {{[^>]*}}>>, %[[OUT:[a-z0-9]+]]: memref<?x2x2xf32,
// CHECK-NOT:     memref<{{[^>]*}}complex
// CHECK:         %[[RE:[0-9]+]] = memref.load %[[VALUES]][%[[K:[a-z0-9]+]], %{{.*}}] : memref<?x2xf32>
// CHECK:         %[[IM:[0-9]+]] = memref.load %[[VALUES]][%[[K]], %{{.*}}] : memref<?x2xf32>
// CHECK:         complex.create %[[RE]], %[[IM]] : complex<f32>
// CHECK:         %[[SUM:[0-9]+]] = complex.add
// CHECK:         %[[PART:[0-9]+]] = complex.re %[[SUM]]
// CHECK:         memref.store %[[PART]], %[[OUT]]
// CHECK:         %[[OTHER:[0-9]+]] = complex.im %[[SUM]]
// CHECK:         memref.store %[[OTHER]], %[[OUT]]
