"""Sparse matrices of index tensors and values, and their values; differentiable to any order."""

import operator

import torch

from .._patterns.layouts import as_tensor, index_tensor
from .._patterns.modes import needs_matrix, on_indices, outside_graphs
from .._patterns.pattern import COO, Pattern
from .._patterns.tensors import compressed, from_values, parts
from .._runtime.writes import count, keep
from .._typing import Array, Shape, SparseMatrix
from .kinds import is_tensor_or_matrix
from .matrix import Matrix

_is_compiling = torch.compiler.is_compiling


@outside_graphs
def values(A: SparseMatrix) -> torch.Tensor:
    """The values of a sparse tensor, differentiable to any order.

    A: CSR or CSC (n, m), values (entries,); or (b, n, m), values (b, entries of an item); COO of
    either shape, values (entries,), one for each stored entry, duplicates included; BSR or BSC
    with blocks (p, q), values (blocks, p, q) or (b, blocks of an item, p, q). Or a SciPy array. The
    gradient of A is sparse, in A's layout and on A's pattern.

    Raises TypeError for what is not sparse, ValueError for a hybrid tensor.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.values(A)
    tensor([2., 1., 3.])
    """
    A = as_tensor(A)
    if not is_tensor_or_matrix(A):
        raise TypeError("A must be a torch.Tensor")
    pattern, flat = parts(A)
    if pattern.layout is torch.sparse_coo:
        return flat
    return flat.view(compressed(pattern)[2])


def _checked_shape(shape):
    """The shape as a tuple."""
    try:
        sizes = tuple(n if isinstance(n, torch.SymInt) else operator.index(n) for n in shape)
    except TypeError:
        raise TypeError(f"shape must be a tuple (n, m) or (b, n, m), not {shape!r}") from None
    if len(sizes) not in (2, 3):
        raise ValueError(f"a sparse tensor has shape (n, m) or (b, n, m), not {sizes}")
    return sizes


def _values_tensor(values):
    return values if isinstance(values, torch.Tensor) else torch.tensor(values)


def _make(pattern, values):
    if values.dim() != 1:
        values = values.reshape(-1)
    if needs_matrix(values):
        return Matrix(pattern, values)
    A = from_values(pattern, values)
    made_of = pattern.positions, pattern.coordinates, values
    count(*made_of)
    if pattern.form == COO or pattern.items != -1:
        keep(A, *made_of)  # torch keeps what a CSR matrix is made of
    return A


def csr(positions: Array, coordinates: Array, values: Array, shape: Shape) -> torch.Tensor:
    """A CSR tensor, differentiable in the values to any order.

    positions (n + 1,), coordinates and values (entries,) for shape (n, m); all with a leading
    dimension of items for shape (b, n, m). Tensors are shared, arrays and lists copied; indices
    are int32 or int64, and int64 where only one is.

    Raises PatternError where they describe no matrix of this shape, naming the row and column.

    >>> values = torch.tensor([2.0, 1.0, 3.0], requires_grad=True)
    >>> A = tsgu.csr(torch.tensor([0, 1, 3]), torch.tensor([0, 0, 1]), values, (2, 2))
    >>> tsgu.sparse_mm(A, torch.ones(2, 1)).sum().backward()
    >>> values.grad
    tensor([1., 1., 1.])
    """
    shape, values = _checked_shape(shape), _values_tensor(values)
    positions, coordinates = index_tensor(positions), index_tensor(coordinates)

    def make(positions, coordinates):
        pattern = Pattern.csr(positions, coordinates, shape[-1])
        if pattern.shape != shape:
            pattern.reject(shape)
        if not _is_compiling():  # in a graph, operators do when they run
            pattern.validate()
        return pattern

    if values.shape != coordinates.shape:
        raise ValueError(
            f"values of shape {tuple(values.shape)} do not match coordinates of shape "
            f"{tuple(coordinates.shape)}"
        )
    return _make(on_indices(make, positions, coordinates), values)


def coo(indices: Array, values: Array, shape: Shape) -> torch.Tensor:
    """A COO tensor, differentiable in the values to any order.

    indices (2, entries) for shape (n, m), (3, entries) for (b, n, m), where items may have
    different numbers of entries; values (entries,). In any order; entries that name one element
    are summed, and each has its own gradient. torch keeps COO indices as int64. Tensors are shared,
    arrays and lists copied.

    Raises PatternError where an index lies outside the shape.

    >>> A = tsgu.coo(torch.tensor([[0, 1, 1], [0, 0, 1]]), torch.tensor([2.0, 1.0, 3.0]), (2, 2))
    >>> A.to_dense()
    tensor([[2., 0.],
            [1., 3.]])
    """
    shape, values, indices = _checked_shape(shape), _values_tensor(values), index_tensor(indices)

    def make(indices):
        pattern = Pattern.coo(indices, shape)
        # In a graph, operators validate when they run.
        coalesced = not _is_compiling() and pattern.validate() == 0
        return Pattern.coo(pattern.positions.long(), shape, coalesced)

    if values.shape != indices.shape[1:]:
        raise ValueError(
            f"values of shape {tuple(values.shape)} do not match {indices.shape[1]} entries"
        )
    return _make(on_indices(make, indices), values)
