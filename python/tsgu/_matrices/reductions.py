"""What reductions of sparse matrices to dense tensors have in common."""

import operator

from .._patterns.layouts import is_sparse
from .kinds import is_hybrid, is_tensor_or_matrix


def check_matrix(A):
    """Raises for what is no matrix or batch of matrices of real numbers."""
    if not is_tensor_or_matrix(A):
        raise TypeError("input should be an instance of torch.Tensor")
    if A.dim() not in (2, 3):
        raise NotImplementedError(
            f"input should be a sparse matrix or a batch of them, (n, m) or (b, n, m), not "
            f"{A.dim()}-dimensional"
        )
    if not is_sparse(A):
        raise NotImplementedError(
            f"input should be in a sparse format (COO, CSR, CSC, BSR or BSC), not {A.layout}"
        )
    if is_hybrid(A):
        raise ValueError(
            f"input should not be hybrid, and has dense_dim {A.dense_dim()}: entries are numbers"
        )


def check_real(A, name):
    if A.is_complex():
        raise TypeError(f"input should be real, not {A.dtype}: {name} needs an order")


def axes_of(A, dim):
    """The dimensions to reduce, sorted and counted from the end."""
    dims = list(dim) if isinstance(dim, (list, tuple)) else [dim]
    if not dims:
        raise RuntimeError("dim should name at least one dimension, and is an empty list")
    rank = A.dim()
    axes = []
    for each in map(operator.index, dims):
        if not -rank <= each < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but "
                f"got {each})"
            )
        axes.append(each % rank - rank)
    for axis in axes:
        if axes.count(axis) > 1:
            raise RuntimeError(f"dim {axis + rank} appears multiple times in the list of dims")
    if -3 in axes:
        raise NotImplementedError(
            "Cannot reduce the batch dimension (0) of a batched 3-D sparse tensor."
        )
    return sorted(axes)


def along_rows(pattern, axes):
    """The pattern whose rows are reduced: transposed for the rows' dimension."""
    return pattern.transposed() if axes == [-2] else pattern


def kept(result, axes):
    """The result with the reduced dimensions left as 1."""
    for axis in axes if len(axes) == 1 else (-1, -1):
        result = result.unsqueeze(axis)
    return result
