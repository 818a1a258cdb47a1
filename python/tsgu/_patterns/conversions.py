"""A pattern and its values in another layout, and as an array of SciPy."""

import torch

from .._runtime.optional import load
from .._typing import Shape
from .coalesced import coalesced
from .layouts import BLOCKED, BY_COLUMNS, SPARSE
from .modes import on_indices
from .pattern import TRANSPOSED, Pattern

# ===-- Rows from coordinates --------------------------------------------------===#


def row_positions(row_indices, num_rows):
    """Where each row begins among row indices in order, (num_rows + 1,), in their dtype."""
    positions = row_indices.new_zeros(num_rows + 1)
    torch.cumsum(torch.bincount(row_indices, minlength=num_rows), 0, out=positions[1:])
    return positions


def compressed_rows(indices, num_rows, items):
    """Positions and coordinates, per item if `items` is not None, of indices in order.

    Raises ValueError for items with different numbers of entries.
    """
    row = indices[-2] if items is None else indices[0].long() * num_rows + indices[-2]
    ends = row_positions(row, num_rows * (1 if items is None else items))
    if items is None:
        return ends, indices[-1]
    starts = ends[:-1].view(items, num_rows)[:, :1] if num_rows else ends.new_zeros(items, 1)
    ends = ends[1:].view(items, num_rows)
    counts = (ends[:, -1:] - starts).flatten() if num_rows else ends.new_zeros(items)
    if items and counts.amin() != counts.amax():
        raise ValueError(
            f"the items of a CSR batch have equal numbers of entries, and these have "
            f"{counts.amin().item()} to {counts.amax().item()}: a COO batch may differ, and every "
            "function takes one"
        )
    positions = (torch.cat([starts, ends], 1) - starts).to(indices.dtype)
    return positions, indices[-1].view(items, counts[0] if items else 0)


# ===-- Layouts ------------------------------------------------------------------===#


def in_layout(
    pattern: Pattern,
    values: torch.Tensor,
    layout: torch.layout | None = None,
    blocksize: Shape | None = None,
) -> tuple[Pattern, torch.Tensor]:
    """Pattern and values of the same matrix in a layout of torch, differentiable in the values.

    Where the pattern has it, as they are; otherwise entries are in order, and those that name one
    element are summed. Raises ValueError where they have no such layout.
    """
    layout = pattern.layout if layout is None else layout
    if layout not in SPARSE:
        raise ValueError(f"layout must be one of torch's sparse layouts, not {layout}")
    if layout is pattern.layout and (blocksize is None or layout not in BLOCKED):
        if pattern.form & TRANSPOSED and layout is torch.sparse_coo:
            turned = on_indices(lambda: Pattern.coo(pattern.entry_indices(), pattern.shape))
            return turned, values
        return pattern, values
    turned = layout in BY_COLUMNS
    pattern, values = coalesced(pattern.transposed() if turned else pattern, values)
    if layout is torch.sparse_coo:
        return pattern, values
    if layout in BLOCKED:
        return _blocked(pattern, values, layout, blocksize)
    pattern = on_indices(lambda: _csr(pattern))
    return (pattern.transposed() if turned else pattern), values


def _csr(pattern):
    """CSR of a coalesced COO pattern."""
    items = None if pattern.items == -1 else pattern.items
    return Pattern.csr(*compressed_rows(pattern.positions, pattern.rows, items), pattern.columns)


def _check_blocksize(blocksize, shape):
    if blocksize is None or len(blocksize) != 2 or min(blocksize) < 1:
        raise ValueError(f"BSR and BSC take a blocksize (p, q), not {blocksize}")
    if any(extent % step for extent, step in zip(shape[-2:], blocksize, strict=True)):
        raise ValueError(f"blocks of {tuple(blocksize)} do not divide a matrix of {tuple(shape)}")


def _blocked(pattern, values, layout, blocksize):
    """BSR, or for BSC of the transposed matrix, of a coalesced COO pattern."""
    turned = layout in BY_COLUMNS
    shape = pattern.transposed().shape if turned else pattern.shape
    _check_blocksize(blocksize, shape)
    p, q = blocksize[::-1] if turned else blocksize
    rows, columns = pattern.rows // p, pattern.columns // q
    items = None if pattern.items == -1 else pattern.items

    def make():
        *item, row, column = pattern.positions
        line = row // p if items is None else item[0] * rows + row // p
        blocks, of_entry = torch.unique(line * columns + column // q, return_inverse=True)
        line, other = blocks // max(columns, 1), blocks % max(columns, 1)
        indices = [line, other] if items is None else [line // rows, line % rows, other]
        arrays = compressed_rows(torch.stack(indices), rows, items)
        inner = [column % q, row % p, p] if turned else [row % p, column % q, q]
        place = of_entry * (p * q) + inner[0] * inner[2] + inner[1]
        zeros = torch.zeros(*arrays[1].shape, *blocksize, device=row.device)
        tensor = torch.sparse_compressed_tensor(
            *arrays, zeros, shape, layout=layout, check_invariants=False
        )
        return Pattern.of(tensor), place

    found, place = on_indices(make)
    return found, values.new_zeros(found.entries).index_put((place,), values)


# ===-- SciPy ---------------------------------------------------------------------===#


def to_scipy(pattern, values):
    """A copy as an array of SciPy, in the pattern's layout where SciPy has it, otherwise COO."""
    sparse = load("scipy.sparse", "Matrix.to_scipy", "scipy")
    layout = torch.sparse_coo if pattern.layout is torch.sparse_bsc else pattern.layout
    pattern, values = in_layout(pattern, values.detach(), layout)
    pattern.validate()

    def array(x):
        return x.detach().resolve_conj().resolve_neg().cpu().numpy().copy()

    if layout is torch.sparse_coo:
        parts = array(values), tuple(map(array, pattern.positions))
    elif layout is torch.sparse_bsr:
        _, positions, coordinates, shape = pattern.blocks
        parts = array(values.view(shape)), array(coordinates), array(positions)
    else:
        parts = array(values), array(pattern.coordinates), array(pattern.positions)
    name = str(layout).removeprefix("torch.sparse_")
    return getattr(sparse, f"{name}_array")(parts, shape=tuple(pattern.shape))
