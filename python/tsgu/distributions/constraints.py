"""Constraints on sparse matrices, in the manner of torch.distributions.constraints."""

import torch
from torch.distributions.constraints import Constraint

from .._layouts import as_tensor
from ._triangle import Triangle

__all__ = ["sparse_lower_cholesky", "sparse_lower_triangular"]


def may_have_nan(x):
    """False where there is none; quick."""
    total = x.sum().item()
    return total != total  # also of infinities of both signs


class _SparseLowerTriangular(Constraint):
    """No entry above the diagonal, and none that is NaN: (n, n), or a batch (b, n, n)."""

    is_discrete = False
    event_dim = 2

    def check(self, value):
        """Whether a sparse matrix, or each one of a batch, satisfies this."""
        value = as_tensor(value)
        triangle = Triangle.of(value, strict=False)
        _, values = triangle.matrix(value)
        satisfied = torch.ones(value.shape[:-2], dtype=torch.bool, device=value.device)
        for _, places in self._violations(triangle, value, values):
            satisfied[tuple(places[:-2])] = False
        return satisfied

    def first_violation(self, name, A, triangle, values):
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


sparse_lower_triangular = _SparseLowerTriangular()
sparse_lower_cholesky = _SparseLowerCholesky()
