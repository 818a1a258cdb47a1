"""Least squares with a sparse matrix."""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, overload

import torch
from torch.autograd import Function

from ._patterns.coalesced import coalesced
from ._patterns.layouts import as_tensor
from ._patterns.modes import outside_graphs
from ._patterns.tensors import parts
from ._solvers.linear_solve import check_operands, run, same_dtype
from ._solvers.methods import checks_keywords
from ._solvers.solver import SolveInfo, solver
from ._solvers.user_solve import UserSolve
from ._typing import OnFail, Progress, SparseMatrix

__all__ = ["SparseGenericLstsq", "sparse_generic_lstsq"]

_Lstsq: TypeAlias = Literal["lsmr", "qr"] | Callable[..., torch.Tensor]  # (A, B) -> X
_Adjoint: TypeAlias = Callable[..., torch.Tensor]

_DEFAULTS = {
    "damp": 0.0,
    "scale_columns": False,
    "rtol": None,
    "atol": None,
    "maxiter": None,
    "callback": None,
    "progress": False,
}


def _refuse(options, function):
    """Raises TypeError for options of our method that a user's callable would not see."""
    for name, value in options.items():
        if value != _DEFAULTS[name]:
            raise TypeError(
                f"{name} is an option of our method, which {function!r} would not see: give it "
                "to your own by functools.partial"
            )


def _check_qr(options):
    """Raises ValueError for options of iterations."""
    for name in ("damp", "scale_columns", "maxiter", "callback"):
        if options[name] != _DEFAULTS[name]:
            raise ValueError(f"'qr' takes no {name}: 'lsmr' does")


def _own_maker(lstsq, transpose_lstsq, on_fail, options):
    """For `run`: a handle of "lsmr" or "qr", by name."""
    if lstsq not in ("lsmr", "qr"):
        raise ValueError(f"lstsq must be one of 'lsmr', 'qr' or a callable, not {lstsq!r}")
    if transpose_lstsq is not None:
        raise ValueError(f"{lstsq!r} knows its adjoint, and takes no transpose_lstsq")
    if lstsq == "qr":
        options = {name: options[name] for name in ("rtol", "atol", "progress")}

    def make(callables):
        return solver(lstsq, on_fail=on_fail, callables=callables, **options)

    return make


def _user_maker(lstsq, transpose_lstsq, pattern, vector, on_fail, options):
    for function in (lstsq, transpose_lstsq):
        if function is not None and not callable(function):
            raise TypeError(f"lstsq must be a callable, not {type(function).__name__}")
    is_ours = lstsq is None
    if is_ours:
        _refuse({"damp": options["damp"]}, transpose_lstsq)
        lstsq = functools.partial(sparse_generic_lstsq, **options)
    else:
        _refuse(options, lstsq)
    takes_A = transpose_lstsq is not None
    user = UserSolve(lstsq, transpose_lstsq, {}, pattern, vector, takes_A, is_ours)
    return user.handle_maker(on_fail)


def _scaled_columns(pattern, values):
    """Pattern and values of A D, and the diagonal of D, which makes the norms of columns alike."""
    if pattern.validate() == 2:
        pattern, values = coalesced(pattern, values)
    if pattern.entries == 0:
        return pattern, values, values.new_ones(pattern.shape[-1], 1)
    *items, _, columns = pattern.shape
    indices = pattern.entry_indices()
    place = indices[-1] if not items else indices[0] * columns + indices[-1]
    # D is wanted up to a factor, which keeps squares in range. Columns of zeros are left alone.
    wide = values.to(torch.complex128 if values.is_complex() else torch.float64)
    largest = wide.detach().abs().amax()
    wide = wide / torch.where(largest > 0, largest, 1.0)
    count = columns * math.prod(items)
    squares = wide.real.new_zeros(count).index_add(0, place, (wide * wide.conj()).real)
    scale = torch.where(squares > 0, squares, 1.0).rsqrt().to(values.real.dtype)
    return pattern, values * scale[place], scale.view(*items, columns, 1)


def _lstsq(A, B, lstsq, transpose_lstsq, options, return_info, on_fail):
    pattern, values = parts(A)
    vector = B.dim() < A.dim()
    scale = None
    if isinstance(lstsq, str) and lstsq == "qr":
        _check_qr(options)
    if options["scale_columns"] and not options["damp"] and A.shape[-2] < A.shape[-1]:
        # D (A D)^+ B depends on D, which depends on A: gradients go through both.
        options = options | {"scale_columns": False}
        pattern, values, scale = _scaled_columns(pattern, values)
    if isinstance(lstsq, str) or (lstsq is None and transpose_lstsq is None):
        make = _own_maker(lstsq or "lsmr", transpose_lstsq, on_fail, options)
    else:
        make = _user_maker(lstsq, transpose_lstsq, pattern, vector, on_fail, options)
    # Which pseudo-inverse it is, (A^H A)^-1 A^H or A^H (A A^H)^-1, decides the gradient's form.
    name = "least_squares" if A.shape[-2] >= A.shape[-1] else "least_squares_row"
    B = B.unsqueeze(-1) if vector else B
    x, info = run(pattern, values, B, make, name=name, wants_info=return_info)
    x = x if scale is None else scale * x
    x = x.squeeze(-1) if vector else x
    return (x, info) if return_info else x


class SparseGenericLstsq(Function):
    """`.apply(A, B, lstsq, transpose_lstsq)` is `sparse_generic_lstsq` without its checks."""

    @staticmethod
    def apply(
        A: SparseMatrix,
        B: torch.Tensor,
        lstsq: _Lstsq | None = None,
        transpose_lstsq: _Adjoint | None = None,
    ) -> torch.Tensor:
        return _lstsq(A, B, lstsq, transpose_lstsq, _DEFAULTS, False, "warn")


@overload
def sparse_generic_lstsq(
    A: SparseMatrix,
    B: torch.Tensor,
    lstsq: _Lstsq | None = None,
    transpose_lstsq: _Adjoint | None = None,
    *,
    damp: float = 0.0,
    scale_columns: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    callback: Progress | None = None,
    progress: bool = False,
    return_info: Literal[False] = False,
    on_fail: OnFail = "warn",
) -> torch.Tensor: ...


@overload
def sparse_generic_lstsq(
    A: SparseMatrix,
    B: torch.Tensor,
    lstsq: _Lstsq | None = None,
    transpose_lstsq: _Adjoint | None = None,
    *,
    damp: float = 0.0,
    scale_columns: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    callback: Progress | None = None,
    progress: bool = False,
    return_info: Literal[True],
    on_fail: OnFail = "warn",
) -> tuple[torch.Tensor, SolveInfo]: ...


@outside_graphs
@checks_keywords
def sparse_generic_lstsq(
    A: SparseMatrix,
    B: torch.Tensor,
    lstsq: _Lstsq | None = None,
    transpose_lstsq: _Adjoint | None = None,
    *,
    damp: float = 0.0,
    scale_columns: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    callback: Progress | None = None,
    progress: bool = False,
    return_info: bool = False,
    on_fail: OnFail = "warn",
) -> torch.Tensor | tuple[torch.Tensor, SolveInfo]:
    """The X that minimises norm(B - A X)^2 + damp^2 norm(X)^2 column by column, differentiable.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (m, n), tall, wide or square, or a batch
    (b, m, n), or a SciPy array. B:
    strided, (m,) or (m, p); for a batch (b, m) or (b, m, p). X: (n,) or (n, p) alike, of A's
    dtype. Where several X minimise, the one of smallest norm.

    lstsq: "lsmr", which is the default, stops when norm(A^H r - damp^2 X) is small beside
    norm(A) norm(r), r = B - A X, or norm(r) beside norm(B); rtol is by default 1e-5 in single and
    1e-8 in double precision. scale_columns: columns of A are scaled to norm 1 meanwhile, which
    helps where their norms differ; for a wide or rank-deficient A it is another X that has the
    smallest (scaled) norm. "qr" factorises A once for its values, found again by their content: for
    gradients of any order, further right-hand sides and solves with the same values. X is as
    accurate as the condition of A allows; `SolveInfo.factors.rank` states the rank, to which a
    column that is a combination of others, up to max(m, n) roundings, adds nothing. It takes no
    damp, scale_columns, maxiter and callback. Or any callable `lstsq(A, B) -> X`; its adjoint is
    `lstsq(A^H, G)`, or an explicit `transpose_lstsq(A, G)`, which gets A itself and has to act as
    the adjoint.

    Differentiable to any order in A and B where A has full column rank (m >= n) or full row rank
    (m < n), or damp > 0; otherwise backward raises SingularMatrixError, from "qr" with the rank.

    on_fail, callback, progress, return_info and errors as for `sparse_generic_solve`. From "qr"
    also ValueError for NaN or infinity in A, and SingularMatrixError where no rank can be told.

    >>> A = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]]).to_sparse_csr()
    >>> tsgu.sparse_generic_lstsq(A, torch.tensor([1.0, 3.0, 8.0]), "qr").round(decimals=3)
    tensor([2., 4.])
    """
    A = as_tensor(A)
    check_operands(A, B)
    B = same_dtype(A, B)
    options: dict[str, Any] = {
        "damp": damp,
        "scale_columns": scale_columns,
        "rtol": rtol,
        "atol": atol,
    }
    options |= {"maxiter": maxiter, "callback": callback, "progress": bool(progress)}
    return _lstsq(A, B, lstsq, transpose_lstsq, options, return_info, on_fail)
