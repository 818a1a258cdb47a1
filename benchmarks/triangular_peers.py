"""The triangular solves compared, each as a callable that overwrites `problem.x`.

`System` holds one lower triangle in float64 with its right-hand sides. A peer's `prepare(system)`
analyses, as far as the peer does, and returns a callable without arguments.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
import torch

import csr
import tsgu
from libtsgu import Library, Tensor
from measure import array, array_pointer, copied
from mkl_sparse import Description, InspectorExecutor


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
        shape = (matrix.rows, width)
        b = copied(np.random.default_rng(11).standard_normal(shape), np.float64)
        values = copied(matrix.values, np.float64)
        return cls(matrix, width, values, b, array(shape, np.float64))

    def pointers(self):
        matrix = self.matrix
        return [
            ctypes.c_int64(matrix.rows),
            ctypes.c_int64(self.width),
            *csr.pointers(matrix, self.values),
        ]


class Eigen:
    """triangularView().solveInPlace() on one thread, right-hand sides stored by columns."""

    name = "Eigen"

    def __init__(self, library):
        self._solve = library.bench_eigen_triangular

    def prepare(self, system):
        b = copied(system.b.T, np.float64)
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
        L = csr.to_torch(system.matrix, system.values)
        b = torch.from_numpy(system.b)

        def call():
            call.result = torch.triangular_solve(b, L, upper=False).solution

        return call


class HintedMKL(InspectorExecutor):
    """Solves with a lower triangle."""

    def __init__(self):
        super().__init__(Description(23, 40, 50))  # triangular, lower, stored diagonal

    def prepare(self, system):
        kind = "sv" if system.width == 1 else "sm"
        self._inspect(system, kind)
        return self._call(system, f"tr{kind}", system.b, system.x)


class _Triangle(Library):
    """The pattern and the handle of the last system are kept."""

    def __init__(self, library):
        super().__init__(library)
        self._pattern = ctypes.c_void_p()
        self._handle = ctypes.c_void_p()

    def _renew(self, matrix):
        self._library.tsgu_triangular_free(self._handle)
        self._library.tsgu_pattern_release(self._pattern)
        self._handle, self._pattern = ctypes.c_void_p(), ctypes.c_void_p()
        self._pattern = self._new_pattern(matrix)


class Prepared(_Triangle):
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


class Packed:
    """tsgu.sparse_triangular_solve of a matrix whose values have been the same for a while."""

    name = "packed"
    _BEFORE = 100  # solves; at the 48th they are packed, for nothing if fewer than 32 follow

    def prepare(self, system):
        matrix = system.matrix
        # torch's own memory: what it borrows is compared in every call.
        parts = map(torch.tensor, (matrix.positions, matrix.coordinates, system.values))
        L = self._make(*parts, (matrix.rows, matrix.rows))
        b = torch.from_numpy(system.b)

        def call():
            call.result = tsgu.sparse_triangular_solve(L, b, upper=False)

        if system.width == 1:
            for _ in range(self._BEFORE):
                call()
        return call

    def _make(self, *parts):
        return tsgu.csr(*parts)


class Hashed(Packed):
    """The same of a CSR tensor that torch made, whose values are hashed in every call."""

    name = "hashed"

    def _make(self, *parts):
        return torch.sparse_csr_tensor(*parts)


class OneShot(_Triangle):
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
