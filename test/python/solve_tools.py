"""Users' solvers, and gradients of leaves beside those of LAPACK."""

import torch

import oracle
import tsgu


class MineError(Exception):
    """An error of a user's own."""


def lapack(A, B):
    """A user's solver, which sees no autograd; its result is not contiguous."""
    assert not A.requires_grad and not B.requires_grad
    X = torch.linalg.solve(A.to_dense(), B)
    return X.mT.contiguous().mT if X.dim() > 1 else X


def lapack_adjoint(A, B):
    return torch.linalg.solve(A.to_dense().mH, B)


def assert_gradients(solve, A, B, tolerance=1e-7):
    """Values and gradients of leaves, for iterations."""
    pairs = oracle.with_gradients(solve, oracle.solve, A, B)
    expected = pairs[0][1]
    close = {"rtol": tolerance, "atol": tolerance * expected.abs().max().item()}
    for left, right in pairs:
        torch.testing.assert_close(left, right, **close)


def assert_exact_gradients(A, B, *callables, **options):
    """Values and gradients of leaves, for callables that are as accurate as LAPACK."""

    def solve(A, B):
        return tsgu.sparse_generic_solve(A, B, *callables, **options)

    value, *gradients = oracle.with_gradients(solve, oracle.solve, A, B)
    oracle.assert_close(*value, terms=1 << 12)
    for pair in gradients:
        oracle.assert_close(*pair, terms=1 << 14)
