"""Matrices put together of others: stacks, block diagonals, conversions, identities.

All take O(entries) time and memory, keep int32 and int64 indices, and are differentiable in the
values to any order.
"""

import math
from collections.abc import Sequence
from typing import overload

import torch

from .._matrices.kinds import is_tensor_or_matrix, matrix_among, matrix_of
from .._matrices.matrix import Matrix
from .._patterns.conversions import compressed_rows, in_layout, row_positions
from .._patterns.layouts import as_tensor
from .._patterns.modes import on_indices, outside_graphs
from .._patterns.pattern import Pattern
from .._patterns.tensors import parts
from .._typing import Device, Shape, SparseMatrix, TensorOrArray, TensorOrMatrix
from ._block_diagonal import (
    apart,
    as_tensors,
    refuse_corrupt,
    sparse_block_diag,
    sparse_block_diag_split,
)

__all__ = [
    "convert_coo_to_csr",
    "convert_coo_to_csr_indices_values",
    "sparse_block_diag",
    "sparse_block_diag_split",
    "sparse_eye",
    "stack_csr",
]

_LAYOUTS = (torch.sparse_coo, torch.sparse_csr)
_VALUES = (torch.float32, torch.float64)
_WIDTHS = (torch.int32, torch.int64)


# ===-- Indices -----------------------------------------------------------------===#


def _sort_coo_indices(indices):
    """The columns of `indices`, (k, entries), in lexicographic order, and where each one was.

    Stable: duplicates keep their order. Returns (sorted, permutation), sorted = indices[:,
    permutation].
    """
    if indices.shape[1] == 0:
        return indices, torch.zeros(0, dtype=torch.int64, device=indices.device)
    extents = (indices.amax(1).long() + 1).tolist()
    fits = math.prod(extents) < 1 << 63
    keys = [_raveled(indices, extents)] if fits else list(indices.flip(0))
    order = keys[0].argsort(stable=True)
    for key in keys[1:]:
        order = order[key[order].argsort(stable=True)]
    return indices[:, order], order


def _raveled(indices, extents):
    """One number for each column of indices, in lexicographic order."""
    key = indices[0].long()
    for index, extent in zip(indices[1:], extents[1:], strict=True):
        key = key * extent + index
    return key


_compress_row_indices = row_positions


def _demcompress_crow_indices(crow_indices, num_rows):
    """The row of each entry, from where each row begins, in the dtype of crow_indices."""
    rows = torch.arange(num_rows, dtype=crow_indices.dtype, device=crow_indices.device)
    return rows.repeat_interleave(crow_indices.diff())


def _check_coo_indices(indices, num_rows):
    if indices.dim() != 2 or indices.shape[0] not in (2, 3):
        raise ValueError(
            "coo_indices must have shape (2, entries), or (3, entries) for a batch, not "
            f"{tuple(indices.shape)}"
        )
    if indices.dtype not in _WIDTHS:
        raise TypeError(f"coo_indices must be int32 or int64, not {indices.dtype}")
    if indices.shape[1] == 0:
        return
    if indices.amin() < 0:
        raise ValueError(f"an index is negative: {indices.amin().item()}")
    largest = indices[-2].amax().item()
    if largest >= num_rows:
        raise ValueError(f"row index {largest} is not below num_rows, {num_rows}")


def convert_coo_to_csr_indices_values(
    coo_indices: torch.Tensor,
    num_rows: int,
    values: torch.Tensor | None = None,
    *,
    items: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The index tensors of CSR for COO indices in any order: (crow, col, values or permutation).

    coo_indices: (2, entries), or (3, entries) of a batch whose items have equal numbers of entries;
    int32 or int64, and so are the results: crow (num_rows + 1,) and col (entries,), or (items,
    num_rows + 1) and (items, entries of an item). values: (entries,), returned in the order of col
    and its shape; without them the permutation, int64, for which values[permutation] are those.
    Entries are sorted by row and column; duplicates stay. items: the size of the batch, by default
    one more than the largest item's index.

    Raises ValueError for indices of another shape, a row or item out of range, values of another
    number, and a batch whose items differ in their number of entries.
    """
    _check_coo_indices(coo_indices, num_rows)
    entries = coo_indices.shape[1]
    if values is not None and values.shape[:1] != (entries,):
        raise ValueError(f"values of shape {tuple(values.shape)} for {entries} entries")
    if coo_indices.shape[0] == 2:
        items = None
    else:
        found = int(coo_indices[0].amax()) + 1 if entries else 0
        items = found if items is None else items
        if found > items:
            raise ValueError(f"item index {found - 1} is not below items, {items}")
    in_order, permutation = _sort_coo_indices(coo_indices)
    crow, col = compressed_rows(in_order, num_rows, items)
    permutation = permutation.view(col.shape)
    return crow, col, permutation if values is None else values[permutation]


@overload
def convert_coo_to_csr(coo: Matrix) -> Matrix: ...


@overload
def convert_coo_to_csr(coo: TensorOrArray) -> torch.Tensor: ...


@outside_graphs
def convert_coo_to_csr(coo: SparseMatrix) -> TensorOrMatrix:
    """A COO matrix (n, m), or batch (b, n, m) of equal numbers of entries, as CSR.

    Entries are sorted, and duplicates are summed. Raises ValueError for another layout, and for a
    batch whose items differ in their number of entries, which torch's CSR cannot hold.
    """
    coo = as_tensor(coo)
    layout = coo.layout if is_tensor_or_matrix(coo) else type(coo).__name__
    if layout is not torch.sparse_coo:
        raise ValueError(f"Unsupported layout: {layout}. It must be torch.sparse_coo")
    if coo.dim() not in (2, 3):
        raise ValueError(f"coo must have shape (n, m) or (b, n, m), not {tuple(coo.shape)}")
    return matrix_of(*in_layout(*parts(coo), torch.sparse_csr), like=coo)


@overload
def stack_csr(tensors: Sequence[Matrix], dim: int = 0) -> Matrix: ...


@overload
def stack_csr(tensors: Sequence[TensorOrArray], dim: int = 0) -> torch.Tensor: ...


@overload
def stack_csr(tensors: Sequence[SparseMatrix], dim: int = 0) -> TensorOrMatrix: ...


@outside_graphs
def stack_csr(tensors: Sequence[SparseMatrix], dim: int = 0) -> TensorOrMatrix:
    """CSR matrices (n, m) of equal numbers of entries as one CSR batch (b, n, m).

    tensors: a list or tuple of them. Their indices become int64 unless all are int32.

    Raises TypeError for another type, ValueError where there are none, where shapes, layouts or
    numbers of entries differ (torch's CSR batches have equal ones; a COO batch made by torch.stack
    may be ragged), and for any dim but 0: items are the first dimension of a CSR batch.
    """
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(f"tensors must be a list or tuple, not {type(tensors).__name__}")
    if not tensors:
        raise ValueError("there must be at least one tensor to stack")
    tensors = as_tensors(tensors, "tensors must be CSR tensors")
    if {A.layout for A in tensors} != {torch.sparse_csr}:
        raise ValueError(f"all tensors must be CSR, not {[A.layout for A in tensors]}")
    shapes = {A.shape for A in tensors}
    if len(shapes) > 1:
        raise ValueError(f"all tensors must have one shape, not {sorted(map(tuple, shapes))}")
    (shape,) = shapes
    if len(shape) != 2:
        raise ValueError(f"all tensors must have shape (n, m), not {tuple(shape)}")
    if dim not in (0, -3):
        raise ValueError(f"dim must be 0, the one that a CSR batch has its items on, not {dim}")
    positions, coordinates, _, values = apart(tensors)

    def make():
        try:
            pattern = Pattern.csr(torch.stack(positions), torch.stack(coordinates), shape[1])
        except RuntimeError:  # looked at only now, for there may be many
            counts = {index.numel() for index in coordinates}
            if len(counts) == 1:
                refuse_corrupt(tensors)
            raise ValueError(
                f"the items of a CSR batch have equal numbers of entries, and these have "
                f"{sorted(counts)}: stack them as COO, by torch.stack of A.to_sparse_coo()"
            ) from None
        if pattern.rows != shape[0]:
            refuse_corrupt(tensors)
        return pattern

    pattern = on_indices(make)
    return matrix_of(pattern, torch.stack(values).view(-1), like=matrix_among(tensors))


# ===-- Identities -----------------------------------------------------------------===#


def sparse_eye(
    size: Shape,
    *,
    layout: torch.layout = torch.sparse_coo,
    values_dtype: torch.dtype = torch.float64,
    indices_dtype: torch.dtype = torch.int64,
    device: Device = "cpu",
    requires_grad: bool = False,
) -> torch.Tensor:
    """The identity matrix, size (n, n), or a batch of them, (b, n, n): a leaf.

    layout: torch.sparse_coo (coalesced; torch keeps its indices as int64) or torch.sparse_csr.

    Raises ValueError for a size that is not square or has another length, a layout that is
    neither, values_dtype other than float32 and float64, indices_dtype other than int32 and int64.
    """
    size = tuple(size)
    if len(size) not in (2, 3) or size[-1] != size[-2]:
        raise ValueError(f"size must be (n, n) or (b, n, n), not {size}")
    if layout not in _LAYOUTS:
        raise ValueError(f"layout must be torch.sparse_coo or torch.sparse_csr, not {layout}")
    if values_dtype not in _VALUES:
        raise ValueError(f"values_dtype must be float32 or float64, not {values_dtype}")
    if indices_dtype not in _WIDTHS:
        raise ValueError(f"indices_dtype must be int32 or int64, not {indices_dtype}")
    items, n = size[:-2], size[-1]
    diagonal = torch.arange(n, dtype=indices_dtype, device=device)
    values = diagonal.new_ones(*items, n, dtype=values_dtype)
    if layout is torch.sparse_csr:
        positions = torch.arange(n + 1, dtype=indices_dtype, device=device)
        if items:
            positions, diagonal = (x.repeat(*items, 1) for x in (positions, diagonal))
        eye = torch.sparse_csr_tensor(positions, diagonal, values, size, check_invariants=False)
    else:
        indices = torch.stack((diagonal, diagonal))
        if items:
            item = torch.arange(*items, dtype=indices_dtype, device=device).repeat_interleave(n)
            indices = torch.cat([item.unsqueeze(0), indices.repeat(1, *items)])
            values = values.flatten()
        eye = torch.sparse_coo_tensor(
            indices, values, size, is_coalesced=True, check_invariants=False
        )
    return eye.requires_grad_() if requires_grad else eye
