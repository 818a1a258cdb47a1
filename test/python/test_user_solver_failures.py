"""What solvers that users bring may do wrong, and who is told."""

import warnings

import numpy as np
import pytest
import torch
from solve_tools import MineError, lapack

import matrices
import oracle
import tsgu
from matrices import right_side


@pytest.mark.parametrize("order", ["forward", "backward", "double backward"])
@pytest.mark.parametrize("kind", ["csr64", "ragged coo"])
def test_their_errors_arrive_as_they_are(kind, order):
    A = matrices.invertible(kind, 4).requires_grad_()
    B = right_side(A).requires_grad_()
    error, armed = MineError("mine"), []

    def solve(A, B):
        if armed:
            raise error
        return lapack(A, B)

    def run():
        if order == "forward":
            armed.append(1)
        X = tsgu.sparse_generic_solve(A, B, solve)
        if order == "backward":
            armed.append(1)
        gradient = torch.autograd.grad((X**2).sum(), B, create_graph=True)[0]
        armed.append(1)
        torch.autograd.grad((gradient**2).sum(), (A, B))

    with pytest.raises(MineError) as caught:
        run()
    assert caught.value is error
    armed.clear()
    oracle.assert_close(
        tsgu.sparse_generic_solve(A, B, solve).detach(),
        lapack(A.detach(), B.detach()),
        terms=1 << 12,
    )


def test_what_callables_raise():
    A = matrices.invertible("csr64", 4).requires_grad_()
    B = right_side(A, 3)
    calls = []

    def broken(A, B):
        calls.append(1)
        if len(calls) > 1:
            raise MineError("in the adjoint")
        return torch.linalg.solve(A.to_dense(), B)

    X = tsgu.sparse_generic_solve(A, B, broken)
    with pytest.raises(MineError, match="in the adjoint"):
        X.sum().backward()
    with pytest.raises(MineError):
        tsgu.sparse_generic_solve(A, B, broken)
    for wrong in (lambda A, B: None, lambda A, B: A, lambda A, B: B * 1j):
        with pytest.raises(TypeError, match="solve must return"):
            tsgu.sparse_generic_solve(A, B, wrong)
    with pytest.raises(ValueError, match="shape"):
        tsgu.sparse_generic_solve(A, B, lambda A, B: B[:2])
    oracle.assert_close(
        tsgu.sparse_generic_solve(A, B, lapack).detach(),
        torch.linalg.solve(A.detach().to_dense(), B),
        terms=1024,
    )


def test_interrupts_and_exits_pass():
    A = matrices.invertible("csr64", 4)
    for interrupt in (KeyboardInterrupt, SystemExit):

        def solve(A, B, interrupt=interrupt):
            raise interrupt

        with pytest.raises(interrupt):
            tsgu.sparse_generic_solve(A, right_side(A), solve)


def test_wrong_results():
    A, n = matrices.invertible("csr64", 4), 4
    B = right_side(A)
    for wrong, error, text in (
        (lambda A, B: None, TypeError, "NoneType"),
        (lambda A, B: (B, 0), TypeError, "tuple"),
        (lambda A, B: B.numpy(), TypeError, "ndarray"),
        (lambda A, B: B.to_sparse(), TypeError, "dense"),
        (lambda A, B: B + 1j, TypeError, "real"),
        (lambda A, B: B.to("meta"), TypeError, "CPU"),
        (lambda A, B: B[:, :1], ValueError, r"\(4, 2\), not \(4, 1\)"),
        (lambda A, B: B[:2], ValueError, r"\(4, 2\), not \(2, 2\)"),
        (lambda A, B: B.T, ValueError, r"\(4, 2\), not \(2, 4\)"),
        (lambda A, B: B.unsqueeze(0), ValueError, "shape"),
        (lambda A, B: torch.tensor(0.0), ValueError, "shape"),
    ):
        with pytest.raises(error, match=text):
            tsgu.sparse_generic_solve(A, B, wrong)
        # Also where an adjoint does it, and there with a name that helps.
        leaf = B.clone().requires_grad_()
        X = tsgu.sparse_generic_solve(A, leaf, lapack, wrong)
        with pytest.raises(error, match=text):
            X.sum().backward()
    x = tsgu.sparse_generic_solve(A, B[:, 0], lambda A, b: b.unsqueeze(1))  # a column will do
    assert torch.equal(x, B[:, 0])
    X = tsgu.sparse_generic_solve(A, B, lambda A, B: B.float())
    assert X.dtype == torch.float64 and X.shape == (n, 2)


def test_not_a_number_from_a_callable():
    A, b = matrices.invertible("csr64", 4), torch.ones(4, dtype=torch.float64)
    broken = lambda A, B: B * torch.nan  # noqa: E731
    with pytest.warns(tsgu.ConvergenceWarning, match="NaN or infinity"):
        tsgu.sparse_generic_solve(A, b, broken)
    with pytest.raises(tsgu.ConvergenceError, match="NaN or infinity"):
        tsgu.sparse_generic_solve(A, b, broken, on_fail="raise")
    X, info = tsgu.sparse_generic_solve(A, b, broken, on_fail="ignore", return_info=True)
    assert X.isnan().all() and info.reasons == ("not finite",) and not info.converged


TOLERANCES = [
    {"rtol": 1e-6},
    {"rtol": np.float32(1e-6)},
    {"rtol": torch.tensor(1e-6)},
    {"rtol": 0, "atol": 1e-9},
    {"rtol": 0},
]


def test_inaccurate_callables_are_judged_where_a_tolerance_was_given():
    A = matrices.invertible("csr64", 6)
    b = torch.ones(6, dtype=torch.float64)

    def rough(A, B, **options):
        return lapack(A, B) * (1 + 1e-3)

    x, info = tsgu.sparse_generic_solve(A, b, rough, return_info=True)
    assert info.converged
    residual = torch.linalg.norm(A.to_dense() @ x - b)
    torch.testing.assert_close(info.residuals[0], residual)
    with pytest.warns(tsgu.ConvergenceWarning, match="caller's solver.*residual"):
        tsgu.sparse_generic_solve(A, b, rough, rtol=1e-6)
    tsgu.sparse_generic_solve(A, b, rough, rtol=1e-2, on_fail="raise")
    tsgu.sparse_generic_solve(A, b, rough, rtol=7.0, on_fail="raise")  # the callable's own idea
    for given in TOLERANCES:
        with pytest.raises(tsgu.ConvergenceError):
            tsgu.sparse_generic_solve(A, b, rough, **given, on_fail="raise")
    for given in ({"rtol": 0, "atol": 1.0}, {"rtol": 1e-9, "atol": 1.0}, {"rtol": "mine"}):
        tsgu.sparse_generic_solve(A, b, rough, **given, on_fail="raise")


def test_one_of_ours_for_the_solve_another_for_the_adjoint():
    A = matrices.invertible("csr64", 40).requires_grad_()
    b = torch.randn(40, dtype=torch.float64, requires_grad=True)
    with pytest.raises(tsgu.ConvergenceError, match="BiCGSTAB.*iteration limit"):
        tsgu.sparse_generic_solve(A, b, "bicgstab", "gmres", maxiter=1, on_fail="raise")
    with pytest.warns(tsgu.ConvergenceWarning) as caught:
        x, info = tsgu.sparse_generic_solve(A, b, "bicgstab", "gmres", maxiter=1, return_info=True)
    assert len(caught) == 1 and not info.converged
    with pytest.warns(tsgu.ConvergenceWarning, match="GMRES"):
        x.sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = tsgu.sparse_generic_solve(A, b, "bicgstab", "gmres", maxiter=1, on_fail="ignore")
        x.sum().backward()


def test_failures_inside_are_told_once_and_to_the_right_one():
    A = matrices.invertible("csr64", 30)
    b = torch.randn(30, dtype=torch.float64)

    def nested(A, B):
        with pytest.warns(tsgu.ConvergenceWarning, match="BiCGSTAB"):
            tsgu.sparse_generic_solve(A, B, "bicgstab", maxiter=1)
        with pytest.raises(tsgu.ConvergenceError):
            tsgu.sparse_generic_solve(A, B, "bicgstab", maxiter=1, on_fail="raise")
        with pytest.raises(MineError):
            tsgu.sparse_generic_solve(A, B, raises)
        return lapack(A, B)

    def raises(A, B):
        raise MineError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        oracle.assert_close(tsgu.sparse_generic_solve(A, b, nested), lapack(A, b), terms=1 << 12)
