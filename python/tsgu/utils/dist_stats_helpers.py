"""Tests whether samples have the mean and the covariance that they should have; need SciPy.

Hotelling, The generalization of Student's ratio, Ann. Math. Statist. 2 (1931); Nagao, On some test
criteria for covariance matrix, Ann. Statist. 1 (1973).
"""

import torch

from .._runtime.optional import load

__all__ = ["cov_nagao_test", "mean_hotelling_t2_test"]


def _stats(function):
    return load("scipy.stats", function, "scipy")


def _check(confidence_level, **tensors):
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level must be between 0 and 1, not {confidence_level}")
    for name, tensor in tensors.items():
        wanted = 3 if name.endswith("cov") else 2
        square = wanted == 2 or tensor.shape[-1] == tensor.shape[-2]
        if tensor.dim() != wanted or not square:
            form = "(B, p, p)" if wanted == 3 else "(B, p)"
            raise ValueError(f"{name} must have shape {form}, not {tuple(tensor.shape)}")
    if len({tensor.shape[-1] for tensor in tensors.values()}) > 1:
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        raise ValueError(f"all must have the same p, and the shapes are {shapes}")


def _root(name, covariance):
    """The Cholesky factor, in double precision."""
    factor, info = torch.linalg.cholesky_ex(covariance.double())
    if info.any():
        raise ValueError(f"{name}[{info.nonzero()[0, 0].item()}] is not positive definite")
    return factor


def _judged(statistic, threshold, dtype):
    return (statistic <= threshold).cpu(), statistic.to(dtype).cpu(), threshold


def mean_hotelling_t2_test(
    sample_mean: torch.Tensor,
    true_mean: torch.Tensor,
    sample_cov: torch.Tensor,
    n: int,
    confidence_level: float = 0.95,
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Whether means of n normal samples agree with the true ones: (accepted, T2, threshold).

    sample_mean and true_mean: (B, p). sample_cov: (B, p, p), about the sample means, divided by
    n - 1. Any of them may have one item for all. The statistic is
    T2 = n (mean - true)^T cov^-1 (mean - true); T2 (n - p) / (p (n - 1)) has the distribution
    F(p, n - p) (Hotelling 1931). So a true mean is accepted with probability confidence_level.
    accepted: bool (B,). T2: (B,), of sample_mean's dtype. Both are on the CPU. threshold: a float.

    Raises ValueError for other shapes, n <= p, a sample_cov that is not positive definite, and a
    confidence_level that is no probability; ImportError without SciPy.
    """
    given = {"sample_mean": sample_mean, "true_mean": true_mean, "sample_cov": sample_cov}
    _check(confidence_level, **given)
    p = sample_mean.shape[-1]
    if not n > p:
        raise ValueError(f"n must be larger than p, {p}, and is {n}")
    quantile = _stats("mean_hotelling_t2_test").f.ppf(confidence_level, p, n - p)
    off = (sample_mean.double() - true_mean.double()).unsqueeze(-1)
    white = torch.linalg.solve_triangular(_root("sample_cov", sample_cov), off, upper=False)
    statistic = n * white.square().sum((-1, -2))
    threshold = float(p * (n - 1) / (n - p) * quantile)
    return _judged(statistic, threshold, sample_mean.dtype)


def cov_nagao_test(
    emp_cov: torch.Tensor, ref_cov: torch.Tensor, n: float, confidence_level: float = 0.95
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Whether covariances of n normal samples agree with given ones: (accepted, T_N, threshold).

    emp_cov and ref_cov: (B, p, p); either may have one item for all. The statistic is
    T_N = n / 2 tr((emp_cov ref_cov^-1 - I)^2), whose distribution tends to chi^2 with p (p + 1) / 2
    degrees of freedom (Nagao 1973); its mean is that of the limit for every n, where n counts
    degrees of freedom: one less than the samples where emp_cov is about their mean.
    accepted: bool (B,). T_N: (B,), of emp_cov's dtype. Both are on the CPU. threshold: a float.

    Raises ValueError for other shapes, n < 1, a ref_cov that is not positive definite, and a
    confidence_level that is no probability; ImportError without SciPy.
    """
    _check(confidence_level, emp_cov=emp_cov, ref_cov=ref_cov)
    if not n >= 1:
        raise ValueError(f"n must be at least 1, and is {n}")
    p = emp_cov.shape[-1]
    threshold = _stats("cov_nagao_test").chi2.ppf(confidence_level, p * (p + 1) / 2)
    root = _root("ref_cov", ref_cov)
    half = torch.linalg.solve_triangular(root, emp_cov.double(), upper=False)
    white = torch.linalg.solve_triangular(root, half.mT, upper=False)
    off = white - torch.eye(p, dtype=white.dtype, device=white.device)
    statistic = n / 2 * (off * off.mT).sum((-1, -2))
    return _judged(statistic, float(threshold), emp_cov.dtype)
