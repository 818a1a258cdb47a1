"""The method of minimal residuals, for symmetric systems: Paige, Saunders 1975."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from .._solvers.krylov import check_operator, solve_columns
from .._solvers.methods import Wanted, checks_keywords, own_method
from .._typing import Number, Preconditioned, Product

__all__ = ["MINRESSettings", "minres"]


class MINRESSettings(NamedTuple):
    """minres_tolerance is relative to the norm of the right-hand side; see minres.

    verbose_linalg has no effect.
    """

    max_cg_iterations: int = 1000
    minres_tolerance: float = 1e-4
    verbose_linalg: bool = False


_DEFAULT = MINRESSettings()


def _wanted(
    eps=None, shifts=None, value=None, max_iter=None, preconditioner=None, settings=_DEFAULT
):
    if shifts is not None or value is not None:
        raise ValueError("shifts and value belong to minres itself")
    return Wanted(
        at_most=settings.minres_tolerance,
        maxiter=settings.max_cg_iterations if max_iter is None else max_iter,
        preconditioner=preconditioner,
    )


@own_method("minres", _wanted)
@checks_keywords
def minres(
    matmul_closure: Product,
    rhs: torch.Tensor,
    eps: float = 1e-25,
    shifts: torch.Tensor | Sequence[Number] | Number | None = None,
    value: torch.Tensor | Number | None = None,
    max_iter: int | None = None,
    preconditioner: Preconditioned | None = None,
    settings: MINRESSettings = _DEFAULT,
    *,
    progress: bool = False,
) -> torch.Tensor:
    """The solution of (value A + shift I) x = rhs with a Hermitian A, definite or not.

    matmul_closure: A, dense or sparse (COO, CSR), (n, n) or a batch (b, n, n), or a function that
    multiplies (..., n, k) by A. rhs: (n,), (n, k) or (..., n, k). shifts: none, one, or (s,): with
    s > 1 the result has shape (s, *rhs.shape), otherwise that of rhs. value: a number, by default
    1. Every column stops on its own, when its true residual is at most settings.minres_tolerance
    times the norm of the column, or our default of 1e-5 in single and 1e-8 in double precision if
    that is stricter. eps is not needed and has no effect. preconditioner: a matrix or a function
    like matmul_closure, Hermitian positive definite, or a name as in `sparse_generic_solve`.
    Differentiable to any order in a matrix A, shifts, value and rhs; for a closure, in rhs alone.
    progress: as in `sparse_generic_solve`.

    Warns (ConvergenceWarning) where the goal is not reached. Raises RuntimeError for a closure
    that is neither, and for NaN.
    """
    check_operator(matmul_closure, "matmul_closure")
    wanted = _wanted(max_iter=max_iter, preconditioner=preconditioner, settings=settings)
    wanted = wanted._replace(progress=progress)
    if shifts is not None:
        shifts = torch.as_tensor(shifts, dtype=rhs.dtype).reshape(-1)
    x = solve_columns("minres", matmul_closure, rhs, wanted, shifts=shifts, value=value)
    return x[0] if shifts is not None and len(shifts) == 1 else x
