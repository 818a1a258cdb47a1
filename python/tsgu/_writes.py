"""Writes to memory that tensors share without sharing torch's count of writes to it.

torch counts writes for a tensor and its views. A sparse tensor that tsgu makes of a user's tensors
has their memory, but a count of its own; whoever uses it asks their counts as well, by the address.
"""

import weakref

# address -> {id of a tensor there that somebody may write to: weak reference to it}.
counting = {}
# id of a sparse tensor -> (weak reference to it, what keeps its memory's counts alive).
_kept = {}


class _Reference(weakref.ref):
    __slots__ = ("address", "key")


def _forget(reference):
    known = counting.get(reference.address)
    if known is not None and known.get(reference.key) is reference:
        del known[reference.key]
        if not known and counting.get(reference.address) is known:
            del counting[reference.address]


def count(*tensors):
    """Has the uses of other tensors on this memory see what is written through these."""
    for tensor in tensors:
        address, key = tensor.data_ptr(), id(tensor)
        if address == 0:
            continue
        known = counting.setdefault(address, {})
        reference = known.get(key)
        if reference is None or reference() is not tensor:
            reference = _Reference(tensor, _forget)
            reference.address, reference.key = address, key
            known[key] = reference


def keep(A, *tensors):
    """Keeps the tensors as long as A, for `count` does not."""
    key = id(A)

    def forget(reference):
        if _kept.get(key, (None,))[0] is reference:
            del _kept[key]

    _kept[key] = weakref.ref(A, forget), tensors


def _on(tensor):
    """The tensors that are known to count writes to a tensor's memory."""
    known = counting.get(tensor.data_ptr())
    if not known:
        return ()
    return [found for reference in [*known.values()] if (found := reference()) is not None]


def version(positions, coordinates):
    """A number that changes when torch writes to index tensors; -1 where it does not count."""
    own = others = 0
    is_shared = False
    try:
        for index in (positions, coordinates):
            on_it = _on(index)
            is_shared = is_shared or bool(on_it)
            if not any(other is index for other in on_it):
                own += index._version
            for other in on_it:
                others += other._version
    except RuntimeError:  # inference tensors do not count
        return -1
    # A tensor that nobody wrote to since it was made has the number of what it was made of.
    return others + (own << 32) if is_shared else own


def sources(tensors):
    """What counts writes to the memory of these tensors: to be saved beside them."""
    return [
        other.detach()
        for tensor in tensors
        for other in _on(tensor)
        if other is not tensor and not other.is_inference()
    ]
