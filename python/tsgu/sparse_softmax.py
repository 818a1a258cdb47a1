"""Softmax over the stored entries of a sparse matrix."""

from typing import overload

import torch

from ._matrices.kinds import is_hybrid, is_tensor_or_matrix, matrix_of
from ._matrices.matrix import Matrix
from ._patterns.coalesced import coalesced
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import outside_graphs
from ._patterns.tensors import parts
from ._programs.autograd import operator_on
from ._typing import SparseMatrix, TensorOrArray, TensorOrMatrix

__all__ = ["sparse_log_softmax", "sparse_softmax"]


def _reduces_rows(A, dim):
    """Whether the softmax is taken along each row. Raises for what has no meaning."""
    if not is_tensor_or_matrix(A):
        raise TypeError("A should be an instance of torch.Tensor")
    if not is_sparse(A):
        raise ValueError("A should be in either COO or CSR sparse format")
    if A.dim() not in (2, 3) or is_hybrid(A):
        raise ValueError("A should be a 2-dimensional sparse tensor or a batch of them")
    if not -A.dim() <= dim < A.dim():
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-A.dim()}, {A.dim() - 1}], "
            f"but got {dim})"
        )
    if A.is_complex():
        raise TypeError(f"A should be real, not {A.dtype}: softmax needs an order")
    axis = dim % A.dim() - A.dim()
    if axis == -3:
        raise ValueError("softmax over the batch dimension (0) has no meaning on a pattern")
    return axis == -1


def _softmax(path, A, dim):
    A = as_tensor(A)
    rows = _reduces_rows(A, dim)
    pattern, values = parts(A)
    if pattern.may_repeat:
        if torch.compiler.is_compiling():
            torch._dynamo.graph_break(
                "no graph tells whether COO entries are sorted and unique: make the pattern "
                "outside, by Pattern.coo(indices, shape, coalesced=True), and call "
                f'tsgu.operator("{path}")(pattern, values)'
            )
        pattern, values = coalesced(pattern, values)
    along = pattern if rows else pattern.transposed()
    return matrix_of(pattern, operator_on(path, along).call((along,), values), like=A, is_read=True)


@overload
def sparse_softmax(A: Matrix, dim: int) -> Matrix: ...


@overload
def sparse_softmax(A: TensorOrArray, dim: int) -> torch.Tensor: ...


@outside_graphs
def sparse_softmax(A: SparseMatrix, dim: int) -> TensorOrMatrix:
    """The softmax over the stored entries of each row (dim -1) or column (dim -2) of A.

    Entries that are not stored take no part: they count as -inf, as in torch.sparse.softmax. Next
    to +inf, finite entries are 0 (torch: NaN). Result and derivatives are right to a few roundings
    however large the entries.
    A: COO, CSR, CSC, BSR or BSC, (n, m) or a batch (b, n, m), real, or a SciPy array.
    The result is a sparse tensor of A's layout and pattern, differentiable to any order; that of an
    uncoalesced A is coalesced, as its duplicates are summed first. Blocks store all their entries.

    Raises ValueError or TypeError for operands that do not fit, IndexError for a dim out of
    range, PatternError for a corrupt A.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_softmax(A, 1).values().round(decimals=3)
    tensor([1.0000, 0.1190, 0.8810])
    """
    return _softmax("softmax", A, dim)


@overload
def sparse_log_softmax(A: Matrix, dim: int) -> Matrix: ...


@overload
def sparse_log_softmax(A: TensorOrArray, dim: int) -> torch.Tensor: ...


@outside_graphs
def sparse_log_softmax(A: SparseMatrix, dim: int) -> TensorOrMatrix:
    """The logarithm of sparse_softmax, without its rounding and underflow.

    A, dim, the result and errors are as in sparse_softmax.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_log_softmax(A, 1).values().exp().round(decimals=3)
    tensor([1.0000, 0.1190, 0.8810])
    """
    return _softmax("log_softmax", A, dim)
