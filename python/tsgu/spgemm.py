"""Products of two sparse matrices."""

from typing import overload

import torch

from ._matrices.kinds import is_hybrid, is_tensor_or_matrix, matrix_of
from ._matrices.matrix import Matrix
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import outside_graphs
from ._patterns.tensors import parts
from ._programs.meetings import PRODUCT, values_by
from ._runtime.dtypes import same_dtype
from ._typing import SparseMatrix, TensorOrArray, TensorOrMatrix

__all__ = ["spgemm"]


def checked_operand(name, A):
    """A as a tensor or Matrix. Raises for what is no sparse matrix or batch of them."""
    A = as_tensor(A)
    if not is_tensor_or_matrix(A):
        raise TypeError(f"{name} should be a Matrix or an instance of torch.Tensor")
    if not is_sparse(A):
        raise ValueError(f"{name} should be sparse, not {A.layout}")
    if is_hybrid(A) or len(A.shape) - (type(A) is Matrix and A.values.dim() - 1) not in (2, 3):
        raise ValueError(
            f"{name} should be a sparse matrix or a batch of them, with numbers as entries"
        )
    return A


def pattern_and_values(A):
    """As `parts`; the values of a Matrix may be a batch."""
    return (A.pattern, A.values) if type(A) is Matrix else parts(A)


@overload
def spgemm(A: Matrix, B: SparseMatrix) -> Matrix: ...


@overload
def spgemm(A: SparseMatrix, B: Matrix) -> Matrix: ...


@overload
def spgemm(A: TensorOrArray, B: TensorOrArray) -> torch.Tensor: ...


@outside_graphs
def spgemm(A: SparseMatrix, B: SparseMatrix) -> TensorOrMatrix:
    """The product A B of two sparse matrices: a sparse one, of the entries that a product may have.

    A: (n, m) or a batch (b, n, m), B: (m, p) or (b, m, p), of A's dtype; COO, CSR, CSC, BSR, BSC,
    SciPy's or a tsgu.Matrix; duplicates are summed first. The result has A's layout, in order and
    without duplicates, CSR of blocks, COO of batches, and is a Matrix where A or B is one. Entries
    that cancel are stored as zeros. Which entries there are, and which of A and B each is made of,
    is worked out once for two patterns, in time and memory linear in the multiplications, and kept
    while both patterns are known; products and gradients with new values are programs on it.
    Differentiable in both to any order; gradients have the patterns of A and B.

    Raises ValueError or TypeError for operands that do not fit, PatternError for a corrupt one.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.spgemm(A, A).to_dense()
    tensor([[4., 0.],
            [5., 9.]])
    """
    A, B = checked_operand("A", A), checked_operand("B", B)
    (first, a), (second, b) = pattern_and_values(A), pattern_and_values(B)
    left, right = first.shape, second.shape
    if left[:-2] != right[:-2] or left[-1] != right[-2]:
        raise ValueError(
            f"A of shape {tuple(A.shape)} and B of shape {tuple(B.shape)} have no product: B must "
            f"have {left[-1]} rows, and as many items as A"
        )
    b = same_dtype(A, b)
    pattern, values = values_by(PRODUCT, first, second, a, b)
    return matrix_of(pattern, values, like=B if type(B) is Matrix else A)
