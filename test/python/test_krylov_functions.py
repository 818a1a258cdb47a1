"""linear_cg, minres, bicgstab, gmres, cgs and lsmr, of matrices and closures, against LAPACK."""

import functools
import inspect
import itertools
import sys
import warnings

import pytest
import torch

import matrices
import oracle
import tsgu
from tsgu import utils
from tsgu.utils import bicgstab, cgs, gmres, linear_cg, lsmr, minres
from tsgu.utils.bicgstab import BICGSTABSettings
from tsgu.utils.linear_cg import LinearCGSettings
from tsgu.utils.minres import MINRESSettings

GENERAL = [bicgstab, gmres, cgs]
HERMITIAN = [linear_cg, minres]
ALL = GENERAL + HERMITIAN
SHAPES = [(12,), (12, 1), (12, 3), (2, 12, 3), (2, 3, 12, 2)]


# To as many digits as the others by default.
STRICT = {
    linear_cg: {"tolerance": 1e-9},
    bicgstab: {"settings": BICGSTABSettings(abstol=0.0, reltol=1e-9)},
}


def strictly(function):
    return functools.partial(function, **STRICT.get(function, {}))


def definite(n=12, dtype=torch.float64):
    A = torch.randn(n, n, dtype=dtype)
    return A @ A.mH / n + torch.eye(n, dtype=dtype)


def matrix_for(function, n=12, dtype=torch.float64):
    if function in HERMITIAN:
        return definite(n, dtype)
    return matrices.invertible("coo", n, dtype).to_dense()


def expected_for(A, rhs):
    if rhs.dim() == 1:
        return torch.linalg.solve(A, rhs)
    return torch.linalg.solve(A, rhs.expand(*A.shape[:-2], *rhs.shape[-2:]) if A.dim() > 2 else rhs)


def assert_near(x, expected, tolerance=1e-6):
    assert x.shape == expected.shape
    close = {"rtol": tolerance, "atol": tolerance * expected.abs().max().item()}
    torch.testing.assert_close(x, expected, **close)


FORMS = {
    "dense": lambda A: A,
    "csr": lambda A: A.to_sparse_csr(),
    "coo": lambda A: A.to_sparse_coo(),
    "bound": lambda A: A.matmul,
    "closure": lambda A: lambda V: A @ V,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", ALL)
def test_solutions(function, form):
    A = matrix_for(function)
    for shape in SHAPES:
        rhs = torch.randn(shape, dtype=torch.float64)
        x = strictly(function)(FORMS[form](A), rhs)
        wide = rhs.unsqueeze(-1) if rhs.dim() == 1 else rhs
        expected = torch.linalg.solve(A, wide)
        assert_near(x, expected.squeeze(-1) if rhs.dim() == 1 else expected)


@pytest.mark.parametrize("function", ALL)
def test_batches_of_matrices(function):
    A = torch.stack([matrix_for(function) for _ in range(6)])
    rhs = torch.randn(6, 12, 2, dtype=torch.float64)
    expected = torch.linalg.solve(A, rhs)
    function = strictly(function)
    assert_near(function(A, rhs), expected)
    assert_near(function(A.to_sparse_coo(), rhs), expected)
    assert_near(function(lambda V: A @ V, rhs), expected)
    many = A.view(2, 3, 12, 12)
    assert_near(function(many, rhs.view(2, 3, 12, 2)), expected.view(2, 3, 12, 2))


@pytest.mark.parametrize("function", ALL)
def test_single_precision(function):
    A = matrix_for(function, dtype=torch.float32)
    rhs = torch.randn(12, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tsgu.ConvergenceWarning)  # 1e-6 asked for by bicgstab
        for form in FORMS.values():
            assert_near(function(form(A), rhs), torch.linalg.solve(A, rhs), 1e-3)


@pytest.mark.parametrize("function", ALL)
def test_right_hand_sides_that_torch_conjugates_or_negates_later(function):
    A = definite(dtype=torch.complex128) if function in HERMITIAN else matrix_for(function)
    rhs = torch.randn(12, 2, dtype=torch.complex128)
    for M, b in ((A.to(rhs.dtype), rhs.conj()), (A.real, rhs.conj().imag)):
        for form in FORMS.values():
            assert_near(strictly(function)(form(M), b), torch.linalg.solve(M, b))


@pytest.mark.parametrize("form", ["dense", "csr", "coo", "bound"])
@pytest.mark.parametrize("function", ALL)
def test_gradients_in_matrix_and_right_hand_side(function, form):
    A, rhs = matrix_for(function), torch.randn(12, 3, dtype=torch.float64)
    found = []
    for solve in (lambda A, b: strictly(function)(FORMS[form](A), b), torch.linalg.solve):
        leaves = A.clone().requires_grad_(), rhs.clone().requires_grad_()
        first = torch.autograd.grad((solve(*leaves) ** 2).sum(), leaves, create_graph=True)
        found.append(first)
    for x, expected in zip(*found, strict=True):
        if form in ("csr", "coo") and expected.shape == A.shape:
            expected = expected * (A != 0)
        assert_near(x.detach(), expected.detach(), 1e-5)


@pytest.mark.parametrize("function", HERMITIAN)
def test_gradients_of_closures_in_the_right_hand_side(function):
    A = definite()
    rhs = torch.randn(12, 3, dtype=torch.float64, requires_grad=True)
    found = []
    strict = strictly(function)
    for solve in (lambda b: strict(lambda V: A @ V, b), lambda b: torch.linalg.solve(A, b)):
        (first,) = torch.autograd.grad((solve(rhs) ** 3).sum(), rhs, create_graph=True)
        (second,) = torch.autograd.grad((first**2).sum(), rhs)
        found += [first.detach(), second]
    assert_near(found[0], found[2], 1e-5)
    assert_near(found[1], found[3], 1e-5)


@pytest.mark.parametrize("shape", [(5,), (5, 2), (2, 5, 2)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("function", HERMITIAN)
def test_gradchecks_of_closures(function, dtype, shape):
    A = definite(5, dtype)
    rhs = torch.randn(shape, dtype=dtype, requires_grad=True)
    strict = {
        linear_cg: {"tolerance": 1e-14},
        minres: {"settings": MINRESSettings(minres_tolerance=1e-14)},
    }
    calls = [lambda b: function(lambda V: A @ V, b, **strict[function])]
    if function is minres:
        shifts = torch.tensor([0.5, 2.0], dtype=torch.float64)
        shifted = {"value": 3.0, **strict[minres]}
        calls.append(lambda b: minres(lambda V: A @ V, b, **shifted))
        calls.append(lambda b: minres(lambda V: A @ V, b, shifts=shifts, **shifted))
        calls.append(lambda b: minres(lambda V: A @ V, b, shifts=shifts[:1], **shifted))
    for call in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tsgu.ConvergenceWarning)
            assert torch.autograd.gradcheck(call, rhs, fast_mode=True)
            assert torch.autograd.gradgradcheck(call, rhs, fast_mode=True)


def test_gradients_of_closures_tell_how_they_ended():
    A = definite(40)
    vector = torch.linalg.eigh(A).eigenvectors[:, 3]
    for function, text in ((linear_cg, "^CG terminated in 3 iterations"), (minres, "3 iterations")):
        leaf = vector.clone().requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            x = function(lambda V: A @ V, leaf, max_iter=3)
        with pytest.warns(tsgu.ConvergenceWarning, match=text) as caught:
            torch.autograd.grad(x, leaf, torch.randn_like(x), retain_graph=True)
        assert len(caught) == 1 and caught[0].filename == __file__
        with pytest.raises(RuntimeError, match="NaNs or infinities"):
            torch.autograd.grad(x, leaf, torch.full_like(x, torch.nan))

    def broken(V):
        raise ZeroDivisionError("mine")

    closures = [lambda V: A @ V]
    x = linear_cg(lambda V: closures[0](V), leaf)
    closures[0] = broken
    with pytest.raises(ZeroDivisionError, match="mine"):
        x.sum().backward()


def test_lanczos_matrices_beside_gradients():
    A, rhs = definite(6), torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    options = {"n_tridiag": 2, "max_iter": 20, "max_tridiag_iter": 4, "tolerance": 1e-9}
    x, T = linear_cg(lambda V: A @ V, rhs, **options)
    y, expected = linear_cg(lambda V: A @ V, rhs.detach(), **options)
    assert torch.equal(x, y) and torch.equal(T, expected) and not T.requires_grad
    weight = torch.randn_like(x)
    (gradient,) = torch.autograd.grad(x, rhs, weight)
    assert_near(gradient, torch.linalg.solve(A, weight))


@pytest.mark.parametrize("shape", [(12,), (12, 3), (2, 12, 3)])
@pytest.mark.parametrize("function", ALL)
def test_transforms_of_closures(function, shape):
    A = matrix_for(function)
    rhs, tangent = torch.randn(2, *shape, dtype=torch.float64)

    def solve(b):
        return strictly(function)(lambda V: A @ V, b)

    x, along = torch.func.jvp(solve, (rhs,), (tangent,))
    assert_near(x, expected_for(A, rhs))
    assert_near(along, expected_for(A, tangent))
    assert_near(torch.func.vmap(solve)(torch.stack([rhs, tangent]))[1], expected_for(A, tangent))
    with torch.autograd.forward_ad.dual_level():
        dual = solve(torch.autograd.forward_ad.make_dual(rhs, tangent))
        assert_near(torch.autograd.forward_ad.unpack_dual(dual).tangent, along)
    if function in HERMITIAN:
        gradient = torch.func.grad(lambda b: (solve(b) * tangent).sum())(rhs)
        assert_near(gradient, expected_for(A, tangent))


@pytest.mark.parametrize("function", ALL)
def test_transforms_beside_a_preconditioner(function):
    A, rhs = matrix_for(function), torch.randn(2, 12, 3, dtype=torch.float64)
    scale = A.diagonal().abs()
    for M in (lambda V: (V.mT / scale).mT, torch.diag(1 / scale)):
        strict = {linear_cg: {"tolerance": 1e-9}}.get(function, {}) | {"preconditioner": M}
        if function is bicgstab:  # whose functions get vectors
            M = M if isinstance(M, torch.Tensor) else lambda v: v / scale
            strict = {"settings": STRICT[bicgstab]["settings"]._replace(precon=M)}

        def solve(A, b, options=strict):
            return function(A, b, **options)

        expected = torch.linalg.solve(A, rhs)
        assert_near(torch.func.vmap(solve, (None, 0))(A, rhs), expected)
        x, along = torch.func.jvp(lambda b: solve(A, b), (rhs[0],), (rhs[1],))  # noqa: B023
        assert_near(x, expected[0])
        assert_near(along, expected[1])
        found = torch.func.grad(lambda A, b: solve(A, b).sum(), (0, 1))(A, rhs[0])  # noqa: B023
        y = torch.linalg.solve(A.T, torch.ones_like(rhs[0]))
        assert_near(found[1], y, 1e-5)
        assert_near(found[0], -y @ expected[0].T, 1e-5)
    if function is minres:
        shifts = torch.tensor([0.5, 2.0], dtype=torch.float64)
        for x in torch.func.jvp(
            lambda b: minres(lambda V: A @ V, b, shifts=shifts), (rhs[0],), (rhs[0],)
        ):
            for shifted, shift in zip(x, shifts, strict=True):
                eye = torch.eye(12, dtype=torch.float64)
                assert_near(shifted, torch.linalg.solve(A + shift * eye, rhs[0]))
    with pytest.raises(RuntimeError, match="within a torch.func transform a solve gives x alone"):
        torch.func.grad(lambda b: linear_cg(A, b, return_info=True)[0].sum())(rhs[0])


def test_no_gradient_is_lost_to_a_transform():
    A, rhs = definite(), torch.randn(12, dtype=torch.float64)
    for function in ALL:
        for call in (
            lambda f: torch.func.jvp(f, (A,), (A,)),
            lambda f: torch.func.grad(lambda M: f(M).sum())(A),
            lambda f: torch.func.vmap(f)(torch.stack([A, A])),
        ):
            with pytest.raises(RuntimeError, match="no gradient goes through a closure"):
                call(lambda M, function=function: function(lambda V: M @ V, rhs))
    for function in GENERAL:
        with pytest.raises(RuntimeError, match="products with the adjoint"):
            torch.func.grad(lambda b, function=function: function(lambda V: A @ V, b).sum())(rhs)


def test_no_gradient_is_lost_silently():
    A = definite().requires_grad_()
    rhs = torch.randn(12, dtype=torch.float64, requires_grad=True)
    for function in ALL:
        with pytest.raises(RuntimeError, match="closure"):
            function(lambda V: A @ V, rhs.detach())
        with torch.no_grad():
            function(lambda V: A @ V, rhs)
    for function in GENERAL:
        with pytest.raises(RuntimeError, match="closure"):
            function(lambda V: A.detach() @ V, rhs)


@pytest.mark.parametrize("function", ALL)
def test_where_to_start(function):
    if function is minres:
        return  # takes no guess
    A, rhs = matrix_for(function), torch.randn(12, 2, dtype=torch.float64)
    expected = torch.linalg.solve(A, rhs)
    strict = strictly(function)
    for guess in (torch.randn_like(rhs), expected, torch.randn(12, 1).double()):
        if function is linear_cg and guess.shape != rhs.shape:
            continue  # must have the shape of rhs
        kept = guess.clone()
        assert_near(strict(A, rhs, initial_guess=guess), expected)
        assert_near(strict(lambda V: A @ V, rhs, initial_guess=guess), expected)
        assert torch.equal(guess, kept)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("function", ALL)
def test_preconditioners(function, form):
    scale = torch.logspace(0, 6, 12, dtype=torch.float64)
    A = matrix_for(function) * scale.sqrt() * scale.sqrt().unsqueeze(1)
    rhs = torch.randn(12, 2, dtype=torch.float64)
    inverse = torch.diag(1 / A.diagonal())
    strict = STRICT[bicgstab]["settings"]
    options = {linear_cg: {"tolerance": 1e-8}}.get(function, {})
    for M in (inverse, inverse.to_sparse_csr(), lambda V: (V.mT / A.diagonal()).mT):
        if function is bicgstab:  # whose functions get vectors
            M = M if isinstance(M, torch.Tensor) else lambda v: v / A.diagonal()
            x = function(FORMS[form](A), rhs, settings=strict._replace(precon=M))
        else:
            x = function(FORMS[form](A), rhs, preconditioner=M, **options)
        residual = torch.linalg.norm(A @ x - rhs, dim=0)
        assert (residual <= 1.001e-8 * torch.linalg.norm(rhs, dim=0)).all()
    if form in ("dense", "csr"):
        leaf = rhs.clone().requires_grad_()
        options["preconditioner"] = inverse
        if function is bicgstab:
            options = {"settings": strict._replace(precon=inverse)}
        x = function(FORMS[form](A), leaf, **options)
        weight = torch.randn_like(x)
        (gradient,) = torch.autograd.grad(x, leaf, weight)
        residual = torch.linalg.norm(A.T @ gradient - weight, dim=0)
        assert (residual <= 1.001e-8 * torch.linalg.norm(weight, dim=0)).all()


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
        assert " ".join(inspect.signature(function).parameters) == expected
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


def test_of_the_oracle():
    """The closures above are what they claim to be."""
    A = definite()
    oracle.assert_close(FORMS["csr"](A).to_dense(), A)
