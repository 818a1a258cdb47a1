"""What solvers call in Python, and what becomes of it once a run is over.

The runtime has one table of functions for the process; a solver's id says whose callables are
meant. What they raise ends the run, and `_library` raises it; `watch` warns of solves that failed.
"""

import contextlib
import ctypes
import functools
import itertools
import pathlib
import sys
import threading
import traceback
import warnings
import weakref
from typing import NamedTuple

import torch

from . import c_api, library
from .types import torch_dtype
from .writes import removing

METHODS = library.names("method")
REASONS = {code: name.replace("_", " ") for name, code in c_api.REASON.items()}
ON_FAIL = ("warn", "raise", "ignore")
_BREAKDOWNS = ("breakdown", "indefinite matrix", "indefinite preconditioner")


class ConvergenceWarning(UserWarning):
    """A solve that did not reach its goal and was told to go on."""


class FactorInfo(NamedTuple):
    """The factors of a direct method."""

    entries: int  # of the factors, explicit zeros included
    flops: float | None  # additions and multiplications; None: not known, of "lu" and "qr"
    bytes: int  # of memory that they own
    # An estimate of 1 / cond(A) in the 1-norm, of A with scaled rows and columns (of "qr": of R).
    rcond: float
    rank: int
    # (positive, negative, zero) eigenvalues of A by "cholesky" and "ldlt"; None: not known.
    inertia: tuple[int, int, int] | None


class Outcome(NamedTuple):
    """How a solve of one matrix ended, column by column of its right-hand side."""

    method: str
    mode: int  # 0: A, 1: its transpose, 2: its conjugate transpose
    item: int  # of a batch of matrices
    reasons: tuple[str, ...]  # values of REASONS
    iterations: torch.Tensor
    residuals: torch.Tensor  # norm(b - A x), recomputed
    goals: torch.Tensor
    history: torch.Tensor | None  # (steps, columns), as the iteration knew them
    explanation: str
    factors: FactorInfo | None = None  # of a direct method, where history was asked for

    @property
    def converged(self) -> bool:
        return all(reason == "converged" for reason in self.reasons)


# ===-- The C side ------------------------------------------------------------===#


def view_of(tensor):
    """A torch tensor over the memory of a tsgu_tensor, which lives as long as the call."""
    dtype, rank = torch_dtype[tensor.type], tensor.rank
    shape, strides = tensor.shape[:rank], tensor.strides[:rank]
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    length = 1 + sum((extent - 1) * step for extent, step in zip(shape, strides, strict=True))
    memory = (ctypes.c_char * (length * dtype.itemsize)).from_address(tensor.data)
    values = torch.frombuffer(memory, dtype=dtype)
    return values if strides == [1] else values.as_strided(shape, strides)


def _array(pointer, count, dtype):
    return torch.tensor(pointer[:count], dtype=dtype)


def read_outcome(outcome):
    """The Outcome that a tsgu_outcome describes."""
    columns, steps = outcome.columns, outcome.history_length
    history = None
    if steps and outcome.history:
        history = _array(outcome.history, steps * columns, torch.float64).view(steps, columns)
    return Outcome(
        METHODS[outcome.method],
        outcome.mode,
        outcome.item,
        tuple(REASONS.get(code, "failed") for code in outcome.reasons[:columns]),
        _array(outcome.iterations, columns, torch.int64),
        _array(outcome.residuals, columns, torch.float64),
        _array(outcome.goals, columns, torch.float64),
        history,
        (outcome.explanation or b"").decode(errors="replace"),
        _read_factors(outcome),
    )


def _read_factors(outcome):
    if not outcome.factor_bytes:
        return None
    entries, flops = int(outcome.factor_entries), outcome.factor_flops or None
    rank, negative = outcome.factor_rank, outcome.factor_negative
    inertia = (rank - negative, negative, 0) if negative >= 0 else None
    return FactorInfo(entries, flops, outcome.factor_bytes, outcome.rcond, rank, inertia)


# ===-- Callables by id -------------------------------------------------------===#


class Callables:
    """What belongs to one solver handle, which alone keeps it alive.

    `solve(mode, item, values, b, x)` writes x; `progress(iteration, residuals)` returns whether to
    stop; `outcomes`, a list, collects the outcomes of all runs if it is not None. `text(outcome)`
    makes the text of warnings if it is not None; `display`, a Display of progress.py, shows runs.
    """

    def __init__(self, solve=None, progress=None, outcomes=None):
        if torch.compiler.is_compiling():
            torch._dynamo.graph_break(
                "a graph cannot hold callables of a solver (a function, a callback, progress, "
                "return_info): make the handle outside, with tsgu.solver, and call "
                'tsgu.operator("solve")(pattern, handle, values, B), or allow graph breaks'
            )
        self.solve = solve
        self.progress = progress
        self.outcomes = outcomes
        self.text = self.display = None
        self.id = next(_ids)
        _known[self.id] = weakref.ref(self, removing(_known, self.id))


_ids = itertools.count(1)
_known = {}  # id -> weak reference


class _Run:
    """What happened in Python during one run of a program."""

    def __init__(self):
        self.outcomes = []  # failed ones
        self.warnings = []
        self.adopts = False
        self.adopted = None


class _Thread(threading.local):
    def __init__(self):
        self.runs = []


_thread = _Thread()


@contextlib.contextmanager
def adopted():
    """Solves that fail inside, by methods of ours, are how the solve around them ended."""
    run = _thread.runs[-1] if _thread.runs else _Run()
    run.adopts = True
    try:
        yield
    finally:
        run.adopts = False


def _callables(id):
    known = _known.get(id)
    found = known() if known is not None else None
    if found is None:
        raise library.CallbackError(
            f"the callables of solver {id} are gone: a solver handle must be kept as the tensor "
            "that was made, in the process that made it"
        )
    return found


def with_gradients(enabled, function, *arguments):
    """`function(*arguments)`, recorded by autograd or not.

    A signal can keep torch.no_grad() from its end, and gradients stay off.
    """
    before = torch.is_grad_enabled()
    try:
        torch._C._set_grad_enabled(enabled)
        return function(*arguments)
    finally:
        torch._C._set_grad_enabled(before)


def _shown(call):
    """`call`, whose errors are printed where another than `watch` runs the program.

    He learns that it failed, not why.
    """

    def shown(*arguments):
        try:
            return call(*arguments)
        except BaseException as error:
            if not _thread.runs:
                traceback.print_exception(error)
            raise

    return shown


@_shown
def _call_solve(id, mode, item, *addresses):
    values, b, x = (view_of(c_api.Tensor.from_address(address)) for address in addresses)
    with_gradients(False, _callables(id).solve, mode, item, values, b, x)
    return 0


@_shown
def _call_progress(id, iteration, columns, residuals):
    residuals = (ctypes.c_double * columns).from_address(residuals)[:]
    callables = _callables(id)
    if callables.display is not None:
        callables.display.step(iteration, residuals)
    if callables.progress is None:
        return 0
    return int(bool(callables.progress(iteration, torch.tensor(residuals, dtype=torch.float64))))


@_shown
def _call_outcome(id, address):
    outcome = c_api.Outcome.from_address(address)
    on_fail = ON_FAIL[outcome.on_fail]
    _tell(_callables(id) if id else None, read_outcome(outcome), on_fail)
    return 0


def _tell(callables, outcome, on_fail):
    run = _thread.runs[-1] if _thread.runs else None
    known_to_fail = not outcome.converged
    if run is not None and run.adopted is not None:
        outcome, run.adopted = run.adopted._replace(mode=outcome.mode, item=outcome.item), None
    if callables is not None and callables.outcomes is not None:
        callables.outcomes.append(outcome)
    if callables is not None and callables.display is not None:
        callables.display.end(outcome)
    if outcome.converged:
        return
    if len(_thread.runs) > 1 and _thread.runs[-2].adopts:
        _thread.runs[-2].adopted = outcome
        return
    if run is not None:
        run.outcomes.append(outcome)
    if on_fail == "raise" and not known_to_fail:
        raise _with_outcome(library.ConvergenceError(outcome.explanation), [outcome])
    if on_fail != "warn":
        return
    text = callables.text if callables is not None else None
    text = outcome.explanation if text is None else text(outcome)
    if run is not None:
        run.warnings.append(text)
    else:
        warnings.warn(text, ConvergenceWarning, stacklevel=level())


library.set_callables(_call_solve, _call_progress, _call_outcome)


# ===-- After a run -----------------------------------------------------------===#


def watch(run):
    """`run`, warning of what did not converge."""

    @functools.wraps(run)
    def watched(*arguments, **options):
        runs = _thread.runs
        outer = len(runs)
        try:  # A signal may raise between any two statements.
            this = _Run()
            runs.append(this)
            result = run(*arguments, **options)
        except library.ConvergenceError as error:
            raise _with_outcome(error, this.outcomes) from None
        finally:
            del runs[outer:]
        for text in this.warnings:
            warnings.warn(text, ConvergenceWarning, stacklevel=level())
        return result

    return watched


def _with_outcome(error, outcomes):
    if outcomes:
        if any(reason in _BREAKDOWNS for reason in outcomes[-1].reasons):
            error = library.BreakdownError(*error.args)
        error.outcome = outcomes[-1]
    return error


# Not resolved: frames name files as they were found, through symbolic links.
_PACKAGE = pathlib.Path(__file__).parents[1]
_OURS = (str(_PACKAGE), str(pathlib.Path(torch.__file__).parent))


def level():
    """The stack level, as warnings count it, of the code that called the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    return level
