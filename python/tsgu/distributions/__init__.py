"""Distributions whose parameters are sparse matrices, in the manner of torch.distributions."""

from . import _divergence as _divergence
from . import constraints
from .sparse_multivariate_normal import SparseMultivariateNormal, SparseMultivariateNormalNative

__all__ = ["SparseMultivariateNormal", "SparseMultivariateNormalNative", "constraints"]
