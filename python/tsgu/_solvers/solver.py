"""Solver handles: what a solver is told, as a tensor that programs take as an operand."""

import collections
import ctypes
import dataclasses
import functools
import struct
from collections.abc import Sequence
from typing import Any

import torch

from .._runtime import c_api, library
from .._runtime.callbacks import METHODS, ON_FAIL, Callables, FactorInfo, Outcome
from .._runtime.lazy import plain
from .._typing import Method, OnFail, Preconditioner, Progress
from .progress import Display

_PRECONDITIONERS = (None, *library.names("preconditioner")[1:])
_EVERY_OUTCOME, _PROGRESS, _HISTORY = 1, 2, 4


# The members of tsgu_solver in their order.
_FIELDS: list[Any] = c_api.Solver._fields_  # (name, type)
_namedtuple: Any = collections.namedtuple  # of fields that a type checker could not read
Options = _namedtuple("Options", dict(_FIELDS), defaults=[0] * len(_FIELDS))
_FORMAT = "".join("d" if kind is ctypes.c_double else "q" for _, kind in _FIELDS)


@plain
def _pack(options):
    # Only as many words as a solver has: C++ checks their ranges.
    try:
        words = struct.pack(_FORMAT, *options)
    except struct.error as error:
        raise ValueError(f"{options} do not fit into a solver: {error}") from None
    if torch.compiler.is_compiling():
        return torch.tensor(struct.unpack(f"{len(options)}q", words), device="cpu")
    return torch.frombuffer(bytearray(words), dtype=torch.int64)


def _remembered(function, most):
    """`function`, whose latest results are kept; not in graphs, where dynamo warns of caches."""
    kept = functools.lru_cache(maxsize=most)(function)

    @functools.wraps(function)
    def call(*args, **kwargs):
        return (function if torch.compiler.is_compiling() else kept)(*args, **kwargs)

    return call


_packed = _remembered(_pack, 1024)


def _choose(name, value, allowed):
    if not (value is None or isinstance(value, str)) or value not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise ValueError(f"{name} must be one of {choices}, not {value!r}")
    return allowed.index(value)


def solver(
    method: Method,
    *,
    upper: bool = False,
    unitriangular: bool = False,
    preconditioner: Preconditioner | None = None,
    block_size: int | None = None,
    relaxation: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    restart: int | None = None,
    damp: float = 0.0,
    scale_columns: bool = False,
    on_fail: OnFail = "warn",
    callback: Progress | None = None,
    progress: bool = False,
    callables: Callables | None = None,
) -> torch.Tensor:
    """A solver handle: an int64 tensor that the programs with solves take as an operand.

    method: "triangular", "cg", "bicgstab", "minres", "gmres", "cgs", "lsmr", "lu", "cholesky",
    "ldlt" or "qr" (least squares). A solve stops when norm(b - A x) <= max(rtol norm(b), atol) in
    every column; rtol is by default 1e-5 in single and 1e-8 in double precision. lu, cholesky, ldlt
    and qr stop when the residual is as small as rounding makes it. maxiter: by default 10 n.
    preconditioner: None, "jacobi", "block_jacobi" (with block_size, 8), "ssor" (with relaxation,
    1), "ilu0", "ic0" or "amg". restart, 30, belongs to gmres, damp and scale_columns to lsmr, upper
    and unitriangular (ones, and no stored diagonal) to triangular. on_fail: "warn", "raise"
    (ConvergenceError) or "ignore". callback(iteration, residuals) is called after every iteration,
    also of adjoint solves, and stops the solve where it returns True; such a solve did not
    converge. progress=True shows solves that last, as `sparse_generic_solve` does.

    The same handle serves a solve, its adjoint and their derivatives. Do not write to it.
    Raises ValueError for options out of range.

    >>> A = torch.tensor([[4.0, 1.0], [1.0, 3.0]]).to_sparse_csr()
    >>> handle = tsgu.solver("cg", rtol=1e-6)
    >>> tsgu.operator("solve")(handle, A, torch.ones(2, 1)).round(decimals=3)
    tensor([[0.1820],
            [0.2730]])
    """
    options = Options(
        method=_choose("method", method, METHODS),
        upper=int(bool(upper)),
        unit_diagonal=int(bool(unitriangular)),
        preconditioner=_choose("preconditioner", preconditioner, _PRECONDITIONERS),
        block_size=_or_default(block_size),
        relaxation=float(_or_default(relaxation)),
        rtol=-1.0 if rtol is None else _not_negative("rtol", rtol),
        atol=0.0 if atol is None else _not_negative("atol", atol),
        max_iterations=0 if maxiter is None else _positive("maxiter", maxiter),
        restart=0 if restart is None else _positive("restart", restart),
        damp=_not_negative("damp", damp),
        scale_columns=int(bool(scale_columns)),
        on_fail=_choose("on_fail", on_fail, ON_FAIL),
        report=_EVERY_OUTCOME if on_fail == "raise" else 0,
    )
    if (callback is not None or progress) and callables is None:
        callables = Callables()
    if callables is None:
        return _packed(options)
    if callback is not None:
        callables.progress = callback
    report = options.report
    if progress:
        callables.display = Display(method)
        report |= _EVERY_OUTCOME | _PROGRESS
    if callables.progress is not None:
        report |= _PROGRESS
    if getattr(callables.solve, "is_ours", False):  # it may know better how it ended
        report |= _EVERY_OUTCOME
    if callables.outcomes is not None:
        report |= _EVERY_OUTCOME | _HISTORY
    handle = _pack(options._replace(callback=callables.id, report=report))
    # torch keeps a tensor's Python attributes for as long as the tensor lives, in graphs too.
    handle._tsgu_callables = callables
    return handle


# For options that are few, and fixed by who asks: checked once.
fixed_solver = _remembered(solver, 64)


def _or_default(value):
    return 0 if value is None else value


def _not_negative(name, value):
    value = float(value)
    if not value >= 0:
        raise ValueError(f"{name} must not be negative, and is {value}")
    return value


def _positive(name, value):
    if not (1 <= value < 1 << 63 and int(value) == value):
        raise ValueError(f"{name} must be a whole number, at least 1, and is {value}")
    return int(value)


# ===-- Outcomes --------------------------------------------------------------===#


@dataclasses.dataclass(frozen=True)
class SolveInfo:
    """How a solve ended: one number for each column, with a leading dimension for a batch.

    reasons are names: "converged", "iteration limit", "breakdown", "stagnated", "indefinite
    matrix", "indefinite preconditioner", "not finite", "stopped", "underflow" (x is too small for
    its dtype), ... residuals are norm(b - A x), recomputed from the result (least squares: of the
    normal equations), goals what they had to reach. history: (steps, columns), the residuals as the
    iteration knew them, one tensor for each matrix of a batch. factors: of a direct method, their
    entries, flops, bytes, rcond, an estimate of 1 / cond(A), and rank; one for each matrix of a
    batch.
    """

    method: str
    converged: bool
    reasons: tuple[Any, ...]
    iterations: torch.Tensor
    residuals: torch.Tensor
    goals: torch.Tensor
    history: torch.Tensor | tuple[torch.Tensor | None, ...] | None = dataclasses.field(repr=False)
    explanation: str
    factors: FactorInfo | tuple[FactorInfo | None, ...] | None = None

    @staticmethod
    def of(outcomes: Sequence[Outcome], batched: bool) -> "SolveInfo":
        """What `outcomes`, one for each matrix, say together."""
        if not outcomes:  # there was nothing to solve
            nothing = torch.zeros((0, 0) if batched else 0, dtype=torch.float64)
            return SolveInfo("", True, (), nothing.long(), nothing, nothing, None, "")
        join = torch.stack if batched else lambda tensors: tensors[0]
        history = tuple(outcome.history for outcome in outcomes)
        reasons = tuple(outcome.reasons for outcome in outcomes)
        worst = next((outcome for outcome in outcomes if not outcome.converged), outcomes[0])
        return SolveInfo(
            outcomes[0].method,
            all(outcome.converged for outcome in outcomes),
            reasons if batched else reasons[0],
            join([outcome.iterations for outcome in outcomes]),
            join([outcome.residuals for outcome in outcomes]),
            join([outcome.goals for outcome in outcomes]),
            history if batched else history[0],
            worst.explanation,
            tuple(outcome.factors for outcome in outcomes) if batched else outcomes[0].factors,
        )
