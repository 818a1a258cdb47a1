"""sparse_generic_solve, by our methods and by callables, against LAPACK."""

import warnings

import pytest
import torch
from run_tools import in_threads

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side
from tsgu.utils import bicgstab, cgs, gmres, linear_cg, minres

func = torch.func
GENERAL = [None, "bicgstab", "gmres", "cgs", bicgstab, gmres, cgs]
HERMITIAN = ["cg", "minres", linear_cg, minres]


def reference(indices, values, shape, B):
    return torch.linalg.solve(oracle.dense(indices, values, shape), B)


def symmetric(n, definite=True):
    A = matrices.invertible("coo", n, per_row=2).to_dense()
    A = A + A.T
    A = A @ A + torch.eye(n, dtype=A.dtype) if definite else A
    return A.to_sparse_csr()


def assert_gradients(solve, A, B, tolerance=1e-7):
    """Values and gradients of leaves."""
    A, B = A.detach().requires_grad_(), B.detach().requires_grad_()
    indices = oracle.indices_of(A)
    values, dense = oracle.stored_values(A).requires_grad_(), B.detach().requires_grad_()
    X, expected = solve(A, B), reference(indices, values, A.shape, dense)
    weight = torch.randn_like(expected)
    left = torch.autograd.grad(X, (A, B), weight)
    right = torch.autograd.grad(expected, (values, dense), weight)
    assert left[0].layout == A.layout
    close = {"rtol": tolerance, "atol": tolerance * expected.abs().max().item()}
    torch.testing.assert_close(X.detach(), expected.detach(), **close)
    torch.testing.assert_close(oracle.stored_values(left[0]), right[0], **close)
    torch.testing.assert_close(left[1], right[1], **close)


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
        lambda v, b: reference(indices, v, A.shape, b) ** 2,
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
        return reference(indices, v, A.shape, b).sin()

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

    expected = reference(oracle.indices_of(A), values * 2, A.shape, B).tanh()
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
    for solve in GENERAL:
        with pytest.warns(tsgu.ConvergenceWarning):
            x, info = tsgu.sparse_generic_solve(A, b, solve, return_info=True)
        assert not info.converged and x.isfinite().all()
    with pytest.raises(tsgu.SingularMatrixError, match=r"\b2\b"):
        tsgu.sparse_generic_solve(A, b, "bicgstab", preconditioner="jacobi")


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


# ===-- Callables ---------------------------------------------------------------===#


def lapack(A, B):
    assert not A.requires_grad and not B.requires_grad
    return torch.linalg.solve(A.to_dense(), B).mT.contiguous().mT  # not contiguous


def lapack_transposed(A, B):
    return torch.linalg.solve(A.to_dense().mT, B)


@pytest.mark.parametrize("transpose", [None, lapack_transposed, gmres, "bicgstab"])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_callables(kind, transpose):
    A = matrices.invertible(kind, 8)
    assert_gradients(
        lambda A, B: tsgu.sparse_generic_solve(A, B, lapack, transpose), A, right_side(A, 3)
    )


@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "ragged coo"])
def test_second_derivatives_of_callables(kind):
    A = matrices.invertible(kind, 4)
    values = oracle.stored_values(A).requires_grad_()
    B = right_side(A, 2).requires_grad_()
    indices = oracle.indices_of(A)
    for transpose in (None, lapack_transposed):
        oracle.assert_same_derivatives(
            lambda v, b, t=transpose: tsgu.sparse_generic_solve(rebuild(A, v), b, lapack, t) ** 2,
            lambda v, b: reference(indices, v, A.shape, b) ** 2,
            (values, B),
            order=3,
            terms=1 << 16,
        )


def test_what_callables_are_given():
    A = matrices.invertible("csr32", 5).requires_grad_()
    b = torch.randn(5, dtype=torch.float64, requires_grad=True)
    seen = []

    def solve(A, B, factor, tol=None):
        seen.append((A.layout, A.shape, A.col_indices().dtype, B.shape, factor, tol))
        return factor * torch.linalg.solve(A.to_dense(), B)

    x = tsgu.sparse_generic_solve(A, b, solve, factor=1.0, tol=3)
    x.sum().backward()
    expected = (torch.sparse_csr, (5, 5), torch.int32, (5,), 1.0, 3)
    assert len(seen) > 1 and all(call == expected for call in seen)
    X = tsgu.SparseGenericSolve.apply(A, b, solve, None, {"factor": 1.0})
    assert torch.equal(X, x)
    # Options of ours go to the callable that asks for them.
    tsgu.sparse_generic_solve(A, b, lambda A, B, rtol, maxiter: B, rtol=1.0, maxiter=7)


def test_kept_tensors_stay_valid():
    kept = []

    def solve(A, B):
        kept.append((A, B))
        return torch.linalg.solve(A.to_dense(), B)

    A = matrices.invertible("coo", 5)
    B = right_side(A, 3)
    tsgu.sparse_generic_solve(A, B.clone(), solve)
    for _ in range(20):
        tsgu.sparse_generic_solve(A, torch.randn_like(B), lapack)
    assert torch.equal(kept[0][1], B) and torch.equal(kept[0][0].to_dense(), A.to_dense())


def test_what_callables_raise():
    A = matrices.invertible("csr64", 4).requires_grad_()
    B = right_side(A, 3)
    calls = []

    class MineError(Exception):
        pass

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


def test_a_solve_within_a_callable():
    def nested(A, B):
        return tsgu.sparse_generic_solve(A, B, "bicgstab", rtol=1e-12)

    A = matrices.invertible("csr64", 8)
    assert_gradients(lambda A, B: tsgu.sparse_generic_solve(A, B, nested), A, right_side(A, 3))


def test_interleaved_backward_passes():
    systems = []
    for shift in range(4):
        A = matrices.invertible("csr64", 6, diagonal=4.0 + shift).requires_grad_()
        B = right_side(A, 3).requires_grad_()

        def solve(A, B, shift=shift):
            return torch.linalg.solve(A.to_dense(), B)

        systems.append((A, B, tsgu.sparse_generic_solve(A, B, solve)))
    for A, B, X in systems[::2] + systems[1::2][::-1]:
        weight = torch.randn_like(X)
        (X * weight).sum().backward()
        expected = torch.linalg.solve(A.detach().to_dense().T, weight)
        oracle.assert_close(B.grad, expected, terms=1024)


def test_threads():
    def work(seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(10):
            A = (torch.randn(6, 6, generator=generator) + 6 * torch.eye(6)).double()
            B = torch.randn(6, 2, generator=generator).double().requires_grad_()
            for solve in (lapack, "bicgstab"):
                X = tsgu.sparse_generic_solve(A.to_sparse_csr(), B, solve, rtol=None)
                (gradient,) = torch.autograd.grad(X.sum(), B)
                expected = torch.linalg.solve(A.T, torch.ones(6, 2).double())
                torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-7)

    in_threads(work, 6)


def test_handles_live_as_long_as_graphs():
    A = matrices.invertible("csr64", 5).requires_grad_()
    X = tsgu.sparse_generic_solve(A, right_side(A, 3), lambda A, B: lapack(A, B))
    with torch.autograd.graph.save_on_cpu():
        Y = tsgu.sparse_generic_solve(A, right_side(A, 3), lambda A, B: lapack(A, B))
    import gc

    gc.collect()
    (X.sum() + Y.sum()).backward()
    lost = tsgu.solver("callable", callables=tsgu._callbacks.Callables(solve=lapack)).clone()
    with pytest.raises(tsgu.CallbackError, match="gone"):
        tsgu.operator("solve")(tsgu.Pattern.of(A), lost, A.detach().values(), right_side(A, 3))


def test_vmap_of_callables():
    A = matrices.invertible("csr64", 5)
    batch = torch.randn(3, 5, 2, dtype=torch.float64)
    pattern, values = tsgu.Pattern.of(A), A.values()

    def solve(b):
        return tsgu.sparse_generic_solve(A, b, lapack)

    expected = torch.linalg.solve(A.to_dense(), batch)
    oracle.assert_close(func.vmap(solve)(batch), expected, terms=1024)
    assert pattern.entries == values.numel()


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
        (
            (A.to_sparse_csc(), B),
            TypeError,
            "Unsupported sparse layout: torch.sparse_csc. Only COO and CSR are supported.",
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
            assert torch.equal(X, B / 2) and info.converged
            X.sum().backward()
