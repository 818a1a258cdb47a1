"""The product of a sparse and a dense matrix."""

import torch
from torch.autograd import Function

from ._matrices.kinds import is_hybrid, is_tensor_or_matrix
from ._matrices.matrix import Matrix, product
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import outside_graphs
from ._programs.autograd import operator
from ._runtime.dtypes import same_dtype
from ._typing import SparseMatrix

__all__ = ["SparseMatMul", "sparse_mm", "sparse_mv"]

_product = operator("spmm").on


def _check_operands(A, B):
    """Raises ValueError for the first thing that is wrong with the operands."""
    if not is_tensor_or_matrix(A) or not isinstance(B, torch.Tensor):
        raise ValueError("Both A and B should be instances of torch.Tensor")
    if A.dim() < 2 or B.dim() < 2:
        raise ValueError("Both A and B should be at least 2-dimensional tensors")
    if A.dim() != B.dim() or A.dim() > 3:
        raise ValueError("A and B must both be 2D or both be 3D tensors")
    if not is_sparse(A):
        raise ValueError("A should be in either COO or CSR sparse format")
    if B.layout is not torch.strided:
        raise ValueError("B must be a dense (strided) tensor")
    if A.dim() == 3 and A.shape[0] != B.shape[0]:
        raise ValueError("If batched, A and B must have the same batch size")
    if A.shape[-1] != B.shape[-2]:
        raise ValueError(
            f"Incompatible inner dimensions: A[..., {A.size(-1)}] vs B[..., {B.size(-2)}]"
        )
    if is_hybrid(A):
        raise ValueError("A must not be hybrid: its entries must be numbers, not dense blocks")


@outside_graphs
def sparse_mm(A: SparseMatrix, B: torch.Tensor) -> torch.Tensor:
    """The product A B of a sparse A and a dense B, differentiable in both to any order.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, m), or a batch (b, n, m) whose items may
    have different numbers of entries (COO), or a SciPy array; float32, float64, complex64,
    complex128, float16 or bfloat16 (summed in float32, rounded once), indices int32 or int64. B:
    strided, (m, p) or (b, m, p), of A's dtype; a copy is made unless its last stride is 1. The
    result is dense, (n, p) or (b, n, p). The gradient of A is sparse, in A's layout and on A's
    pattern, with one entry for each stored one; only the gradients asked for are computed.

    Raises ValueError for operands that do not fit, TypeError for other dtypes and devices,
    PatternError for a corrupt A.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_mm(A, torch.ones(2, 1))
    tensor([[2.],
            [4.]])
    """
    if type(A) is Matrix:
        return product(A, B)
    try:
        if A.dim() != 2 or B.dim() != 2:
            _check_operands(A, B)
        return _product(A, B)
    except Exception as error:
        # Looked at only now: the common case need not pay for it.
        matrix = as_tensor(A)
        if matrix is not A:
            return sparse_mm(matrix, B)
        _check_operands(A, B)
        if A.dtype != B.dtype:
            return sparse_mm(A, same_dtype(A, B))
        raise error from None


@outside_graphs
def sparse_mv(A: SparseMatrix, x: torch.Tensor) -> torch.Tensor:
    """The product A x of a sparse A, (n, m) or (b, n, m), and a dense x, (m,) or (b, m).

    The result is dense, (n,) or (b, n). All else, errors included, is as in sparse_mm.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_mv(A, torch.ones(2))
    tensor([2., 4.])
    """
    if not isinstance(x, torch.Tensor):
        raise ValueError("Both A and x should be instances of torch.Tensor")
    if x.dim() not in (1, 2):
        raise ValueError(f"x should have one dimension, or two beside a batch, not {x.dim()}")
    return sparse_mm(A, x.unsqueeze(-1)).squeeze(-1)


class SparseMatMul(Function):
    """`SparseMatMul.apply(A, B)` is `sparse_mm(A, B)`."""

    apply = staticmethod(sparse_mm)
