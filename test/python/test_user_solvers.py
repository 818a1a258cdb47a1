"""Solvers that users bring: what they are given, what they may do wrong, whom they may call."""

import warnings

import pytest
import torch
from run_tools import in_threads

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side
from tsgu.utils import bicgstab, gmres, linear_cg

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def lapack(A, B):
    return torch.linalg.solve(A.to_dense(), B)


def lapack_adjoint(A, B):
    return torch.linalg.solve(A.to_dense().mH, B)


def assert_gradients(A, B, *callables, **options):
    """Values and gradients against LAPACK."""
    A, B = A.detach().requires_grad_(), B.detach().requires_grad_()
    indices = oracle.indices_of(A.detach())
    values, dense = oracle.stored_values(A).requires_grad_(), B.detach().requires_grad_()
    X = tsgu.sparse_generic_solve(A, B, *callables, **options)
    expected = torch.linalg.solve(oracle.dense(indices, values, A.shape), dense)
    oracle.assert_close(X.detach(), expected.detach(), terms=1 << 12)
    weight = torch.randn_like(expected)
    left = torch.autograd.grad(X, (A, B), weight)
    right = torch.autograd.grad(expected, (values, dense), weight)
    oracle.assert_close(oracle.stored_values(left[0]), right[0], terms=1 << 14)
    oracle.assert_close(left[1], right[1], terms=1 << 14)


@pytest.mark.parametrize("adjoint", [None, lapack_adjoint])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_every_layout_and_dtype(kind, dtype, adjoint):
    A = matrices.invertible(kind, 7, dtype)
    assert_gradients(A, right_side(A), lapack, adjoint)
    if kind in ("csr32", "ragged coo"):
        b = right_side(A, 1).squeeze(-1)
        x = tsgu.sparse_generic_solve(A, b, lambda A, b: lapack(A, b.unsqueeze(-1)).squeeze(-1))
        oracle.assert_close(x, lapack(A, b.unsqueeze(-1)).squeeze(-1), terms=1 << 12)


@pytest.mark.parametrize("callables", [(lapack,), (lapack, lapack_adjoint)])
@pytest.mark.parametrize("kind", ["csr64", "uncoalesced"])
def test_gradgradcheck(kind, callables):
    for dtype in (torch.float64, torch.complex128):
        A = matrices.invertible(kind, 2, dtype)
        operands = oracle.stored_values(A).requires_grad_(), right_side(A, 1).requires_grad_()

        def solve(v, b, A=A):
            return tsgu.sparse_generic_solve(rebuild(A, v), b, *callables)

        assert torch.autograd.gradcheck(solve, operands, fast_mode=True)
        assert torch.autograd.gradgradcheck(solve, operands, fast_mode=True)


@pytest.mark.parametrize("kind", ["csr32", "ragged coo"])
def test_second_derivatives_of_complex_ones(kind):
    A = matrices.invertible(kind, 4, torch.complex128)
    indices = oracle.indices_of(A)
    operands = oracle.stored_values(A).requires_grad_(), right_side(A).requires_grad_()
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_generic_solve(rebuild(A, v), b, lapack, lapack_adjoint).abs() ** 2,
        lambda v, b: torch.linalg.solve(oracle.dense(indices, v, A.shape), b).abs() ** 2,
        operands,
        order=2,
        terms=1 << 16,
    )


# ===-- What they are given -----------------------------------------------------===#


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_the_adjoint_is_a_solve_with_the_adjoint_matrix(kind, dtype):
    A = matrices.invertible(kind, 5, dtype).requires_grad_()
    B = right_side(A).requires_grad_()
    seen = []

    def solve(A, B):
        assert not A.requires_grad and not B.requires_grad and B.is_contiguous()
        assert not A.is_conj() and not B.is_conj() and A.dtype == B.dtype == dtype
        seen.append(A)
        return lapack(A, B)

    X = tsgu.sparse_generic_solve(A, B, solve)
    count, forward = len(seen), [M.to_dense() for M in seen]
    assert all(M.layout == A.layout and M.shape == A.shape[-2:] for M in seen)
    dense = A.detach().to_dense()
    items = dense if dense.dim() == 3 else dense.unsqueeze(0)
    for left, right in zip(forward, items, strict=True):
        oracle.assert_close(left, right)
    gradient = torch.autograd.grad(X, (A, B), torch.randn_like(X))
    assert len(seen) == 2 * count and gradient[0].layout == A.layout
    for M, right in zip(seen[count:], items, strict=True):
        assert M.layout == A.layout
        oracle.assert_close(M.to_dense(), right.mH.resolve_conj())


def test_an_explicit_adjoint_is_called_with_the_matrix_itself():
    A = matrices.invertible("csr64", 5, torch.complex128).requires_grad_()
    b = torch.randn(5, dtype=torch.complex128, requires_grad=True)
    seen = []

    def adjoint(A, B, factor):
        seen.append((A.to_dense(), B.shape, factor))
        return torch.linalg.solve(A.to_dense().mH, B)

    def solve(A, B, factor):
        return lapack(A, B)

    x = tsgu.sparse_generic_solve(A, b, solve, adjoint, factor=3)
    assert not seen
    first = torch.autograd.grad((x.abs() ** 2).sum(), b, create_graph=True)[0]
    oracle.assert_close(seen[0][0], A.detach().to_dense())
    assert seen[0][1:] == ((5,), 3)
    torch.autograd.grad((first.abs() ** 2).sum(), (A, b))


def test_only_the_adjoint_is_given():
    A = matrices.invertible("csr64", 6)
    for solve, adjoint in (
        (None, lambda A, B, rtol: lapack_adjoint(A, B)),
        (None, "gmres"),
        (None, "bicgstab"),
        ("gmres", gmres),
        (gmres, lambda A, B, rtol: gmres(A.to_dense().mT, B, rtol=rtol)),
    ):
        assert_gradients(A, right_side(A), solve, adjoint, rtol=1e-14, on_fail="ignore")


def test_the_callers_tensors_stay_as_they_are():
    A, kept = matrices.invertible("csr64", 5), []
    B = right_side(A)
    values, b = A.values().clone(), B.clone()

    def rude(A, B):
        kept.append((A, B))
        X = lapack(A, B)
        A.values().fill_(torch.nan)
        B.fill_(torch.nan)
        return X

    X = tsgu.sparse_generic_solve(A.requires_grad_(), B.requires_grad_(), rude)
    X.sum().backward()
    assert torch.equal(A.detach().values(), values) and torch.equal(B.detach(), b)
    oracle.assert_close(X.detach(), lapack(A.detach(), b), terms=1 << 12)
    # What they return may be what they got, or be written to later.
    mine = []

    def identity(A, B):
        mine.append(B)
        return B

    X = tsgu.sparse_generic_solve(A.detach(), b, identity)
    mine[0].zero_()
    assert torch.equal(X, b)


# ===-- What they may do wrong -------------------------------------------------===#


class MineError(Exception):
    pass


@pytest.mark.parametrize("order", ["forward", "backward", "double backward"])
@pytest.mark.parametrize("kind", ["csr64", "ragged coo"])
def test_their_errors_arrive_as_they_are(kind, order):
    A = matrices.invertible(kind, 4).requires_grad_()
    B = right_side(A).requires_grad_()
    error, armed = MineError("mine"), []

    def solve(A, B):
        if armed:
            raise error
        return lapack(A, B)

    def run():
        if order == "forward":
            armed.append(1)
        X = tsgu.sparse_generic_solve(A, B, solve)
        if order == "backward":
            armed.append(1)
        gradient = torch.autograd.grad((X**2).sum(), B, create_graph=True)[0]
        armed.append(1)
        torch.autograd.grad((gradient**2).sum(), (A, B))

    with pytest.raises(MineError) as caught:
        run()
    assert caught.value is error
    armed.clear()
    oracle.assert_close(
        tsgu.sparse_generic_solve(A, B, solve).detach(),
        lapack(A.detach(), B.detach()),
        terms=1 << 12,
    )


def test_interrupts_and_exits_pass():
    A = matrices.invertible("csr64", 4)
    for interrupt in (KeyboardInterrupt, SystemExit):

        def solve(A, B, interrupt=interrupt):
            raise interrupt

        with pytest.raises(interrupt):
            tsgu.sparse_generic_solve(A, right_side(A), solve)


def test_wrong_results():
    A, n = matrices.invertible("csr64", 4), 4
    B = right_side(A)
    for wrong, error, text in (
        (lambda A, B: None, TypeError, "NoneType"),
        (lambda A, B: (B, 0), TypeError, "tuple"),
        (lambda A, B: B.numpy(), TypeError, "ndarray"),
        (lambda A, B: B.to_sparse(), TypeError, "dense"),
        (lambda A, B: B + 1j, TypeError, "real"),
        (lambda A, B: B.to("meta"), TypeError, "CPU"),
        (lambda A, B: B[:, :1], ValueError, r"\(4, 2\), not \(4, 1\)"),
        (lambda A, B: B[:2], ValueError, r"\(4, 2\), not \(2, 2\)"),
        (lambda A, B: B.T, ValueError, r"\(4, 2\), not \(2, 4\)"),
        (lambda A, B: B.unsqueeze(0), ValueError, "shape"),
        (lambda A, B: torch.tensor(0.0), ValueError, "shape"),
    ):
        with pytest.raises(error, match=text):
            tsgu.sparse_generic_solve(A, B, wrong)
        # Also where an adjoint does it, and there with a name that helps.
        leaf = B.clone().requires_grad_()
        X = tsgu.sparse_generic_solve(A, leaf, lapack, wrong)
        with pytest.raises(error, match=text):
            X.sum().backward()
    x = tsgu.sparse_generic_solve(A, B[:, 0], lambda A, b: b.unsqueeze(1))  # a column will do
    assert torch.equal(x, B[:, 0])
    X = tsgu.sparse_generic_solve(A, B, lambda A, B: B.float())
    assert X.dtype == torch.float64 and X.shape == (n, 2)


def test_not_a_number_from_a_callable():
    A, b = matrices.invertible("csr64", 4), torch.ones(4, dtype=torch.float64)
    broken = lambda A, B: B * torch.nan  # noqa: E731
    with pytest.warns(tsgu.ConvergenceWarning, match="NaN or infinity"):
        tsgu.sparse_generic_solve(A, b, broken)
    with pytest.raises(tsgu.ConvergenceError, match="NaN or infinity"):
        tsgu.sparse_generic_solve(A, b, broken, on_fail="raise")
    X, info = tsgu.sparse_generic_solve(A, b, broken, on_fail="ignore", return_info=True)
    assert X.isnan().all() and info.reasons == ("not finite",) and not info.converged


def test_inaccurate_callables_are_judged_where_a_tolerance_was_given():
    A = matrices.invertible("csr64", 6)
    b = torch.ones(6, dtype=torch.float64)

    def rough(A, B, **options):
        return lapack(A, B) * (1 + 1e-3)

    x, info = tsgu.sparse_generic_solve(A, b, rough, return_info=True)
    assert info.converged
    residual = torch.linalg.norm(A.to_dense() @ x - b)
    torch.testing.assert_close(info.residuals[0], residual)
    with pytest.warns(tsgu.ConvergenceWarning, match="caller's solver.*residual"):
        tsgu.sparse_generic_solve(A, b, rough, rtol=1e-6)
    tsgu.sparse_generic_solve(A, b, rough, rtol=1e-2, on_fail="raise")
    tsgu.sparse_generic_solve(A, b, rough, rtol=7.0, on_fail="raise")  # the callable's own idea
    with pytest.raises(tsgu.ConvergenceError):
        tsgu.sparse_generic_solve(A, b, rough, rtol=1e-6, on_fail="raise")


def test_one_of_ours_for_the_solve_another_for_the_adjoint():
    A = matrices.invertible("csr64", 40).requires_grad_()
    b = torch.randn(40, dtype=torch.float64, requires_grad=True)
    with pytest.raises(tsgu.ConvergenceError, match="BiCGSTAB.*iteration limit"):
        tsgu.sparse_generic_solve(A, b, "bicgstab", "gmres", maxiter=1, on_fail="raise")
    with pytest.warns(tsgu.ConvergenceWarning) as caught:
        x, info = tsgu.sparse_generic_solve(A, b, "bicgstab", "gmres", maxiter=1, return_info=True)
    assert len(caught) == 1 and not info.converged
    with pytest.warns(tsgu.ConvergenceWarning, match="GMRES"):
        x.sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = tsgu.sparse_generic_solve(A, b, "bicgstab", "gmres", maxiter=1, on_fail="ignore")
        x.sum().backward()


# ===-- Whom they may call ----------------------------------------------------===#


def test_callables_that_call_tsgu_again():
    A = matrices.invertible("csr64", 8)

    def nested(A, B):
        inner = tsgu.sparse_generic_solve(A, B, lapack)  # another callable, inside
        again = tsgu.sparse_mm(A, inner)
        return tsgu.sparse_generic_solve(A, again, "gmres", rtol=1e-13)

    assert_gradients(A, right_side(A), nested)

    def differentiates(A, B):
        """One Newton step, from zero, whose Jacobian is found by autograd."""
        with torch.enable_grad():
            x = torch.zeros_like(B).requires_grad_()
            gradient = torch.autograd.grad(
                tsgu.sparse_generic_solve(A.requires_grad_(), B + x, lapack).sum(), x
            )[0]
        assert gradient.isfinite().all()
        return lapack(A.detach(), B)

    assert_gradients(A, right_side(A), differentiates)


def test_failures_inside_are_told_once_and_to_the_right_one():
    A = matrices.invertible("csr64", 30)
    b = torch.randn(30, dtype=torch.float64)

    def nested(A, B):
        with pytest.warns(tsgu.ConvergenceWarning, match="BiCGSTAB"):
            tsgu.sparse_generic_solve(A, B, "bicgstab", maxiter=1)
        with pytest.raises(tsgu.ConvergenceError):
            tsgu.sparse_generic_solve(A, B, "bicgstab", maxiter=1, on_fail="raise")
        with pytest.raises(MineError):
            tsgu.sparse_generic_solve(A, B, raises)
        return lapack(A, B)

    def raises(A, B):
        raise MineError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        oracle.assert_close(tsgu.sparse_generic_solve(A, b, nested), lapack(A, b), terms=1 << 12)


def test_two_solvers_in_turns():
    """Forward of one, forward of the other, backward of the first, of the other, of both."""
    made = []
    for k in range(4):
        A = matrices.invertible("csr64", 6, diagonal=4.0 + k).requires_grad_()
        B = right_side(A).requires_grad_()
        solve = [lapack, "gmres", "bicgstab", lambda A, B: lapack(A, B)][k]
        made.append((A, B, tsgu.sparse_generic_solve(A, B, solve)))
    for A, B, X in [made[2], made[0], made[3], made[1]]:
        weight = torch.randn_like(X)
        gradient = torch.autograd.grad(X, (A, B), weight, retain_graph=True)
        expected = torch.linalg.solve(A.detach().to_dense().T, weight)
        torch.testing.assert_close(gradient[1], expected, rtol=1e-6, atol=1e-6)
        on_pattern = -(expected @ X.detach().T)[tuple(oracle.indices_of(A.detach()))]
        torch.testing.assert_close(gradient[0].values(), on_pattern, rtol=1e-6, atol=1e-6)
    sum(X.sum() for _, _, X in made).backward()


def test_backward_in_other_threads():
    """Of graphs that another thread made; errors stay where they are."""
    graphs, results = [], {}
    for k in range(8):
        A = matrices.invertible("csr64", 6)
        B = right_side(A).requires_grad_()

        def solve(A, B, k=k, calls=[]):  # noqa: B006
            calls.append(1)
            if k % 4 == 3 and len(calls) > 8:
                raise MineError(k)
            return lapack(A, B)

        graphs.append((A, B, [tsgu.sparse_generic_solve(A, B, solve) for _ in range(5)]))

    def work(k):
        A, B, results_ = graphs[k]
        try:
            for X in results_:
                results.setdefault(k, []).append(torch.autograd.grad(X.sum(), B)[0])
        except MineError as error:
            assert error.args == (k,) and k % 4 == 3
            results[k] = None

    in_threads(work, 8)
    for k, (A, B, _) in enumerate(graphs):
        assert (results[k] is None) == (k % 4 == 3)
        for gradient in results[k] or ():
            expected = torch.linalg.solve(A.to_dense().T, torch.ones_like(B).detach())
            oracle.assert_close(gradient, expected, terms=1 << 12)


def test_functions_of_ours_with_their_own_arguments():
    A = matrices.invertible("csr64", 12)
    A = A.to_dense()
    A = (A @ A.T + torch.eye(12)).to_sparse_csr()
    b = torch.randn(12, dtype=torch.float64)
    inverse = torch.diag(1 / A.to_dense().diagonal())
    expected = torch.linalg.solve(A.to_dense(), b)
    for options in (
        {"preconditioner": inverse},
        {"preconditioner": lambda V: inverse @ V},
        {"preconditioner": "jacobi"},
        {"tolerance": 1e-10, "max_iter": 50, "preconditioner": inverse.to_sparse_csr()},
    ):
        leaf = b.clone().requires_grad_()
        x = tsgu.sparse_generic_solve(A, leaf, linear_cg, **options)
        torch.testing.assert_close(x.detach(), expected, rtol=1e-6, atol=1e-6)
        (gradient,) = torch.autograd.grad(x.sum(), leaf)
        reference = torch.linalg.solve(A.to_dense(), torch.ones_like(b))
        torch.testing.assert_close(gradient, reference, rtol=1e-6, atol=1e-6)
    settings = tsgu.utils.BICGSTABSettings(precon=inverse)
    x = tsgu.sparse_generic_solve(A, b, bicgstab, settings=settings)
    torch.testing.assert_close(x, expected, rtol=1e-6, atol=1e-6)
