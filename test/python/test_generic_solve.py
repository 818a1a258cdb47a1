"""sparse_generic_solve by our methods, against LAPACK. Users' callables: test_user_solvers."""

import warnings

import pytest
import torch
from solve_tools import assert_gradients, lapack

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side
from tsgu.utils import bicgstab, cgs, gmres, linear_cg, minres

func = torch.func
GENERAL = [None, "bicgstab", "gmres", "cgs", bicgstab, gmres, cgs]
HERMITIAN = ["cg", "minres", linear_cg, minres]


def symmetric(n, definite=True):
    A = matrices.invertible("coo", n, per_row=2).to_dense()
    A = A + A.T
    A = A @ A + torch.eye(n, dtype=A.dtype) if definite else A
    return A.to_sparse_csr()


@pytest.mark.parametrize("solve", GENERAL)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_nonsymmetric_matrices(kind, solve):
    A = matrices.invertible(kind, 12)
    assert_gradients(lambda A, B: tsgu.sparse_generic_solve(A, B, solve), A, right_side(A, 3))


@pytest.mark.parametrize("solve", HERMITIAN)
def test_symmetric_matrices(solve):
    A = symmetric(15)
    assert_gradients(lambda A, B: tsgu.sparse_generic_solve(A, B, solve), A, right_side(A, 3))
    if solve in ("minres", minres):
        A = symmetric(15, definite=False)
        assert_gradients(lambda A, B: tsgu.sparse_generic_solve(A, B, solve), A, right_side(A, 3))


@pytest.mark.parametrize("solve", [None, "bicgstab", "cgs"])
def test_single_precision(solve):
    A = matrices.invertible("csr32", 12, torch.float32)
    B = right_side(A, 3)
    assert_gradients(lambda A, B: tsgu.sparse_generic_solve(A, B, solve), A, B, 1e-3)


@pytest.mark.parametrize("kind", matrices.ALL)
def test_second_derivatives(kind):
    A = matrices.invertible(kind, 4)
    values = oracle.stored_values(A).requires_grad_()
    B = right_side(A, 2).requires_grad_()
    indices = oracle.indices_of(A)

    def solve(values, B):
        return tsgu.sparse_generic_solve(rebuild(A, values), B, rtol=1e-14, on_fail="ignore") ** 2

    oracle.assert_same_derivatives(
        solve,
        lambda v, b: oracle.solve(indices, v, A.shape, b) ** 2,
        (values, B),
        order=3,
        terms=1 << 16,
    )


def test_gradcheck_and_gradgradcheck():
    A = matrices.invertible("csr64", 4)
    operands = A.values().clone().requires_grad_(), right_side(A, 3).requires_grad_()
    pattern, solve = tsgu.Pattern.of(A), tsgu.operator("solve")
    handle = tsgu.solver("gmres", rtol=1e-13, on_fail="ignore")

    def function(values, B):
        return solve(pattern, handle, values, B)

    assert torch.autograd.gradcheck(function, operands, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, operands)


@pytest.mark.parametrize("method", ["gmres", "bicgstab"])
def test_transforms(method):
    A = matrices.invertible("csr64", 5)
    indices, pattern = oracle.indices_of(A), tsgu.Pattern.of(A)
    values, B = A.values().clone(), right_side(A, 3)
    solve, handle = tsgu.operator("solve"), tsgu.solver(method, rtol=1e-14, on_fail="ignore")

    def ours(v, b):
        return solve(pattern, handle, v, b).sin()

    def theirs(v, b):
        return oracle.solve(indices, v, A.shape, b).sin()

    def compare(transform, *operands):
        left, right = transform(ours)(*operands), transform(theirs)(*operands)
        for a, b in zip(*(torch.utils._pytree.tree_leaves(x) for x in (left, right)), strict=True):
            oracle.assert_close(a, b, terms=1 << 14)

    compare(lambda f: func.grad(lambda v, b: f(v, b).sum(), argnums=(0, 1)), values, B)
    compare(lambda f: lambda v, b: func.jvp(f, (v, b), (v.cos(), b.cos())), values, B)
    compare(lambda f: func.hessian(lambda v, b: f(v, b).sum(), argnums=(0, 1)), values, B)
    batch = B + torch.randn(4, *B.shape, dtype=B.dtype)
    compare(lambda f: func.vmap(f, (None, 0)), values, batch)
    many = values + 0.1 * torch.randn(4, *values.shape, dtype=B.dtype)
    gradient = lambda f: func.vmap(func.grad(lambda v, b: f(v, b).sum()), (0, 0))  # noqa: E731
    compare(gradient, many, batch)


def test_compile():
    A = matrices.invertible("csr64", 6)
    values = A.values().clone().requires_grad_()
    B = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    pattern, solve = tsgu.Pattern.of(A), tsgu.operator("solve")
    handle = tsgu.solver("bicgstab", rtol=1e-12)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def compiled(values, B):
        return solve(pattern, handle, values * 2, B).tanh()

    expected = oracle.solve(oracle.indices_of(A), values * 2, A.shape, B).tanh()
    weight = torch.randn_like(expected)
    left = torch.autograd.grad(compiled(values, B), (values, B), weight)
    right = torch.autograd.grad(expected, (values, B), weight)
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_right_hand_sides_of_one_dimension():
    for kind in ("csr64", "ragged coo"):
        A = matrices.invertible(kind, 6)
        b = right_side(A, 1).squeeze(-1)
        x = tsgu.sparse_generic_solve(A, b)
        assert x.shape == b.shape
        oracle.assert_close(x, torch.linalg.solve(A.to_dense(), b), terms=1 << 12)


# ===-- Options and outcomes ----------------------------------------------------===#


@pytest.mark.parametrize("name", ["jacobi", "block_jacobi", "ssor", "ilu0", "ic0", "amg"])
def test_preconditioners(name):
    A = symmetric(40)
    B = right_side(A, 3)
    for solve in ("cg", "bicgstab", "gmres"):
        assert_gradients(
            lambda A, B, s=solve: tsgu.sparse_generic_solve(A, B, s, preconditioner=name), A, B
        )


def test_gradients_set_up_no_preconditioner_again():
    A = matrices.invertible("csr64", 30).requires_grad_()
    B = right_side(A, 3).requires_grad_()
    before = tsgu.show_config()["preconditioner setups"]
    X = tsgu.sparse_generic_solve(A, B, "bicgstab", preconditioner="ilu0")
    setups = tsgu.show_config()["preconditioner setups"]
    assert setups == before + 1
    gradients = torch.autograd.grad((X**2).sum(), (A, B), create_graph=True)
    torch.autograd.grad((tsgu.values(gradients[0]) ** 2).sum() + gradients[1].sum(), (A, B))
    assert tsgu.show_config()["preconditioner setups"] == setups


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_scales_of_the_right_hand_side(size):
    A = matrices.invertible("csr64", 10)
    B = right_side(A, 3)
    for solve in (None, "bicgstab", "cgs"):
        X, info = tsgu.sparse_generic_solve(A, B * size, solve, return_info=True)
        assert info.converged
        expected = torch.linalg.solve(A.to_dense(), B)
        torch.testing.assert_close(X / size, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize(
    "solve", [None, "bicgstab", lambda A, B: torch.linalg.solve(A.to_dense(), B)]
)
def test_scales_of_the_cotangent(solve, size):
    A = matrices.invertible("csr64", 10).requires_grad_()
    B = right_side(A, 3).requires_grad_()
    X = tsgu.sparse_generic_solve(A, B, solve)
    weight = torch.randn_like(X)
    one = torch.autograd.grad(X, (A, B), weight, retain_graph=True)
    other = torch.autograd.grad(X, (A, B), weight * size)
    for a, b in ((one[0].values(), other[0].values()), (one[1], other[1])):
        torch.testing.assert_close(b / size, a, rtol=1e-5, atol=1e-6)


def test_a_zero_right_hand_side():
    A = matrices.invertible("csr64", 6).requires_grad_()
    for solve in GENERAL:
        X, info = tsgu.sparse_generic_solve(A, torch.zeros(6, 2).double(), solve, return_info=True)
        assert torch.equal(X, torch.zeros_like(X)) and info.converged
        X.sum().backward()


def test_what_does_not_converge_warns_raises_or_goes_on():
    A, b = symmetric(40), torch.randn(40, dtype=torch.float64)
    with pytest.warns(tsgu.ConvergenceWarning, match="CG.*residual.*goal.*after 2 iterations"):
        x = tsgu.sparse_generic_solve(A, b, "cg", maxiter=2)
    with pytest.raises(tsgu.ConvergenceError) as caught:
        tsgu.sparse_generic_solve(A, b, "cg", maxiter=2, on_fail="raise")
    outcome = caught.value.outcome
    assert outcome.reasons == ("iteration limit",) and outcome.iterations.tolist() == [2]
    residual = torch.linalg.norm(b - A.to_dense() @ x)
    torch.testing.assert_close(outcome.residuals[0], residual, rtol=1e-6, atol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = tsgu.sparse_generic_solve(A, b, "cg", maxiter=2, on_fail="ignore")
        assert torch.equal(again, x)
        with pytest.raises(tsgu.ConvergenceWarning):
            tsgu.sparse_generic_solve(A, b, "cg", maxiter=2)
    assert issubclass(tsgu.ConvergenceError, RuntimeError)
    assert issubclass(tsgu.BreakdownError, tsgu.ConvergenceError)
    assert issubclass(tsgu.ConvergenceWarning, UserWarning)


def test_warnings_and_errors_of_gradients():
    A, b = symmetric(40).requires_grad_(), torch.randn(40, dtype=torch.float64)
    # After one iteration for an eigenvector, but not for the cotangent.
    vectors = torch.linalg.eigh(A.detach().to_dense()).eigenvectors
    for on_fail, expected in (("warn", tsgu.ConvergenceWarning), ("raise", tsgu.ConvergenceError)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            x = tsgu.sparse_generic_solve(A, vectors[:, 3], "cg", maxiter=3, on_fail=on_fail)
            with pytest.raises(expected):
                (x * b).sum().backward()


def test_a_matrix_that_is_not_definite():
    A = -symmetric(10).to_dense()
    with pytest.raises(tsgu.BreakdownError) as caught:
        b = torch.ones(10, dtype=torch.float64)
        tsgu.sparse_generic_solve(A.to_sparse_csr(), b, "cg", on_fail="raise")
    assert caught.value.outcome.reasons == ("indefinite matrix",)


def test_singular_matrices_and_zero_rows():
    A = torch.diag(torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64)).to_sparse_csr()
    b = torch.ones(3, dtype=torch.float64)
    with pytest.raises(tsgu.SingularMatrixError, match="row 2"):
        tsgu.sparse_generic_solve(A, b)
    for solve in GENERAL[1:]:
        with pytest.warns(tsgu.ConvergenceWarning):
            x, info = tsgu.sparse_generic_solve(A, b, solve, return_info=True)
        assert not info.converged and x.isfinite().all()
    with pytest.raises(tsgu.SingularMatrixError, match=r"\b2\b"):
        tsgu.sparse_generic_solve(A, b, "bicgstab", preconditioner="jacobi")


def test_which_method_serves_where_none_is_named():
    """Of small matrices a factorisation, of others and with options of iterations one of those."""

    def method(A, **options):
        b = torch.ones(A.shape[-1], dtype=A.dtype)
        x, info = tsgu.sparse_generic_solve(A, b, return_info=True, **options)
        oracle.assert_close(A @ x, b, terms=1 << 32 if options or len(b) > 1024 else 1 << 10)
        return info.method

    definite, indefinite = symmetric(12), symmetric(12, definite=False)
    diagonal = torch.full((12,), 0.1, dtype=torch.float64).diag()
    positive = indefinite.to_dense().fill_diagonal_(0.0) + diagonal  # and indefinite
    assert method(definite) == method(definite.to_sparse_coo()) == "cholesky"
    assert method(positive.to_sparse_csr()) == method(-definite) == "lu"
    assert method(matrices.invertible("csr64", 12)) == "lu"
    assert method(definite, maxiter=100) == method(definite, preconditioner="jacobi") == "gmres"
    assert method(2 * torch.eye(1025, dtype=torch.float64).to_sparse_csr()) == "bicgstab"


def test_not_a_number():
    A = matrices.invertible("csr64", 5)
    for solve in GENERAL[:4]:
        with pytest.warns(tsgu.ConvergenceWarning, match="NaN"):
            tsgu.sparse_generic_solve(A, torch.full((5, 2), torch.nan).double(), solve)


def test_information():
    A = matrices.invertible("csr64", 20)
    B = right_side(A, 3)
    X, info = tsgu.sparse_generic_solve(A, B, "bicgstab", return_info=True)
    assert info.converged and info.method == "bicgstab" and info.reasons == ("converged",) * 3
    residuals = torch.linalg.norm(B - A.to_dense() @ X, dim=0)
    torch.testing.assert_close(info.residuals, residuals, rtol=1e-3, atol=1e-14)
    torch.testing.assert_close(info.goals, 1e-8 * torch.linalg.norm(B, dim=0))
    assert info.history.shape == (info.iterations.max() + 1, 3)
    A = matrices.invertible("ragged coo", 8)
    X, info = tsgu.sparse_generic_solve(A, right_side(A, 3), return_info=True)
    assert info.residuals.shape == (3, 3) and len(info.reasons) == len(info.history) == 3


def test_progress_is_told_and_can_stop():
    A, b = symmetric(60), torch.randn(60, dtype=torch.float64)
    told = []

    def three(iteration, residuals):
        told.append((iteration, residuals))
        return len(told) == 3

    with pytest.warns(tsgu.ConvergenceWarning, match="stopped by the progress callback"):
        x, info = tsgu.sparse_generic_solve(A, b, "cg", callback=three, return_info=True)
    assert info.reasons == ("stopped",) and len(told) == 3
    assert [residuals.shape for _, residuals in told] == [(1,)] * 3

    def broken(iteration, residuals):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        tsgu.sparse_generic_solve(A, b, "cg", callback=broken)


def test_where_to_start():
    A = matrices.invertible("csr64", 30).requires_grad_()
    B = right_side(A, 3).requires_grad_()
    X = tsgu.sparse_generic_solve(A, B, "bicgstab", rtol=1e-12)
    again, info = tsgu.sparse_generic_solve(A, B, "bicgstab", x0=X.detach(), return_info=True)
    assert info.iterations.tolist() == [0, 0, 0]
    assert_gradients(
        lambda A, B: tsgu.sparse_generic_solve(A, B, "bicgstab", x0=torch.ones_like(B)), A, B
    )
    b, guess = B.detach()[:, 0], torch.randn(30, dtype=torch.float64)
    kept = guess.clone()
    x = tsgu.sparse_generic_solve(A.detach(), b, bicgstab, initial_guess=guess)
    torch.testing.assert_close(x, X.detach()[:, 0], rtol=1e-6, atol=1e-7)
    assert torch.equal(guess, kept)


# ===-- Arguments ---------------------------------------------------------------===#


def test_errors_in_order():
    A = matrices.invertible("csr64", 3)
    B = torch.ones(3, 2, dtype=torch.float64)
    wide = matrices.csr(3, 4)
    cases = [
        ((1, B), ValueError, "Both A and B should be instances of torch.Tensor"),
        ((A, 1), ValueError, "Both A and B should be instances of torch.Tensor"),
        (
            (A.to_dense(), B),
            TypeError,
            "Unsupported sparse layout: torch.strided. Only COO and CSR are supported.",
        ),
        ((torch.ones(3).to_sparse(), B), ValueError, "A must be a 2D tensor"),
        ((wide, B), ValueError, "A must be square"),
        ((A, torch.ones(3, 2, 2)), ValueError, "B must be a 1D or 2D tensor"),
        ((A, torch.tensor(1.0)), ValueError, "B must be a 1D or 2D tensor"),
        (
            (A, torch.ones(4, 2)),
            ValueError,
            f"Incompatible dimensions: A has shape {A.shape}, B has shape {torch.Size([4, 2])}",
        ),
        ((A, B.to_sparse()), TypeError, "B must be a dense (strided) tensor"),
    ]
    for operands, error, text in cases:
        with pytest.raises(error) as caught:
            tsgu.sparse_generic_solve(*operands)
        assert str(caught.value) == text


def test_options_are_checked():
    A = matrices.invertible("csr64", 3)
    B = torch.ones(3, 2, dtype=torch.float64)
    for options in (
        {"solve": "jacobi"},
        {"on_fail": "explode"},
        {"preconditioner": "ilu7"},
        {"rtol": -1.0},
        {"rtol": 2.0},
        {"atol": float("inf")},
        {"maxiter": 0},
        {"restart": -1},
    ):
        with pytest.raises(ValueError):
            tsgu.sparse_generic_solve(A, B, **options)
    with pytest.raises(TypeError):
        tsgu.sparse_generic_solve(A, B, 3)
    with pytest.raises(TypeError):
        tsgu.sparse_generic_solve(A, B, "cg", nonsense=1)


def test_dtypes_that_differ_warn():
    A = matrices.invertible("csr64", 3)
    with pytest.warns(UserWarning, match="dtype"):
        X = tsgu.sparse_generic_solve(A, torch.ones(3, 2))
    assert X.dtype == torch.float64


def test_small():
    for n in (0, 1):
        A = (2 * torch.eye(n, dtype=torch.float64)).to_sparse_csr().requires_grad_()
        B = torch.ones(n, 2, dtype=torch.float64, requires_grad=True)
        for solve in (*GENERAL, lapack):
            X, info = tsgu.sparse_generic_solve(A, B, solve, return_info=True)
            oracle.assert_close(X.detach(), B.detach() / 2, terms=2)
            assert info.converged
            X.sum().backward()
