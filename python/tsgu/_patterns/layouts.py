"""Any sparse matrix of a user as a tensor of torch, and the index tensors of each layout."""

import sys
from typing import Any

import torch

from .._typing import Array, TensorOrMatrix

SPARSE = (
    torch.sparse_coo,
    torch.sparse_csr,
    torch.sparse_csc,
    torch.sparse_bsr,
    torch.sparse_bsc,
)
BLOCKED = (torch.sparse_bsr, torch.sparse_bsc)
BY_COLUMNS = (torch.sparse_csc, torch.sparse_bsc)
_WIDTHS = (torch.int32, torch.int64)


def is_sparse(A):
    return A.layout in SPARSE


def compressed_indices(A):
    """The compressed and the plain indices of a CSR, CSC, BSR or BSC tensor."""
    if A.layout in BY_COLUMNS:
        return A.ccol_indices(), A.row_indices()
    return A.crow_indices(), A.col_indices()


def index_tensor(indices: Array) -> torch.Tensor:
    """An index tensor as it is, a copy of an array or list."""
    if isinstance(indices, torch.Tensor):
        return indices
    copy = torch.tensor(indices)
    return copy if copy.numel() else copy.long()


def one_width(
    positions: torch.Tensor, coordinates: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both in the wider type where one is int32 and the other int64."""
    if positions.dtype is coordinates.dtype:
        return positions, coordinates
    if positions.dtype in _WIDTHS and coordinates.dtype in _WIDTHS:
        return positions.long(), coordinates.long()
    return positions, coordinates


def same_indices(a, b):
    """Whether two index tensors of one place have the same elements, as of the same width."""
    if a.dtype is not b.dtype:
        return torch.equal(a.long(), b.long())
    is_view = a.shape == b.shape and a.stride() == b.stride() and a.data_ptr() == b.data_ptr()
    return is_view or torch.equal(a, b)


def as_tensor(A: Any) -> TensorOrMatrix:
    """A sparse array or matrix of SciPy as a tensor, whose memory is its own; others as they are.

    CSR, CSC, BSR and COO keep their layout, the other formats become CSR.
    """
    if isinstance(A, torch.Tensor) or torch.compiler.is_compiling():
        return A
    scipy = sys.modules.get("scipy.sparse")
    if scipy is None or not scipy.issparse(A):
        return A
    if A.ndim != 2:
        raise ValueError(f"A must be a matrix, and has shape {A.shape}")
    if A.format == "coo":
        indices = torch.stack([torch.tensor(index).long() for index in (A.row, A.col)])
        return torch.sparse_coo_tensor(
            indices, torch.tensor(A.data), A.shape, check_invariants=False
        )
    if A.format not in ("csr", "csc", "bsr"):
        A = A.tocsr()
    # SciPy lets the arrays be longer than the last position says.
    stored = int(A.indptr[-1])
    return torch.sparse_compressed_tensor(
        torch.tensor(A.indptr),
        torch.tensor(A.indices[:stored]),
        torch.tensor(A.data[:stored]),
        A.shape,
        layout=getattr(torch, f"sparse_{A.format}"),
        check_invariants=False,
    )
