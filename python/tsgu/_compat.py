"""What code that was written for earlier libraries or versions of torch expects."""

import torch

from ._typing import SparseMatrix
from .sparse_solve import sparse_triangular_solve

__all__ = ["linalg_solve_triangular_compat"]


def linalg_solve_triangular_compat(
    A: SparseMatrix,
    B: torch.Tensor,
    *,
    upper: bool,
    unitriangular: bool = False,
    transpose: bool = False,
) -> torch.Tensor:
    """The solution X of A X = B, or of A^T X = B, with a triangular A, dense or sparse.

    `upper` says which triangle of A is read, with transpose=True too. A strided A takes
    torch.linalg.solve_triangular, whose shapes, batches and errors hold; any other one
    `sparse_triangular_solve`.
    """
    if not isinstance(A, torch.Tensor) or A.layout is not torch.strided:
        return sparse_triangular_solve(A, B, upper, unitriangular, transpose)
    if transpose:
        A, upper = A.mT, not upper
    return torch.linalg.solve_triangular(A, B, upper=upper, unitriangular=unitriangular)


def check_nested_tensors():
    """Raises the error of versions of torch that the functions here never worked with."""
    if torch.torch_version.TorchVersion(str(torch.__version__)) < (2, 4):
        raise NotImplementedError("PyTorch version is too old for nested tensors")
