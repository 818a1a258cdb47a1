"""Solves with a sparse matrix by functions of JAX, differentiable in torch."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.autograd import Function

from .._patterns.layouts import BLOCKED, as_tensor
from .._patterns.modes import outside_graphs
from .._patterns.tensors import parts
from .._solvers.linear_solve import check_operands
from .._solvers.methods import default_tolerance
from .._solvers.user_solve import UserSolve
from .._typing import OnFail, SparseMatrix, TensorOrMatrix
from .jax_bindings import j2t, keeps, load_jax, t2j, t2j_coo, t2j_csr

__all__ = ["SparseSolveJ4T", "sparse_solve_j4t"]

Solve: TypeAlias = Callable[..., Any]  # (A, b, **kwargs) -> (x, info), of JAX's arrays

# What JAX's own solvers take that is not part of the program they are compiled to.
_ARRAYS = ("tol", "atol", "x0", "M")


# ===-- In JAX ----------------------------------------------------------------===#


def _to_jax(x):
    """What a keyword argument is in JAX."""
    if not isinstance(x, torch.Tensor):
        return x
    x = x.detach()
    if x.layout is torch.strided:
        return t2j(x)
    if x.layout is torch.sparse_coo:
        return t2j_coo(x)
    if x.layout in BLOCKED:
        return t2j_coo(x.to_sparse_coo().coalesce())
    return t2j_csr(x.to_sparse_csr())


@functools.lru_cache(maxsize=64)
def _compiled(solve, options):
    """A solver of JAX as one compiled function, column by column of b.

    Otherwise each call would trace and compile its loop again, and one criterion would hold for all
    columns together.
    """
    jax = load_jax()
    options = dict(options)

    def of_column(A, b, x0, arrays):
        return solve(A, b, x0, **options, **arrays)[0]

    def run(A, b, x0, arrays):
        if b.ndim == 1:
            return of_column(A, b, x0, arrays)
        x0 = None if x0 is None else x0.T
        return jax.lax.map(lambda at: of_column(A, at[0], at[1], arrays), (b.T, x0)).T

    return jax.jit(run)


def _own(solve):
    """Whether it is one of JAX's."""
    linalg = load_jax().scipy.sparse.linalg
    return solve in (linalg.bicgstab, linalg.cg, linalg.gmres)


def _of_jax(solve, A, b, adjoint, kwargs):
    """x by a solver of JAX itself."""
    M = kwargs.get("M")
    if callable(M):  # a closure, of which nothing is known
        return solve(A, b, **kwargs)[0]
    if adjoint and M is not None:
        kwargs["M"] = M.conj().T if hasattr(M, "conj") else M.T
    arrays = {name: kwargs.pop(name) for name in _ARRAYS if kwargs.get(name) is not None}
    x0 = arrays.pop("x0", None)
    return _compiled(solve, tuple(sorted(kwargs.items())))(A, b, x0, arrays)


def _through_jax(solve, adjoint=False):
    """`solve` of JAX as a function of tensors of torch."""

    def run(A, b, **kwargs):
        with keeps(A.dtype):
            kwargs = {name: _to_jax(x) for name, x in kwargs.items()}
            if _own(solve):
                # It looks at the residual of its recursion, we at the true one.
                kwargs.setdefault("tol", default_tolerance(A.dtype) / 2)
                x = _of_jax(solve, _to_jax(A), t2j(b), adjoint, kwargs)
            else:
                x = solve(_to_jax(A), t2j(b), **kwargs)
            return j2t(load_jax().block_until_ready(x[0] if isinstance(x, tuple) else x))

    return run


# ===-- In torch ---------------------------------------------------------------===#


def _check_callable(name, solve):
    if solve is not None and not callable(solve):
        raise TypeError(
            f"{name} must be a callable (A, b, **kwargs) -> (x, info), such as "
            f"jax.scipy.sparse.linalg.gmres, not {solve!r}"
        )


def _solve(A, B, solve, transpose_solve, kwargs, on_fail):
    own = load_jax().scipy.sparse.linalg.bicgstab
    solve = own if solve is None else solve
    pattern, values = parts(A)
    user = UserSolve(
        _through_jax(solve),
        _through_jax(transpose_solve or solve, adjoint=True),
        kwargs,
        pattern,
        vector=B.dim() < A.dim(),
        takes_A=False,
    )
    tolerance = kwargs.get("tol")
    if tolerance is None and (_own(solve) or _own(transpose_solve)):
        tolerance = default_tolerance(A.dtype)
    return user.run(values, B, on_fail, tolerance, kwargs.get("atol"))


class SparseSolveJ4T(Function):
    """`.apply(A, B, solve, transpose_solve, kwargs)` is `sparse_solve_j4t` without checks."""

    @staticmethod
    def apply(
        A: TensorOrMatrix,
        B: torch.Tensor,
        solve: Solve | None = None,
        transpose_solve: Solve | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> torch.Tensor:
        return _solve(A, B, solve, transpose_solve, kwargs or {}, "warn")


@outside_graphs
def sparse_solve_j4t(
    A: SparseMatrix,
    B: torch.Tensor,
    solve: Solve | None = None,
    transpose_solve: Solve | None = None,
    *,
    on_fail: OnFail = "warn",
    **kwargs: Any,
) -> torch.Tensor:
    """The solution X of A X = B by a solver of JAX, differentiable in both to any order.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, n), or a batch (b, n, n), or a SciPy array.
    B: strided, (n,) or (n, p); for a batch (b, n) or (b, n, p); of A's dtype. X has B's shape.

    solve: a callable `(A, b, **kwargs) -> (x, info)` such as jax.scipy.sparse.linalg.gmres; without
    it JAX's bicgstab, which does not need A to be symmetric. It gets A as a COO of
    jax.experimental.sparse, or CSR for a CSR or CSC tensor, and b as an array of B's shape (of a
    batch one item after the other). Gradients call `solve(A^H, g)`, or where it is given
    `transpose_solve(A^H, g)`: it gets the transposed matrix, and need not transpose it. Both get
    kwargs; tensors among them become arrays of JAX.

    bicgstab, cg and gmres of JAX are compiled once for each shape, and solve column by column with
    the preconditioner M, which is transposed for gradients where it is a matrix. Their tol is by
    default that of `sparse_generic_solve`. Where tol is known, each column has to reach
    norm(b - A x) <= max(tol norm(b), atol) for the residual computed anew from x: `info` is not
    read, for JAX's says nothing. on_fail: "warn" (ConvergenceWarning), "raise" (ConvergenceError)
    or "ignore" what does not, here and in gradients. It is known where it is given, and where a
    solver of JAX does the solve or its adjoint.

    Double precision stays double, whatever JAX's switch for it says, and leaves the switch as it
    is. Raises ImportError without JAX, ValueError or TypeError for operands that do not fit, and
    what the callables raise.
    """
    A = as_tensor(A)
    check_operands(A, B, square=True)
    if A.dtype != B.dtype:
        raise ValueError(f"A and B must have the same dtype. Got A: {A.dtype}, B: {B.dtype}")
    _check_callable("solve", solve)
    _check_callable("transpose_solve", transpose_solve)
    return _solve(A, B, solve, transpose_solve, kwargs, on_fail)
