// RUN: tsgu-opt %s --tsgu-lower-to-kernels="value=bf16 widths=0,0,32" --tsgu-register-tile --tsgu-narrow-values --canonicalize | FileCheck %s --check-prefixes=CHECK,BF16
// RUN: tsgu-opt %s --tsgu-lower-to-kernels="value=f16 widths=0,0,32" --tsgu-optimize-kernels | FileCheck %s --check-prefixes=CHECK,F16
// RUN: tsgu-opt %s --tsgu-lower-to-kernels="value=f16 widths=0,0,32" --tsgu-to-gpu | FileCheck %s --check-prefix=GPU
// RUN: tsgu-opt %s --tsgu-lower-to-kernels="value=bf16 widths=0,0,32" --tsgu-to-gpu --tsgu-lower-to-nvvm --tsgu-print-ptx=sm=80 -o /dev/null | FileCheck %s --check-prefix=PTX

// Accumulators are f32, and start from zero; what comes from memory is extended, and the result rounded as it is stored.
// The manifest's operands and result have 16 bits.

#CSR = #sparse_tensor.encoding<{ map = (d0, d1) -> (d0 : dense, d1 : compressed) }>

// CHECK: operands = [{name = "A", {{.*}}type = [[T:[67]]] : i64}, {name = "B", {{.*}}type = [[T]] : i64}]
// CHECK-SAME: result = {{.*}}type = [[T]] : i64}
func.func @product(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @P, tsgu.name = "A"},
                   %B: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %m = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %p = tensor.dim %B, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%m, %p) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %C = linalg.matmul ins(%A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64>)
                     outs(%init : tensor<?x?xf64>) -> tensor<?x?xf64>
  return %C : tensor<?x?xf64>
}

// BF16-LABEL: func.func @product_k0(
// BF16-SAME:    memref<?xi16>, %{{.*}}: memref<?x32xi16, {{.*}}>, %{{.*}}: memref<?x32xi16,
// BF16:         iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>)
// BF16:           %[[VALUE:.*]] = memref.load {{.*}} : memref<?xi16>
// BF16-NEXT:      arith.extui %[[VALUE]] : i16 to i32
// BF16:           %[[ROW:.*]] = vector.load {{.*}} : memref<?x32xi16, {{.*}}>, vector<16xi16>
// BF16-NEXT:      %[[BITS:.*]] = arith.extui %[[ROW]] : vector<16xi16> to vector<16xi32>
// BF16-NEXT:      %[[UPPER:.*]] = arith.shli %[[BITS]]
// BF16-NEXT:      arith.bitcast %[[UPPER]] : vector<16xi32> to vector<16xf32>
// BF16:         arith.cmpf ord
// BF16:         %[[ROUNDED:.*]] = arith.trunci {{.*}} : vector<16xi32> to vector<16xi16>
// BF16-NEXT:    vector.store %[[ROUNDED]]

// F16-LABEL: func.func @product_k0(
// F16-SAME:    memref<?xf16>, %{{.*}}: memref<?x32xf16, {{.*}}>, %{{.*}}: memref<?x32xf16,
// F16:         iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>)
// F16:           arith.extf {{.*}} : f16 to f32
// F16:           arith.extf {{.*}} : vector<16xf16> to vector<16xf32>
// F16:         arith.truncf {{.*}} : vector<16xf32> to vector<16xf16>

// GPU: gpu.func @product_k0(
// GPU:   arith.extf {{.*}} : vector<4xf16> to vector<4xf32>
// GPU:   arith.truncf {{.*}} : vector<4xf32> to vector<4xf16>

// PTX: .visible .entry product_k0(
// PTX: fma.rn.f32
