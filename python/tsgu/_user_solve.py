"""A user's own solver as the method of a handle: `solve(A, B, **kwargs) -> X`."""

import torch

from ._pattern import COO, CSR, Pattern
from ._tensors import put_together

_NORMAL, _TRANSPOSED, _ADJOINT = 0, 1, 2


class _Item:
    """One matrix of a pattern: its entries in CSR order, and those of its transpose."""

    def __init__(self, pattern, item):
        rows, columns = pattern.shape[-2:]
        self.pattern = _in_order(pattern) or _rebuilt(pattern, item)
        indices = self.pattern.entry_indices()
        self.order = (indices[1] * max(rows, 1) + indices[0]).argsort()
        self.transposed = _from_coordinates(indices.flip(0)[:, self.order], columns, rows, pattern)

    def matrix(self, values, mode):
        if mode == _NORMAL:
            return put_together(self.pattern, values)
        values = values[self.order]
        return put_together(self.transposed, values.conj() if mode == _ADJOINT else values)


def _in_order(pattern):
    """The pattern itself, where it is one matrix and its entries are sorted and unique."""
    if pattern.items != -1 or pattern.form not in (CSR, COO) or pattern.validate() != 0:
        return None
    if pattern.form == COO:
        return Pattern.coo(pattern.positions, pattern.shape, coalesced=True)
    return pattern


def _rebuilt(pattern, item):
    indices = pattern.canonical()[0].positions
    if pattern.items != -1:
        indices = indices[1:, indices[0] == item]
    return _from_coordinates(indices, *pattern.shape[-2:], pattern)


def _from_coordinates(indices, rows, columns, like):
    if like.form & COO:
        return Pattern.coo(indices.contiguous(), (rows, columns), coalesced=True)
    positions = torch.zeros(rows + 1, dtype=like.positions.dtype)
    positions[1:] = torch.bincount(indices[0], minlength=rows).cumsum(0)
    return Pattern.csr(positions, indices[1].to(positions.dtype), columns)


class UserSolve:
    """What a handle's solves do: call `solve` with A and B, or for an adjoint A^H and B.

    An explicit `adjoint` is called with A itself and must act as the adjoint, or, unless
    `takes_A`, with A^H. `vector`: the user's right-hand side has one dimension, and so has what
    the callables get.
    """

    def __init__(self, solve, adjoint, kwargs, pattern, vector, takes_A):
        self.solve, self.adjoint, self.kwargs = solve, adjoint or solve, kwargs
        self.pattern, self.vector, self.takes_A = pattern, vector, takes_A
        self.items = {}

    def __call__(self, mode, item, values, b, x):
        matrices = self.items.get(item)
        if matrices is None:
            matrices = self.items.setdefault(item, _Item(self.pattern, item))
        # Copies: callables may keep what they get.
        values, b = values.clone(), b.clone(memory_format=torch.contiguous_format)
        b = b.squeeze(1) if self.vector else b
        if mode == _NORMAL:
            result = self.solve(matrices.matrix(values, _NORMAL), b, **self.kwargs)
        elif not self.takes_A:
            result = self.adjoint(matrices.matrix(values, mode), b, **self.kwargs)
        else:
            conjugate = mode == _TRANSPOSED and b.is_complex()
            b = b.conj().resolve_conj() if conjugate else b
            result = self.adjoint(matrices.matrix(values, _NORMAL), b, **self.kwargs)
            result = result.conj() if conjugate else result
        x.copy_(_checked(result, x))


def _checked(result, x):
    if not isinstance(result, torch.Tensor):
        raise TypeError(f"solve must return a tensor X, not {type(result).__name__}")
    if result.layout is not torch.strided:
        raise TypeError(f"solve must return a dense (strided) tensor, not {result.layout}")
    if result.shape == x.shape[:1] and x.shape[1] == 1:
        result = result.unsqueeze(1)
    if result.shape != x.shape:
        raise ValueError(
            f"solve must return X of shape {tuple(x.shape)}, not {tuple(result.shape)}"
        )
    if result.is_complex() and not x.is_complex():
        raise TypeError(f"solve must return real numbers, not {result.dtype}")
    return result
