"""Sums, elementwise products and quotients of sparse matrices."""

import numbers
from typing import overload

import torch

from ._matrices.kinds import matrix_of
from ._matrices.matrix import Matrix, unchecked
from ._patterns.coalesced import coalesced
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import outside_graphs
from ._programs.meetings import COMMON, EITHER, values_by
from ._runtime.dtypes import same_dtype
from ._typing import Number, SparseMatrix, TensorOrArray, TensorOrMatrix
from .einsum import einsum
from .spgemm import checked_operand, pattern_and_values

__all__ = ["sparse_add", "sparse_div", "sparse_mul"]


def _is_one_pattern(first, second):
    """Whether two patterns are told to be one by the tensors that they are made of."""
    if first is second or torch.compiler.is_compiling():  # which compares no pointers
        return first is second
    return (
        first.form == second.form
        and first.positions.data_ptr() == second.positions.data_ptr()
        and first.coordinates.data_ptr() == second.coordinates.data_ptr()
        and first.coordinates.shape == second.coordinates.shape
    )


def _two(A, B):
    """Both taken apart, of one shape and dtype."""
    A, B = checked_operand("A", A), checked_operand("B", B)
    (first, a), (second, b) = pattern_and_values(A), pattern_and_values(B)
    if first.shape != second.shape:
        raise ValueError(
            f"A of shape {tuple(A.shape)} and B of shape {tuple(B.shape)} must have one shape"
        )
    return first, second, a, same_dtype(A, b), B if type(B) is Matrix else A


@overload
def sparse_add(A: Matrix, B: SparseMatrix, *, alpha: Number = 1) -> Matrix: ...


@overload
def sparse_add(A: SparseMatrix, B: Matrix, *, alpha: Number = 1) -> Matrix: ...


@overload
def sparse_add(A: TensorOrArray, B: TensorOrArray, *, alpha: Number = 1) -> torch.Tensor: ...


@outside_graphs
def sparse_add(A: SparseMatrix, B: SparseMatrix, *, alpha: Number = 1) -> TensorOrMatrix:
    """A + alpha B of two sparse matrices: a sparse one with the entries that A or B stores.

    A, B: (n, m) or batches (b, n, m), COO, CSR, CSC, BSR, BSC, SciPy's or a tsgu.Matrix, of one
    shape and dtype. On one pattern, the same index tensors, the result has it. Otherwise it has A's
    layout, in order and without duplicates, CSR of blocks, COO of batches; entries that cancel are
    stored as zeros. It is a Matrix where A or B is one. alpha: a number. Differentiable in both to
    any order; gradients have the patterns of A and B.

    Raises ValueError or TypeError for operands that do not fit, PatternError for a corrupt one.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_add(A, A.to_sparse_coo()).to_dense()
    tensor([[4., 0.],
            [2., 6.]])
    """
    first, second, a, b, like = _two(A, B)
    if not isinstance(alpha, numbers.Number):
        raise TypeError(f"alpha should be a number, not {type(alpha).__name__}")
    if alpha != 1:
        b = alpha * b
    if _is_one_pattern(first, second):
        return matrix_of(first, a + b, like=like)
    pattern, values = values_by(EITHER, first, second, a, b)
    return matrix_of(pattern, values, like=like)


@overload
def sparse_mul(A: Matrix, B: SparseMatrix | Number) -> Matrix: ...


@overload
def sparse_mul(A: SparseMatrix, B: Matrix) -> Matrix: ...


@overload
def sparse_mul(A: TensorOrArray, B: TensorOrArray | Number) -> torch.Tensor: ...


@outside_graphs
def sparse_mul(A: SparseMatrix, B: SparseMatrix | Number) -> TensorOrMatrix:
    """A times B, entry by entry, of a sparse A: a sparse matrix.

    A: (n, m) or a batch (b, n, m), COO, CSR, CSC, BSR, BSC, SciPy's or a tsgu.Matrix. B: a number;
    a dense tensor that broadcasts to A's shape, as a row (m,) or column (n, 1): the result has A's
    pattern, with duplicates summed first; or a sparse matrix of A's shape: the result has the
    entries that both store, in A's layout (CSR of blocks, COO of batches), and is a Matrix where
    one of them is. Differentiable in both to any order.

    Raises ValueError or TypeError for operands that do not fit, PatternError for a corrupt one.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_mul(A, torch.tensor([10.0, 100.0])).to_dense()
    tensor([[ 20.,   0.],
            [ 10., 300.]])
    """
    B = as_tensor(B)
    if type(B) is Matrix or (isinstance(B, torch.Tensor) and is_sparse(B)):
        first, second, a, b, like = _two(A, B)
        pattern, values = values_by(COMMON, first, second, a, b)
        return matrix_of(pattern, values, like=like)
    A = checked_operand("A", A)
    if _is_number(B):
        pattern, values = pattern_and_values(A)
        return matrix_of(pattern, values * B, like=A)
    return _by_dense(A, B)


@overload
def sparse_div(A: Matrix, B: torch.Tensor | Number) -> Matrix: ...


@overload
def sparse_div(A: TensorOrArray, B: torch.Tensor | Number) -> torch.Tensor: ...


@outside_graphs
def sparse_div(A: SparseMatrix, B: torch.Tensor | Number) -> TensorOrMatrix:
    """A divided by B, entry by entry: B is a number, or dense and broadcasts to A's shape.

    All else, errors included, is as in sparse_mul.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_div(A, torch.tensor([2.0, 4.0])).to_dense()
    tensor([[1.0000, 0.0000],
            [0.5000, 0.7500]])
    """
    A = checked_operand("A", A)
    if _is_number(B):
        pattern, values = pattern_and_values(A)
        return matrix_of(pattern, values / B, like=A)
    pattern, values = pattern_and_values(A)
    if pattern.may_repeat:
        pattern, values = coalesced(pattern, values)
    divisors = _by_dense(unchecked(pattern, torch.ones_like(values)), B).values
    return matrix_of(pattern, values / divisors, like=A)


def _is_number(B):
    if isinstance(B, torch.Tensor):
        return B.layout is torch.strided and B.dim() == 0
    return isinstance(B, numbers.Number)


def _by_dense(A, B):
    """The entries of A times those of a dense B that broadcasts to its shape."""
    if not isinstance(B, torch.Tensor) or B.layout is not torch.strided:
        what = B.layout if isinstance(B, torch.Tensor) else type(B).__name__
        raise TypeError(f"B should be a number or a dense torch.Tensor, not {what}")
    shape, letters = A.shape, "bij"[-len(A.shape) :]
    own = shape[len(shape) - B.dim() :]
    if B.dim() > len(shape) or any(
        extent not in (1, of) for extent, of in zip(B.shape, own, strict=True)
    ):
        raise ValueError(
            f"B of shape {tuple(B.shape)} does not broadcast to A's shape {tuple(shape)}"
        )
    kept = [d for d in range(B.dim()) if B.shape[d] == own[d]]
    term = "".join(letters[d - B.dim()] for d in kept)
    B = B.reshape([B.shape[d] for d in kept])
    return einsum(f"{letters},{term}->{letters}", A, B)
