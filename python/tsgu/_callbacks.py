"""What solvers call in Python, and what becomes of it once a run is over.

The runtime has one table of functions for the process; a solver's id says whose callables are
meant. Nothing may be raised into C: exceptions are kept for the thread and raised by `watch`,
which also warns of solves that failed.
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

from . import _library

METHODS = ("triangular", "cg", "bicgstab", "minres", "gmres", "cgs", "lsmr", "callable")
REASONS = {
    1: "converged",
    -1: "iteration limit",
    -2: "breakdown",
    -3: "stagnated",
    -4: "indefinite matrix",
    -5: "indefinite preconditioner",
    -6: "not finite",
    -7: "stopped",
    -8: "rank deficient",
    -9: "callable failed",
}
_BREAKDOWNS = ("breakdown", "indefinite matrix", "indefinite preconditioner")


class ConvergenceWarning(UserWarning):
    """A solve that did not reach its goal and was told to go on."""


class Outcome(NamedTuple):
    """How a solve of one matrix ended, column by column of its right-hand side."""

    method: str
    mode: int  # 0: A, 1: its transpose, 2: its conjugate transpose
    item: int  # of a batch of matrices
    reasons: tuple  # values of REASONS
    iterations: torch.Tensor
    residuals: torch.Tensor  # norm(b - A x), recomputed
    goals: torch.Tensor
    history: torch.Tensor | None  # (steps, columns), as the iteration knew them
    explanation: str

    @property
    def converged(self):
        return all(reason == "converged" for reason in self.reasons)


# ===-- The C side ------------------------------------------------------------===#


class CTensor(ctypes.Structure):
    """tsgu_tensor of tsgu.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
    ]


class COutcome(ctypes.Structure):
    """tsgu_outcome of solvers.h."""

    _fields_ = [
        ("method", ctypes.c_int64),
        ("mode", ctypes.c_int64),
        ("item", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("worst", ctypes.c_int64),
        ("reasons", ctypes.POINTER(ctypes.c_int64)),
        ("iterations", ctypes.POINTER(ctypes.c_int64)),
        ("residuals", ctypes.POINTER(ctypes.c_double)),
        ("goals", ctypes.POINTER(ctypes.c_double)),
        ("history_length", ctypes.c_int64),
        ("history", ctypes.POINTER(ctypes.c_double)),
        ("explanation", ctypes.c_char_p),
    ]


_SOLVE = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_int64,
    ctypes.c_int32,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.POINTER(CTensor),
    ctypes.POINTER(CTensor),
    ctypes.POINTER(CTensor),
)
_PROGRESS = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.POINTER(ctypes.c_double),
)
_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.POINTER(COutcome))


class _Table(ctypes.Structure):
    """tsgu_callbacks of solvers.h."""

    _fields_ = [("solve", _SOLVE), ("progress", _PROGRESS), ("outcome", _REPORT)]


_DTYPES = {
    0: torch.float32,
    1: torch.float64,
    2: torch.int32,
    3: torch.int64,
    4: torch.complex64,
    5: torch.complex128,
}


def view_of(tensor):
    """A torch tensor over the memory of a tsgu_tensor, which lives as long as the call."""
    dtype, rank = _DTYPES[tensor.type], tensor.rank
    shape, strides = tensor.shape[:rank], tensor.strides[:rank]
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    length = 1 + sum((extent - 1) * step for extent, step in zip(shape, strides, strict=True))
    memory = (ctypes.c_char * (length * dtype.itemsize)).from_address(tensor.data)
    return torch.frombuffer(memory, dtype=dtype).as_strided(shape, strides)


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
    )


# ===-- Callables by id -------------------------------------------------------===#


class Callables:
    """What belongs to one solver handle, which alone keeps it alive.

    `solve(mode, item, values, b, x)` writes x; `progress(iteration, residuals)` returns whether to
    stop; `outcomes`, a list, collects the outcomes of all runs if it is not None. `on_fail` is what
    becomes of a failed solve, whose text `text(outcome)` makes if it is not None.
    """

    def __init__(self, solve=None, progress=None, outcomes=None):
        if torch.compiler.is_compiling():
            torch._dynamo.graph_break(
                "a graph cannot hold callables of a solver (a function, a callback, return_info): "
                "make the handle outside, with tsgu.solver, and call "
                'tsgu.operator("solve")(pattern, handle, values, B), or allow graph breaks'
            )
        self.solve = solve
        self.progress = progress
        self.outcomes = outcomes
        self.on_fail = "warn"
        self.text = None
        self.id = next(_ids)
        _known[self.id] = self


_ids = itertools.count(1)
_known = weakref.WeakValueDictionary()


class _Run:
    """What happened in Python during one run of a program."""

    def __init__(self):
        self.failure = None
        self.outcomes = []  # failed ones
        self.warnings = []
        self.adopts = False
        self.adopted = None


class _Thread(threading.local):
    def __init__(self):
        self.runs = []


_thread = _Thread()


@contextlib.contextmanager
def _kept():
    """Keeps what is raised inside for the run, which ends with it."""
    try:
        yield
    except BaseException as error:
        if _thread.runs:
            _thread.runs[-1].failure = error
        else:  # of a program that someone else runs, who learns that it failed, not why
            traceback.print_exception(error)


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
    found = _known.get(id)
    if found is None:
        raise _library.CallbackError(
            f"the callables of solver {id} are gone: a solver handle must be kept as the tensor "
            "that was made, in the process that made it"
        )
    return found


def _call_solve(id, mode, pattern, item, values, b, x):
    with _kept(), torch.no_grad():
        _callables(id).solve(mode, item, *(view_of(tensor.contents) for tensor in (values, b, x)))
        return 0
    return 1


def _call_progress(id, iteration, columns, residuals):
    with _kept():
        progress = _callables(id).progress
        residuals = _array(residuals, columns, torch.float64)
        return int(progress is not None and bool(progress(iteration, residuals)))
    return 1


def _call_outcome(id, outcome):
    with _kept():
        outcome = read_outcome(outcome.contents)
        callables = _callables(id) if id else None
        run = _thread.runs[-1] if _thread.runs else None
        known_to_fail = not outcome.converged
        if run is not None and run.adopted is not None:
            outcome, run.adopted = run.adopted._replace(mode=outcome.mode, item=outcome.item), None
        if callables is not None and callables.outcomes is not None:
            callables.outcomes.append(outcome)
        if outcome.converged:
            return
        if len(_thread.runs) > 1 and _thread.runs[-2].adopts:
            _thread.runs[-2].adopted = outcome
            return
        if run is not None:
            run.outcomes.append(outcome)
        on_fail = "warn" if callables is None else callables.on_fail
        if on_fail == "raise" and not known_to_fail:
            raise _with_outcome(_library.ConvergenceError(outcome.explanation), [outcome])
        stopped = set(outcome.reasons) <= {"converged", "stopped"}  # who did that knows
        if on_fail != "warn" or stopped:
            return
        text = callables.text if callables is not None else None
        text = outcome.explanation if text is None else text(outcome)
        if run is not None:
            run.warnings.append(text)
        else:
            warnings.warn(text, ConvergenceWarning, stacklevel=level())


_table = _Table(_SOLVE(_call_solve), _PROGRESS(_call_progress), _REPORT(_call_outcome))
_library.set_callbacks(_table)


# ===-- After a run -----------------------------------------------------------===#


def watch(run):
    """`run`, raising what its callables raised and warning of what did not converge."""

    @functools.wraps(run)
    def watched(*arguments, **options):
        this = _Run()
        _thread.runs.append(this)
        try:
            result = run(*arguments, **options)
        except _library.ConvergenceError as error:
            raise (this.failure or _with_outcome(error, this.outcomes)) from None
        except _library.CallbackError as error:
            raise (this.failure or error) from None
        finally:
            _thread.runs.pop()
        if this.failure is not None:
            raise this.failure
        for text in this.warnings:
            warnings.warn(text, ConvergenceWarning, stacklevel=level())
        return result

    return watched


def _with_outcome(error, outcomes):
    if outcomes:
        if any(reason in _BREAKDOWNS for reason in outcomes[-1].reasons):
            error = _library.BreakdownError(*error.args)
        error.outcome = outcomes[-1]
    return error


# Not resolved: frames name files as they were found, through symbolic links.
_OURS = tuple(str(pathlib.Path(file).parent) for file in (__file__, torch.__file__))


def level():
    """The stack level, as warnings count it, of the code that called the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    return level
