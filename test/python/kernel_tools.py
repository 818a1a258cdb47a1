"""Compiles kernels with tsgu-opt, mlir-translate and clang, and calls them through ctypes."""

import ctypes
import os
import pathlib
import subprocess
import tempfile

import numpy as np

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = pathlib.Path(os.environ.get("TSGU_LIBRARY_DIR", CHECKOUT / "build" / "lib"))
TSGU_OPT = LIBRARIES.parent / "bin" / "tsgu-opt"
LLVM = pathlib.Path("/usr/lib/llvm-22/bin")
PASSES = [
    "tsgu-register-tile=vector-bits={bits}",
    "tsgu-vectorize=vector-bits={bits}",
    "tsgu-jam-nonzeros",
    "tsgu-expand-math",
]
LOWERING = [
    "canonicalize",
    "cse",
    "convert-linalg-to-loops",
    "convert-vector-to-scf",
    "convert-scf-to-cf",
    "expand-strided-metadata",
    "lower-affine",
    "convert-vector-to-llvm",
    "finalize-memref-to-llvm",
    "convert-math-to-llvm",
    "convert-math-to-libm",
    "convert-to-llvm",
    "reconcile-unrealized-casts",
]


def run_tool(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[:4000]}"
    return done.stdout


def compile_kernels(source, bits):
    """The shared library of the kernels; its functions take memref descriptors."""
    flags = ["--" + name.format(bits=bits) for name in [*PASSES, *LOWERING]]
    lowered = run_tool([str(TSGU_OPT), *flags], source)
    ir = run_tool([str(LLVM / "mlir-translate"), "--mlir-to-llvmir"], lowered)
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "kernels.so"
        flags = ["-Wno-override-module", "-x", "ir", "-O2", "-march=native", "-shared", "-fPIC"]
        run_tool([str(LLVM / "clang"), *flags, "-", "-o", str(library), "-lm"], ir)
        return ctypes.CDLL(str(library))


def descriptor(array):
    """The memref descriptor of an array: pointers, offset, sizes, strides in elements."""
    rank = array.ndim
    strides = [stride // array.itemsize for stride in array.strides]
    words = [array.ctypes.data, array.ctypes.data, 0, *array.shape, *strides]
    return (ctypes.c_int64 * (3 + 2 * rank))(*words)


def call(library, name, *arguments):
    """Calls a kernel with arrays and sizes in the order of its signature."""
    function = getattr(library, f"_mlir_ciface_{name}")
    function.restype = None
    function(
        *[
            ctypes.c_int64(a) if isinstance(a, int) else ctypes.byref(descriptor(a))
            for a in arguments
        ]
    )


def padded(rows, columns, dtype, generator=None, padding=3):
    """A matrix with a leading stride wider than its rows; NaN without a generator."""
    whole = np.full((rows + 1, columns + padding), np.nan, dtype)
    if generator is not None:
        whole[:rows, :columns] = generator.standard_normal((rows, columns))
    return whole[:rows, :columns]


def padding_untouched(view):
    """Whether everything around a matrix made by `padded` is still NaN."""
    rows, columns = view.shape
    whole = view.base
    return np.isnan(whole[:rows, columns:]).all() and np.isnan(whole[rows:]).all()
