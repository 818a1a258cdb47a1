"""A square matrix with `rows`, `positions` and `coordinates`, and its values, as others take it."""

import scipy.sparse
import torch

from measure import array_pointer


def pointers(matrix, values):
    return [array_pointer(part) for part in (matrix.positions, matrix.coordinates, values)]


def to_scipy(matrix, values):
    parts = (values, matrix.coordinates, matrix.positions)
    return scipy.sparse.csr_array(parts, (matrix.rows, matrix.rows))


def to_torch(matrix, values):
    parts = map(torch.from_numpy, (matrix.positions, matrix.coordinates, values))
    return torch.sparse_csr_tensor(*parts, (matrix.rows, matrix.rows), check_invariants=False)
