"""The method of conjugate gradients: Hestenes, Stiefel 1952."""

import dataclasses
import math
import warnings
from typing import Any, Literal, NamedTuple, overload

import torch

from .._runtime.callbacks import ConvergenceWarning, level
from .._runtime.library import BreakdownError
from .._solvers.iteration import Criteria
from .._solvers.krylov import check_operator, solve_columns, with_guess
from .._solvers.methods import Wanted, below_one, checks_keywords, own_method
from .._typing import Preconditioned, Product

__all__ = ["CGInfo", "LinearCGSettings", "linear_cg"]


class LinearCGSettings(NamedTuple):
    """cg_tolerance is relative to the norm of the right-hand side; see linear_cg.

    verbose_linalg has no effect.
    """

    max_cg_iterations: int = 1000
    max_lanczos_quadrature_iterations: int = 20
    cg_tolerance: float = 1e-5
    terminate_cg_by_size: bool = False
    verbose_linalg: bool = False


@dataclasses.dataclass(frozen=True)
class CGInfo:
    """How linear_cg ended.

    `converged` and the residuals are (..., k), with one column for a vector: norm(b - A x) /
    norm(b) as the iteration knew it, and recomputed from x. matvecs: how often the closure was
    called, or a matrix multiplied by all columns. reason: "converged": all true residuals are at
    most `tolerance`; otherwise "mean_converged": their mean is; "recursive_converged": those of
    the iteration are, and rounding errors keep the true ones above; "stopped_updating": columns
    rest above it; or "max_iter".
    """

    iterations: int
    matvecs: int
    converged: torch.Tensor
    recursive_relative_residual: torch.Tensor
    true_relative_residual: torch.Tensor
    tolerance: float
    reason: Literal[
        "converged", "recursive_converged", "mean_converged", "stopped_updating", "max_iter"
    ]


_DEFAULT = LinearCGSettings()
# As good as 0, which the runtime's criteria cannot be relative to.
_NEXT_TO_NOTHING = 1e-30


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
    convergence_reduction="all",
    min_iter=0,
):
    if n_tridiag:
        raise ValueError("n_tridiag belongs to linear_cg itself: it returns two tensors")
    if eps is not None or stop_updating_after is not None or min_iter:
        return None
    if convergence_reduction != "all" or max_iter == 0:
        return None
    return Wanted(
        at_most=settings.cg_tolerance if tolerance is None else tolerance,
        maxiter=settings.max_cg_iterations if max_iter is None else max_iter,
        preconditioner=preconditioner,
        x0=initial_guess,
    )


# ===-- How a solve ended -----------------------------------------------------===#


class _Residuals:
    """Of an Outcome, relative to the norms of the right-hand sides: goals are rtol times those."""

    def __init__(self, outcome, rtol):
        self.outcome, self.norms = outcome, outcome.goals / rtol

    def relative(self, residuals):
        return torch.where(self.norms > 0, residuals / self.norms, residuals)

    @property
    def true(self):
        return self.relative(self.outcome.residuals)

    @property
    def recursive(self):
        history = self.outcome.history
        return self.true if history is None else self.relative(history[-1])

    @property
    def converged(self):
        return self.outcome.residuals <= self.outcome.goals

    def text(self, tolerance):
        failed, columns = int((~self.converged).sum()), self.norms.numel()
        return (
            f"CG terminated in {int(self.outcome.iterations.max())} iterations with maximum true "
            f"relative residual {self.true.max().item()} which is larger than the tolerance of "
            f"{tolerance}. {failed} of {columns} right-hand sides did not converge."
        )


_PRODUCTS = {
    "indefinite matrix": "p^T A p",
    "breakdown": "p^T A p",
    "indefinite preconditioner": "residual inner product",
}


def _describe(tolerance, rtol, preconditioned):
    """The text of warnings; raises for a solve (not of a gradient) that broke down."""

    def text(outcome):
        for reason, product in _PRODUCTS.items():
            if reason in outcome.reasons and outcome.mode == 0:
                which = "preconditioned " if preconditioned and "residual" in product else ""
                raise BreakdownError(
                    f"CG breakdown: {which}{product} must be finite and at least eps for active "
                    f"right-hand sides. {outcome.explanation}"
                )
        return f"{_Residuals(outcome, rtol).text(tolerance)} {outcome.explanation}"

    return text


def _info(ended, x, tolerance, rtol, mean):
    found = _Residuals(ended.outcome, rtol)
    shape = (1,) if x.dim() == 1 else (*x.shape[:-2], x.shape[-1])
    dtype = x.dtype.to_real() if x.is_complex() else x.dtype
    true, recursive, converged = found.true, found.recursive, found.converged
    if converged.all():
        reason = "converged"
    elif mean and true.mean() <= tolerance:
        reason = "mean_converged"
    elif (recursive <= tolerance).all():
        reason = "recursive_converged"
    elif "iteration limit" in ended.outcome.reasons:
        reason = "max_iter"
    else:
        reason = "stopped_updating"
    iterations = ended.outcome.iterations
    return CGInfo(
        int(iterations.max()) if iterations.numel() else 0,
        ended.products,
        converged.reshape(shape),
        recursive.to(dtype).reshape(shape),
        true.to(dtype).reshape(shape),
        tolerance,
        reason,
    )


# ===-- Arguments -------------------------------------------------------------===#


def _check_rhs(rhs):
    if not isinstance(rhs, torch.Tensor) or not (rhs.is_floating_point() or rhs.is_complex()):
        what = rhs.dtype if isinstance(rhs, torch.Tensor) else type(rhs).__name__
        raise TypeError(
            f"rhs must be a real floating-point torch.Tensor, or a complex one, not {what}"
        )
    if rhs.dim() == 0:
        raise ValueError("rhs must have at least one dimension: (n,), (n, k) or (..., n, k)")


def _check_guess(guess, rhs):
    if not isinstance(guess, torch.Tensor):
        raise TypeError(f"initial_guess must be a torch.Tensor, not {type(guess).__name__}")
    shape = tuple(rhs.shape)
    allowed = [shape, (*shape, 1)] if rhs.dim() == 1 else [shape]
    if tuple(guess.shape) not in allowed:
        raise ValueError(f"initial_guess must have shape {shape}, got {tuple(guess.shape)}")
    if guess.dtype != rhs.dtype or guess.device != rhs.device:
        raise ValueError(
            f"initial_guess must share rhs device and dtype, {rhs.device} and {rhs.dtype}, and has "
            f"{guess.device} and {guess.dtype}"
        )


def _finite(name, value):
    value = float(value)
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and nonnegative, and is {value}")
    return value


def _check_eps(eps, dtype):
    if not 0 < eps < math.inf:
        raise ValueError(f"eps must be finite and positive, and is {eps}")
    if not torch.tensor(eps, dtype=dtype).abs() > 0:
        raise ValueError(
            f"eps must be representable as a positive value in the rhs dtype, and {eps} is 0 in "
            f"{dtype}"
        )
    return float(eps)


@overload
def linear_cg(
    matmul_closure: Product,
    rhs: torch.Tensor,
    n_tridiag: Literal[0] = 0,
    tolerance: float | None = None,
    eps: float | None = None,
    stop_updating_after: float | None = None,
    max_iter: int | None = None,
    max_tridiag_iter: int | None = None,
    initial_guess: torch.Tensor | None = None,
    preconditioner: Preconditioned | None = None,
    settings: LinearCGSettings = _DEFAULT,
    convergence_reduction: Literal["all", "mean"] = "all",
    min_iter: int = 0,
    return_info: Literal[False] = False,
    *,
    progress: bool = False,
) -> torch.Tensor: ...


@overload
def linear_cg(
    matmul_closure: Product,
    rhs: torch.Tensor,
    *,
    tolerance: float | None = None,
    eps: float | None = None,
    stop_updating_after: float | None = None,
    max_iter: int | None = None,
    max_tridiag_iter: int | None = None,
    initial_guess: torch.Tensor | None = None,
    preconditioner: Preconditioned | None = None,
    settings: LinearCGSettings = _DEFAULT,
    convergence_reduction: Literal["all", "mean"] = "all",
    min_iter: int = 0,
    return_info: Literal[True],
    progress: bool = False,
) -> tuple[torch.Tensor, CGInfo]: ...


@overload
def linear_cg(
    matmul_closure: Product,
    rhs: torch.Tensor,
    n_tridiag: int = 0,
    tolerance: float | None = None,
    eps: float | None = None,
    stop_updating_after: float | None = None,
    max_iter: int | None = None,
    max_tridiag_iter: int | None = None,
    initial_guess: torch.Tensor | None = None,
    preconditioner: Preconditioned | None = None,
    settings: LinearCGSettings = _DEFAULT,
    convergence_reduction: Literal["all", "mean"] = "all",
    min_iter: int = 0,
    return_info: bool = False,
    *,
    progress: bool = False,
) -> Any: ...


@own_method("cg", _wanted)
@checks_keywords
def linear_cg(
    matmul_closure: Product,
    rhs: torch.Tensor,
    n_tridiag: int = 0,
    tolerance: float | None = None,
    eps: float | None = None,
    stop_updating_after: float | None = None,
    max_iter: int | None = None,
    max_tridiag_iter: int | None = None,
    initial_guess: torch.Tensor | None = None,
    preconditioner: Preconditioned | None = None,
    settings: LinearCGSettings = _DEFAULT,
    convergence_reduction: Literal["all", "mean"] = "all",
    min_iter: int = 0,
    return_info: bool = False,
    *,
    progress: bool = False,
) -> Any:
    """The solution of A x = rhs with a Hermitian positive definite A.

    matmul_closure: A, dense or sparse, (n, n) or a batch (b, n, n), or a function that multiplies
    (..., n, k) by A; a vector becomes (n, 1) for it. rhs: (n,), (n, k) or (..., n, k), real or
    complex; the result has its shape. initial_guess: of the same shape (a vector may have two
    dimensions) and dtype. preconditioner: a matrix or a function like matmul_closure, or, for a
    matrix, a name as in `sparse_generic_solve`.

    Ends when norm(b - A x) <= tolerance norm(b), recomputed from x, for every right-hand side, or
    with convergence_reduction="mean" when the mean of norm(b - A x) / norm(b) is at most
    `tolerance` (by default settings.cg_tolerance), after at least min_iter iterations and at most
    max_iter. A column is not changed any more from `stop_updating_after` on, by default
    `tolerance`. A product of vectors that CG divides by must be at least eps norm(b)^2; by default
    more than 0.

    Returns x; (x, T) with n_tridiag > 0, the Lanczos matrices, (n_tridiag, ..., r, r), of the first
    n_tridiag columns, where r is at most max_tridiag_iter; (x, info), (x, T, info) with
    return_info=True, a CGInfo. Differentiable to any order in a matrix A and in rhs; for a closure,
    in rhs alone. progress: as in `sparse_generic_solve`.

    Warns (ConvergenceWarning) where a true residual is above the tolerance. Raises TypeError or
    ValueError for arguments that do not fit, RuntimeError for a closure that is neither or returns
    another shape or dtype, where more tridiagonal steps than iterations are asked for, for NaN,
    and where CG breaks down, because A is not positive definite.
    """
    _check_rhs(rhs)
    check_operator(matmul_closure, "matmul_closure")
    limit = settings.max_cg_iterations if max_iter is None else max_iter
    if limit < 0:
        raise ValueError(f"max_iter must be nonnegative, and is {limit}")
    steps = settings.max_lanczos_quadrature_iterations
    steps = steps if max_tridiag_iter is None else max_tridiag_iter
    if steps > limit and (n_tridiag or max_tridiag_iter is not None):
        raise RuntimeError(
            f"a tridiagonal matrix of {steps} steps takes as many iterations, and max_iter is "
            f"{limit}: raise max_iter, or lower max_tridiag_iter"
        )
    tolerance = _finite("tolerance", settings.cg_tolerance if tolerance is None else tolerance)
    rest = (
        None if stop_updating_after is None else _finite("stop_updating_after", stop_updating_after)
    )
    if convergence_reduction not in ("all", "mean"):
        raise ValueError(
            f"convergence_reduction must be 'all' or 'mean', not {convergence_reduction!r}"
        )
    if min_iter < 0:
        raise ValueError(f"min_iter must be nonnegative, and is {min_iter}")
    if initial_guess is not None:
        _check_guess(initial_guess, rhs)
    size = rhs.shape[-1 if rhs.dim() == 1 else -2]
    if settings.terminate_cg_by_size:
        limit = min(limit, size)
    mean = convergence_reduction == "mean"
    criteria = Criteria(
        mean,
        0.0 if rest is None else max(rest, _NEXT_TO_NOTHING),
        0.0 if eps is None else _check_eps(eps, rhs.dtype),
        min(limit, max(min_iter, min(steps, size) if n_tridiag else 0)),
        0 if limit else 1,  # the residual of a guess
    )
    rtol = below_one(max(tolerance, _NEXT_TO_NOTHING))
    wanted = Wanted(rtol=rtol, maxiter=max(limit, 1), preconditioner=preconditioner)
    wanted = wanted._replace(progress=progress)
    plain = not (n_tridiag or return_info or any(criteria))
    found = solve_columns(
        "cg",
        matmul_closure,
        rhs,
        with_guess(wanted, rhs, initial_guess),
        text=_describe(tolerance, rtol, preconditioner is not None),
        lanczos=(n_tridiag, steps),
        criteria=None if plain else criteria,
    )
    if plain:
        return found
    x, (ended, T) = found
    info = _info(ended, x, tolerance, rtol, mean)
    if info.reason == "mean_converged":
        text = _Residuals(ended.outcome, rtol).text(tolerance)
        warnings.warn(text, ConvergenceWarning, stacklevel=level())
    if rhs.dim() == 1 and T is not None:
        T = T[:1]
    told = [*([T] if n_tridiag else []), *([info] if return_info else [])]
    return (x, *told) if told else x
