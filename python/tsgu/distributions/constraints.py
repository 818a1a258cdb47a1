"""Constraints on sparse matrices, in the manner of torch.distributions.constraints."""

import torch
from torch.distributions.constraints import Constraint, positive_definite

from .._matrices.matrix import unchecked
from .._matrices.triangle import Triangle
from .._patterns.coalesced import without_repeats
from .._patterns.layouts import as_tensor, is_sparse
from .._patterns.pattern import Pattern
from .._runtime.library import PatternError, SingularMatrixError
from .._solvers.direct import parts_of
from .._solvers.factorize import Factorization
from .._typing import SparseMatrix, TensorOrMatrix

__all__ = [
    "hyperplane",
    "sparse_lower_cholesky",
    "sparse_lower_triangular",
    "sparse_positive_definite",
]


def may_have_nan(x):
    """False where there is none; quick."""
    total = x.sum().item()
    return total != total  # also of infinities of both signs


class _SparseLowerTriangular(Constraint):
    """No entry above the diagonal, and none that is NaN: (n, n), or a batch (b, n, n)."""

    is_discrete = False
    event_dim = 2

    def check(self, value: SparseMatrix) -> torch.Tensor:
        """Whether a sparse matrix, or each one of a batch, satisfies this."""
        value = as_tensor(value)
        triangle = Triangle.of(value, strict=False)
        _, values = triangle.matrix(value)
        satisfied = torch.ones(value.shape[:-2], dtype=torch.bool, device=value.device)
        for _, places in self._violations(triangle, value, values):
            satisfied[tuple(places[:-2])] = False
        return satisfied

    def first_violation(
        self, name: str, A: TensorOrMatrix, triangle: Triangle, values: torch.Tensor
    ) -> str | None:
        """What is wrong with A, whose elements have these values, in words, or None."""
        for text, places in self._violations(triangle, A, values):
            place = ", ".join(str(int(k)) for k in places[:, 0])
            return text.format(f"{name}[{place}]")
        return None

    def _violations(self, triangle, A, values):
        """(text, coordinates (rank, count)) of what is wrong."""
        if may_have_nan(values) and (nan := values.isnan()).any():
            yield "{} is NaN", triangle.coordinates(A)[:, nan]
        if triangle.above.shape[1]:
            yield "{} is stored above the diagonal", triangle.above


class _SparseLowerCholesky(_SparseLowerTriangular):
    """Lower triangular without a zero on the diagonal, whose sign L L^T does not see."""

    def _violations(self, triangle, A, values):
        yield from super()._violations(triangle, A, values)
        diagonal = triangle.diagonal(values, A.shape)
        if diagonal.count_nonzero().item() < diagonal.numel():  # quicker than all()
            zero = (diagonal == 0).nonzero().T
            yield "{} is zero or not stored", torch.cat([zero, zero[-1:]])


class _SparsePositiveDefinite(Constraint):
    """Symmetric, both triangles stored, with a Cholesky factor: (n, n), or a batch (b, n, n).

    Dense matrices are judged as torch's positive_definite does.
    """

    is_discrete = False
    event_dim = 2

    def check(self, value: SparseMatrix) -> torch.Tensor:
        """Whether a sparse matrix, or each one of a batch, satisfies this."""
        value = as_tensor(value)
        if not is_sparse(value):
            return positive_definite.check(value)
        wrong = [self.violation(A) is not None for A in _items_of(value)]
        return ~torch.tensor(wrong, dtype=torch.bool).view(value.shape[:-2])

    def violation(self, A: TensorOrMatrix) -> str | None:
        """What is wrong with A, in words, or None; its factors are then kept."""
        try:
            Factorization(A, "cholesky")
        except PatternError:
            raise
        except (SingularMatrixError, ValueError) as error:
            return str(error)
        return None


def _items_of(A):
    """The matrices of a batch, or the one."""
    if A.dim() == 2:
        return [A]
    pattern, values = without_repeats(*parts_of(A))
    item, *places = pattern.entry_indices()
    places = torch.stack(places)
    return [
        unchecked(Pattern.coo(places[:, item == k], A.shape[-2:]), values[item == k])
        for k in range(A.shape[0])
    ]


class hyperplane(Constraint):  # noqa: N801 (torch's way of naming constraints)
    """A x = e up to roundings; A (k, n), e (k,)."""

    is_discrete = False
    event_dim = 1

    def __init__(self, A: torch.Tensor, e: torch.Tensor) -> None:
        self.A, self.e = A.detach(), e.detach()

    def check(self, value: torch.Tensor) -> torch.Tensor:
        """Whether each of the vectors, (..., n), is on it."""
        size = value.abs() @ self.A.abs().mT + self.e.abs()
        rounding = 1e3 * torch.finfo(value.dtype).eps * size
        return ((value @ self.A.mT - self.e).abs() <= rounding).all(-1)


sparse_positive_definite = _SparsePositiveDefinite()
sparse_lower_triangular = _SparseLowerTriangular()
sparse_lower_cholesky = _SparseLowerCholesky()
