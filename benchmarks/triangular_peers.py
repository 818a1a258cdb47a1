"""The triangular solves compared, each as a callable that overwrites `problem.x`.

`System` holds one lower triangle in float64 with its right-hand sides. A peer's `prepare(system)`
analyses, as far as the peer does, and returns a callable without arguments.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
import torch

from measure import array, array_pointer
from peers import MKL, Tensor


@dataclass
class System:
    """L x = b for `width` right-hand sides, stored by rows."""

    matrix: object
    width: int
    values: np.ndarray
    b: np.ndarray
    x: np.ndarray

    @classmethod
    def make(cls, matrix, width):
        values = array(matrix.stored, np.float64)
        values[:] = matrix.values
        b = array((matrix.rows, width), np.float64)
        b[:] = np.random.default_rng(11).standard_normal((matrix.rows, width))
        return cls(matrix, width, values, b, array((matrix.rows, width), np.float64))

    def pointers(self):
        matrix = self.matrix
        return [
            ctypes.c_int64(matrix.rows),
            ctypes.c_int64(self.width),
            array_pointer(matrix.positions),
            array_pointer(matrix.coordinates),
            array_pointer(self.values),
        ]


class Eigen:
    """triangularView().solveInPlace() on one thread, right-hand sides stored by columns."""

    name = "Eigen"

    def __init__(self, library):
        self._solve = library.bench_eigen_triangular

    def prepare(self, system):
        b = array(system.b.T.shape, np.float64)
        b[:] = system.b.T
        x = array(b.shape, np.float64)
        arguments = [*system.pointers(), array_pointer(b), array_pointer(x)]

        def call():
            self._solve(*arguments)

        call.result, call.b = x.T, b
        return call


class Serial:
    """Our loop over rows in their own order, on one thread."""

    name = "serial"

    def __init__(self, library):
        self._solve = library.bench_serial_triangular

    def prepare(self, system):
        arguments = [*system.pointers(), array_pointer(system.b), array_pointer(system.x)]
        return lambda: self._solve(*arguments)


class Torch:
    """torch.triangular_solve on a CSR tensor, which allocates its result."""

    name = "torch"

    def prepare(self, system):
        matrix = system.matrix
        L = torch.sparse_csr_tensor(
            torch.from_numpy(matrix.positions),
            torch.from_numpy(matrix.coordinates),
            torch.from_numpy(system.values),
            (matrix.rows, matrix.rows),
            check_invariants=False,
        )
        b = torch.from_numpy(system.b)

        def call():
            call.result = torch.triangular_solve(b, L, upper=False).solution

        return call


class HintedMKL(MKL):
    """MKL's inspector-executor with hints for triangular solves."""

    _TRIANGULAR, _LOWER, _STORED = 23, 40, 50

    def __init__(self):
        super().__init__()
        self._description = type(self._description)(self._TRIANGULAR, self._LOWER, self._STORED)

    def prepare(self, system):
        matrix, library = system.matrix, self._library
        if self._handle:
            self._check(library.mkl_sparse_destroy(self._handle))
        self._handle = ctypes.c_void_p()
        n, begins = ctypes.c_int(matrix.rows), matrix.positions.ctypes.data
        self._check(
            library.mkl_sparse_d_create_csr(
                ctypes.byref(self._handle),
                0,
                n,
                n,
                ctypes.c_void_p(begins),
                ctypes.c_void_p(begins + 4),
                array_pointer(matrix.coordinates),
                array_pointer(system.values),
            )
        )
        width, calls = ctypes.c_int(system.width), ctypes.c_int(self._EXPECTED_CALLS)
        common = (self._PLAIN, self._description)
        if system.width == 1:
            self._check(library.mkl_sparse_set_sv_hint(self._handle, *common, calls))
        else:
            layout = (self._ROW_MAJOR, width, calls)
            self._check(library.mkl_sparse_set_sm_hint(self._handle, *common, *layout))
        self._check(library.mkl_sparse_set_memory_hint(self._handle, self._MAY_ALLOCATE))
        self._check(library.mkl_sparse_optimize(self._handle))
        b, x, one = array_pointer(system.b), array_pointer(system.x), ctypes.c_double(1)
        if system.width == 1:
            solve = library.mkl_sparse_d_trsv
            arguments = (self._PLAIN, one, self._handle, self._description, b, x)
        else:
            solve = library.mkl_sparse_d_trsm
            layout = (self._ROW_MAJOR, b, width, width, x, width)
            arguments = (self._PLAIN, one, self._handle, self._description, *layout)
        return lambda: self._check(solve(*arguments))


class _Library:
    """libtsgu's C API, on its own pool; the pattern of the last system is kept."""

    def __init__(self, library):
        self._library = library
        library.tsgu_last_error.restype = ctypes.c_char_p
        self._pattern = ctypes.c_void_p()
        self._handle = ctypes.c_void_p()

    def set_threads(self, count):
        self._library.tsgu_set_threads(ctypes.c_int32(count))

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self._library.tsgu_last_error().decode())

    def _renew(self, matrix):
        """A pattern that nothing is known of."""
        self._library.tsgu_triangular_free(self._handle)
        self._library.tsgu_pattern_release(self._pattern)
        self._handle, self._pattern = ctypes.c_void_p(), ctypes.c_void_p()
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
                ctypes.byref(self._pattern),
            )
        )


class Prepared(_Library):
    """tsgu_triangular_solve."""

    name = "prepared"

    def prepare(self, system):
        self._renew(system.matrix)
        values, b, x = map(Tensor.of, (system.values, system.b, system.x))
        self._check(
            self._library.tsgu_triangular_create(
                self._pattern, 0, 0, ctypes.byref(values), ctypes.byref(self._handle)
            )
        )
        solve, arguments = self._library.tsgu_triangular_solve, (self._handle, 0)

        def call():
            self._check(solve(*arguments, ctypes.byref(b), ctypes.byref(x), None))

        call()
        return call


class OneShot(_Library):
    """tsgu_solve, from the values as they are."""

    name = "one-shot"

    def prepare(self, system):
        self._renew(system.matrix)
        solver = (ctypes.c_int64 * 16)()
        values, b, x = map(Tensor.of, (system.values, system.b, system.x))
        solve, arguments = self._library.tsgu_solve, (solver, 0, self._pattern)
        tensors = [ctypes.byref(tensor) for tensor in (values, b, x)]

        def call():
            self._check(solve(*arguments, *tensors, 0, None))

        call()
        return call
