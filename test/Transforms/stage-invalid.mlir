// RUN: tsgu-opt %s --tsgu-stage --verify-diagnostics --split-input-file

// Programs that the passes before have not seen.

// expected-error @+1 {{is not specialised; run --tsgu-specialize first}}
func.func @not_specialised(%x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

#i = affine_map<(i) -> (i)>
func.func @no_layout(%x: tensor<?xf64>) -> tensor<?xf64> attributes {tsgu.derived_index = 32 : i64} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf64>
  %empty = tensor.empty(%n) : tensor<?xf64>
  // expected-error @+1 {{has no layout; run --tsgu-select-layout first}}
  %0 = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf64>) outs(%empty : tensor<?xf64>) {
  ^bb0(%a: f64, %out: f64):
    %y = arith.addf %a, %a : f64
    linalg.yield %y : f64
  } -> tensor<?xf64>
  return %0 : tensor<?xf64>
}
