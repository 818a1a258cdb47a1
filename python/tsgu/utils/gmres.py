"""The generalised minimal residual method, restarted: Saad, Schultz 1986."""

import torch

from .._solvers.krylov import check_operator, solve_columns, with_guess
from .._solvers.methods import Wanted, checks_keywords, own_method
from .._typing import Preconditioned, Product

__all__ = ["gmres"]


def _wanted(
    initial_guess=None, rtol=None, atol=None, max_iter=None, restart=None, preconditioner=None
):
    return Wanted(rtol, atol, max_iter, restart, preconditioner, initial_guess)


@own_method("gmres", _wanted)
@checks_keywords
def gmres(
    matmul_closure: Product,
    rhs: torch.Tensor,
    initial_guess: torch.Tensor | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    max_iter: int | None = None,
    restart: int | None = None,
    preconditioner: Preconditioned | None = None,
    progress: bool = False,
) -> torch.Tensor:
    """The solution of A x = rhs with any square A; `restart` (30) vectors are kept per column.

    Arguments, gradients and errors as for `bicgstab`; a column stops when its true residual is at
    most max(rtol norm(b), atol), where rtol is by default 1e-5 in single and 1e-8 in double
    precision.
    """
    check_operator(matmul_closure, "matmul_closure")
    wanted = _wanted(None, rtol, atol, max_iter, restart, preconditioner)
    wanted = with_guess(wanted._replace(progress=progress), rhs, initial_guess)
    return solve_columns("gmres", matmul_closure, rhs, wanted)
