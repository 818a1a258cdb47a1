"""Sparse tensors apart and together, and what autograd does in between."""

import pytest
import torch

import matrices
import oracle
import tsgu


@pytest.mark.parametrize("kind", matrices.ALL)
def test_values_and_back(kind):
    A = matrices.ALL[kind](5, 6, torch.float64)
    values = tsgu.values(A)
    expected = A._values() if A.layout is torch.sparse_coo else A.values()
    assert values.shape == expected.shape and torch.equal(values, expected)
    if A.layout is torch.sparse_coo:
        again = tsgu.coo(A._indices(), values, A.shape)
        assert again.is_coalesced() == A.is_coalesced()
    else:
        again = tsgu.csr(A.crow_indices(), A.col_indices(), values, A.shape)
        assert again.crow_indices().dtype == A.crow_indices().dtype
    assert again.layout == A.layout and again.shape == A.shape
    assert torch.equal(oracle.indices_of(again), oracle.indices_of(A))
    assert torch.equal(oracle.stored_values(again), oracle.stored_values(A))


@pytest.mark.parametrize("kind", matrices.ALL)
def test_gradient_of_values(kind):
    A = matrices.ALL[kind](5, 6, torch.float64).requires_grad_()
    values = tsgu.values(A)
    weight = torch.randn_like(values)
    (gradient,) = torch.autograd.grad((values**3 * weight).sum(), A, create_graph=True)
    assert gradient.layout == A.layout
    assert torch.equal(oracle.indices_of(gradient), oracle.indices_of(A))
    expected = (3 * values**2 * weight).detach()
    on_values = tsgu.values(gradient)
    oracle.assert_close(on_values.detach(), expected)
    (second,) = torch.autograd.grad(on_values.sum(), A, create_graph=True)
    oracle.assert_close(tsgu.values(second).detach(), (6 * values * weight).detach())
    (third,) = torch.autograd.grad(tsgu.values(second).sum(), A)
    oracle.assert_close(tsgu.values(third), 6 * weight)


@pytest.mark.parametrize("kind", matrices.ALL)
def test_a_tensor_used_twice(kind):
    """Gradients of several uses add up, whatever torch makes of their patterns."""
    A = matrices.ALL[kind](5, 6, torch.float64)
    values = tsgu.values(A).clone().requires_grad_()
    if A.layout is torch.sparse_coo:
        B = tsgu.coo(A._indices(), values, A.shape)
    else:
        B = tsgu.csr(A.crow_indices(), A.col_indices(), values, A.shape)
    *items, _, columns = A.shape
    X = torch.randn(*items, columns, 2, dtype=torch.float64)
    result = (tsgu.sparse_mm(B, X) * tsgu.sparse_mm(B, X.cos())).sum() + tsgu.values(B).sum()
    flat = values.detach().reshape(-1).requires_grad_()
    dense = oracle.dense(oracle.indices_of(A), flat, A.shape)
    reference = ((dense @ X) * (dense @ X.cos())).sum() + flat.sum()
    (expected,) = torch.autograd.grad(reference, flat)
    (actual,) = torch.autograd.grad(result, values)
    oracle.assert_close(actual.reshape(-1), expected)


@pytest.mark.parametrize("kind", ["csr64", "coo", "uncoalesced"])
def test_cotangents_that_torch_added(kind):
    A = matrices.ALL[kind](5, 6, torch.float64)
    values = tsgu.values(A).clone().requires_grad_()
    if A.layout is torch.sparse_coo:
        B = tsgu.coo(A._indices(), values, A.shape)
    else:
        B = tsgu.csr(A.crow_indices(), A.col_indices(), values, A.shape)
    cotangent = A.detach() + A.detach()
    (actual,) = torch.autograd.grad(B, values, cotangent)
    if kind == "uncoalesced":
        oracle.assert_close(actual, 2 * tsgu.values(A))
    else:
        oracle.assert_close(actual, oracle.stored_values(cotangent))


def test_cotangents_on_another_pattern_are_refused():
    A = matrices.csr(4, 4, density=0.5)
    values = A.values().clone().requires_grad_()
    B = tsgu.csr(A.crow_indices(), A.col_indices(), values, A.shape)
    with pytest.raises(RuntimeError, match="another pattern"):
        torch.autograd.grad(B, values, torch.eye(4).double().to_sparse_csr())


def test_changes_in_place_are_seen():
    A = matrices.csr(4, 4)
    values = A.values().clone().requires_grad_()
    B = tsgu.csr(A.crow_indices(), A.col_indices(), values, A.shape)
    with torch.no_grad():
        B.values().mul_(2)
    assert torch.equal(tsgu.values(B).detach(), 2 * A.values())


def test_constructors_check_their_arguments():
    positions, coordinates = torch.tensor([0, 1, 2]), torch.tensor([0, 1])
    values = torch.ones(2)
    with pytest.raises(tsgu.PatternError, match="n rows need n"):
        tsgu.csr(positions, coordinates, values, (3, 2))
    with pytest.raises(ValueError, match="do not match"):
        tsgu.csr(positions, coordinates, torch.ones(3), (2, 2))
    with pytest.raises(tsgu.PatternError):
        tsgu.csr(positions, torch.tensor([0, 5]), values, (2, 2))
    with pytest.raises(TypeError, match="int32"):
        tsgu.csr(positions.short(), coordinates.short(), values, (2, 2))
    with pytest.raises(ValueError, match="do not match"):
        tsgu.coo(torch.tensor([[0, 1], [1, 0]]), torch.ones(3), (2, 2))
    with pytest.raises(tsgu.PatternError):
        tsgu.coo(torch.tensor([[0, 2], [1, 0]]), values, (2, 2))
    with pytest.raises(ValueError, match="shape"):
        tsgu.coo(torch.tensor([[0, 1]]), values, (2,))
    with pytest.raises(TypeError):
        tsgu.values([1.0])


def test_coo_flag_says_whether_entries_are_sorted_and_unique():
    values = torch.ones(2)
    for indices, coalesced in [
        ([[0, 1], [1, 0]], True),
        ([[1, 0], [0, 1]], False),
        ([[1, 1], [0, 0]], False),
    ]:
        assert tsgu.coo(torch.tensor(indices), values, (2, 2)).is_coalesced() == coalesced
