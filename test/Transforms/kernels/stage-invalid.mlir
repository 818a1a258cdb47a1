// RUN: tsgu-opt %s --tsgu-stage --verify-diagnostics --split-input-file

// expected-error @+1 {{is not specialised; run --tsgu-specialize first}}
func.func @general(%x: tensor<?xf64>) -> tensor<?xf64> {
  return %x : tensor<?xf64>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @no_layout(%x: tensor<4xf64>) -> tensor<4xf64> attributes {tsgu.derived_index = 32 : i64} {
  %empty = tensor.empty() : tensor<4xf64>
  // expected-error @+1 {{has no layout; run --tsgu-select-layout first}}
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>) {
  ^bb0(%a: f64, %o: f64):
    linalg.yield %a : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @product(%x: tensor<4x4xf64>, %b: tensor<4xf64>) -> tensor<4xf64> attributes {tsgu.derived_index = 32 : i64} {
  // expected-error @+1 {{the output may only be combined with one term}}
  %y = linalg.generic {indexing_maps = [#entry, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x4xf64>) outs(%b : tensor<4xf64>)
      attrs = {tsgu.partition = 1 : i64, tsgu.proof = "by hand"} {
  ^bb0(%a: f64, %o: f64):
    %s = arith.mulf %o, %a : f64
    linalg.yield %s : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

func.func @no_layout_of_it(%A: tensor<?x?xf64, #CSR> {tsgu.pattern = @A})
    -> (tensor<?x?xf64, #CSR> {tsgu.pattern = @A}) attributes {tsgu.derived_index = 32 : i64} {
  %zero = tsgu.zeros_like %A : tensor<?x?xf64, #CSR>
  // expected-error @+1 {{needs a 'tsgu.layout' with levels for the 2 dimensions of its sparse tensors}}
  %Y = linalg.generic {indexing_maps = [#entry, #entry], iterator_types = ["parallel", "parallel"]}
      ins(%A : tensor<?x?xf64, #CSR>) outs(%zero : tensor<?x?xf64, #CSR>)
      attrs = {tsgu.sampled, tsgu.layout = #sparse_tensor.encoding<{ map = (i, j) -> (i : compressed, j : dense) }>, tsgu.partition = 1 : i64, tsgu.proof = "by hand"} {
  ^bb0(%a: f64, %o: f64):
    linalg.yield %a : f64
  } -> tensor<?x?xf64, #CSR>
  return %Y : tensor<?x?xf64, #CSR>
}

// -----

#x = affine_map<(i) -> (i)>

func.func @more_loops(%x: tensor<4xf64>) -> tensor<4xf64> attributes {tsgu.derived_index = 32 : i64} {
  %empty = tensor.empty() : tensor<4xf64>
  // expected-error @+1 {{cuts 2 loops, but has 1}}
  %y = linalg.generic {indexing_maps = [#x, #x], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>)
      attrs = {tsgu.partition = 2 : i64, tsgu.proof = "by hand"} {
  ^bb0(%a: f64, %o: f64):
    linalg.yield %a : f64
  } -> tensor<4xf64>
  return %y : tensor<4xf64>
}

// -----

// expected-error @+1 {{is not specialised; run --tsgu-specialize first}}
func.func @width_of_indices(%x: tensor<4xf64>) -> tensor<4xf64> attributes {tsgu.derived_index = "wide"} {
  return %x : tensor<4xf64>
}
