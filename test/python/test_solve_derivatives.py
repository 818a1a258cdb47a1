"""Derivatives of every solve program to third order, real and complex, of one and a batch."""

import itertools

import pytest
import torch

import matrices
import oracle
import tsgu

# path -> rows, columns, and the solver's arguments
PROGRAMS = {
    "triangular_solve": (4, 4, ("triangular",), {}),
    "triangular_solve_transposed": (4, 4, ("triangular",), {"upper": True}),
    "solve": (4, 4, ("gmres",), {"rtol": 1e-14}),
    "solve_transposed": (4, 4, ("lu",), {}),
    "least_squares": (5, 3, ("lsmr",), {"rtol": 1e-14, "damp": 0.3}),
    "least_squares_row": (3, 5, ("lsmr",), {"rtol": 1e-14}),
}
CASES = list(itertools.product(PROGRAMS, [torch.float64, torch.complex128], [None, 3]))


def with_diagonal(rows, columns, dtype, items):
    """A well-conditioned matrix, or a ragged batch of them."""
    lead = () if items is None else (items,)
    stored = torch.rand(*lead, rows, columns) < 0.4
    stored |= torch.eye(rows, columns, dtype=torch.bool)
    indices = stored.nonzero().T.contiguous()
    values = 0.3 * torch.randn(indices.shape[1], dtype=dtype)
    values += 2.0 * (indices[-1] == indices[-2])
    return torch.sparse_coo_tensor(indices, values, stored.shape, is_coalesced=True)


class Case:
    def __init__(self, path, dtype, items):
        rows, columns, method, options = PROGRAMS[path]
        A = with_diagonal(rows, columns, dtype, items)
        self.path, self.damp, self.shape = path, options.get("damp", 0.0), A.shape
        self.indices, self.pattern = oracle.indices_of(A), tsgu.Pattern.of(A)
        self.handle = tsgu.solver(*method, **options)
        self.operator = tsgu.operator(path + ("/batch" if A.dim() == 3 else ""))
        self.values = oracle.stored_values(A)
        self.B = torch.randn(*A.shape[:-2], rows, 2, dtype=dtype)

    def ours(self, values, B):
        return self.operator(self.pattern, self.handle, values, B)

    def reference(self, values, B):
        """Not by torch.linalg.solve: the gradient of its tangent is wrong (torch 2.13)."""
        A = oracle.dense(self.indices, values, self.shape)
        inverse = torch.linalg.inv
        if self.path == "triangular_solve":
            return inverse(A.tril()) @ B
        if self.path == "triangular_solve_transposed":
            return inverse(A.triu().mT) @ B
        if self.path == "solve_transposed":
            return inverse(A.mT) @ B
        if self.path == "solve":
            return inverse(A) @ B
        if self.path == "least_squares":
            gram = A.mH @ A + self.damp**2 * torch.eye(A.shape[-1], dtype=A.dtype)
            return inverse(gram) @ (A.mH @ B)
        return A.mH @ (inverse(A @ A.mH) @ B)


@pytest.mark.parametrize("wanted", ["A", "B", "AB"])
@pytest.mark.parametrize("path,dtype,items", CASES)
def test_third_order(path, dtype, items, wanted):
    """Of a function that is not holomorphic, so that conjugates enter at every order."""
    case = Case(path, dtype, items)
    values = case.values.requires_grad_("A" in wanted)
    B = case.B.requires_grad_("B" in wanted)
    inputs = [x for x in (values, B) if x.requires_grad]

    def of(solve):
        def function(*given):
            given = iter(given)
            v = next(given) if "A" in wanted else values
            b = next(given) if "B" in wanted else B
            X = solve(v, b)
            return X * X.conj() + X if dtype.is_complex else X * X + X

        return function

    oracle.assert_same_derivatives(of(case.ours), of(case.reference), inputs, terms=1e7)


@pytest.mark.parametrize("path,dtype,items", CASES)
def test_forward_over_reverse_and_reverse_over_forward(path, dtype, items):
    case = Case(path, dtype, items)
    point = (case.values, case.B)
    tangents = tuple(torch.randn_like(x) for x in point)
    weight = torch.randn_like(case.reference(*point))

    def weighted(X):
        return (X * weight).sum().real

    def pushed(solve):
        gradient = torch.func.grad(lambda v, b: weighted(solve(v, b)), argnums=(0, 1))
        return torch.func.jvp(gradient, point, tangents)[1]

    def pulled(solve):
        def along(v, b):
            return weighted(torch.func.jvp(solve, (v, b), tangents)[1])

        return torch.func.grad(along, argnums=(0, 1))(*point)

    for transform in (pushed, pulled):
        for actual, expected in zip(transform(case.ours), transform(case.reference), strict=True):
            oracle.assert_close(actual, expected, terms=1e7)


@pytest.mark.parametrize("operand", [1, 2])
@pytest.mark.parametrize("path,dtype,items", CASES)
def test_second_order_of_tangent_programs(path, dtype, items, operand):
    case = Case(path, dtype, items)
    derived = tsgu.operator(f"{case.operator.path}/jvp{operand}")
    takes_result = len(derived.signature.operands) == 5
    result = [case.reference(case.values, case.B)] if takes_result else []
    values, B = case.values.requires_grad_(), case.B.requires_grad_()
    tangent = torch.randn_like((values, B)[operand - 1]).requires_grad_()

    def ours(v, b, t):
        return derived(case.pattern, case.handle, v, b, *result, t)

    def reference(v, b, t):
        primal = (v,) if operand == 1 else (b,)
        solve = (
            (lambda v: case.reference(v, b)) if operand == 1 else (lambda b: case.reference(v, b))
        )
        return torch.func.jvp(solve, primal, (t,))[1]

    oracle.assert_same_derivatives(ours, reference, [values, B, tangent], order=2, terms=1e7)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_hessians_of_complex_transposed_solves(upper, unit):
    """Through the public function, in both arguments, and mapped over right-hand sides."""
    A = matrices.invertible("csr32", 4, torch.complex128)
    if unit:
        A = matrices.without_diagonal(A)
    indices, values = oracle.indices_of(A), oracle.stored_values(A)
    B = torch.randn(3, 4, 2, dtype=torch.complex128)
    pattern, solve = tsgu.Pattern.of(A), tsgu.operator("triangular_solve_transposed")
    handle = tsgu.solver("triangular", upper=upper, unitriangular=unit)
    # By real coordinates: torch has no Hessians by complex ones.
    point, sides = torch.view_as_real(values), torch.view_as_real(B)

    def of(function):
        def squares(v, b):
            X = function(torch.view_as_complex(v), torch.view_as_complex(b))
            return (X * X.conj()).real.sum()

        hessian = torch.func.hessian(squares, argnums=(0, 1))
        return torch.func.vmap(hessian, in_dims=(None, 0))(point, sides)

    def ours(v, b):
        return tsgu.sparse_triangular_solve(
            tsgu.csr(A.crow_indices(), A.col_indices(), v, A.shape), b, upper, unit, True
        )

    def operator(v, b):
        return solve(pattern, handle, v, b)

    def reference(v, b):
        T = oracle.dense(indices, v, A.shape)
        T = T.triu() if upper else T.tril()
        if unit:
            T = T - torch.diag_embed(T.diagonal()) + torch.eye(4, dtype=T.dtype)
        return torch.linalg.inv(T.mT) @ b

    for left, right in zip(of(operator), of(reference), strict=True):
        for actual, expected in zip(left, right, strict=True):
            oracle.assert_close(actual, expected, terms=1e7)
    # Second order of the public function, which vmap's constructors do not reach.
    leaf = values.clone().requires_grad_()
    oracle.assert_same_derivatives(
        lambda v: ours(v, B[0]) ** 2, lambda v: reference(v, B[0]) ** 2, [leaf], order=2, terms=1e7
    )
