"""Solves with a sparse matrix by functions of CuPy or SciPy, differentiable in torch."""

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from torch.autograd import Function

from .._patterns.layouts import BLOCKED, as_tensor
from .._patterns.modes import outside_graphs
from .._patterns.pattern import found, own_rows
from .._patterns.tensors import parts
from .._runtime.callbacks import level
from .._runtime.lazy import lazy
from .._runtime.library import SingularMatrixError
from .._solvers.linear_solve import check_operands, same_dtype
from .._solvers.methods import default_tolerance
from .._solvers.user_solve import ADJOINT, NORMAL, UserSolve, checked_result
from .._typing import OnFail, SparseMatrix, TensorOrMatrix
from .cupy_bindings import (
    _backend_to_torch,
    _get_array_modules,
    _is_on_gpu,
    _torch_to_backend,
    t2c_coo,
    t2c_csr,
)

__all__ = ["SparseSolveC4T", "sparse_solve_c4t"]

# A name, or a function (A, b, **kwargs) -> x or (x, info).
Solve: TypeAlias = Literal["cg", "cgs", "minres", "gmres", "spsolve"] | Callable[..., Any]

_ITERATIVE = ("cg", "cgs", "minres", "gmres")
_SOLVERS = [*_ITERATIVE, "spsolve"]
_KEYWORDS = ("tol", "rtol", "atol", "maxiter", "x0", "M", "callback")


# ===-- In the backend --------------------------------------------------------===#


def _to_backend(A):
    """A sparse tensor as a matrix of CuPy or SciPy."""
    if A.layout in BLOCKED or A.layout is torch.sparse_coo:
        return t2c_coo(A.to_sparse_coo().coalesce())
    return t2c_csr(A.to_sparse_csr())


def _adjoint_of(M):
    """The adjoint of a preconditioner, which may be a matrix or a linear operator."""
    return M.H if hasattr(M, "H") else M.conj().T


def _through_backend(solve, device):
    """`solve` of arrays as a function of tensors on the CPU; the arrays are on `device`."""

    def run(A, b, **kwargs):
        A, b = A.to(device), b.to(device)
        xp, _ = _get_array_modules(b)
        x = solve(_to_backend(A), _torch_to_backend(b, xp), **_arrays(kwargs, xp))
        return _backend_to_torch(x[0] if isinstance(x, tuple) else x).cpu()

    return run


def _arrays(kwargs, xp):
    return {
        name: _torch_to_backend(x, xp) if isinstance(x, torch.Tensor) else x
        for name, x in kwargs.items()
    }


@functools.cache
def _keywords_of(function):
    return frozenset(inspect.signature(function).parameters)


def _iterate(solve, A, b, tolerance, adjoint, tol=None, rtol=None, **kwargs):
    """x by an iterative method, to the tolerance where none is given."""
    rtol = tol if rtol is None else rtol
    if adjoint and kwargs.get("M") is not None:
        kwargs["M"] = _adjoint_of(kwargs["M"])
    taken = _keywords_of(solve)
    kwargs["rtol" if "rtol" in taken else "tol"] = tolerance if rtol is None else rtol
    kwargs = {key: value for key, value in kwargs.items() if key in taken}
    if kwargs.get("x0") is not None:
        kwargs["x0"] = kwargs["x0"].reshape(-1).copy()
    return solve(A, b, **kwargs)[0]


def _operator(linalg, A):
    """A matrix whose products with one vector go past checks that cost as much as they do.

    Of a matrix itself they would be those with a block of one column.
    """
    product = getattr(A, "_matmul_vector", A.dot)  # SciPy's own
    operator = linalg.LinearOperator(A.shape, matvec=product, dtype=A.dtype)
    operator.matvec = product
    return operator


def _is_symmetric(pattern):
    """Whether every entry has one on the other side of the diagonal."""
    *item, row, column = pattern.entry_indices()
    n = pattern.shape[-1]
    first = item[0] * n if item else 0
    places = ((first + i) * n + j for i, j in ((row, column), (column, row)))
    return torch.equal(*(place.unique() for place in places))


class _Solve(UserSolve):
    """Solves by functions of CuPy or SciPy, by name, or by callables.

    Those with a name get the runtime's own rows as they are. Factors serve A's adjoint and later
    solves, too.
    """

    def __init__(self, solve, transpose_solve, kwargs, pattern, vector, device):
        adjoint = solve if transpose_solve is None else transpose_solve
        functions = (_through_backend(each, device) for each in (solve, adjoint))
        super().__init__(*functions, kwargs, pattern, vector, takes_A=callable(transpose_solve))
        self.solvers, self.device, self.factors = (solve, adjoint), device, {}

    @lazy
    def modules(self):
        """CuPy or NumPy, its sparse matrices, and what solves with them."""
        xp, sparse = _get_array_modules(torch.empty(0, device=self.device))
        return xp, sparse, importlib.import_module(f"{sparse.__name__}.linalg")

    @lazy
    def rows(self):
        """Positions and coordinates of each item."""
        (positions, coordinates, _), _ = own_rows(self.pattern)
        if self.pattern.items == -1:
            return [(positions, coordinates)]
        n = self.pattern.shape[-1]
        lines = [positions[n * k : n * k + n + 1] for k in range(self.pattern.items)]
        return [(line - line[0], coordinates[line[0] : line[-1]]) for line in lines]

    def _array(self, x):
        xp = self.modules[0]
        if xp.__name__ == "numpy":  # The runtime's tensors have nothing to resolve.
            return x.numpy()
        return _torch_to_backend(x.to(self.device), xp)

    def _matrix(self, item, values, layout):
        """The matrix in "csr", or in "csc" its transpose, whose columns are the matrix's rows."""
        positions, coordinates = self.rows[item]
        arrays = tuple(map(self._array, (values, coordinates, positions)))
        return getattr(self.modules[1], f"{layout}_matrix")(arrays, self.pattern.shape[-2:])

    def __call__(self, mode, item, values, b, x):
        name = self.solvers[mode != NORMAL]
        if callable(name):
            super().__call__(mode, item, values, b, x)
        elif b.numel():
            solve = self._iterated if name in _ITERATIVE else self._solved
            b = b.clone(memory_format=torch.contiguous_format)  # They may keep it.
            found = _backend_to_torch(solve(name, mode, item, values, b))
            x.copy_(checked_result(found.cpu(), x))

    def _iterated(self, name, mode, item, values, b):
        xp, _, linalg = self.modules
        A = self._matrix(item, values, "csr")
        A = A if mode == NORMAL else A.T
        A = A.conj() if mode == ADJOINT and values.is_complex() else A
        kwargs = _arrays(self.kwargs, xp) if self.kwargs else {}
        # Half of what x is judged by.
        tolerance = default_tolerance(values.dtype) / 2
        b = self._array(b).reshape(-1)
        solve, A = getattr(linalg, name), _operator(linalg, A)
        return _iterate(solve, A, b, tolerance, mode != NORMAL, **kwargs)

    def _solved(self, _, mode, item, values, b):
        kept, factors = self.factors.get(item, (None, None))
        if kept is None or not torch.equal(kept, values):
            kept = values.clone()
            factors = self._factor(self._matrix(item, kept, "csc"))
            self.factors[item] = kept, factors
        # Of the transpose.
        b = b.conj().resolve_conj() if mode == ADJOINT else b
        x = factors.solve(self._array(b), "T" if mode == NORMAL else "N")
        return x.conj() if mode == ADJOINT else x

    def _factor(self, A):
        """The LU factors of a CSC matrix. Raises SingularMatrixError where it has none."""
        # Where the pattern is symmetric, they have fewer entries in an order of A + A^T.
        is_symmetric = found(self.pattern, "symmetric", lambda: _is_symmetric(self.pattern))
        order = "MMD_AT_PLUS_A" if is_symmetric else "COLAMD"
        try:
            return self.modules[2].splu(A, permc_spec=order)
        except RuntimeError as error:
            if "singular" not in str(error):
                raise
            raise SingularMatrixError(f"A is singular: {error}") from None


# ===-- In torch --------------------------------------------------------------===#


def _checked_name(solve):
    if isinstance(solve, str) and solve not in _SOLVERS:
        raise ValueError(f"Unknown solver: {solve}. Supported solvers: {_SOLVERS}")
    if solve is not None and not isinstance(solve, str) and not callable(solve):
        raise TypeError(f"solve must be a name or a callable, not {type(solve).__name__}")


def _check_columns(name, B, columns):
    if name in _ITERATIVE and columns != 1:
        raise ValueError(
            f"Solver '{name}' does not support multi-RHS (B.shape={B.shape}). Use solve='spsolve' "
            "or solve=None for multi-RHS problems, or reshape B to a vector."
        )


def _warn(text):
    warnings.warn(text, UserWarning, stacklevel=level())


def _check_keywords(kwargs):
    for name in kwargs:
        if name not in _KEYWORDS:
            _warn(f"the keyword argument {name!r} is not used: the solvers take {_KEYWORDS}")


def _tolerance(solvers, kwargs, dtype):
    """rtol of every residual, if any: factors are as good as they get."""
    if all(solve in (None, "spsolve") for solve in solvers):
        return None
    given = kwargs.get("rtol", kwargs.get("tol"))
    iterates = any(isinstance(solve, str) and solve in _ITERATIVE for solve in solvers)
    return default_tolerance(dtype) if given is None and iterates else given


def _solve(A, B, solve, transpose_solve, kwargs, on_fail):
    pattern, values = parts(A)
    vector, device = B.dim() < A.dim(), values.device
    columns = 1 if vector else B.shape[-1]
    for given in (solve, transpose_solve):
        _checked_name(given)
        _check_columns(given, B, columns)
    if not callable(solve) and not callable(transpose_solve):
        _check_keywords(kwargs)
    if "minres" in (solve, transpose_solve) and not _is_on_gpu(B):
        _warn(
            "Using 'minres' solver on CPU: SciPy computes in float64 even with float32 inputs, and "
            "the result is converted to A's dtype"
        )
    if values.is_cuda:  # programs with a solve run on the CPU; what it calls does not
        pattern, values, B = pattern.to("cpu"), values.cpu(), B.cpu()
    user = _Solve(solve, transpose_solve, kwargs, pattern, vector, device)
    rtol = _tolerance(user.solvers, kwargs, A.dtype)
    return user.run(values, B, on_fail, rtol, kwargs.get("atol")).to(device)


class SparseSolveC4T(Function):
    """`.apply(A, B, solve, transpose_solve, kwargs)` is `sparse_solve_c4t` without checks."""

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
def sparse_solve_c4t(
    A: SparseMatrix,
    B: torch.Tensor,
    solve: Solve | None = None,
    transpose_solve: Solve | None = None,
    *,
    on_fail: OnFail = "warn",
    **kwargs: Any,
) -> torch.Tensor:
    """The solution X of A X = B by CuPy (on a GPU) or SciPy, differentiable to any order.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, n), or a batch (b, n, n), or a SciPy array.
    B: strided, (n,) or (n, p); for a batch (b, n) or (b, n, p). X has B's shape and A's dtype.

    solve: None or "spsolve", LU factors, which serve all columns and gradients; "cg", "cgs",
    "minres" or "gmres" for one column; or a callable `(A, b, **kwargs) -> x` (or (x, info)), which
    gets a csr_matrix or, of a COO tensor, a coo_matrix, and an array of B's shape. Gradients solve
    with A^H by the same method. An explicit transpose_solve is a name of the same, or a callable
    that is called with A itself and has to act as its adjoint.

    kwargs: tol or rtol (by default that of `sparse_generic_solve`), atol, maxiter, x0, M (its
    adjoint for gradients) and callback, for the iterative methods; callables get all of them. Where
    a named method iterates or a tolerance is given, norm(b - A x) <= max(rtol norm(b), atol) has to
    hold for the residual computed anew from each x, unless both directions are direct; on_fail:
    "warn" (ConvergenceWarning), "raise" (ConvergenceError) or "ignore" what does not, here and in
    gradients.

    On a GPU the solver's own work is done there; products of gradients are computed on the CPU.
    Raises ImportError without the libraries, ValueError or TypeError for operands that do not fit,
    SingularMatrixError for a singular A, and what the callables raise.
    """
    A = as_tensor(A)
    check_operands(A, B, square=True)
    return _solve(A, same_dtype(A, B), solve, transpose_solve, kwargs, on_fail)
