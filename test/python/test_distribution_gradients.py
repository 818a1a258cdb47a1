"""Derivatives of normal distributions with sparse factors, in every parameter."""

import pytest
import torch
from distribution_tools import FORM_IDS, FORMS, Case, make
from torch.distributions import MultivariateNormal, kl_divergence

import matrices
import oracle
from oracle import assert_close, assert_same_derivatives
from tsgu.distributions import SparseMultivariateNormal

forms = pytest.mark.parametrize("form", FORMS, ids=FORM_IDS)
kinds = pytest.mark.parametrize(
    "kind", ["uncoalesced", "csr32", "csc64", "ragged uncoalesced", "batched csr32"]
)

TERMS = 1 << 13  # solves of solves: condition to some power


def quantities(distribution, sample, x):
    """Everything that is differentiable but dense matrices, joined so that all take part."""
    parts = [
        sample.square().sum(-1),
        distribution.log_prob(x),
        distribution.entropy(),
        distribution.variance.log().sum(-1),
    ]
    return torch.stack(torch.broadcast_tensors(*parts))


@kinds
@forms
def test_derivatives(kind, form):
    case = make(kind, form, 4)
    eps, x = torch.randn(2, 3, *case.loc.shape, dtype=torch.float64)

    def function(*parameters):
        mine = case.sparse(*parameters)
        torch.manual_seed(5)
        sample = mine.rsample((3,))
        return quantities(mine, sample, x)

    def reference(*parameters):
        torch.manual_seed(5)
        sample = case.sample(torch.randn_like(eps), *parameters)
        return quantities(case.dense(*parameters), sample, x)

    assert_same_derivatives(function, reference, case.parameters, order=2, terms=TERMS)


@pytest.mark.parametrize("of_p", FORMS, ids=FORM_IDS)
@pytest.mark.parametrize("of_q", FORMS, ids=FORM_IDS)
def test_derivatives_of_divergence(of_p, of_q):
    p, q = make("coo", of_p, 4), make("ragged coo", of_q, 4)
    inputs = p.parameters + q.parameters
    count = len(p.parameters)

    def function(*inputs):
        return kl_divergence(p.sparse(*inputs[:count]), q.sparse(*inputs[count:]))

    def reference(*inputs):
        return kl_divergence(p.dense(*inputs[:count]), q.dense(*inputs[count:]))

    assert_same_derivatives(function, reference, inputs, order=2, terms=TERMS)


@forms
def test_derivatives_of_divergence_from_a_dense_distribution(form):
    case = make("csr64", form, 4)
    root = torch.tril(torch.randn(4, 4, dtype=torch.float64)) / 3
    root.diagonal().abs_().add_(1)
    inputs = [*case.parameters, root.requires_grad_()]

    def divergences(mine, root):
        other = MultivariateNormal(torch.ones(4, dtype=torch.float64), scale_tril=root)
        return kl_divergence(mine, other) + 2 * kl_divergence(other, mine)

    assert_same_derivatives(
        lambda *inputs: divergences(case.sparse(*inputs[:-1]), inputs[-1]),
        lambda *inputs: divergences(case.dense(*inputs[:-1]), inputs[-1]),
        inputs,
        order=2,
        terms=TERMS,
    )


@forms
def test_derivatives_of_dense_matrices(form):
    case = make("csr32", form, 4)

    def matrices_of(distribution):
        return distribution.covariance_matrix + distribution.precision_matrix.square()

    assert_same_derivatives(
        lambda *parameters: matrices_of(case.sparse(*parameters)),
        lambda *parameters: matrices_of(case.dense(*parameters)),
        case.parameters,
        order=2,
        terms=TERMS,
    )


@forms
def test_derivatives_of_several_blocks(form):
    """Of 70 variables a variance takes several blocks, which backward computes anew."""
    case = make("coo", form, 70)
    weight = torch.randn(70, dtype=torch.float64)

    def functional(distribution):
        return (distribution.variance * weight).sum()

    assert_same_derivatives(
        lambda *parameters: functional(case.sparse(*parameters)),
        lambda *parameters: functional(case.dense(*parameters)),
        case.parameters,
        order=2,
        terms=1 << 15,
    )


@forms
def test_gradcheck(form):
    case, other = make("uncoalesced", form, 3), make("coo", FORMS[0], 3)
    x = torch.randn_like(case.loc)
    other = other.sparse(*other.parameters)

    def function(*parameters):
        mine = case.sparse(*parameters)
        torch.manual_seed(1)
        sample = mine.rsample()
        numbers = mine.log_prob(x) + mine.entropy(), kl_divergence(mine, other)
        return sample, mine.variance, torch.stack(numbers) + kl_divergence(other, mine)

    assert torch.autograd.gradcheck(function, case.parameters)
    assert torch.autograd.gradgradcheck(function, case.parameters)


@forms
def test_backward_after_other_users_of_the_values_are_gone(form):
    case = make("csr64", form)
    values, *others = case.parameters
    another = [case.sparse(values, *others) for _ in range(3)]
    mine = case.sparse(values, *others)
    total = mine.variance.sum() + kl_divergence(mine, another[0].expand((2,))).sum()
    total = total + kl_divergence(case.sparse(values.detach() * 2, *others), mine)
    del another, mine
    gradients = torch.autograd.grad(total, [values, *others])
    expected = case.dense(values, *others)
    second = case.dense(values.detach() * 2, *others)
    total = expected.variance.sum() + kl_divergence(second, expected)
    wanted = torch.autograd.grad(total, [values, *others])
    for actual, expected in zip(gradients, wanted, strict=True):
        assert_close(actual, expected, TERMS)


# ===-- Sparse leaves ------------------------------------------------------------===#


@pytest.mark.parametrize("kind", ["coo", "uncoalesced", "csr32", "batched csr64", "ragged coo"])
@forms
def test_gradients_of_sparse_leaves(kind, form):
    case = make(kind, form)
    A, (_, *others) = case.A.clone().requires_grad_(), case.parameters
    x = torch.randn_like(case.loc)
    mine = SparseMultivariateNormal(*others, **{case.name: A})
    mine.log_prob(x).sum().backward()
    mine.variance.sum().backward()  # of the same distribution: adds up
    parameters = case.parameters
    reference = case.dense(*parameters)
    total = reference.log_prob(x).sum() + reference.variance.sum()
    of_values, *of_others = torch.autograd.grad(total, parameters)
    assert A.grad.layout is A.layout
    assert torch.equal(oracle.indices_of(A.grad), oracle.indices_of(A.detach()))
    assert_close(oracle.stored_values(A.grad), of_values, TERMS)
    for parameter, expected in zip(others, of_others, strict=True):
        assert_close(parameter.grad, expected, TERMS)


@forms
def test_parameters_that_were_written_to(form):
    case = make("csr64", form)
    A = case.A.clone().requires_grad_()
    mine = SparseMultivariateNormal(case.loc, case.D, **{case.name: A})
    x = torch.randn_like(case.loc)
    optimizer = torch.optim.SGD([A], lr=1e-2)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = -mine.log_prob(x)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    now = case.dense(
        oracle.stored_values(A.detach()), case.loc, *([] if case.D is None else [case.D])
    )
    assert_close(mine.log_prob(x).detach(), now.log_prob(x).detach(), TERMS)
    assert losses[0] > losses[1] > losses[2]


@pytest.mark.parametrize("kind", ["uncoalesced", "csr64", "ragged coo"])
@forms
def test_entries_that_are_not_read_have_no_gradient(kind, form):
    (name, ldlt), A = form, matrices.invertible(kind, 5)
    loc = torch.randn(*A.shape[:-1], dtype=torch.float64)
    case = Case(name, A, loc, torch.rand_like(loc) + 0.5 if ldlt else None)
    values, *others = case.parameters

    def functional(distribution):
        return (distribution.log_prob(loc + 1) + distribution.entropy()).sum()

    mine = functional(case.sparse(values, *others, validate_args=False))
    (actual,) = torch.autograd.grad(mine, values)
    (expected,) = torch.autograd.grad(functional(case.dense(values, *others)), values)
    assert_close(actual, expected, TERMS)
    *_, row, column = oracle.indices_of(A)
    ignored = row <= column if ldlt else row < column
    assert ignored.any() and (actual[ignored] == 0).all()


# ===-- Transforms ---------------------------------------------------------------===#


@forms
def test_transforms(form):
    case = make("csr64", form, 4)
    parameters = [x.detach() for x in case.parameters]
    x = torch.randn(3, 4, dtype=torch.float64)

    def functional(make, values):
        distribution = make(values, *parameters[1:])
        return (
            distribution.log_prob(x) + distribution.entropy()
        ).sum() + distribution.variance.sum()

    def mine(values):
        return functional(lambda *p: case.sparse(*p), values)

    def reference(values):
        return functional(case.dense, values)

    values = parameters[0]
    gradient = torch.func.grad(reference)(values)
    assert_close(torch.func.grad(mine)(values), gradient, TERMS)
    assert_close(torch.func.hessian(mine)(values), torch.func.hessian(reference)(values), TERMS)
    _, tangent = torch.func.jvp(mine, (values,), (torch.ones_like(values),))
    assert_close(tangent, gradient.sum(), TERMS)


def test_samples_of_many_values_under_vmap():
    case = make("csr64", FORMS[2], 4)
    many = torch.stack([oracle.stored_values(case.A) * k for k in (1, 2, 3)])

    def entropy(values):
        return SparseMultivariateNormal(
            case.loc, precision_tril=case.rebuild(values), validate_args=False
        ).entropy()

    expected = torch.stack([case.dense(values, case.loc).entropy() for values in many])
    assert_close(torch.vmap(entropy)(many), expected, TERMS)


def test_compiled_functions():
    """Where entries are is found between graphs; the rest is in them."""
    case = make("csr64", FORMS[2], 4)
    values, loc = case.parameters
    x = torch.randn(4, dtype=torch.float64)

    def functional(values, loc):
        mine = case.sparse(values, loc)
        return mine.log_prob(x) + mine.entropy()

    results = []
    for call in (functional, torch.compile(functional, backend="aot_eager")):
        total = call(values, loc)
        results.append((total.detach(), *torch.autograd.grad(total, [values, loc])))
    for actual, expected in zip(*results, strict=True):
        assert_close(actual, expected)
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="depends on index tensors"):
        torch.compile(functional, backend="aot_eager", fullgraph=True)(values, loc)


@pytest.mark.parametrize("kind", ["coo", "ragged coo", "csr64"])
def test_compiled_methods(kind):
    case = make(kind, FORMS[1], 4)
    mine = SparseMultivariateNormal(case.loc, case.D, **{case.name: case.A})
    x = torch.randn_like(case.loc)
    assert_close(torch.compile(mine.log_prob, backend="aot_eager")(x), mine.log_prob(x))
