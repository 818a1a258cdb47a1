"""Krylov methods compared: each runs exactly so many iterations from zero, and returns x.

`System` holds one square system on a grid. SciPy has one thread; Eigen's products have those of
OpenMP, its vectors one.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch

import csr
import tsgu
from measure import array, array_pointer, copied

METHODS = ("cg", "bicgstab", "minres")
_TYPES = {"f32": np.float32, "f64": np.float64}


@dataclass
class System:
    """A x = b; arrays on huge pages, int32 indices."""

    name: str
    dtype: str
    positions: np.ndarray
    coordinates: np.ndarray
    values: np.ndarray
    b: np.ndarray

    @classmethod
    def make(cls, name, A, dtype="f64"):
        b = np.random.default_rng(13).standard_normal(A.shape[0])
        kind = _TYPES[dtype]
        positions, coordinates = (copied(part, np.int32) for part in (A.indptr, A.indices))
        return cls(name, dtype, positions, coordinates, copied(A.data, kind), copied(b, kind))

    @property
    def rows(self):
        return len(self.b)

    @property
    def stored(self):
        return len(self.coordinates)

    def scipy(self):
        return csr.to_scipy(self, self.values)

    def torch(self):
        return csr.to_torch(self, self.values)

    def pointers(self, x):
        """What the functions of eigen_krylov.cpp begin their operands with, and x."""
        ends = [array_pointer(vector) for vector in (self.b, x)]
        return [self.rows, self.stored, *csr.pointers(self, self.values), *ends]


class Tsgu:
    """tsgu.sparse_generic_solve on torch's threads."""

    name = "tsgu"

    def set_threads(self, count):
        torch.set_num_threads(count)

    def prepare(self, system, method):
        A, b = system.torch(), torch.from_numpy(system.b)

        def run(iterations):
            options = {"rtol": 0.0, "atol": 0.0, "maxiter": iterations, "on_fail": "ignore"}
            return tsgu.sparse_generic_solve(A, b, method, **options).numpy()

        return run


class Eigen:
    """Without a preconditioner."""

    name = "Eigen"

    def __init__(self, library):
        self._library = library

    def set_threads(self, count):
        self._library.eigen_threads(count)

    def prepare(self, system, method):
        x = array(system.b.shape, system.b.dtype)
        arguments = [
            METHODS.index(method),
            int(system.dtype == "f64"),
            *system.pointers(x),
        ]

        def run(iterations):
            self._library.eigen_solve(*arguments, iterations)
            return x

        return run


class SciPy:
    name = "SciPy"

    def set_threads(self, count):
        pass

    def prepare(self, system, method):
        A, solve = system.scipy(), getattr(scipy.sparse.linalg, method)
        options = {"rtol": 0.0} if method == "minres" else {"rtol": 0.0, "atol": 0.0}
        return lambda iterations: solve(A, system.b, maxiter=iterations, **options)[0]


def product(library, system):
    """A callable that multiplies by A so many times on one thread (f64)."""
    y = array(system.b.shape, system.b.dtype)
    arguments = system.pointers(y)

    def run(repeats):
        library.eigen_multiply(*arguments, repeats)
        return y

    return run


def poisson(*shape):
    """Minus the Laplacian on a grid, zero around it."""
    return _stencil(shape, 0.0)


def convection(*shape):
    """poisson() with a wind along the last axis."""
    return _stencil(shape, 0.3)


def _stencil(shape, wind):
    rows = np.arange(np.prod(shape), dtype=np.int32)
    offsets, values, inside = [0], [2.0 * len(shape)], [np.ones(len(rows), bool)]
    stride = 1
    for size in reversed(shape):
        at = rows // stride % size
        offsets += [-stride, stride]
        values += [-1.0 - wind, -1.0 + wind]
        inside += [at > 0, at < size - 1]
        wind, stride = 0.0, stride * size
    order = np.argsort(offsets)
    mask = np.stack([inside[k] for k in order], axis=1)
    columns = (rows[:, None] + np.array(offsets, np.int32)[order])[mask]
    data = np.broadcast_to(np.array(values)[order], mask.shape)[mask]
    positions = np.concatenate([[0], np.cumsum(mask.sum(1))]).astype(np.int32)
    return scipy.sparse.csr_array((data, columns, positions), (len(rows), len(rows)))
