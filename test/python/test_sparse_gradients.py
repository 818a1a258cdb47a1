"""Sparse tensors as citizens of autograd: hooks, retained and accumulated gradients."""

import pytest
import torch

import matrices
import oracle
import tsgu
from matrices import rebuild

MAKERS = {**matrices.ALL, **matrices.OTHERS}
LEAVES = list(matrices.ALL)


def matrix(kind):
    return MAKERS[kind](4, 6, torch.float64)


def no_leaf(A):
    """A leaf of values, and a tensor like A that is made of it by the package."""
    values = oracle.stored_values(A).clone().requires_grad_()
    if A.layout in (torch.sparse_coo, torch.sparse_csr):
        return values, rebuild(A, values)
    if A.layout is torch.sparse_csc:
        return values, rebuild(A.mT, values).mT
    return values, tsgu._patterns.tensors.from_values(tsgu.Pattern.of(A), values)


def right_side(A, columns=2):
    return torch.randn(*A.shape[:-2], A.shape[-1], columns, dtype=A.dtype)


def functional(A, B):
    return tsgu.sparse_mm(A, B).sin().sum()


def gradient(A, B):
    """That of `functional` in each stored entry, by dense torch."""
    values = oracle.stored_values(A).requires_grad_()
    dense = oracle.dense(oracle.indices_of(A.detach()), values, A.shape)
    return torch.autograd.grad((dense @ B).sin().sum(), values)[0]


def assert_on_pattern(actual, A, expected):
    assert actual.layout is A.layout and actual.shape == A.shape
    assert torch.equal(oracle.indices_of(actual.detach()), oracle.indices_of(A.detach()))
    oracle.assert_close(oracle.stored_values(actual), expected)


@pytest.mark.parametrize("uses", [1, 2, 3])
@pytest.mark.parametrize("kind", MAKERS)
def test_retained_gradients_and_hooks(kind, uses):
    values, A = no_leaf(matrix(kind))
    Bs = [right_side(A) for _ in range(uses)]
    expected = sum(gradient(A, B) for B in Bs)
    seen = []
    A.register_hook(lambda g: seen.append(g))
    A.register_hook(lambda g: g * 3)
    A.retain_grad()
    sum(functional(A, B) for B in Bs).backward(retain_graph=True)
    assert len(seen) == 1
    assert_on_pattern(seen[0], A, expected)
    assert_on_pattern(A.grad, A, 3 * expected)
    oracle.assert_close(values.grad, 3 * expected)
    functional(A, Bs[0]).backward()  # a retained gradient adds up, too
    total = tsgu._patterns.tensors.values_on(tsgu.Pattern.of(A), A.grad)  # torch joins those of COO
    oracle.assert_close(total, 3 * expected + 3 * gradient(A, Bs[0]))


@pytest.mark.parametrize("kind", MAKERS)
def test_gradients_asked_for(kind):
    values, A = no_leaf(matrix(kind))
    B, C = right_side(A), right_side(A, 3)
    result = functional(A, B) + functional(A, C)
    of_A, of_values = torch.autograd.grad(result, (A, values))
    expected = gradient(A, B) + gradient(A, C)
    assert_on_pattern(of_A, A, expected)
    oracle.assert_close(of_values, expected)


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("kind", MAKERS)
def test_the_result_of_softmax_is_one_of_them(kind, dim):
    _, A = no_leaf(matrix(kind))
    B = right_side(A)
    soft = tsgu.sparse_softmax(A, dim)
    assert soft.layout is A.layout
    soft.retain_grad()
    soft.register_hook(lambda g: g * 2)
    result = functional(soft, B)
    (asked,) = torch.autograd.grad(result, soft, retain_graph=True)
    expected = 2 * gradient(soft, B)
    assert_on_pattern(asked, soft, expected)
    soft.grad = None
    result.backward()
    assert_on_pattern(soft.grad, soft, expected)


@pytest.mark.parametrize("kind", MAKERS)
def test_higher_orders_through_hooked_tensors(kind):
    A = matrix(kind)
    B = right_side(A)
    indices = oracle.indices_of(A)

    def ours(values):
        pattern = tsgu.Pattern.of(A)
        if A.layout in (torch.sparse_coo, torch.sparse_csr):
            sparse = rebuild(A, values)
        else:
            sparse = tsgu._patterns.tensors.from_values(pattern, values)
        sparse.register_hook(lambda g: g * 2)
        first, second = tsgu.sparse_mm(sparse, B), tsgu.sparse_mm(sparse, B.cos())
        return first**2 * second + tsgu.values(sparse).reshape(-1).sin().sum()

    def reference(values):
        values = _Doubled.apply(values)
        dense = oracle.dense(indices, values, A.shape)
        return (dense @ B) ** 2 * (dense @ B.cos()) + values.sin().sum()

    values = oracle.stored_values(A).requires_grad_()
    oracle.assert_same_derivatives(ours, reference, (values,))


class _Doubled(torch.autograd.Function):
    """The identity, whose gradient is doubled."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, cotangent):
        return 2 * cotangent


@pytest.mark.parametrize("function", ["sparse_mm", "values", "softmax"])
@pytest.mark.parametrize("kind", LEAVES)
def test_gradients_of_a_leaf_accumulate(kind, function):
    def of(A, B):
        if function == "sparse_mm":
            return functional(A, B)
        if function == "values":
            return (tsgu.values(A) ** 2).sum()
        return functional(tsgu.sparse_softmax(A, -1), B)

    A = matrix(kind).requires_grad_()
    seen = []
    A.register_hook(lambda g: seen.append(oracle.stored_values(g)))
    alone = []
    for B in (right_side(A), right_side(A), right_side(A)):
        (asked,) = torch.autograd.grad(of(A, B) + of(A, B.cos()), A)
        alone.append(oracle.stored_values(asked))
        seen.clear()
        (of(A, B) + of(A, B.cos())).backward()
        assert len(seen) == 1
        oracle.assert_close(seen[0], alone[-1])  # hooks see what is new
    assert_on_pattern(A.grad, A, sum(alone))


@pytest.mark.parametrize("kind", ["csr64", "batched csr64", "coo"])
def test_accumulated_gradients_can_be_differentiated(kind):
    A = matrix(kind).requires_grad_()
    values = oracle.stored_values(A).requires_grad_()
    for _ in range(2):
        (tsgu.values(A) ** 3).sum().backward(create_graph=True)
        (values**3).sum().backward(create_graph=True)
    (actual,) = torch.autograd.grad(tsgu.values(A.grad).sum(), A)
    (expected,) = torch.autograd.grad(values.grad.sum(), values)
    oracle.assert_close(oracle.stored_values(actual), expected)


@pytest.mark.parametrize("kind", ["csr64", "batched csr64"])
def test_gradients_of_turned_leaves_accumulate(kind):
    A = matrix(kind).requires_grad_()
    total = 0
    for _ in range(2):
        B = torch.randn(*A.shape[:-1], 2, dtype=A.dtype)
        values = oracle.stored_values(A).requires_grad_()
        dense = oracle.dense(oracle.indices_of(A), values, A.shape)
        total += torch.autograd.grad((dense.mT @ B).sin().sum(), values)[0]
        functional(A.mT, B).backward()
    assert_on_pattern(A.grad, A, total)


def test_hooks_after_accumulation_see_the_sum():
    A = matrix("csr64").requires_grad_()
    seen = []
    A.register_post_accumulate_grad_hook(lambda A: seen.append(A.grad.values().clone()))
    for count in range(1, 4):
        tsgu.values(A).sum().backward()
        assert torch.equal(seen[-1], torch.full_like(seen[-1], count))


@pytest.mark.parametrize("kind", matrices.OTHERS)
def test_leaves_without_a_gradient_of_torch(kind):
    A = matrix(kind).requires_grad_()
    B = right_side(A)
    (asked,) = torch.autograd.grad(functional(A, B), A)
    assert_on_pattern(asked, A, gradient(A, B))
    with pytest.raises(RuntimeError, match=r"torch.autograd.grad.*tsgu.csr"):
        functional(A, B).backward()
    dense = B.requires_grad_()
    functional(A.detach(), dense).backward()
    assert dense.grad is not None


def test_a_tensor_of_torch_uses_its_values_once():
    """Also one that torch made, of leaves that require grad."""
    leaf = matrix("batched csr64").requires_grad_()
    A = tsgu.csr(leaf.crow_indices(), leaf.col_indices(), tsgu.values(leaf) * 2, leaf.shape)
    B = right_side(A)
    (functional(A, B) + functional(A, B)).backward()
    oracle.assert_close(oracle.stored_values(leaf.grad), 4 * gradient(A, B))


def test_values_written_under_autograd_are_the_tensors_values():
    values, A = no_leaf(matrix("csr64"))
    B = right_side(A)
    tsgu.values(A).mul_(2)
    functional(A, B).backward()
    oracle.assert_close(values.grad, 2 * gradient(A, B))
