// RUN: tsgu-opt %s --split-input-file --tsgu-register-tile --verify-diagnostics

// expected-error @+1 {{'tsgu.output' must be the number of an argument}}
func.func @no_output(%y: memref<?xf32>) attributes {tsgu.kernel} {
  return
}

// -----

// expected-error @+1 {{'tsgu.output' must be the number of an argument}}
func.func @no_such_argument(%y: memref<?xf32>) attributes {tsgu.kernel, tsgu.output = 1 : i64} {
  return
}

// -----

// expected-error @+1 {{the output must be a memref, got 'index'}}
func.func @no_memref(%n: index) attributes {tsgu.kernel, tsgu.output = 0 : i64} {
  return
}

// -----

// expected-error @+1 {{'tsgu.identity' must be of type 'f32'}}
func.func @wide_identity(%y: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 0 : i64, tsgu.identity = 0.0 : f64} {
  return
}

// -----

// expected-error @+1 {{a kernel may only store to its output}}
func.func @stores_to_input(%x: memref<f32>, %y: memref<f32>)
    attributes {tsgu.kernel, tsgu.output = 1 : i64} {
  %zero = arith.constant 0.0 : f32
  memref.store %zero, %x[] : memref<f32>
  return
}

// -----

// Entries are visited twice, and the rows a call owns are known too late to fill
// their entries first.

// expected-error @+1 {{found no way to fill the output}}
func.func @unknown_rows(%pos: memref<?xi64>, %some: i1, %n: index, %heads: index, %S: memref<?xf32>)
    attributes {tsgu.kernel, tsgu.output = 4 : i64, tsgu.identity = 0.0 : f32} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  %rows = scf.if %some -> index {
    scf.yield %n : index
  } else {
    scf.yield %c0 : index
  }
  scf.for %h = %c0 to %heads step %c1 {
    scf.for %i = %c0 to %rows step %c1 {
      %lo64 = memref.load %pos[%i] : memref<?xi64>
      %lo = arith.index_cast %lo64 : i64 to index
      %i1 = arith.addi %i, %c1 : index
      %hi64 = memref.load %pos[%i1] : memref<?xi64>
      %hi = arith.index_cast %hi64 : i64 to index
      scf.for %kk = %lo to %hi step %c1 {
        %s = memref.load %S[%kk] : memref<?xf32>
        %t = arith.addf %s, %one : f32
        memref.store %t, %S[%kk] : memref<?xf32>
      }
    }
  }
  return
}
