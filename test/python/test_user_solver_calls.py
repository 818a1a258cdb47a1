"""Solvers that users bring call others, and are called in turns, in threads and late."""

import gc

import pytest
import torch
from run_tools import in_threads
from solve_tools import MineError, assert_exact_gradients, assert_gradients, lapack

import matrices
import oracle
import tsgu
from matrices import right_side


def test_a_solve_within_a_callable():
    def nested(A, B):
        return tsgu.sparse_generic_solve(A, B, "bicgstab", rtol=1e-12)

    A = matrices.invertible("csr64", 8)
    assert_gradients(lambda A, B: tsgu.sparse_generic_solve(A, B, nested), A, right_side(A, 3))


def test_callables_that_call_tsgu_again():
    A = matrices.invertible("csr64", 8)

    def nested(A, B):
        inner = tsgu.sparse_generic_solve(A, B, lapack)  # another callable, inside
        again = tsgu.sparse_mm(A, inner)
        return tsgu.sparse_generic_solve(A, again, "gmres", rtol=1e-13)

    assert_exact_gradients(A, right_side(A), nested)

    def differentiates(A, B):
        """One Newton step, from zero, whose Jacobian is found by autograd."""
        with torch.enable_grad():
            x = torch.zeros_like(B).requires_grad_()
            gradient = torch.autograd.grad(
                tsgu.sparse_generic_solve(A.requires_grad_(), B + x, lapack).sum(), x
            )[0]
        assert gradient.isfinite().all()
        return lapack(A.detach(), B)

    assert_exact_gradients(A, right_side(A), differentiates)


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


def test_handles_live_as_long_as_graphs():
    A = matrices.invertible("csr64", 5).requires_grad_()
    X = tsgu.sparse_generic_solve(A, right_side(A, 3), lambda A, B: lapack(A, B))
    with torch.autograd.graph.save_on_cpu():
        Y = tsgu.sparse_generic_solve(A, right_side(A, 3), lambda A, B: lapack(A, B))
    gc.collect()
    (X.sum() + Y.sum()).backward()
    lost = tsgu.solver(
        "callable", callables=tsgu._runtime.callbacks.Callables(solve=lapack)
    ).clone()
    with pytest.raises(tsgu.CallbackError, match="gone"):
        tsgu.operator("solve")(tsgu.Pattern.of(A), lost, A.detach().values(), right_side(A, 3))
