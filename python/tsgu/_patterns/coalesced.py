"""The same matrix with its entries in order and each element named once."""

import torch

from .modes import on_indices
from .pattern import COO, Pattern

_is_compiling = torch.compiler.is_compiling


def summed(values, element, count):
    """For each of so many elements the sum of the values of the entries that name it."""
    # Not index_add, which adds in any order on devices.
    return values.new_zeros(count).index_put((element,), values, accumulate=True)


def without_repeats(pattern, values):
    """The same where no entries name one element, else what `coalesced` makes of it.

    In a graph, where that is not known, operators refuse repeated entries when they run.
    """
    if not pattern.may_repeat or _is_compiling() or on_indices(pattern.validate) < 2:
        return pattern, values
    return coalesced(pattern, values)


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
