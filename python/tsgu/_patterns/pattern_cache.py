"""What the plugin's pattern cache has to ask of Python: the stable ABI cannot tell it.

Whose memory an index tensor has, for torch counts no writes to what it only borrows. And which
index tensors nobody else holds: the plugin keeps them alive to know them by their storage, and
whether it is the last to do so shows only here, in reference counts. A wrong answer to that
costs a look-up by content, or memory up to the cache's limit; never a wrong result.
"""

import sys
from collections import Counter

import torch

from .._runtime import library

_storage_use_count = torch._C._storage_Use_Count
_dispatch_modes = torch._C._len_torch_dispatch_stack
_function_modes = torch._C._len_torch_function_stack
_transforms_active = torch._C._are_functorch_transforms_active


def _storage(tensor):
    return tensor.untyped_storage()._cdata


# What the counts are for a tensor that one name and, in C++, one graph hold.
_PROBE = torch.ones(1, requires_grad=True)
_GRAPH = _PROBE * _PROBE
_STORAGE_COUNT = _storage_use_count(_storage(_PROBE))
_TENSOR_COUNT = torch.empty(1)._use_count()  # type: ignore[attr-defined]
_PYTHON_COUNT = sys.getrefcount(_PROBE)


_OPERATORS = torch.library.Library("tsgu", "FRAGMENT")
_OPERATORS.impl("owned_by_torch", library.owns, "CompositeExplicitAutograd")


def _tensors_by_storage(tensors):
    """How many different tensors hold each storage."""
    return Counter(_storage(tensor) for tensor in {id(x): x for x in tensors}.values())


def drop_unused():
    """Drops every entry of the pattern cache one of whose tensors only the cache holds."""
    entries, tensors = torch.ops.tsgu.cached()
    entries = entries.tolist()
    occurrences = Counter(map(id, tensors))
    ours = _tensors_by_storage(tensors)
    unused = set()
    for k, entry in enumerate(entries):
        number = occurrences[id(tensors[k])]
        storage = _storage(tensors[k])
        if (
            sys.getrefcount(tensors[k]) <= number - 1 + _PYTHON_COUNT
            and tensors[k]._use_count() <= number + _TENSOR_COUNT
            and _storage_use_count(storage) <= ours[storage] - 1 + _STORAGE_COUNT
        ):
            unused.add(entry)
    library.drop_cached(sorted(unused))


def _sweep(memory_ran_out):
    # Under what takes over operators it would fail: then at the next occasion.
    if not (_dispatch_modes() or _function_modes() or _transforms_active()):
        drop_unused()
    if memory_ran_out:
        torch.cuda.empty_cache()
    return 0


library.set_sweeper(_sweep)
