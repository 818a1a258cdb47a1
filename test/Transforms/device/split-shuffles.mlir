// RUN: tsgu-opt %s --split-input-file --tsgu-split-shuffles --verify-diagnostics | FileCheck %s

// Words of 32 bits stay; 64 bits are two of them, vectors their elements. All
// parts agree on what is valid.
// CHECK-LABEL: gpu.func @shuffles(
gpu.module @device {
  gpu.func @shuffles(%f: f32, %d: f64, %l: i64, %v: vector<2xf32>, %fs: memref<?xf32>, %ds: memref<?xf64>,
      %ls: memref<?xi64>, %vs: memref<?xf32>, %valid: memref<?xi1>) kernel {
    %c0 = arith.constant 0 : index
    %one = arith.constant 1 : i32
    %eight = arith.constant 8 : i32
    // CHECK: %{{.*}}, %{{.*}} = gpu.shuffle xor %{{.*}}, %c1{{.*}}, %c8{{.*}} : f32
    %0, %v0 = gpu.shuffle xor %f, %one, %eight : f32
    memref.store %0, %fs[%c0] : memref<?xf32>
    // CHECK: %[[BITS:.*]] = arith.bitcast %{{.*}} : f64 to i64
    // CHECK: %[[HIGH:.*]] = arith.shrui %[[BITS]], %c32
    // CHECK: %[[LOW32:.*]] = arith.trunci %[[BITS]] : i64 to i32
    // CHECK: %[[LOW:.*]], %{{.*}} = gpu.shuffle up %[[LOW32]], %c1{{.*}}, %c8{{.*}} : i32
    // CHECK: %[[LOW64:.*]] = arith.extui %[[LOW]] : i32 to i64
    // CHECK: %[[HIGH32:.*]] = arith.trunci %[[HIGH]] : i64 to i32
    // CHECK: %[[UP:.*]], %[[VALID:.*]] = gpu.shuffle up %[[HIGH32]], %c1{{.*}}, %c8{{.*}} : i32
    // CHECK: %[[UP64:.*]] = arith.extui %[[UP]] : i32 to i64
    // CHECK: %[[TOP:.*]] = arith.shli %[[UP64]], %c32
    // CHECK: %[[ALL:.*]] = arith.ori %[[LOW64]], %[[TOP]]
    // CHECK: arith.bitcast %[[ALL]] : i64 to f64
    %1, %v1 = gpu.shuffle up %d, %one, %eight : f64
    memref.store %1, %ds[%c0] : memref<?xf64>
    // CHECK: memref.store %[[VALID]]
    memref.store %v1, %valid[%c0] : memref<?xi1>
    // CHECK-COUNT-2: gpu.shuffle down %{{.*}} : i32
    // CHECK-NOT: bitcast
    %2, %v2 = gpu.shuffle down %l, %one, %eight : i64
    memref.store %2, %ls[%c0] : memref<?xi64>
    // CHECK-COUNT-2: gpu.shuffle idx %{{.*}} : f32
    // CHECK: vector.from_elements
    %3, %v3 = gpu.shuffle idx %v, %one, %eight : vector<2xf32>
    vector.store %3, %vs[%c0] : memref<?xf32>, vector<2xf32>
    gpu.return
  }
}

// -----

gpu.module @device {
  gpu.func @narrow(%h: f16) kernel {
    %one = arith.constant 1 : i32
    // expected-error @+1 {{moves elements of 16 bits; extend them to 32 first}}
    %0, %valid = gpu.shuffle xor %h, %one, %one : f16
    gpu.return
  }
}
