"""torch.func transforms, forward mode and gradcheck, over values."""

import pytest
import torch
from torch.autograd import forward_ad

import matrices
import oracle
import tsgu

func = torch.func


class Case:
    """A program with its operands and its dense reference."""

    def __init__(self, kind):
        self.A = matrices.ALL[kind](4, 5, torch.float64)
        self.indices = oracle.indices_of(self.A)
        self.values = oracle.stored_values(self.A)
        *items, _, inner = self.A.shape
        self.B = torch.randn(*items, inner, 2, dtype=torch.float64)
        self.pattern = tsgu.Pattern.of(self.A)

    def spmm(self, values, B):
        path = "spmm" if self.A.dim() == 2 else "spmm/batch"
        return tsgu.operator(path)(self.pattern, values, B)

    def spmm_reference(self, values, B):
        return oracle.spmm(self.indices, values, self.A.shape, B)

    def softmax(self, values, _):
        path = "softmax" if self.A.dim() == 2 else "softmax/batch"
        return tsgu.operator(path)(self.pattern, values)

    def softmax_reference(self, values, _):
        return oracle.softmax(self.indices, values, self.A.shape, -1)

    def pair(self, program):
        """The program and its reference, made nonlinear in their operands."""
        ours, reference = getattr(self, program), getattr(self, f"{program}_reference")
        return (lambda v, b: ours(v, b) ** 2), (lambda v, b: reference(v, b) ** 2)


KINDS = ["csr32", "coo", "uncoalesced", "ragged coo", "batched csr64"]
CASES = [
    (kind, program)
    for kind in KINDS
    for program in ("spmm", "softmax")
    if (kind, program) != ("uncoalesced", "softmax")
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    kind, program = request.param
    case = Case(kind)
    return case, *case.pair(program)


def assert_tree_close(actual, expected):
    if isinstance(expected, torch.Tensor):
        oracle.assert_close(actual, expected, terms=1024)
        return
    for left, right in zip(actual, expected, strict=True):
        assert_tree_close(left, right)


def each(case, transform):
    case, ours, reference = case
    assert_tree_close(
        transform(ours)(case.values, case.B), transform(reference)(case.values, case.B)
    )


def total(function):
    return lambda v, b: function(v, b).sin().sum()


def test_grad(case):
    each(case, lambda f: func.grad(total(f), argnums=(0, 1)))


def test_grad_of_grad(case):
    def twice(f):
        inner = func.grad(total(f))
        return func.grad(lambda v, b: (inner(v, b) ** 2).sum(), argnums=(0, 1))

    each(case, twice)


def test_vjp(case):
    def transform(f):
        def call(v, b):
            result, pull = func.vjp(f, v, b)
            return result, pull(torch.ones_like(result).cumsum(0))

        return call

    each(case, transform)


def test_jvp(case):
    each(case, lambda f: lambda v, b: func.jvp(f, (v, b), (v.cos(), b.cos())))


def test_jacobians(case):
    each(case, lambda f: func.jacrev(f, argnums=(0, 1)))
    each(case, lambda f: func.jacfwd(f, argnums=(0, 1)))


def test_hessian(case):
    each(case, lambda f: func.hessian(total(f), argnums=(0, 1)))
    each(case, lambda f: func.jacrev(func.jacrev(total(f))))
    each(case, lambda f: func.jacfwd(func.jacfwd(total(f))))


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 0), (1, 0)])
def test_vmap(case, in_dims):
    case, ours, reference = case
    operands = [
        operand if dim is None else torch.randn(3, *operand.shape).double().movedim(0, dim)
        for operand, dim in zip((case.values, case.B), in_dims, strict=True)
    ]

    def compare(transform, size=None):
        assert_tree_close(
            func.vmap(transform(ours), in_dims)(*operands),
            func.vmap(transform(reference), in_dims)(*operands),
        )

    compare(lambda f: f)
    compare(lambda f: func.grad(total(f), argnums=(0, 1)))
    compare(lambda f: func.hessian(total(f)))
    compare(lambda f: lambda v, b: func.jvp(f, (v, b), (v.cos(), b.cos())))


def test_gradients_through_vmap(case):
    """An operand shared by the batch gets the sum of its gradients."""
    case, ours, reference = case
    batch = torch.randn(3, *case.values.shape, dtype=torch.float64)

    def transform(f):
        return func.grad(lambda v, b: func.vmap(f, (0, None))(v, b).sin().sum(), argnums=(0, 1))

    assert_tree_close(transform(ours)(batch, case.B), transform(reference)(batch, case.B))
    B = torch.randn(3, *case.B.shape, dtype=torch.float64)

    def other(f):
        return func.hessian(lambda v, b: func.vmap(f, (None, 0))(v, b).sin().sum())

    assert_tree_close(other(ours)(case.values, B), other(reference)(case.values, B))


def test_nested_vmap(case):
    case, ours, reference = case
    values = torch.randn(2, 3, *case.values.shape, dtype=torch.float64)
    B = torch.randn(3, *case.B.shape, dtype=torch.float64)

    def transform(f):
        return func.vmap(func.vmap(f, (0, 0)), (0, None))

    assert_tree_close(transform(ours)(values, B), transform(reference)(values, B))

    def crossed(f):
        return func.vmap(func.vmap(f, (None, 0)), (0, None))

    assert_tree_close(crossed(ours)(values[:, 0], B), crossed(reference)(values[:, 0], B))


def test_a_batch_of_values_in_eager_mode(case):
    """A leading dimension on any operand, with gradients to second order."""
    case, ours, reference = case
    values = torch.randn(3, *case.values.shape, dtype=torch.float64, requires_grad=True)
    B = case.B.clone().requires_grad_()
    oracle.assert_same_derivatives(
        ours, lambda v, b: func.vmap(reference, (0, None))(v, b), (values, B), order=2
    )


def test_forward_mode(case):
    case, ours, reference = case
    results = []
    for function in (ours, reference):
        with forward_ad.dual_level():
            values = forward_ad.make_dual(case.values, case.values.cos())
            B = forward_ad.make_dual(case.B, case.B.sin())
            both = forward_ad.unpack_dual(function(values, B))
            one = forward_ad.unpack_dual(function(case.values, B))
            results.append([*both, one.primal, one.tangent])
    for actual, expected in zip(*results, strict=True):
        assert (actual is None) == (expected is None)
        if actual is not None:
            oracle.assert_close(actual, expected, terms=1024)


def test_forward_over_reverse(case):
    case, ours, reference = case
    results = []
    for function in (ours, reference):
        values = case.values.clone().requires_grad_()
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(values, case.values.cos())
            loss = function(dual, case.B).sin().sum()
            (gradient,) = torch.autograd.grad(loss, values)
            results.append(forward_ad.unpack_dual(gradient).tangent)
    oracle.assert_close(results[0], results[1], terms=1024)


def test_gradcheck(case):
    case, ours, _ = case
    inputs = (case.values.clone().requires_grad_(), case.B.clone().requires_grad_())
    assert torch.autograd.gradcheck(
        ours, inputs, check_forward_ad=True, check_batched_grad=True, nondet_tol=0
    )


def test_gradgradcheck(case):
    case, ours, _ = case
    inputs = (case.values.clone().requires_grad_(), case.B.clone().requires_grad_())
    assert torch.autograd.gradgradcheck(ours, inputs, check_fwd_over_rev=True, nondet_tol=0)


def test_sparse_gradcheck():
    for kind in ("csr64", "coo"):
        A = matrices.ALL[kind](4, 5, torch.float64).requires_grad_()
        B = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
        check = torch.sparse.as_sparse_gradcheck(torch.autograd.gradcheck)
        assert check(tsgu.sparse_mm, (A, B), masked=True)


@pytest.mark.parametrize("kind", ["csr32", "coo", "ragged coo", "batched csr32"])
def test_transforms_over_the_dense_operand_of_sparse_mm(kind):
    A = matrices.ALL[kind](4, 5, torch.float64)
    indices, values = oracle.indices_of(A), oracle.stored_values(A)
    *items, _, inner = A.shape
    B = torch.randn(3, *items, inner, 2, dtype=torch.float64)

    def reference(b):
        return (oracle.spmm(indices, values, A.shape, b) ** 3).sum()

    def ours(b):
        return (tsgu.sparse_mm(A, b) ** 3).sum()

    for transform in (func.grad, func.hessian, func.jacfwd):
        assert_tree_close(transform(ours)(B[0]), transform(reference)(B[0]))
        assert_tree_close(func.vmap(transform(ours))(B), func.vmap(transform(reference))(B))


def test_index_tensors_cannot_be_mapped_over():
    A = matrices.csr(4, 4)
    stack = torch.stack([A.crow_indices(), A.crow_indices()])

    def call(positions):
        pattern = tsgu.Pattern.csr(positions, A.col_indices(), 4)
        return tsgu.operator("spmm")(pattern, A.values(), torch.ones(4, 2).double())

    with pytest.raises(ValueError, match="cannot be mapped over"):
        func.vmap(call)(stack)
