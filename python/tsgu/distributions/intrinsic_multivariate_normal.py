"""Normal distributions whose precision is singular, such as a graph's Laplacian."""

import math

import torch
from torch.distributions import Distribution, constraints

from .._matrices.matrix import Matrix
from .._patterns.layouts import as_tensor
from .._typing import Shape, SparseMatrix
from ._parameters import check_matrix, check_types, check_vectors
from ._submatrix import cut
from ._symmetric import SymmetricGaussian
from .constraints import hyperplane

__all__ = ["IntrinsicMultivariateNormal"]


class IntrinsicMultivariateNormal(Distribution):
    """The normal distribution on the complement of a null space: its precision Q is singular.

    precision_matrix: Q, (n, n), sparse, symmetric, positive semidefinite; null_space: V, (n, k), a
    basis of its null space, as the ones of a graph's Laplacian; loc: (n,), by default 0. Samples,
    and the values that have a density, are loc + x with V^T x = 0; the covariance is Q's
    generalised inverse. The density at all values of R^n that differ by a vector of V is the same,
    so that this is the improper prior of an intrinsic field, too (Rue and Held 2005, chapter 3).

    Q without k rows and columns is positive definite and is factorised by Cholesky. With o the k
    rows left out, pdet Q = det Q_uu det V^T V / (det V_o)^2, and samples are those of Q_uu,
    projected. Gradients in Q, of first order also of `variance`, are those along changes that keep
    the null space, as those of a Laplacian's weights do.

    Raises TypeError or ValueError for operands that do not fit and for a V that is not in the null
    space, SingularMatrixError where Q has a larger null space.
    """

    arg_constraints = {"loc": constraints.real_vector, "null_space": constraints.real}
    has_rsample = True
    has_sparse_precision = True

    def __init__(
        self,
        precision_matrix: SparseMatrix,
        null_space: torch.Tensor,
        loc: torch.Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(null_space, torch.Tensor) or null_space.dim() != 2:
            raise ValueError("null_space must be a dense tensor (n, k)")
        n, k = null_space.shape
        if not 0 < k < n:
            raise ValueError(f"null_space must have from 1 to n - 1 columns, and is ({n}, {k})")
        loc = null_space.new_zeros(n) if loc is None else loc
        check_vectors(loc, None)
        matrix = as_tensor(precision_matrix)
        check_matrix("precision_matrix", matrix, n)
        check_types({"loc": loc, "null_space": null_space, "precision_matrix": matrix})
        if matrix.dim() != 2 or loc.shape != (n,):
            raise ValueError("precision_matrix must be (n, n), and loc (n,), without a batch")
        self.loc, self.precision_matrix, self.null_space = loc, matrix, null_space
        self._kept = _independent_rows(null_space.detach())
        super().__init__(torch.Size(), torch.Size((n,)), validate_args=False)
        self._validate_args = type(self)._validate_args if validate_args is None else validate_args
        if self._validate_args:
            self._check_null_space()

    def _check_null_space(self):
        Q, V = Matrix.of(self.precision_matrix).detach(), self.null_space.detach()
        most = Q.with_values(Q.values.abs()) @ V.abs()
        if bool(((Q @ V).abs() > 64 * torch.finfo(V.dtype).eps * most.amax()).any()):
            raise ValueError("null_space is not in the null space of precision_matrix")

    def __repr__(self) -> str:
        n, k = self.null_space.shape
        return f"{type(self).__name__}({n} variables, null space of {k})"

    @property
    def support(self) -> constraints.Constraint:
        return hyperplane(self.null_space.mT, self.null_space.mT @ self.loc)

    @property
    def mean(self) -> torch.Tensor:
        return self.loc

    @property
    def mode(self) -> torch.Tensor:
        return self.loc

    @property
    def _inner(self):
        """The variables that are not left out."""
        _, (_, own) = cut(Matrix.of(self.precision_matrix), self._kept)
        return SymmetricGaussian.of(own, is_precision=True)

    def _padded(self, X):
        """X, (..., n - k), with zeros for those that are left out."""
        zeros = X.new_zeros(*X.shape[:-1], len(self.loc))
        return zeros.index_copy(-1, (~self._kept).nonzero().squeeze(1), X)

    @property
    def _projector(self):
        """M with V M^T x the part of x in the null space, (n, k)."""
        V = self.null_space
        return torch.linalg.solve(V.mT @ V, V, left=False)

    @property
    def variance(self) -> torch.Tensor:
        """The diagonal of the covariance; takes a selected inverse and k solves."""
        inner, V, M = self._inner, self.null_space, self._projector
        solved = self._padded(inner.times_covariance(V[~self._kept].mT)).mT
        across = (solved * M).sum(-1)
        within = (M @ (V.mT @ solved) * M).sum(-1)
        return self._padded(inner.variance()) - 2 * across + within

    def log_det(self) -> torch.Tensor:
        """The logarithm of the product of Q's eigenvalues that are not zero."""
        V = self.null_space
        volume = torch.linalg.slogdet(V.mT @ V).logabsdet
        volume = volume - 2 * torch.linalg.slogdet(V[self._kept]).logabsdet
        return volume - self._inner.log_det()

    def rsample(self, sample_shape: Shape = torch.Size()) -> torch.Tensor:  # noqa: B008 (torch's signature)
        """Samples (*sample_shape, n), differentiable as those of SparseMultivariateNormal."""
        n, k = self.null_space.shape
        eps = torch.randn((*sample_shape, n - k), dtype=self.loc.dtype, device=self.loc.device)
        X = self._padded(self._inner.root(eps))
        return self.loc + X - X @ self.null_space @ self._projector.mT

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """The log-density at value, (..., n)."""
        if self._validate_args and value.shape[-1:] != self.event_shape:
            raise ValueError(f"value must be (..., {len(self.loc)}), not {tuple(value.shape)}")
        n, k = self.null_space.shape
        X, Q = value - self.loc, Matrix.of(self.precision_matrix)
        distance = (X * (Q @ X.reshape(-1, n).mT).mT.reshape(X.shape)).sum(-1)
        return 0.5 * (self.log_det() - (n - k) * math.log(2 * math.pi) - distance)

    def entropy(self) -> torch.Tensor:
        """In nats, on the complement of the null space."""
        n, k = self.null_space.shape
        return 0.5 * ((n - k) * (1 + math.log(2 * math.pi)) - self.log_det())


def _independent_rows(V):
    """A mask of k rows of V, (n, k), that span its rows: by elimination with pivots."""
    n, k = V.shape
    left, chosen = V.clone(), torch.zeros(n, dtype=torch.bool)
    for _ in range(k):
        norms = left.square().sum(1)
        row = int(norms.argmax())
        if not float(norms[row]) > (64 * torch.finfo(V.dtype).eps) ** 2 * float(V.square().sum()):
            raise ValueError("null_space must have independent columns")
        chosen[row] = True
        unit = left[row] / norms[row].sqrt()
        left = left - torch.outer(left @ unit, unit)
    return chosen
