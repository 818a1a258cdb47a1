"""The method of conjugate gradients: Hestenes, Stiefel 1952."""

from typing import NamedTuple

from .._krylov import check_operator, solve_columns
from .._methods import Wanted, own_method

__all__ = ["LinearCGSettings", "linear_cg"]


class LinearCGSettings(NamedTuple):
    """cg_tolerance is relative to the norm of the right-hand side; see linear_cg."""

    max_cg_iterations: int = 1000
    max_lanczos_quadrature_iterations: int = 20
    cg_tolerance: float = 1
    terminate_cg_by_size: bool = False
    verbose_linalg: bool = False


_DEFAULT = LinearCGSettings()


def _wanted(
    n_tridiag=0,
    tolerance=None,
    eps=None,
    stop_updating_after=None,
    max_iter=None,
    max_tridiag_iter=None,
    initial_guess=None,
    preconditioner=None,
    settings=_DEFAULT,
):
    if n_tridiag:
        raise ValueError("n_tridiag belongs to linear_cg itself: it returns two tensors")
    return Wanted(
        at_most=settings.cg_tolerance if tolerance is None else tolerance,
        maxiter=settings.max_cg_iterations if max_iter is None else max_iter,
        preconditioner=preconditioner,
        x0=initial_guess,
    )


def _text(outcome):
    return (
        f"CG terminated in {int(outcome.iterations.max())} iterations with average residual norm "
        f"{outcome.residuals.mean().item():.3g}, where {outcome.goals.mean().item():.3g} was to be "
        f"reached. {outcome.explanation}"
    )


@own_method("cg", _wanted)
def linear_cg(
    matmul_closure,
    rhs,
    n_tridiag=0,
    tolerance=None,
    eps=1e-10,
    stop_updating_after=1e-10,
    max_iter=None,
    max_tridiag_iter=None,
    initial_guess=None,
    preconditioner=None,
    settings=_DEFAULT,
):
    """The solution of A x = rhs with a Hermitian positive definite A.

    matmul_closure: A, dense or sparse (COO, CSR), (n, n) or a batch (b, n, n), or a function that
    multiplies (..., n, k) by A. rhs: (n,), (n, k) or (..., n, k); the result has its shape.
    Every column stops on its own, when its true residual is at most `tolerance` (by default
    settings.cg_tolerance) times the norm of the column, or our default of 1e-5 in single and 1e-8
    in double precision if that is stricter. eps and stop_updating_after are not needed and have no
    effect. preconditioner: a matrix or a function like matmul_closure, or a name as in
    `sparse_generic_solve`. Differentiable to any order in a matrix A and in rhs; for a closure, in
    rhs alone.

    With n_tridiag > 0: (x, T) with the Lanczos matrices, (n_tridiag, ..., r, r), of the first
    n_tridiag columns, where r is at most max_tridiag_iter.

    Warns (ConvergenceWarning) where the goal is not reached. Raises RuntimeError for a closure
    that is neither, where more tridiagonal steps than iterations are asked for, and for NaN.
    """
    limit = settings.max_cg_iterations if max_iter is None else max_iter
    steps = settings.max_lanczos_quadrature_iterations
    steps = steps if max_tridiag_iter is None else max_tridiag_iter
    if steps > limit and (n_tridiag or max_tridiag_iter is not None):
        raise RuntimeError(
            f"a tridiagonal matrix of {steps} steps takes as many iterations, and max_iter is "
            f"{limit}: raise max_iter, or lower max_tridiag_iter"
        )
    check_operator(matmul_closure, "matmul_closure")
    wanted = _wanted(
        tolerance=tolerance,
        max_iter=limit,
        initial_guess=initial_guess,
        preconditioner=preconditioner,
        settings=settings,
    )
    if settings.terminate_cg_by_size:
        size = rhs.shape[-1 if rhs.dim() == 1 else -2]
        wanted = wanted._replace(maxiter=min(wanted.maxiter, size))
    return solve_columns("cg", matmul_closure, rhs, wanted, text=_text, lanczos=(n_tridiag, steps))
