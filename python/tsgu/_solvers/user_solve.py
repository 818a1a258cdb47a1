"""A user's own solver as the method of a handle: `solve(A, B, **kwargs) -> X`."""

import math
import sys

import torch

from .._patterns.pattern import COO, CSR, Pattern
from .._patterns.tensors import put_together
from .._runtime.callbacks import Callables, adopted
from .._runtime.lazy import lazy
from .linear_solve import run
from .solver import solver

NORMAL, TRANSPOSED, ADJOINT = 0, 1, 2


class _Matrix:
    """One matrix of a pattern: its entries in CSR order, and those of its transpose."""

    def __init__(self, pattern):
        self.pattern = pattern

    @lazy
    def transposed(self):
        """The pattern of the transpose, and where its entries are among the matrix's."""
        rows, columns = self.pattern.shape
        indices = self.pattern.entry_indices()
        order = (indices[1] * max(rows, 1) + indices[0]).argsort()
        return _from_coordinates(indices.flip(0)[:, order], columns, rows, self.pattern), order

    def tensor(self, values, mode, like):
        """The matrix, or its transpose or adjoint, in the layout of the pattern `like`."""
        if mode == NORMAL:
            return _in_layout(put_together(self.pattern, values), like)
        pattern, order = self.transposed
        values = values[order]
        if mode == ADJOINT:
            values = values.conj().resolve_conj()
        return _in_layout(put_together(pattern, values), like, turned=True)


def _in_layout(A, like, turned=False):
    """A, which is COO or CSR, in the layout of a pattern, or for the transpose of its matrix."""
    if like.blocks is not None:
        size = tuple(like.blocks[-1][-2:])
        return A.to_sparse(layout=like.layout, blocksize=size[::-1] if turned else size)
    return A.to_sparse_csc() if like.layout is torch.sparse_csc else A


def _matrices(pattern):
    """Those of a pattern, one for each of its items."""
    if pattern.items == -1:
        return [_Matrix(_in_order(pattern))]
    indices = pattern.canonical()[0].positions
    counts = torch.bincount(indices[0], minlength=pattern.items).tolist()
    each = indices[1:].split(counts, 1)
    return [_Matrix(_from_coordinates(of, *pattern.shape[-2:], pattern)) for of in each]


def _in_order(pattern):
    """A pattern of the same elements, sorted and unique: the pattern itself where it is so."""
    if pattern.form in (CSR, COO) and pattern.validate() == 0:
        if pattern.form == COO:
            return Pattern.coo(pattern.positions, pattern.shape, coalesced=True)
        return pattern
    return _from_coordinates(pattern.canonical()[0].positions, *pattern.shape, pattern)


def _from_coordinates(indices, rows, columns, like):
    if like.form & COO:
        return Pattern.coo(indices.contiguous(), (rows, columns), coalesced=True)
    positions = torch.zeros(rows + 1, dtype=like.positions.dtype)
    positions[1:] = torch.bincount(indices[0], minlength=rows).cumsum(0)
    return Pattern.csr(positions, indices[1].to(positions.dtype), columns)


def _number(tolerance):
    """A tolerance as a float; NaN for none, or for what only the callable understands."""
    try:
        return float(tolerance)
    except (TypeError, ValueError):
        return math.nan


def _goals(rtol, atol):
    """The tolerances of a handle for a user's callable: without rtol every result will do."""
    rtol, atol = _number(rtol), _number(atol)
    if not 0 <= rtol < 1:
        return {"rtol": 0}
    # A handle takes zero for none; who asks for zero relies on atol, or on x being exact.
    return {"rtol": max(rtol, sys.float_info.min), "atol": atol if atol > 0 else 0}


class UserSolve:
    """What a handle's solves do: call `solve` with A and B, or for an adjoint A^H and B.

    An explicit `adjoint` is called with A itself and must act as the adjoint, or, unless
    `takes_A`, with A^H. `vector`: the user's right-hand side has one dimension, and so has what
    the callables get. `is_ours`: what fails in them fails as a method of ours.
    """

    def __init__(self, solve, adjoint, kwargs, pattern, vector, takes_A, is_ours=False):
        self.solve, self.adjoint, self.kwargs = solve, adjoint or solve, kwargs
        self.pattern, self.vector, self.takes_A = pattern, vector, takes_A
        self.is_ours = is_ours

    @lazy
    def matrices(self):
        return _matrices(self.pattern)

    def handle_maker(self, on_fail, rtol=None, atol=None):
        """For `run` of _linear_solve: a handle of these solves, judged where rtol is a number."""

        def make(callables):
            callables = callables or Callables()
            callables.solve = self
            goals = _goals(rtol, atol)
            return solver("callable", **goals, on_fail=on_fail, callables=callables)

        return make

    def run(self, values, B, on_fail, rtol=None, atol=None):
        """x of A x = B, differentiable; judged by its residual where rtol is a number."""
        B = B.unsqueeze(-1) if self.vector else B
        x, _ = run(self.pattern, values, B, self.handle_maker(on_fail, rtol, atol))
        return x.squeeze(-1) if self.vector else x

    def __call__(self, mode, item, values, b, x):
        if self.is_ours:
            with adopted():
                self._solve(mode, self.matrices[item], values, b, x)
        else:
            self._solve(mode, self.matrices[item], values, b, x)

    def _solve(self, mode, matrix, values, b, x):
        # Copies: callables may keep what they get, or write to it.
        values, b = values.clone(), b.clone(memory_format=torch.contiguous_format)
        b = b.squeeze(1) if self.vector else b
        if mode == NORMAL:
            result = self.solve(matrix.tensor(values, NORMAL, self.pattern), b, **self.kwargs)
        elif not self.takes_A:
            result = self.adjoint(matrix.tensor(values, mode, self.pattern), b, **self.kwargs)
        else:
            conjugate = mode == TRANSPOSED and b.is_complex()
            b = b.conj().resolve_conj() if conjugate else b
            result = self.adjoint(matrix.tensor(values, NORMAL, self.pattern), b, **self.kwargs)
            if conjugate and isinstance(result, torch.Tensor):
                result = result.conj()
        x.copy_(checked_result(result, x))


def checked_result(result, x):
    if not isinstance(result, torch.Tensor):
        raise TypeError(f"solve must return a tensor X, not {type(result).__name__}")
    if result.layout is not torch.strided:
        raise TypeError(f"solve must return a dense (strided) tensor, not {result.layout}")
    if result.device != x.device:
        raise TypeError(f"solve must return a tensor on the CPU, not on {result.device}")
    if result.shape == x.shape[:1] and x.shape[1] == 1:
        result = result.unsqueeze(1)
    if result.shape != x.shape:
        raise ValueError(
            f"solve must return X of shape {tuple(x.shape)}, not {tuple(result.shape)}"
        )
    if result.is_complex() and not x.is_complex():
        raise TypeError(f"solve must return real numbers, not {result.dtype}")
    return result
