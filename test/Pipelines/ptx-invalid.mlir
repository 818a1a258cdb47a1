// RUN: tsgu-opt %s --split-input-file --tsgu-print-ptx --verify-diagnostics

// Nothing is linked to the image: it would be found out as late as on the device.
// expected-error @+1 {{it calls 'elsewhere', which has no code for devices}}
gpu.module @device {
  llvm.func @elsewhere(f32) -> f32
  llvm.func @kernel(%x: f32, %y: !llvm.ptr) attributes {nvvm.kernel} {
    %0 = llvm.call @elsewhere(%x) : (f32) -> f32
    llvm.store %0, %y : f32, !llvm.ptr
    llvm.return
  }
}
