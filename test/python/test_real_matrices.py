"""Every solver on matrices of pyamg's gallery and of Matrix Market files, against LAPACK and SciPy.

How far a solution may be from LAPACK's is not chosen but follows from its residual r, which NumPy
computes: norm(x - y) <= norm(A^-1) norm(r), and alike for the residual of y.
"""

import functools
import itertools
import warnings

import numpy as np
import pyamg
import pytest
import scipy.io
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg
import torch

import oracle
import tsgu

PRECONDITIONERS = [None, "jacobi", "block_jacobi", "ssor", "ilu0", "ic0", "amg"]
ANY = ["bicgstab", "gmres", "cgs"]
HERMITIAN = ["cg", "minres", *ANY]


def grid(*shape):
    return pyamg.gallery.poisson(shape)


def anisotropic():
    stencil = pyamg.gallery.diffusion_stencil_2d(epsilon=1e-3, theta=np.pi / 6, type="FD")
    return pyamg.gallery.stencil_grid(stencil, (13, 12))


def example(name):
    return pyamg.gallery.load_example(name)["A"]


# name -> what makes it; all nonsingular
DEFINITE = {
    "poisson 2d": lambda: grid(13, 12),
    "poisson 3d": lambda: grid(5, 6, 5),
    "anisotropic": anisotropic,
    "elasticity": lambda: pyamg.gallery.linear_elasticity((8, 8))[0],
    "finite elements": lambda: example("airfoil"),
    "gauge": lambda: pyamg.gallery.gauge_laplacian(10, beta=0.2),  # complex
}
NONSYMMETRIC = {
    "advection": lambda: pyamg.gallery.advection_2d((12, 12))[0],
    "recirculation": lambda: example("recirc_flow"),
    "convection": lambda: grid(12, 12) + 0.6 * sp.diags_array(np.ones(143), offsets=1),
    "complex": lambda: pyamg.gallery.gauge_laplacian(10) * (1 + 0.3j) + 0.2j * sp.eye_array(100),
}
INDEFINITE = {
    "helmholtz": lambda: grid(10, 11) - 0.7 * sp.eye_array(110),
    "hermitian": lambda: pyamg.gallery.gauge_laplacian(10) - 0.9 * sp.eye_array(100),
}
ALL = {**DEFINITE, **NONSYMMETRIC, **INDEFINITE}


@functools.cache
def load(name):
    """The matrix in canonical CSR, and its dense form."""
    A = sp.csr_array(ALL[name]())
    A.sort_indices()
    A.sum_duplicates()
    return A, A.toarray()


@functools.cache
def size_of_inverse(name):
    return np.linalg.norm(np.linalg.inv(load(name)[1]), 2)


def to_torch(A, layout="csr"):
    if layout == "coo":
        A = sp.coo_array(A)
        return torch.sparse_coo_tensor(np.stack([A.row, A.col]), A.data, A.shape).coalesce()
    parts = (torch.from_numpy(part.copy()) for part in (A.indptr, A.indices, A.data))
    return torch.sparse_csr_tensor(*parts, A.shape, check_invariants=True)


def right_side(A, columns=2, seed=0):
    random = np.random.default_rng(seed)
    b = random.standard_normal((A.shape[0], columns))
    if np.iscomplexobj(A):
        b = b + 1j * random.standard_normal(b.shape)
    return b.astype(A.dtype)


def solve(A, b, method, preconditioner=None, **options):
    """x, how it ended."""
    given = {"on_fail": "ignore", "return_info": True, **options}
    if method == "lsmr":
        x, info = tsgu.sparse_generic_lstsq(to_torch(A), torch.from_numpy(b), **given)
    else:
        x, info = tsgu.sparse_generic_solve(
            to_torch(A), torch.from_numpy(b), method, preconditioner=preconditioner, **given
        )
    return x.numpy(), info


def norms(block):
    return np.linalg.norm(block, axis=0)


def assert_solved(name, x, b, rtol):
    A, dense = load(name)
    assert (norms(b - A @ x) <= rtol * norms(b) * (1 + 1e-6)).all()
    for y in (np.linalg.solve(dense, b), scipy.sparse.linalg.spsolve(sp.csc_array(A), b)):
        bound = norms(b - A @ x) + norms(b - A @ y) + 1e-14 * norms(b)
        assert (norms(x - y) <= size_of_inverse(name) * bound).all()


def applicable(name):
    """(method, preconditioner) for all that are made for this kind of matrix."""
    if name in DEFINITE:
        return itertools.product(HERMITIAN, PRECONDITIONERS)
    if name in INDEFINITE:
        return [("minres", None), ("gmres", None), ("gmres", "ilu0"), ("bicgstab", "ilu0")]
    return itertools.product(ANY, [None, "jacobi", "block_jacobi", "ssor", "ilu0"])


@pytest.mark.parametrize("name", ALL)
def test_iterative_methods(name):
    A, _ = load(name)
    b = right_side(A)
    for method, preconditioner in applicable(name):
        # Restarts would only show that some matrices make them stagnate.
        restart = {"restart": A.shape[0]} if method == "gmres" else {}
        for rtol in (1e-4, 1e-9):
            x, info = solve(A, b, method, preconditioner, rtol=rtol, **restart)
            assert info.converged, (method, preconditioner, info.explanation)
            np.testing.assert_allclose(info.residuals, norms(b - A @ x), rtol=1e-3, atol=1e-12)
            assert_solved(name, x, b, rtol)


@pytest.mark.parametrize("name", ALL)
def test_least_squares(name):
    A, dense = load(name)
    shapes = {"square": A, "tall": A[:, : A.shape[1] // 2], "wide": A[: A.shape[0] // 2]}
    for shape, part in shapes.items():
        b = right_side(part)
        x, info = solve(part, b, "lsmr", rtol=1e-11, maxiter=20 * max(A.shape))
        assert info.converged, (shape, info.explanation)
        part = part.toarray()
        y, *_ = np.linalg.lstsq(part, b)
        smallest = np.linalg.svd(part, compute_uv=False)[-1]
        slope = norms(part.conj().T @ (b - part @ x))
        assert (norms(x - y) <= 1.1 * slope / smallest**2 + 1e-10 * norms(y) / smallest).all()


@pytest.mark.parametrize("name", ["poisson 2d", "gauge", "recirculation", "complex", "helmholtz"])
def test_gradients(name):
    A, dense = load(name)
    b = right_side(A)
    method = "minres" if name == "helmholtz" else "bicgstab" if name in NONSYMMETRIC else "cg"
    sparse = to_torch(A).requires_grad_()
    left = torch.from_numpy(b).requires_grad_()
    x = tsgu.sparse_generic_solve(sparse, left, method, rtol=1e-13, on_fail="ignore")
    matrix, right = torch.from_numpy(dense).requires_grad_(), left.detach().requires_grad_()
    y = torch.linalg.solve(matrix, right)
    weight = torch.from_numpy(right_side(A, seed=1))
    for result in (x, y):
        (result * weight).sum().abs().backward()
    rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    expected = matrix.grad[rows, A.indices]
    near = {"rtol": 1e-8, "atol": 1e-8 * expected.abs().max().item()}
    torch.testing.assert_close(sparse.grad.values(), expected, **near)
    near["atol"] = 1e-8 * right.grad.abs().max().item()
    torch.testing.assert_close(left.grad, right.grad, **near)


# ===-- Triangular ------------------------------------------------------------===#


def without_diagonal(A):
    A = A.tocoo()
    kept = A.row != A.col
    A = sp.csr_array((A.data[kept], (A.row[kept], A.col[kept])), A.shape)
    A.sort_indices()
    return A


@pytest.mark.parametrize("layout", ["csr", "coo"])
@pytest.mark.parametrize("name", ALL)
def test_triangular(name, layout):
    A, dense = load(name)
    b, stored = right_side(A), A
    for upper, unit, transpose in itertools.product([False, True], repeat=3):
        A = without_diagonal(stored) if unit else stored
        rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
        other = rows > A.indices if upper else rows < A.indices
        form = {"upper": upper, "unitriangular": unit, "transpose": transpose}
        x = tsgu.sparse_triangular_solve(to_torch(A, layout), torch.from_numpy(b), **form)
        y = scipy.linalg.solve_triangular(
            dense, b, lower=not upper, trans=int(transpose), unit_diagonal=unit
        )
        triangle = np.triu(dense) if upper else np.tril(dense)
        if unit:
            triangle = triangle - np.diag(np.diag(triangle)) + np.eye(len(b))
        triangle = triangle.T if transpose else triangle
        # Backward stable row by row: Higham, Accuracy and Stability, theorem 8.5.
        row_sums = abs(triangle) @ abs(x.numpy())
        assert (abs(b - triangle @ x.numpy()) <= 30 * 2.3e-16 * row_sums).all()
        inverse = abs(np.linalg.inv(triangle))
        assert (abs(x.numpy() - y) <= 60 * 2.3e-16 * (inverse @ (abs(triangle) @ abs(y)))).all()
        # What lies on the other side has no part in it, not even as NaN, and no gradient.
        poisoned = A.copy()
        poisoned.data = np.where(other, np.nan, A.data)
        leaf = to_torch(poisoned, layout).requires_grad_()
        again = tsgu.sparse_triangular_solve(leaf, torch.from_numpy(b), **form)
        assert torch.equal(again, x)
        again.abs().sum().backward()
        gradient = oracle.stored_values(leaf.grad).numpy()
        assert (gradient[other] == 0).all() and np.isfinite(gradient).all()
        assert (gradient[~other] != 0).any()


# ===-- Matrix Market -----------------------------------------------------------===#


@pytest.mark.parametrize("symmetry", ["general", "symmetric", "hermitian", "skew-symmetric"])
@pytest.mark.parametrize("field", ["real", "complex", "integer"])
def test_matrix_market_files(tmp_path, field, symmetry):
    if symmetry == "hermitian" and field != "complex":
        return  # there are none
    A, _ = load("gauge" if field == "complex" else "poisson 2d")
    if symmetry == "symmetric" and field == "complex":
        A = A + A.T
    if symmetry == "skew-symmetric":
        A = sp.triu(A, 1) - sp.triu(A, 1).T
    if field == "integer":
        A = A.astype(np.int64)
    path = tmp_path / "matrix.mtx"
    scipy.io.mmwrite(path, sp.coo_array(A), field=field, symmetry=symmetry, precision=17)
    B = scipy.io.mmread(path, spmatrix=False)
    assert np.array_equal(B.toarray(), A.toarray())
    if symmetry == "skew-symmetric":
        B = B + 3 * sp.eye_array(B.shape[0])
    B = sp.csr_array(B.astype(complex if field == "complex" else float))
    b = right_side(B)
    x, info = solve(B, b, "gmres", rtol=1e-10, restart=200)
    assert info.converged, info.explanation
    inverse = np.linalg.norm(np.linalg.inv(B.toarray()), 2)
    y = np.linalg.solve(B.toarray(), b)
    assert (norms(x - y) <= inverse * 1.1e-10 * norms(b)).all()


# ===-- Badly conditioned and singular ------------------------------------------===#


def expect_honest(A, b, x, info, rtol=1e-8):
    """Whatever it says is true: finite, converged where it says so, never worse than x = 0."""
    residuals = norms(b - A @ x)
    assert np.isfinite(x).all()
    np.testing.assert_allclose(info.residuals, residuals, rtol=1e-6, atol=1e-12 * norms(b).max())
    assert (residuals <= norms(b) * (1 + 1e-12)).all()
    for reason, residual, size in zip(info.reasons, residuals, norms(b), strict=True):
        assert (reason == "converged") == (residual <= rtol * size * (1 + 1e-9)), reason


@pytest.mark.parametrize("method", HERMITIAN)
def test_badly_conditioned(method):
    base, _ = load("poisson 2d")
    n = base.shape[0]
    for exponent in (3, 6, 9):
        D = sp.diags_array(np.logspace(-exponent / 2, exponent / 2, n))
        A = sp.csr_array(D @ base @ D)
        b = A @ right_side(A)
        x, info = solve(A, b, method)
        expect_honest(A, b, x, info)
        for preconditioner in PRECONDITIONERS[1:]:
            x, info = solve(A, b, method, preconditioner, maxiter=400)
            expect_honest(A, b, x, info)
            if method == "cg":
                assert info.converged, (preconditioner, exponent, info.explanation)


def neumann():
    """The Laplacian of a graph: its kernel is the constants."""
    A = load("poisson 2d")[0]
    A = sp.diags_array(A.diagonal()) - A
    return sp.csr_array(sp.diags_array(A.sum(axis=1)) - A)


@pytest.mark.parametrize("method", HERMITIAN)
def test_singular_but_consistent(method):
    A = neumann()
    b = A @ right_side(A)
    options = {"restart": A.shape[0]} if method == "gmres" else {}
    x, info = solve(A, b, method, **options)
    assert info.converged, info.explanation
    expect_honest(A, b, x, info)
    y = np.linalg.pinv(A.toarray(), hermitian=True) @ b
    # Up to the kernel.
    assert (norms(x - x.mean(0) - y) <= 1e-8 * norms(b) / 0.05).all()


@pytest.mark.parametrize("method", HERMITIAN)
def test_singular_and_inconsistent(method):
    A = neumann()
    b = right_side(A) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, info = solve(A, b, method)
    assert not info.converged
    expect_honest(A, b, x, info)
    with pytest.raises(tsgu.ConvergenceError, match="residual"):
        solve(A, b, method, on_fail="raise")
    if method == "minres":
        least = norms(b.mean(0) * np.ones_like(b))
        np.testing.assert_allclose(norms(b - A @ x), least, rtol=1e-6)
    x, info = solve(A, b, "lsmr")
    assert info.converged
    y, *_ = np.linalg.lstsq(A.toarray(), b, rcond=1e-10)
    np.testing.assert_allclose(x, y, atol=1e-5 * abs(y).max())


@pytest.mark.parametrize("stored", [True, False])
def test_a_zero_row(stored):
    A = load("poisson 2d")[0].copy()
    rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    A.data[(rows == 17) | (A.indices == 17)] = 0
    if not stored:
        A.eliminate_zeros()
    for compatible in (True, False):
        b = right_side(A)
        if compatible:
            b[17] = 0
        for method in HERMITIAN:
            x, info = solve(A, b, method)
            expect_honest(A, b, x, info)
            assert info.converged == compatible, (method, info.explanation)
        for preconditioner in PRECONDITIONERS[1:]:
            if preconditioner == "block_jacobi":
                continue  # whose blocks are exchanged and may still be regular
            with pytest.raises(tsgu.SingularMatrixError, match="17"):
                solve(A, b, "cg", preconditioner)
        for upper in (False, True):
            with pytest.raises(tsgu.SingularMatrixError, match="17"):
                tsgu.sparse_triangular_solve(to_torch(A), torch.from_numpy(b), upper=upper)


@pytest.mark.parametrize("name", INDEFINITE)
def test_cg_says_that_a_matrix_is_indefinite(name):
    A, _ = load(name)
    b = right_side(A)
    x, info = solve(A, b, "cg")
    expect_honest(A, b, x, info)
    assert "indefinite matrix" in info.reasons
    assert "MINRES" in info.explanation


def test_methods_for_hermitian_matrices_are_honest_about_others():
    for name in NONSYMMETRIC:
        A, _ = load(name)
        b = right_side(A)
        for method in ("cg", "minres"):
            x, info = solve(A, b, method)
            expect_honest(A, b, x, info)


# ===-- Sizes and NaN -----------------------------------------------------------===#


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_smallest_sizes(dtype):
    none, one = sp.csr_array((0, 0), dtype=dtype), sp.csr_array(np.array([[4]], dtype))
    for method, preconditioner in itertools.product([*HERMITIAN, "lsmr"], PRECONDITIONERS):
        if method == "lsmr" and preconditioner:
            continue
        x, info = solve(none, np.zeros((0, 3), dtype), method, preconditioner)
        assert x.shape == (0, 3) and info.converged
        x, info = solve(one, np.array([[8, 0]], dtype), method, preconditioner)
        assert info.converged
        np.testing.assert_allclose(x, [[2, 0]], rtol=1e-5)
        x, info = solve(one, np.zeros((1, 0), dtype), method, preconditioner)
        assert x.shape == (1, 0) and info.converged
    for upper, unit in itertools.product([False, True], repeat=2):
        form = {"upper": upper, "unitriangular": unit}
        x = tsgu.sparse_triangular_solve(
            to_torch(none), torch.zeros(0, 2).to(x_type(dtype)), **form
        )
        assert x.shape == (0, 2)
        A = to_torch(without_diagonal(one) if unit else one)
        x = tsgu.sparse_triangular_solve(A, torch.ones(1, 2).to(x_type(dtype)), **form)
        assert (x == (1 if unit else 0.25)).all()


def x_type(dtype):
    return torch.from_numpy(np.zeros(0, dtype)).dtype


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", [*HERMITIAN, "lsmr"])
def test_not_finite(method, bad):
    A = load("poisson 2d")[0]
    b = right_side(A)
    hurt = A.copy()
    hurt.data[hurt.indptr[40] + 1] = bad
    x, info = solve(hurt, b, method)
    assert set(info.reasons) == {"not finite"}
    assert f"row 40, column {A.indices[A.indptr[40] + 1]}" in info.explanation
    for preconditioner in PRECONDITIONERS[1:] if method != "lsmr" else []:
        try:
            x, info = solve(hurt, b, method, preconditioner)
        except tsgu.SingularMatrixError as error:
            assert "row" in str(error)
        else:
            assert not info.converged
    b[3, 1] = bad
    x, info = solve(A, b, method)
    assert info.reasons == ("converged", "not finite")
    alone, _ = solve(A, b[:, :1].copy(), method)
    assert np.array_equal(x[:, :1], alone)
