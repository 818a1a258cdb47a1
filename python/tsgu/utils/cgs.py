"""The conjugate gradient squared method: Sonneveld 1989."""

from .._krylov import check_operator, solve_columns
from .._methods import Wanted, own_method

__all__ = ["cgs"]


def _wanted(initial_guess=None, rtol=None, atol=None, max_iter=None, preconditioner=None):
    return Wanted(rtol, atol, max_iter, None, preconditioner, initial_guess)


@own_method("cgs", _wanted)
def cgs(
    matmul_closure,
    rhs,
    initial_guess=None,
    *,
    rtol=None,
    atol=None,
    max_iter=None,
    preconditioner=None,
):
    """The solution of A x = rhs with any square A.

    Arguments, gradients and errors as for `bicgstab`; a column stops when its true residual is at
    most max(rtol norm(b), atol), where rtol is by default 1e-5 in single and 1e-8 in double
    precision.
    """
    check_operator(matmul_closure, "matmul_closure")
    wanted = _wanted(initial_guess, rtol, atol, max_iter, preconditioner)
    return solve_columns("cgs", matmul_closure, rhs, wanted)
