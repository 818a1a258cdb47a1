"""The stabilised method of biconjugate gradients: van der Vorst 1992."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .._krylov import check_operator, solve_columns
from .._methods import Wanted, own_method

__all__ = ["BICGSTABSettings", "bicgstab"]

_logger = logging.getLogger("bicgstab")
_logger.disabled = True


class BICGSTABSettings(NamedTuple):
    """matvec_max: products, by default 2 n; precon: a matrix or a function; see bicgstab."""

    matvec_max: int | None = None
    abstol: float = 1e-8
    reltol: float = 1e-6
    precon: torch.Tensor | Callable | None = None
    logger: Any = _logger


_DEFAULT = BICGSTABSettings()


def _wanted(initial_guess=None, settings=_DEFAULT):
    products = settings.matvec_max
    return Wanted(
        at_most=settings.reltol or None,
        maxiter=None if products is None else max(1, (products + 1) // 2),
        preconditioner=settings.precon,
        x0=initial_guess,
    )


@own_method("bicgstab", _wanted)
def bicgstab(matmul_closure, rhs, initial_guess=None, settings=_DEFAULT):
    """The solution of A x = rhs with any square A.

    matmul_closure: A, dense or sparse (COO, CSR), (n, n) or a batch (b, n, n), or a function that
    multiplies (..., n, k) by A. rhs: (n,), (n, k) or (..., n, k); the result has its shape. Every
    column stops on its own, when its true residual is at most settings.reltol times the norm of
    the column, or our default of 1e-5 in single and 1e-8 in double precision if that is stricter;
    settings.abstol would be looser for small columns, and has no effect. settings.precon: a matrix
    or a function like matmul_closure, or a name as in `sparse_generic_solve`. Differentiable to any
    order in a matrix A and in rhs; nothing with a gradient goes through a closure.

    Warns (ConvergenceWarning) where the goal is not reached. Raises RuntimeError for a closure or
    preconditioner that is neither, and for NaN.
    """
    check_operator(matmul_closure, "matmul_closure")
    if settings.precon is not None and not isinstance(settings.precon, str):
        check_operator(settings.precon, "precon")
    return solve_columns("bicgstab", matmul_closure, rhs, _wanted(initial_guess, settings))
