"""What users are told of solves that fail, whoever runs them, and of arguments that do not fit."""

import threading
import warnings

import pytest
import torch

import matrices
import tsgu
from tsgu._runtime import callbacks
from tsgu.utils import (
    BICGSTABSettings,
    LinearCGSettings,
    MINRESSettings,
    bicgstab,
    cgs,
    gmres,
    linear_cg,
    minres,
)

METHODS = ["cg", "bicgstab", "minres", "gmres", "cgs"]
FUNCTIONS = [linear_cg, bicgstab, minres, gmres, cgs]


def definite(n=40):
    A = matrices.invertible("coo", n, per_row=2).to_dense()
    return (A @ A.T + torch.eye(n, dtype=A.dtype)).to_sparse_csr()


def residual_of(A, x, b):
    return torch.linalg.norm(b - A.to_dense() @ x, dim=0)


# ===-- Reasons ---------------------------------------------------------------===#


@pytest.mark.parametrize("method", METHODS)
def test_too_few_iterations(method):
    A, B = definite(), torch.randn(40, 3, dtype=torch.float64)
    with pytest.warns(tsgu.ConvergenceWarning) as caught:
        X, info = tsgu.sparse_generic_solve(A, B, method, maxiter=2, return_info=True)
    (told,) = caught
    text = str(told.message)
    assert told.filename == __file__
    assert "iteration limit" in text and "residual" in text and "Try" in text
    assert not info.converged and set(info.reasons) == {"iteration limit"}
    assert info.explanation == text and info.iterations.tolist() == [2, 2, 2]
    torch.testing.assert_close(info.residuals, residual_of(A, X, B), rtol=1e-6, atol=0)
    worst = (info.residuals / info.goals).argmax()
    assert f"column {worst}" in text and f"{info.residuals[worst]:.3g}"[:3] in text
    with pytest.raises(tsgu.ConvergenceError, match="iteration limit") as caught:
        tsgu.sparse_generic_solve(A, B, method, maxiter=2, on_fail="raise")
    assert torch.equal(caught.value.outcome.residuals, info.residuals)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = tsgu.sparse_generic_solve(A, B, method, maxiter=2, on_fail="ignore")
    assert torch.equal(again, X)


def test_only_columns_that_fail_are_counted():
    A = definite()
    vectors = torch.linalg.eigh(A.to_dense()).eigenvectors
    B = torch.stack([vectors[:, 0], vectors.sum(1), torch.zeros(40).double()], 1)
    with pytest.warns(tsgu.ConvergenceWarning, match="1 of 3 columns.*column 1"):
        _, info = tsgu.sparse_generic_solve(A, B, "cg", maxiter=3, return_info=True)
    assert info.reasons == ("converged", "iteration limit", "converged")


def test_a_batch_names_its_items():
    A = torch.stack([torch.eye(3), -torch.eye(3)]).double().to_sparse_coo()
    B = torch.ones(2, 3, 2, dtype=torch.float64)
    with pytest.warns(tsgu.ConvergenceWarning, match="not positive definite"):
        _, info = tsgu.sparse_generic_solve(A, B, "cg", return_info=True)
    assert info.reasons == (("converged",) * 2, ("indefinite matrix",) * 2)
    with pytest.raises(tsgu.BreakdownError) as caught:
        tsgu.sparse_generic_solve(A, B, "cg", on_fail="raise")
    assert caught.value.outcome.item == 1


@pytest.mark.parametrize("method", METHODS)
def test_singular_systems(method):
    A = definite(6).to_dense()
    A[3], A[:, 3] = 0, 0
    b = torch.ones(6, dtype=torch.float64)
    with pytest.warns(tsgu.ConvergenceWarning):
        x, info = tsgu.sparse_generic_solve(A.to_sparse_csr(), b, method, return_info=True)
    assert not info.converged and x.isfinite().all() and info.residuals[0] > 0.9
    b[3] = 0  # has solutions
    x, info = tsgu.sparse_generic_solve(A.to_sparse_csr(), b, method, return_info=True)
    assert info.converged and (residual_of(A, x, b) <= 1e-7).all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("method", METHODS)
def test_numbers_that_are_none(method, bad):
    A, B = definite(6), torch.ones(6, 2, dtype=torch.float64)
    values = A.values().clone()
    values[-1] = bad
    broken = torch.sparse_csr_tensor(A.crow_indices(), A.col_indices(), values, A.shape)
    with pytest.raises(tsgu.ConvergenceError, match="NaN or infinity.*row 5, column 5"):
        tsgu.sparse_generic_solve(broken, B, method, on_fail="raise")
    B[2, 1] = bad
    with pytest.warns(tsgu.ConvergenceWarning, match="NaN"):
        X, info = tsgu.sparse_generic_solve(A, B, method, return_info=True)
    assert info.reasons == ("converged", "not finite")
    torch.testing.assert_close(X[:, 0], torch.linalg.solve(A.to_dense(), B[:, 0]))


def test_old_settings_that_would_stop_early():
    A, b = definite(200), torch.randn(200, dtype=torch.float64)
    goal = 1.001e-8 * torch.linalg.norm(b)
    for solve, options in (
        (linear_cg, {"tolerance": 1}),
        (linear_cg, {"settings": LinearCGSettings(cg_tolerance=1)}),
        (minres, {"settings": MINRESSettings(minres_tolerance=1.0)}),
        (bicgstab, {"settings": BICGSTABSettings(abstol=1e3, reltol=1.0)}),
    ):
        x = tsgu.sparse_generic_solve(A, b, solve, **options)
        assert torch.linalg.norm(A.to_dense() @ x - b) <= goal
    x = minres(A, b, settings=MINRESSettings(minres_tolerance=1.0))
    assert torch.linalg.norm(A.to_dense() @ x - b) <= goal
    for solve, options in (
        (linear_cg, {"max_iter": 3}),
        (linear_cg, {"settings": LinearCGSettings(max_cg_iterations=3)}),
        (minres, {"max_iter": 3}),
        (bicgstab, {"settings": BICGSTABSettings(matvec_max=8)}),
    ):
        for call in (
            lambda s=solve, o=options: s(A, b, **o),
            lambda s=solve, o=options: s(lambda V: A @ V, b, **o),
            lambda s=solve, o=options: tsgu.sparse_generic_solve(A, b, s, **o),
        ):
            with pytest.warns(tsgu.ConvergenceWarning, match="3 iterations"):
                call()


# ===-- Whoever runs them -----------------------------------------------------===#


def test_gradients_tell_too():
    A, b = definite(), torch.randn(40, dtype=torch.float64)
    vector = torch.linalg.eigh(A.to_dense()).eigenvectors[:, 3]
    for on_fail, expected in (("warn", tsgu.ConvergenceWarning), ("raise", tsgu.ConvergenceError)):
        leaf = vector.clone().requires_grad_()
        x = tsgu.sparse_generic_solve(A, leaf, "cg", maxiter=3, on_fail=on_fail)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(expected, match="CG.*iteration limit"):
                (x * b).sum().backward()


def test_gradients_in_another_thread():
    A, b = definite(), torch.randn(40, dtype=torch.float64)
    vector = torch.linalg.eigh(A.to_dense()).eigenvectors[:, 3].requires_grad_()
    x = tsgu.sparse_generic_solve(A, vector, "cg", maxiter=3, on_fail="raise")
    y = tsgu.sparse_generic_solve(A, vector, "cg", maxiter=3)
    found = []

    def work():
        try:
            (x * b).sum().backward()
        except tsgu.ConvergenceError as error:
            found.append(error)
        (y * b).sum().backward()

    with pytest.warns(tsgu.ConvergenceWarning):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found[0].outcome.reasons == ("iteration limit",)


@pytest.mark.parametrize("on_fail", ["warn", "raise", "ignore"])
def test_compiled_functions_tell_too(on_fail):
    A, b = definite(), torch.randn(40, 1, dtype=torch.float64)
    pattern, solve = tsgu.Pattern.of(A), tsgu.operator("solve")
    handle = tsgu.solver("cg", maxiter=2, on_fail=on_fail)
    values = A.values().clone()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def compiled(values, b):
        return solve(pattern, handle, values, b).sin()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if on_fail == "raise":
            with pytest.raises(Exception, match="iteration limit"):
                compiled(values, b)
        else:
            assert compiled(values, b).isfinite().all()
    told = [w for w in caught if issubclass(w.category, tsgu.ConvergenceWarning)]
    assert len(told) == (on_fail == "warn")


def test_runs_that_nobody_watches(capfd):
    """As of a program that C++ runs in a thread of its own: no frame of ours is around it."""
    A, b = definite(), torch.randn(40, 1, dtype=torch.float64)
    run, number = torch.ops.tsgu.run3, tsgu.operator("solve").program.number

    def solve(**options):
        handle = tsgu.solver(**{"method": "cg", "maxiter": 2, **options})
        return run(number, A.crow_indices(), A.col_indices(), 40, 0, handle, A.values(), b)

    with pytest.warns(tsgu.ConvergenceWarning, match="CG.*iteration limit"):
        solve()
    with pytest.warns(tsgu.ConvergenceWarning, match="CG.*iteration limit"):
        solve(callback=lambda iteration, residuals: False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solve(on_fail="ignore")
        with pytest.raises(RuntimeError, match="iteration limit"):
            solve(on_fail="raise")

    def broken(*arguments):
        raise ZeroDivisionError("mine")

    with pytest.raises(RuntimeError, match="caller's solver"):
        solve(method="callable", callables=callbacks.Callables(solve=broken))
    assert "ZeroDivisionError: mine" in capfd.readouterr().err


# ===-- Arguments -------------------------------------------------------------===#


def test_wrong_arguments_are_errors_with_a_text():
    A, B = definite(4), torch.ones(4, 2, dtype=torch.float64)
    half = A.to(torch.float16)
    hybrid = torch.sparse_coo_tensor([[0, 1], [0, 1]], torch.ones(2, 3), (2, 2, 3))
    solves = (tsgu.sparse_generic_solve, tsgu.sparse_triangular_solve, tsgu.sparse_generic_lstsq)
    for solve in solves:
        for operands, error in (
            ((half, B.half()), TypeError),
            ((A.to(torch.int64), B.long()), TypeError),
            ((A.to(torch.bool), B.bool()), TypeError),
            ((A, B + 1j), TypeError),
            ((A.to("meta"), B.to("meta")), TypeError),
            ((A, B.to("meta")), TypeError),
            ((hybrid, torch.ones(2, 2, 3)), ValueError),
            ((hybrid.requires_grad_(), torch.ones(2, 2, 3)), ValueError),
            ((A, None), ValueError),
            ((A, B.numpy()), ValueError),
            ((A, B.to_sparse()), (TypeError, ValueError)),
            ((A, torch.ones(5, 2).double()), ValueError),
            ((A, torch.ones(2, 4, 2).double()), ValueError),
            ((A, torch.tensor(1.0).double()), ValueError),
        ):
            with pytest.raises(error) as caught:
                solve(*operands)
            assert len(str(caught.value)) > 15


@pytest.mark.parametrize(
    "options",
    [
        {"maxiter": 2**70},
        {"maxiter": -1},
        {"maxiter": 1.5},
        {"maxiter": "many"},
        {"restart": 2**40},
        {"rtol": float("nan")},
        {"rtol": "small"},
        {"atol": -1.0},
        {"rtol": [1e-3]},
        {"preconditioner": 3},
        {"preconditioner": torch.eye(4)},
        {"preconditioner": "AMG"},
        {"on_fail": None},
        {"on_fail": "panic"},
        {"x0": torch.ones(3, 2).double()},
        {"x0": torch.ones(4).double()},
        {"x0": 3},
        {"x0": torch.ones(4, 2) * 1j},
        {"x0": torch.ones(4, 2).double().to_sparse()},
        {"callback": 3},
        {"solve": "qr"},
        {"solve": 3},
        {"solve": "triangular"},
        {"solve": "lsmr"},
        {"transpose_solve": "qr"},
        {"transpose_solve": 3},
        {"tolerance": 1e-3},
    ],
)
def test_wrong_options(options):
    A, B = definite(4), torch.ones(4, 2, dtype=torch.float64)
    with pytest.raises((TypeError, ValueError)) as caught:
        tsgu.sparse_generic_solve(A, B, **{"solve": "bicgstab", **options})
    assert len(str(caught.value)) > 15


def test_handles_are_what_solver_made():
    A, B = definite(4), torch.ones(4, 2, dtype=torch.float64)
    pattern, solve = tsgu.Pattern.of(A), tsgu.operator("solve")
    for make, error in (
        (lambda: tsgu.solver("cg", block_size="x"), ValueError),
        (lambda: tsgu.solver("cg", relaxation=3.0), ValueError),
        (lambda: tsgu.solver("cg", damp=-1), ValueError),
        (lambda: tsgu.solver("cg").float(), TypeError),
        (lambda: tsgu.solver("lsmr"), ValueError),
        (lambda: tsgu.solver("triangular"), ValueError),
        (lambda: tsgu.solver("callable"), tsgu.CallbackError),
    ):
        with pytest.raises(error):
            solve(pattern, make(), A.values(), B)
