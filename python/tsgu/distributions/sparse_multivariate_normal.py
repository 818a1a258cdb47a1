"""Multivariate normal distributions whose covariance or precision has a sparse factor."""

import math
import warnings

import torch
from torch.distributions import Distribution, constraints

from .. import _callbacks
from .._layouts import as_tensor
from .._rows import shifted
from ._blocks import squared_norms
from ._factor import Factor, Gaussian, _batch_sparse_mv
from ._parameters import check_factor, check_types, check_values, check_vectors, common_batch
from ._triangle import Triangle
from .constraints import sparse_lower_triangular

__all__ = ["SparseMultivariateNormal", "SparseMultivariateNormalNative", "_batch_sparse_mv"]


class SparseMultivariateNormal(Distribution):
    """The normal distribution whose covariance or precision S has a sparse triangular factor.

    loc: (n,) or (b, n). Exactly one of scale_tril (S is the covariance) and precision_tril (S is
    the precision): COO (coalesced or not), CSR, CSC, BSR or BSC, (n, n), or a batch (b, n, n) whose
    items may have different numbers of entries (COO), or a SciPy array; indices int32 or int64.
    Without diagonal S = L L^T, where L is the lower triangle of the factor, whose diagonal must not
    have a zero. With diagonal D, (n,) or (b, n), positive, S = (I + N) D (I + N)^T, where N is the
    part of the factor strictly below the diagonal; a diagonal it stores is taken as the ones of I.
    All are float32 or all float64. Batches broadcast: many locations on one factor, one location
    with many factors.

    Everything is differentiable in all parameters to any order (checked to the second), sparse ones
    on their own pattern. Nothing n x n is made, but by covariance_matrix and precision_matrix;
    many samples or values are columns of one product or solve. `variance` of a precision, and KL
    divergences, take n solves or products in blocks of 32 columns, and their gradients compute
    the blocks anew.

    validate_args, by default as torch's own (on; off with python -O, and in a process in which
    torch.compile was called, which turns torch's default off): a NaN, D <= 0, a
    zero on the diagonal of L and entries above the diagonal are ValueErrors; unvalidated, entries
    above the diagonal are not read, and D <= 0 gives NaN. Values are not looked at in transforms of
    torch.func and compiled graphs.

    Raises ValueError for parameters whose shapes or layouts do not fit, TypeError for other dtypes,
    PatternError for a corrupt factor; a precision factor with a zero on its diagonal is a
    SingularMatrixError when it is solved with.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "diagonal": constraints.independent(constraints.positive, 1),
        "scale_tril": sparse_lower_triangular,
        "precision_tril": sparse_lower_triangular,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self, loc, diagonal=None, scale_tril=None, precision_tril=None, validate_args=None
    ):
        check_vectors(loc, diagonal)
        if (scale_tril is None) == (precision_tril is None):
            raise ValueError("Exactly one of scale_tril or precision_tril may be specified.")
        name = "precision_tril" if scale_tril is None else "scale_tril"
        factor = as_tensor(precision_tril if scale_tril is None else scale_tril)
        check_factor(name, factor, loc.shape[-1])
        given = {"loc": loc, "diagonal": diagonal, name: factor}
        check_types(given)
        batch_shape, event_shape = common_batch(given), loc.shape[-1:]
        self.loc = loc if loc.shape[:-1] == batch_shape else loc.expand(batch_shape + event_shape)
        self.diagonal = diagonal
        self.scale_tril = None if scale_tril is None else factor
        self.precision_tril = None if precision_tril is None else factor
        self._triangle = Triangle.of(factor, strict=diagonal is not None)
        super().__init__(batch_shape, event_shape, validate_args=False)
        self._validate_args = type(self)._validate_args if validate_args is None else validate_args
        if self._validate_args:
            check_values(loc, diagonal, name, factor, self._triangle)

    def __repr__(self):
        given = {name: getattr(self, name) for name in self.arg_constraints}
        shapes = [f"{name}: {x.shape}" for name, x in given.items() if x is not None]
        return f"{type(self).__name__}({', '.join(shapes)})"

    def expand(self, batch_shape, _instance=None):
        """The same distribution with more of a batch; the factor is that of this one."""
        new = self._get_checked_instance(SparseMultivariateNormal, _instance)
        batch_shape = torch.Size(batch_shape)
        new.__dict__.update(
            {name: getattr(self, name) for name in ("diagonal", "scale_tril", "precision_tril")}
        )
        new.loc = self.loc.expand(batch_shape + self.event_shape)
        new._triangle = self._triangle
        super(SparseMultivariateNormal, new).__init__(
            batch_shape, self.event_shape, validate_args=False
        )
        new._validate_args = self._validate_args
        return new

    @property
    def is_ldlt_parameterization(self):
        """Whether a diagonal D was given."""
        return self.diagonal is not None

    @property
    def _gaussian(self):
        """Made of the parameters as they are now: an optimizer may have written to them."""
        is_precision = self.scale_tril is None
        A = self.precision_tril if is_precision else self.scale_tril
        matrix, values = self._triangle.matrix(A)
        factor = Factor(matrix, lambda: self._triangle.diagonal(values, A.shape), self.diagonal)
        return Gaussian(factor, is_precision)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    def _expanded(self, x, event=1):
        """x with the whole batch shape in front of the event's."""
        return x.expand(self.batch_shape + x.shape[x.dim() - event :])

    @property
    def variance(self):
        """The diagonal of the covariance; that of a precision takes n triangular solves."""
        gaussian = self._gaussian
        if not gaussian.is_precision:
            return self._expanded(gaussian.factor.diagonal_of_square())
        factor, n = gaussian.factor, self.loc.shape[-1]
        return self._expanded(squared_norms((factor,), Factor.solve, n, factor.batch_shape))

    @property
    def covariance_matrix(self):
        """The covariance as a dense matrix, (*batch_shape, n, n)."""
        return self._expanded(self._gaussian.covariance(), 2)

    @property
    def precision_matrix(self):
        """The precision as a dense matrix, (*batch_shape, n, n)."""
        return self._expanded(self._gaussian.precision(), 2)

    def rsample(self, sample_shape=torch.Size()):  # noqa: B008 (torch's signature)
        """Samples (*sample_shape, *batch_shape, n), differentiable in the parameters.

        They are loc + L eps, or loc + L^-T eps for a precision, of eps that torch.randn draws in
        the shape of the samples, as torch's own distribution does.
        """
        shape = self._extended_shape(sample_shape)
        eps = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return shifted(self.loc, self._gaussian.root(eps))

    def log_prob(self, value):
        """The log-density at value, (..., n), which broadcasts with the batch."""
        if self._validate_args and value.numel():  # torch's own check cannot do without elements
            self._validate_sample(value)
        gaussian, n = self._gaussian, self.loc.shape[-1]
        distance = gaussian.whiten(value - self.loc).square().sum(-1)
        return -0.5 * (n * math.log(2 * math.pi) + gaussian.log_det() + distance)

    def entropy(self):
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

    def __init__(self, loc, scale_tril, validate_args=None):
        _check_native(loc, scale_tril)
        super().__init__(loc, scale_tril=scale_tril, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(SparseMultivariateNormalNative, _instance)
        return super().expand(batch_shape, new)

    @property
    def covariance_matrix(self):
        """The covariance as a dense matrix, (n, n)."""
        _warn_of_dense("covariance_matrix", self)
        return super().covariance_matrix

    @property
    def precision_matrix(self):
        """The precision as a dense matrix, (n, n)."""
        _warn_of_dense("precision_matrix", self)
        return super().precision_matrix


def _warn_of_dense(name, distribution):
    (n,) = distribution.event_shape
    warnings.warn(
        f"{name} is a dense {n} x {n} matrix; variance, log_prob and rsample need none",
        UserWarning,
        stacklevel=_callbacks.level(),
    )
