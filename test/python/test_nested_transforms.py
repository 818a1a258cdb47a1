"""Forward and reverse mode nested in every order, to order 3, with nonlinear use on both sides.

Operands are nonlinear functions of two real numbers, t; so is what becomes of the result. All is
real outside, so that complex programs take part.
"""

import itertools

import pytest
import torch
from solve_tools import NAMES, Case
from test_user_programs import TENSOR_PRODUCT, WEIGHTED_ROW_SUM

import matrices
import oracle
import tsgu

func = torch.func


class Products:
    """What `Case` is to solves, for programs of one sparse and perhaps a dense operand."""

    def __init__(self, name, kind, dtype):
        A = matrices.ALL[kind](4, 5, dtype)
        self.name, self.pattern, self.shape = name, tsgu.Pattern.of(A), A.shape
        self.indices, self.values = oracle.indices_of(A), oracle.stored_values(A)
        *items, _, columns = A.shape
        extents = {"weighted_row_sum": (5,), "tensor_product": (5, 2, 2)}
        self.B = torch.randn(extents.get(name, (*items, columns, 2)), dtype=dtype)
        if name in USERS:
            self.operator = tsgu.load_program(USERS[name])
        else:
            self.operator = tsgu.operator(f"{name}/batch" if items else name)

    def ours(self, values, B):
        if self.name == "softmax":
            return self.operator(self.pattern, values)
        return self.operator(self.pattern, values, B)

    def reference(self, values, B):
        if self.name == "softmax":
            return oracle.softmax(self.indices, values, self.shape, -1)
        A = oracle.dense(self.indices, values, self.shape)
        if self.name == "weighted_row_sum":
            return A**2 @ B
        if self.name == "tensor_product":
            return torch.einsum("ik,khj->ihj", A, B)
        return A @ B


USERS = {"weighted_row_sum": WEIGHTED_ROW_SUM, "tensor_product": TENSOR_PRODUCT}
REAL, COMPLEX = torch.float64, torch.complex128
CASES = [
    *itertools.product(["spmm"], ["csr32", "uncoalesced", "ragged coo", "batched csr64"], [REAL]),
    ("spmm", "csr64", COMPLEX),
    ("spmm", "ragged coo", COMPLEX),
    *itertools.product(["softmax"], ["csr64", "ragged coo"], [REAL]),
    *itertools.product(USERS, ["csr64"], [REAL, COMPLEX]),
    *itertools.product(NAMES, ["csr64", "ragged coo"], [REAL]),
    *itertools.product(
        [n for n in NAMES if n != "triangular_solve_transposed"], ["csr32"], [COMPLEX]
    ),
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request):
    name, kind, dtype = request.param
    return (Case if name in NAMES else Products)(name, kind, dtype)


def curve(start):
    """A nonlinear function of t through `start`."""
    along, across = torch.randn(2, *start.shape, dtype=start.dtype) / 4

    def at(t):
        return start + t[0].sin() * along + t[0] * t[1] * across

    return at


def on_curves(case):
    """The program and its reference as nonlinear scalar functions of t."""
    values, B = curve(case.values), curve(case.B)
    result = case.reference(case.values, case.B)
    weight = torch.rand(result.shape, dtype=result.dtype)

    def of(function):
        def scalar(t):
            result = function(values(t), B(t))
            total = (result * weight).sum()
            return total.real.sin() + total.abs().square() / 8

        return scalar

    return of(case.ours), of(case.reference)


DIRECTION = torch.tensor([0.8, -0.6], dtype=torch.float64)


def along(f):
    return lambda t: func.jvp(f, (t,), (DIRECTION,))[1]


def pulled(f):
    return lambda t: (func.grad(f)(t) * DIRECTION).sum()


def assert_same(case, nestings):
    ours, reference = on_curves(case)
    t = torch.tensor([0.3, 0.5], dtype=torch.float64)
    oracle.assert_close(ours(t), reference(t), terms=1 << 18)
    for nesting in nestings:
        f, g = ours, reference
        for transform in nesting:
            f, g = transform(f), transform(g)
        expected = g(t)
        assert expected.abs().max() > 0
        torch.testing.assert_close(f(t), expected, rtol=1e-7, atol=1e-8)


def test_a_cube():
    """The smallest example: f(a) = a^3 at 2 on a pattern of one entry."""
    pattern = tsgu.Pattern.csr(torch.tensor([0, 1]), torch.tensor([0]), 1)
    spmm, a = tsgu.operator("spmm"), torch.tensor([2.0], dtype=torch.float64)

    def f(a):
        return spmm(pattern, a, (a * a).view(1, 1)).sum()

    assert func.jacfwd(func.jacfwd(f))(a).item() == 12
    assert func.jacfwd(func.jacfwd(func.jacfwd(f)))(a).item() == 6


def test_directional_derivatives(case):
    orders = (itertools.product((along, pulled), repeat=order) for order in (1, 2, 3))
    assert_same(case, itertools.chain(*orders))


def test_jacobians(case):
    orders = (itertools.product((func.jacfwd, func.jacrev), repeat=order) for order in (2, 3))
    assert_same(case, itertools.chain(*orders))
