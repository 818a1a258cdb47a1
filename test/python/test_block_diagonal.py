"""Block diagonal matrices and their blocks against dense torch."""

from unittest.mock import Mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import matrices
import tsgu
from matrices import maker, rebuild
from oracle import assert_same_derivatives, dense, indices_of, stored_values
from tsgu.utils import sparse_block_diag, sparse_block_diag_split

DOUBLE = torch.float64
KINDS = {**matrices.MATRICES, **matrices.OTHERS}
KINDS = {name: make for name, make in KINDS.items() if "batched" not in name}
SHAPES = ((4, 6), (8, 6), (0, 6), (4, 0), (12, 12))


def as_dense(A):
    return dense(indices_of(A), stored_values(A), A.shape)


def index_arrays(A):
    if A.layout is torch.sparse_coo:
        return (A._indices(),)
    if A.layout in (torch.sparse_csc, torch.sparse_bsc):
        return A.ccol_indices(), A.row_indices()
    return A.crow_indices(), A.col_indices()


def with_values(A, values):
    """A with other values, of any dtype."""
    if A.layout is torch.sparse_coo:
        flag = A.is_coalesced()
        return torch.sparse_coo_tensor(A._indices(), values, A.shape, is_coalesced=flag)
    values = values.view(A.values().shape)
    return torch.sparse_compressed_tensor(*index_arrays(A), values, A.shape, layout=A.layout)


def assert_valid(A):
    """That torch's own checks of invariants pass."""
    if A.layout is torch.sparse_coo:
        flag = A.is_coalesced()
        torch.sparse_coo_tensor(
            A._indices(), A._values(), A.shape, is_coalesced=flag, check_invariants=True
        )
    else:
        torch.sparse_compressed_tensor(
            *index_arrays(A), A.values(), A.shape, layout=A.layout, check_invariants=True
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.complex64, torch.int64])
@pytest.mark.parametrize("kind", KINDS)
def test_values_order_and_index_types(kind, dtype):
    blocks = [KINDS[kind](*shape, DOUBLE) for shape in SHAPES]
    blocks = [with_values(A, (10 * stored_values(A)).to(dtype)) for A in blocks]
    D = sparse_block_diag(*blocks)
    assert D.dtype is dtype and D.layout is blocks[0].layout
    assert torch.equal(as_dense(D), torch.block_diag(*map(as_dense, blocks)))
    assert torch.equal(stored_values(D), torch.cat([stored_values(A) for A in blocks]))
    assert_valid(D)
    for A, again in zip(blocks, sparse_block_diag_split(D, *SHAPES), strict=True):
        assert again.layout is A.layout and again.shape == A.shape
        for new, old in zip(index_arrays(again), index_arrays(A), strict=True):
            assert new.dtype is old.dtype and torch.equal(new, old)
        assert torch.equal(stored_values(again), stored_values(A))
        assert_valid(again)


@st.composite
def lists_of_blocks(draw):
    """Triples of shape, indices (duplicates too), and how many entries there are."""
    blocks = []
    for _ in range(draw(st.integers(2, 5))):
        rows, columns = draw(st.integers(0, 4)), draw(st.integers(0, 4))
        place = st.tuples(st.integers(0, max(rows - 1, 0)), st.integers(0, max(columns - 1, 0)))
        entries = draw(st.lists(place, max_size=6 if rows and columns else 0))
        blocks.append(((rows, columns), torch.tensor(entries).long().view(-1, 2).T))
    return blocks


@settings(max_examples=40)
@given(lists_of_blocks(), st.sampled_from(["coo", "csr32", "csr64"]))
def test_random_patterns(blocks, kind):
    made = []
    for shape, indices in blocks:
        values = torch.randn(indices.shape[1], dtype=DOUBLE)
        A = torch.sparse_coo_tensor(indices, values, shape)
        if kind != "coo":  # rows in order, duplicates left
            indices = indices[:, indices[0].argsort(stable=True)]
            positions = torch.zeros(shape[0] + 1, dtype=torch.int64)
            positions[1:] = torch.bincount(indices[0], minlength=shape[0]).cumsum(0)
            width = torch.int32 if kind == "csr32" else torch.int64
            arrays = positions.to(width), indices[1].to(width), values
            A = torch.sparse_csr_tensor(*arrays, shape, check_invariants=False)
        made.append(A)
    D = sparse_block_diag(*made)
    assert torch.equal(as_dense(D), torch.block_diag(*map(as_dense, made)))
    again = sparse_block_diag_split(D, *(shape for shape, _ in blocks))
    for A, piece in zip(made, again, strict=True):
        assert torch.equal(stored_values(piece), stored_values(A))
        for new, old in zip(index_arrays(piece), index_arrays(A), strict=True):
            assert new.dtype is old.dtype and torch.equal(new, old)


@pytest.mark.parametrize("kind", matrices.MATRICES)
def test_derivatives_to_second_order(kind):
    blocks = [matrices.MATRICES[kind](*shape, DOUBLE) for shape in ((3, 4), (0, 2), (5, 3))]
    B = torch.randn(9, 2, dtype=DOUBLE)
    inputs = [stored_values(A).requires_grad_() for A in blocks]

    def product(*values):
        D = sparse_block_diag(*map(rebuild, blocks, values))
        first, _, last = sparse_block_diag_split(D, *(A.shape for A in blocks))
        product = (tsgu.sparse_mm(D, B) ** 2).flatten()
        return torch.cat([product, tsgu.values(first) ** 3, tsgu.values(last).sin()])

    def reference(*values):
        matrix = torch.block_diag(
            *(dense(indices_of(A), v, A.shape) for A, v in zip(blocks, values, strict=True))
        )
        return torch.cat([((matrix @ B) ** 2).flatten(), values[0] ** 3, values[2].sin()])

    assert_same_derivatives(product, reference, inputs, order=2)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_leaves(kind):
    blocks = [KINDS[kind](4, 6, DOUBLE).requires_grad_() for _ in range(2)]
    weights = [torch.randn(stored_values(A).shape, dtype=DOUBLE) for A in blocks]
    D = sparse_block_diag(*blocks)
    functional = (tsgu.values(D).flatten() * torch.cat(weights)).sum()
    for A, weight, gradient in zip(
        blocks, weights, torch.autograd.grad(functional, blocks), strict=True
    ):
        assert gradient.layout is A.layout
        assert torch.equal(stored_values(gradient), weight)


def test_in_transforms_and_graphs():
    A, B = matrices.csr(3, 4), matrices.csr(2, 5)
    V, W = (torch.randn(3, stored_values(M).numel(), dtype=DOUBLE) for M in (A, B))
    dense_B = torch.randn(9, 2, dtype=DOUBLE)
    shapes = A.shape, B.shape
    indices = torch.cat([indices_of(A), indices_of(B) + torch.tensor([[3], [4]])], 1)

    make_A, make_B = maker(A), maker(B)

    def joined(v, w):
        return tsgu.sparse_mm(sparse_block_diag(make_A(v), make_B(w)), dense_B).square().sum()

    def split(v, w):
        D = sparse_block_diag(make_A(v), make_B(w))
        first, _ = sparse_block_diag_split(D, *shapes)
        return joined(v, w) + tsgu.values(first).pow(3).sum()

    def reference(v, w):
        return (dense(indices, torch.cat([v, w]), (5, 9)) @ dense_B).square().sum()

    for function, expected in (
        (joined, reference),
        (split, lambda v, w: reference(v, w) + v.pow(3).sum()),
    ):
        actual = torch.vmap(torch.func.grad(function, (0, 1)))(V, W)
        torch.testing.assert_close(actual, torch.vmap(torch.func.grad(expected, (0, 1)))(V, W))
        torch.testing.assert_close(
            torch.func.hessian(function)(V[0], W[0]), torch.func.hessian(expected)(V[0], W[0])
        )
    compiled = torch.compile(joined, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(V[0], W[0]), reference(V[0], W[0]))


def test_scipy_arrays():
    import scipy.sparse

    blocks = [scipy.sparse.random_array((4, 3), density=0.5, rng=k) for k in range(3)]
    expected = scipy.sparse.block_diag(blocks).toarray()
    assert (sparse_block_diag(*blocks).to_dense().numpy() == expected).all()
    pieces = sparse_block_diag_split(scipy.sparse.block_diag(blocks, "csc"), *[(4, 3)] * 3)
    for piece, block in zip(pieces, blocks, strict=True):
        assert (piece.to_dense().numpy() == block.toarray()).all()


def test_one_argument_is_returned_as_it_is():
    A = matrices.csr(3, 4)
    assert sparse_block_diag(A) is A


def test_int32_that_cannot_hold_the_columns():
    wide = torch.sparse_csr_tensor(
        torch.tensor([0, 1], dtype=torch.int32),
        torch.tensor([2**31 - 2], dtype=torch.int32),
        torch.ones(1),
        (1, 2**31 - 1),
    )
    D = sparse_block_diag(wide, wide)
    assert D.crow_indices().tolist() == [0, 1, 2]
    assert D.col_indices().tolist() == [2**31 - 2, 2**32 - 3]
    for piece in sparse_block_diag_split(D, wide.shape, wide.shape):
        assert piece.col_indices().tolist() == [2**31 - 2]


def test_mixed_index_types_become_int64():
    D = sparse_block_diag(matrices.csr(3, 4, index=torch.int32), matrices.csr(3, 4))
    assert {array.dtype for array in index_arrays(D)} == {torch.int64}


def test_memory_and_time_do_not_know_of_the_dense_matrix():
    n = 1 << 20
    A = tsgu.csr(torch.arange(n + 1), torch.arange(n), torch.ones(n, requires_grad=True), (n, n))
    D = sparse_block_diag(A, A)
    assert D.shape == (2 * n, 2 * n)
    first, second = sparse_block_diag_split(D, A.shape, A.shape)
    assert torch.equal(first.col_indices(), second.col_indices())


# ===-- Refusals -------------------------------------------------------------------===#


def mock(layout=torch.sparse_coo, sparse_dim=2, dense_dim=0):
    found = Mock(spec=torch.Tensor)
    found.layout = layout
    found.sparse_dim.return_value = sparse_dim
    found.dense_dim.return_value = dense_dim
    return found


@pytest.mark.parametrize(
    "tensors,error,text",
    [
        ([], ValueError, "at least one tensor"),
        ([mock(), 3], TypeError, "must be torch.Tensors, not int"),
        ([mock(sparse_dim=3), mock(torch.sparse_csr)], ValueError, "one layout"),
        ([mock(), mock(sparse_dim=3, dense_dim=1)], ValueError, "two sparse dimensions, not 3"),
        ([mock(), mock(dense_dim=1)], ValueError, "no dense dimension, not 1"),
        ([mock(sparse_dim=1)], ValueError, "two sparse dimensions, not 1"),
        ([torch.ones(2, 2)] * 2, ValueError, "two sparse dimensions, not 0"),
        ([matrices.batched_csr(2, 3, 3)], ValueError, r"matrices \(n, m\), not \(2, 3, 3\)"),
        ([matrices.coo(3, 3, items=2)], ValueError, "two sparse dimensions, not 3"),
        (
            [matrices.blocks(4, 6), matrices.blocks(4, 6, size=(2, 2))],
            ValueError,
            "blocks of one shape",
        ),
    ],
)
def test_refused_blocks(tensors, error, text):
    with pytest.raises(error, match=text):
        sparse_block_diag(*tensors)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    "positions,coordinates,text",
    [
        ([1, 1, 2], [0, 1], "position"),
        ([0, 1, 3], [0, 1], "row 1"),
        ([0, 1, 2], [0, 2], "column 2"),
        ([0, 1, 2], [-1, 1], "column -1"),
    ],
)
def test_a_corrupt_block_is_named(positions, coordinates, text, place):
    arrays = torch.tensor(positions), torch.tensor(coordinates), torch.ones(2)
    blocks = [torch.eye(2).to_sparse_csr()] * 3
    blocks[place] = torch.sparse_csr_tensor(*arrays, (2, 2), check_invariants=False)
    with pytest.raises(tsgu.PatternError, match=text):
        sparse_block_diag(*blocks)


def test_a_corrupt_coo_block_is_named():
    indices = torch.tensor([[0, 1], [1, 2]])
    A = torch.sparse_coo_tensor(indices, torch.ones(2), (2, 2), check_invariants=False)
    with pytest.raises(tsgu.PatternError, match="entry 1: coordinate 2 of dimension 1"):
        sparse_block_diag(A, torch.eye(2).to_sparse())


def test_refused_splits():
    A = matrices.csr(4, 5, density=1)
    with pytest.raises(TypeError, match=r"must be a torch.Tensor, not list"):
        sparse_block_diag_split([[1.0]], (1, 1))
    with pytest.raises(ValueError, match="must be a sparse matrix"):
        sparse_block_diag_split(torch.ones(2, 2), (2, 2))
    with pytest.raises(ValueError, match=r"must be \(n, m\), not \(4,\)"):
        sparse_block_diag_split(A, (4,))
    for shapes in ([(2, 2)], [], [(4, 5), (0, 1)]):
        with pytest.raises(ValueError, match=r"together, and T is \(4, 5\)"):
            sparse_block_diag_split(A, *shapes)
    with pytest.raises(ValueError, match="is not made of blocks of shape"):
        sparse_block_diag_split(matrices.blocks(4, 6), (1, 3), (3, 3))


@pytest.mark.parametrize("kind", matrices.MATRICES)
@pytest.mark.parametrize("place", [(1, 4), (3, 1)])
def test_an_entry_outside_of_the_blocks_is_named(kind, place):
    indices = torch.tensor([[0, 2, place[0]], [0, 2, place[1]]])
    A = torch.sparse_coo_tensor(indices, torch.ones(3), (4, 5))
    if "csr" in kind:
        A = A.coalesce().to_sparse_csr()
    with pytest.raises(ValueError, match="row {}, column {} lies in none".format(*place)):
        sparse_block_diag_split(A, (2, 2), (2, 3))
