"""Rows of what is stored by columns, as products and solves of many vectors take and give it."""

import torch
from torch.autograd import Function

from .modes import transforming

_is_compiling = torch.compiler.is_compiling
_dispatch_modes = torch._C._len_torch_dispatch_stack
_in_rows = torch.ops.tsgu.in_rows.default._op
_shifted_rows = torch.ops.tsgu.shifted_rows.default._op
_DTYPES = (torch.float32, torch.float64)


class _Copy(Function):
    @staticmethod
    def forward(ctx, x):
        return _in_rows(x)

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent


class _Sum(Function):
    @staticmethod
    def forward(ctx, x, shift):
        return _shifted_rows(x, shift)

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent, cotangent


# The base class's apply, which knows no transforms and costs less.
_copy = super(Function, _Copy).apply
_sum = super(Function, _Sum).apply


def _is_traced(x):
    return transforming() or _is_compiling() or _dispatch_modes() or not x.is_cpu


def by_columns(x):
    """x, (k, n), with its columns contiguous: a copy where its rows are."""
    if x.dim() != 2 or x.stride(0) == 1:
        return x
    if _is_traced(x):
        return x.mT.contiguous().mT
    return (_copy if x.requires_grad and torch.is_grad_enabled() else _in_rows)(x.mT).mT


def _is_plain(shift, x):
    """Whether x is stored by columns, and the shift one for all."""
    if x.dtype not in _DTYPES or x.dtype is not shift.dtype or x.dim() not in (2, 3):
        return False
    if x.stride(0) != 1 or x.stride(-1) < 2 or min(x.shape) < 2:
        return False
    return x.shape[1:] == shift.shape and shift.is_contiguous()


def shifted(shift, x):
    """shift + x, contiguous, (k, *shift.shape): in one pass where x is stored by columns."""
    if _is_traced(x) or not _is_plain(shift, x):
        return (shift + x).contiguous()
    if torch.is_grad_enabled() and (x.requires_grad or shift.requires_grad):
        return _sum(x, shift.expand_as(x))
    return _shifted_rows(x, shift.expand_as(x))
