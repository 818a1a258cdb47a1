"""Normal distributions given by sparse covariances and precisions."""

import math
import pickle
import warnings

import pytest
import torch
from distribution_tools import make
from scipy import sparse
from torch.distributions import MultivariateNormal, kl_divergence

import matrices
import tsgu
from oracle import assert_close, assert_same_derivatives, dense, indices_of, stored_values
from tsgu.distributions import SparseMultivariateNormal, constraints

NAMES = ["covariance_matrix", "precision_matrix"]
names = pytest.mark.parametrize("name", NAMES)
kinds = pytest.mark.parametrize("kind", matrices.ALL)
TERMS = 1 << 10
N = 6


def pair(name, A, loc):
    """The distribution of a sparse matrix, and torch's of the dense one."""
    mine = SparseMultivariateNormal(loc, **{name: A})
    # Its validation fails where there are no values.
    return mine, MultivariateNormal(loc, **{name: A.to_dense()}, validate_args=False)


def field(n=N, dtype=torch.float64):
    """Location and precision of a small field."""
    torch.manual_seed(0)
    return torch.randn(n, dtype=dtype), matrices.definite("csr64", n, dtype)


@kinds
@names
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values(kind, name, dtype):
    torch.manual_seed(0)
    A = matrices.definite(kind, N, dtype)
    loc = torch.randn(A.shape[:-1], dtype=dtype)
    mine, reference = pair(name, A, loc)
    assert mine.batch_shape == reference.batch_shape
    for shape in ((), (4,), (2, 0), (2, 3)):
        x = torch.randn(*shape, *loc.shape, dtype=dtype)
        assert_close(mine.log_prob(x), reference.log_prob(x), TERMS)
    for one in ("mean", "mode", "variance", "stddev"):
        assert_close(getattr(mine, one), getattr(reference, one), TERMS)
    for one in NAMES:
        assert_close(getattr(mine, one).to_dense(), getattr(reference, one), TERMS)
    assert_close(mine.entropy(), reference.entropy(), TERMS)


@names
def test_batches_broadcast(name):
    A = matrices.definite("ragged coo", N)
    for loc, B in ((torch.randn(N), A), (torch.randn(3, N), A), (torch.randn(4, N), field()[1])):
        mine, reference = pair(name, B, loc.double())
        x = torch.randn(2, *mine.batch_shape, N, dtype=torch.float64)
        assert_close(mine.log_prob(x), reference.log_prob(x), TERMS)
        assert_close(mine.entropy(), reference.entropy(), TERMS)
        assert mine.variance.shape == mine.batch_shape + (N,)
        assert mine.rsample((5,)).shape == (5, *mine.batch_shape, N)
    again = mine.expand((2, 4))
    assert again.rsample().shape == (2, 4, N)
    assert_close(again.log_prob(x[:, None]), reference.expand((2, 4)).log_prob(x[:, None]), TERMS)


@kinds
@names
def test_derivatives_of_densities(kind, name):
    torch.manual_seed(0)
    A = matrices.definite(kind, N)
    indices, values = indices_of(A), stored_values(A).requires_grad_()
    loc = torch.randn(A.shape[:-1], dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, *A.shape[:-1], dtype=torch.float64, requires_grad=True)

    def mine(values, loc, x):
        normal = SparseMultivariateNormal(loc, **{name: matrices.rebuild(A, values)})
        return normal.log_prob(x) + normal.entropy()

    def reference(values, loc, x):
        # Entries of the two triangles are variables of their own.
        S = dense(indices, values, A.shape)
        P = torch.linalg.inv(S) if name == "covariance_matrix" else S
        log_det = torch.linalg.slogdet(P).logabsdet
        distance = ((x - loc).unsqueeze(-2) @ P @ (x - loc).unsqueeze(-1)).squeeze(-1, -2)
        density = 0.5 * (log_det - N * math.log(2 * math.pi) - distance)
        return density + 0.5 * (N * (1 + math.log(2 * math.pi)) - log_det)

    assert_same_derivatives(mine, reference, (values, loc, x), order=2, terms=1 << 14)


@kinds
def test_derivatives_of_variances(kind):
    A = matrices.definite(kind, N)
    indices, values = indices_of(A), stored_values(A).requires_grad_()
    loc = torch.zeros(A.shape[:-1], dtype=torch.float64)

    def mine(values):
        Q = matrices.rebuild(A, values)
        return SparseMultivariateNormal(loc, precision_matrix=Q).variance

    def reference(values):
        return torch.linalg.inv(dense(indices, values, A.shape)).diagonal(dim1=-2, dim2=-1)

    assert_same_derivatives(mine, reference, (values,), order=1)


@names
def test_divergences(name):
    loc, A = field()
    mine, reference = pair(name, A, loc)
    other, same = pair(NAMES[name == NAMES[0]], matrices.definite("coo", N), loc + 1)
    case = make("csr64", ("scale_tril", True), n=N)
    third, third_dense = case.sparse(*case.parameters), case.dense(*case.parameters)
    pairs = [(mine, reference), (other, same), (third, third_dense), (reference, reference)]
    for p, p_dense in pairs[:3]:
        for q, q_dense in pairs:
            assert_close(kl_divergence(p, q), kl_divergence(p_dense, q_dense), TERMS)
            assert_close(kl_divergence(q, p), kl_divergence(q_dense, p_dense), TERMS)


@names
def test_derivatives_of_divergences(name):
    _, A = field()
    indices, values = indices_of(A), stored_values(A).requires_grad_()
    zero, B = torch.zeros(N, dtype=torch.float64), 2 * torch.eye(N, dtype=torch.float64)
    fixed = SparseMultivariateNormal(zero, covariance_matrix=B.to_sparse_csr())

    def mine(values):
        normal = SparseMultivariateNormal(zero, **{name: matrices.rebuild(A, values)})
        return kl_divergence(normal, fixed) + kl_divergence(fixed, normal)

    def reference(values):
        S = dense(indices, values, A.shape)
        inverse = torch.linalg.inv(S)
        C, P = (S, inverse) if name == "covariance_matrix" else (inverse, S)
        return 0.5 * ((C.trace() / 2 - N) + (2 * P.trace() - N))

    assert_same_derivatives(mine, reference, (values,), order=2)


@names
def test_samples_have_the_covariance(name):
    loc, A = field()
    mine, reference = pair(name, A, loc)
    # Linear in the normal numbers: those of the unit vectors make the covariance.
    roots = mine._gaussian.root(torch.eye(N, dtype=torch.float64))
    assert_close(roots.mT @ roots, reference.covariance_matrix, TERMS)
    torch.manual_seed(1)
    samples = mine.sample((100_000,))
    assert not samples.requires_grad
    deviation = (samples.mean(0) - loc) / (reference.variance / len(samples)).sqrt()
    assert deviation.abs().max() < 5  # false alarm: 4e-6


@names
def test_derivatives_of_samples_are_those_of_their_means(name):
    """Of the mean of x^T W x: exactly, by the unit vectors, as samples are linear in the numbers.

    A gradient counts along symmetric changes of the matrix.
    """
    _, A = field()
    indices, values = indices_of(A), stored_values(A).requires_grad_()
    zero = torch.zeros(N, dtype=torch.float64)
    weight = torch.randn(N, N, dtype=torch.float64)
    normal = SparseMultivariateNormal(zero, **{name: matrices.rebuild(A, values)})
    roots = normal._gaussian.root(torch.eye(N, dtype=torch.float64))
    (found,) = torch.autograd.grad((roots @ weight * roots).sum(), values)
    S = dense(indices, values, A.shape)
    S = 0.5 * (S + S.mT)
    C = S if name == "covariance_matrix" else torch.linalg.inv(S)
    (expected,) = torch.autograd.grad((C * weight).sum(), values)
    found = dense(indices, found, A.shape)
    assert_close(0.5 * (found + found.mT)[tuple(indices)], expected, TERMS)


@pytest.mark.parametrize("kind", ["csr64", "uncoalesced"])
def test_samples_have_one_derivative(kind):
    Q = matrices.definite(kind, N).requires_grad_()
    sample = SparseMultivariateNormal(torch.zeros(N).double(), precision_matrix=Q).rsample()
    (first,) = torch.autograd.grad(sample.square().sum(), Q, create_graph=True)
    with pytest.raises(NotImplementedError, match="samples have one derivative"):
        torch.autograd.grad(tsgu.values(first).sum(), Q, allow_unused=True)


def test_a_distribution_follows_its_parameters():
    loc, A = field()
    Q = A.clone()
    normal = SparseMultivariateNormal(loc, precision_matrix=Q)
    Q.values().mul_(2)
    assert_close(normal.entropy(), pair("precision_matrix", Q, loc)[1].entropy(), TERMS)


def test_it_is_at_home_in_torch():
    loc, A = field()
    Q, x = tsgu.Matrix.of(A), torch.randn(3, N, dtype=torch.float64)

    def log_prob(Q, loc):
        return SparseMultivariateNormal(loc, precision_matrix=Q).log_prob(x).sum()

    expected = pair("precision_matrix", A, loc)[1].log_prob(x).sum()
    found, value = torch.func.grad_and_value(log_prob, argnums=(0, 1))(Q, loc)
    assert_close(value, expected, TERMS)
    values = Q.values.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(log_prob(Q.with_values(values), loc), values)
    assert_close(found[0].values, gradient, TERMS)
    scaled = torch.func.vmap(lambda k: log_prob(Q.with_values(k * Q.values), loc))
    scales = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert_close(scaled(scales)[0], expected, TERMS)
    torch._dynamo.utils.warn_once_cache.clear()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*lru_cache")
        compiled = torch.compile(log_prob, backend="aot_eager", fullgraph=True)
        assert_close(compiled(Q, loc), expected, TERMS)
    again = pickle.loads(pickle.dumps(SparseMultivariateNormal(loc, precision_matrix=Q)))
    assert_close(again.log_prob(x).sum(), expected, TERMS)
    shown = "SparseMultivariateNormal(loc: torch.Size([6]), precision_matrix: torch.Size([6, 6]))"
    assert repr(again) == shown


def test_what_is_no_distribution():
    loc, A = field()

    def normal(*given, validate_args=True, **matrices):
        return SparseMultivariateNormal(*given, **matrices, validate_args=validate_args)

    L = A.to_dense().tril().to_sparse_csr()
    with pytest.raises(ValueError, match="Exactly one of scale_tril, precision_tril, cov"):
        normal(loc, precision_matrix=A, covariance_matrix=A)
    with pytest.raises(ValueError, match="give it with a factor, not precision_matrix"):
        normal(loc, loc.exp(), precision_matrix=A)
    with pytest.raises(ValueError, match=r"must be \(6, 6\), as loc is, and has shape \(5, 5\)"):
        normal(loc, covariance_matrix=field(5)[1])
    with pytest.raises(TypeError, match="must be all float32 or all float64"):
        normal(loc.float(), covariance_matrix=A)
    with pytest.raises(ValueError, match="loc must be real"):
        normal(loc * torch.nan, covariance_matrix=A)
    with pytest.raises(ValueError, match="must be symmetric positive definite: .*not Hermitian"):
        normal(loc, precision_matrix=L)
    with pytest.raises(ValueError, match="symmetric positive definite: .*diagonal of row 0 is -"):
        normal(loc, precision_matrix=-A)
    unchecked = normal(loc, precision_matrix=-A, validate_args=False)
    with pytest.raises(tsgu.SingularMatrixError, match="not positive definite"):
        unchecked.entropy()
    holds = constraints.sparse_positive_definite.check
    assert holds(A) and not holds(-A) and not holds(L)
    batch = torch.stack([A.to_dense(), -A.to_dense(), 2 * A.to_dense()]).to_sparse()
    assert holds(batch).tolist() == [True, False, True]


def test_memory_for_the_entries():
    """A field of 40,000 variables, whose dense covariance would take 12.8 GB."""
    side = 200
    n = side * side
    line = sparse.diags_array([-1.0, 2.2, -1.0], offsets=[-1, 0, 1], shape=(side, side))
    Q = tsgu.Matrix.of(sparse.kronsum(line, line, format="csr"))
    values = Q.values.clone().requires_grad_()
    normal = SparseMultivariateNormal(
        torch.zeros(n, dtype=torch.float64), precision_matrix=Q.with_values(values)
    )
    torch.manual_seed(0)
    x = normal.sample()
    (gradient,) = torch.autograd.grad(normal.log_prob(x), values)
    row, column = Q.pattern.entry_indices()
    estimated = 2 * gradient + x[row] * x[column]  # is the inverse
    diagonal = estimated[row == column]
    assert_close(diagonal, normal.variance.detach(), TERMS)
    eigenvalues = torch.linalg.eigvalsh(torch.from_numpy(line.toarray()))
    log_det = (eigenvalues[:, None] + eigenvalues).log().sum()
    distance = (x * (Q @ x)).sum()
    expected = 0.5 * (log_det - n * math.log(2 * math.pi) - distance)
    torch.testing.assert_close(normal.log_prob(x).detach(), expected, rtol=1e-12, atol=0)
    some = torch.randperm(side)[:3]  # of the exact inverse, by eigenvectors
    basis = torch.linalg.eigh(torch.from_numpy(line.toarray())).eigenvectors
    squares = basis[some].square()
    exact = torch.einsum("ki,ij,kj->k", squares, 1 / (eigenvalues[:, None] + eigenvalues), squares)
    torch.testing.assert_close(diagonal.view(side, side)[some, some], exact, rtol=1e-11, atol=0)
