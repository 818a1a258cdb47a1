"""Our iterative methods by name and by function, and what a call asks of them."""

import contextlib
import ctypes
import difflib
import functools
import inspect
import math
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .._runtime import c_api, library
from .._runtime.callbacks import METHODS
from .._typing import F


def _of_kind(kind):
    known = map(library.runtime.tsgu_method_kind, range(len(METHODS)))
    return tuple(name for name, other in zip(METHODS, known, strict=True) if other == kind)


_FACTORISE = _of_kind(c_api.KIND["direct"])
# "lu:klu" is LU by KLU, another library's.
DIRECT = tuple(name for name in _FACTORISE if ":" not in name)
BACKENDS = tuple(dict.fromkeys(name.partition(":")[2] for name in _FACTORISE if ":" in name))
SQUARE = (*_of_kind(c_api.KIND["krylov"]), *DIRECT)

_functions = {}  # solver function -> (method, its keyword arguments -> Wanted)


class Wanted(NamedTuple):
    """What a call asks of a method; None: the default."""

    rtol: float | None = None
    atol: float | None = None
    maxiter: int | None = None
    restart: int | None = None
    preconditioner: Any = None  # a name of tsgu.solver, a matrix or a callable
    x0: torch.Tensor | None = None
    callback: Callable | None = None
    progress: bool | None = None
    at_most: float | None = None  # rtol, where our default is not stricter

    def tolerance(self, dtype):
        if self.rtol is not None or self.at_most is None:
            return self.rtol
        return min(self.at_most, default_tolerance(dtype))

    def members(self):
        """Those that were given."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def by_backend(method, backend):
    """The name of `method` by a backend; where no method is named, by the one that it is for."""
    if backend == "tsgu":
        return method
    if backend not in BACKENDS:
        choices = ", ".join(map(repr, ("tsgu", *BACKENDS)))
        raise ValueError(f"backend must be one of {choices}, not {backend!r}")
    own = [name for name in _FACTORISE if name.endswith(f":{backend}")]
    if method is None:
        found = own[0]
    elif isinstance(method, str) and f"{method}:{backend}" in own:
        found = f"{method}:{backend}"
    else:
        choices = " and ".join(repr(name.partition(":")[0]) for name in own)
        raise ValueError(f"{backend!r} is for the method {choices}, not {method!r}")
    if backend == "pardiso":
        _open_mkl()
    return found


@functools.cache
def _open_mkl():
    """MKL of the Python environment, which the runtime finds where it is open already."""
    if os.environ.get("TSGU_LIBRARIES"):
        return
    for file in sorted(pathlib.Path(sys.prefix, "lib").glob("libmkl_rt.so.*"), reverse=True):
        with contextlib.suppress(OSError):
            ctypes.CDLL(str(file))
            return


def is_direct(method):
    return method in _FACTORISE


def check_direct(method, wanted):
    """Raises ValueError for what a call asks of a method that has no use for it."""
    for name in ("preconditioner", "maxiter", "restart", "x0", "callback"):
        if getattr(wanted, name) is not None:
            raise ValueError(f"{method!r} does not iterate, and takes no {name}")


def check_keywords(function, given, allowed):
    """Raises TypeError for keywords that are not allowed, with the nearest that are."""
    allowed = list(allowed)
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, 3, 0.5) or allowed
            raise TypeError(
                f"{function}() got an unexpected keyword argument {name!r}: it takes "
                + ", ".join(near)
            )


def checks_keywords(function: F) -> F:
    """`function`, which tells the nearest of its keywords where one is unknown."""
    allowed = inspect.signature(function).parameters

    @functools.wraps(function)
    def checked(*arguments, **keywords):
        if not keywords.keys() <= allowed.keys():
            check_keywords(function.__name__, keywords, allowed)
        return function(*arguments, **keywords)

    return checked  # type: ignore[return-value]


def own_method(method: str, translate: Callable[..., Any]) -> Callable[[F], F]:
    """Registers a function of ours: `translate(**kwargs)` makes a Wanted of its arguments."""

    def mark(function):
        _functions[function] = method, translate
        return function

    return mark


def recognise(solve):
    """(method, translate) of a name or a function of ours, None for a user's callable."""
    if isinstance(solve, str):
        if solve not in SQUARE and not is_direct(solve):
            choices = ", ".join(map(repr, SQUARE))
            raise ValueError(f"solve must be one of {choices} or a callable, not {solve!r}")
        return solve, Wanted
    try:
        known = _functions.get(solve)
    except TypeError:  # not hashable
        known = None
    if known is None and not callable(solve):
        raise TypeError(f"solve must be a name or a callable, not {type(solve).__name__}")
    return known


def below_one(tolerance):
    """A relative tolerance that a solver takes: zero would satisfy a larger one."""
    return min(tolerance, math.nextafter(1, 0))


def default_tolerance(dtype):
    """rtol of a solve that does not say; as in solvers.h."""
    return 1e-5 if dtype in (torch.float32, torch.complex64) else 1e-8
