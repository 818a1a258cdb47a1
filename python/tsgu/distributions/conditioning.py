"""What is known of a sparse normal distribution after some of it was seen."""

import math
from typing import NamedTuple, TypeAlias

import torch

from .._matrices.matrix import Matrix
from .._patterns.layouts import as_tensor
from .._typing import Array, SparseMatrix
from ..sparse_arithmetic import sparse_add, sparse_mul
from ..spgemm import spgemm
from ._submatrix import cut
from .intrinsic_multivariate_normal import IntrinsicMultivariateNormal
from .sparse_multivariate_normal import SparseMultivariateNormal

__all__ = ["condition", "log_evidence", "posterior"]

Prior: TypeAlias = SparseMultivariateNormal | IntrinsicMultivariateNormal


def condition(
    normal: SparseMultivariateNormal | IntrinsicMultivariateNormal,
    indices: Array,
    values: torch.Tensor,
) -> SparseMultivariateNormal:
    """The distribution of the other variables, in order, where those at `indices` have `values`.

    normal: a SparseMultivariateNormal (n,) with a precision_matrix Q, or an
    IntrinsicMultivariateNormal whose null space the known variables fix. indices: (k,), unique, or
    a mask (n,); values: (k,), in the order of the indices. Of the others, l, the precision is Q_ll
    and the mean m_l - Q_ll^-1 Q_lk (x_k - m_k) (Rue and Held 2005, theorem 2.5). Differentiable in
    the values, the mean and Q.

    Raises TypeError or ValueError for operands that do not fit, SingularMatrixError for a Q that is
    not positive definite.
    """
    Q = _precision("normal", normal)
    (n,) = normal.event_shape
    kept, order = _mask(indices, n)
    if values.shape != order.shape:
        raise ValueError(f"values must have shape {tuple(order.shape)}, not {tuple(values.shape)}")
    _, (coupling, own) = cut(Q, kept)
    known = normal.loc[kept]
    distance = values.new_zeros(len(known)).index_copy(0, order, values) - known
    shift = own.solve(coupling @ distance, "cholesky")
    return SparseMultivariateNormal(normal.loc[~kept] - shift, precision_matrix=own)


def _mask(indices, n):
    """A mask of the variables, and the place among them of each of the indices."""
    indices = torch.as_tensor(indices)
    if indices.dtype is torch.bool and indices.shape == (n,):
        return indices, torch.arange(int(indices.sum()))
    if indices.dtype not in (torch.int32, torch.int64) or indices.dim() != 1:
        raise TypeError(f"indices must be integers, (k,), or a mask, ({n},)")
    if bool(((indices < 0) | (indices >= n)).any()):
        raise ValueError(f"indices must be from 0 to {n - 1}")
    kept = torch.zeros(n, dtype=torch.bool)
    kept[indices.long()] = True
    if int(kept.sum()) != indices.numel():
        raise ValueError("indices must be unique")
    return kept, kept.cumsum(0)[indices.long()] - 1


def posterior(
    prior: Prior,
    design: SparseMatrix,
    observations: torch.Tensor,
    noise_precision: torch.Tensor | float,
) -> SparseMultivariateNormal:
    """The distribution of x given y = H x + e, with independent normal errors e.

    prior: of x, a SparseMultivariateNormal (n,) with a precision_matrix Q, or an
    IntrinsicMultivariateNormal. design: H, sparse, (m, n); observations: y, (m,); noise_precision:
    w, the inverse variances of the errors, (m,) or a number. The precision is P = Q + H^T W H, the
    mean m + P^-1 H^T W (y - H m). Differentiable in all of them; with new values of H, w and Q on
    patterns that are known nothing is analysed again.

    Raises TypeError or ValueError for operands that do not fit, SingularMatrixError for a P that is
    not positive definite.
    """
    return _after(prior, _Model.of(prior, design, observations, noise_precision))


def _after(prior, model):
    """The posterior."""
    H, w = model.design, model.noise_precision
    Q = _precision("prior", prior)
    precision = sparse_add(Q, spgemm(H.mT, sparse_mul(H, w.unsqueeze(-1))))
    right = H.mT @ (w * model.residual(prior.loc))
    shift = precision.solve(right, "cholesky")
    return SparseMultivariateNormal(prior.loc + shift, precision_matrix=precision)


def log_evidence(
    prior: Prior,
    design: SparseMatrix,
    observations: torch.Tensor,
    noise_precision: torch.Tensor | float,
) -> torch.Tensor:
    """log p(y), x integrated out: that of `posterior`'s arguments, differentiable in all of them.

    It is log p(x) + log p(y | x) - log p(x | y), which has the same value at every x; here x is the
    posterior's mean, whose own derivatives are not needed. A value and its gradient take two
    factorisations and two selected inverses. Of an intrinsic prior the value is that of its
    improper density.
    """
    model = _Model.of(prior, design, observations, noise_precision)
    after = _after(prior, model)
    x = after.loc.detach()
    return prior.log_prob(x) + model.log_likelihood(x) - after.log_prob(x)


def _precision(name, normal):
    """The sparse precision of an unbatched distribution."""
    if not isinstance(normal, SparseMultivariateNormal | IntrinsicMultivariateNormal):
        raise TypeError(
            f"{name} must be a SparseMultivariateNormal or an IntrinsicMultivariateNormal, not "
            f"{type(normal).__name__}"
        )
    if normal.batch_shape:
        raise ValueError(f"{name} must have no batch, and has one of {tuple(normal.batch_shape)}")
    Q = normal.precision_matrix if normal.has_sparse_precision else None
    if Q is None:
        raise ValueError(f"{name} must be given by its precision_matrix, of which others are made")
    return Matrix.of(Q)


class _Model(NamedTuple):
    """y = H x + e."""

    design: Matrix
    observations: torch.Tensor
    noise_precision: torch.Tensor

    @staticmethod
    def of(prior, design, observations, noise_precision):
        H, y = Matrix.of(as_tensor(design)), observations
        m, n = len(y) if y.dim() == 1 else -1, prior.event_shape[0]
        if tuple(H.shape) != (m, n):
            raise ValueError(
                f"design must be (m, {n}) and observations (m,), not {tuple(H.shape)} and "
                f"{tuple(y.shape)}"
            )
        w = torch.as_tensor(noise_precision, dtype=y.dtype)
        if w.dim() > 1 or (w.dim() == 1 and len(w) != m):
            raise ValueError(f"noise_precision must be a number or ({m},), not {tuple(w.shape)}")
        if not bool((w > 0).all()):
            raise ValueError("noise_precision must be positive")
        return _Model(H, y, w.expand(m))

    def residual(self, x):
        return self.observations - self.design @ x

    def log_likelihood(self, x):
        """log p(y | x)."""
        w = self.noise_precision
        squares = (w * self.residual(x).square()).sum()
        return 0.5 * (w.log().sum() - len(w) * math.log(2 * math.pi) - squares)
