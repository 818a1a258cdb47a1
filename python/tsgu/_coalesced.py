"""The same matrix with its entries in order and each element named once."""

from ._modes import on_indices
from ._pattern import COO, Pattern


def summed(values, element, count):
    """For each of so many elements the sum of the values of the entries that name it."""
    # Not index_add, which adds in any order on devices.
    return values.new_zeros(count).index_put((element,), values, accumulate=True)


def coalesced(pattern, values):
    """A coalesced COO pattern and the values on it, in which those of duplicates are summed.

    Differentiable in the values to any order.
    """
    canonical, element = on_indices(pattern.canonical)
    if element is None:
        if pattern.form == COO:
            canonical = Pattern.coo(pattern.positions, pattern.shape, coalesced=True)
        return canonical, values
    return canonical, summed(values, element, canonical.entries)
