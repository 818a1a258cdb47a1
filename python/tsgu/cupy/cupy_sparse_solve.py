"""Solves with a sparse matrix by functions of CuPy or SciPy, differentiable in torch."""

import functools
import importlib
import inspect
import warnings

import torch
from torch.autograd import Function

from .._callbacks import level
from .._layouts import BLOCKED, as_tensor
from .._library import SingularMatrixError
from .._linear_solve import check_operands, same_dtype
from .._methods import default_tolerance
from .._modes import outside_graphs
from .._tensors import parts
from .._user_solve import UserSolve
from .cupy_bindings import (
    _backend_to_torch,
    _get_array_modules,
    _is_on_gpu,
    _torch_to_backend,
    t2c_coo,
    t2c_csr,
)

__all__ = ["SparseSolveC4T", "sparse_solve_c4t"]

_ITERATIVE = ("cg", "cgs", "minres", "gmres")
_SOLVERS = [*_ITERATIVE, "spsolve"]
_KEYWORDS = ("tol", "rtol", "atol", "maxiter", "x0", "M", "callback")


# ===-- In the backend --------------------------------------------------------===#


def _linalg(sparse):
    return importlib.import_module(f"{sparse.__name__}.linalg")


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
        kwargs = {
            name: _torch_to_backend(x, xp) if isinstance(x, torch.Tensor) else x
            for name, x in kwargs.items()
        }
        x = solve(_to_backend(A), _torch_to_backend(b, xp), **kwargs)
        return _backend_to_torch(x[0] if isinstance(x, tuple) else x).cpu()

    return run


def _iterate(name, A, b, adjoint=False, **kwargs):
    """x by an iterative method, which is asked for half of what x is judged by."""
    solve = getattr(_linalg(_get_array_modules(b)[1]), name)
    tolerance = kwargs.pop("tol", None)
    tolerance = kwargs.pop("rtol", tolerance)
    if tolerance is None:
        tolerance = default_tolerance(_backend_to_torch(b).dtype) / 2
    if adjoint and kwargs.get("M") is not None:
        kwargs["M"] = _adjoint_of(kwargs["M"])
    taken = inspect.signature(solve).parameters
    kwargs["rtol" if "rtol" in taken else "tol"] = tolerance
    kwargs = {key: value for key, value in kwargs.items() if key in taken}
    b = b.reshape(-1)
    if kwargs.get("x0") is not None:
        kwargs["x0"] = kwargs["x0"].reshape(-1).copy()
    return solve(A.tocsr(), b, **kwargs)


def _direct(A, b, **_):
    return _factor(A).solve(b)


def _factor(A):
    """The LU factors of a matrix. Raises SingularMatrixError where it has none."""
    sparse = _get_array_modules(A)[1]
    try:
        return _linalg(sparse).splu(A.tocsc())
    except RuntimeError as error:
        if "singular" not in str(error):
            raise
        raise SingularMatrixError(f"A is singular: {error}") from None


class _DirectSolve(UserSolve):
    """Solves by the factors of A, which serve its adjoint and later solves, too."""

    def __init__(self, pattern, vector, device):
        super().__init__(None, None, {}, pattern, vector, takes_A=False)
        self.device, self.known = device, {}

    def _solve(self, mode, matrix, values, b, x):
        if not b.numel():
            return
        kept, factors = self.known.get(matrix, (None, None))
        if kept is None or not torch.equal(kept, values):
            A = matrix.tensor(values.clone(), 0, self.pattern).to(self.device)
            factors = _factor(_to_backend(A))
            self.known[matrix] = values.clone(), factors
        right = b.clone(memory_format=torch.contiguous_format).to(self.device)
        array = _torch_to_backend(right, _get_array_modules(right)[0])
        x.copy_(_backend_to_torch(factors.solve(array, "NTH"[mode])).cpu())


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
    """rtol of every residual, if any."""
    given = kwargs.get("rtol", kwargs.get("tol"))
    iterates = any(isinstance(solve, str) and solve in _ITERATIVE for solve in solvers)
    return default_tolerance(dtype) if given is None and iterates else given


def _by_name(solve, device, adjoint=False):
    """A function of tensors for a name, None or a callable."""
    if callable(solve):
        return _through_backend(solve, device)
    if solve in _ITERATIVE:
        return _through_backend(functools.partial(_iterate, solve, adjoint=adjoint), device)
    return _through_backend(_direct, device)


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
    if solve in (None, "spsolve") and transpose_solve in (None, "spsolve"):
        user, rtol = _DirectSolve(pattern, vector, device), None
    else:
        adjoint = solve if transpose_solve is None else transpose_solve
        rtol = _tolerance((solve, adjoint), kwargs, A.dtype)
        user = UserSolve(
            _by_name(solve, device),
            _by_name(adjoint, device, adjoint=True),
            kwargs,
            pattern,
            vector,
            takes_A=callable(transpose_solve),
        )
    return user.run(values, B, on_fail, rtol, kwargs.get("atol")).to(device)


class SparseSolveC4T(Function):
    """`.apply(A, B, solve, transpose_solve, kwargs)` is `sparse_solve_c4t` without checks."""

    @staticmethod
    def apply(A, B, solve=None, transpose_solve=None, kwargs=None):
        return _solve(A, B, solve, transpose_solve, kwargs or {}, "warn")


@outside_graphs
def sparse_solve_c4t(A, B, solve=None, transpose_solve=None, *, on_fail="warn", **kwargs):
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
