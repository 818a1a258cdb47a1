"""A solve says that it converged only where the x that it returns did."""

import warnings

import pytest
import torch

import tsgu
from tsgu.utils import BICGSTABSettings, bicgstab, cgs, gmres, linear_cg, lsmr, minres

METHODS = ("cg", "bicgstab", "minres", "gmres", "cgs")
FUNCTIONS = (linear_cg, bicgstab, minres, gmres, cgs)
PRECONDITIONERS = (None, "jacobi", "block_jacobi", "ssor", "ilu0", "ic0", "amg")
QUIET = {"return_info": True, "on_fail": "ignore"}

# Of float32, and of float64: their quotients are below the range of the type.
SMALL = {torch.float32: (1e22, 1e-25), torch.float64: (1e200, 1e-200)}
SMALL |= {torch.complex64: SMALL[torch.float32], torch.complex128: SMALL[torch.float64]}


def diagonal(values, layout=torch.sparse_csr):
    A = torch.sparse_coo_tensor(torch.arange(len(values)).expand(2, -1), values).coalesce()
    return A if layout is torch.sparse_coo else A.to_sparse_csr()


def too_small(dtype):
    large, tiny = SMALL[dtype]
    return torch.tensor([large, 2 * large], dtype=dtype), torch.full((2,), tiny, dtype=dtype)


def assert_underflow(x, info, values, b):
    """The residual is that of x, and above the goal."""
    assert info.reasons == ("underflow",) and not info.converged and "too small" in info.explanation
    wide = torch.complex128 if b.is_complex() else torch.float64
    residual = torch.linalg.vector_norm((b.to(wide) - values.to(wide) * x.to(wide)) / b[0])
    assert info.residuals.item() / abs(b[0].item()) == pytest.approx(residual.item(), rel=1e-3)
    assert info.residuals.item() > 1000 * info.goals.item()


@pytest.mark.parametrize("preconditioner", PRECONDITIONERS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", SMALL)
def test_solutions_too_small_for_their_type(dtype, method, preconditioner):
    values, b = too_small(dtype)
    A = diagonal(values)
    x, info = tsgu.sparse_generic_solve(A, b, method, preconditioner=preconditioner, **QUIET)
    assert_underflow(x, info, values, b)


def test_that_warns_raises_and_is_told_in_gradients():
    values, b = too_small(torch.float32)
    A = diagonal(values, torch.sparse_coo).requires_grad_()
    with pytest.warns(tsgu.ConvergenceWarning, match="too small for its type"):
        tsgu.sparse_generic_solve(A, b)
    with pytest.raises(tsgu.ConvergenceError, match="double precision"):
        tsgu.sparse_generic_solve(A, b, on_fail="raise")
    x = tsgu.sparse_generic_solve(A, torch.ones(2))
    with pytest.warns(tsgu.ConvergenceWarning, match="too small for its type"):
        x.backward(b)
    # A user's solver cannot tell, for what it solves was scaled for it.
    x = tsgu.sparse_generic_solve(A, torch.ones(2), lambda A, B: B / A.to_dense().diagonal())
    with pytest.warns(tsgu.ConvergenceWarning, match="too small for its type"):
        x.backward(b)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_closures_and_users_matrices(function):
    options = {"settings": BICGSTABSettings(abstol=0)} if function is bicgstab else {}
    values, b = too_small(torch.float64)
    for operator in (diagonal(values), torch.diag(values)):
        with pytest.warns(tsgu.ConvergenceWarning):
            function(operator, b, **options)
    values, b = values / 1e90, b / 1e90  # whose squares have a double's range
    with pytest.warns(tsgu.ConvergenceWarning):
        function(lambda v: (values * v.T).T, b, **options)


def test_some_columns_and_items_are_too_small():
    values, b = too_small(torch.float32)
    B = torch.stack([b, torch.ones(2), torch.zeros(2)], 1)
    x, info = tsgu.sparse_generic_solve(diagonal(values), B, "cg", **QUIET)
    assert info.reasons == ("underflow", "converged", "converged")
    torch.testing.assert_close(x[:, 1], 1 / values)
    indices = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1]])
    A = torch.sparse_coo_tensor(indices, torch.cat([values, torch.ones(2)]), (2, 2, 2)).coalesce()
    x, info = tsgu.sparse_generic_solve(A, b.expand(2, 2), "minres", **QUIET)
    assert info.reasons == (("underflow",), ("converged",))
    torch.testing.assert_close(x[1], b, rtol=1e-5, atol=0)


def test_subnormal_solutions_that_are_good_enough_converge():
    A = diagonal(torch.tensor([1.0, 2.0]))
    b = torch.tensor([2.0**-140, 2.0**-139])
    x, info = tsgu.sparse_generic_solve(A, b, "cg", **QUIET)
    assert info.converged and x.tolist() == [2.0**-140] * 2


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("dtype", SMALL)
def test_least_squares_too_small_for_their_type(dtype, scale):
    values, b = too_small(dtype)
    x, info = tsgu.sparse_generic_lstsq(diagonal(values), b, scale_columns=scale, **QUIET)
    assert info.reasons == ("underflow",) and info.residuals.item() > 1000 * info.goals.item()


def test_scaled_unknowns_of_any_size():
    values = torch.tensor([1e-10, 1e22])
    x, info = tsgu.sparse_generic_lstsq(
        diagonal(values), torch.ones(2), scale_columns=True, **QUIET
    )
    torch.testing.assert_close(x, 1 / values)
    assert info.converged


# ===-- NaN -------------------------------------------------------------------===#


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("preconditioner", [None, "jacobi"])
@pytest.mark.parametrize("method", METHODS)
def test_a_matrix_that_is_not_finite_solves_nothing(method, preconditioner, bad):
    A = diagonal(torch.tensor([1.0, bad]))
    for b in (torch.zeros(2), torch.ones(2), torch.tensor([1.0, 0.0])):
        for guess in (None, torch.zeros(2), torch.ones(2)):
            options = {"preconditioner": preconditioner, "x0": guess, **QUIET}
            _, info = tsgu.sparse_generic_solve(A, b, method, **options)
            assert info.reasons == ("not finite",) and not info.converged
            assert "row 1, column 1" in info.explanation
    _, info = tsgu.sparse_generic_solve(A, torch.ones(2), method, atol=10.0, **QUIET)
    assert info.reasons == ("not finite",)


def test_nor_does_one_of_a_batch_nor_an_adjoint_nor_least_squares():
    nan = torch.tensor([1.0, float("nan"), 1.0, 1.0])
    indices = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1]])
    A = torch.sparse_coo_tensor(indices, nan, (2, 2, 2)).coalesce()
    _, info = tsgu.sparse_generic_solve(A, torch.zeros(2, 2), "cg", **QUIET)
    assert info.reasons == (("not finite",), ("converged",))
    for scale in (False, True):
        _, info = tsgu.sparse_generic_lstsq(A, torch.zeros(2, 2), scale_columns=scale, **QUIET)
        assert info.reasons == (("not finite",), ("converged",))
    leaf = diagonal(nan[:2]).requires_grad_()
    with pytest.warns(tsgu.ConvergenceWarning, match="NaN"):
        x = tsgu.sparse_generic_solve(leaf, torch.zeros(2), "cg")
    with pytest.warns(tsgu.ConvergenceWarning, match="NaN"):
        x.backward(torch.zeros(2))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_nor_does_a_closure(function):
    bad = torch.tensor([[1.0, 0.0], [0.0, float("nan")]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for operator in (bad, bad.matmul, lambda v: bad @ v):
            with pytest.raises(RuntimeError, match="NaN"):
                function(operator, torch.zeros(2))


def test_a_preconditioner_of_nan_is_no_matrix_of_nan():
    assert bicgstab(
        torch.eye(2), torch.zeros(2), settings=BICGSTABSettings(precon=lambda v: v * float("nan"))
    ).tolist() == [0, 0]


def test_zero_right_sides_converge():
    for method in METHODS:
        x, info = tsgu.sparse_generic_solve(
            diagonal(torch.tensor([1.0, 2.0])), torch.zeros(2), method, **QUIET
        )
        assert info.converged and info.iterations.item() == 0 and x.tolist() == [0, 0]
    x, _ = lsmr(torch.eye(2), torch.zeros(2))
    assert x.tolist() == [0, 0]
