"""Sums, means and extrema over rows and columns against torch on dense matrices."""

import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from test_properties import EXAMPLES, sparse_tensors

import matrices
import oracle
import tsgu

KINDS = {**matrices.ALL, **matrices.OTHERS}
DIMS = [-1, -2, [-2, -1]]
EXTREMA = {
    tsgu.sparse_amax: (torch.amax, -torch.inf),
    tsgu.sparse_amin: (torch.amin, torch.inf),
}
NAMES = ["amax", "amin"]


def stored_of(indices, values, shape):
    return oracle.dense(indices, torch.ones_like(values), shape).real > 0


def mean(matrix, stored, dim, include_zeros):
    if include_zeros:
        return matrix.mean(dim)
    return matrix.sum(dim) / stored.to(matrix.dtype).sum(dim)


def check(function, reference, A, *arguments):
    """The value, the gradient and the derivative of the gradient by the cotangent."""
    A = A.detach().requires_grad_()
    indices, values = oracle.indices_of(A), oracle.stored_values(A).requires_grad_()
    result = function(A, *arguments)
    expected = reference(oracle.dense(indices, values, A.shape), indices, values)
    torch.testing.assert_close(result.detach(), expected.detach(), equal_nan=True)
    weight = torch.randn_like(expected.detach())
    weight = torch.where(expected.detach().isfinite(), weight, 0).requires_grad_()
    (gradient,) = torch.autograd.grad(result, A, weight, create_graph=True)
    (wanted,) = torch.autograd.grad(expected, values, weight, create_graph=True)
    assert gradient.layout is A.layout
    oracle.assert_close(oracle.stored_values(gradient), wanted.detach())
    of_gradient = tsgu.values(gradient).reshape(-1)
    direction = torch.randn_like(of_gradient.detach())
    (second,) = torch.autograd.grad(of_gradient, weight, direction)
    (second_wanted,) = torch.autograd.grad(wanted, weight, direction)
    oracle.assert_close(second, second_wanted)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", KINDS)
def test_sums_and_means(kind, dtype, dim):
    A = KINDS[kind](8, 6, dtype)
    check(tsgu.sparse_sum, lambda dense, *_: dense.sum(dim), A, dim)
    for include_zeros in (True, False):

        def reference(dense, indices, values, include_zeros=include_zeros):
            stored = stored_of(indices, values.detach(), dense.shape)
            return mean(dense, stored, dim, include_zeros)

        if include_zeros or A.layout is not torch.sparse_coo or A.is_coalesced():
            check(tsgu.sparse_mean, reference, A, dim, False, include_zeros)


def with_ties(A):
    """The same pattern with few different values, so that many are equal; some are zero."""
    A = A.detach().clone()
    values = A._values() if A.layout is torch.sparse_coo else A.values()
    values.copy_(torch.randint(-1, 2, values.shape))
    return A


@pytest.mark.parametrize("include_zeros", [True, False])
@pytest.mark.parametrize("dim", DIMS[:2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("function", EXTREMA, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_extrema(kind, function, dtype, dim, include_zeros):
    """Equal entries share as torch has them share, absent zeros counted."""
    torch_function, nothing = EXTREMA[function]
    for A in (KINDS[kind](8, 6, dtype), with_ties(KINDS[kind](8, 6, dtype))):
        if A.layout is torch.sparse_coo and not A.is_coalesced():
            A = A.coalesce()

        def reference(dense, indices, values):
            if include_zeros:
                return torch_function(dense, dim)
            stored = stored_of(indices, values.detach(), dense.shape)
            return torch_function(torch.where(stored, dense, nothing), dim)

        check(function, reference, A, dim, False, include_zeros)


@pytest.mark.parametrize("function", EXTREMA, ids=NAMES)
def test_duplicates_are_summed_first(function):
    A = torch.sparse_coo_tensor([[0, 0, 1], [1, 1, 0]], [1.0, 2.0, -1.0], (2, 3))
    wanted = EXTREMA[function][0](A.to_dense(), -1)
    torch.testing.assert_close(function(A, -1), wanted)


@pytest.mark.parametrize("function", EXTREMA, ids=NAMES)
def test_not_a_number_is_the_extremum(function):
    A = tsgu.csr([0, 2, 3], [0, 1, 1], torch.tensor([1.0, torch.nan, -3.0]), (2, 2))
    for include_zeros in (True, False):
        result = function(A, -1, include_zeros=include_zeros)
        assert result[0].isnan() and not result[1].isnan()


@settings(max_examples=EXAMPLES, deadline=None)
@given(sparse_tensors())
def test_any_matrix(A):
    A = A.coalesce() if A.layout is torch.sparse_coo else A
    dense = A.to_dense()
    for dim in (-1, -2):
        oracle.assert_close(tsgu.sparse_sum(A, dim), dense.sum(dim))
        if dense.shape[dim] and not A.is_complex():
            for function, (torch_function, _) in EXTREMA.items():
                torch.testing.assert_close(function(A, dim), torch_function(dense, dim))


@pytest.mark.parametrize("dim", DIMS)
def test_kept_dimensions(dim):
    A = matrices.ALL["csr64"](5, 4, torch.float64)
    names = [tsgu.sparse_sum, tsgu.sparse_mean]
    for function in names if isinstance(dim, list) else [*names, *EXTREMA]:
        kept = function(A, dim, True)
        assert kept.dim() == 2 and torch.equal(kept.reshape(-1), function(A, dim).reshape(-1))


def test_forms_of_matrices():
    A = matrices.ALL["csr64"](5, 4, torch.float64)
    array = scipy.sparse.csr_array(A.to_dense().numpy())
    for other in (array, tsgu.Matrix.of(A)):
        for function in (tsgu.sparse_sum, tsgu.sparse_mean, *EXTREMA):
            torch.testing.assert_close(function(other, -1), function(A, -1))


def test_transforms():
    pattern = tsgu.Pattern.of(matrices.ALL["csr64"](5, 4, torch.float64))
    values = torch.randn(pattern.entries, dtype=torch.float64)
    batch = torch.randn(3, pattern.entries, dtype=torch.float64)

    def largest(v):
        return (tsgu.sparse_amax(tsgu.Matrix(pattern, v), -1) ** 3).sum()

    forward = torch.func.jacfwd(largest)(values)
    torch.testing.assert_close(forward, torch.func.grad(largest)(values))
    mapped = torch.func.vmap(torch.func.grad(largest))(batch)
    torch.testing.assert_close(mapped, torch.stack([torch.func.grad(largest)(v) for v in batch]))
    second = torch.func.hessian(largest)(values)
    torch.testing.assert_close(second, torch.func.jacfwd(torch.func.jacfwd(largest))(values))
    assert second.abs().sum() > 0
    compiled = torch.compile(largest, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(values), largest(values))


def test_refusals():
    A = matrices.ALL["csr64"](5, 4, torch.float64)
    with pytest.raises(NotImplementedError, match="sparse_amax reduces one dimension"):
        tsgu.sparse_amax(A, [-2, -1])
    with pytest.raises(TypeError, match="sparse_amin needs an order"):
        tsgu.sparse_amin(A.to(torch.complex64), -1)
    with pytest.raises(IndexError, match="out of range"):
        tsgu.sparse_sum(A, 2)
    with pytest.raises(NotImplementedError, match="sparse format"):
        tsgu.sparse_mean(A.to_dense(), -1)
