"""Writes to memory that tensors share without sharing torch's count of writes to it.

torch counts writes for a tensor and its views. A sparse tensor that tsgu makes of a user's tensors
has their memory, but a count of its own; whoever uses it asks their counts as well, by the address.
"""

import weakref

from torch._C import _functorch

# address -> weak references to the tensors there that somebody may write to, often one.
counting = {}
# id of a sparse tensor -> (weak reference to it, what keeps its memory's counts alive).
_kept = {}


class _Reference(weakref.ref):
    __slots__ = ("address",)


def _forget(reference):
    address = reference.address
    known = counting.get(address, ())
    left = tuple([other for other in known if other is not reference])
    if left:
        counting[address] = left
    elif known:
        del counting[address]


def count(*tensors):
    """Has the uses of other tensors on this memory see what is written through these."""
    for tensor in tensors:
        address = tensor.data_ptr()
        known = counting.get(address, ())
        for reference in known:
            if reference() is tensor:
                break
        else:
            if address:
                reference = _Reference(tensor, _forget)
                reference.address = address
                counting[address] = (*counting.get(address, ()), reference)


def keep(A, *tensors):
    """Keeps the tensors as long as A, for `count` does not."""
    key = id(A)

    def forget(reference):
        if _kept.get(key, (None,))[0] is reference:
            del _kept[key]

    _kept[key] = weakref.ref(A, forget), tensors


def version(positions, coordinates):
    """A number that changes when torch writes to index tensors; -1 where it does not count."""
    first, second = counting.get(positions.data_ptr(), ()), counting.get(coordinates.data_ptr(), ())
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
        for reference in counting.get(_address(tensor), ())
        if (other := reference()) is not None and other is not tensor and not other.is_inference()
    ]
