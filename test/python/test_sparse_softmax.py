"""sparse_softmax against dense torch and torch.sparse.softmax."""

import pytest
import torch

import matrices
import oracle
import tsgu


def canonical(A):
    """A coalesced COO tensor of the same matrix, by torch."""
    return A.detach().to_sparse_coo().coalesce() if A.layout is torch.sparse_coo else A.detach()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_softmax(kind, dim, dtype):
    A = matrices.ALL[kind](7, 6, dtype)
    result = tsgu.sparse_softmax(A, dim)
    indices = oracle.indices_of(canonical(A))
    values = oracle.stored_values(canonical(A))
    assert result.layout == A.layout and result.shape == A.shape
    assert torch.equal(oracle.indices_of(result), indices)
    expected = oracle.softmax(indices, values, A.shape, dim)
    oracle.assert_close(oracle.stored_values(result), expected)
    again = tsgu.sparse_softmax(A, dim % A.dim())
    assert torch.equal(oracle.stored_values(again), oracle.stored_values(result))


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_third_order(kind, dim):
    A = matrices.ALL[kind](4, 4, torch.float64)
    values = oracle.stored_values(A).requires_grad_()
    given, merged = oracle.indices_of(A), oracle.indices_of(canonical(A))

    def ours(values):
        if A.layout is torch.sparse_coo:
            sparse = tsgu.coo(A._indices(), values, A.shape)
        else:
            shape = A.col_indices().shape
            sparse = tsgu.csr(A.crow_indices(), A.col_indices(), values.view(shape), A.shape)
        return tsgu.values(tsgu.sparse_softmax(sparse, dim)).reshape(-1) ** 2

    def reference(values):
        matrix = oracle.dense(given, values, A.shape)
        return oracle.softmax(merged, matrix[tuple(merged)], A.shape, dim) ** 2

    oracle.assert_same_derivatives(ours, reference, (values,))


@pytest.mark.parametrize("kind", matrices.ALL)
def test_gradient_of_a_leaf(kind):
    A = matrices.ALL[kind](6, 5, torch.float64).requires_grad_()
    result = tsgu.sparse_softmax(A, -1)
    weight = torch.randn_like(oracle.stored_values(result))
    (tsgu.values(result).reshape(-1) * weight).sum().backward()
    values = oracle.stored_values(A).requires_grad_()
    matrix = oracle.dense(oracle.indices_of(A), values, A.shape)
    merged = oracle.indices_of(result)
    reference = oracle.softmax(merged, matrix[tuple(merged)], A.shape, -1)
    (expected,) = torch.autograd.grad((reference * weight).sum(), values)
    assert A.grad.layout == A.layout
    assert torch.equal(oracle.indices_of(A.grad), oracle.indices_of(A))
    oracle.assert_close(oracle.stored_values(A.grad), expected)


def test_attention():
    """Softmax, then a product: the gradient of the result's own layout flows back."""
    A = matrices.csr(6, 6).requires_grad_()
    B = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    tsgu.sparse_mm(tsgu.sparse_softmax(A, -1), B).sin().sum().backward()
    values = oracle.stored_values(A).requires_grad_()
    dense = B.detach().requires_grad_()
    indices = oracle.indices_of(A)
    weights = oracle.softmax(indices, values, A.shape, -1)
    oracle.spmm(indices, weights, A.shape, dense).sin().sum().backward()
    oracle.assert_close(oracle.stored_values(A.grad), values.grad)
    oracle.assert_close(B.grad, dense.grad)


@pytest.mark.parametrize("dim", [0, 1])
def test_special_values_as_torch(dim):
    """Also beside +inf, where torch gives NaN to all entries: the others are 0 here."""
    inf, nan = torch.inf, torch.nan
    matrix = [
        [1.0, inf, 2.0],
        [nan, 1.0, 2.0],
        [-inf, -inf, 3.0],
        [-inf, 1e308, -1e308],
        [-inf, -inf, -inf],
        [800.0, -800.0, 0.0],
    ]
    matrix = torch.tensor(matrix, dtype=torch.float64)
    indices = torch.ones(6, 3).nonzero().T.contiguous()
    A = torch.sparse_coo_tensor(indices, matrix.reshape(-1), (6, 3), is_coalesced=True)
    expected = torch.sparse.softmax(A, dim)._values()
    beside_inf = ((matrix == inf).any(dim, keepdim=True) & (matrix < inf)).reshape(-1)
    assert expected[beside_inf].isnan().all()
    expected[beside_inf] = 0
    oracle.assert_close(tsgu.sparse_softmax(A, dim)._values(), expected)


def test_empty_rows_take_no_part():
    A = torch.sparse_csr_tensor([0, 0, 2, 2], [0, 2], [1.0, 1.0], (3, 3)).requires_grad_()
    result = tsgu.sparse_softmax(A, 1)
    assert result.values().tolist() == [0.5, 0.5]
    tsgu.values(result).sum().backward()
    assert A.grad.values().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3, 3)])
def test_nothing_stored(shape):
    for A in (torch.zeros(shape).to_sparse_csr(), torch.zeros(shape).to_sparse_coo()):
        for dim in (0, 1):
            result = tsgu.sparse_softmax(A, dim)
            assert result.shape == A.shape and result.layout == A.layout and result._nnz() == 0


def test_repeated_columns_have_no_softmax():
    A = torch.sparse_csr_tensor(
        [0, 2], [1, 1], torch.tensor([1.0, 2.0]), (1, 3), check_invariants=False
    )
    with pytest.raises(tsgu.PatternError, match="more than once"):
        tsgu.sparse_softmax(A, 1)
