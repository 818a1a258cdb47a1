"""The kernels compared, each as a callable that overwrites a given buffer.

`Problem` holds one matrix, value type and width with its dense arrays; `Hand`, `MKL` and `Tsgu`
turn it into callables without arguments. All have `set_threads(count)`.
"""

import ctypes
from dataclasses import dataclass

import numpy as np

import csr
from libtsgu import Library, Tensor
from measure import array, array_pointer, copied
from mkl_sparse import Description, InspectorExecutor

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
        B, G = (copied(source[:, :width], kind) for source in dense)
        values = copied(matrix.values, kind)
        C = array((matrix.rows, width), kind)
        sampled = array(matrix.stored, kind)
        return cls(matrix, dtype, width, values, B, G, C, sampled)

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
            *csr.pointers(matrix, values),
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


class MKL(InspectorExecutor):
    """Products with a general matrix."""

    def __init__(self):
        super().__init__(Description(20, 42, 50))  # no triangle, stored diagonal

    def spmm(self, problem):
        kind = "mv" if problem.width == 1 else "mm"
        self._inspect(problem, kind)
        return self._call(problem, kind, problem.B, problem.C, 0)


class Tsgu(Library):
    """tsgu_program_run."""

    name = "tsgu"

    def __init__(self, library):
        super().__init__(library)
        self._patterns = {}

    def pattern(self, matrix):
        if matrix.name not in self._patterns:
            self._patterns[matrix.name] = self._new_pattern(matrix)
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
