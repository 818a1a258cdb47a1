"""The two tests of samples against NumPy's formulas, and by samples whose distribution is known."""

import numpy as np
import pytest
import scipy.stats
import torch

from tsgu.utils import cov_nagao_test, mean_hotelling_t2_test

# Of each statistical test, for a seed drawn at random; the seeds are fixed.
FALSE_ALARM = 1e-6
DOUBLE = torch.float64


def covariances(items, p, dtype=DOUBLE):
    root = torch.randn(items, p, p, dtype=dtype)
    return root @ root.mT + torch.eye(p, dtype=dtype)


def wisharts(items, p, freedom):
    """Covariances of samples of N(0, I), about their mean, by Bartlett's decomposition."""
    root = torch.randn(items, p, p, dtype=DOUBLE).tril(-1)
    squares = torch.distributions.Chi2(freedom - torch.arange(p, dtype=DOUBLE)).sample((items,))
    root = root + torch.diag_embed(squares.sqrt())
    return root @ root.mT / freedom


def assert_rate(accepted, probability):
    """A two-sided binomial test of how many are accepted."""
    low, high = scipy.stats.binom.interval(1 - FALSE_ALARM, len(accepted), probability)
    assert low <= accepted.sum() <= high


# ===-- Means ----------------------------------------------------------------------===#


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("p,n", [(1, 2), (3, 20), (6, 7)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_hotelling_is_numpys_formula(dtype, p, n, level):
    mean, true = torch.randn(5, p, dtype=dtype), torch.randn(5, p, dtype=dtype)
    cov = covariances(5, p, dtype)
    accepted, statistic, threshold = mean_hotelling_t2_test(mean, true, cov, n, level)
    off = (mean - true).double().numpy()
    inverse = np.linalg.inv(cov.double().numpy())
    expected = n * np.einsum("bi,bij,bj->b", off, inverse, off)
    assert statistic.dtype is dtype and accepted.dtype is torch.bool
    np.testing.assert_allclose(statistic, expected, rtol=1e-6 if dtype is torch.float32 else 1e-10)
    # The distribution function of F at the threshold, not its inverse.
    scaled = threshold * (n - p) / (p * (n - 1))
    assert type(threshold) is float
    assert scipy.stats.f.cdf(scaled, p, n - p) == pytest.approx(level)
    assert accepted.tolist() == (expected <= threshold).tolist()


def test_one_feature_is_students_test():
    X = torch.randn(200, 12, 1, dtype=DOUBLE) + 0.3
    accepted, statistic, _ = mean_hotelling_t2_test(
        X.mean(1), torch.zeros(200, 1), X.var(1).unsqueeze(-1), 12, 0.9
    )
    student = scipy.stats.ttest_1samp(X[..., 0].numpy(), 0, axis=1)
    np.testing.assert_allclose(statistic, student.statistic**2, rtol=1e-10)
    assert accepted.tolist() == (student.pvalue >= 0.1).tolist()


@pytest.mark.parametrize("n,p", [(8, 4), (30, 3)])
def test_true_means_are_accepted_as_often_as_said(n, p):
    root = torch.linalg.cholesky(covariances(1, p))
    true = torch.randn(1, p, dtype=DOUBLE)
    X = true + torch.randn(4000, n, p, dtype=DOUBLE) @ root.mT
    mean = X.mean(1)
    cov = (X - mean[:, None]).mT @ (X - mean[:, None]) / (n - 1)
    for level in (0.5, 0.95):
        accepted, statistic, _ = mean_hotelling_t2_test(mean, true, cov, n, level)
        assert_rate(accepted, level)
    scaled = statistic * (n - p) / (p * (n - 1))
    assert scipy.stats.kstest(scaled.numpy(), scipy.stats.f(p, n - p).cdf).pvalue > FALSE_ALARM
    elsewhere = true + 4 * root[:, :, 0]
    assert mean_hotelling_t2_test(mean, elsewhere, cov, n)[0].double().mean() < 0.5


# ===-- Covariances ------------------------------------------------------------------===#


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("p,n", [(1, 1), (3, 20), (6, 3)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_nagao_is_numpys_formula(dtype, p, n, level):
    emp, ref = covariances(5, p, dtype), covariances(5, p, dtype)
    accepted, statistic, threshold = cov_nagao_test(emp, ref, n, level)
    off = emp.double().numpy() @ np.linalg.inv(ref.double().numpy()) - np.eye(p)
    expected = n / 2 * np.trace(off @ off, axis1=1, axis2=2)
    assert statistic.dtype is dtype and accepted.dtype is torch.bool
    np.testing.assert_allclose(statistic, expected, rtol=1e-6 if dtype is torch.float32 else 1e-10)
    assert type(threshold) is float
    assert scipy.stats.chi2.cdf(threshold, p * (p + 1) / 2) == pytest.approx(level)
    assert accepted.tolist() == (expected <= threshold).tolist()


def test_true_covariances_are_accepted_as_often_as_said():
    p, freedom, items = 3, 4000, 4000
    emp, ref = wisharts(items, p, freedom), torch.eye(p, dtype=DOUBLE)[None]
    for level in (0.5, 0.95):
        accepted, statistic, _ = cov_nagao_test(emp, ref, freedom, level)
        assert_rate(accepted, level)
    limit = scipy.stats.chi2(p * (p + 1) / 2).cdf
    assert scipy.stats.kstest(statistic.numpy(), limit).pvalue > FALSE_ALARM
    assert not cov_nagao_test(emp, 1.3 * ref, freedom)[0].any()


@pytest.mark.parametrize("freedom", [5, 20])
def test_the_mean_is_that_of_the_limit_for_few_samples(freedom):
    p, items = 4, 20_000
    _, statistic, _ = cov_nagao_test(
        wisharts(items, p, freedom), torch.eye(p, dtype=DOUBLE)[None], freedom
    )
    # Of so many the mean is normal.
    error = (statistic.mean() - p * (p + 1) / 2) / (statistic.std() / items**0.5)
    assert abs(error) < scipy.stats.norm.isf(FALSE_ALARM / 2)


def test_the_basis_does_not_matter():
    p = 4
    emp, ref, basis = covariances(3, p), covariances(3, p), torch.randn(3, p, p, dtype=DOUBLE)
    changed = (basis @ emp @ basis.mT, basis @ ref @ basis.mT, 9)
    torch.testing.assert_close(cov_nagao_test(*changed)[1], cov_nagao_test(emp, ref, 9)[1])


# ===-- Refusals ---------------------------------------------------------------------===#

MEAN, COV = torch.zeros(2, 3), torch.eye(3).expand(2, 3, 3)
SINGULAR = torch.stack([torch.eye(3), torch.ones(3, 3)])


@pytest.mark.parametrize(
    "function,arguments,text",
    [
        (mean_hotelling_t2_test, (MEAN[0], MEAN, COV, 9), r"sample_mean must have shape \(B, p\)"),
        (mean_hotelling_t2_test, (MEAN, MEAN, COV[0], 9), r"sample_cov must .* \(B, p, p\)"),
        (mean_hotelling_t2_test, (MEAN, MEAN, COV[:, :2], 9), "sample_cov must have shape"),
        (mean_hotelling_t2_test, (MEAN, MEAN[:, :2], COV, 9), "the same p"),
        (mean_hotelling_t2_test, (MEAN, MEAN, COV, 3), "n must be larger than p, 3, and is 3"),
        (mean_hotelling_t2_test, (MEAN, MEAN, SINGULAR, 9), r"sample_cov\[1\] is not positive"),
        (mean_hotelling_t2_test, (MEAN, MEAN, COV, 9, 1.5), "confidence_level must be between"),
        (cov_nagao_test, (COV[0], COV, 9), "emp_cov must have shape"),
        (cov_nagao_test, (COV, torch.eye(2)[None], 9), "the same p"),
        (cov_nagao_test, (COV, COV, 0), "n must be at least 1, and is 0"),
        (cov_nagao_test, (COV, SINGULAR, 9), r"ref_cov\[1\] is not positive definite"),
        (cov_nagao_test, (COV, COV, 9, -1), "confidence_level must be between"),
        (cov_nagao_test, (COV, COV, 9, 1.0), "confidence_level must be between"),
    ],
)
def test_refusals(function, arguments, text):
    with pytest.raises(ValueError, match=text):
        function(*arguments)
