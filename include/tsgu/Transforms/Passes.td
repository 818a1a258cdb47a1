//===- Passes.td - The passes of tsgu ----------------------*- tablegen -*-===//
//
// Part of tsgu, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In the order in which a program meets them. Programs: functions over tensors.
// Kernels: functions over memrefs, after Stage and Sparsify.
//
//===----------------------------------------------------------------------===//

#ifndef TSGU_PASSES_TD
#define TSGU_PASSES_TD

include "mlir/Pass/PassBase.td"

//===-- Programs ---------------------------------------------------------===//

def VerifyProgram : Pass<"tsgu-verify-program", "::mlir::ModuleOp"> {
  let summary = "check that the module is a program that the passes can carry";
  let description = [{
    Named linalg ops become `linalg.generic`. What passes compiles; anything else
    gets a diagnostic that says what to write instead.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def Complexify : Pass<"tsgu-complexify", "::mlir::ModuleOp"> {
  let summary = "make a program over real numbers one over complex numbers";
  let description = [{
    f64 becomes complex<f64>, and payloads compute with it. To be run before
    differentiation: derivatives are conjugated as PyTorch's are. Payloads that
    compare, or call functions, are refused.
  }];
  let dependentDialects = ["::mlir::complex::ComplexDialect"];
}

def Differentiate : Pass<"tsgu-differentiate", "::mlir::ModuleOp"> {
  let summary = "write the gradient or tangent programs of a program";
  let description = [{
    For every public function and every operand asked for, adds the function
    that computes the operand's cotangent (`@f_vjp0`) or the result's tangent
    (`@f_jvp0`). Its arguments are those of `@f`, then the result of `@f` if it
    is read (marked `tsgu.result_of = @f`), then the cotangent or tangent. A
    sparse operand's cotangent is sampled on its own pattern. The originals stay
    as private functions where an argument refers to them.

    With `given=2`, the cotangent of operand 2 is at hand: `@f_vjp1given2` takes
    it as its last argument (marked `tsgu.result_of = @f_vjp2`) and does not
    compute it again. So the adjoint solve of a linear system serves the
    gradients of matrix and right-hand side.
  }];
  let options = [
    ListOption<"wrt", "wrt", "unsigned", "operands to differentiate by (all)">,
    Option<"mode", "mode", "std::string", "\"reverse\"",
           "reverse (cotangents) or forward (tangents)">,
    ListOption<"given", "given", "unsigned",
               "operands whose cotangents are at hand (reverse mode)">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect",
                           "::tsgu::TsguDialect"];
}

def Batch : Pass<"tsgu-batch", "::mlir::ModuleOp"> {
  let summary = "add a leading index to operands of a program";
  let description = [{
    The batch of `@f` is `@f_batch`. Items of a sparse operand have patterns of
    their own, with any numbers of stored entries.
  }];
  let options = [
    ListOption<"operands", "operands", "unsigned", "operands to batch (all)">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def Transpose : Pass<"tsgu-transpose", "::mlir::ModuleOp"> {
  let summary = "take the sparse operands of a program transposed";
  let description = [{
    `@f_transpose` of a matrix is `@f` of its transpose; a sparse result is
    transposed as well. So a matrix whose values are stored by columns, or a
    reduction over columns, needs no other pattern, and layouts are chosen for
    it as for any program. For batches, those of the items.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SelectResult : Pass<"tsgu-select-result", "::mlir::ModuleOp"> {
  let summary = "take one result of a program that has several";
  let description = [{
    `@f_result1` has the operands of `@f` and computes its result 1, with
    nothing that only the others need. All other passes take programs of one
    result: so those with several have one gradient, batch and kernel for each.
  }];
  let options = [Option<"result", "result", "unsigned", "0", "which one">];
}

def Simplify : Pass<"tsgu-simplify", "::mlir::func::FuncOp"> {
  let summary = "clean up a program: unused and equal ops, elementwise fusion";
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def Specialize : Pass<"tsgu-specialize", "::mlir::ModuleOp"> {
  let summary = "set the value type, index widths and dense widths of a program";
  let description = [{
    Programs are written for f64, and for any width of dense operands. A width
    that is known here ends up in registers. `widths` are in the order of the
    signature's symbols, 0 for those that stay dynamic. `hollow` says of each
    pattern, by bit m, that most tuples of coordinates of the dimensions in the
    set m are in no entry; `blocks` of which dense blocks it is made up. Private
    functions, which served differentiation, are removed.
  }];
  let options = [
    Option<"value", "value", "std::string", "\"f64\"",
           "f32, f64, f16 or bf16 (computed with in f32); c64 or c128 for programs "
           "over complex numbers">,
    Option<"index", "index", "unsigned", "32",
           "bits of positions and coordinates in the patterns' own layout">,
    Option<"derivedIndex", "derived-index", "unsigned", "32",
           "bits of positions and coordinates in every other layout">,
    ListOption<"widths", "widths", "int64_t", "extents by symbol, 0: dynamic">,
    ListOption<"hollow", "hollow", "int64_t", "sets of dimensions by pattern">,
    ListOption<"blocks", "blocks", "int64_t",
               "rows + 256 * columns of blocks by pattern (no columns: of "
               "diagonals), 0: there are none">];
}

def ExpandConjugated : Pass<"tsgu-expand-conjugated", "::mlir::func::FuncOp"> {
  let summary = "solve with a conjugated matrix by conjugating the vectors";
  let description = [{
    conj(A)^-1 B = conj(A^-1 conj(B)), and likewise for the other solves. A last
    step: derivatives see one op, as in programs over real numbers.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ExpandLogSumExp : Pass<"tsgu-expand-log-sum-exp", "::mlir::func::FuncOp"> {
  let summary = "compute log-sum-exp reductions as a maximum and a sum";
  let description = [{
    Who reads a log-sum-exp l reads the maximum m and the sum s instead: x - l
    becomes (x - m) - log s, and exp(x - l) becomes exp(x - m) / s.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect"];
}

def SelectLayout : Pass<"tsgu-select-layout", "::mlir::func::FuncOp"> {
  let summary = "choose the layout of each op's sparse tensors and its loop order";
  let description = [{
    Chooses the order of levels so that the leading loops are parallel, and says
    so in `tsgu.layout` (an encoding), `tsgu.partition` (how many leading loops
    may be cut into ranges) and `tsgu.proof`. Levels are compressed where the
    program was specialised to a pattern that is mostly empty there. A remark
    tells the choice.
  }];
}

def Stage : Pass<"tsgu-stage", "::mlir::ModuleOp"> {
  let summary = "split a program into kernels and runtime steps";
  let description = [{
    Replaces the program by one function per op, marked `tsgu.kernel`, and the
    attribute `tsgu.manifest` of the module: buffers, symbols, layouts, and the
    order of kernels and permutations of values. A kernel that accumulates says
    from which `tsgu.identity`; the content of its output on entry is undefined.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::tensor::TensorDialect",
                           "::mlir::linalg::LinalgDialect"];
}

def LowerSampled : Pass<"tsgu-lower-sampled", "::mlir::func::FuncOp"> {
  let summary = "write ops on sparse tensors as the sparsifier accepts them";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::sparse_tensor::SparseTensorDialect",
                           "::tsgu::TsguDialect"];
}

def ExportABI : Pass<"tsgu-export-abi", "::mlir::ModuleOp"> {
  let summary = "turn sparsified kernels into functions of buffers and sizes";
  let description = [{
    The manifest then lists every argument and size; `tsgu.output` is the number
    of the argument that the kernel writes.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

def CombineParts : Pass<"tsgu-combine-parts", "::mlir::func::FuncOp"> {
  let summary = "let elements that are reduced in several parts keep them all";
  let description = [{
    The sparsifier stores what innermost loops reduce. Where a loop around them
    comes back to an element, what it holds takes part.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::memref::MemRefDialect"];
}

//===-- Devices ----------------------------------------------------------===//

def Accumulate : Pass<"tsgu-accumulate", "::mlir::func::FuncOp"> {
  let summary = "carry accumulators in loops and start them from the identity";
  let description = [{
    `tsgu.identity` stays where dense rows of the output are accumulated: those
    are for the mapping to lanes.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def SplitRows : Pass<"tsgu-split-rows", "::mlir::ModuleOp"> {
  let summary = "give chunks of long rows a kernel of their own";
  let description = [{
    A kernel that goes through the entries of rows leaves long rows empty;
    `@k_chunks` goes through their chunks, and where rows are reduced,
    `@k_combine` reduces what the chunks gave.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def MapToGPU : Pass<"tsgu-map-to-gpu", "::mlir::ModuleOp"> {
  let summary = "spread kernels over the threads of a device";
  let description = [{
    Each kernel becomes a `gpu.func` of the `gpu.module` @device; the manifest
    says how many lanes share a row. A remark tells what they share.
  }];
  let options = [Option<"alignment", "alignment", "unsigned", "16",
                        "bytes to which rows of dense operands are aligned, "
                        "and of which they are made up">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def EmitEntryPoints : Pass<"tsgu-emit-entry-points", "::mlir::ModuleOp"> {
  let summary = "give kernels the parameters that the runtime passes";
  let description = [{
    For the CPU pointers and sizes, for devices words (CompilerInterface.h). A
    module without a manifest that holds kernels for devices is a library of
    them: its kernels take buffers of rank 1 and integers, one word each.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

def EmitObject : Pass<"tsgu-emit-object", "::mlir::ModuleOp"> {
  let summary = "add the constant that holds the program, or the library";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

//===-- Kernels ----------------------------------------------------------===//

def RegisterTile : Pass<"tsgu-register-tile", "::mlir::func::FuncOp"> {
  let summary = "keep the accumulators of a kernel in registers";
  let description = [{
    Where reduction loops update rows of the output again and again, the row is
    cut into panels of vector accumulators that the reduction loops carry; single
    elements are carried likewise. Accumulators start from `tsgu.identity` and
    are stored once, if the nest visits each element of the output once;
    otherwise the kernel fills its output first. Either way the output's content
    on entry does not matter afterwards, and the attribute is gone.
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512",
                        "bits of a vector register">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect",
                           "::tsgu::TsguDialect"];
}

def SplitSums : Pass<"tsgu-split-sums", "::mlir::func::FuncOp"> {
  let summary = "sum rows in two chains where accumulators are few";
  let description = [{
    A loop over entries that carries one vector or two would wait for each
    addition. Every second entry is added to accumulators of its own, and both
    sums at the end of the row.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect"];
}

def Vectorize : Pass<"tsgu-vectorize", "::mlir::func::FuncOp"> {
  let summary = "compute innermost loops at vector width";
  let description = [{
    Loops over dense rows or stored entries whose accesses are consecutive,
    invariant or gathers: chunks of iterations, then a masked chunk. Reductions
    end in one horizontal reduction. Loops of short constant length are unrolled.
    Rows of a few entries that are gathered and hardly computed with stay scalar.
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512",
                        "bits of a vector register">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect",
                           "::tsgu::TsguDialect"];
}

def JamNonzeros : Pass<"tsgu-jam-nonzeros", "::mlir::func::FuncOp"> {
  let summary = "reduce the vectors of four stored entries at a time";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def JamDiagonals : Pass<"tsgu-jam-diagonals", "::mlir::ModuleOp"> {
  let summary = "compute the rows of a block of diagonals in lanes";
  let description = [{
    Rows of a kernel with `tsgu.blocks` of no columns are taken so many at a
    time. Where all have entries on the same diagonals, by the positions of a
    layout of these, which become an argument, each row is a lane: what it reads
    of a dense operand is next to what the row before it reads, columns are
    those of the diagonals, and values, loaded or stored, are transposed within
    registers. Other rows are computed one by one, as all were before, and so
    are all where the stride of a dense operand is not 1. Each row is summed in
    the same order either way, by the parts that `--tsgu-vectorize` makes.
  }];
  let options = [
    Option<"derivedIndex", "derived-index", "unsigned", "32",
           "bits of positions and coordinates of blocks">,
    Option<"vectorBits", "vector-bits", "unsigned", "512",
           "bits of a vector register">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def JamRows : Pass<"tsgu-jam-rows", "::mlir::ModuleOp"> {
  let summary = "compute the rows of a block side by side";
  let description = [{
    Rows of a kernel with dense `tsgu.blocks` are taken so many at a time. Where a
    block of rows is full, by the positions of a layout of blocks, which become
    an argument, loops over entries run for all its rows together: what depends
    on the column is loaded once, columns are those of the blocks. Other rows
    are computed one by one, as all were before; each sums in the same order
    either way.
  }];
  let options = [
    Option<"derivedIndex", "derived-index", "unsigned", "32",
           "bits of positions and coordinates of blocks">,
    Option<"vectorBits", "vector-bits", "unsigned", "512",
           "bits of a vector register">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def SplitComplex : Pass<"tsgu-split-complex", "::mlir::func::FuncOp"> {
  let summary = "hold complex numbers in memory as pairs of real ones";
  let description = [{
    Buffers of complex numbers become buffers of floats with one more dimension,
    which is contiguous: accesses are to two floats, or to vectors of them.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::complex::ComplexDialect",
                           "::mlir::memref::MemRefDialect"];
}

def NarrowValues : Pass<"tsgu-narrow-values", "::mlir::ModuleOp"> {
  let summary = "hold values of 16 bits in memory, and compute in f32";
  let description = [{
    Kernels compute in f32, and their buffers have that type until here. Those
    that hold f16 or bf16 by the manifest get it: loads are extended, stores
    round, to nearest, ties to even. So each sum is rounded once; a kernel that
    sums in such a buffer is refused.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def ExpandMath : Pass<"tsgu-expand-math"> {
  let summary = "compute exp and log inline, other functions by element";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

//===-- Kernels for devices ----------------------------------------------===//

def SplitShuffles : Pass<"tsgu-split-shuffles"> {
  let summary = "exchange 32 bits at a time between lanes";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::vector::VectorDialect"];
}

def VerifyDevice : Pass<"tsgu-verify-device", "::mlir::ModuleOp"> {
  let summary = "refuse what has no code for devices, by its name";
}

def ConvertToNVVM : Pass<"tsgu-convert-to-nvvm"> {
  let summary = "lower a device module, without structured control, to NVVM";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
                           "::mlir::NVVM::NVVMDialect"];
}

def EmulateGPU : Pass<"tsgu-emulate-gpu", "::mlir::ModuleOp"> {
  let summary = "make each kernel for a device a function of the host";
  let description = [{
    It does what one thread of the grid does. Its last argument, a
    `tsgu_emulated_thread`, stands for the special registers, the other threads
    of its block, and whoever checks accesses to memory.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

#endif // TSGU_PASSES_TD
