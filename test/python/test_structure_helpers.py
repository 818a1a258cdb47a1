"""Stacks, conversions and identities against dense torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import matrices
import tsgu
from matrices import maker
from oracle import assert_same_derivatives, dense, indices_of, stored_values
from tsgu.utils import (
    convert_coo_to_csr,
    convert_coo_to_csr_indices_values,
    sparse_eye,
    stack_csr,
)
from tsgu.utils.utils import (
    _compress_row_indices,
    _demcompress_crow_indices,
    _sort_coo_indices,
)

DOUBLE = torch.float64
WIDTHS = (torch.int32, torch.int64)


def as_dense(A):
    return dense(indices_of(A), stored_values(A), A.shape)


# ===-- Stacks --------------------------------------------------------------------===#


@pytest.mark.parametrize("index", WIDTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.complex128])
@pytest.mark.parametrize("shape", [(4, 5), (0, 5), (4, 0)])
def test_stack(index, dtype, shape):
    batch = matrices.batched_csr(3, *shape, dtype, index)
    stacked = stack_csr(
        [
            torch.sparse_csr_tensor(batch.crow_indices()[k], batch.col_indices()[k], v, shape)
            for k, v in enumerate(batch.values())
        ]
    )
    assert stacked.shape == (3, *shape) and stacked.layout is torch.sparse_csr
    assert stacked.crow_indices().dtype is stacked.col_indices().dtype is index
    assert torch.equal(stacked.crow_indices(), batch.crow_indices())
    assert torch.equal(stacked.col_indices(), batch.col_indices())
    assert torch.equal(stacked.values(), batch.values())


def test_derivatives_of_a_stack():
    A, B = (matrices.csr(3, 4, density=1) for _ in range(2))
    C = torch.randn(2, 4, 2, dtype=DOUBLE)
    inputs = [stored_values(M).requires_grad_() for M in (A, B)]

    make_A, make_B = maker(A), maker(B)

    def product(v, w):
        return tsgu.sparse_mm(stack_csr((make_A(v), make_B(w))), C) ** 2

    def reference(v, w):
        return (torch.stack([v, w]).view(2, 3, 4) @ C) ** 2

    assert_same_derivatives(product, reference, inputs, order=2)
    actual = torch.func.hessian(lambda v: product(v, v).sum())(inputs[0].detach())
    expected = torch.func.hessian(lambda v: reference(v, v).sum())(inputs[0].detach())
    torch.testing.assert_close(actual, expected)


def test_refused_stacks():
    A = matrices.csr(3, 4, density=1)
    with pytest.raises(TypeError, match="must be a list or tuple, not Tensor"):
        stack_csr(A)
    with pytest.raises(TypeError, match="must be CSR tensors, not int"):
        stack_csr([A, 3])
    with pytest.raises(ValueError, match="at least one"):
        stack_csr([])
    with pytest.raises(ValueError, match="one shape"):
        stack_csr([A, matrices.csr(4, 3)])
    with pytest.raises(ValueError, match="must be CSR"):
        stack_csr([A, A.to_sparse_coo()])
    with pytest.raises(ValueError, match=r"must have shape \(n, m\)"):
        stack_csr([matrices.batched_csr(2, 3, 4)])
    for dim in (1, 2, -1, -2, 3):
        with pytest.raises(ValueError, match=f"dim must be 0, .* not {dim}"):
            stack_csr([A, A], dim)
    assert stack_csr([A, A], -3).shape == (2, 3, 4)


def test_a_ragged_stack_is_refused_and_the_way_out_works():
    A, B = matrices.csr(3, 4, density=1), matrices.csr(3, 4, density=0.2)
    with pytest.raises(ValueError, match="equal numbers of entries.* torch.stack"):
        stack_csr([A, B])
    stacked = torch.stack([A.to_sparse_coo(), B.to_sparse_coo()])
    C = torch.randn(2, 4, 2, dtype=DOUBLE)
    expected = torch.stack([as_dense(A), as_dense(B)]) @ C
    torch.testing.assert_close(tsgu.sparse_mm(stacked, C), expected)


# ===-- COO to CSR -------------------------------------------------------------------===#


@st.composite
def coo_arrays(draw):
    """Shape, indices with duplicates in any order; batches have equal numbers of entries."""
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    items = draw(st.sampled_from([None, 1, 3]))
    count = draw(st.integers(0, 6))
    place = st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1))
    entries = draw(st.lists(place, min_size=count * (items or 1), max_size=count * (items or 1)))
    indices = torch.tensor(entries).long().view(-1, 2).T
    if items is None:
        return (rows, columns), indices
    indices = torch.cat([torch.arange(items).repeat(count).view(1, -1), indices])
    return (items, rows, columns), indices


@settings(max_examples=60)
@given(coo_arrays(), st.sampled_from(WIDTHS))
def test_index_arrays(arrays, width):
    shape, indices = arrays
    values = torch.randn(indices.shape[1], dtype=DOUBLE)
    items = shape[0] if len(shape) == 3 else None
    given = indices.to(width)
    crow, col, permutation = convert_coo_to_csr_indices_values(given, shape[-2], items=items)
    assert crow.dtype is col.dtype is width and permutation.dtype is torch.int64
    assert sorted(permutation.flatten().tolist()) == list(range(indices.shape[1]))
    again = convert_coo_to_csr_indices_values(given, shape[-2], values, items=items)
    assert torch.equal(again[0], crow) and torch.equal(again[1], col)
    assert torch.equal(again[2], values[permutation])
    if items != 0:
        A = torch.sparse_csr_tensor(crow, col, again[2], shape, check_invariants=False)
        assert torch.equal(indices_of(A), indices[:, permutation.flatten()])
        torch.testing.assert_close(as_dense(A), dense(indices, values, shape))


def test_items_are_counted_where_nobody_says():
    indices = torch.tensor([[1, 0, 1, 0], [0, 1, 1, 0], [2, 0, 1, 1]])
    crow, col, permutation = convert_coo_to_csr_indices_values(indices, 2)
    assert crow.tolist() == [[0, 1, 2], [0, 1, 2]]
    assert col.tolist() == [[1, 0], [2, 1]] and permutation.tolist() == [[3, 1], [0, 2]]
    empty = torch.zeros(3, 0, dtype=torch.int32)
    crow, col, _ = convert_coo_to_csr_indices_values(empty, 2, items=4)
    assert crow.shape == (4, 3) and col.shape == (4, 0) and crow.dtype is torch.int32
    assert convert_coo_to_csr_indices_values(empty, 2)[0].shape == (0, 3)
    crow, col, _ = convert_coo_to_csr_indices_values(torch.zeros(2, 0).long(), 3)
    assert crow.tolist() == [0] * 4 and col.shape == (0,)


def test_values_are_gathered_with_their_graph():
    indices = torch.tensor([[1, 0, 1], [0, 1, 0]])
    values = torch.randn(3, dtype=DOUBLE, requires_grad=True)
    *_, gathered = convert_coo_to_csr_indices_values(indices, 2, values)
    gathered.pow(3).sum().backward()
    torch.testing.assert_close(values.grad, 3 * values.detach() ** 2)


@pytest.mark.parametrize(
    "indices,rows,options,error,text",
    [
        (torch.zeros(1, 3).long(), 2, {}, ValueError, "not \\(1, 3\\)"),
        (torch.zeros(4, 3).long(), 2, {}, ValueError, "not \\(4, 3\\)"),
        (torch.zeros(3).long(), 2, {}, ValueError, "not \\(3,\\)"),
        (torch.zeros(2, 3), 2, {}, TypeError, "int32 or int64, not torch.float32"),
        (torch.tensor([[0, 2], [0, 0]]), 2, {}, ValueError, "row index 2 is not below"),
        (torch.tensor([[0, -1], [0, 0]]), 2, {}, ValueError, "negative: -1"),
        (torch.tensor([[0], [0]]), 2, {"values": torch.ones(2)}, ValueError, "for 1 entries"),
        (torch.tensor([[2], [0], [0]]), 2, {"items": 2}, ValueError, "item index 2"),
        (torch.tensor([[0, 0, 1], [0, 1, 1], [0, 0, 0]]), 2, {}, ValueError, "have 1 to 2"),
        (torch.tensor([[1], [1], [0]]), 2, {}, ValueError, "have 0 to 1"),
    ],
)
def test_refused_index_arrays(indices, rows, options, error, text):
    with pytest.raises(error, match=text):
        convert_coo_to_csr_indices_values(indices, rows, **options)


@pytest.mark.parametrize("kind", ["coo", "uncoalesced"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.complex64])
@pytest.mark.parametrize("shape", [(4, 5), (0, 5), (4, 0), (0, 0)])
def test_conversion(kind, dtype, shape):
    A = getattr(matrices, kind)(*shape)
    A = torch.sparse_coo_tensor(A._indices(), A._values().to(dtype), shape)
    converted = convert_coo_to_csr(A)
    assert converted.layout is torch.sparse_csr and converted.dtype is dtype
    assert torch.equal(indices_of(converted), A.coalesce().indices())
    assert torch.equal(converted.to_dense(), A.to_dense())


def test_conversion_of_batches():
    batch = matrices.batched_csr(3, 4, 5)
    doubled = torch.sparse_coo_tensor(
        indices_of(batch).repeat(1, 2), stored_values(batch).repeat(2), batch.shape
    )
    converted = convert_coo_to_csr(doubled)
    assert torch.equal(converted.crow_indices(), batch.crow_indices())
    assert torch.equal(converted.col_indices(), batch.col_indices())
    assert torch.equal(converted.values(), 2 * batch.values())
    empty = torch.sparse_coo_tensor(torch.zeros(3, 0).long(), torch.zeros(0), (3, 4, 5))
    converted = convert_coo_to_csr(empty)
    assert converted.crow_indices().tolist() == [[0] * 5] * 3
    assert converted.values().shape == (3, 0)
    assert convert_coo_to_csr(empty.new_empty((0, 4, 5))).shape == (0, 4, 5)


def test_refused_conversions():
    for A in (matrices.csr(3, 3), torch.ones(3, 3)):
        with pytest.raises(ValueError, match=f"Unsupported layout: {A.layout}"):
            convert_coo_to_csr(A)
    with pytest.raises(ValueError, match="Unsupported layout: list"):
        convert_coo_to_csr([[1.0]])
    with pytest.raises(ValueError, match=r"\(n, m\) or \(b, n, m\), not \(3,\)"):
        convert_coo_to_csr(torch.ones(3).to_sparse())
    with pytest.raises(ValueError, match="hybrid"):
        convert_coo_to_csr(torch.ones(3, 3, 2).to_sparse(2))
    ragged = torch.sparse_coo_tensor(
        torch.tensor([[0, 0, 2], [0, 1, 1], [0, 0, 0]]), torch.ones(3), (3, 2, 2)
    )
    with pytest.raises(ValueError, match="have 0 to 2: a COO batch may differ"):
        convert_coo_to_csr(ragged)


@pytest.mark.parametrize("kind", ["coo", "uncoalesced"])
def test_derivatives_of_a_conversion(kind):
    A = getattr(matrices, kind)(4, 5)
    B = torch.randn(5, 2, dtype=DOUBLE)

    make = maker(A)

    def product(v):
        converted = convert_coo_to_csr(make(v))
        product = (tsgu.sparse_mm(converted, B) ** 2).flatten()
        return torch.cat([product, tsgu.values(converted) ** 3])

    def reference(v):
        matrix = dense(indices_of(A), v, A.shape)
        elements = matrix[tuple(A.coalesce().indices())]
        return torch.cat([((matrix @ B) ** 2).flatten(), elements**3])

    assert_same_derivatives(product, reference, [stored_values(A).requires_grad_()], order=2)
    hessians = [
        torch.func.hessian(lambda v, f=f: f(v).sum())(stored_values(A))
        for f in (product, reference)
    ]
    torch.testing.assert_close(*hessians)


def test_sorting_is_stable_and_lexicographic():
    indices = torch.tensor([[1, 0, 1, 0, 1], [2, 1, 0, 1, 2]])
    in_order, permutation = _sort_coo_indices(indices)
    assert in_order.tolist() == [[0, 0, 1, 1, 1], [1, 1, 0, 2, 2]]
    assert permutation.tolist() == [1, 3, 2, 0, 4]
    huge = torch.tensor([[2**40, 0, 2**40], [2**41, 3, 0]])  # no one number holds a pair
    in_order, permutation = _sort_coo_indices(huge)
    assert permutation.tolist() == [1, 2, 0] and torch.equal(in_order, huge[:, permutation])


@pytest.mark.parametrize("index", WIDTHS)
def test_rows_are_compressed_and_spread_again(index):
    rows = torch.tensor([0, 0, 2, 3, 3, 3], dtype=index)
    positions = _compress_row_indices(rows, 5)
    assert positions.dtype is index and positions.tolist() == [0, 2, 2, 3, 6, 6]
    again = _demcompress_crow_indices(positions, 5)
    assert again.dtype is index and torch.equal(again, rows)
    assert _compress_row_indices(rows[:0], 2).tolist() == [0, 0, 0]
    assert _demcompress_crow_indices(torch.zeros(1, dtype=index), 0).tolist() == []


# ===-- Identities --------------------------------------------------------------------===#


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("size", [(3, 3), (0, 0), (2, 3, 3), (0, 3, 3), (2, 0, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("index", WIDTHS)
def test_identity(layout, size, dtype, index):
    options = {"layout": layout, "values_dtype": dtype, "indices_dtype": index}
    eye = sparse_eye(size, **options, requires_grad=True)
    assert eye.is_leaf and eye.requires_grad and eye.dtype is dtype and eye.layout is layout
    if layout is torch.sparse_coo:
        assert eye.is_coalesced()
    else:
        assert eye.crow_indices().dtype is eye.col_indices().dtype is index
    expected = torch.eye(size[-1], dtype=dtype).expand(size)
    assert eye.shape == size and torch.equal(as_dense(eye), expected)


@pytest.mark.parametrize(
    "size,options",
    [
        ((3,), {}),
        ((3, 4), {}),
        ((3, 3, 4), {}),
        ((1, 2, 3, 3), {}),
        ((3, 3), {"layout": torch.strided}),
        ((3, 3), {"layout": torch.sparse_csc}),
        ((3, 3), {"values_dtype": torch.float16}),
        ((3, 3), {"values_dtype": torch.int64}),
        ((3, 3), {"indices_dtype": torch.int16}),
    ],
)
def test_refused_identities(size, options):
    with pytest.raises(ValueError, match="must be"):
        sparse_eye(size, **options)
