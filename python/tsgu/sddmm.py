"""Products of dense matrices, sampled on a sparsity pattern."""

from typing import overload

import torch

from ._matrices.kinds import is_hybrid, is_tensor_or_matrix, matrix_of
from ._matrices.matrix import Matrix, unchecked
from ._patterns.coalesced import coalesced
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import outside_graphs
from ._patterns.pattern import Pattern
from ._patterns.tensors import parts
from ._programs.autograd import operator_on
from ._runtime.dtypes import same_dtype
from ._typing import SparseMatrix, TensorOrArray, TensorOrMatrix

__all__ = ["sddmm"]


def _check_factors(shape, U, V):
    if not isinstance(U, torch.Tensor) or not isinstance(V, torch.Tensor):
        raise TypeError("U and V should be instances of torch.Tensor")
    *items, rows, columns = shape
    for name, factor, extent in (("U", U, rows), ("V", V, columns)):
        if factor.layout is not torch.strided:
            raise ValueError(f"{name} should be dense, not {factor.layout}")
        if factor.dim() != len(shape) or list(factor.shape[:-1]) != [*items, extent]:
            expected = ", ".join(map(str, [*items, extent, "p"]))
            raise ValueError(f"{name} should have shape ({expected}), not {tuple(factor.shape)}")
    if U.shape[-1] != V.shape[-1]:
        raise ValueError(
            f"U and V should have as many columns, and have {U.shape[-1]} and {V.shape[-1]}"
        )


def _sampled(path, pattern, values, U, V):
    return operator_on(path, pattern).call((pattern,), values, U, V)


@overload
def sddmm(A: Pattern | Matrix, U: torch.Tensor, V: torch.Tensor) -> Matrix: ...


@overload
def sddmm(A: TensorOrArray, U: torch.Tensor, V: torch.Tensor) -> torch.Tensor: ...


@outside_graphs
def sddmm(A: Pattern | SparseMatrix, U: torch.Tensor, V: torch.Tensor) -> TensorOrMatrix:
    """U V^T, computed at the entries of A only: the sampled dense-dense matrix product.

    A is a tsgu.Pattern, and entry (i, j) of the result is the product of row i of U and row j of V,
    not conjugated; or a sparse matrix, whose values multiply it. Differentiable in U, V and A's
    values to any order; nothing of size n x m, nor entries x p, is made.
    A: a Pattern, a Matrix, COO, CSR, CSC, BSR or BSC, (n, m) or a batch (b, n, m), or a SciPy
    array; duplicates are summed first. U: dense, (n, p) or (b, n, p); V: (m, p) or (b, m, p), of
    A's dtype. The result has A's layout and pattern; that of a Pattern is a Matrix.

    Raises ValueError or TypeError for operands that do not fit, PatternError for a corrupt A.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> X = torch.tensor([[1.0], [2.0]])
    >>> tsgu.sddmm(A, X, X).to_dense()
    tensor([[ 2.,  0.],
            [ 2., 12.]])
    """
    if type(A) is Pattern:
        _check_factors(A.shape, U, V)
        if A.may_repeat:
            raise ValueError(
                "a pattern of COO entries that may repeat has no values of its own: make it by "
                "Pattern.coo(indices, shape, coalesced=True)"
            )
        unread = U.new_empty(()).expand(A.entries)
        return unchecked(A, _sampled("sddmm", A, unread, U, same_dtype(U, V, "V")))
    A = as_tensor(A)
    if not is_tensor_or_matrix(A):
        raise TypeError("A should be a Pattern, a Matrix or an instance of torch.Tensor")
    if not is_sparse(A) or A.dim() not in (2, 3) or is_hybrid(A):
        raise ValueError("A should be a sparse matrix or a batch of them, with numbers as entries")
    _check_factors(A.shape, U, V)
    U, V = same_dtype(A, U, "U"), same_dtype(A, V, "V")
    pattern, values = parts(A)
    if pattern.may_repeat:
        pattern, values = coalesced(pattern, values)
    result = _sampled("weighted_sddmm", pattern, values, U, V)
    return matrix_of(pattern, result, like=A)
