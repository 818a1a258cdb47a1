// RUN: tsgu-opt %s --split-input-file --tsgu-verify-device --verify-diagnostics

// What instructions compute is accepted.
gpu.module @device {
  gpu.func @native(%x: f32, %y: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    %0 = math.sqrt %x : f32
    %1 = math.floor %0 : f32
    %2 = math.fma %0, %1, %x : f32
    %3 = math.absf %2 : f32
    %4 = math.rsqrt %3 : f32
    memref.store %4, %y[%c0] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @device {
  gpu.func @library(%x: f32, %y: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{'tanh' has no code for devices yet; run the program on the CPU}}
    %0 = math.tanh %x : f32
    // expected-error @+1 {{'remf' has no code for devices yet; run the program on the CPU}}
    %1 = arith.remf %0, %x : f32
    memref.store %1, %y[%c0] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @device {
  gpu.func @numbers(%x: complex<f32>, %y: memref<?xf32>) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{complex numbers have no code for devices yet}}
    %0 = complex.re %x : complex<f32>
    memref.store %0, %y[%c0] : memref<?xf32>
    gpu.return
  }
}

// -----

gpu.module @device {
  // expected-error @+1 {{is no kernel, and all of a device module are}}
  gpu.func @helper(%x: f32) {
    gpu.return
  }
}
