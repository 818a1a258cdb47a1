"""What is made of sparse normal distributions: conditions, posteriors, equations, null spaces."""

import math

import pytest
import torch
from test_symmetric_distributions import NAMES, TERMS, N, field
from torch.distributions import MultivariateNormal

import matrices
import tsgu
from oracle import assert_close, assert_same_derivatives, dense, indices_of, stored_values
from tsgu.distributions import (
    ConstrainedMultivariateNormal,
    IntrinsicMultivariateNormal,
    SparseMultivariateNormal,
    condition,
    log_evidence,
    posterior,
)

# ===-- Conditioning ---------------------------------------------------------------===#


def tracked(A):
    """Its pattern's indices, and its values as a leaf."""
    return indices_of(A), stored_values(A).requires_grad_()


@pytest.mark.parametrize("seen", [[4, 1], [], [0, 1, 2, 3, 4], "mask"])
def test_condition(seen):
    loc, A = field()
    indices, values = tracked(A)
    mask = torch.tensor([True, False, True, False, False, False])
    places = mask.nonzero().squeeze(1) if seen == "mask" else torch.tensor(seen, dtype=torch.long)
    x = torch.randn(len(places), dtype=torch.float64, requires_grad=True)
    others = [k for k in range(N) if k not in places.tolist()]
    y = torch.randn(3, len(others), dtype=torch.float64)

    def mine(values, x):
        normal = SparseMultivariateNormal(loc, precision_matrix=matrices.rebuild(A, values))
        after = condition(normal, mask if seen == "mask" else places, x)
        return after.log_prob(y)

    def reference(values, x):
        Q = dense(indices, values, A.shape)
        joint = y.new_zeros(3, N)
        joint = joint.index_copy(1, places, x.expand(3, -1)).index_copy(1, torch.tensor(others), y)
        C = torch.linalg.inv(Q)[places][:, places]
        off = x - loc[places]

        def log_prob(P, X):
            distance = (X @ P * X).sum(-1)
            return 0.5 * (P.slogdet().logabsdet - len(P) * math.log(2 * math.pi) - distance)

        return log_prob(Q, joint - loc) - log_prob(torch.linalg.inv(C), off)

    # Of equal joint densities; gradients in Q along symmetric changes agree.
    assert_close(mine(values, x), reference(values, x), TERMS)
    weight = torch.randn(3, dtype=torch.float64)
    left = torch.autograd.grad(mine(values, x) @ weight, (values, x))
    right = torch.autograd.grad(reference(values, x) @ weight, (values, x))
    assert_close(left[1], right[1], TERMS)
    left, right = (dense(indices, side[0], A.shape) for side in (left, right))
    assert_close(left + left.mT, right + right.mT, TERMS)


def observed():
    torch.manual_seed(1)
    H = matrices.csr(4, N)
    y, w = torch.randn(4, dtype=torch.float64), torch.rand(4, dtype=torch.float64) + 0.5
    return H, y, w


def test_posterior_and_evidence():
    loc, A = field()
    H, y, w = observed()
    (of_A, a), (of_H, h) = tracked(A), tracked(H)
    inputs = a, h, *(x.requires_grad_() for x in (loc, y, w))
    at = torch.randn(N, dtype=torch.float64)

    def mine(a, h, loc, y, w):
        prior = SparseMultivariateNormal(loc, precision_matrix=matrices.rebuild(A, a))
        design = matrices.rebuild(H, h)
        after = posterior(prior, design, y, w)
        return torch.cat([after.mean, after.variance, after.log_prob(at).view(1)])

    def reference(a, h, loc, y, w):
        Q, D = dense(of_A, a, A.shape), dense(of_H, h, H.shape)
        P = Q + D.mT @ (w[:, None] * D)
        mean = loc + torch.linalg.solve(P, D.mT @ (w * (y - D @ loc)))
        log_prob = P.slogdet().logabsdet - N * math.log(2 * math.pi) - (at - mean) @ P @ (at - mean)
        return torch.cat([mean, P.inverse().diagonal(), 0.5 * log_prob.view(1)])

    assert_same_derivatives(mine, reference, inputs, order=1)

    def evidence(a, h, loc, y, w):
        prior = SparseMultivariateNormal(loc, precision_matrix=matrices.rebuild(A, a))
        return log_evidence(prior, matrices.rebuild(H, h), y, w)

    def marginal(a, h, loc, y, w):
        Q, D = dense(of_A, a, A.shape), dense(of_H, h, H.shape)
        C = D @ Q.inverse() @ D.mT + torch.diag(1 / w)
        return MultivariateNormal(D @ loc, 0.5 * (C + C.mT)).log_prob(y)

    assert_close(evidence(*inputs), marginal(*inputs), TERMS)
    left = torch.autograd.grad(evidence(*inputs), inputs)
    right = torch.autograd.grad(marginal(*inputs), inputs)
    for found, expected in zip(left[1:], right[1:], strict=True):
        assert_close(found, expected, TERMS)
    # torch's of a covariance sees one triangle.
    left, right = (dense(of_A, side[0], A.shape) for side in (left, right))
    assert_close(left + left.mT, right + right.mT, TERMS)


def test_one_precision_for_all_errors():
    loc, A = field()
    H, y, _ = observed()
    prior = SparseMultivariateNormal(loc, precision_matrix=A)
    one, each = (log_evidence(prior, H, y, w) for w in (2.0, torch.full((4,), 2.0).double()))
    assert_close(one, each, 1)


def test_what_cannot_be_conditioned_on():
    loc, A = field()
    H, y, w = observed()
    prior = SparseMultivariateNormal(loc, precision_matrix=A)
    by_covariance = SparseMultivariateNormal(loc, covariance_matrix=A)
    for bad, text in (
        ([[0, 1]], "must be integers"),
        ([0.5, 1.0], "must be integers"),
        ([0, 6], "from 0 to 5"),
        ([1, 1], "must be unique"),
        ([1], "values must have shape"),
    ):
        with pytest.raises((TypeError, ValueError), match=text):
            condition(prior, torch.tensor(bad), torch.zeros(2).double())
    for call in (
        lambda: condition(by_covariance, [0], torch.zeros(1).double()),
        lambda: posterior(by_covariance, H, y, w),
    ):
        with pytest.raises(ValueError, match="must be given by its precision_matrix"):
            call()
    with pytest.raises(TypeError, match="prior must be a SparseMultivariateNormal or"):
        posterior(MultivariateNormal(loc, A.to_dense()), H, y, w)
    with pytest.raises(ValueError, match="must have no batch"):
        posterior(prior.expand((2,)), H, y, w)
    with pytest.raises(ValueError, match=r"design must be \(m, 6\) and observations \(m,\)"):
        posterior(prior, H, y[:2], w)
    with pytest.raises(ValueError, match="noise_precision must be a number or"):
        posterior(prior, H, y, w[:2])
    with pytest.raises(ValueError, match="noise_precision must be positive"):
        log_evidence(prior, H, y, -w)


# ===-- Equations ------------------------------------------------------------------===#


def along(A):
    """An orthonormal basis of what is orthogonal to the rows of A, (n, n - k)."""
    return torch.linalg.svd(A).Vh[len(A) :].mT


@pytest.mark.parametrize("form", [*NAMES, "scale_tril", "precision_tril"])
def test_constrained(form):
    loc, S = field()
    S = S if form in NAMES else S.to_dense().tril().to_sparse_csr()
    normal = SparseMultivariateNormal(loc, **{form: S})
    A = torch.randn(2, N, dtype=torch.float64, requires_grad=True)
    e = torch.randn(2, dtype=torch.float64, requires_grad=True)
    mine = ConstrainedMultivariateNormal(normal, A, e)
    C = normal.covariance_matrix.to_dense()
    gain = C @ A.mT @ torch.linalg.inv(A @ C @ A.mT)
    mean, covariance = loc + gain @ (e - A @ loc), C - gain @ A @ C
    assert_close(mine.mean, mean, TERMS)
    assert_close(mine.variance, covariance.diagonal(), TERMS)
    sample = mine.rsample((3,))
    assert_close(sample @ A.mT, e.expand(3, -1), TERMS)
    assert bool(mine.support.check(sample).all())
    # The density in coordinates along the hyperplane.
    basis = along(A.detach())
    reduced = basis.mT @ covariance @ basis
    flat = MultivariateNormal(mean @ basis, 0.5 * (reduced + reduced.mT))
    assert_close(mine.log_prob(sample), flat.log_prob(sample @ basis), TERMS)
    assert_close(mine.entropy(), flat.entropy(), TERMS)
    for found, expected in ((mine.mean, mean), (mine.variance, covariance.diagonal())):
        weight = torch.randn(N, dtype=torch.float64)
        left = torch.autograd.grad(
            found @ weight, (A, e), materialize_grads=True, allow_unused=True
        )
        right = torch.autograd.grad(
            expected @ weight, (A, e), materialize_grads=True, allow_unused=True, retain_graph=True
        )
        for one, other in zip(left, right, strict=True):
            assert_close(one, other, TERMS)


def test_samples_on_a_hyperplane():
    loc, Q = field()
    normal = SparseMultivariateNormal(loc, precision_matrix=Q)
    mine = ConstrainedMultivariateNormal(normal, torch.ones(1, N, dtype=torch.float64))
    torch.manual_seed(0)
    samples = mine.sample((100_000,))
    off = (samples.mean(0) - mine.mean) / (mine.variance / len(samples)).sqrt()
    assert off.abs().max() < 5
    ratio = samples.var(0) / mine.variance - 1
    assert ratio.abs().max() < 5 * math.sqrt(2 / len(samples))


def test_what_is_no_constraint():
    loc, Q = field()
    normal = SparseMultivariateNormal(loc, precision_matrix=Q)
    A = torch.randn(2, N, dtype=torch.float64)
    for call, text in (
        (lambda: ConstrainedMultivariateNormal(normal, A[:, 1:]), r"A must be \(k, 6\)"),
        (lambda: ConstrainedMultivariateNormal(normal, A, A[0]), r"e must be \(2,\)"),
        (lambda: ConstrainedMultivariateNormal(normal, A.float()), "must be torch.float64"),
        (lambda: ConstrainedMultivariateNormal(normal, A[:1].repeat(2, 1)), "independent rows"),
        (lambda: ConstrainedMultivariateNormal(normal.expand((2,)), A), "no batch"),
        (lambda: ConstrainedMultivariateNormal(A, A), "must be a SparseMultivariateNormal"),
    ):
        with pytest.raises((TypeError, ValueError), match=text):
            call()
    with pytest.raises(ValueError, match="within the support"):
        ConstrainedMultivariateNormal(normal, A, validate_args=True).log_prob(loc + 1)


# ===-- Singular precisions --------------------------------------------------------===#


def walk(order, n=8):
    """Precision of a random walk, and a basis of its null space: polynomials below `order`."""
    D = torch.eye(n, dtype=torch.float64)
    for _ in range(order):
        D = D.diff(dim=0)
    powers = torch.arange(n, dtype=torch.float64).unsqueeze(1) ** torch.arange(order)
    return D.mT @ D, powers


@pytest.mark.parametrize("order", [1, 2, 3])
def test_intrinsic(order):
    Q, V = walk(order)
    n, loc = len(Q), torch.randn(8, dtype=torch.float64)
    mine = IntrinsicMultivariateNormal(Q.to_sparse_csr(), V, loc)
    eigenvalues = torch.linalg.eigvalsh(Q)[order:]
    torch.testing.assert_close(mine.log_det(), eigenvalues.log().sum(), rtol=1e-9, atol=1e-9)
    C, basis = torch.linalg.pinv(Q, hermitian=True, rtol=1e-10), along(V.mT)
    torch.testing.assert_close(mine.variance, C.diagonal(), rtol=1e-8, atol=0)
    flat = MultivariateNormal(loc @ basis, precision_matrix=basis.mT @ Q @ basis)
    sample = mine.sample((2, 3))
    assert bool(mine.support.check(sample).all())
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(mine.log_prob(sample), flat.log_prob(sample @ basis), **close)
    torch.testing.assert_close(mine.entropy(), flat.entropy(), **close)
    roots = mine._padded(mine._inner.root(torch.eye(n - order, dtype=torch.float64)))
    roots = roots - roots @ V @ torch.linalg.pinv(V)
    torch.testing.assert_close(roots.mT @ roots, C, rtol=1e-8, atol=1e-8)


def test_derivatives_along_changes_that_keep_the_null_space():
    """In the weights of a graph, whose Laplacian always has the constants."""
    pairs = torch.tensor([[0, 1, 2, 3, 0, 1], [1, 2, 3, 4, 4, 3]])
    n, m = 5, pairs.shape[1]
    torch.manual_seed(0)
    weights = (torch.rand(m, dtype=torch.float64) + 0.5).requires_grad_()
    x = torch.randn(3, n, dtype=torch.float64)
    i, j = pairs
    indices = torch.stack([torch.cat([i, j, i, j]), torch.cat([j, i, i, j])])
    V = torch.ones(n, 1, dtype=torch.float64)

    def laplacian(weights):
        return torch.cat([-weights, -weights, weights, weights])

    def mine(weights):
        Q = tsgu.coo(indices, laplacian(weights), (n, n))
        normal = IntrinsicMultivariateNormal(Q, V)
        return torch.cat([normal.log_prob(x), normal.variance, normal.entropy().view(1)])

    def reference(weights):
        Q = dense(indices, laplacian(weights), (n, n))
        basis = along(V.mT)
        flat = MultivariateNormal(
            torch.zeros(n - 1).double(), precision_matrix=basis.mT @ Q @ basis
        )
        variance = (basis @ flat.covariance_matrix @ basis.mT).diagonal()
        return torch.cat([flat.log_prob(x @ basis), variance, flat.entropy().view(1)])

    assert_same_derivatives(mine, reference, (weights,), order=1)


def test_an_intrinsic_prior():
    Q, V = walk(2)
    H = torch.eye(8, dtype=torch.float64)[::2]
    y = torch.randn(4, dtype=torch.float64)
    after = posterior(IntrinsicMultivariateNormal(Q.to_sparse_csr(), V), H.to_sparse_csr(), y, 3.0)
    P = Q + 3 * H.mT @ H
    assert_close(after.mean, torch.linalg.solve(P, 3 * H.mT @ y), 1 << 14)
    assert_close(after.precision_matrix.to_dense(), P, TERMS)


def test_a_walk_given_two_of_its_places():
    Q, V = walk(2)
    seen, values = torch.tensor([1, 6]), torch.tensor([0.5, 2.0], dtype=torch.float64)
    after = condition(IntrinsicMultivariateNormal(Q.to_sparse_csr(), V), seen, values)
    others = torch.tensor([0, 2, 3, 4, 5, 7])
    own = Q[others][:, others]
    mean = -torch.linalg.solve(own, Q[others][:, seen] @ values)
    assert_close(after.mean, mean, TERMS)
    assert_close(after.variance, own.inverse().diagonal(), 1 << 14)


def test_what_is_not_intrinsic():
    Q, V = walk(2)
    A = Q.to_sparse_csr()

    def intrinsic(*given):
        return IntrinsicMultivariateNormal(*given, validate_args=True)

    for call, text in (
        (lambda: intrinsic(A, V.cos()), "not in the null space"),
        (lambda: intrinsic(A, V[:, 0]), "must be a dense tensor"),
        (lambda: intrinsic(A, V[:, :0]), "from 1 to n - 1 columns"),
        (lambda: intrinsic(A, V[:, :1].repeat(1, 2)), "independent columns"),
        (lambda: intrinsic(A, V[:5]), r"must be \(5, 5\)"),
        (lambda: intrinsic(A, V, V), r"loc must|loc \(n,\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=text):
            call()
    with pytest.raises(tsgu.SingularMatrixError):  # its null space is larger
        intrinsic(A, V[:, :1]).log_det()
