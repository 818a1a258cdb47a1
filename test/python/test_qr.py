"""Least squares by QR: what it shares, ranks, and what it refuses."""

import pytest
import torch

import oracle
import tsgu
from matrices import right_side

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]
SHAPES = [(9, 5), (5, 9), (6, 6)]


def factorizations():
    return tsgu.show_config()["factorizations"]


def random(rows, columns, dtype=torch.float64, items=()):
    stored = torch.rand(rows, columns) < 0.4
    stored.diagonal().fill_(True)
    A = torch.randn(*items, rows, columns, dtype=dtype) * stored
    A.diagonal(dim1=-2, dim2=-1).add_(3)
    return A


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows,columns", SHAPES)
def test_an_object_with_solves_and_their_gradients(rows, columns, dtype):
    A = random(rows, columns, dtype).to_sparse_csr()
    factors = tsgu.factorize(A, "qr")
    assert factors.method == "qr" and factors.shape == A.shape and factors.rank() == min(A.shape)
    before = factorizations()

    def reference(indices, values, shape, B):
        return torch.linalg.pinv(oracle.dense(indices, values, shape)) @ B

    pairs = oracle.with_gradients(
        lambda A, B: tsgu.factorize(A, "qr").solve(B), reference, A, right_side(A)
    )
    for actual, expected in pairs:
        oracle.assert_close(actual, expected, terms=1 << 12)
    assert factorizations() == before
    b = torch.randn(rows, dtype=dtype)
    expected = torch.linalg.pinv(A.to_dense()) @ b
    oracle.assert_close(factors.solve(b), expected, terms=1 << 12)


@pytest.mark.parametrize("rows,columns", SHAPES)
def test_batches_item_by_item(rows, columns):
    A = random(rows, columns, items=(4,))
    A[2, :, 0] = A[2, :, 1] if rows >= columns else A[2, :, 0]
    A[2, 0] = A[2, 1] if rows < columns else A[2, 0]
    ranks = (min(rows, columns),) * 2 + (min(rows, columns) - 1, min(rows, columns))
    B = torch.randn(4, rows, 2, dtype=torch.float64)
    expected = torch.linalg.pinv(A) @ B
    ragged = A.to_sparse()
    assert tsgu.factorize(ragged, "qr").rank() == ranks
    X, info = tsgu.sparse_generic_lstsq(ragged, B, "qr", return_info=True)
    oracle.assert_close(X, expected, terms=1 << 12)
    assert tuple(one.rank for one in info.factors) == ranks
    full = tsgu.Matrix.of(torch.ones(rows, columns, dtype=torch.float64).to_sparse_csr())
    batch = tsgu.Matrix(full.pattern, A.flatten(1))
    factors = tsgu.factorize(batch, "qr")
    assert factors.rank() == ranks
    oracle.assert_close(factors.solve(B), expected, terms=1 << 12)


def test_one_factorisation_for_gradients_of_every_order():
    A = random(11, 7).to_sparse_csr().requires_grad_()
    B = right_side(A).requires_grad_()
    before = factorizations()
    X, info = tsgu.sparse_generic_lstsq(A, B, "qr", return_info=True)
    first = torch.autograd.grad(X.square().sum(), B, create_graph=True)[0]
    torch.autograd.grad(first.square().sum(), (A, B))
    assert factorizations() == before + 1
    assert info.factors.rank == 7 and info.factors.entries > 0 and info.factors.flops is None
    _, R = torch.linalg.qr(A.detach().to_dense())
    condition = torch.linalg.cond(R, 1).item()
    assert 0.1 / condition <= info.factors.rcond <= 10 / condition  # of another order of columns


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("rows,columns", [(30, 20), (20, 30)])
def test_ranks(rows, columns, scale):
    for rank in (1, 7, 19):
        dense = torch.randn(rows, rank).double() @ torch.randn(rank, columns).double() * scale
        A, B = dense.to_sparse_csr(), torch.randn(rows, 2, dtype=torch.float64)
        X, info = tsgu.sparse_generic_lstsq(A, B, "qr", return_info=True)
        assert info.converged and info.factors.rank == rank
        expected = torch.linalg.pinv(dense, rtol=1e-10) @ B
        torch.testing.assert_close(X * scale, expected * scale, rtol=1e-9, atol=1e-9)
        X = tsgu.sparse_generic_lstsq(A.requires_grad_(), B, "qr")
        with pytest.raises(tsgu.SingularMatrixError, match=f"of rank {rank}"):
            X.sum().backward()


def test_badly_conditioned_in_single_precision():
    """As accurate as the condition allows."""
    scale = torch.logspace(0, -4, 40, dtype=torch.float64)
    A = (random(60, 40) * scale).float()
    b = (A.double() @ torch.ones(40, dtype=torch.float64)).float()
    X, info = tsgu.sparse_generic_lstsq(A.to_sparse_csr(), b, "qr", return_info=True)
    expected = torch.linalg.pinv(A.double()) @ b.double()
    error = torch.linalg.norm(X.double() - expected) / torch.linalg.norm(expected)
    assert info.converged and error <= 10 * 2**-23 * torch.linalg.cond(A.double())


def test_what_it_refuses():
    A, B = random(5, 3).to_sparse_csr(), torch.ones(5, 2, dtype=torch.float64)
    for option in ({"damp": 0.1}, {"scale_columns": True}, {"maxiter": 3}, {"callback": print}):
        with pytest.raises(ValueError, match=f"'qr' takes no {next(iter(option))}"):
            tsgu.sparse_generic_lstsq(A, B, "qr", **option)
        with pytest.raises(ValueError, match=f"'qr' takes no {next(iter(option))}"):
            tsgu.sparse_generic_lstsq(A.mT.to_sparse_csr(), B[:3], "qr", **option)
    with pytest.raises(ValueError, match="takes no transpose_lstsq"):
        tsgu.sparse_generic_lstsq(A, B, "qr", lambda A, G: G)
    with pytest.raises(ValueError, match="takes no uplo"):
        tsgu.factorize(A, "qr", uplo="lower")
    with pytest.raises(ValueError, match="must be square"):
        tsgu.factorize(A, "lu")
    broken = A.clone()
    broken.values()[0] = torch.nan
    for call in (
        lambda: tsgu.factorize(broken, "qr"),
        lambda: tsgu.sparse_generic_lstsq(broken, B, "qr"),
    ):
        with pytest.raises(ValueError, match="qr: the matrix has row 0, column 0: nan"):
            call()
    with pytest.warns(tsgu.ConvergenceWarning, match="QR met NaN or infinity"):
        tsgu.sparse_generic_lstsq(A, B * torch.inf, "qr")


@pytest.mark.parametrize("rows,columns", SHAPES)
def test_what_the_object_does_not_do(rows, columns):
    A = random(rows, columns).to_sparse_csr()
    factors = tsgu.factorize(A, "qr")
    B = torch.ones(rows, dtype=torch.float64)
    calls = (factors.logdet, factors.slogdet, factors.selected_inverse, factors.diag_inverse)
    calls += tuple(lambda f=f: f(B) for f in (factors.half_solve, factors.solve_transposed))
    for call in (*calls, factors.sample):
        with pytest.raises(ValueError, match="'qr' has solve and rank"):
            call()


def test_new_values_on_one_pattern():
    A = random(9, 5).to_sparse_csr()
    factors = tsgu.factorize(A, "qr")
    B = right_side(A)
    other = factors.update(A.values() * 2)
    oracle.assert_close(other.solve(B) * 2, factors.solve(B), terms=1 << 8)


def test_under_vmap_and_in_graphs():
    A = random(9, 5).to_sparse_csr()
    pattern, B = tsgu.Pattern.of(A), right_side(A)
    values = torch.stack([A.values(), A.values() * 2, A.values().flip(0)])

    def solve(values):
        return tsgu.sparse_generic_lstsq(tsgu.Matrix(pattern, values), B, "qr")

    expected = torch.stack([solve(one) for one in values])
    oracle.assert_close(torch.func.vmap(solve)(values), expected, terms=1 << 10)
    compiled = torch.compile(solve, fullgraph=True, backend="aot_eager")
    oracle.assert_close(compiled(values[0]), expected[0], terms=1 << 10)
