"""Sampled products against dense torch, and the logarithm of softmax."""

import pytest
import scipy.sparse
import torch

import matrices
import oracle
import tsgu

KINDS = {**matrices.ALL, **matrices.OTHERS}
DTYPES = [torch.float32, torch.float64, torch.complex128]


def factors(A, p, dtype):
    *items, rows, columns = A.shape
    return (
        torch.randn(*items, rows, p, dtype=dtype, requires_grad=True),
        torch.randn(*items, columns, p, dtype=dtype, requires_grad=True),
    )


@pytest.mark.parametrize("p", [1, 5, 32])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_weighted(kind, dtype, p):
    A = KINDS[kind](8, 6, dtype)
    if A.layout is torch.sparse_coo and not A.is_coalesced():
        A = A.coalesce()
    A = A.detach().requires_grad_()
    U, V = factors(A, p, dtype)
    indices, values = oracle.indices_of(A), oracle.stored_values(A).requires_grad_()
    result = tsgu.sddmm(A, U, V)
    assert result.layout is A.layout and result.shape == A.shape
    expected = values * (U @ V.mT)[tuple(indices)]
    oracle.assert_close(oracle.stored_values(result), expected.detach(), p)
    weight = torch.randn_like(expected)
    found = torch.autograd.grad(
        tsgu.values(result).reshape(-1), (A, U, V), weight, create_graph=True
    )
    wanted = torch.autograd.grad(expected, (values, U, V), weight, create_graph=True)
    oracle.assert_close(oracle.stored_values(found[0]), wanted[0].detach(), p)
    for one, other in zip(found[1:], wanted[1:], strict=True):
        oracle.assert_close(one.detach(), other.detach(), 64)
    again = torch.randn_like(U)
    second = torch.autograd.grad(found[1], (A, V), again)
    second_wanted = torch.autograd.grad(wanted[1], (values, V), again)
    oracle.assert_close(oracle.stored_values(second[0]), second_wanted[0], p)
    oracle.assert_close(second[1], second_wanted[1], 64)


@pytest.mark.parametrize("kind", ["csr32", "csr64", "coo"])
def test_patterns(kind):
    A = matrices.ALL[kind](8, 6, torch.float64)
    pattern = tsgu.Pattern.of(A)
    U, V = factors(A, 4, torch.float64)
    result = tsgu.sddmm(pattern, U, V)
    assert type(result) is tsgu.Matrix
    expected = (U @ V.mT)[tuple(oracle.indices_of(A))]
    oracle.assert_close(result.values.detach(), expected.detach(), 4)
    assert torch.autograd.gradcheck(lambda u, v: tsgu.sddmm(pattern, u, v).values, (U, V))
    assert torch.autograd.gradgradcheck(lambda u, v: tsgu.sddmm(pattern, u, v).values, (U, V))


def test_no_product_of_all_entries_is_made():
    """10,000 x 10,000 would be 800 MB."""
    n = 10_000
    i = torch.arange(n)
    pattern = tsgu.Pattern.coo(torch.stack([i, i.flip(0)]), (n, n), coalesced=True)
    U, V = torch.randn(2, n, 3, dtype=torch.float64)
    oracle.assert_close(tsgu.sddmm(pattern, U, V).values, (U * V.flip(0)).sum(1), 3)


def test_forms_of_matrices():
    A = matrices.ALL["csr64"](5, 4, torch.float64)
    U, V = (x.detach() for x in factors(A, 3, torch.float64))
    wanted = A.to_dense() * (U @ V.T)
    array = scipy.sparse.csr_array(A.to_dense().numpy())
    torch.testing.assert_close(tsgu.sddmm(array, U, V).to_dense(), wanted)
    torch.testing.assert_close(tsgu.sddmm(tsgu.Matrix.of(A), U, V).to_torch().to_dense(), wanted)


def test_refusals():
    A = matrices.ALL["csr64"](5, 4, torch.float64)
    U, V = (x.detach() for x in factors(A, 3, torch.float64))
    with pytest.raises(ValueError, match=r"V should have shape \(4, p\), not \(3, 4\)"):
        tsgu.sddmm(A, U, V.T)
    with pytest.raises(ValueError, match="as many columns, and have 3 and 2"):
        tsgu.sddmm(A, U, V[:, :2])
    with pytest.raises(TypeError, match="U and V"):
        tsgu.sddmm(A, U, None)
    with pytest.raises(ValueError, match="sparse matrix"):
        tsgu.sddmm(A.to_dense(), U, V)
    repeating = tsgu.Pattern.coo(torch.zeros(2, 3, dtype=torch.int64), (5, 4))
    with pytest.raises(ValueError, match="may repeat"):
        tsgu.sddmm(repeating, U, V)


# ===-- Products with vectors -------------------------------------------------===#


@pytest.mark.parametrize("kind", KINDS)
def test_products_with_vectors(kind):
    A = KINDS[kind](8, 6, torch.float64)
    x = torch.randn(*A.shape[:-2], A.shape[-1], dtype=torch.float64)
    dense = oracle.dense(oracle.indices_of(A), oracle.stored_values(A), A.shape)
    oracle.assert_close(tsgu.sparse_mv(A, x), (dense @ x.unsqueeze(-1)).squeeze(-1))


# ===-- The logarithm of softmax ----------------------------------------------===#


@pytest.mark.parametrize("scale", [1, 1e4, 1e8])
@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("kind", KINDS)
def test_log_softmax(kind, dim, scale):
    A = KINDS[kind](8, 6, torch.float64)
    if A.layout is torch.sparse_coo and not A.is_coalesced():
        A = A.coalesce()
    A = (A * scale).detach().requires_grad_()
    indices, values = oracle.indices_of(A), oracle.stored_values(A).requires_grad_()
    result = tsgu.sparse_log_softmax(A, dim)
    stored = oracle.dense(indices, torch.ones_like(values), A.shape) > 0
    matrix = torch.where(stored, oracle.dense(indices, values, A.shape), -torch.inf)
    expected = torch.log_softmax(matrix, dim)[tuple(indices)]
    oracle.assert_close(oracle.stored_values(result), expected.detach())
    weight = torch.randn_like(expected)
    found = torch.autograd.grad(tsgu.values(result).reshape(-1), A, weight)[0]
    (wanted,) = torch.autograd.grad(expected, values, weight)
    oracle.assert_close(oracle.stored_values(found), wanted)
