"""Solves with a sparse matrix: triangular ones, and by iterative methods."""

import torch
from torch.autograd import Function

from ._autograd import operator
from ._solver import solver
from ._tensors import parts

__all__ = ["SparseTriangularSolve", "sparse_triangular_solve"]


# ===-- Triangular ------------------------------------------------------------===#


def _check_triangular(A, B):
    """Raises ValueError for the first thing that is wrong with the operands."""
    if not isinstance(A, torch.Tensor) or not isinstance(B, torch.Tensor):
        raise ValueError("Both A and B should be instances of torch.Tensor")
    if A.dim() < 2 or B.dim() < 1 or (A.dim() > 2 and B.dim() < 2):
        raise ValueError("Both A and B should be at least 2-dimensional tensors")
    vector = A.dim() == 2 and B.dim() == 1
    if (A.dim() != B.dim() and not vector) or A.dim() > 3:
        raise ValueError("A and B must both be 2D or both be 3D tensors")
    if A.layout not in (torch.sparse_coo, torch.sparse_csr):
        raise ValueError("A should be in either COO or CSR sparse format")
    if B.layout is not torch.strided:
        raise ValueError("B must be a dense (strided) tensor")
    if A.shape[-1] != A.shape[-2]:
        raise ValueError("A must be square on its last two dimensions")
    rows = B.shape[-1] if vector else B.shape[-2]
    if A.shape[-2] != rows:
        raise ValueError(f"Incompatible inner dimensions: A[..., {A.size(-2)}] vs B[..., {rows}]")
    if A.dim() == 3 and A.shape[0] != B.shape[0]:
        raise ValueError("If batched, A and B must have the same batch size")
    with torch._C._DisableFuncTorch():  # whose wrappers of sparse tensors fail
        hybrid = A.dense_dim() != 0
    if hybrid:
        raise ValueError("A must not be hybrid: its entries must be numbers, not dense blocks")


def _triangular_solve(A, B, upper, unitriangular, transpose):
    pattern, values = parts(A)
    path = "triangular_solve_transposed" if transpose else "triangular_solve"
    solve = operator(path if pattern.items == -1 else f"{path}/batch")
    handle = solver("triangular", upper=upper, unitriangular=unitriangular)
    if B.dim() == 1:
        return solve.call((pattern,), handle, values, B.unsqueeze(1)).squeeze(1)
    return solve.call((pattern,), handle, values, B)


class SparseTriangularSolve(Function):
    """`SparseTriangularSolve.apply(...)` is `sparse_triangular_solve` without its checks."""

    apply = staticmethod(_triangular_solve)


def sparse_triangular_solve(A, B, upper=True, unitriangular=False, transpose=False):
    """The solution X of A X = B with a triangular A, differentiable in both to any order.

    A: COO (coalesced or not) or CSR, (n, n), or a batch (b, n, n) whose items may have different
    numbers of entries; indices int32 or int64. B: strided, (n,) or (n, p), for a batch (b, n, p),
    of A's dtype. X has the shape of B. Only the upper (or lower) triangle of A is read: entries on
    the other side are ignored, and their gradient is 0. With unitriangular=True the diagonal is
    ones, and stored diagonal entries are ignored alike. With transpose=True the solution of
    A^T X = B; `upper` still says which triangle of A is read. The gradient of A is sparse, in A's
    layout and on A's pattern. Rows that do not depend on each other are solved in parallel; the
    analysis of A's pattern that this takes is made once and serves all gradients.

    Raises ValueError for operands that do not fit, TypeError for other dtypes and devices,
    PatternError for a corrupt A, SingularMatrixError for a zero or missing diagonal entry, naming
    its row.
    """
    _check_triangular(A, B)
    return _triangular_solve(A, B, upper, unitriangular, transpose)
