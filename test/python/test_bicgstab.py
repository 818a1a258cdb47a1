"""bicgstab: products that it may take, where it starts and ends, and what functions get."""

import pytest
import torch

import tsgu
from tsgu.utils import BICGSTABSettings, bicgstab


def system(n=30):
    A = torch.randn(n, n, dtype=torch.float64) / n**0.5 + 2 * torch.eye(n, dtype=torch.float64)
    return A, torch.randn(n, 3, dtype=torch.float64)


def counted(A):
    def closure(v):
        closure.shapes.append(tuple(v.shape))
        return A @ v

    closure.shapes = []
    return closure


def residuals(A, x, rhs):
    return torch.linalg.norm(A @ x - rhs, dim=0)


def test_functions_of_single_vectors_serve_several_columns():
    A, rhs = system()
    scale = torch.logspace(0, 4, 30, dtype=torch.float64)

    def multiply(v):
        return scale * v[torch.arange(30)] if v.dim() == 1 else 1 / 0

    for columns in (1, 3, 30):
        b = torch.randn(30, columns, dtype=torch.float64)
        x = bicgstab(multiply, b, settings=BICGSTABSettings(precon=lambda v: v / scale))
        torch.testing.assert_close(x, b / scale.unsqueeze(1), rtol=1e-5, atol=1e-7)
    closure = counted(A)
    x = bicgstab(closure, rhs)
    assert set(closure.shapes) == {(30,)}
    assert (residuals(A, x, rhs) <= 1e-6 * torch.linalg.norm(rhs, dim=0)).all()
    assert torch.equal(bicgstab(closure, rhs[:, 1]), x[:, 1])
    with pytest.raises(RuntimeError, match="^matmul_closure output must match rhs shape"):
        bicgstab(lambda v: v.unsqueeze(1), rhs)


@pytest.mark.parametrize("form", ["matrix", "closure"])
def test_thresholds(form):
    A, rhs = system()
    operator = A if form == "matrix" else counted(A)
    norms = torch.linalg.norm(rhs, dim=0)
    for abstol, reltol in ((0.0, 1e-3), (1e-2, 1e-9), (1e-9, 1e-6)):
        x = bicgstab(operator, rhs, settings=BICGSTABSettings(abstol=abstol, reltol=reltol))
        found, goals = residuals(A, x, rhs), (reltol * norms).clamp(min=abstol)
        assert (found <= goals).all() and (found > 1e-5 * goals).any()
    # Whatever the guess: the threshold is relative to rhs.
    poor = torch.full_like(rhs, 100.0)
    x = bicgstab(operator, rhs, initial_guess=poor)
    assert (residuals(A, x, rhs) <= 1e-6 * norms).all()
    small = 1e-9 * rhs / norms
    assert torch.equal(bicgstab(operator, small), torch.zeros_like(small))
    tiny = torch.linalg.solve(A, small)
    assert torch.equal(bicgstab(operator, 0 * rhs, initial_guess=tiny), tiny)
    assert torch.equal(bicgstab(operator, 0 * rhs), 0 * rhs)
    x = bicgstab(operator, 0 * rhs, initial_guess=rhs)
    assert (residuals(A, x, 0 * rhs) <= 1e-8).all()


def test_gradients_of_small_cotangents():
    A, rhs = system()
    rhs.requires_grad_()
    for size in (1.0, 1e-30):
        (gradient,) = torch.autograd.grad(bicgstab(A, rhs), rhs, torch.full_like(rhs, size))
        expected = torch.linalg.solve(A.T, torch.full_like(rhs, size))
        torch.testing.assert_close(gradient / size, expected / size, rtol=1e-4, atol=1e-5)


def test_products():
    A, rhs = system()
    closure = counted(A)
    solution = torch.linalg.solve(A, rhs)
    assert torch.equal(bicgstab(closure, rhs, initial_guess=solution), solution)
    assert len(closure.shapes) == 3  # one a column
    assert torch.equal(bicgstab(closure, rhs[:, 0], initial_guess=solution[:, 0]), solution[:, 0])
    assert len(closure.shapes) == 4
    for most in range(1, 12):
        for guess in (None, 0.9 * solution[:, 0]):
            closure.shapes.clear()
            settings = BICGSTABSettings(matvec_max=most)
            with pytest.warns(tsgu.ConvergenceWarning):
                x = bicgstab(closure, rhs[:, 0], initial_guess=guess, settings=settings)
            assert len(closure.shapes) <= most
            with pytest.warns(tsgu.ConvergenceWarning):
                y = bicgstab(A, rhs[:, 0], initial_guess=guess, settings=settings)
            torch.testing.assert_close(x, y)
    assert residuals(A, x, rhs[:, 0]) < 0.05 * torch.linalg.norm(rhs[:, 0])
    closure.shapes.clear()
    x = bicgstab(closure, rhs, settings=BICGSTABSettings(matvec_max=500))
    assert (residuals(A, x, rhs) <= 1e-6 * torch.linalg.norm(rhs, dim=0)).all()


def test_no_products_at_all():
    _, rhs = system()
    settings = BICGSTABSettings(matvec_max=0, precon=lambda v: 1 / 0)
    for guess in (None, torch.randn_like(rhs)):
        with pytest.warns(UserWarning, match="^matvec_max=0:") as caught:
            x = bicgstab(lambda v: 1 / 0, rhs, initial_guess=guess, settings=settings)
        assert caught[0].filename == __file__
        assert torch.equal(x, torch.zeros_like(rhs) if guess is None else guess)
        assert guess is None or x.data_ptr() != guess.data_ptr()
    A = system()[0].to_sparse_csr()
    with pytest.warns(UserWarning, match="^matvec_max=0:"):
        x = tsgu.sparse_generic_solve(A, rhs, bicgstab, settings=BICGSTABSettings(matvec_max=0))
    assert torch.equal(x, torch.zeros_like(rhs))


def test_arguments():
    A, rhs = system()
    negative = BICGSTABSettings(matvec_max=-1)
    with pytest.raises(ValueError, match="^settings.matvec_max must be nonnegative or None"):
        bicgstab(lambda v: 1 / 0, rhs, settings=negative)
    with pytest.raises(
        RuntimeError, match="^matmul_closure must be a tensor, or a callable object!"
    ):
        bicgstab(3, rhs, settings=negative)
    for settings in (negative, BICGSTABSettings(matvec_max=0)):
        with pytest.raises(
            RuntimeError, match="^settings.precon must be a tensor, or a callable obj"
        ):
            bicgstab(A, rhs, settings=settings._replace(precon=3))
    for guess in (torch.ones(4), torch.ones(30, 2), torch.ones(2, 30, 3)):
        with pytest.raises(
            ValueError, match=r"initial_guess must have the shape of rhs, \(30, 3\)"
        ):
            bicgstab(A, rhs, initial_guess=guess)
