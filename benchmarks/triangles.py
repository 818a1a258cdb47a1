"""The triangles of benchmarks/triangular.py, as CSR with int32 indices and fixed seeds.

Values make solves well conditioned: beside a diagonal between 1 and 2 the entries of a row sum up
to less than 1. The Cholesky factor has its own.
"""

from pathlib import Path

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from matrices import Matrix, rmat, stencil


def _grid(shape, offsets):
    counts, columns = stencil(shape, offsets)
    positions = np.concatenate([[0], np.cumsum(counts)])
    return scipy.sparse.csr_array((np.ones(len(columns)), columns, positions))


def _neighbours(dimensions):
    unit = np.eye(dimensions, dtype=int)
    return sorted({tuple(sign * step) for sign in (-1, 0, 1) for step in unit})


def _box():
    steps = (-1, 0, 1)
    return [(x, y, z) for x in steps for y in steps for z in steps]


def _rmat(rng):
    counts, columns = rmat(rng)
    positions = np.concatenate([[0], np.cumsum(counts)])
    n = len(counts)
    return scipy.sparse.csr_array((np.ones(len(columns)), columns, positions), (n, n))


def _chain(n=1_000_000):
    return scipy.sparse.diags_array([np.ones(n - 1), np.ones(n)], offsets=[-1, 0]).tocsr()


def _cholesky(side=300):
    line = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(side, side))
    A = scipy.sparse.kronsum(line, line, format="csc")
    factors = scipy.sparse.linalg.splu(
        A, "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    scale = scipy.sparse.diags_array(np.sqrt(factors.U.diagonal()))
    return (factors.L @ scale).tocsr()


_TRIANGLES = {
    "p2d": ("5-point grid 1500^2", lambda rng: _grid((1500, 1500), _neighbours(2))),
    "p3d": ("7-point grid 128^3", lambda rng: _grid((128, 128, 128), _neighbours(3))),
    "v27": ("27-point grid 80^3", lambda rng: _grid((80, 80, 80), _box())),
    "rmat": ("R-MAT 2^18, edge factor 16", _rmat),
    "chain": ("bidiagonal, 1,000,000 rows", lambda rng: _chain()),
    "cholesky": ("Cholesky factor of a 5-point grid 300^2, minimum degree", None),
}

NAMES = tuple(_TRIANGLES)


def title(name):
    return _TRIANGLES[name][0]


def _lower(rng, A):
    n = A.shape[0]
    L = scipy.sparse.tril(A + scipy.sparse.eye_array(n), format="csr")
    L.sort_indices()
    degree = np.diff(L.indptr)
    L.data = rng.uniform(-1, 1, L.nnz) / np.repeat(degree, degree)
    L.data[L.indptr[1:] - 1] = rng.uniform(1, 2, n)
    return L


def load(name, folder):
    """The triangle of that name, generated once and kept in `folder`."""
    path = Path(folder) / f"triangle-{name}.npz"
    if not path.exists():
        rng = np.random.default_rng(20240229)
        L = _cholesky() if name == "cholesky" else _lower(rng, _TRIANGLES[name][1](rng))
        L.sort_indices()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            positions=L.indptr.astype(np.int32),
            coordinates=L.indices.astype(np.int32),
            values=L.data,
        )
    with np.load(path) as arrays:
        return Matrix(name, arrays["positions"], arrays["coordinates"], arrays["values"])
