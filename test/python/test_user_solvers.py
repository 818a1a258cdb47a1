"""Solvers that users bring: their results and derivatives, and what they are given."""

import pytest
import torch
from solve_tools import assert_exact_gradients, assert_gradients, lapack, lapack_adjoint

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side
from tsgu.utils import bicgstab, gmres, linear_cg

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


@pytest.mark.parametrize("adjoint", [None, lapack_adjoint])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_every_layout_and_dtype(kind, dtype, adjoint):
    A = matrices.invertible(kind, 7, dtype)
    assert_exact_gradients(A, right_side(A), lapack, adjoint)
    if kind in ("csr32", "ragged coo"):
        b = right_side(A, 1).squeeze(-1)
        x = tsgu.sparse_generic_solve(A, b, lambda A, b: lapack(A, b.unsqueeze(-1)).squeeze(-1))
        oracle.assert_close(x, lapack(A, b.unsqueeze(-1)).squeeze(-1), terms=1 << 12)


@pytest.mark.parametrize("transpose", [None, lapack_adjoint, gmres, "bicgstab"])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_callables(kind, transpose):
    A = matrices.invertible(kind, 8)
    assert_gradients(
        lambda A, B: tsgu.sparse_generic_solve(A, B, lapack, transpose), A, right_side(A, 3)
    )


@pytest.mark.parametrize("callables", [(lapack,), (lapack, lapack_adjoint)])
@pytest.mark.parametrize("kind", ["csr64", "uncoalesced"])
def test_gradgradcheck(kind, callables):
    for dtype in (torch.float64, torch.complex128):
        A = matrices.invertible(kind, 2, dtype)
        operands = oracle.stored_values(A).requires_grad_(), right_side(A, 1).requires_grad_()

        def solve(v, b, A=A):
            return tsgu.sparse_generic_solve(rebuild(A, v), b, *callables)

        assert torch.autograd.gradcheck(solve, operands, fast_mode=True)
        assert torch.autograd.gradgradcheck(solve, operands, fast_mode=True)


@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "ragged coo"])
def test_second_derivatives_of_callables(kind):
    A = matrices.invertible(kind, 4)
    values = oracle.stored_values(A).requires_grad_()
    B = right_side(A, 2).requires_grad_()
    indices = oracle.indices_of(A)
    for transpose in (None, lapack_adjoint):
        oracle.assert_same_derivatives(
            lambda v, b, t=transpose: tsgu.sparse_generic_solve(rebuild(A, v), b, lapack, t) ** 2,
            lambda v, b: oracle.solve(indices, v, A.shape, b) ** 2,
            (values, B),
            order=3,
            terms=1 << 16,
        )


@pytest.mark.parametrize("kind", ["csr32", "ragged coo"])
def test_second_derivatives_of_complex_ones(kind):
    A = matrices.invertible(kind, 4, torch.complex128)
    indices = oracle.indices_of(A)
    operands = oracle.stored_values(A).requires_grad_(), right_side(A).requires_grad_()
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_generic_solve(rebuild(A, v), b, lapack, lapack_adjoint).abs() ** 2,
        lambda v, b: torch.linalg.solve(oracle.dense(indices, v, A.shape), b).abs() ** 2,
        operands,
        order=2,
        terms=1 << 16,
    )


def test_vmap_of_callables():
    A = matrices.invertible("csr64", 5)
    batch = torch.randn(3, 5, 2, dtype=torch.float64)
    pattern, values = tsgu.Pattern.of(A), A.values()

    def solve(b):
        return tsgu.sparse_generic_solve(A, b, lapack)

    expected = torch.linalg.solve(A.to_dense(), batch)
    oracle.assert_close(torch.func.vmap(solve)(batch), expected, terms=1024)
    assert pattern.entries == values.numel()


# ===-- What they are given -------------------------------------------------===#


def test_what_callables_are_given():
    A = matrices.invertible("csr32", 5).requires_grad_()
    b = torch.randn(5, dtype=torch.float64, requires_grad=True)
    seen = []

    def solve(A, B, factor, tol=None):
        seen.append((A.layout, A.shape, A.col_indices().dtype, B.shape, factor, tol))
        return factor * torch.linalg.solve(A.to_dense(), B)

    x = tsgu.sparse_generic_solve(A, b, solve, factor=1.0, tol=3)
    x.sum().backward()
    expected = (torch.sparse_csr, (5, 5), torch.int32, (5,), 1.0, 3)
    assert len(seen) > 1 and all(call == expected for call in seen)
    X = tsgu.SparseGenericSolve.apply(A, b, solve, None, {"factor": 1.0})
    assert torch.equal(X, x)
    # Options of ours go to the callable that asks for them.
    tsgu.sparse_generic_solve(A, b, lambda A, B, rtol, maxiter: B, rtol=1.0, maxiter=7)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_the_adjoint_is_a_solve_with_the_adjoint_matrix(kind, dtype):
    A = matrices.invertible(kind, 5, dtype).requires_grad_()
    B = right_side(A).requires_grad_()
    seen = []

    def solve(A, B):
        assert not A.requires_grad and not B.requires_grad and B.is_contiguous()
        assert not A.is_conj() and not B.is_conj() and A.dtype == B.dtype == dtype
        seen.append(A)
        return lapack(A, B)

    X = tsgu.sparse_generic_solve(A, B, solve)
    count, forward = len(seen), [M.to_dense() for M in seen]
    assert all(M.layout == A.layout and M.shape == A.shape[-2:] for M in seen)
    dense = A.detach().to_dense()
    items = dense if dense.dim() == 3 else dense.unsqueeze(0)
    for left, right in zip(forward, items, strict=True):
        oracle.assert_close(left, right)
    gradient = torch.autograd.grad(X, (A, B), torch.randn_like(X))
    assert len(seen) == 2 * count and gradient[0].layout == A.layout
    for M, right in zip(seen[count:], items, strict=True):
        assert M.layout == A.layout
        oracle.assert_close(M.to_dense(), right.mH.resolve_conj())


def test_an_explicit_adjoint_is_called_with_the_matrix_itself():
    A = matrices.invertible("csr64", 5, torch.complex128).requires_grad_()
    b = torch.randn(5, dtype=torch.complex128, requires_grad=True)
    seen = []

    def adjoint(A, B, factor):
        seen.append((A.to_dense(), B.shape, factor))
        return torch.linalg.solve(A.to_dense().mH, B)

    def solve(A, B, factor):
        return lapack(A, B)

    x = tsgu.sparse_generic_solve(A, b, solve, adjoint, factor=3)
    assert not seen
    first = torch.autograd.grad((x.abs() ** 2).sum(), b, create_graph=True)[0]
    oracle.assert_close(seen[0][0], A.detach().to_dense())
    assert seen[0][1:] == ((5,), 3)
    torch.autograd.grad((first.abs() ** 2).sum(), (A, b))


def test_only_the_adjoint_is_given():
    A = matrices.invertible("csr64", 6)
    for solve, adjoint in (
        (None, lambda A, B, rtol: lapack_adjoint(A, B)),
        (None, "gmres"),
        (None, "bicgstab"),
        ("gmres", gmres),
        (gmres, lambda A, B, rtol: gmres(A.to_dense().mT, B, rtol=rtol)),
    ):
        assert_exact_gradients(A, right_side(A), solve, adjoint, rtol=1e-14, on_fail="ignore")


def test_functions_of_ours_with_their_own_arguments():
    A = matrices.invertible("csr64", 12)
    A = A.to_dense()
    A = (A @ A.T + torch.eye(12)).to_sparse_csr()
    b = torch.randn(12, dtype=torch.float64)
    inverse = torch.diag(1 / A.to_dense().diagonal())
    expected = torch.linalg.solve(A.to_dense(), b)
    for options in (
        {"preconditioner": inverse},
        {"preconditioner": lambda V: inverse @ V},
        {"preconditioner": "jacobi"},
        {"tolerance": 1e-10, "max_iter": 50, "preconditioner": inverse.to_sparse_csr()},
    ):
        leaf = b.clone().requires_grad_()
        x = tsgu.sparse_generic_solve(A, leaf, linear_cg, **options)
        torch.testing.assert_close(x.detach(), expected, rtol=1e-6, atol=1e-6)
        (gradient,) = torch.autograd.grad(x.sum(), leaf)
        reference = torch.linalg.solve(A.to_dense(), torch.ones_like(b))
        torch.testing.assert_close(gradient, reference, rtol=1e-6, atol=1e-6)
    settings = tsgu.utils.BICGSTABSettings(precon=inverse)
    x = tsgu.sparse_generic_solve(A, b, bicgstab, settings=settings)
    torch.testing.assert_close(x, expected, rtol=1e-6, atol=1e-6)


def test_the_callers_tensors_stay_as_they_are():
    A, kept = matrices.invertible("csr64", 5), []
    B = right_side(A)
    values, b = A.values().clone(), B.clone()

    def rude(A, B):
        kept.append((A, B))
        X = lapack(A, B)
        A.values().fill_(torch.nan)
        B.fill_(torch.nan)
        return X

    X = tsgu.sparse_generic_solve(A.requires_grad_(), B.requires_grad_(), rude)
    X.sum().backward()
    assert torch.equal(A.detach().values(), values) and torch.equal(B.detach(), b)
    oracle.assert_close(X.detach(), lapack(A.detach(), b), terms=1 << 12)
    # What they return may be what they got, or be written to later.
    mine = []

    def identity(A, B):
        mine.append(B)
        return B

    X = tsgu.sparse_generic_solve(A.detach(), b, identity)
    mine[0].zero_()
    assert torch.equal(X, b)


def test_kept_tensors_stay_valid():
    kept = []

    def solve(A, B):
        kept.append((A, B))
        return torch.linalg.solve(A.to_dense(), B)

    A = matrices.invertible("coo", 5)
    B = right_side(A, 3)
    tsgu.sparse_generic_solve(A, B.clone(), solve)
    for _ in range(20):
        tsgu.sparse_generic_solve(A, torch.randn_like(B), lapack)
    assert torch.equal(kept[0][1], B) and torch.equal(kept[0][0].to_dense(), A.to_dense())
