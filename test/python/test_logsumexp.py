"""sparse_logsumexp and sparse_bidir_logsumexp against torch.logsumexp of dense matrices."""

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_properties import EXAMPLES, sparse_tensors

import matrices
import oracle
import tsgu
from tsgu.sparse_logsumexp import _bidir_2d

KINDS = {**matrices.ALL, **matrices.OTHERS}
DIMS = [-1, -2, [-2, -1]]


def reference(indices, values, shape, dim, keepdim=False, include_zeros=True):
    """Each stored entry is a variable; the others are zeros, or -inf."""
    matrix = oracle.dense(indices, values, shape)
    if not include_zeros:
        stored = oracle.dense(indices, torch.ones_like(values), shape) > 0
        matrix = torch.where(stored, matrix, -torch.inf)
        # Where nothing is stored, torch's derivatives are NaN.
        anything = stored.any(-2, True) if dim == -2 else stored.any(-1, True)
        if isinstance(dim, list):
            anything = anything.any(-2, True)
        result = torch.logsumexp(torch.where(anything, matrix, 0), dim, True)
        result = torch.where(anything, result, -torch.inf)
        return result if keepdim else result.squeeze(dim if isinstance(dim, int) else (-2, -1))
    return torch.logsumexp(matrix, dim, keepdim)


def assert_value_and_gradient(A, *arguments):
    A = A.detach().requires_grad_()
    indices, values = oracle.indices_of(A), oracle.stored_values(A).requires_grad_()
    result = tsgu.sparse_logsumexp(A, *arguments)
    expected = reference(indices, values, A.shape, *arguments)
    oracle.assert_close(result.detach(), expected.detach())
    weight = torch.randn_like(expected).masked_fill(expected == -torch.inf, 0)
    (gradient,) = torch.autograd.grad(result, A, weight)
    (of_values,) = torch.autograd.grad(expected, values, weight)
    assert gradient.layout is A.layout
    oracle.assert_close(oracle.stored_values(gradient), of_values)


@pytest.mark.parametrize("include_zeros", [True, False])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients(kind, dtype, dim, include_zeros):
    for keepdim in (False, True):
        assert_value_and_gradient(KINDS[kind](8, 6, dtype), dim, keepdim, include_zeros)


@pytest.mark.parametrize("kind", matrices.ALL)
def test_dims_by_any_name(kind):
    A = matrices.ALL[kind](5, 4, torch.float64)
    first = A.dim() - 2
    for same in ([-1], [first + 1], (first + 1,), first + 1):
        assert torch.equal(tsgu.sparse_logsumexp(A, same), tsgu.sparse_logsumexp(A, -1))
    for same in ((-1, -2), [first + 1, first], [first, -1]):
        assert torch.equal(tsgu.sparse_logsumexp(A, same), tsgu.sparse_logsumexp(A, [-2, -1]))


@settings(max_examples=100 * EXAMPLES)
@given(sparse_tensors(), st.sampled_from(DIMS), st.booleans(), st.booleans())
def test_random_patterns(A, dim, keepdim, include_zeros):
    assert_value_and_gradient(A, dim, keepdim, include_zeros)


@pytest.mark.parametrize("include_zeros", [True, False])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_third_order(kind, dim, include_zeros):
    A = matrices.ALL[kind](4, 4, torch.float64)
    values, indices = oracle.stored_values(A).requires_grad_(), oracle.indices_of(A)

    def finite(result):
        return torch.where(result == -torch.inf, 0, result) ** 2

    oracle.assert_same_derivatives(
        lambda v: finite(tsgu.sparse_logsumexp(matrices.rebuild(A, v), dim, False, include_zeros)),
        lambda v: finite(reference(indices, v, A.shape, dim, False, include_zeros)),
        (values,),
    )


@pytest.mark.parametrize("include_zeros", [True, False])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "ragged coo"])
def test_gradcheck(kind, dim, include_zeros):
    A = matrices.ALL[kind](4, 5, torch.float64)

    def function(values):
        result = tsgu.sparse_logsumexp(matrices.rebuild(A, values), dim, True, include_zeros)
        return result[result > -torch.inf]

    values = oracle.stored_values(A).requires_grad_()
    assert torch.autograd.gradcheck(function, values, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, values)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("kind", ["csr64", "coo", "uncoalesced", "ragged coo"])
def test_transforms(kind, dim):
    A = matrices.ALL[kind](4, 5, torch.float64)
    values, indices = oracle.stored_values(A), oracle.indices_of(A)
    batch = torch.randn(3, values.numel(), dtype=torch.float64)
    make = matrices.maker(A)

    def ours(v):
        return tsgu.sparse_logsumexp(make(v), dim)

    def dense(v):
        return reference(indices, v, A.shape, dim)

    for transform in (torch.func.jacrev, torch.func.jacfwd, torch.func.hessian):
        oracle.assert_close(transform(ours)(values), transform(dense)(values))
    oracle.assert_close(torch.func.vmap(ours)(batch), torch.stack([dense(v) for v in batch]))


@pytest.mark.parametrize("kind", ["csr64", "coo", "uncoalesced"])
def test_compiled(kind):
    A = matrices.ALL[kind](6, 5, torch.float64)
    values, indices = oracle.stored_values(A).requires_grad_(), oracle.indices_of(A)

    make = matrices.maker(A)

    def function(values):
        return sum(each.sin().sum() for each in tsgu.sparse_bidir_logsumexp(make(values)))

    result = torch.compile(function, fullgraph=True, backend="aot_eager")(values)
    expected = sum(reference(indices, values, A.shape, dim).sin().sum() for dim in (-2, -1))
    oracle.assert_close(result.detach(), expected.detach())
    oracle.assert_close(*(torch.autograd.grad(x, values)[0] for x in (result, expected)))


# ===-- Entries of any size ------------------------------------------------------===#

OFFSETS = {torch.float32: [1e4, 2.0**27, -1e9], torch.float64: [1e12, -(2.0**60)]}


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize(
    ("dtype", "offset"), [(dtype, x) for dtype, offsets in OFFSETS.items() for x in offsets]
)
def test_large_entries(dtype, offset, dim):
    """Gradients are those of the entries less their offset, in double precision."""
    A = matrices.coo(8, 6, dtype, density=0.6)
    indices, values = oracle.indices_of(A), (4 * A.values() + offset).requires_grad_()
    small = (values.detach().double() - offset).requires_grad_()
    result = tsgu.sparse_logsumexp(tsgu.coo(indices, values, A.shape), dim, include_zeros=False)
    expected = reference(indices, small, A.shape, dim, include_zeros=False)
    finite = expected > -torch.inf
    assert finite.any()
    torch.testing.assert_close(
        result.double(), expected + offset, rtol=4 * torch.finfo(dtype).eps, atol=0
    )
    (actual,) = torch.autograd.grad(result[finite].sum(), values)
    (gradient,) = torch.autograd.grad(expected[finite].sum(), small)
    torch.testing.assert_close(actual.double(), gradient, rtol=64 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zeros_beside_large_entries(dtype):
    """The absent entries take part in the maximum."""
    matrix = torch.tensor([[1e30, 0, 0], [-1e30, 0, 0], [-1e30, -1e30, -1e30], [2, -3, 0]])
    matrix = matrix.to(dtype)
    A = matrix.to_sparse_csr().requires_grad_()
    dense = matrix.double().requires_grad_()
    result, expected = tsgu.sparse_logsumexp(A, 1), torch.logsumexp(dense, 1)
    torch.testing.assert_close(result.double(), expected, rtol=2 * torch.finfo(dtype).eps, atol=0)
    (gradient,) = torch.autograd.grad(result.sum(), A)
    (of_dense,) = torch.autograd.grad(expected.sum(), dense)
    # That of equal entries is 1/3 each: torch's, from the rounded result, is 1.
    of_dense[2] = 1 / 3
    torch.testing.assert_close(
        gradient.values().double(), of_dense[matrix != 0], rtol=8 * torch.finfo(dtype).eps, atol=0
    )


@pytest.mark.parametrize("include_zeros", [True, False])
@pytest.mark.parametrize("dim", [0, 1, [0, 1]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_special_values_as_torch(dtype, dim, include_zeros):
    inf, nan, largest = torch.inf, torch.nan, torch.finfo(dtype).max
    rows = [
        [inf, 1, 2, 0],
        [-inf, -inf, -inf, -inf],
        [-inf, 2, -inf, 0],
        [nan, 1, inf, 0],
        [largest, largest, -largest, 0],
        [-largest, -inf, -largest, -largest],
        [inf, -inf, 0, 0],
        [0, 0, 0, 0],
    ]
    for kept in (range(8), [4, 6, 7], [0, 2, 7], [1, 5, 7]):
        matrix = torch.tensor([rows[i] for i in kept], dtype=dtype)
        A = matrix.to_sparse_csr()
        dense = matrix if include_zeros else torch.where(matrix == 0, -inf, matrix)
        result = tsgu.sparse_logsumexp(A, dim, include_zeros=include_zeros)
        torch.testing.assert_close(result, torch.logsumexp(dense, dim), equal_nan=True)


def test_gradients_beside_infinity():
    """As torch's: NaN where inf - inf is, 0 for what an infinite entry outweighs."""
    A = torch.tensor([[torch.inf, 1, 0], [2, 3, 0]]).to_sparse_csr().requires_grad_()
    tsgu.sparse_logsumexp(A, 1).sum().backward()
    gradient = A.grad.values()
    assert gradient.isnan().tolist() == [True, False, False, False] and gradient[1] == 0


def test_full_rows_have_no_zeros():
    """exp(-1e4) of a full row is not outweighed by an absent zero."""
    A = torch.full((2, 3), -1e4, dtype=torch.float64).to_sparse_csr()
    expected = torch.logsumexp(A.to_dense(), 1)
    torch.testing.assert_close(tsgu.sparse_logsumexp(A, 1), expected, rtol=1e-15, atol=0)
    total = tsgu.sparse_logsumexp(A, [0, 1])
    torch.testing.assert_close(total, torch.logsumexp(A.to_dense(), (0, 1)), rtol=1e-15, atol=0)


def test_stored_zeros_are_entries():
    A = torch.sparse_csr_tensor([0, 2, 2], [0, 2], [0.0, 0.0], (2, 3)).requires_grad_()
    result = tsgu.sparse_logsumexp(A, 1, include_zeros=False)
    assert result[1] == -torch.inf
    torch.testing.assert_close(result[0].exp(), torch.tensor(2.0))
    result[0].backward()
    assert A.grad.values().tolist() == [0.5, 0.5]


def test_duplicates_are_summed_first():
    A = torch.sparse_coo_tensor([[0, 0, 0], [1, 1, 0]], [1.0, 2.0, -1.0], (1, 3))
    for include_zeros, terms in ((True, [3.0, -1.0, 0.0]), (False, [3.0, -1.0])):
        result = tsgu.sparse_logsumexp(A, 1, include_zeros=include_zeros)
        torch.testing.assert_close(result, torch.logsumexp(torch.tensor([terms]), 1))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (3, 3), (2, 0, 3), (2, 3, 0), (0, 2, 2)])
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_nothing_stored(shape, layout):
    *lead, rows, columns = shape
    if layout is torch.sparse_coo:
        A = torch.sparse_coo_tensor(torch.zeros(len(shape), 0), torch.zeros(0), shape)
    else:
        lines = rows if layout is torch.sparse_csr else columns
        positions, nothing = torch.zeros(*lead, lines + 1, dtype=torch.int64), torch.zeros(*lead, 0)
        A = torch.sparse_compressed_tensor(positions, nothing.long(), nothing, shape, layout=layout)
    for dim in DIMS:
        for keepdim in (False, True):
            result = tsgu.sparse_logsumexp(A, dim, keepdim)
            expected = torch.logsumexp(torch.zeros(shape), dim, keepdim)
            torch.testing.assert_close(result, expected)
            result = tsgu.sparse_logsumexp(A, dim, keepdim, include_zeros=False)
            assert result.shape == expected.shape and (result == -torch.inf).all()


def test_scipy():
    A = scipy.sparse.random(5, 6, 0.4, "csr", random_state=np.random.default_rng(0))
    for dim in DIMS:
        expected = torch.logsumexp(torch.tensor(A.toarray()), dim)
        torch.testing.assert_close(tsgu.sparse_logsumexp(A, dim), expected)


# ===-- Both directions ----------------------------------------------------------===#


@pytest.mark.parametrize("include_zeros", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_both_directions(kind, include_zeros):
    A = KINDS[kind](8, 6, torch.float64)
    pair = [tsgu.sparse_logsumexp(A, dim, include_zeros=include_zeros) for dim in (-2, -1)]
    over_rows, over_columns = tsgu.sparse_bidir_logsumexp(A, include_zeros=include_zeros)
    assert torch.equal(over_rows, pair[0]) and torch.equal(over_columns, pair[1])
    assert all(map(torch.equal, _bidir_2d(A, include_zeros), pair))
    kept = tsgu.sparse_bidir_logsumexp(A, True, include_zeros)
    for dim, result in zip((-2, -1), kept, strict=True):
        expected = tsgu.sparse_logsumexp(A, dim, True, include_zeros)
        assert torch.equal(result, expected)
    padded = tsgu.sparse_bidir_logsumexp(A, include_zeros=include_zeros, output_layout="padded")
    assert padded.shape == (2, *A.shape[:-2], 8)
    assert torch.equal(padded[0, ..., :6], pair[0]) and torch.equal(padded[1], pair[1])
    assert (padded[0, ..., 6:] == -torch.inf).all()
    nested = tsgu.sparse_bidir_logsumexp(A, include_zeros=include_zeros, output_layout="nested")
    assert nested.is_nested and all(map(torch.equal, nested.unbind(), pair))


@pytest.mark.parametrize("output_layout", ["tuple", "padded", "nested"])
@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "ragged coo"])
def test_gradients_of_both_directions(kind, output_layout):
    A = matrices.ALL[kind](5, 3, torch.float64).detach().requires_grad_()
    result = tsgu.sparse_bidir_logsumexp(A, output_layout=output_layout)
    if output_layout == "padded":
        result = result[0, ..., :3], result[1]
    elif output_layout == "nested":
        result = result.unbind()
    indices, values = oracle.indices_of(A), oracle.stored_values(A).requires_grad_()
    expected = [reference(indices, values, A.shape, dim) for dim in (-2, -1)]
    actual, of_values = (
        torch.autograd.grad(sum((x**2).sum() for x in pair), v)[0]
        for pair, v in ((result, A), (expected, values))
    )
    oracle.assert_close(oracle.stored_values(actual), of_values)


# ===-- Refusals -----------------------------------------------------------------===#

A2 = torch.eye(3).to_sparse_csr()
A3 = torch.stack([torch.eye(3)] * 2).to_sparse_coo()
HYBRID = torch.sparse_coo_tensor([[0, 1]], torch.ones(2, 3), (2, 3))
REFUSALS = [
    (torch.eye(3)[0].to_sparse_coo(), 0, NotImplementedError, "1-dimensional"),
    (torch.ones(2, 2, 2, 2).to_sparse_coo(), 1, NotImplementedError, "4-dimensional"),
    (torch.eye(3), 0, NotImplementedError, "not torch.strided"),
    (HYBRID, 0, ValueError, "dense_dim 1"),
    (A2, [], RuntimeError, "at least one dimension"),
    (A2, 2, IndexError, r"expected to be in range of \[-2, 1\], but got 2"),
    (A2, [0, -3], IndexError, r"\[-2, 1\], but got -3"),
    (A3, 3, IndexError, r"\[-3, 2\], but got 3"),
    (A2, [1, -1], RuntimeError, "dim 1 appears multiple times"),
    (A3, [0, 0], RuntimeError, "dim 0 appears multiple times"),
    (A3, 0, NotImplementedError, r"Cannot reduce the batch dimension \(0\) of a batched 3-D"),
    (A3, [-3, 1], NotImplementedError, r"Cannot reduce the batch dimension \(0\) of a batched"),
    (A2.to(torch.complex64), 0, TypeError, "complex64: log-sum-exp needs an order"),
    ("A", 0, TypeError, "instance of torch.Tensor"),
]


@pytest.mark.parametrize(("A", "dim", "error", "text"), REFUSALS)
def test_refusals_in_order(A, dim, error, text):
    with pytest.raises(error, match=text):
        tsgu.sparse_logsumexp(A, dim)


@pytest.mark.parametrize(
    ("A", "arguments", "error", "text"),
    [
        (A2, {"output_layout": "list"}, ValueError, "unknown output_layout"),
        (A2, {"output_layout": "padded", "keepdim": True}, ValueError, "keepdim is only supported"),
        (A2, {"output_layout": "nested", "keepdim": True}, ValueError, "keepdim is only supported"),
        (HYBRID, {}, ValueError, "dense_dim 1"),
        (torch.eye(3), {}, NotImplementedError, "not torch.strided"),
        (torch.eye(3)[0].to_sparse_coo(), {}, NotImplementedError, "1-dimensional"),
        (A2.to(torch.complex64), {}, TypeError, "needs an order"),
    ],
)
def test_refusals_of_both_directions(A, arguments, error, text):
    with pytest.raises(error, match=text):
        tsgu.sparse_bidir_logsumexp(A, **arguments)


def test_nested_tensors_need_torch(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.3.1")
    tsgu.sparse_bidir_logsumexp(A2)
    with pytest.raises(NotImplementedError, match="too old for nested tensors"):
        tsgu.sparse_bidir_logsumexp(A2, output_layout="nested")
