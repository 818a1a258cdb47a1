"""linear_cg, minres, bicgstab, gmres and cgs, of matrices and closures, against LAPACK."""

import warnings

import pytest
import torch
from krylov_tools import (
    ALL,
    FORMS,
    GENERAL,
    HERMITIAN,
    SHAPES,
    STRICT,
    assert_near,
    definite,
    expected_for,
    matrix_for,
    strictly,
)

import oracle
import tsgu
from tsgu.utils import bicgstab, linear_cg, minres
from tsgu.utils.minres import MINRESSettings


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


def test_of_the_oracle():
    """The closures above are what they claim to be."""
    A = definite()
    oracle.assert_close(FORMS["csr"](A).to_dense(), A)
