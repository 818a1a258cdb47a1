"""Functions of tsgu.utils that iterate, and problems for them."""

import functools

import torch

import matrices
from tsgu.utils import bicgstab, cgs, gmres, linear_cg, minres
from tsgu.utils.bicgstab import BICGSTABSettings

GENERAL = [bicgstab, gmres, cgs]
HERMITIAN = [linear_cg, minres]
ALL = GENERAL + HERMITIAN
SHAPES = [(12,), (12, 1), (12, 3), (2, 12, 3), (2, 3, 12, 2)]


# To as many digits as the others by default.
STRICT = {
    linear_cg: {"tolerance": 1e-9},
    bicgstab: {"settings": BICGSTABSettings(abstol=0.0, reltol=1e-9)},
}


def strictly(function):
    return functools.partial(function, **STRICT.get(function, {}))


def definite(n=12, dtype=torch.float64):
    A = torch.randn(n, n, dtype=dtype)
    return A @ A.mH / n + torch.eye(n, dtype=dtype)


def matrix_for(function, n=12, dtype=torch.float64):
    if function in HERMITIAN:
        return definite(n, dtype)
    return matrices.invertible("coo", n, dtype).to_dense()


def expected_for(A, rhs):
    if rhs.dim() == 1:
        return torch.linalg.solve(A, rhs)
    return torch.linalg.solve(A, rhs.expand(*A.shape[:-2], *rhs.shape[-2:]) if A.dim() > 2 else rhs)


def assert_near(x, expected, tolerance=1e-6):
    assert x.shape == expected.shape
    close = {"rtol": tolerance, "atol": tolerance * expected.abs().max().item()}
    torch.testing.assert_close(x, expected, **close)


FORMS = {
    "dense": lambda A: A,
    "csr": lambda A: A.to_sparse_csr(),
    "coo": lambda A: A.to_sparse_coo(),
    "bound": lambda A: A.matmul,
    "closure": lambda A: lambda V: A @ V,
}
