"""The direct methods of a solve: values, derivatives, factors, outcomes."""

import functools
import warnings

import hypothesis
import pytest
import torch
from hypothesis import strategies

import matrices
import oracle
import tsgu
from matrices import definite, right_side

METHODS = ["lu", "cholesky", "ldlt"]
DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def matrix_for(method, kind, n, dtype=torch.float64):
    make = {"lu": matrices.invertible, "cholesky": definite, "ldlt": matrices.indefinite}[method]
    return make(kind, n, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
@pytest.mark.parametrize("method", METHODS)
def test_values_and_gradients(method, kind, dtype):
    A = matrix_for(method, kind, 12, dtype)
    for columns in (1, 3, 20):
        B = right_side(A, columns)
        function = functools.partial(tsgu.sparse_generic_solve, solve=method)
        for pair in oracle.with_gradients(function, oracle.solve, A, B):
            oracle.assert_close(*pair, terms=1 << 10)
    b = right_side(A)[..., 0]
    x = tsgu.sparse_generic_solve(A, b, method)
    oracle.assert_close(x, torch.linalg.solve(A.to_dense(), b), terms=1 << 10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "ragged coo", "batched csr64"])
@pytest.mark.parametrize("method", METHODS)
def test_third_order(method, kind, dtype):
    A = matrix_for(method, kind, 4, dtype)
    values, B = oracle.stored_values(A).requires_grad_(), right_side(A).requires_grad_()
    indices = oracle.indices_of(A)

    def ours(values, B):
        X = tsgu.sparse_generic_solve(matrices.rebuild(A, values), B, method)
        return X * X.conj() + X

    def reference(values, B):
        X = torch.linalg.inv(oracle.dense(indices, values, A.shape)) @ B
        return X * X.conj() + X

    oracle.assert_same_derivatives(ours, reference, (values, B), order=3, terms=1 << 18)


@pytest.mark.parametrize("method", METHODS)
def test_in_transforms(method):
    A = matrix_for(method, "csr64", 5)
    values, B, make = oracle.stored_values(A), right_side(A), matrices.maker(A)
    indices = oracle.indices_of(A)

    def ours(values, B):
        return tsgu.sparse_generic_solve(make(values), B, method).sin().sum()

    def reference(values, B):
        return (torch.linalg.inv(oracle.dense(indices, values, A.shape)) @ B).sin().sum()

    many = values * (1 + torch.arange(3.0, dtype=torch.float64)[:, None])
    tangents = values.cos(), B.cos()
    if method != "lu":  # along which A stays what it is
        tangents = 0.5 * values, B.cos()
    for transform in (
        lambda f: torch.func.hessian(f)(values, B),
        lambda f: torch.func.jvp(f, (values, B), tangents),
        lambda f: torch.func.vmap(torch.func.grad(f, (0, 1)), (0, None))(many, B),
    ):
        leaves = torch.utils._pytree.tree_leaves
        for left, right in zip(leaves(transform(ours)), leaves(transform(reference)), strict=True):
            oracle.assert_close(left, right, terms=1 << 14)
    compiled = torch.compile(ours, fullgraph=True)(values, B)
    oracle.assert_close(compiled, reference(values, B))


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    n=strategies.integers(0, 9),
    density=strategies.floats(0, 1),
    seed=strategies.integers(0, 1 << 30),
    method=strategies.sampled_from(METHODS),
)
def test_any_pattern(n, density, seed, method):
    """Empty rows and matrices, duplicates: solved as by SciPy, or refused."""
    generator = torch.Generator().manual_seed(seed)
    indices = matrices.random_indices(n, n, density, generator=generator)
    values = torch.randn(indices.shape[1], dtype=torch.float64, generator=generator)
    if method != "lu":
        indices = torch.cat([indices, indices.flip(0)], 1)
        values = torch.cat([values, values])
    if method == "cholesky":
        values = torch.where(indices[0] == indices[1], values.abs() * 10, values)
    A = torch.sparse_coo_tensor(indices, values, (n, n))
    dense, B = A.to_dense(), torch.ones(n, 2, dtype=torch.float64)
    condition = torch.linalg.cond(dense).item() if n else 1
    good = condition < 1e12
    if method == "cholesky" and n:
        good = good and torch.linalg.eigvalsh(dense).min().item() > 1e-12
    if 1e12 <= condition < 1e18:
        return  # singular or not, to working precision
    if not good:
        with pytest.raises(tsgu.SingularMatrixError):
            tsgu.sparse_generic_solve(A, B, method)
        return
    x = tsgu.sparse_generic_solve(A, B, method, on_fail="raise")
    close = {"rtol": 1e-12 * condition, "atol": 1e-12 * condition}
    torch.testing.assert_close(x, torch.linalg.solve(dense, B), **close)


# ===-- Factors ----------------------------------------------------------------===#


def factorizations():
    return tsgu.show_config()["factorizations"]


@pytest.mark.parametrize("kind", matrices.ALL)
@pytest.mark.parametrize("method", METHODS)
def test_one_factorization_serves_every_order(method, kind):
    A = matrix_for(method, kind, 8)
    A = (A * (2 + list(matrices.ALL).index(kind))).requires_grad_()  # no other test's
    B = right_side(A).requires_grad_()
    items = len(A) if A.dim() == 3 else 1
    before = factorizations()
    X = tsgu.sparse_generic_solve(A, B, method)
    assert factorizations() == before + items
    gradients = torch.autograd.grad(X.square().sum(), (A, B), create_graph=True)
    functional = tsgu.values(gradients[0]).square().sum() + gradients[1].square().sum()
    torch.autograd.grad(functional, (A, B))
    tsgu.sparse_generic_solve(A.detach(), B.detach()[..., :1], method)
    assert factorizations() == before + items


# ===-- Outcomes and options -------------------------------------------------------===#


@pytest.mark.parametrize("method", METHODS)
def test_what_a_solve_reports(method):
    A = definite("csr64", 20)
    B = right_side(A, 3)
    X, info = tsgu.sparse_generic_solve(A, B, method, return_info=True)
    assert (info.method, info.converged, info.reasons) == (method, True, ("converged",) * 3)
    residuals = torch.linalg.vector_norm(B - A.to_dense() @ X, dim=0)
    assert (info.residuals <= info.goals).all() and (info.goals < 1e-11).all()
    torch.testing.assert_close(info.residuals, residuals, rtol=0, atol=1e-14)
    B[3, 1] = torch.nan
    with pytest.warns(tsgu.ConvergenceWarning, match="met NaN or infinity.*right-hand side"):
        X, info = tsgu.sparse_generic_solve(A, B, method, return_info=True)
    assert info.reasons == ("converged", "not finite", "converged")
    with pytest.raises(tsgu.ConvergenceError):
        tsgu.sparse_generic_solve(A, B, method, on_fail="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tsgu.sparse_generic_solve(A, B, method, on_fail="ignore")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "option",
    [
        {"preconditioner": "jacobi"},
        {"maxiter": 3},
        {"restart": 3},
        {"x0": torch.zeros(4, 1, dtype=torch.float64)},
        {"callback": print},
    ],
)
def test_options_of_iterations_are_refused(method, option):
    A = definite("coo", 4)
    (name,) = option
    with pytest.raises(ValueError, match=f"'{method}' does not iterate, and takes no {name}"):
        tsgu.sparse_generic_solve(A, right_side(A, 1), method, **option)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype,least,most", [(torch.float64, -200, 200), (torch.float32, -30, 30)])
def test_scales(method, dtype, least, most):
    """Right-hand sides, cotangents and matrices of any size."""
    A = matrix_for(method, "csr64", 12, dtype)
    B, G = right_side(A), right_side(A)
    expected = tsgu.sparse_generic_solve(A, B, method)
    adjoint = tsgu.sparse_generic_solve(A.to_dense().mH.to_sparse(), G, method)
    for size in (least, 0, most):
        for right in (least, 0, most):
            if abs(right - size) > most:
                continue
            b = (B * 10.0**right).requires_grad_()
            scaled = A * 10.0**size
            X = tsgu.sparse_generic_solve(scaled, b, method, on_fail="raise")
            oracle.assert_close(X.detach() * 10.0**size / 10.0**right, expected, terms=256)
            if abs(right + size) > most:
                continue
            (gradient,) = torch.autograd.grad(X, b, G * 10.0**right)
            oracle.assert_close(gradient * 10.0**size / 10.0**right, adjoint, terms=256)


@pytest.mark.parametrize("method", METHODS)
def test_a_handle(method):
    A = definite("csr32", 6)
    pattern, handle = tsgu.Pattern.of(A), tsgu.solver(method)
    B = right_side(A)
    X = tsgu.operator("solve")(pattern, handle, A.values(), B)
    oracle.assert_close(X, torch.linalg.solve(A.to_dense(), B))


@pytest.mark.parametrize("method", METHODS)
def test_not_for_least_squares(method):
    A = matrices.csr(5, 3)
    with pytest.raises(ValueError, match="does not do least squares"):
        tsgu.operator("least_squares")(
            tsgu.Pattern.of(A), tsgu.solver(method), A.values(), right_side(A)
        )


@pytest.mark.parametrize("method", METHODS)
def test_what_factors_are_like(method):
    n = 40  # of equal diagonal, so that no scaling changes the condition
    A = (
        2.5 * torch.eye(n) - torch.eye(n).roll(1, 0).tril() - torch.eye(n).roll(-1, 0).triu()
    ).double()
    sparse, b = A.to_sparse_csr(), torch.ones(n, dtype=torch.float64)
    _, info = tsgu.sparse_generic_solve(sparse, b, method, return_info=True)
    factors = info.factors
    least = 3 * n - 2 if method == "lu" else 2 * n - 1
    assert least <= factors.entries <= 8 * n
    assert factors.bytes >= 8 * factors.entries
    assert (factors.flops is None) == (method == "lu")
    assert factors.inertia == (None if method == "lu" else (n, 0, 0))
    exact = 1 / (torch.linalg.matrix_norm(A, 1) * torch.linalg.matrix_norm(A.inverse(), 1))
    assert exact * (1 - 1e-12) <= factors.rcond <= 3 * exact  # of a lower bound of the inverse
    assert "rcond" in repr(info)
    _, info = tsgu.sparse_generic_solve(
        torch.stack([A, 2 * A]).to_sparse(), torch.ones(2, n).double(), method, return_info=True
    )
    assert [one.rcond for one in info.factors] == pytest.approx([factors.rcond] * 2)
    _, info = tsgu.sparse_generic_solve(sparse, b, "cg", return_info=True)
    assert info.factors is None
