"""Two sparse operands on patterns of their own: which entries meet, and the values by that.

An operation on two sparse matrices has two parts. Their patterns tell which entries the result has,
and for each of them the entries that contribute to it: that is worked out once for two patterns,
and kept with the first of them. The values are then a program on the pattern of these meetings,
whose derivatives of any order are programs on it, too.
"""

import torch

from .._patterns.modes import on_indices
from .._patterns.pattern import COO, TRANSPOSED, Pattern
from .._runtime import c_api, library
from .autograd import operator

PRODUCT, COMMON, EITHER = (c_api.MEETING[name] for name in ("product", "common", "either"))

_is_compiling = torch.compiler.is_compiling
_dispatch_modes = torch._C._len_torch_dispatch_stack
_meet = torch.ops.tsgu.meet.default._op
_products = operator("entry_products").call
_sums = operator("entry_sums").call


def met(kind, is_coo, wide, first, second):
    """The index tensors of the result, and of the meetings: those of Meetings.h."""
    indices = first.positions, first.coordinates, *first.numbers()
    others = second.positions, second.coordinates, *second.numbers()
    try:
        return _meet(kind, is_coo, wide, *indices, *others)
    except (ValueError, RuntimeError) as error:
        raise library.translate(error) from None


def _by_rows(kind, is_coo, wide, first, second):
    """The pattern of the result, COO or CSR, and the index tensor of the meetings."""
    if _is_compiling() or _dispatch_modes():  # whose graphs want registered operators
        found = _traced(kind, is_coo, first, second)
    else:
        found = on_indices(lambda: met(kind, int(is_coo), int(wide), first, second))
    positions, coordinates, meetings = found
    shape = *first.shape[:-1], second.shape[-1]
    if positions.dim() == 2:
        return Pattern.coo(positions, shape, coalesced=True), meetings
    return Pattern.csr(positions, coordinates, shape[-1]), meetings


def _traced(kind, is_coo, first, second):
    indices = []
    for pattern in (first, second):
        indices += [pattern.positions, pattern.coordinates]
        indices += [pattern.form, pattern.items, pattern.rows, pattern.columns]
    return torch.ops.tsgu.meetings(kind, is_coo, *indices)


def values_by(kind, first, second, a, b, keeps_layout=True):
    """The pattern and the values of the product, the elementwise product or the sum of matrices.

    first, second: patterns whose shapes fit; a, b: values on them, of one dtype. The result is COO
    where the first pattern is or has items, CSC where it is and `keeps_layout`, otherwise CSR. Its
    index tensors are int64 where those of the first are. Raises PatternError for a corrupt pattern.
    """
    is_matrix = first.blocks is None and first.items == -1
    is_turned = keeps_layout and is_matrix and first.form == TRANSPOSED
    is_coo = bool(first.form & COO) and first.blocks is None
    wide = first.positions.dtype is torch.int64
    if is_turned:
        first, second = first.transposed(), second.transposed()
        if kind == PRODUCT:
            first, second, a, b = second, first, b, a
    pattern, meetings = _by_rows(kind, is_coo, wide, first, second)
    if kind == EITHER:
        values = _run(_sums, meetings, pattern, torch.cat([a, b], dim=-1))
    else:
        values = _run(_products, meetings, pattern, a, b)
    return pattern.transposed() if is_turned else pattern, values


def _run(program, meetings, pattern, *operands):
    """Values of a program on a pattern of meetings, whose own values are not read."""
    shape = pattern.entries, *(operand.shape[-1] for operand in operands)
    meetings = Pattern.coo(meetings, shape, coalesced=True)
    unread = operands[0].new_empty(()).expand(meetings.entries)
    return program((meetings,), unread, *operands)
