"""Normal distributions whose covariance or precision is itself given, as a sparse matrix."""

from typing import NamedTuple

from torch.autograd import Function

from .._matrices.matrix import Matrix, unchecked
from .._patterns.coalesced import without_repeats
from .._solvers.direct import parts_of
from .._solvers.factorize import Factorization
from ..sparse_matmul import sparse_mm
from ._factor import apply, dense


class SymmetricGaussian(NamedTuple):
    """What is asked of a Gaussian, in terms of S, its covariance or precision.

    X is any number of vectors along the last axis, as those of a Factor.
    """

    factorization: Factorization
    matrix: Matrix
    is_precision: bool

    has_root = False  # type: ignore[misc] # none that is differentiable in S

    @staticmethod
    def of(A, is_precision):
        matrix = unchecked(*without_repeats(*parts_of(A)))
        return SymmetricGaussian(Factorization(matrix, "cholesky"), matrix, is_precision)

    @property
    def batch_shape(self):
        return self.matrix.shape[:-2]

    @property
    def tensors(self):
        # A copy, which no user can write to.
        return (self.matrix.values.clone(),)

    def with_tensors(self, values):
        return self.of(unchecked(self.matrix.pattern, values), self.is_precision)

    @property
    def patterns(self):
        return (self.matrix.pattern,)

    def _multiply(self, X):
        return apply(sparse_mm, self.matrix, X)

    def _solve(self, X):
        return apply(lambda _, B: self.factorization.solve(B), self.matrix, X)

    def times_covariance(self, X):
        return self._solve(X) if self.is_precision else self._multiply(X)

    def times_precision(self, X):
        return self._multiply(X) if self.is_precision else self._solve(X)

    def distance(self, X):
        """x^T P x of each vector, where P is the precision."""
        return (X * self.times_precision(X)).sum(-1)

    def root(self, X):
        """R X, of a standard normal X, with the derivative of a sample in S.

        The samples' distribution changes with the covariance C as x + dC C^-1 x / 2 does, which
        unlike the derivative of a Cholesky factor takes one product and one solve (Jankowiak and
        Obermeyer 2018, section 4). This flow has no second derivative.
        """
        fixed = self.with_tensors(self.matrix.values.detach())
        half = apply(lambda _, B: fixed.factorization.half_solve(B, adjoint=True), self.matrix, X)
        sample = half if self.is_precision else fixed.times_covariance(half)
        if not self.matrix.requires_grad:
            return sample
        weights = fixed.times_precision(sample.detach())
        once = self.with_tensors(_Once.apply(self.matrix.values))
        moved = once.times_covariance(weights)
        return sample + 0.5 * (moved - moved.detach())

    def log_det(self):
        """That of the covariance."""
        log_det = self.factorization.logdet()
        return -log_det if self.is_precision else log_det

    def variance(self):
        """The diagonal of the covariance, (*batch_shape, n)."""
        if self.is_precision:
            return self.factorization.diag_inverse()
        *_, row, column = self.matrix.pattern.entry_indices()
        on = row == column
        diagonal = unchecked(self.matrix.pattern, self.matrix.values.where(on, 0))
        ones = self.matrix.values.new_ones(self.matrix.shape[:-1])
        return apply(sparse_mm, diagonal, ones)

    def covariance(self):
        """The dense covariance, (*batch_shape, n, n)."""
        return dense(self.times_covariance, self.matrix, self.batch_shape)

    def precision(self):
        """The dense precision, (*batch_shape, n, n)."""
        return dense(self.times_precision, self.matrix, self.batch_shape)


class _Once(Function):
    """The identity, whose derivative has none."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, cotangent):
        return _Last.apply(cotangent)


class _Last(_Once):
    """The identity, which has no derivative."""

    @staticmethod
    def backward(ctx, cotangent):
        raise NotImplementedError(
            "samples have one derivative in a covariance_matrix or precision_matrix; those of "
            "scale_tril and precision_tril have more"
        )
