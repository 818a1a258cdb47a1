"""What the functions of tsgu.utils that iterate have of their own, lsmr, outcomes, arguments."""

import inspect
import itertools
import sys

import pytest
import torch
from krylov_tools import ALL, FORMS, assert_near, definite, matrix_for, strictly

import tsgu
from tsgu import utils
from tsgu.utils import bicgstab, linear_cg, lsmr, minres
from tsgu.utils.bicgstab import BICGSTABSettings
from tsgu.utils.linear_cg import LinearCGSettings
from tsgu.utils.minres import MINRESSettings

# ===-- Methods of their own -----------------------------------------------------===#


@pytest.mark.parametrize("form", FORMS)
def test_lanczos_matrices(form):
    """Of n steps: similar to A on the Krylov space of each column."""
    A = definite(6)
    rhs = torch.randn(6, 3, dtype=torch.float64)
    operator = FORMS[form](A)
    x, T = linear_cg(operator, rhs, n_tridiag=2, max_iter=20, max_tridiag_iter=4, tolerance=1e-12)
    assert_near(x, torch.linalg.solve(A, rhs))
    assert T.shape == (2, 4, 4)
    for column in range(2):
        basis = torch.linalg.qr(
            torch.stack([torch.linalg.matrix_power(A, k) @ rhs[:, column] for k in range(4)], 1)
        )[0]
        signs = torch.ones(4, dtype=torch.float64)
        expected = basis.T @ A @ basis
        for k in range(3):
            signs[k + 1] = signs[k] * (expected[k, k + 1] * T[column, k, k + 1]).sign()
        assert_near(T[column], signs.unsqueeze(1) * expected * signs, 1e-6)
    batch = torch.randn(2, 6, 3, dtype=torch.float64)
    x, T = linear_cg(operator, batch, n_tridiag=3, max_iter=20, max_tridiag_iter=4, tolerance=0.5)
    assert x.shape == batch.shape and T.shape == (3, 2, 4, 4)


@pytest.mark.parametrize("form", FORMS)
def test_shifts_of_minres(form):
    A = definite() - 3 * torch.eye(12, dtype=torch.float64)
    operator = FORMS[form](A)
    eye = torch.eye(12, dtype=torch.float64)
    shifts = torch.tensor([0.5, -1.0, 4.0], dtype=torch.float64)
    for shape in ((12,), (12, 2), (2, 12, 2)):
        rhs = torch.randn(shape, dtype=torch.float64)
        wide = rhs.unsqueeze(-1) if rhs.dim() == 1 else rhs
        x = minres(operator, rhs, shifts=shifts, value=2.0)
        assert x.shape == (3, *shape)
        for k, shift in enumerate(shifts):
            expected = torch.linalg.solve(2 * A + shift * eye, wide)
            assert_near(x[k], expected.squeeze(-1) if rhs.dim() == 1 else expected)
        assert minres(operator, rhs, shifts=shifts[:1]).shape == rhs.shape
        assert_near(minres(operator, rhs, value=-1), -minres(operator, rhs))


def test_shifts_beside_a_preconditioner():
    A = torch.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    b, eye = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    shifts = torch.tensor([2.0, 0.5], dtype=torch.float64)
    for form, M in itertools.product(FORMS, (eye, eye.to_sparse_csr(), lambda V: V.clone())):
        leaf = b.clone().requires_grad_()
        for value in (1.0, 3.0):
            x = minres(FORMS[form](A), leaf, shifts=shifts, value=value, preconditioner=M)
            expected = [torch.linalg.solve(value * A + shift * eye, b) for shift in shifts]
            assert_near(x.detach(), torch.stack(expected))
            (gradient,) = torch.autograd.grad(x[0].sum(), leaf)
            assert_near(gradient, torch.linalg.solve(value * A + shifts[0] * eye, 0 * b + 1))
        x = minres(FORMS[form](A), b, value=3.0, preconditioner=M)
        assert_near(x, torch.linalg.solve(3 * A, b))


def test_gradients_of_shifts():
    A = definite().to_sparse_csr().requires_grad_()
    rhs = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    shifts = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    value = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    x = minres(A, rhs, shifts=shifts, value=value)
    weight = torch.randn_like(x)
    actual = torch.autograd.grad(x, (A, rhs, shifts, value), weight)
    dense = A.detach().to_dense().requires_grad_()
    eye = torch.eye(12, dtype=torch.float64)
    y = torch.linalg.solve(value * dense + shifts.view(-1, 1, 1) * eye, rhs)
    expected = torch.autograd.grad(y, (dense, rhs, shifts, value), weight)
    assert_near(actual[0].to_dense(), expected[0], 1e-5)
    for left, right in zip(actual[1:], expected[1:], strict=True):
        assert_near(left, right, 1e-5)
    closure = minres(lambda V: A.detach() @ V, rhs, shifts=shifts.detach(), value=3.0)
    (gradient,) = torch.autograd.grad(closure, rhs, weight)
    assert_near(gradient, expected[1], 1e-5)


@pytest.mark.parametrize("form", [*FORMS, "functions"])
@pytest.mark.parametrize("shape", [(12, 7), (7, 12), (8, 8)])
@pytest.mark.parametrize("damp", [0.0, 0.7])
def test_lsmr(shape, damp, form):
    A = torch.randn(shape, dtype=torch.float64) + 3 * torch.eye(*shape, dtype=torch.float64)
    b = torch.randn(shape[0], dtype=torch.float64)
    extended = torch.cat([A, damp * torch.eye(shape[1], dtype=torch.float64)])
    expected = torch.linalg.pinv(extended)[:, : shape[0]] @ b
    options = {"damp": damp, "atol": 1e-10, "btol": 1e-10}
    if form in ("bound", "closure", "functions"):
        x, iterations = lsmr(A.matmul, b, Armat=A.T.matmul, n=shape[1], **options)
    else:
        x, iterations = lsmr(FORMS[form](A), b, **options)
    assert_near(x, expected)
    assert 0 < iterations < 200
    if form in ("dense", "csr"):
        again, few = lsmr(FORMS[form](A), b.unsqueeze(1), x0=x, **options)
        assert_near(again, expected) if damp or shape[0] >= shape[1] else None
        assert few <= iterations


def test_gradients_of_lsmr():
    A = torch.randn(9, 5, dtype=torch.float64)
    b = torch.randn(9, dtype=torch.float64)
    leaves = A.clone().requires_grad_(), b.clone().requires_grad_()
    (lsmr(*leaves)[0] ** 2).sum().backward()
    others = A.clone().requires_grad_(), b.clone().requires_grad_()
    ((torch.linalg.pinv(others[0]) @ others[1]) ** 2).sum().backward()
    for left, right in zip(leaves, others, strict=True):
        assert_near(left.grad, right.grad, 1e-5)


# ===-- Old settings, outcomes, arguments -----------------------------------------===#


def test_tolerances():
    A = definite(60).to_sparse_csr()
    rhs = torch.randn(60, 2, dtype=torch.float64)
    loose = MINRESSettings(minres_tolerance=1e-1)  # of updates, in the library that had it
    solves = [
        (lambda: minres(A, rhs, settings=loose), 1e-8),
        (lambda: linear_cg(A, rhs), 1e-5),
        (lambda: linear_cg(A, rhs, tolerance=1e-12), 1e-12),
        (lambda: bicgstab(A, rhs), 1e-6),
        (lambda: bicgstab(A, rhs, settings=BICGSTABSettings(reltol=1e-12, abstol=0)), 1e-12),
    ]
    for solve, tolerance in solves:
        residual = torch.linalg.norm(A.to_dense() @ solve() - rhs, dim=0)
        assert (residual <= 1.001 * tolerance * torch.linalg.norm(rhs, dim=0)).all()


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e300])
@pytest.mark.parametrize("function", ALL)
def test_scales(function, size):
    A, rhs = matrix_for(function), torch.randn(12, 2, dtype=torch.float64)
    function = strictly(function)
    for form in ("dense", "closure"):
        assert_near(function(FORMS[form](A), rhs * size) / size, torch.linalg.solve(A, rhs))
        assert torch.equal(function(FORMS[form](A), rhs * 0), rhs * 0)


def test_warning_of_linear_cg():
    A, rhs = definite(40), torch.randn(40, dtype=torch.float64)
    for operator in (A, lambda V: A @ V):
        with pytest.warns(UserWarning, match="^CG terminated in 3 iterations"):
            linear_cg(operator, rhs, max_iter=3)
    with pytest.warns(tsgu.ConvergenceWarning):
        bicgstab(A, rhs, settings=BICGSTABSettings(matvec_max=4))


def test_runtime_errors():
    A, rhs = definite(), torch.randn(12, dtype=torch.float64)
    for function in ALL:
        with pytest.raises(
            RuntimeError, match="^matmul_closure must be a tensor, or a callable object!"
        ):
            function(3, rhs)
        with pytest.raises(RuntimeError):
            function(definite(5), rhs)
        for operator in (A, lambda V: A @ V):
            with pytest.raises(RuntimeError, match="NaN"):
                function(operator, rhs * torch.nan)
        with pytest.raises(ZeroDivisionError):
            function(lambda V: 1 / 0, rhs)
        with pytest.raises(RuntimeError, match="shape"):
            function(lambda V: V[:3], rhs)
    with pytest.raises(RuntimeError, match="max_tridiag_iter"):
        linear_cg(A, rhs, max_iter=5, max_tridiag_iter=10)
    with pytest.raises(RuntimeError, match="max_tridiag_iter"):
        linear_cg(A, rhs, n_tridiag=1, max_iter=5)
    with pytest.raises(RuntimeError):
        bicgstab(A, rhs, settings=BICGSTABSettings(precon=3))
    for missing in ({}, {"Armat": A.matmul}, {"n": 12}):
        with pytest.raises(RuntimeError):
            lsmr(A.matmul, rhs, **missing) if "Armat" not in missing or "n" not in missing else None


def test_signatures():
    names = {
        linear_cg: "matmul_closure rhs n_tridiag tolerance eps stop_updating_after max_iter "
        "max_tridiag_iter initial_guess preconditioner settings convergence_reduction min_iter "
        "return_info",
        minres: "matmul_closure rhs eps shifts value max_iter preconditioner settings",
        bicgstab: "matmul_closure rhs initial_guess settings",
        lsmr: "A b Armat n damp atol btol conlim maxiter x0 check_nonzero",
    }
    for function, expected in names.items():
        parameters = inspect.signature(function).parameters
        assert " ".join(parameters) == f"{expected} progress"  # which is ours
        assert parameters["progress"].kind == inspect.Parameter.KEYWORD_ONLY
    assert LinearCGSettings() == (1000, 20, 1e-5, False, False)
    assert MINRESSettings()[:3] == (1000, 1e-4, False)
    assert BICGSTABSettings()[:4] == (None, 1e-8, 1e-6, None)
    for name in ("bicgstab", "linear_cg", "minres", "lsmr"):
        assert callable(getattr(utils, name))
        assert sys.modules[f"tsgu.utils.{name}"].__name__ == f"tsgu.utils.{name}"


def test_as_methods_of_sparse_generic_solve():
    A = definite().to_sparse_csr()
    b = torch.randn(12, dtype=torch.float64)
    expected = torch.linalg.solve(A.to_dense(), b)
    for x in (
        tsgu.sparse_generic_solve(A, b, linear_cg, tolerance=1e-9, max_iter=100),
        tsgu.sparse_generic_solve(
            A, b, solve=minres, settings=MINRESSettings(max_cg_iterations=99)
        ),
        tsgu.sparse_generic_solve(A, b, bicgstab, settings=BICGSTABSettings(reltol=1e-9)),
        tsgu.sparse_generic_solve(A, b, linear_cg, linear_cg),
        tsgu.sparse_generic_solve(A, b, linear_cg, min_iter=3, tolerance=1e-9),
    ):
        assert_near(x, expected)
    with pytest.raises(TypeError):
        tsgu.sparse_generic_solve(A, b, linear_cg, tol=1e-9)


def test_small():
    for n in (0, 1):
        A = 2 * torch.eye(n, dtype=torch.float64)
        for function in ALL:
            for form in FORMS.values():
                assert torch.equal(
                    function(form(A), torch.ones(n, 2).double()), torch.full((n, 2), 0.5).double()
                )
