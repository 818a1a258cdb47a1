"""Kullback-Leibler divergences between normal distributions with sparse factors."""

import torch
from torch.distributions import MultivariateNormal, register_kl

from ._blocks import squared_norms
from ._dense import DenseGaussian
from .sparse_multivariate_normal import SparseMultivariateNormal


def _gaussian(distribution):
    if isinstance(distribution, MultivariateNormal):
        return DenseGaussian(distribution._unbroadcasted_scale_tril)
    return distribution._gaussian


@register_kl(SparseMultivariateNormal, SparseMultivariateNormal)
@register_kl(SparseMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, SparseMultivariateNormal)
def _divergence(p, q):
    """1/2 (log det Q - log det P - n + |W (m_q - m_p)|^2 + |W R|^2), P = R R^T, Q^-1 = W^T W.

    The last norm, that of all elements, is a trace; it is taken in blocks of columns.
    """
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"p has {p.event_shape[0]} variables and q {q.event_shape[0]}: there is no divergence"
        )
    n, P, Q = p.event_shape[0], _gaussian(p), _gaussian(q)
    batch_shape = torch.broadcast_shapes(P.batch_shape, Q.batch_shape)
    trace = squared_norms((P, Q), lambda P, Q, X: Q.whiten(P.root(X)), n, batch_shape).sum(-1)
    distance = Q.whiten((q.loc - p.loc).unsqueeze(0)).squeeze(0).square().sum(-1)
    return 0.5 * (Q.log_det() - P.log_det() - n + distance + trace)
