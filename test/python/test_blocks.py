"""Patterns made of dense blocks: rows of a block are computed together, with the bits of CSR."""

import pytest
import torch
from test_levels import ON_DEVICE, check_on_threads, counted, poison, product
from test_long_rows import on_threads

import oracle
import tsgu

DOUBLE = torch.float64
NODES = 120
BLOCKS = [(2, 2), (3, 3), (4, 4), (8, 8), (3, 4), (5, 1)]


def mesh(height, width, lacking=0, nodes=NODES, seed=3):
    """Indices of blocks, of nodes joined with others, `lacking` entries here and there."""
    generator = torch.Generator().manual_seed(seed)
    degree = -(-6000 // (nodes * height * width))
    pairs = torch.randint(nodes, (2, nodes * degree), generator=generator).unique(dim=1)
    i, j = (x.repeat_interleave(height * width) for x in pairs)
    inner = torch.arange(height * width).repeat(pairs.shape[1])
    indices = torch.stack([i * height + inner // width, j * width + inner % width])
    # Of the first nodes only: blocks of the other rows stay full.
    first = torch.nonzero(indices[0] < nodes * height // 16).ravel()
    keep = torch.ones(indices.shape[1], dtype=torch.bool)
    keep[first[torch.randperm(len(first), generator=generator)[:lacking]]] = False
    indices = indices[:, keep]
    flat = indices[0] * nodes * width + indices[1]
    return indices[:, flat.argsort()], (nodes * height, nodes * width)


def entries(indices, dtype=DOUBLE):
    return torch.randn(indices.shape[1], dtype=dtype, generator=torch.Generator().manual_seed(5))


def scattered(columns, count=5000):
    """Indices of entries in 900 rows and so many columns, of which none make blocks."""
    generator = torch.Generator().manual_seed(11)
    flat = torch.randint(900 * columns, (count,), generator=generator).unique()
    return torch.stack([flat // columns, flat % columns])


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.complex64])
@pytest.mark.parametrize("p", [1, 8, 19])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("lacking", [0, 20])
def test_products_and_their_gradients(block, p, dtype, lacking):
    indices, shape = mesh(*block, lacking)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    values = entries(indices, dtype).requires_grad_()
    B = torch.randn(shape[1], p, dtype=dtype, requires_grad=True)
    spmm = tsgu.operator("spmm")
    poison(shape[0], p, dtype=dtype)
    oracle.assert_same_derivatives(
        lambda values, B: spmm(pattern, values, B),
        lambda values, B: product(indices, values, shape, B),
        (values, B),
        order=2,
    )


def assert_same(actual, expected):
    if ON_DEVICE:
        oracle.assert_close(actual, expected, terms=1 << 10)
    else:
        assert torch.equal(actual, expected)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("p", [1, 3, 8, 32, 70, 128, 300])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("lacking", [0, 20])
def test_bits_are_those_of_single_rows(block, p, dtype, lacking):
    """With scattered rows below it, or such columns, a matrix is no longer made of blocks.

    Devices have no blocks, and share a row among lanes by the mean length of all rows.
    """
    indices, shape = mesh(*block, lacking)
    values = entries(indices, dtype)
    B, G = (torch.randn(n, p, dtype=dtype) for n in (shape[1], shape[0]))
    spmm = tsgu.operator("spmm")

    def run(indices, values, shape, B, G):
        pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
        values, B = values.clone().requires_grad_(), B.clone().requires_grad_()
        poison(shape[0], p, dtype=dtype)
        Y = spmm(pattern, values, B)
        return Y.detach(), *torch.autograd.grad(Y, (values, B), G)

    Y, dA, dB = run(indices, values, shape, B, G)
    more = scattered(shape[1])
    tall = torch.cat([indices, more + torch.tensor([[shape[0]], [0]])], 1)
    others = entries(more, dtype)
    below = torch.randn(900, p, dtype=dtype)
    height = shape[0] + 900
    of_tall = run(tall, torch.cat([values, others]), (height, shape[1]), B, torch.cat([G, below]))
    assert_same(Y, of_tall[0][: shape[0]])
    assert_same(dA, of_tall[1][: len(values)])
    more = scattered(shape[0]).flip(0)
    wide = torch.cat([indices, more + torch.tensor([[0], [shape[1]]])], 1)
    order = (wide[0] * (shape[1] + 900) + wide[1]).argsort()
    of_wide = run(
        wide[:, order],
        torch.cat([values, others[: more.shape[1]].new_ones(more.shape[1])])[order],
        (shape[0], shape[1] + 900),
        torch.cat([B, below]),
        G,
    )
    assert_same(dB, of_wide[2][: shape[1]])


def test_what_no_entry_touches_stays_away():
    """NaN and infinity in a row of B reach the rows that have an entry there, of no block more."""
    indices, shape = mesh(3, 3, lacking=40)
    for bad in range(0, NODES * 3, 7):
        B = torch.ones(shape[1], 8, dtype=DOUBLE)
        B[bad] = torch.nan if bad % 2 else torch.inf
        touched = torch.zeros(shape[0], dtype=torch.bool)
        touched[indices[0][indices[1] == bad]] = True
        pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
        Y = tsgu.operator("spmm")(pattern, torch.ones(indices.shape[1], dtype=DOUBLE), B)
        assert torch.equal(Y.isfinite().all(1), ~touched)


def test_blocks_have_kernels_of_their_own():
    """Once for each shape of a block, whatever lacks an entry; devices have none."""
    counts = []
    for block, lacking in (((3, 3), 0), ((3, 3), 20), ((2, 2), 0), ((1, 1), 0)):
        indices, shape = mesh(*block, lacking)
        pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
        before = counted()
        tsgu.operator("spmm")(pattern, entries(indices), torch.randn(shape[1], 13, dtype=DOUBLE))
        counts.append(counted() - before)
    assert counts == [1, 0, *(2 * [0 if ON_DEVICE else 1])]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    indices, shape = mesh(4, 4)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    values, B = entries(indices).to(dtype), torch.randn(shape[1], 16).to(dtype)
    actual = tsgu.operator("spmm")(pattern, values, B)
    wide = product(indices, values.to(DOUBLE), shape, B.to(DOUBLE))
    torch.testing.assert_close(actual.to(DOUBLE), wide.to(dtype).to(DOUBLE), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("layout", ["csr", "coo", "csc", "bsr"])
def test_sparse_tensors(layout):
    indices, shape = mesh(4, 4)
    A = torch.sparse_coo_tensor(indices, entries(indices), shape, is_coalesced=True)
    convert = {
        "csr": A.to_sparse_csr,
        "csc": A.to_sparse_csc,
        "coo": lambda: A,
        "bsr": lambda: A.to_sparse_csr().to_sparse_bsr((4, 4)),
    }
    B = torch.randn(shape[1], 8, dtype=DOUBLE)
    oracle.assert_close(tsgu.sparse_mm(convert[layout](), B), A.to_dense() @ B)


def test_batches():
    """Blocks of each item; 13 rows and 10 columns more than whole ones."""
    items, rows, columns = 3, 13 + 3 * 40, 10 + 3 * 40
    i, j = mesh(3, 3, nodes=40)[0]
    item = torch.arange(items).repeat_interleave(len(i))
    indices = torch.stack([item, i.repeat(items), j.repeat(items)])
    values = entries(indices).requires_grad_()
    pattern = tsgu.Pattern.coo(indices, (items, rows, columns), coalesced=True)
    B = torch.randn(items, columns, 8, dtype=DOUBLE, requires_grad=True)

    def reference(values, B):
        dense = oracle.dense(indices, values, (items, rows, columns))
        return dense @ B

    poison(items, rows, 8)
    oracle.assert_same_derivatives(
        lambda values, B: tsgu.operator("spmm/batch")(pattern, values, B),
        reference,
        (values, B),
        order=2,
    )


@pytest.mark.parametrize("p", [1, 8, 40])
def test_threads_give_the_same_bits(p):
    """Their ranges begin anywhere in a block."""
    indices, shape = mesh(3, 3, lacking=200, nodes=4001)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    values = entries(indices).requires_grad_()
    B, G = (torch.randn(n, p, dtype=DOUBLE) for n in (shape[1], shape[0]))
    B.requires_grad_()

    def step():
        Y = tsgu.operator("spmm")(pattern, values, B)
        return Y.detach(), *torch.autograd.grad(Y, (values, B), G)

    results = on_threads(step)
    expected = product(indices, values, shape, B)
    gradients = torch.autograd.grad(expected, (values, B), G)
    for actual, wanted in zip(results, (expected.detach(), *gradients), strict=True):
        oracle.assert_close(actual, wanted)


def test_long_rows_of_blocks():
    """Rows that are cut, and those between them."""
    i, j = mesh(4, 4, nodes=400)[0]
    rows = torch.tensor([5, *range(8, 16)]).repeat_interleave(20_000)
    flat = torch.cat([i * 20_000 + j, rows * 20_000 + torch.arange(20_000).repeat(9)]).unique()
    indices = torch.stack([flat // 20_000, flat % 20_000])
    check_on_threads(indices, entries(indices), (1600, 20_000), columns=8)
