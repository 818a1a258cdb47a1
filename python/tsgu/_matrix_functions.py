"""The functions of the package as methods of Matrix, of which they take the first argument."""

from collections.abc import Callable
from typing import Any, Literal, overload

import torch
from typing_extensions import Unpack  # which torch needs

from . import sparse_logdet, sparse_lstsq, sparse_reductions, sparse_softmax, sparse_solve
from . import sparse_logsumexp as log_sum_exp
from ._matrices.matrix import Matrix
from ._solvers import factorize
from ._solvers.solver import SolveInfo
from ._typing import SolveOptions, SquareMethod


@overload
def solve(
    A: Matrix,
    B: torch.Tensor,
    method: SquareMethod | None = None,
    *,
    return_info: Literal[False] = False,
    **options: Unpack[SolveOptions],
) -> torch.Tensor: ...


@overload
def solve(
    A: Matrix,
    B: torch.Tensor,
    method: SquareMethod | None = None,
    *,
    return_info: Literal[True],
    **options: Unpack[SolveOptions],
) -> tuple[torch.Tensor, SolveInfo]: ...


@overload
def solve(A: Matrix, B: torch.Tensor, method: Callable[..., Any], **options: Any) -> Any: ...


def solve(
    A: Matrix,
    B: torch.Tensor,
    method: SquareMethod | Callable[..., Any] | None = None,
    **options: Any,
) -> Any:
    """The solution X of A X = B, differentiable in both to any order.

    B: strided, (n,) or (n, p); for a batch (b, n) or (b, n, p). method: "cg", "minres", "bicgstab",
    "gmres", "cgs", "cholesky", "ldlt", "lu", or a callable; without one, what suits A. The options
    and errors are those of `tsgu.sparse_generic_solve`, where method is called `solve`.
    """
    return sparse_solve.sparse_generic_solve(A, B, method, **options)


Matrix.sum = sparse_reductions.sparse_sum
Matrix.mean = sparse_reductions.sparse_mean
Matrix.amax = sparse_reductions.sparse_amax
Matrix.amin = sparse_reductions.sparse_amin
Matrix.softmax = sparse_softmax.sparse_softmax
Matrix.log_softmax = sparse_softmax.sparse_log_softmax
Matrix.logsumexp = log_sum_exp.sparse_logsumexp
Matrix.solve = solve
Matrix.solve_triangular = sparse_solve.sparse_triangular_solve
Matrix.lstsq = sparse_lstsq.sparse_generic_lstsq
Matrix.logdet = sparse_logdet.logdet
Matrix.slogdet = sparse_logdet.slogdet
Matrix.selected_inverse = sparse_logdet.selected_inverse
Matrix.factorize = factorize.factorize
