"""Distributions whose parameters are sparse matrices, in the manner of torch.distributions."""

from . import _divergence as _divergence
from . import constraints
from .conditioning import condition, log_evidence, posterior
from .constrained_multivariate_normal import ConstrainedMultivariateNormal
from .intrinsic_multivariate_normal import IntrinsicMultivariateNormal
from .sparse_multivariate_normal import SparseMultivariateNormal, SparseMultivariateNormalNative

__all__ = [
    "ConstrainedMultivariateNormal",
    "IntrinsicMultivariateNormal",
    "SparseMultivariateNormal",
    "SparseMultivariateNormalNative",
    "condition",
    "constraints",
    "log_evidence",
    "posterior",
]
