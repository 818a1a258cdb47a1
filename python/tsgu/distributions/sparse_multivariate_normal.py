"""Multivariate normal distributions by sparse covariances, precisions or factors of them."""

import math
import warnings
from typing import Any

import torch
from torch.distributions import Distribution, constraints

from .._matrices.triangle import Triangle
from .._patterns.layouts import as_tensor
from .._patterns.rows import shifted
from .._runtime import callbacks
from .._typing import Shape, SparseMatrix, TensorOrMatrix
from ._factor import Factor, Gaussian, _batch_sparse_mv
from ._parameters import (
    check_matrix,
    check_positive_definite,
    check_types,
    check_values,
    check_vectors,
    common_batch,
    the_one_given,
)
from ._symmetric import SymmetricGaussian
from .constraints import sparse_lower_triangular, sparse_positive_definite

__all__ = ["SparseMultivariateNormal", "SparseMultivariateNormalNative", "_batch_sparse_mv"]


class SparseMultivariateNormal(Distribution):
    """The normal distribution whose covariance or precision is sparse or has a sparse factor.

    loc: (n,) or (b, n). Exactly one of four matrices S: COO (coalesced or not), CSR, CSC, BSR or
    BSC, (n, n), or a batch (b, n, n) whose items may have different numbers of entries (COO), a
    SciPy array or a tsgu.Matrix; indices int32 or int64. All are float32 or all float64. Batches
    broadcast: many locations on one matrix, one location with many matrices.

    - covariance_matrix, precision_matrix: S itself, symmetric positive definite, both triangles
      stored. It is factorised by Cholesky, once for its values: `log_prob` and its gradient take
      a factorisation and a selected inverse, `variance` of a precision likewise. Differentiable
      twice, `variance` and samples once.
    - scale_tril (of the covariance S) and precision_tril (of the precision S): a triangular factor.
      Without diagonal S = L L^T, where L is the lower triangle of the factor, whose diagonal must
      not have a zero. With diagonal D, (n,) or (b, n), positive, S = (I + N) D (I + N)^T, where N
      is the part of the factor strictly below the diagonal; a diagonal it stores is taken as the
      ones of I. Differentiable in all parameters to any order (checked to the second).

    Gradients in sparse parameters are on their own pattern. Nothing n x n is made, but by the dense
    covariance_matrix and precision_matrix of a distribution that was given another matrix; many
    samples or values are columns of one product or solve. `variance` of a precision_tril, and KL
    divergences, take n solves or products in blocks of 32 columns, and their gradients compute
    the blocks anew.

    validate_args, by default as torch's own (on; off with python -O, and in a process in which
    torch.compile was called, which turns torch's default off): a NaN, D <= 0, a zero on the
    diagonal of L, entries above the diagonal, and an S that is not symmetric are ValueErrors;
    unvalidated, entries above the diagonal are not read, and D <= 0 gives NaN. Values are not
    looked at in transforms of torch.func and compiled graphs.

    Raises ValueError for parameters whose shapes or layouts do not fit, TypeError for other dtypes,
    PatternError for a corrupt matrix; SingularMatrixError where a factor is solved with that has a
    zero on its diagonal, and where S is used that is not positive definite.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "diagonal": constraints.independent(constraints.positive, 1),
        "scale_tril": sparse_lower_triangular,
        "precision_tril": sparse_lower_triangular,
        "covariance_matrix": sparse_positive_definite,
        "precision_matrix": sparse_positive_definite,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: torch.Tensor,
        diagonal: torch.Tensor | None = None,
        scale_tril: SparseMatrix | None = None,
        precision_tril: SparseMatrix | None = None,
        validate_args: bool | None = None,
        *,
        covariance_matrix: SparseMatrix | None = None,
        precision_matrix: SparseMatrix | None = None,
    ) -> None:
        check_vectors(loc, diagonal)
        name, matrix = the_one_given(
            diagonal,
            scale_tril=scale_tril,
            precision_tril=precision_tril,
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
        )
        matrix = as_tensor(matrix)
        check_matrix(name, matrix, loc.shape[-1])
        given = {"loc": loc, "diagonal": diagonal, name: matrix}
        check_types(given)
        batch_shape, event_shape = common_batch(given), loc.shape[-1:]
        self.loc = loc if loc.shape[:-1] == batch_shape else loc.expand(batch_shape + event_shape)
        self.diagonal = diagonal
        self._set(name, matrix)
        super().__init__(batch_shape, event_shape, validate_args=False)
        self._validate_args = type(self)._validate_args if validate_args is None else validate_args
        if not self._validate_args:
            return
        if self._triangle is None:
            check_positive_definite(loc, name, matrix)
        else:
            check_values(loc, diagonal, name, matrix, self._triangle)

    def _set(self, name: str, matrix: TensorOrMatrix) -> None:
        self._name, self._matrix = name, matrix
        self.scale_tril = matrix if name == "scale_tril" else None
        self.precision_tril = matrix if name == "precision_tril" else None
        is_factor = name.endswith("_tril")
        self._triangle = Triangle.of(matrix, self.diagonal is not None) if is_factor else None

    def __repr__(self) -> str:
        given = {"loc": self.loc, "diagonal": self.diagonal, self._name: self._matrix}
        shapes = [f"{name}: {x.shape}" for name, x in given.items() if x is not None]
        return f"{type(self).__name__}({', '.join(shapes)})"

    def expand(self, batch_shape: Shape, _instance: Any = None) -> "SparseMultivariateNormal":
        """The same distribution with more of a batch; the matrix is that of this one."""
        new = self._get_checked_instance(SparseMultivariateNormal, _instance)
        batch_shape = torch.Size(batch_shape)
        new.diagonal = self.diagonal
        new._set(self._name, self._matrix)
        new.loc = self.loc.expand(batch_shape + self.event_shape)
        super(SparseMultivariateNormal, new).__init__(
            batch_shape, self.event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    @property
    def is_ldlt_parameterization(self) -> bool:
        """Whether a diagonal D was given."""
        return self.diagonal is not None

    @property
    def has_sparse_precision(self) -> bool:
        """Whether `precision_matrix` is a sparse matrix that was given."""
        return self._name == "precision_matrix"

    @property
    def _gaussian(self):
        """Made of the parameters as they are now: an optimizer may have written to them."""
        is_precision = self._name.startswith("precision")
        A, triangle = self._matrix, self._triangle
        if triangle is None:
            return SymmetricGaussian.of(A, is_precision)
        matrix, values = triangle.matrix(A)
        factor = Factor(matrix, lambda: triangle.diagonal(values, A.shape), self.diagonal)
        return Gaussian(factor, is_precision)

    @property
    def mean(self) -> torch.Tensor:
        return self.loc

    @property
    def mode(self) -> torch.Tensor:
        return self.loc

    def _expanded(self, x, event=1):
        """x with the whole batch shape in front of the event's."""
        return x.expand(self.batch_shape + x.shape[x.dim() - event :])

    @property
    def variance(self) -> torch.Tensor:
        """The diagonal of the covariance; that of a precision_tril takes n triangular solves."""
        return self._expanded(self._gaussian.variance())

    @property
    def covariance_matrix(self) -> TensorOrMatrix:
        """The covariance, (*batch_shape, n, n): dense, or the sparse one that was given."""
        if self._name == "covariance_matrix":
            return self._matrix
        return self._expanded(self._gaussian.covariance(), 2)

    @property
    def precision_matrix(self) -> TensorOrMatrix:
        """The precision, (*batch_shape, n, n): dense, or the sparse one that was given."""
        if self._name == "precision_matrix":
            return self._matrix
        return self._expanded(self._gaussian.precision(), 2)

    def rsample(self, sample_shape: Shape = torch.Size()) -> torch.Tensor:  # noqa: B008 (torch's signature)
        """Samples (*sample_shape, *batch_shape, n), differentiable in the parameters.

        They are loc + L eps, or loc + L^-T eps for a precision, of eps that torch.randn draws in
        the shape of the samples, as torch's own distribution does. L of a covariance or precision
        that is given itself is P^T times the factor of P S P^T; the gradient in S, of first order
        alone, is that of Jankowiak and Obermeyer (2018): of the same mean as the factor's.
        """
        shape = self._extended_shape(torch.Size(sample_shape))
        eps = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return shifted(self.loc, self._gaussian.root(eps))

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """The log-density at value, (..., n), which broadcasts with the batch."""
        if self._validate_args and value.numel():  # torch's own check cannot do without elements
            self._validate_sample(value)
        gaussian, n = self._gaussian, self.loc.shape[-1]
        distance = gaussian.distance(value - self.loc)
        return -0.5 * (n * math.log(2 * math.pi) + gaussian.log_det() + distance)

    def entropy(self) -> torch.Tensor:
        """That of each item of the batch, in nats."""
        n, log_det = self.loc.shape[-1], self._gaussian.log_det()
        return self._expanded(0.5 * (n * (1 + math.log(2 * math.pi)) + log_det), 0)


def _check_native(loc, scale_tril):
    """Raises ValueError for the first thing that is wrong with the shapes and the layout."""
    if loc.dim() != 1:
        raise ValueError(f"loc must be one-dimensional (unbatched), and has {loc.dim()} dimensions")
    if scale_tril.layout is not torch.sparse_csr:
        raise ValueError(f"scale_tril must be sparse CSR, and is {scale_tril.layout}")
    if scale_tril.dim() != 2:
        raise ValueError(
            f"scale_tril must be two-dimensional (unbatched), and has {scale_tril.dim()} dimensions"
        )
    rows, columns = scale_tril.shape
    if rows != columns:
        raise ValueError(f"scale_tril must be square, and has shape {(rows, columns)}")
    if rows != loc.shape[0]:
        raise ValueError(
            f"scale_tril must have the size of loc, {loc.shape[0]}, and has shape {(rows, columns)}"
        )


class SparseMultivariateNormalNative(SparseMultivariateNormal):
    """SparseMultivariateNormal with a covariance L L^T, unbatched, of a CSR matrix L.

    loc (n,), scale_tril (n, n). Nothing is made dense but by covariance_matrix and
    precision_matrix, which warn.
    """

    def __init__(
        self, loc: torch.Tensor, scale_tril: TensorOrMatrix, validate_args: bool | None = None
    ) -> None:
        _check_native(loc, scale_tril)
        super().__init__(loc, scale_tril=scale_tril, validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> SparseMultivariateNormal:
        new = self._get_checked_instance(SparseMultivariateNormalNative, _instance)
        return super().expand(batch_shape, new)

    @property
    def covariance_matrix(self) -> TensorOrMatrix:
        """The covariance as a dense matrix, (n, n)."""
        _warn_of_dense("covariance_matrix", self)
        return super().covariance_matrix

    @property
    def precision_matrix(self) -> TensorOrMatrix:
        """The precision as a dense matrix, (n, n)."""
        _warn_of_dense("precision_matrix", self)
        return super().precision_matrix


def _warn_of_dense(name, distribution):
    (n,) = distribution.event_shape
    warnings.warn(
        f"{name} is a dense {n} x {n} matrix; variance, log_prob and rsample need none",
        UserWarning,
        stacklevel=callbacks.level(),
    )
