"""linear_cg: what it returns, when it ends, what it tells and what it refuses."""

import dataclasses
import math
import warnings

import pytest
import torch

import tsgu
from tsgu.utils import CGInfo, LinearCGSettings, linear_cg


def definite(n=30):
    A = torch.randn(n, n, dtype=torch.float64)
    return A @ A.T / n + torch.eye(n, dtype=torch.float64)


def counted(A):
    def closure(V):
        closure.calls += 1
        return A @ V

    closure.calls = 0
    return closure


def relative(A, x, rhs):
    norms = torch.linalg.norm(rhs, dim=-2)
    return torch.linalg.norm(A @ x - rhs, dim=-2) / torch.where(norms > 0, norms, 1.0)


def with_slow_column(A, rhs):
    """rhs with columns that need one step each, but for the first."""
    vectors = torch.linalg.eigh(A).eigenvectors
    rhs = rhs.clone()
    rhs[:, 1:] = vectors[:, : rhs.shape[1] - 1]
    return rhs


# ===-- Returns ------------------------------------------------------------------===#


@pytest.mark.parametrize("shape", [(30,), (30, 3), (2, 30, 3), (2, 3, 30, 2)])
@pytest.mark.parametrize("form", ["dense", "csr", "closure"])
def test_info(form, shape):
    A, rhs = definite(), torch.randn(shape, dtype=torch.float64)
    operator = {"dense": A, "csr": A.to_sparse_csr(), "closure": counted(A)}[form]
    x, info = linear_cg(operator, rhs, return_info=True)
    assert isinstance(info, CGInfo) and x.shape == rhs.shape
    names = "iterations matvecs converged recursive_relative_residual true_relative_residual"
    assert " ".join(field.name for field in dataclasses.fields(info)) == f"{names} tolerance reason"
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.reason = ""
    columns = (1,) if len(shape) == 1 else (*shape[:-2], shape[-1])
    expected = relative(A, x if x.dim() > 1 else x[:, None], rhs if x.dim() > 1 else rhs[:, None])
    torch.testing.assert_close(
        info.true_relative_residual, expected.reshape(columns), rtol=1e-6, atol=1e-16
    )
    assert (info.true_relative_residual <= 1e-5).all() and info.tolerance == 1e-5
    assert info.recursive_relative_residual.shape == info.converged.shape == columns
    assert info.converged.dtype == torch.bool and info.converged.all()
    assert info.reason == "converged"
    assert info.iterations < info.matvecs <= info.iterations + 3
    if form == "closure":
        assert operator.calls == info.matvecs
    y = linear_cg(operator, rhs)
    assert (
        relative(A, y if y.dim() > 1 else y[:, None], rhs if y.dim() > 1 else rhs[:, None]) <= 1e-5
    ).all()


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_csr, torch.sparse_coo])
def test_batches_of_matrices(layout):
    A = torch.stack([definite(7) for _ in range(3)])
    operator = A if layout is torch.strided else A.to_sparse(layout=layout)
    for shape in ((7, 2), (3, 7, 2)):
        rhs = torch.randn(shape, dtype=torch.float64)
        x, T, info = linear_cg(
            operator, rhs, 2, tolerance=1e-10, return_info=True, max_tridiag_iter=3
        )
        expected = torch.linalg.solve(A, rhs.expand(3, 7, 2))
        torch.testing.assert_close(x, expected, rtol=1e-8, atol=1e-8)
        assert info.converged.shape == (3, 2) and T.shape == (2, 3, 3, 3)
        found = relative(A, x, rhs.expand(3, 7, 2))
        torch.testing.assert_close(info.true_relative_residual, found, rtol=1e-3, atol=1e-15)
        # The first step: the Rayleigh quotient of the right-hand side.
        b = rhs.expand(3, 7, 2)
        quotient = (b * (A @ b)).sum(1) / (b * b).sum(1)
        torch.testing.assert_close(T[:, :, 0, 0], quotient.T)


def test_what_is_returned():
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    options = {"n_tridiag": 1, "max_tridiag_iter": 5}
    assert isinstance(linear_cg(A, rhs), torch.Tensor)
    x, T = linear_cg(A, rhs, **options)
    assert T.shape == (1, 5, 5)
    x, T, info = linear_cg(A, rhs, return_info=True, **options)
    assert T.shape == (1, 5, 5) and isinstance(info, CGInfo) and x.shape == rhs.shape


@pytest.mark.parametrize("tolerance", [1e-5, 0.5])
def test_lanczos_matrices_have_as_many_steps_as_asked_for(tolerance):
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    _, T = linear_cg(A, rhs, n_tridiag=2, tolerance=tolerance)
    assert T.shape == (2, 20, 20)
    inside = torch.linalg.eigvalsh(T), torch.linalg.eigvalsh(A)
    assert (inside[0] >= inside[1][0] * (1 - 1e-9)).all()
    assert (inside[0] <= inside[1][-1] * (1 + 1e-9)).all()
    # Of one vector of the basis there is one step.
    first = torch.eye(30, dtype=torch.float64)[:, :1]
    _, T = linear_cg(2 * torch.eye(30, dtype=torch.float64), first, n_tridiag=1)
    assert T[0, 0, 0] == 2


def test_info_beside_gradients():
    A = definite().requires_grad_()
    rhs = torch.randn(30, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(30, 2, dtype=torch.float64)
    x, info = linear_cg(A, rhs, tolerance=1e-11, return_info=True)
    found = torch.autograd.grad((x * weight).sum(), (A, rhs))
    expected = torch.autograd.grad((torch.linalg.solve(A, rhs) * weight).sum(), (A, rhs))
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-7, atol=1e-9)
    x, again = linear_cg(lambda V: A.detach() @ V, rhs, tolerance=1e-11, return_info=True)
    assert info.reason == again.reason == "converged"
    (found,) = torch.autograd.grad((x * weight).sum(), rhs)
    torch.testing.assert_close(found, expected[1], rtol=1e-7, atol=1e-9)


# ===-- Ends ---------------------------------------------------------------------===#


def test_there_is_no_least_number_of_iterations():
    rhs = torch.randn(30, 2, dtype=torch.float64)
    x, info = linear_cg(lambda V: 2 * V, rhs, return_info=True)
    assert info.iterations == 1 and torch.equal(x, rhs / 2)


def test_min_iter():
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    for operator in (counted(A), A):
        _, info = linear_cg(operator, rhs, return_info=True)
        x, longer = linear_cg(operator, rhs, return_info=True, min_iter=info.iterations + 4)
        assert longer.iterations == info.iterations + 4
        assert (relative(A, x, rhs) < info.true_relative_residual).all()
    _, info = linear_cg(A, rhs, return_info=True, min_iter=5, initial_guess=x, tolerance=1e-3)
    assert info.iterations >= 5


def test_mean_of_the_residuals():
    A = definite()
    rhs = with_slow_column(A, torch.randn(30, 10, dtype=torch.float64))
    _, every = linear_cg(A, rhs, return_info=True)
    with pytest.warns(UserWarning, match="^CG terminated in .* 1 of 10 right-hand sides did not"):
        x, mean = linear_cg(A, rhs, return_info=True, convergence_reduction="mean")
    assert mean.iterations < every.iterations and every.reason == "converged"
    assert mean.reason == "mean_converged"
    assert mean.converged.tolist() == [False] + [True] * 9
    found = relative(A, x, rhs)
    assert found[0] > 1e-5 and found.mean() <= 1e-5
    with pytest.warns(UserWarning, match="^CG terminated in"):
        y = linear_cg(A, rhs, convergence_reduction="mean")
    assert torch.equal(x, y)


def test_columns_that_rest():
    A = definite()
    rhs = with_slow_column(A, torch.randn(30, 3, dtype=torch.float64)) + 0.1 * definite()[:, :3]
    with pytest.warns(UserWarning, match="2 of 2 right-hand sides did not converge"):
        x, info = linear_cg(A, rhs[:, :2], return_info=True, stop_updating_after=1e-2)
    assert info.reason == "stopped_updating" and not info.converged.any()
    found = relative(A, x, rhs[:, :2])
    assert (found <= 1e-2).all() and (found > 1e-5).all()
    # Those that are there already go on while others are not.
    rhs = with_slow_column(A, torch.randn(30, 3, dtype=torch.float64)) + 1e-9 * A[:, :3]
    _, at_goal = linear_cg(A, rhs, return_info=True)
    _, beyond = linear_cg(A, rhs, return_info=True, stop_updating_after=1e-12)
    assert at_goal.iterations == beyond.iterations
    assert (beyond.true_relative_residual[1:] < 1e-11).all()


@pytest.mark.parametrize("form", ["dense", "closure"])
def test_warnings(form):
    A, rhs = definite(), torch.randn(30, 4, dtype=torch.float64)
    operator = {"dense": A, "closure": counted(A)}[form]
    rhs[:, 2] = 0
    with pytest.warns(UserWarning) as caught:
        x, info = linear_cg(operator, rhs, max_iter=3, return_info=True)
    assert len(caught) == 1 and caught[0].filename == __file__
    worst = relative(A, x, rhs).max().item()
    text = str(caught[0].message)
    assert text.startswith("CG terminated in 3 iterations with maximum true relative residual ")
    assert float(text.split("residual ")[1].split()[0]) == pytest.approx(worst, rel=1e-6)
    assert "which is larger than the tolerance of 1e-05. 3 of 4 right-hand sides did not" in text
    assert info.reason == "max_iter" and info.iterations == 3
    assert info.converged.tolist() == [False, False, True, False]
    with pytest.warns(UserWarning, match="^CG terminated in 3 iterations.* 3 of 4 right-hand"):
        linear_cg(operator, rhs, max_iter=3)


def test_residuals_that_drift():
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    with pytest.warns(UserWarning, match="larger than the tolerance of 1e-17"):
        x, info = linear_cg(A, rhs, tolerance=1e-17, return_info=True)
    assert info.reason == "recursive_converged" and not info.converged.any()
    assert (info.recursive_relative_residual <= 1e-17).all()
    assert (relative(A, x, rhs) < 1e-14).all()
    with pytest.warns(UserWarning, match="larger than the tolerance of 0.0"):
        x = linear_cg(A, rhs, tolerance=0)
    assert (relative(A, x, rhs) < 1e-14).all()


def test_no_iterations_at_all():
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    for guess in (None, torch.ones_like(rhs)):
        closure = counted(A)
        with pytest.warns(UserWarning, match="^CG terminated in 0 iterations"):
            x, info = linear_cg(closure, rhs, max_iter=0, initial_guess=guess, return_info=True)
        assert info.iterations == 0 and info.reason == "max_iter" and closure.calls <= 1
        start = torch.zeros_like(rhs) if guess is None else guess
        if guess is None or (relative(A, guess, rhs) < 1).all():
            assert torch.equal(x, start)
    x, info = linear_cg(A, rhs, tolerance=2.0, return_info=True)
    assert info.reason == "converged" and info.tolerance == 2.0


def test_guesses():
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    solution = torch.linalg.solve(A, rhs)
    closure = counted(A)
    x, info = linear_cg(closure, rhs, initial_guess=solution, return_info=True)
    assert torch.equal(x, solution) and info.iterations == 0 and closure.calls == 1
    for guess in (solution[:, 0], solution[:, :1]):
        x = linear_cg(A, rhs[:, 0], initial_guess=guess)
        assert x.shape == (30,)
        torch.testing.assert_close(x, solution[:, 0], rtol=1e-12, atol=1e-14)
    for operator in (A, closure):
        zero = linear_cg(operator, 0 * rhs, initial_guess=solution)
        assert torch.equal(zero, 0 * rhs)


def test_size_of_the_matrix_as_the_limit():
    settings = LinearCGSettings(terminate_cg_by_size=True)
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    with pytest.warns(UserWarning):
        _, info = linear_cg(A, rhs, tolerance=1e-30, settings=settings, return_info=True)
    assert info.iterations <= 30


# ===-- Refusals -----------------------------------------------------------------===#


@pytest.mark.parametrize("form", ["dense", "csr", "closure"])
def test_breakdown(form):
    rhs = torch.randn(30, 2, dtype=torch.float64)
    A = definite() - 2 * torch.eye(30, dtype=torch.float64)
    operator = {"dense": A, "csr": A.to_sparse_csr(), "closure": counted(A)}[form]
    for options in ({}, {"return_info": True}):
        with pytest.raises(
            RuntimeError,
            match=r"^CG breakdown: p\^T A p must be finite and at least eps for active right-hand",
        ) as caught:
            linear_cg(operator, rhs, **options)
        assert isinstance(caught.value, tsgu.BreakdownError)


def test_breakdown_of_preconditioners_and_by_eps():
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    text = "^CG breakdown: preconditioned residual inner product must be finite and at least eps"
    with pytest.raises(RuntimeError, match=text):
        linear_cg(A, rhs, preconditioner=lambda V: -V)
    with pytest.raises(RuntimeError, match="^CG breakdown"):
        linear_cg(A, rhs, eps=1e3)
    tiny = 1e-20 * A
    torch.testing.assert_close(
        linear_cg(tiny, rhs) * 1e-20, linear_cg(A, rhs), rtol=1e-4, atol=1e-4
    )
    with pytest.raises(RuntimeError, match="^CG breakdown"):
        linear_cg(tiny, rhs, eps=1e-10)


ARGUMENTS = [
    (
        {"rhs": torch.ones(30, dtype=torch.int64)},
        TypeError,
        "rhs must be a real floating-point torch.Tensor",
    ),
    ({"rhs": [1.0] * 30}, TypeError, "rhs must be a real floating-point torch.Tensor"),
    ({"rhs": torch.tensor(1.0)}, ValueError, "rhs must have at least one dimension"),
    ({"initial_guess": torch.ones(4)}, ValueError, "initial_guess must have shape"),
    ({"initial_guess": torch.ones(30, 1).double()}, ValueError, "initial_guess must have shape"),
    ({"initial_guess": torch.ones(30).double()}, ValueError, "initial_guess must have shape"),
    (
        {"initial_guess": torch.ones(30, 2)},
        ValueError,
        "initial_guess must share rhs device and dtype",
    ),
    ({"initial_guess": [0.0]}, TypeError, "initial_guess must be a torch.Tensor"),
    ({"tolerance": -1.0}, ValueError, "tolerance must be finite and nonnegative"),
    ({"tolerance": math.inf}, ValueError, "tolerance must be finite and nonnegative"),
    ({"tolerance": math.nan}, ValueError, "tolerance must be finite and nonnegative"),
    ({"eps": 0.0}, ValueError, "eps must be finite and positive"),
    ({"eps": math.inf}, ValueError, "eps must be finite and positive"),
    (
        {"stop_updating_after": -1.0},
        ValueError,
        "stop_updating_after must be finite and nonnegative",
    ),
    ({"convergence_reduction": "max"}, ValueError, "convergence_reduction must be 'all' or 'mean'"),
    ({"min_iter": -1}, ValueError, "min_iter must be nonnegative"),
    ({"max_iter": -1}, ValueError, "max_iter must be nonnegative"),
    ({"matmul_closure": 3}, RuntimeError, "matmul_closure must be a tensor, or a callable object!"),
    (
        {"matmul_closure": lambda V: V[:5]},
        RuntimeError,
        "matmul_closure output must match rhs shape, device, and dtype",
    ),
    (
        {"matmul_closure": lambda V: V.float()},
        RuntimeError,
        "matmul_closure output must match rhs shape, device, and dtype",
    ),
    (
        {"matmul_closure": lambda V: None},
        TypeError,
        "the closure must return a tensor, not NoneType",
    ),
    (
        {"matmul_closure": lambda V: V.to(torch.complex128)},
        TypeError,
        "the closure gives torch.complex128",
    ),
    (
        {"preconditioner": lambda V: V[:5]},
        RuntimeError,
        "preconditioner output must match residual shape, device, and dtype",
    ),
    (
        {"preconditioner": lambda V: V.float()},
        RuntimeError,
        "preconditioner output must match residual shape, device, and dtype",
    ),
    (
        {"rhs": torch.full((30,), math.nan).double()},
        RuntimeError,
        "NaNs encountered when trying to perform matrix-vector multiplication",
    ),
]


@pytest.mark.parametrize("changes,kind,text", ARGUMENTS)
def test_arguments(changes, kind, text):
    rhs = torch.randn(30, 2, dtype=torch.float64)
    given = {"matmul_closure": counted(definite()), "rhs": rhs} | changes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(kind) as caught:
            linear_cg(**given)
    assert str(caught.value).startswith(text)


def test_eps_in_the_dtype_of_the_right_hand_side():
    A, rhs = definite(), torch.randn(30, 2, dtype=torch.float64)
    linear_cg(A, rhs, eps=1e-60)
    with pytest.raises(
        ValueError, match="^eps must be representable as a positive value in the rhs"
    ):
        linear_cg(A.float(), rhs.float(), eps=1e-60)
