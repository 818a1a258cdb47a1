"""Rows and columns of a sparse matrix, differentiable in its values."""

import torch

from .._matrices.matrix import unchecked
from .._patterns.coalesced import without_repeats
from .._patterns.modes import on_indices
from .._patterns.pattern import Pattern, found


def cut(A, kept):
    """The blocks ((A_kk, A_kl), (A_lk, A_ll)) of a square A; kept: a mask (n,), l: the others."""
    pattern, values = without_repeats(A.pattern, A.values)
    name = "blocks", kept.numpy().tobytes()
    blocks = on_indices(lambda: found(pattern, name, lambda: _blocks(pattern, kept)))
    made = [unchecked(block, values.index_select(-1, entries)) for block, entries in blocks]
    return made[:2], made[2:]


def _blocks(pattern, kept):
    """(pattern, entries) of each of the four."""
    row, column = pattern.entry_indices()
    place = torch.where(kept, kept.cumsum(0), (~kept).cumsum(0)) - 1
    sizes = {True: int(kept.sum()), False: int((~kept).sum())}
    found = []
    for above in (True, False):
        for left in (True, False):
            entries = ((kept[row] == above) & (kept[column] == left)).nonzero().squeeze(1)
            indices = torch.stack([place[row[entries]], place[column[entries]]])
            found.append((Pattern.coo(indices, (sizes[above], sizes[left])), entries))
    return found
