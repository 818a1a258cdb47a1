"""Least squares by products with A and A^H: Fong, Saunders 2011."""

import torch

from .._solvers.least_squares import least_squares
from .._solvers.methods import checks_keywords
from .._typing import Product

__all__ = ["lsmr"]


@checks_keywords
def lsmr(
    A: Product,
    b: torch.Tensor,
    Armat: Product | None = None,
    n: int | None = None,
    damp: float = 0.0,
    atol: float = 1e-6,
    btol: float = 1e-6,
    conlim: float = 1e8,
    maxiter: int | None = None,
    x0: torch.Tensor | None = None,
    check_nonzero: bool = True,
    *,
    progress: bool = False,
) -> tuple[torch.Tensor, int]:
    """The x that minimises norm(b - A x)^2 + damp^2 norm(x)^2, and the iterations it took.

    A: dense or sparse (COO, CSR), (m, n), or a function that multiplies a vector by A; then Armat
    is one that multiplies by A^H, and n the length of x. b: (m,), or (m, 1). x0: where to start,
    (n,), not modified. Where several x minimise, the one nearest to x0, or of smallest norm; for
    b = 0 always 0, at once. Stops when the residual of the normal equations, recomputed, is small
    beside norm(A) norm(b - A x), or norm(b - A x) beside norm(b): at the stricter of min(atol,
    btol) and our default of 1e-5 in single and 1e-8 in double precision. conlim and check_nonzero
    have no effect. Differentiable to any order in a matrix A of full rank, in b, and in x0 where x
    depends on it. progress: as in `sparse_generic_solve`.

    Raises RuntimeError where a function is given without Armat or n.
    """
    if callable(A):
        if Armat is None:
            raise RuntimeError(
                "Armat, a function that multiplies by A^H, is needed with a function A"
            )
        if n is None:
            raise RuntimeError("n, the length of x, is needed with a function A")
    return least_squares(A, b, Armat, n, damp, min(atol, btol), maxiter, x0, progress)
