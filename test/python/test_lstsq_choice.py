"""Where many X minimise: which one it is, and that gradients are those of that one."""

import pytest
import torch
from test_lstsq import close, full_rank

import oracle
import tsgu
from matrices import rebuild, right_side
from tsgu.utils import lsmr

KINDS = ["csr32", "uncoalesced", "ragged coo", "batched csr64"]
DTYPES = [torch.float64, torch.complex128]
EXACT = {"rtol": 1e-14, "on_fail": "ignore"}


def scaled_reference(indices, values, shape, B):
    """The solution whose D^-1 X is smallest, D the inverse norms of A's columns."""
    A = oracle.dense(indices, values, shape)
    squares = (A * A.conj()).real.sum(-2, keepdim=True)
    norms = torch.where(squares > 0, squares, 1.0).sqrt()
    return torch.linalg.pinv(A / norms) @ B / norms.mT


def test_of_one_row():
    A = tsgu.csr(torch.tensor([0, 2]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0]), (1, 2))
    b = torch.ones(1, requires_grad=True)
    x = tsgu.sparse_generic_lstsq(A, b, scale_columns=True)
    torch.testing.assert_close(x.detach(), torch.tensor([0.5, 0.25]))
    assert torch.autograd.grad(x[0], b)[0].item() == pytest.approx(0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_scaled_columns(kind, dtype):
    A = full_rank(kind, 3, 5, dtype)
    indices = oracle.indices_of(A)
    values = oracle.stored_values(A).requires_grad_()
    B = right_side(A).requires_grad_()
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_generic_lstsq(rebuild(A, v), b, scale_columns=True, **EXACT) ** 2,
        lambda v, b: scaled_reference(indices, v, A.shape, b) ** 2,
        (values, B),
        order=2,
        terms=1 << 20,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_scaled_columns_of_any_size(size, dtype):
    A = full_rank("csr64", 3, 5, dtype)
    indices, values = oracle.indices_of(A), oracle.stored_values(A).clone()
    values = values * torch.where(indices[1] == 1, 1e-3, 1.0)
    B = right_side(A)

    def ours(v):
        return tsgu.sparse_generic_lstsq(rebuild(A, v * size), B * size, scale_columns=True)

    def theirs(v):
        return scaled_reference(indices, v, A.shape, B)

    values.requires_grad_()
    actual, expected = ours(values), theirs(values)
    close(actual.detach(), expected.detach(), 2e-3)
    weight = torch.randn_like(expected)
    (left,) = torch.autograd.grad(actual, values, weight)
    (right,) = torch.autograd.grad(expected, values, weight)
    close(left, right, 2e-2)


@pytest.mark.parametrize(
    "rows, columns, damp", [(5, 3, 0.0), (5, 3, 0.7), (4, 4, 0.0), (4, 4, 0.7), (3, 5, 0.7)]
)
def test_scales_change_nothing_else(rows, columns, damp):
    A = full_rank("csr64", rows, columns)
    values, B = oracle.stored_values(A).requires_grad_(), right_side(A).requires_grad_()

    def solve(v, b, scale):
        options = {"scale_columns": scale, "damp": damp, **EXACT}
        return tsgu.sparse_generic_lstsq(rebuild(A, v), b, **options) ** 2

    oracle.assert_same_derivatives(
        lambda v, b: solve(v, b, True),
        lambda v, b: solve(v, b, False),
        (values, B),
        order=2,
        terms=1 << 20,
    )


def test_columns_of_zeros_and_explicit_zeros_have_finite_gradients():
    A = torch.tensor([[1.0, 0, 2, 0], [0, 0, 3, 0]], dtype=torch.float64)
    indices = torch.tensor([[0, 0, 0, 1], [0, 2, 3, 2]])
    values = A[indices[0], indices[1]].requires_grad_()
    x = tsgu.sparse_generic_lstsq(
        tsgu.coo(indices, values, A.shape), A.sum(1), scale_columns=True, **EXACT
    )
    torch.testing.assert_close(A @ x.detach(), A.sum(1))
    assert torch.autograd.grad(x.sum(), values)[0].isfinite().all()


# ===-- lsmr from a guess -----------------------------------------------------===#


def nearest(A, b, x0):
    return x0 + torch.linalg.pinv(A) @ (b - A @ x0)


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_csr, torch.sparse_coo])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, columns", [(5, 3), (4, 4), (3, 5)])
def test_lsmr_is_nearest_to_its_guess(rows, columns, dtype, layout):
    A = full_rank("csr64", rows, columns, dtype)
    indices, values = oracle.indices_of(A), oracle.stored_values(A)
    b, x0 = torch.randn(rows, dtype=dtype), torch.randn(columns, dtype=dtype)

    def ours(v, b, x0):
        if layout is torch.strided:
            matrix = oracle.dense(indices, v, A.shape)
        elif layout is torch.sparse_coo:
            matrix = tsgu.coo(indices, v, A.shape)
        else:
            matrix = rebuild(A, v)
        return lsmr(matrix, b, atol=1e-14, btol=1e-14, x0=x0)[0] ** 2

    oracle.assert_same_derivatives(
        ours,
        lambda v, b, x0: nearest(oracle.dense(indices, v, A.shape), b, x0) ** 2,
        [tensor.clone().requires_grad_() for tensor in (values, b, x0)],
        order=2,
        terms=1 << 20,
    )


def test_lsmr_from_a_guess_under_a_transform():
    A, b = torch.tensor([[1.0, 2.0]], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    x0 = torch.tensor([3.0, -1.0], dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda x0: lsmr(A, b, x0=x0)[0])(x0)
    expected = torch.func.jacrev(lambda x0: nearest(A, b, x0))(x0)
    torch.testing.assert_close(jacobian, expected)
