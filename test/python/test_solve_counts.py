"""How many solves gradients take: an adjoint solve serves the gradients of A and of B."""

import pytest
import torch

import matrices
import tsgu


class Counted:
    """LAPACK as a user's solver, and how often it ran."""

    def __init__(self):
        self.calls = 0

    def __call__(self, A, B):
        self.calls += 1
        return torch.linalg.solve(A.to_dense(), B)

    def since(self):
        calls, self.calls = self.calls, 0
        return calls


def leaves(kind, needs_A=True, needs_B=True):
    A = matrices.invertible(kind, 6)
    B = torch.randn(*A.shape[:-1], 2, dtype=A.dtype)
    return A.requires_grad_(needs_A), B.requires_grad_(needs_B)


@pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_one_solve_forward_and_one_backward(kind, needs):
    A, B = leaves(kind, *needs)
    items = A.shape[0] if A.dim() == 3 else 1  # callables get one matrix at a time
    solve = Counted()
    X = tsgu.sparse_generic_solve(A, B, solve)
    assert solve.since() == items
    X.square().sum().backward()
    assert solve.since() == items
    assert (A.grad is not None, B.grad is not None) == needs


def test_an_explicit_adjoint_runs_once():
    A, B = leaves("csr64")
    solve, adjoint = Counted(), Counted()
    X = tsgu.sparse_generic_solve(A, B, solve, lambda A, B: adjoint(A.to_dense().mH, B))
    X.square().sum().backward()
    assert (solve.since(), adjoint.since()) == (1, 1)


def test_no_gradient_takes_no_solve():
    A, B = leaves("csr64", False, False)
    solve = Counted()
    assert not tsgu.sparse_generic_solve(A, B, solve).requires_grad
    assert solve.since() == 1


def test_second_derivatives():
    """With Y = A^-H G: dY by G, by A through Y, and by A and B through X; the last of the three
    is a solve for B's gradient that A's is taken from."""
    A, B = leaves("csr64")
    solve = Counted()
    X = tsgu.sparse_generic_solve(A, B, solve)
    G = torch.randn_like(X, requires_grad=True)
    gradients = torch.autograd.grad(X, (A, B), G, create_graph=True)
    assert solve.since() == 2
    functional = tsgu.values(gradients[0]).square().sum() + gradients[1].square().sum()
    torch.autograd.grad(functional, (A, B, G))
    assert solve.since() == 3


@pytest.mark.parametrize("kind", matrices.ALL)
def test_no_analysis_and_no_setup_in_derivatives(kind):
    def counts():
        config = tsgu.show_config()
        return config["solver analyses"], config["preconditioner setups"]

    A, B = leaves(kind)
    for run in (
        lambda: tsgu.sparse_triangular_solve(A, B, upper=False),
        lambda: tsgu.sparse_triangular_solve(A, B, upper=True, transpose=True),
        lambda: tsgu.sparse_generic_solve(A, B, "bicgstab", preconditioner="ilu0"),
        lambda: tsgu.sparse_generic_solve(A, B, "gmres", preconditioner="block_jacobi"),
    ):
        X = run()
        before = counts()
        gradients = torch.autograd.grad(X.square().sum(), (A, B), create_graph=True)
        functional = tsgu.values(gradients[0]).square().sum() + gradients[1].square().sum()
        torch.autograd.grad(functional, (A, B))
        assert counts() == before
        run()
        assert counts() == before
