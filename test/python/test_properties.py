"""Random shapes, patterns and layouts, and random index tensors, right or refused."""

import os
from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import tsgu

EXAMPLES = 20 if os.environ.get("TSGU_LONG") else 1  # times as many in `make test-long`


@st.composite
def sparse_tensors(draw):
    rows, columns = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    items = draw(st.none() | st.integers(0, 3))
    shape = (rows, columns) if items is None else (items, rows, columns)
    size = [st.integers(0, extent - 1) for extent in shape] if min(shape) > 0 else None
    entries = draw(st.lists(st.tuples(*size), max_size=20)) if size else []
    indices = torch.tensor(entries, dtype=torch.int64).reshape(-1, len(shape)).T
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    seed = draw(st.integers(0, 2**16))
    values = torch.randn(
        indices.shape[1], dtype=dtype, generator=torch.Generator().manual_seed(seed)
    )
    A = torch.sparse_coo_tensor(indices, values, shape)
    form = draw(st.sampled_from(["uncoalesced", "coalesced", "csr32", "csr64"]))
    if form == "uncoalesced":
        return A
    A = A.coalesce()
    if form == "coalesced" or items is not None:
        return A
    A = A.to_sparse_csr()
    if form == "csr64":
        return A
    return torch.sparse_csr_tensor(
        A.crow_indices().int(), A.col_indices().int(), A.values(), A.shape
    )


@settings(max_examples=150 * EXAMPLES)
@given(A=sparse_tensors(), columns=st.integers(0, 20), strided=st.booleans())
def test_sparse_mm(A, columns, strided):
    A = A.detach().requires_grad_()
    *items, _, inner = A.shape
    B = torch.randn(*items, inner, columns, dtype=A.dtype)
    if strided:
        B = B.mT.contiguous().mT
    B.requires_grad_()
    indices = oracle.indices_of(A)
    values = oracle.stored_values(A).requires_grad_()
    dense = B.detach().requires_grad_()
    result = tsgu.sparse_mm(A, B)
    expected = oracle.spmm(indices, values, A.shape, dense)
    oracle.assert_close(result.detach(), expected.detach())
    weight = torch.randn_like(expected)
    of_A, of_B = torch.autograd.grad(result, (A, B), weight)
    of_values, of_dense = torch.autograd.grad(expected, (values, dense), weight)
    oracle.assert_close(oracle.stored_values(of_A), of_values)
    oracle.assert_close(of_B, of_dense)


@settings(max_examples=100 * EXAMPLES)
@given(A=sparse_tensors(), rows=st.booleans())
def test_sparse_softmax(A, rows):
    dim = -1 if rows else -2
    A = A.detach().requires_grad_()
    result = tsgu.sparse_softmax(A, dim)
    merged, given_ = oracle.indices_of(result), oracle.indices_of(A)
    values = oracle.stored_values(A).requires_grad_()
    matrix = oracle.dense(given_, values, A.shape)
    expected = oracle.softmax(merged, matrix[tuple(merged)], A.shape, dim)
    oracle.assert_close(oracle.stored_values(result), expected.detach())
    weight = torch.randn_like(expected)
    (of_A,) = torch.autograd.grad(tsgu.values(result).reshape(-1), A, weight)
    (of_values,) = torch.autograd.grad(expected, values, weight)
    oracle.assert_close(oracle.stored_values(of_A), of_values)


def is_csr(positions, coordinates, columns):
    return (
        positions[0] == 0
        and positions[-1] == len(coordinates)
        and all(a <= b for a, b in pairwise(positions))
        and all(0 <= column < columns for column in coordinates)
    )


small = st.integers(-2, 5) | st.sampled_from([-(2**31), 2**31 - 1])


@settings(max_examples=300 * EXAMPLES)
@given(
    positions=st.lists(small, min_size=1, max_size=5) | st.just([0, 1, 3, 4]),
    coordinates=st.lists(small, max_size=5) | st.just([2, 0, 1, 1]),
    columns=st.integers(0, 4),
    index=st.sampled_from([torch.int32, torch.int64]),
)
def test_any_index_tensors(positions, coordinates, columns, index):
    pattern = tsgu.Pattern.csr(
        torch.tensor(positions, dtype=index), torch.tensor(coordinates, dtype=index), columns
    )
    values = torch.randn(len(coordinates), dtype=torch.float64)
    B = torch.randn(columns, 2, dtype=torch.float64)
    try:
        result = tsgu.operator("spmm")(pattern, values, B)
    except tsgu.PatternError:
        assert not is_csr(positions, coordinates, columns)
        return
    assert is_csr(positions, coordinates, columns)
    counts = torch.tensor(positions).diff()
    rows = torch.arange(len(counts)).repeat_interleave(counts)
    indices = torch.stack([rows, torch.tensor(coordinates, dtype=torch.int64)])
    oracle.assert_close(result, oracle.spmm(indices, values, (len(counts), columns), B))
