"""The sparse factor L of a symmetric matrix S = L L^T, applied to vectors."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .._matrices.matrix import Matrix, unchecked
from .._patterns.rows import by_columns
from .._typing import TensorOrMatrix
from ..sparse_matmul import sparse_mm
from ..sparse_solve import sparse_triangular_solve
from ._blocks import of_columns


def _batch_sparse_mv(
    op: Callable[..., torch.Tensor], bmat: TensorOrMatrix, bvec: torch.Tensor, **kw: Any
) -> torch.Tensor:
    """`op(matrix, columns, **kw)` for vectors along the last axis of bvec.

    bmat (n, n) with bvec (n,) or (k, n); bmat (b, n, n) with bvec (b, n) or (k, b, n). All vectors
    of a matrix are columns of one call. Raises ValueError for other ranks.
    """
    ranks = bmat.dim(), bvec.dim()
    if ranks in ((2, 1), (3, 2)):
        return op(bmat, bvec.unsqueeze(-1), **kw).squeeze(-1)
    if ranks == (2, 2):
        return op(bmat, bvec.mT, **kw).mT
    if ranks == (3, 3):
        return op(bmat, bvec.permute(1, 2, 0), **kw).permute(2, 0, 1)
    raise ValueError(
        "bmat of shape (n, n) takes bvec of shape (n,) or (k, n), bmat of shape (b, n, n) takes "
        f"(b, n) or (k, b, n), not {tuple(bmat.shape)} and {tuple(bvec.shape)}"
    )


def apply(op, A, X, **kw):
    """`op` for vectors along the last axis of X, (..., n), or (..., b, n) for a batch A."""
    items = A.shape[:-2]
    if X.dim() == 2 and not items:
        return op(A, X.mT, **kw).mT
    if math.prod(items) != 1:
        vectors = X.reshape(math.prod(X.shape[:-2]), *X.shape[-2:])
    else:
        vectors = X.reshape(math.prod(X.shape[:-1]), *items, X.shape[-1])
    return _batch_sparse_mv(op, A, vectors, **kw).reshape(X.shape)


def dense(operation, matrix, batch_shape):
    """What `operation` applies to vectors, as a dense matrix, (*batch_shape, n, n)."""
    n = matrix.shape[-1]
    identity = torch.eye(n, dtype=matrix.dtype, device=matrix.device)
    rows = identity.view(n, *(1,) * len(batch_shape), n).expand(n, *batch_shape, n)
    return operation(rows).movedim(0, -2)


class Factor(NamedTuple):
    """L, or where a vector D is given the matrix (I + N) sqrt(D) of a strictly lower N.

    X is any number of vectors along the last axis, (*shape, n); shape ends in the batch shape.
    """

    matrix: Matrix  # L or N
    diagonal: Callable[[], torch.Tensor]  # gives that of L
    D: torch.Tensor | None

    @property
    def batch_shape(self):
        of_D = () if self.D is None else self.D.shape[:-1]
        return torch.broadcast_shapes(self.matrix.shape[:-2], of_D)

    @property
    def tensors(self):
        # A copy of the values, which no user can write to.
        return (self.matrix.values.clone(), *(() if self.D is None else (self.D,)))

    def with_tensors(self, values, D=None):
        return self._replace(matrix=unchecked(self.matrix.pattern, values), D=D)

    @property
    def patterns(self):
        return (self.matrix.pattern,)

    def multiply(self, X):
        """L X."""
        if self.D is not None:
            X = self.D.sqrt() * by_columns(X)  # as the product takes and gives it
            return apply(sparse_mm, self.matrix, X) + X
        return apply(sparse_mm, self.matrix, X)

    def multiply_transposed(self, X):
        """L^T X."""
        matrix = unchecked(self.matrix.pattern.transposed(), self.matrix.values)
        if self.D is not None:
            X = by_columns(X)
            return self.D.sqrt() * (apply(sparse_mm, matrix, X) + X)
        return apply(sparse_mm, matrix, X)

    def _solve(self, X, transpose):
        return apply(
            sparse_triangular_solve,
            self.matrix,
            X,
            upper=False,
            unitriangular=self.D is not None,
            transpose=transpose,
        )

    def solve(self, X):
        """L^-1 X."""
        X = self._solve(X, transpose=False)
        return X / self.D.sqrt() if self.D is not None else X

    def solve_transposed(self, X):
        """L^-T X."""
        return self._solve(X / self.D.sqrt() if self.D is not None else X, transpose=True)

    def square(self, X):
        """S X."""
        return self.multiply(self.multiply_transposed(X))

    def solve_square(self, X):
        """S^-1 X."""
        return self.solve_transposed(self.solve(X))

    def log_det(self):
        """log det S, of the batch shape."""
        if self.D is not None:
            return self.D.log().sum(-1)
        return 2 * self.diagonal().abs().log().sum(-1)

    def diagonal_of_square(self):
        """The diagonal of S, (*batch_shape, n)."""
        squares = unchecked(self.matrix.pattern, self.matrix.values.square())
        shape = (*self.batch_shape, self.matrix.shape[-1])
        if self.D is None:
            ones = torch.ones((), dtype=squares.dtype, device=squares.device)
            return apply(sparse_mm, squares, ones.expand(shape))
        D = self.D.expand(shape)
        return apply(sparse_mm, squares, D) + D


class Gaussian(NamedTuple):
    """What is asked of a normal distribution: its covariance is R R^T, its precision W^T W."""

    factor: Factor
    is_precision: bool

    @property
    def batch_shape(self):
        return self.factor.batch_shape

    @property
    def tensors(self):
        """What the distribution is differentiable in."""
        return self.factor.tensors

    def with_tensors(self, *tensors):
        return self._replace(factor=self.factor.with_tensors(*tensors))

    @property
    def patterns(self):
        return self.factor.patterns

    has_root = True  # type: ignore[misc]

    def root(self, X):
        """R X."""
        return self.factor.solve_transposed(X) if self.is_precision else self.factor.multiply(X)

    def whiten(self, X):
        """W X, with W = R^-1."""
        if self.is_precision:
            return self.factor.multiply_transposed(X)
        return self.factor.solve(X)

    def distance(self, X):
        """|W x|^2 of each vector."""
        return self.whiten(X).square().sum(-1)

    def times_precision(self, X):
        return self.factor.square(X) if self.is_precision else self.factor.solve_square(X)

    def times_covariance(self, X):
        return self.factor.solve_square(X) if self.is_precision else self.factor.square(X)

    def log_det(self):
        """That of the covariance."""
        log_det = self.factor.log_det()
        return -log_det if self.is_precision else log_det

    def variance(self):
        """The diagonal of the covariance, (*batch_shape, n); of a precision by n solves."""
        factor = self.factor
        if not self.is_precision:
            return factor.diagonal_of_square()
        n = factor.matrix.shape[-1]

        def norms(factor, X):
            return factor.solve(X).square().sum(-1)

        return of_columns((factor,), norms, n, factor.batch_shape)

    def covariance(self):
        """The dense covariance, (*batch_shape, n, n)."""
        return dense(self.times_covariance, self.factor.matrix, self.batch_shape)

    def precision(self):
        """The dense precision, (*batch_shape, n, n)."""
        return dense(self.times_precision, self.factor.matrix, self.batch_shape)
