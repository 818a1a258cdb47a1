"""The same matrix with its entries in order and each element named once."""

from ._matrix import on_indices
from ._pattern import Pattern


def coalesced(pattern, values):
    """A coalesced COO pattern and the values on it, in which those of duplicates are summed.

    Differentiable in the values to any order.
    """
    canonical, element = on_indices(pattern.canonical)
    if element is None:
        if pattern.layout is canonical.layout:
            canonical = Pattern.coo(pattern.positions, pattern.shape, coalesced=True)
        return canonical, values
    # Not index_add, which adds in any order on devices.
    zeros = values.new_zeros(canonical.entries)
    return canonical, zeros.index_put((element,), values, accumulate=True)
