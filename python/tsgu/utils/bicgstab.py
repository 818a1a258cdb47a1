"""The stabilised method of biconjugate gradients: van der Vorst 1992."""

import logging
import warnings
from typing import Any, NamedTuple

import torch

from .._runtime.callbacks import ConvergenceWarning, level
from .._solvers.iteration import Criteria
from .._solvers.krylov import check_operator, solve_columns, with_guess
from .._solvers.methods import Wanted, below_one, checks_keywords, own_method
from .._typing import Preconditioned, Product

__all__ = ["BICGSTABSettings", "bicgstab"]

_logger = logging.getLogger("bicgstab")
_logger.disabled = True


class BICGSTABSettings(NamedTuple):
    """What bicgstab takes besides the system; see there. Nothing is sent to the logger."""

    matvec_max: int | None = None
    abstol: float = 1e-8
    reltol: float = 1e-6
    precon: Preconditioned | None = None
    logger: Any = _logger


_DEFAULT = BICGSTABSettings()


def _wanted(initial_guess=None, settings=_DEFAULT):
    if settings.matvec_max is not None:
        return None
    return Wanted(at_most=settings.reltol or None, preconditioner=settings.precon, x0=initial_guess)


@own_method("bicgstab", _wanted)
@checks_keywords
def bicgstab(
    matmul_closure: Product,
    rhs: torch.Tensor,
    initial_guess: torch.Tensor | None = None,
    settings: BICGSTABSettings = _DEFAULT,
    *,
    progress: bool = False,
) -> torch.Tensor:
    """The solution of A x = rhs with any square A.

    matmul_closure: A, dense or sparse, (n, n) or a batch (b, n, n), or a function that multiplies
    a vector (n,) by A: the columns of a rhs of shape (n, k) are given to it one by one. rhs: (n,),
    (n, k), or (..., n, k), for which functions get blocks (..., n, k); the result has its shape.
    initial_guess: of that shape, or one that expands to it.

    Every column stops on its own, when its true residual is at most max(settings.abstol,
    settings.reltol norm(b)): a guess within that is returned after one product. Residuals are
    recomputed from x. settings.matvec_max: products for a column, that of a guess and those that
    check residuals included; by default 20 n and those; 0: the guess, or zeros, without a look at
    A. settings.precon: a matrix or a function like matmul_closure, or, for a matrix, a name as in
    `sparse_generic_solve`. Differentiable to any order in a matrix A and in rhs, where cotangents
    are solved for to settings.reltol alone; nothing with a gradient goes through a closure.
    progress: as in `sparse_generic_solve`.

    Warns (ConvergenceWarning) where the goal is not reached, and for matvec_max=0. Raises
    RuntimeError for a closure or preconditioner that is neither, or returns another shape or
    dtype, and for NaN; ValueError for a negative matvec_max and a guess that does not fit.
    """
    check_operator(matmul_closure, "matmul_closure")
    if settings.precon is not None and not isinstance(settings.precon, str):
        check_operator(settings.precon, "settings.precon")
    most = settings.matvec_max
    if most is not None and most < 0:
        raise ValueError(f"settings.matvec_max must be nonnegative or None, and is {most}")
    reltol = below_one(settings.reltol)
    wanted = Wanted(rtol=reltol, atol=settings.abstol, preconditioner=settings.precon)
    wanted = with_guess(wanted._replace(progress=progress), rhs, initial_guess)
    if most == 0:
        return _untouched(rhs, wanted.x0)
    criteria = None if most is None else Criteria(max_products=most)
    x = solve_columns("bicgstab", matmul_closure, rhs, wanted, criteria=criteria, vectors=True)
    return x if criteria is None else x[0]


def _untouched(rhs, guess):
    warnings.warn(
        "matvec_max=0: the initial guess is returned, or zeros without one, and nothing was "
        "multiplied or checked",
        ConvergenceWarning,
        stacklevel=level(),
    )
    return (
        torch.zeros_like(rhs) if guess is None else guess.reshape(rhs.shape).to(rhs.dtype).clone()
    )
