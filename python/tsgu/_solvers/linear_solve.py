"""x = A^-1 B on a pattern by one of our methods, or by a user's callable, differentiable."""

import functools

import torch

from .._matrices.kinds import is_tensor_or_matrix
from .._patterns.layouts import is_sparse as is_sparse
from .._patterns.modes import transforming as transforming
from .._patterns.pattern import Pattern
from .._programs.autograd import operator_on
from .._runtime import callbacks, library
from .._runtime.callbacks import Callables
from .._runtime.dtypes import same_dtype as same_dtype
from .._runtime.lazy import plain
from .progress import around
from .solver import SolveInfo, solver

_solve_from = callbacks.watch(
    lambda *arguments: _translated(torch.ops.tsgu.solve_from.default, *arguments)
)


def _translated(function, *arguments):
    try:
        return function(*arguments)
    except (ValueError, RuntimeError) as error:
        raise library.translate(error) from None


def run(
    pattern, values, B, make_handle, *, name="solve", guess=None, nearest=False, wants_info=False
):
    """(x, SolveInfo or None) for B of shape (n, p), or (items, n, p) on a pattern of items.

    `make_handle(callables)` makes the solver of a Callables, or of None. `nearest`: x is one of
    many solutions, the nearest to the guess.
    """
    check_on_cpu(values, B)
    callables = Callables(outcomes=[]) if wants_info else None
    handle = make_handle(callables)
    program = operator_on(name, pattern)
    with around(handle, pattern):
        if guess is None:
            x = program.call((pattern,), handle, values, B)
        else:
            x = _from_guess(program, pattern, handle, values, B, guess, nearest)
    if not wants_info:
        return x, None
    # Of this solve: those of its derivatives come later.
    outcomes, callables.outcomes = callables.outcomes, None
    return x, SolveInfo.of(outcomes, pattern.items != -1)


def _from_guess(program, pattern, handle, values, B, guess, nearest):
    if guess.is_complex() and not values.is_complex():
        raise TypeError(f"x0 has dtype {guess.dtype}, and the solution {values.dtype}")
    guess = guess.to(values.dtype)
    rest = B
    if nearest:  # x - guess is the solution of least norm of what the guess leaves of B.
        rest = B - operator_on("spmm", pattern).call((pattern,), values, guess)
    if transforming():  # Within, no guess shows.
        x = program.call((pattern,), handle, values, rest)
        return guess + x if nearest else x
    prepared = library.keep_next()
    x = callbacks.with_gradients(
        False,
        _solve_from,
        0,
        pattern.positions,
        pattern.coordinates,
        *pattern.numbers(),
        handle,
        values.detach(),
        B.detach(),
        guess.detach(),
    )
    x = x - guess.detach() if nearest else x
    x = program.attach((pattern,), x, handle, values, rest, prepared=prepared)
    return guess + x if nearest else x


def handle_maker(method, wanted, dtype, on_fail, text=None):
    """For `run`: a handle of one of our methods."""

    def make(callables):
        if text is not None and callables is None:
            callables = Callables()
        if callables is not None:
            callables.text = text
        return solver(
            method,
            preconditioner=wanted.preconditioner,
            rtol=wanted.tolerance(dtype),
            atol=wanted.atol,
            maxiter=wanted.maxiter,
            restart=wanted.restart,
            on_fail=on_fail,
            callback=wanted.callback,
            progress=bool(wanted.progress),
            callables=callables,
        )

    return make


# ===-- Operands --------------------------------------------------------------===#


def check_operands(A, B, square=False):
    """Raises for the first thing that is wrong with a sparse A and a dense B."""
    if not is_tensor_or_matrix(A) or not isinstance(B, torch.Tensor):
        raise ValueError("Both A and B should be instances of torch.Tensor")
    if not is_sparse(A):
        raise TypeError(f"Unsupported sparse layout: {A.layout}. Only COO and CSR are supported.")
    if A.dim() not in (2, 3):
        raise ValueError("A must be a 2D tensor")
    if square and A.shape[-1] != A.shape[-2]:
        raise ValueError("A must be square")
    if B.dim() not in (A.dim() - 1, A.dim()):
        raise ValueError("B must be a 1D or 2D tensor")
    if A.shape[:-1] != B.shape[: A.dim() - 1]:
        raise ValueError(f"Incompatible dimensions: A has shape {A.shape}, B has shape {B.shape}")
    if B.layout is not torch.strided:
        raise TypeError("B must be a dense (strided) tensor")


def check_on_cpu(*tensors):
    """Raises TypeError for a tensor on a device."""
    for tensor in tensors:
        if tensor.device.type != "cpu":
            raise TypeError(
                f"solves and factorisations run on the CPU, and an operand is on {tensor.device}: "
                "move it with .cpu(), through which gradients flow"
            )


def check_guess(x0, shape, vector):
    """Raises unless x0 has the shape of the solution; that of a vector may have one more of 1."""
    if not isinstance(x0, torch.Tensor):
        raise TypeError(f"x0 must be a torch.Tensor, not {type(x0).__name__}")
    if x0.shape != shape and not (vector and x0.shape == (*shape, 1)):
        raise ValueError(f"x0 must have the shape of X, {tuple(shape)}, and has {tuple(x0.shape)}")


# ===-- Matrices --------------------------------------------------------------===#


@functools.lru_cache(maxsize=16)
@plain
def _full(items, rows, columns):
    """The pattern of a matrix that stores every entry."""
    lead = () if items == -1 else (items,)
    cpu = {"dtype": torch.int32, "device": "cpu"}
    positions = torch.arange(rows + 1, **cpu) * columns
    coordinates = torch.arange(columns, **cpu).repeat(rows)
    return Pattern.csr(
        positions.expand(*lead, -1).contiguous(),
        coordinates.expand(*lead, -1).contiguous(),
        columns,
    )


def dense_parts(A):
    """Pattern and values of a dense matrix (n, m) or a batch (b, n, m), differentiable."""
    *items, rows, columns = A.shape
    if rows * columns >= 2**31:
        raise ValueError(f"a dense matrix of shape {tuple(A.shape)} is too large: pass a closure")
    return _full(items[0] if items else -1, rows, columns), A.reshape(-1)


def with_shift(pattern, values, value, shift):
    """Pattern and values of value A + shift I: a COO pattern, in which entries may repeat."""
    n, count = pattern.shape[-1], max(pattern.items, 1)
    diagonal = torch.arange(n).repeat(count).expand(2, -1)
    if pattern.items != -1:
        items = torch.arange(count).repeat_interleave(n)
        diagonal = torch.cat([items.unsqueeze(0), diagonal])
    indices = torch.cat([pattern.entry_indices(), diagonal], 1)
    shift = torch.as_tensor(shift, dtype=values.dtype).expand(diagonal.shape[1])
    values = values if value is None else value * values
    return Pattern.coo(indices, pattern.shape), torch.cat([values, shift])
