"""The kernels compared, each as a callable that overwrites a given buffer.

`Problem` holds one matrix, value type and width with its dense arrays; `Hand`, `MKL` and `Tsgu`
turn it into callables without arguments. All have `set_threads(count)`.
"""

import ctypes
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from measure import array, array_pointer

_TYPES = {"f32": np.float32, "f64": np.float64}


@dataclass
class Problem:
    """C = A B, and the gradient of A's values sampled on A from the cotangent G."""

    matrix: object
    dtype: str
    width: int
    values: np.ndarray
    B: np.ndarray
    G: np.ndarray
    C: np.ndarray
    sampled: np.ndarray

    @classmethod
    def make(cls, matrix, dtype, width, dense):
        """`dense` is a pair (B, G) of at least `width` columns, of which the first are used."""
        kind = _TYPES[dtype]
        arrays = []
        for source in dense:
            copy = array((matrix.rows, width), kind)
            copy[:] = source[:, :width]
            arrays.append(copy)
        values = array(matrix.stored, kind)
        values[:] = matrix.values
        C = array((matrix.rows, width), kind)
        sampled = array(matrix.stored, kind)
        return cls(matrix, dtype, width, values, *arrays, C, sampled)

    @property
    def value_size(self):
        return self.values.itemsize


class Hand:
    """hand_avx512.cpp; raises RuntimeError on a CPU without AVX-512."""

    name = "hand"

    def __init__(self, library):
        self._run = library.bench_hand
        self._threads = 1
        if not library.bench_hand_supported():
            raise RuntimeError("this CPU has no AVX-512")

    def set_threads(self, count):
        self._threads = count

    def _call(self, kind, problem, values, C):
        matrix = problem.matrix
        arguments = (
            ctypes.c_int64(matrix.rows),
            ctypes.c_int64(problem.width),
            array_pointer(matrix.positions),
            array_pointer(matrix.coordinates),
            array_pointer(values),
            array_pointer(problem.B),
            array_pointer(C),
        )
        f64 = int(problem.dtype == "f64")

        def call():
            if self._run(kind, f64, self._threads, *arguments):
                raise RuntimeError("no hand-written kernel for this width")

        return call

    def spmm(self, problem):
        return self._call(0, problem, problem.values, problem.C)

    def sddmm(self, problem):
        return self._call(1, problem, problem.sampled, problem.G)


class _Description(ctypes.Structure):
    """struct matrix_descr of MKL: general, no triangle, stored diagonal."""

    _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("diag", ctypes.c_int)]


class MKL:
    """MKL's inspector-executor with hints and 32-bit indices, row-major dense operands."""

    name = "MKL"

    _PLAIN, _ROW_MAJOR, _MAY_ALLOCATE = 10, 101, 81
    _EXPECTED_CALLS = 10000

    def __init__(self):
        folder = Path(sysconfig.get_path("data")) / "lib"
        found = sorted(folder.glob("libmkl_rt.so*"))
        if not found:
            raise RuntimeError("the PyPI package mkl is not installed")
        self._library = ctypes.CDLL(str(found[0]))
        self._description = _Description(20, 42, 50)
        self._handle = None

    def version(self):
        text = ctypes.create_string_buffer(200)
        self._library.mkl_get_version_string(text, 200)
        return text.value.decode().strip()

    def set_threads(self, count):
        self._library.mkl_set_num_threads(ctypes.byref(ctypes.c_int(count)))

    def _check(self, status):
        if status != 0:
            raise RuntimeError(f"MKL returned status {status}")

    def _function(self, name, problem):
        return getattr(self._library, f"mkl_sparse_{'sd'[problem.dtype == 'f64']}_{name}")

    def _scalar(self, problem, value):
        return (ctypes.c_double if problem.dtype == "f64" else ctypes.c_float)(value)

    def spmm(self, problem):
        """Inspects the matrix for the number of threads set; one handle lives at a time."""
        matrix, library = problem.matrix, self._library
        if self._handle:
            self._check(library.mkl_sparse_destroy(self._handle))
        self._handle = ctypes.c_void_p()
        n = ctypes.c_int(matrix.rows)
        begins = matrix.positions.ctypes.data
        self._check(
            self._function("create_csr", problem)(
                ctypes.byref(self._handle),
                0,
                n,
                n,
                ctypes.c_void_p(begins),
                ctypes.c_void_p(begins + 4),
                array_pointer(matrix.coordinates),
                array_pointer(problem.values),
            )
        )
        width = ctypes.c_int(problem.width)
        common = (self._PLAIN, self._description)
        if problem.width == 1:
            hint = library.mkl_sparse_set_mv_hint(
                self._handle, *common, ctypes.c_int(self._EXPECTED_CALLS)
            )
        else:
            hint = library.mkl_sparse_set_mm_hint(
                self._handle, *common, self._ROW_MAJOR, width, ctypes.c_int(self._EXPECTED_CALLS)
            )
        self._check(hint)
        self._check(library.mkl_sparse_set_memory_hint(self._handle, self._MAY_ALLOCATE))
        self._check(library.mkl_sparse_optimize(self._handle))
        one, zero = self._scalar(problem, 1), self._scalar(problem, 0)
        B, C, handle = array_pointer(problem.B), array_pointer(problem.C), self._handle
        if problem.width == 1:
            multiply = self._function("mv", problem)
            arguments = (self._PLAIN, one, handle, self._description, B, zero, C)
        else:
            multiply = self._function("mm", problem)
            layout = (self._ROW_MAJOR, B, width, width, zero, C, width)
            arguments = (self._PLAIN, one, handle, self._description, *layout)

        def call():
            self._check(multiply(*arguments))

        return call


class Tensor(ctypes.Structure):
    """tsgu_tensor of tsgu.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
    ]

    @classmethod
    def of(cls, data):
        extents = ctypes.c_int64 * data.ndim
        return cls(
            data.ctypes.data,
            int(data.dtype == np.float64),
            data.ndim,
            extents(*data.shape),
            extents(*(stride // data.itemsize for stride in data.strides)),
        )


class Tsgu:
    """libtsgu's C API on its own thread pool."""

    name = "tsgu"

    def __init__(self, library):
        self._library = library
        library.tsgu_last_error.restype = ctypes.c_char_p
        self._patterns = {}

    def set_threads(self, count):
        self._library.tsgu_set_threads(ctypes.c_int32(count))

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self._library.tsgu_last_error().decode())

    def pattern(self, matrix):
        if matrix.name not in self._patterns:
            pattern = ctypes.c_void_p()
            self._check(
                self._library.tsgu_pattern_from_csr(
                    2,
                    (ctypes.c_int64 * 2)(matrix.rows, matrix.rows),
                    2,  # TSGU_I32
                    array_pointer(matrix.positions),
                    array_pointer(matrix.coordinates),
                    ctypes.c_int64(matrix.stored),
                    None,
                    None,
                    ctypes.byref(pattern),
                )
            )
            self._patterns[matrix.name] = pattern
        return self._patterns[matrix.name]

    def _call(self, path, matrix, operands, result):
        program = ctypes.c_void_p()
        self._check(self._library.tsgu_program_open(path.encode(), ctypes.byref(program)))
        tensors = (Tensor * len(operands))(*map(Tensor.of, operands))
        patterns = (ctypes.c_void_p * 1)(self.pattern(matrix))
        target = Tensor.of(result)
        run = self._library.tsgu_program_run

        def call():
            self._check(
                run(program, patterns, 1, tensors, len(tensors), ctypes.byref(target), None)
            )

        return call

    def spmm(self, problem):
        return self._call("spmm", problem.matrix, [problem.values, problem.B], problem.C)

    def sddmm(self, problem):
        operands = [problem.values, problem.B, problem.G]
        return self._call("spmm/vjp0", problem.matrix, operands, problem.sampled)
