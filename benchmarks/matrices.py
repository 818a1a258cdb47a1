"""The four matrices of the benchmarks, as CSR with int32 indices and fixed seeds.

Values are random float32 numbers, so that a float64 reference is exact about both value types.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Matrix:
    """A square CSR matrix."""

    name: str
    positions: np.ndarray
    coordinates: np.ndarray
    values: np.ndarray

    @property
    def rows(self):
        return len(self.positions) - 1

    @property
    def stored(self):
        return len(self.coordinates)


def stencil(shape, offsets):
    """Rows of a grid; `offsets` in ascending order give ascending columns."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))
    neighbours = grid[:, None, :] + np.array(offsets)
    inside = ((neighbours >= 0) & (neighbours < shape)).all(-1)
    strides = np.cumprod([1, *shape[:0:-1]])[::-1]
    columns = (neighbours * strides).sum(-1)
    return inside.sum(1), columns[inside]


def _five_point():
    offsets = [(-1, 0), (0, -1), (0, 0), (0, 1), (1, 0)]
    return stencil((1000, 1000), offsets)


def _twenty_seven_point():
    steps = (-1, 0, 1)
    return stencil((50, 50, 50), [(x, y, z) for x in steps for y in steps for z in steps])


def _uniform(rng, n=500_000, degree=16):
    columns = np.sort(rng.integers(0, n, (n, degree)), axis=1)
    while (bad := (np.diff(columns, axis=1) == 0).any(1)).any():
        columns[bad] = np.sort(rng.integers(0, n, (bad.sum(), degree)), axis=1)
    return np.full(n, degree), columns.ravel()


def rmat(rng, scale=18, edge_factor=16, a=0.57, b=0.19, c=0.19):
    row = np.zeros(edge_factor << scale, np.int64)
    column = row.copy()
    for _ in range(scale):
        draw = rng.random(len(row))
        row = 2 * row + (draw >= a + b)
        column = 2 * column + ((draw >= a) & (draw < a + b) | (draw >= a + b + c))
    entries = np.unique(row << scale | column)
    counts = np.bincount(entries >> scale, minlength=1 << scale)
    return counts, entries & ((1 << scale) - 1)


_MATRICES = {
    "grid5": ("5-point grid 1000^2", lambda rng: _five_point()),
    "grid27": ("27-point grid 50^3", lambda rng: _twenty_seven_point()),
    "uniform": ("uniform random 500,000 x 16", _uniform),
    "rmat": ("R-MAT 2^18, edge factor 16", rmat),
}

NAMES = tuple(_MATRICES)


def title(name):
    return _MATRICES[name][0]


def load(name, folder):
    """The matrix of that name, generated once and kept in `folder`."""
    _, generate = _MATRICES[name]
    path = Path(folder) / f"{name}.npz"
    if not path.exists():
        rng = np.random.default_rng(20240229)
        counts, columns = generate(rng)
        positions = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        values = rng.standard_normal(len(columns), dtype=np.float32)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, positions=positions, coordinates=columns.astype(np.int32), values=values)
    with np.load(path) as arrays:
        return Matrix(name, arrays["positions"], arrays["coordinates"], arrays["values"])
