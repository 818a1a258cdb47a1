"""sparse_mm against dense torch, in every layout, dtype and order of derivative."""

import pytest
import torch

import matrices
import oracle
import tsgu
from matrices import rebuild

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def dense_operand(A, columns, dtype):
    *items, _, inner = A.shape
    return torch.randn(*items, inner, columns, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 3, 16, 33])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_product(kind, columns, dtype):
    A = matrices.ALL[kind](13, 9, dtype)
    B = dense_operand(A, columns, dtype)
    expected = oracle.spmm(oracle.indices_of(A), oracle.stored_values(A), A.shape, B)
    oracle.assert_close(tsgu.sparse_mm(A, B), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_gradients_of_leaves(kind, dtype):
    A = matrices.ALL[kind](8, 6, dtype).requires_grad_()
    B = dense_operand(A, 5, dtype).requires_grad_()
    weight = torch.randn(*A.shape[:-1], 5, dtype=dtype)
    (tsgu.sparse_mm(A, B) * weight).sum().real.backward()

    values = oracle.stored_values(A).requires_grad_()
    dense = B.detach().requires_grad_()
    indices = oracle.indices_of(A)
    (oracle.spmm(indices, values, A.shape, dense) * weight).sum().real.backward()

    assert A.grad.layout == A.layout and A.grad.shape == A.shape
    assert torch.equal(oracle.indices_of(A.grad), indices)
    if A.layout is torch.sparse_csr:
        assert A.grad.crow_indices().dtype == A.crow_indices().dtype
    oracle.assert_close(oracle.stored_values(A.grad), values.grad)
    oracle.assert_close(B.grad, dense.grad)


@pytest.mark.parametrize("kind", matrices.ALL)
def test_third_order_in_values(kind):
    A = matrices.ALL[kind](4, 5, torch.float64)
    values = oracle.stored_values(A).requires_grad_()
    B = dense_operand(A, 3, torch.float64).requires_grad_()
    indices = oracle.indices_of(A)
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_mm(rebuild(A, v), b) ** 2,
        lambda v, b: oracle.spmm(indices, v, A.shape, b) ** 2,
        (values, B),
    )


@pytest.mark.parametrize("kind", matrices.ALL)
def test_third_order_in_leaves(kind):
    """Higher gradients of a sparse leaf, read with tsgu.values."""
    A = matrices.ALL[kind](4, 5, torch.float64).requires_grad_()
    B = dense_operand(A, 3, torch.float64).requires_grad_()
    values = oracle.stored_values(A).requires_grad_()
    dense = B.detach().requires_grad_()
    indices = oracle.indices_of(A)

    def ours():
        return (tsgu.sparse_mm(A, B) ** 3).sum(), A, B

    def reference():
        return (oracle.spmm(indices, values, A.shape, dense) ** 3).sum(), values, dense

    weights = [torch.randn_like(values), torch.randn_like(B)]
    found = []
    for function in (ours, reference):
        scalar, sparse, other = function()
        for _ in range(3):
            gradients = torch.autograd.grad(scalar, (sparse, other), create_graph=True)
            on_values = gradients[0]
            if on_values.layout is not torch.strided:
                assert torch.equal(oracle.indices_of(on_values), indices)
                on_values = tsgu.values(on_values).reshape(-1)
            found.append((on_values.detach(), gradients[1].detach()))
            scalar = (on_values**2 * weights[0]).sum() + (gradients[1] ** 2 * weights[1]).sum()
    for actual, expected in zip(found[:3], found[3:], strict=True):
        scale = [x.abs().max() for x in expected]
        oracle.assert_close(actual[0] / scale[0], expected[0] / scale[0], terms=4096)
        oracle.assert_close(actual[1] / scale[1], expected[1] / scale[1], terms=4096)


@pytest.mark.parametrize("kind", ["csr32", "coo", "ragged coo", "batched csr64"])
@pytest.mark.parametrize("which", ["A", "B"])
def test_only_the_gradient_asked_for(kind, which):
    A = matrices.ALL[kind](7, 6, torch.float64)
    B = dense_operand(A, 4, torch.float64)
    (A if which == "A" else B).requires_grad_()
    result = tsgu.sparse_mm(A, B)
    gradient = torch.autograd.grad(result, A if which == "A" else B, torch.ones_like(result))[0]
    values = oracle.stored_values(A).requires_grad_()
    dense = B.detach().requires_grad_()
    reference = oracle.spmm(oracle.indices_of(A), values, A.shape, dense)
    expected = torch.autograd.grad(
        reference, values if which == "A" else dense, torch.ones_like(reference)
    )[0]
    actual = oracle.stored_values(gradient) if which == "A" else gradient
    oracle.assert_close(actual, expected)


def test_saves_only_what_backward_reads():
    A = matrices.csr(50, 50, torch.float32)
    B = torch.randn(50, 8, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        tsgu.sparse_mm(A, B)
        assert [x.data_ptr() for x in saved] == [A.values().data_ptr()]
        saved.clear()
        tsgu.sparse_mm(A.detach().requires_grad_(), B.detach())
        assert [x.data_ptr() for x in saved] == [B.data_ptr()]


def test_changed_operands_are_noticed():
    A = matrices.csr(5, 5).requires_grad_()
    B = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    result = tsgu.sparse_mm(A, B)
    with torch.no_grad():
        A.values().mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (4, 4)])
@pytest.mark.parametrize("columns", [0, 3])
def test_empty(shape, columns):
    empty = torch.zeros(shape, dtype=torch.float64)
    for A in (empty.to_sparse_csr(), empty.to_sparse_coo()):
        A.requires_grad_()
        B = torch.randn(shape[1], columns, dtype=torch.float64, requires_grad=True)
        result = tsgu.sparse_mm(A, B)
        assert torch.equal(result, torch.zeros(shape[0], columns, dtype=torch.float64))
        result.sum().backward()
        assert A.grad.layout == A.layout and A.grad._nnz() == 0
        assert torch.equal(B.grad, torch.zeros_like(B))


def test_operands_with_strides():
    A = matrices.csr(6, 7)
    base = torch.randn(9, 7, 14, dtype=torch.float64)
    operands = [
        base[0].T[:7, :5],
        base[0][:, ::2],
        base[0][:, 3:6],
        base[:1, :1, :4][0].expand(7, 4),
        base[0, 0, :1].expand(7, 3),
        base.permute(1, 2, 0)[:, :, 2],
    ]
    for B in operands:
        B = B.detach().requires_grad_()
        result = tsgu.sparse_mm(A, B)
        oracle.assert_close(result.detach(), A.to_dense() @ B.detach())
        weight = torch.randn(result.shape[::-1], dtype=torch.float64).T
        (gradient,) = torch.autograd.grad(result, B, weight)
        oracle.assert_close(gradient, A.to_dense().T @ weight)


def test_uncoalesced_gradient_has_an_entry_for_each_duplicate():
    A = torch.sparse_coo_tensor([[1, 0, 1], [2, 0, 2]], [1.0, 2.0, 3.0], (2, 3)).requires_grad_()
    B = torch.arange(6.0).view(3, 2)
    tsgu.sparse_mm(A, B).sum().backward()
    assert A.grad._nnz() == 3
    assert A.grad._values().tolist() == [9.0, 1.0, 9.0]


def test_apply_of_the_function():
    A = matrices.csr(4, 5).requires_grad_()
    B = torch.randn(5, 2, dtype=torch.float64)
    oracle.assert_close(tsgu.SparseMatMul.apply(A, B).detach(), A.detach().to_dense() @ B)
    assert issubclass(tsgu.SparseMatMul, torch.autograd.Function)


def test_training_reduces_the_loss():
    """An optimizer writes the values in place: the pattern is found again, not rebuilt."""
    A = matrices.csr(20, 20, torch.float32).requires_grad_()
    B = torch.randn(20, 4)
    target = torch.randn(20, 4)
    optimizer = torch.optim.SGD([A], lr=0.01)
    losses = []
    for step in range(20):
        if step == 2:
            built = tsgu.show_config()["pattern cache misses"]
        optimizer.zero_grad()
        loss = ((tsgu.sparse_mm(A, B) - target) ** 2).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert tsgu.show_config()["pattern cache misses"] == built
