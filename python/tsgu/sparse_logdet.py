"""Determinants and inverses on a pattern, by a factorisation, differentiable."""

from typing import NamedTuple, overload

import torch

from ._matrices.kinds import matrix_of
from ._matrices.matrix import Matrix
from ._patterns.coalesced import without_repeats
from ._patterns.layouts import as_tensor
from ._patterns.modes import outside_graphs
from ._patterns.pattern import Pattern
from ._programs.autograd import operator_on
from ._solvers.direct import by_method, check_square, parts_of
from ._solvers.solver import fixed_solver
from ._typing import Factors, SparseMatrix, TensorOrArray, TensorOrMatrix

__all__ = ["logdet", "selected_inverse", "slogdet"]


class Slogdet(NamedTuple):
    """What `slogdet` returns."""

    sign: torch.Tensor
    logabsdet: torch.Tensor


def _number(name, pattern, values, handle):
    return operator_on(name, pattern).call((pattern,), handle, values)


def slogdet_on(pattern, values, handle):
    """The pair of `slogdet`."""
    log = _number("logdet", pattern, values, handle)
    if not log.is_complex():
        return Slogdet(_number("sign_det", pattern, values, handle), log)
    return Slogdet(torch.complex(log.imag.cos(), log.imag.sin()), log.real)


def logdet_on(pattern, values, handle, method):
    """`logdet`."""
    log = _number("logdet", pattern, values, handle)
    if log.is_complex() or method == "cholesky":
        return log
    return log.where(_number("sign_det", pattern, values, handle) > 0, torch.nan)


def inverse_on(
    pattern: Pattern, values: torch.Tensor, handle: torch.Tensor
) -> tuple[Pattern, torch.Tensor]:
    """Pattern and values of `selected_inverse`."""
    pattern, values = without_repeats(pattern, values)
    return pattern, _number("inverse_on_pattern", pattern, values, handle)


@outside_graphs
def logdet(A: SparseMatrix, method: Factors | None = None) -> torch.Tensor:
    """log det A, as torch.logdet: NaN where a real determinant is negative.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, n), or a batch (b, n, n), or a SciPy array;
    float32, float64, complex64 or complex128. The result is a number, (b,) of a batch. method:
    "cholesky" (A Hermitian positive definite, both triangles stored), "ldlt" (Hermitian) or "lu";
    without it Cholesky is tried where A is Hermitian with a positive diagonal. A is factorised once
    for its values, for solves and derivatives, too.

    The gradient is A^-H on the pattern of A. Differentiable twice: a third derivative needs entries
    of the inverse beside the pattern, and is a CompileError that says so.

    Raises ValueError or TypeError for operands that do not fit, PatternError for a corrupt A,
    SingularMatrixError for a matrix that is singular or not positive definite, naming a row.

    >>> A = torch.tensor([[4.0, 1.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.logdet(A).exp().round(decimals=3)
    tensor(11.)
    """
    A = as_tensor(A)
    check_square(A)
    pattern, values = parts_of(A)
    return by_method(
        pattern,
        values,
        method,
        lambda method: logdet_on(pattern, values, fixed_solver(method), method),
    )


@outside_graphs
def slogdet(A: SparseMatrix, method: Factors | None = None) -> Slogdet:
    """(sign, logabsdet) with det A = sign exp(logabsdet), as torch.linalg.slogdet.

    A, method, derivatives and errors are as in `logdet`. The sign is 1 or -1, of a complex A the
    phase, with its derivative.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> sign, logabsdet = tsgu.slogdet(A)
    >>> (sign * logabsdet.exp()).round(decimals=3)
    tensor(6.)
    """
    A = as_tensor(A)
    check_square(A)
    pattern, values = parts_of(A)
    return by_method(
        pattern, values, method, lambda method: slogdet_on(pattern, values, fixed_solver(method))
    )


@overload
def selected_inverse(A: Matrix, method: Factors | None = None) -> Matrix: ...


@overload
def selected_inverse(A: TensorOrArray, method: Factors | None = None) -> torch.Tensor: ...


@outside_graphs
def selected_inverse(A: SparseMatrix, method: Factors | None = None) -> TensorOrMatrix:
    """The entries of A^-1 where A stores entries, as a matrix on the pattern of A.

    A and method are as in `logdet`; the pattern is symmetric: with entry (i, j), entry (j, i) is
    stored. The result is in A's layout; that of an uncoalesced A is coalesced. Differentiable once.

    Raises what `logdet` raises; ValueError for a pattern that is not symmetric, naming an entry.

    >>> A = torch.tensor([[4.0, 1.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.selected_inverse(A).to_dense().mul(11).round(decimals=3)
    tensor([[ 3., -1.],
            [-1.,  4.]])
    """
    A = as_tensor(A)
    check_square(A)
    given, values = parts_of(A)
    pattern, entries = by_method(
        given, values, method, lambda method: inverse_on(given, values, fixed_solver(method))
    )
    return matrix_of(pattern, entries, like=A)
