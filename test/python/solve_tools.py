"""Users' solvers, and gradients of leaves beside those of LAPACK."""

import torch

import matrices
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


class Case:
    """A program with a solve, its operands and its dense reference."""

    def __init__(self, name, kind, dtype=torch.float64):
        self.name = name
        A = matrices.invertible(kind, 4, dtype)
        if name.startswith("least_squares"):
            A = self.rectangular(A, name == "least_squares")
        self.A, self.indices = A, oracle.indices_of(A)
        self.values = oracle.stored_values(A)
        self.B = torch.randn(*A.shape[:-1], 2, dtype=dtype)
        self.pattern = tsgu.Pattern.of(A)
        path = name if A.dim() == 2 else f"{name}/batch"
        self.solve = tsgu.operator(path)
        self.handle = tsgu.solver(
            **{
                "solve": {"method": "gmres", "rtol": 1e-14},
                "triangular_solve": {"method": "triangular", "upper": True},
                "triangular_solve_transposed": {"method": "triangular"},
            }.get(name, {"method": "lsmr", "rtol": 1e-14}),
            on_fail="ignore",
        )

    @staticmethod
    def rectangular(A, tall):
        rows, columns = (4, 3) if tall else (3, 4)
        indices = oracle.indices_of(A)
        kept = (indices[-2] < rows) & (indices[-1] < columns)
        values = oracle.stored_values(A)[kept]
        shape = (*A.shape[:-2], rows, columns)
        return torch.sparse_coo_tensor(indices[:, kept], values, shape)

    def ours(self, values, B):
        return self.solve(self.pattern, self.handle, values, B) ** 2

    def reference(self, values, B):
        A = oracle.dense(self.indices, values, self.A.shape)
        # By the inverse: nested forward mode of torch.linalg.solve is wrong (torch 2.13), and pinv
        # and lstsq have none.
        if self.name == "least_squares":
            return (torch.linalg.inv(A.mH @ A) @ (A.mH @ B)) ** 2
        if self.name == "least_squares_row":
            return (A.mH @ (torch.linalg.inv(A @ A.mH) @ B)) ** 2
        if self.name == "triangular_solve":
            A = A.triu()
        elif self.name == "triangular_solve_transposed":
            A = A.tril().mT
        return (torch.linalg.inv(A) @ B) ** 2

    def compare(self, transform, *operands, terms=1 << 18):
        operands = operands or (self.values, self.B)
        left, right = transform(self.ours)(*operands), transform(self.reference)(*operands)
        leaves = torch.utils._pytree.tree_leaves
        for a, b in zip(leaves(left), leaves(right), strict=True):
            oracle.assert_close(a.detach(), b.detach(), terms=terms)


NAMES = [
    "solve",
    "triangular_solve",
    "triangular_solve_transposed",
    "least_squares",
    "least_squares_row",
]
