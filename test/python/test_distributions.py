"""Normal distributions with sparse factors, beside torch's with dense ones."""

import dataclasses
import pickle
import warnings

import pytest
import scipy.stats
import torch
from distribution_tools import BATCHED, FORM_IDS, FORMS, KINDS, Case, make
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    constraints,
    kl_divergence,
)

import matrices
from oracle import assert_close, stored_values
from tsgu.distributions import SparseMultivariateNormal
from tsgu.distributions.constraints import sparse_lower_cholesky, sparse_lower_triangular

forms = pytest.mark.parametrize("form", FORMS, ids=FORM_IDS)
kinds = pytest.mark.parametrize("kind", KINDS + BATCHED)

TERMS = 1 << 10  # solves and products of n x n matrices of condition below 100


def both(case):
    parameters = [x.detach() for x in case.parameters]
    return case.sparse(*parameters), case.dense(*parameters)


def assert_same(mine, reference, terms=TERMS):
    """Equal shapes and values of everything but samples."""
    assert mine.batch_shape == reference.batch_shape
    assert mine.event_shape == reference.event_shape
    for shape in ((), (4,), (2, 0), (2, 3)):
        x = torch.randn(*shape, *reference.batch_shape, *reference.event_shape).to(mine.loc)
        assert_close(mine.log_prob(x), reference.log_prob(x), terms)
    assert_close(mine.log_prob(x[0, 0]), reference.log_prob(x[0, 0]), terms)
    assert_close(mine.entropy(), reference.entropy(), terms)
    assert_close(mine.perplexity(), reference.perplexity(), terms)
    for name in ("mean", "mode", "variance", "stddev", "covariance_matrix", "precision_matrix"):
        assert_close(getattr(mine, name), getattr(reference, name), terms)


@kinds
@forms
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values(kind, form, dtype):
    assert_same(*both(make(kind, form, dtype=dtype)))


@kinds
@forms
@pytest.mark.parametrize("shape", [(), (5,), (2, 0, 3), (2, 3)])
def test_samples_are_a_formula_of_eps(kind, form, shape):
    case = make(kind, form)
    mine, _ = both(case)
    torch.manual_seed(7)
    actual = mine.rsample(torch.Size(shape))
    torch.manual_seed(7)
    eps = torch.randn(*shape, *mine.batch_shape, 6, dtype=torch.float64)
    expected = case.sample(eps, *(x.detach() for x in case.parameters))
    assert_close(actual, expected, TERMS)
    assert actual.is_contiguous()
    torch.manual_seed(7)
    assert torch.equal(mine.sample(shape), actual)


def test_samples_are_those_of_torch():
    case = make("csr64", FORMS[0])
    values = stored_values(case.A).abs()
    root = case.root(values)
    theirs = MultivariateNormal(case.loc, scale_tril=root)
    torch.manual_seed(3)
    actual = case.sparse(values, case.loc).sample((4, 2))
    torch.manual_seed(3)
    assert_close(actual, theirs.sample((4, 2)))


# ===-- Batches -------------------------------------------------------------------===#


@pytest.mark.parametrize("kind", KINDS)
@forms
def test_a_batch_of_locations_on_one_factor(kind, form):
    case = make(kind, form, batch=(4,))
    mine, reference = both(case)
    assert_same(mine, reference)
    torch.manual_seed(1)
    actual = mine.rsample((3, 2))
    torch.manual_seed(1)
    eps = torch.randn(3, 2, 4, 6, dtype=torch.float64)
    assert_close(actual, case.sample(eps, *(x.detach() for x in case.parameters)), TERMS)


@pytest.mark.parametrize("kind", ["ragged coo", "batched csr32"])
@forms
def test_one_location_and_diagonal_with_many_factors(kind, form):
    case = make(kind, form)
    D = None if case.D is None else case.D[0]
    assert_same(*both(dataclasses.replace(case, loc=case.loc[0], D=D)))


@forms
@pytest.mark.parametrize("kind", ["csr64", "ragged coo"])
def test_expanded(form, kind):
    case = make(kind, form)
    mine, reference = (d.expand((2, 5, *d.batch_shape)) for d in both(case))
    assert_same(mine, reference)
    assert mine.rsample((3,)).shape == (3, *mine.batch_shape, 6)
    assert mine.scale_tril is None or mine.scale_tril.shape == case.A.shape


@forms
def test_a_batch_of_one_expanded(form):
    case = make("coo", form)
    indices = torch.cat([torch.zeros(1, case.A._nnz(), dtype=torch.int64), case.A._indices()])
    one = torch.sparse_coo_tensor(indices, case.A._values(), (1, *case.A.shape))
    mine = SparseMultivariateNormal(case.loc, case.D, **{case.name: one.coalesce()})
    _, reference = both(case)
    assert mine.batch_shape == (1,)
    assert_same(mine.expand((4,)), reference.expand((4,)))


# ===-- Patterns -----------------------------------------------------------------===#


def general(kind, n=6):
    """An invertible matrix with entries on both sides of the diagonal."""
    if kind.startswith("bs"):
        layout = torch.sparse_bsr if kind == "bsr" else torch.sparse_bsc
        return matrices.invertible("csr64", n).to_dense().to_sparse(layout=layout, blocksize=(2, 3))
    return matrices.invertible(kind, n)


@pytest.mark.parametrize("kind", [*matrices.ALL, "bsr", "bsc"])
@forms
def test_entries_above_the_diagonal_are_not_read(kind, form):
    (name, ldlt), A = form, general(kind)
    loc = torch.randn(*A.shape[:-1], dtype=torch.float64)
    D = torch.rand_like(loc) + 0.5 if ldlt else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine = SparseMultivariateNormal(loc, D, **{name: A}, validate_args=False)
    case = Case(name, A, loc, D)
    assert_same(mine, case.dense(*(x.detach() for x in case.parameters)), terms=1 << 14)


@pytest.mark.parametrize("make_array", [sparse.csr_array, sparse.coo_array, sparse.csc_matrix])
@forms
def test_arrays_of_scipy(make_array, form):
    case = make("coo", form)
    _, reference = both(case)
    array = make_array(case.A.to_dense().numpy())
    assert_same(SparseMultivariateNormal(case.loc, case.D, **{case.name: array}), reference)


@forms
@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("kind", ["coo", "csr32", "ragged coo"])
def test_few_variables(form, n, kind):
    case = make(kind, form, n)
    mine, reference = both(case)
    if n:
        assert_same(mine, reference)
        assert_close(kl_divergence(mine, mine), torch.zeros(mine.batch_shape, dtype=mine.loc.dtype))
        return
    zeros = torch.zeros(mine.batch_shape, dtype=torch.float64)
    assert torch.equal(mine.log_prob(mine.sample((2,))), zeros.expand(2, *zeros.shape))
    assert torch.equal(mine.entropy(), zeros) and torch.equal(kl_divergence(mine, mine), zeros)
    assert mine.variance.shape == (*mine.batch_shape, 0) == mine.stddev.shape
    assert mine.covariance_matrix.shape == (*mine.batch_shape, 0, 0)


@forms
def test_a_diagonal_factor(form):
    name, ldlt = form
    n, loc = 5, torch.randn(5)
    sizes = torch.rand(n) + 0.5
    if ldlt:
        A = torch.sparse_coo_tensor(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0), (n, n))
        mine, scale = SparseMultivariateNormal(loc, sizes, **{name: A}), sizes.sqrt()
    else:
        A = torch.diag(sizes).to_sparse_csr()
        mine, scale = SparseMultivariateNormal(loc, **{name: A}), sizes
    scale = scale if name == "scale_tril" else 1 / scale
    reference = Independent(Normal(loc, scale), 1)
    x = torch.randn(7, n)
    assert_close(mine.log_prob(x), reference.log_prob(x))
    assert_close(mine.entropy(), reference.entropy())
    assert_close(mine.variance, reference.variance)


@st.composite
def factors(draw):
    """(indices, values, loc) of random entries on and below the diagonal, duplicates included."""
    n = draw(st.integers(1, 6))
    entry = st.integers(0, n - 1).flatmap(lambda row: st.tuples(st.just(row), st.integers(0, row)))
    entries = draw(st.lists(entry, max_size=15)) + [(k, k) for k in range(n)]
    entries = draw(st.permutations(entries))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    values = torch.randn(len(entries), generator=generator, dtype=torch.float64) / 4
    indices = torch.tensor(entries).T
    values = torch.where(indices[0] == indices[1], values.abs() + 1, values)
    return indices, values, torch.randn(n, generator=generator, dtype=torch.float64)


@given(factors(), st.sampled_from(FORMS))
@settings(max_examples=50)
def test_random_patterns(parameters, form):
    (indices, values, loc), (name, ldlt) = parameters, form
    A = torch.sparse_coo_tensor(indices, values, (loc.numel(), loc.numel()))
    case = Case(name, A, loc, loc.abs() + 0.5 if ldlt else None)
    mine = case.sparse(values, loc, case.D, validate_args=False)
    assert_same(mine, case.dense(values, loc, *([] if case.D is None else [case.D])), 1 << 13)


# ===-- Divergence ---------------------------------------------------------------===#


@pytest.mark.parametrize("of_p", FORMS, ids=FORM_IDS)
@pytest.mark.parametrize("of_q", FORMS, ids=FORM_IDS)
@pytest.mark.parametrize("kinds", [("coo", "csr32"), ("ragged coo", "csr64"), ("coo", "csc64")])
def test_divergence(of_p, of_q, kinds):
    p, dense_p = both(make(kinds[0], of_p))
    q, dense_q = both(make(kinds[1], of_q, batch=(3,)))
    for left, right in ((p, q), (q, p)):
        expected = {p: dense_p, q: dense_q}
        expected = kl_divergence(expected[left], expected[right])
        assert_close(kl_divergence(left, right), expected, TERMS)
    assert_close(kl_divergence(p, p), torch.zeros(p.batch_shape, dtype=torch.float64), TERMS)


@forms
@pytest.mark.parametrize("batch", [(), (3,)])
def test_divergence_from_a_dense_distribution(form, batch):
    mine, reference = both(make("csr64", form, batch=batch))
    root = torch.tril(torch.randn(4, 1, 6, 6, dtype=torch.float64)) / 3
    root.diagonal(dim1=-2, dim2=-1).abs_().add_(1)
    other = MultivariateNormal(torch.randn(6, dtype=torch.float64), scale_tril=root)
    assert_close(kl_divergence(mine, other), kl_divergence(reference, other), TERMS)
    assert_close(kl_divergence(other, mine), kl_divergence(other, reference), TERMS)


@pytest.mark.parametrize("count", [31, 32, 33, 70])
def test_more_variables_than_a_block_has_columns(count):
    case = make("coo", ("precision_tril", True), count)
    mine, reference = both(case)
    assert_close(mine.variance, reference.variance, TERMS)
    other, dense_other = both(make("csr32", ("scale_tril", False), count))
    expected = kl_divergence(reference, dense_other)
    assert_close(kl_divergence(mine, other), expected, TERMS)


# ===-- Samples -------------------------------------------------------------------===#

# Thresholds are exceeded by a right sampler for one seed in a million.
ALPHA = 1e-6


@pytest.mark.parametrize("seed", range(3))
@forms
def test_moments_of_samples(form, seed):
    torch.manual_seed(seed)
    n, count = 6, 100_000
    case = make("coo", form, n)
    mine, reference = both(case)
    standard = torch.linalg.solve_triangular(
        reference.scale_tril, (mine.sample((count,)) - case.loc).mT, upper=False
    )
    mean = standard.mean(1)
    assert count * mean.square().sum() < scipy.stats.chi2.isf(ALPHA, n)
    # Nagao's statistic for the hypothesis that the covariance is the identity.
    statistic = count / 2 * (standard.cov() - torch.eye(n)).square().sum()
    assert statistic < scipy.stats.chi2.isf(ALPHA, n * (n + 1) // 2)


def test_samples_of_items_are_independent():
    case = make("csr64", FORMS[2], batch=(2,))
    mine, _ = both(case)
    samples = mine.sample((100_000,)) - case.loc
    root = case.root(stored_values(case.A))
    standard = samples @ root  # L^T x of a precision L L^T
    correlation = standard[:, 0].mT @ standard[:, 1] / len(samples)
    assert len(samples) * correlation.square().sum() < scipy.stats.chi2.isf(ALPHA, 36)


# ===-- Conventions of torch.distributions ---------------------------------------------===#


@forms
def test_parameters_are_those_given(form):
    case = make("csr32", form)
    mine = SparseMultivariateNormal(case.loc, case.D, **{case.name: case.A})
    other = "precision_tril" if case.name == "scale_tril" else "scale_tril"
    assert getattr(mine, case.name) is case.A and getattr(mine, other) is None
    assert mine.loc is case.loc and mine.mean is case.loc and mine.mode is case.loc
    assert mine.diagonal is case.D and mine.is_ldlt_parameterization == form[1]
    assert mine.has_rsample and isinstance(mine, torch.distributions.Distribution)
    assert mine.support is constraints.real_vector
    assert SparseMultivariateNormal.arg_constraints["scale_tril"] is sparse_lower_triangular
    for name, constraint in mine.arg_constraints.items():
        if getattr(mine, name) is not None:
            assert constraint.check(getattr(mine, name)).all()


def test_repr():
    case = make("coo", ("precision_tril", True), 3)
    assert repr(both(case)[0]) == (
        "SparseMultivariateNormal(loc: torch.Size([3]), diagonal: torch.Size([3]), "
        "precision_tril: torch.Size([3, 3]))"
    )


@forms
def test_pickled(form):
    case = make("ragged coo", form)
    mine = SparseMultivariateNormal(case.loc, case.D, **{case.name: case.A})
    again = pickle.loads(pickle.dumps(mine))
    assert repr(again) == repr(mine)
    assert torch.equal(again.log_prob(case.loc + 1), mine.log_prob(case.loc + 1))


def test_within_other_distributions():
    case = make("ragged coo", FORMS[0])
    mine, reference = both(case)
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    for wrap in (
        lambda d: Independent(d, 1),
        lambda d: MixtureSameFamily(Categorical(torch.ones(3)), d),
        lambda d: TransformedDistribution(d, [torch.distributions.AffineTransform(1.0, 2.0)]),
    ):
        value = x[:, 0] if wrap(mine).batch_shape == () and wrap(mine).event_shape == (6,) else x
        assert_close(wrap(mine).log_prob(value), wrap(reference).log_prob(value), TERMS)


def test_constraints_judge_each_item():
    indices = torch.tensor([[0, 0, 1, 1, 2], [0, 1, 0, 1, 1], [0, 1, 0, 1, 0]])
    indices = torch.cat([indices, torch.tensor([[2], [0], [1]])], 1)
    A = torch.sparse_coo_tensor(indices, torch.tensor([1.0, 1, 1, -1, 1, 1]), (3, 2, 2))
    assert sparse_lower_triangular.check(A).tolist() == [True, True, False]
    assert sparse_lower_cholesky.check(A).tolist() == [True, True, False]
    A = torch.sparse_coo_tensor(indices[:, :4], torch.tensor([1.0, 1, 1, 0]), (3, 2, 2))
    assert sparse_lower_triangular.check(A).tolist() == [True, True, True]
    assert sparse_lower_cholesky.check(A).tolist() == [True, False, False]
    assert repr(sparse_lower_cholesky) == "SparseLowerCholesky()"
