"""How the runtime knows values for which it has prepared something.

It finds that by the content of the values. Large values that are those of an earlier solve have a
number, by which they are found without a look at them. Two things say that they are: torch counted
no writes, and nobody whose writes it does not count has the memory. The first costs a moment; the
second is known of values that one tensor has for itself, and of those that `tsgu.csr` or `tsgu.coo`
was given. Of others (torch's own sparse tensors may share memory with anyone, and NumPy's arrays
do) the runtime makes sure by their content, where it matters.
"""

import itertools
import os
import weakref

import torch

from .._runtime import library
from .._runtime import writes as _writes

_storage_use_count = torch._C._storage_Use_Count
_values_known = library.plugin.tsgu_torch_values_known
_CHECKING = os.environ.get("TSGU_CHECK_PATTERNS", "0") not in ("", "0")
# Solves with fewer numbers take little longer than to say this.
LARGE = 1 << 15
_numbers = itertools.count(1)
# id of a tensor -> (weak reference to it, address of its values, counts of writes, their number,
# whether writes to their memory are counted).
_seen = {}

# The count where one tensor alone has the memory.
_PROBE = torch.ones(1)
_ALONE = _storage_use_count(_PROBE.untyped_storage()._cdata)


def _source(values, pattern):
    """The sparse tensor whose values these are, if it is known; otherwise themselves."""
    A = pattern.source and pattern.source()
    if A is None:
        return values
    own = A._values() if A.layout is torch.sparse_coo else A.values()
    return A if own.data_ptr() == values.data_ptr() else values


def _say(operand, values, pattern):
    """Has the next run of this thread know the values of an operand by a number."""
    source, address = _source(values, pattern), values.data_ptr()
    writes = _writes.counts(values)
    known = _seen.get(id(source))
    if known is None or known[0]() is not source or known[1:3] != (address, writes):
        reference = weakref.ref(source, _writes.removing(_seen, id(source)))
        counted = writes is not None and library.owns(values, values) and not _CHECKING
        known = _seen[id(source)] = reference, address, writes, next(_numbers), counted
    *_, number, sure = known
    if sure and address not in _writes.counting:
        storage = values.untyped_storage()
        sure = source is values and _storage_use_count(storage._cdata) <= _ALONE
    _values_known(operand, number, sure)


def saying(run, signature):
    """`run` of a program that solves with the first sparse one of its operands."""
    infos = signature.operands
    sparse = [k for k, info in enumerate(infos) if info.pattern >= 0 and info.read]
    if not sparse:
        return run
    matrix = sparse[0]  # derived programs take it first, too
    number = infos[matrix].pattern

    def known(patterns, *operands):
        values = operands[matrix]
        if values.numel() < LARGE:
            return run(patterns, *operands)
        try:  # What was said is taken back if a signal keeps the run from it.
            _say(matrix, values, patterns[number])
            return run(patterns, *operands)
        except BaseException:
            _values_known(0, 0, False)
            raise

    return known
