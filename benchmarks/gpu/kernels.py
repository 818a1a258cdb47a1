"""Which kernels the bundle carries: programs, and what they are specialised to."""

import itertools
from typing import NamedTuple

F32, F64, I32, I64 = range(4)  # tsgu_type
EMULATOR, SM80, SM90 = 1, 80, 90  # tsgu_target
PROGRAMS = ("spmm", "spmm/batch", "softmax", "softmax/batch")
DEVICE_LIBRARIES = tuple(
    f"device/{name}" for name in ("check", "permute", "rows", "scan", "sort", "split")
)
_DYNAMIC = 0
_WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128, _DYNAMIC)
_WIDTHS_OF_SECOND_ORDER = (32, _DYNAMIC)
VALUE_TYPES = (F32, F64)
INDEX_TYPES = (I32, I64)
_SIZE = {F32: 4, F64: 8}


class Specialization(NamedTuple):
    """tsgu_specialization."""

    value_type: int
    index_type: int
    derived_index_type: int
    widths: tuple
    target: int
    alignment: int


def independent(signature):
    """The operands that have a derivative of their own (as Operator.is_independent)."""
    operands = signature["operands"]
    for k, operand in enumerate(operands):
        later = operands[k + 1 :]
        if operand["result_of"] is None and (
            operand["read"] or any(o["result_of"] is not None and o["read"] for o in later)
        ):
            yield k


def paths(signature_of, order=2):
    """The programs and their gradients up to an order; `signature_of(path)` is parsed JSON."""
    level = list(PROGRAMS)
    for _ in range(order + 1):
        yield from level
        level = [f"{path}/vjp{k}" for path in level for k in independent(signature_of(path))]


def _alignments(value_type, width):
    """What rows of so many elements can be aligned to, when memory is aligned well."""
    if width == _DYNAMIC:
        return [bytes for bytes in (4, 8, 16) if bytes >= _SIZE[value_type]]
    row = width * _SIZE[value_type]
    return [min(row & -row, 16)]


def _free(signature):
    """For each size whether kernels may be specialised to it: dense ones of what they touch."""
    of_patterns = {name for pattern in signature["patterns"] for name in pattern["shape"]}
    tensors = [signature["result"], *(o for o in signature["operands"] if o["read"])]
    used = {name for tensor in tensors if tensor["pattern"] is None for name in tensor["shape"]}
    return [name in used - of_patterns for name in signature["sizes"]]


def specializations(path, signature, targets):
    """Every specialisation of one program."""
    free = _free(signature)
    choices = _WIDTHS_OF_SECOND_ORDER if path.count("vjp") > 1 else _WIDTHS
    for target, value_type, index_type in itertools.product(targets, VALUE_TYPES, INDEX_TYPES):
        for width in choices if any(free) else (_DYNAMIC,):
            widths = tuple(width if is_free else 0 for is_free in free)
            for alignment in _alignments(value_type, width) if any(free) else (16,):
                yield Specialization(value_type, index_type, I32, widths, target, alignment)


def library_specializations(targets):
    """Every specialisation of a library of device kernels: as DeviceKernels.cpp asks for them."""
    for target, index_type, derived in itertools.product(targets, INDEX_TYPES, INDEX_TYPES):
        yield Specialization(F32, index_type, derived, (), target, 0)
