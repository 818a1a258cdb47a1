"""Kullback-Leibler divergences between normal distributions with sparse factors."""

import torch
from torch.distributions import MultivariateNormal, register_kl

from ._blocks import of_columns
from ._dense import DenseGaussian
from .sparse_multivariate_normal import SparseMultivariateNormal


def _gaussian(distribution):
    if isinstance(distribution, MultivariateNormal):
        return DenseGaussian(distribution._unbroadcasted_scale_tril)
    return distribution._gaussian


def _spread(P, Q, X):
    """x^T Q^-1 P x of each unit vector x, or another number with the same sum over all of them."""
    if P.has_root:
        return Q.distance(P.root(X))
    return (X * Q.times_precision(P.times_covariance(X))).sum(-1)


@register_kl(SparseMultivariateNormal, SparseMultivariateNormal)
@register_kl(SparseMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, SparseMultivariateNormal)
def _divergence(p, q):
    """1/2 (log det Q - log det P - n + d^T Q^-1 d + tr(Q^-1 P)), d = m_q - m_p.

    P and Q are the covariances. The trace is taken in blocks of columns.
    """
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"p has {p.event_shape[0]} variables and q {q.event_shape[0]}: there is no divergence"
        )
    n, P, Q = p.event_shape[0], _gaussian(p), _gaussian(q)
    batch_shape = torch.broadcast_shapes(P.batch_shape, Q.batch_shape)
    trace = of_columns((P, Q), _spread, n, batch_shape).sum(-1)
    distance = Q.distance((q.loc - p.loc).unsqueeze(0)).squeeze(0)
    return 0.5 * (Q.log_det() - P.log_det() - n + distance + trace)
