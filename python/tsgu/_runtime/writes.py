"""Writes to memory that tensors share without sharing torch's count of writes to it.

torch counts writes for a tensor and its views. A sparse tensor that tsgu makes of a user's tensors
has their memory, but a count of its own; whoever uses it asks their counts as well, by the address.
"""

import functools
import weakref

from torch._C import _functorch

# address -> weak reference to what counts there.
counting = {}
# (id of a tensor, address) -> weak reference to the tensor, which holds what counts there.
_references = {}
# id of a sparse tensor -> (weak reference to it, what keeps its memory's counts alive).
_kept = {}


class _Reference(weakref.ref):
    __slots__ = ("counts",)


class _Counts(list):
    """Weak references to the tensors at an address that somebody may write to, often one."""

    __slots__ = ("__weakref__",)


def removing(known, key):
    """A callback of a weak reference: takes the key out of a dict.

    None of Python's functions may be one, for Python drops what a signal raises in it.
    """
    return functools.partial(known.pop, key)


def _at(address):
    counts = counting.get(address)
    return () if counts is None else counts() or ()


def count(*tensors):
    """Has the uses of other tensors on this memory see what is written through these."""
    for tensor in tensors:
        address = tensor.data_ptr()
        key = id(tensor), address
        if not address or key in _references:
            continue
        counts = _at(address) or _Counts()
        counts[:] = [other for other in counts if other() is not None] + [weakref.ref(tensor)]
        reference = _Reference(tensor, removing(_references, key))
        reference.counts = counts
        _references[key] = reference
        counting[address] = weakref.ref(counts, removing(counting, address))


def keep(A, *tensors):
    """Keeps the tensors as long as A, for `count` does not."""
    _kept[id(A)] = weakref.ref(A, removing(_kept, id(A))), tensors


def version(positions, coordinates):
    """A number that changes when torch writes to index tensors; -1 where it does not count."""
    first, second = _at(positions.data_ptr()), _at(coordinates.data_ptr())
    own = others = 0
    try:
        if not first and not second:
            return positions._version + coordinates._version
        for index, known in ((positions, first), (coordinates, second)):
            counts = index._version
            for reference in known:
                other = reference()
                if other is index:
                    counts = 0
                if other is not None:
                    others += other._version
            own += counts
    except RuntimeError:  # inference tensors do not count
        return -1
    # A tensor that nobody wrote to since it was made has the number of what it was made of.
    return others + (own << 32)


def counts(values):
    """What changes when torch counts a write to the memory of values; None where it does not."""
    try:
        known = _at(values.data_ptr())
        if not known:
            return values._version
        others = [other for reference in known if (other := reference()) is not None]
        return values._version, *((id(other), other._version) for other in others)
    except RuntimeError:  # inference tensors do not count
        return None


def _address(tensor):
    """Of what the wrappers of transforms, which may have ended, are around."""
    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
    return tensor.data_ptr()


def sources(tensors):
    """What counts writes to the memory of these tensors: to be saved beside them."""
    return [
        other.detach()
        for tensor in tensors
        for reference in _at(_address(tensor))
        if (other := reference()) is not None and other is not tensor and not other.is_inference()
    ]
