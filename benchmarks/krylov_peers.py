"""Krylov methods compared: each runs exactly so many iterations from zero, and returns x.

`System` holds one square system on a grid. SciPy has one thread; Eigen's products have those of
OpenMP, its vectors one.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch

import tsgu
from measure import array, array_pointer

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
        def copy(source, kind):
            to = array(source.shape, kind)
            to[:] = source
            return to

        b = np.random.default_rng(13).standard_normal(A.shape[0])
        kind = _TYPES[dtype]
        positions, coordinates = copy(A.indptr, np.int32), copy(A.indices, np.int32)
        return cls(name, dtype, positions, coordinates, copy(A.data, kind), copy(b, kind))

    @property
    def rows(self):
        return len(self.b)

    @property
    def stored(self):
        return len(self.coordinates)

    def scipy(self):
        parts = (self.values, self.coordinates, self.positions)
        return scipy.sparse.csr_array(parts, (self.rows, self.rows))

    def torch(self):
        return torch.sparse_csr_tensor(
            torch.from_numpy(self.positions),
            torch.from_numpy(self.coordinates),
            torch.from_numpy(self.values),
            (self.rows, self.rows),
            check_invariants=False,
        )


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
            system.rows,
            system.stored,
            array_pointer(system.positions),
            array_pointer(system.coordinates),
            array_pointer(system.values),
            array_pointer(system.b),
            array_pointer(x),
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
    arguments = [
        system.rows,
        system.stored,
        array_pointer(system.positions),
        array_pointer(system.coordinates),
        array_pointer(system.values),
        array_pointer(system.b),
        array_pointer(y),
    ]

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
