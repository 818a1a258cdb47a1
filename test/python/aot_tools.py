"""Compiles programs ahead of time with command-line tools alone, and runs them without torch."""

import ctypes
import json
import pathlib
import tempfile

import numpy as np
from kernel_tools import CHECKOUT, LIBRARIES, LLVM, TSGU_OPT, run_tool

PROGRAMS = CHECKOUT / "lib" / "Programs"
_TYPES = {"float32": 0, "float64": 1, "int32": 2, "int64": 3}


class Tensor(ctypes.Structure):
    """tsgu_tensor of tsgu.h; keeps its arrays alive."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
    ]

    @classmethod
    def of(cls, array):
        extents = (ctypes.c_int64 * max(array.ndim, 1))(*array.shape)
        strides = (ctypes.c_int64 * max(array.ndim, 1))(
            *(s // array.itemsize for s in array.strides)
        )
        tensor = cls(array.ctypes.data, _TYPES[str(array.dtype)], array.ndim, extents, strides)
        tensor.kept = (array, extents, strides)
        return tensor


runtime = ctypes.CDLL(str(LIBRARIES / "libtsgu.so"))
runtime.tsgu_last_error.restype = ctypes.c_char_p
runtime.tsgu_program_signature.restype = ctypes.c_char_p
runtime.tsgu_program_signature.argtypes = [ctypes.c_void_p]


def check(status):
    assert status == 0, runtime.tsgu_last_error().decode()


def differentiate(derivations):
    """The passes for derivations such as ["batch", "vjp0", "jvp1"]."""
    passes = []
    for derivation in derivations:
        if derivation == "batch":
            passes.append("tsgu-batch")
            continue
        mode = "reverse" if derivation.startswith("vjp") else "forward"
        passes.append(f"tsgu-differentiate{{wrt={derivation[3:]} mode={mode}}}")
    return passes


def signature(name, derivations):
    """The operands of a derived program, as the runtime tells them through the compiler."""
    handle = ctypes.c_void_p()
    path = "/".join([name, *derivations])
    check(runtime.tsgu_program_open(path.encode(), ctypes.byref(handle)))
    return json.loads(runtime.tsgu_program_signature(handle))


def run_program(handle, pattern, *operands):
    """The result, of the last operand's type."""
    tensors = (Tensor * len(operands))(*map(Tensor.of, operands))
    patterns = (ctypes.c_void_p * 1)(pattern.handle)
    shape, rank = (ctypes.c_int64 * 8)(), ctypes.c_int32()
    arguments = (handle, patterns, 1, tensors, len(operands))
    check(runtime.tsgu_program_infer(*arguments, shape, ctypes.byref(rank)))
    result = np.full(tuple(shape[: rank.value]), np.nan, operands[-1].dtype)
    output = Tensor.of(result)
    check(runtime.tsgu_program_run(*arguments, ctypes.byref(output), None))
    return result


class Program:
    """A program of the library, derived, lowered and linked into a shared library."""

    def __init__(self, name, derivations=(), options="value=f64 index=32"):
        passes = [*differentiate(derivations), f"tsgu-lower-to-cpu{{{options}}}"]
        pipeline = f"--pass-pipeline=builtin.module({','.join(passes)})"
        source = (PROGRAMS / f"{name}.mlir").read_text()
        lowered = run_tool([str(TSGU_OPT), pipeline], source)
        ir = run_tool([str(LLVM / "mlir-translate"), "--mlir-to-llvmir"], lowered)
        with tempfile.TemporaryDirectory() as folder:
            library = pathlib.Path(folder) / "program.so"
            flags = ["-Wno-override-module", "-x", "ir", "-O2", "-march=native", "-shared"]
            run_tool([str(LLVM / "clang"), *flags, "-fPIC", "-", "-o", str(library), "-lm"], ir)
            self.library = ctypes.CDLL(str(library))
        symbol = "_".join([name, *derivations])
        self.handle = ctypes.c_void_p()
        address = ctypes.c_char.in_dll(self.library, symbol)
        check(runtime.tsgu_program_from_object(ctypes.byref(address), ctypes.byref(self.handle)))
        self.signature = json.loads(runtime.tsgu_program_signature(self.handle))

    def __call__(self, pattern, *operands):
        return run_program(self.handle, pattern, *operands)


class Pattern:
    """A CSR pattern from a dense mask, or of the mask's items where it has three dimensions."""

    def __init__(self, mask):
        self.indices = np.nonzero(mask)
        coordinates = [np.ascontiguousarray(i, np.int32) for i in self.indices]
        pointers = (ctypes.c_void_p * mask.ndim)(*(c.ctypes.data for c in coordinates))
        shape = (ctypes.c_int64 * mask.ndim)(*mask.shape)
        self.handle = ctypes.c_void_p()
        check(
            runtime.tsgu_pattern_from_coo(
                mask.ndim,
                shape,
                2,
                pointers,
                ctypes.c_int64(len(coordinates[0])),
                ctypes.byref(self.handle),
            )
        )
