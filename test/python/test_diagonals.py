"""Patterns along diagonals: rows of a block are the lanes of vectors, with the bits of CSR."""

import itertools

import numpy as np
import pytest
import scipy.sparse
import torch
from test_blocks import assert_same
from test_levels import ON_DEVICE, counted, poison, product
from test_long_rows import on_threads

import oracle
import tsgu

DOUBLE = torch.float64
PRECISIONS = [torch.float32, DOUBLE]
STEPS = (-1, 0, 1)
BOX = [move for move in itertools.product(STEPS, repeat=3)]
# Grids whose lines are no multiples of eight rows, bands of every length of rows up to 26, and
# rectangles: 5, 7 and 27 entries in a row, lines of 50, 45, 33 rows.
GRIDS = {
    "5 points": (
        (40, 50),
        [(0, 0), *[m for m in itertools.product(STEPS, repeat=2) if sum(map(abs, m)) == 1]],
    ),
    "7 points": ((6, 7, 45), [m for m in BOX if sum(map(abs, m)) <= 1]),
    "27 points": ((4, 5, 33), BOX),
}


def grid(shape, moves):
    """Indices and shape of a grid's matrix, with neighbours that are that far away."""
    sites = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))
    rows, columns = [], []
    for move in moves:
        inside = ((sites + move >= 0) & (sites + move < shape)).all(1)
        rows.append(np.flatnonzero(inside))
        columns.append(np.ravel_multi_index((sites + move)[inside].T, shape))
    return in_order(rows, columns, (len(sites), len(sites)))


def band(count, rows=1203, columns=1300):
    """Indices and shape of a matrix with that many diagonals, some of them side by side."""
    at = np.sort(np.random.default_rng(count).choice(np.arange(0, 97), count, replace=False))
    row = np.arange(rows)
    return in_order([row] * count, [row + first for first in at], (rows, columns))


def in_order(rows, columns, shape):
    flat = np.unique(np.concatenate(rows) * shape[1] + np.concatenate(columns))
    return torch.from_numpy(np.stack([flat // shape[1], flat % shape[1]])), shape


def without(indices, count, seed=3):
    """Some entries less: blocks that have lost one are gone through row by row."""
    left = torch.randperm(indices.shape[1], generator=torch.Generator().manual_seed(seed))
    return indices[:, left[count:].sort().values]


def values_of(indices, dtype=DOUBLE):
    return torch.randn(indices.shape[1], dtype=dtype, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("lacking", [0, 20])
@pytest.mark.parametrize("name", GRIDS)
def test_products_and_their_gradients(name, lacking, dtype):
    indices, shape = grid(*GRIDS[name])
    indices = without(indices, lacking)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    values = values_of(indices, dtype).requires_grad_()
    x = torch.randn(shape[1], 1, dtype=dtype, requires_grad=True)
    spmm = tsgu.operator("spmm")
    poison(shape[0], 1, dtype=dtype)
    oracle.assert_same_derivatives(
        lambda values, x: spmm(pattern, values, x),
        lambda values, x: product(indices, values, shape, x),
        (values, x),
        order=2,
    )


def scattered(shape):
    """As many entries again in rows of their own, where no diagonals are."""
    generator = torch.Generator().manual_seed(11)
    flat = torch.randint(900 * shape[1], (60_000,), generator=generator).unique()
    return torch.stack([flat // shape[1], flat % shape[1]])


def assert_bits_of_single_rows(indices, shape, dtype):
    """With scattered rows below it, a matrix is no longer made of diagonals."""
    x, values = torch.randn(shape[1], 1, dtype=dtype), values_of(indices, dtype)
    spmm = tsgu.operator("spmm")
    more = scattered(shape)
    tall = torch.cat([indices, more + torch.tensor([[shape[0]], [0]])], 1)
    height = (shape[0] + 900, shape[1])
    for x_of_call in (x, x.repeat(1, 3)[:, 1:2]):
        poison(shape[0], 1, dtype=dtype)
        actual = spmm(tsgu.Pattern.coo(indices, shape, coalesced=True), values, x_of_call)
        single = spmm(
            tsgu.Pattern.coo(tall, height, coalesced=True),
            torch.cat([values, values_of(more, dtype)]),
            x,
        )
        assert_same(actual, single[: shape[0]])
    csr = scipy.sparse.coo_array((values.double(), tuple(indices)), shape).tocsr()
    oracle.assert_close(actual, torch.from_numpy(csr @ x.double().numpy()).to(dtype))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("count", range(4, 27))
def test_rows_of_any_length_have_the_bits_of_single_rows(count, dtype):
    assert_bits_of_single_rows(*band(count), dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("lacking", [0, 1, 40])
@pytest.mark.parametrize("name", GRIDS)
def test_grids_have_the_bits_of_single_rows(name, lacking, dtype):
    indices, shape = grid(*GRIDS[name])
    assert_bits_of_single_rows(without(indices, lacking), shape, dtype)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("count", range(4, 27))
def test_sampled_products_of_rows_of_any_length(count, dtype):
    indices, shape = band(count)
    indices = without(indices, 20)
    values, x = values_of(indices, dtype).requires_grad_(), torch.randn(shape[1], 1, dtype=dtype)
    y = tsgu.operator("spmm")(tsgu.Pattern.coo(indices, shape, coalesced=True), values, x)
    g = torch.randn(shape[0], 1, dtype=dtype)
    poison(indices.shape[1], dtype=dtype)
    (actual,) = torch.autograd.grad(y, values, g)
    assert torch.equal(actual, g[indices[0], 0] * x[indices[1], 0])


@pytest.mark.parametrize("rows", [1201, 1207, 1208])
def test_rows_that_fill_no_block_and_empty_ones(rows):
    indices, shape = band(6, rows)
    gone = (indices[0] < 3) | ((indices[0] > 500) & (indices[0] < 530)) | (indices[0] == rows - 1)
    indices = indices[:, ~gone]
    values, x = values_of(indices), torch.randn(shape[1], 1, dtype=DOUBLE)
    poison(rows, 1)
    actual = tsgu.operator("spmm")(tsgu.Pattern.coo(indices, shape, coalesced=True), values, x)
    oracle.assert_close(actual, product(indices, values, shape, x))
    assert (actual[:3] == 0).all() and (actual[501:530] == 0).all()


def test_what_no_entry_touches_stays_away():
    """NaN and infinity in x reach the rows that have an entry there."""
    indices, shape = grid(*GRIDS["5 points"])
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    for bad in range(0, shape[1], 37):
        x = torch.ones(shape[1], 1, dtype=DOUBLE)
        x[bad] = torch.nan if bad % 2 else torch.inf
        touched = torch.zeros(shape[0], dtype=torch.bool)
        touched[indices[0][indices[1] == bad]] = True
        y = tsgu.operator("spmm")(pattern, torch.ones(indices.shape[1], dtype=DOUBLE), x)
        assert torch.equal(y.isfinite().all(1), ~touched)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_threads_give_the_same_bits(dtype):
    """Their ranges begin anywhere in a block."""
    indices, shape = grid((203, 97), GRIDS["5 points"][1])
    pattern = tsgu.Pattern.coo(without(indices, 300), shape, coalesced=True)
    values = values_of(without(indices, 300), dtype).requires_grad_()
    x = torch.randn(shape[1], 1, dtype=dtype, requires_grad=True)
    g = torch.randn(shape[0], 1, dtype=dtype)

    def step():
        y = tsgu.operator("spmm")(pattern, values, x)
        return y.detach(), *torch.autograd.grad(y, (values, x), g)

    results = on_threads(step)
    expected = product(without(indices, 300), values, shape, x)
    gradients = torch.autograd.grad(expected, (values, x), g)
    for actual, wanted in zip(results, (expected.detach(), *gradients), strict=True):
        oracle.assert_close(actual, wanted)


def test_batches():
    """Of matrices, whose rows are 1,003 each, and of values on one pattern."""
    items, (one, shape) = 3, band(5, 1003)
    indices = torch.cat(
        [torch.cat([torch.full((1, one.shape[1]), i), one]) for i in range(items)], 1
    )
    values = values_of(indices).requires_grad_()
    x = torch.randn(items, shape[1], 1, dtype=DOUBLE, requires_grad=True)
    pattern = tsgu.Pattern.coo(indices, (items, *shape), coalesced=True)

    def reference(values, x):
        return oracle.dense(indices, values, (items, *shape)) @ x

    poison(items, shape[0], 1)
    oracle.assert_same_derivatives(
        lambda values, x: tsgu.operator("spmm/batch")(pattern, values, x), reference, (values, x)
    )
    single = tsgu.Pattern.coo(one, shape, coalesced=True)
    own = values.detach().reshape(items, -1)
    actual = torch.func.vmap(lambda v, b: tsgu.operator("spmm")(single, v, b))(own, x.detach())
    oracle.assert_close(actual, reference(own.ravel(), x.detach()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    indices, shape = grid(*GRIDS["27 points"])
    values, x = values_of(indices).to(dtype), torch.randn(shape[1], 1).to(dtype)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    actual = tsgu.operator("spmm")(pattern, values, x)
    wide = product(indices, values.to(DOUBLE), shape, x.to(DOUBLE))
    torch.testing.assert_close(actual.to(DOUBLE), wide.to(dtype).to(DOUBLE), rtol=0.02, atol=0.02)


def test_complex_products_go_row_by_row():
    indices, shape = grid(*GRIDS["7 points"])
    values = values_of(indices, torch.complex64)
    x = torch.randn(shape[1], 1, dtype=torch.complex64)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    actual = tsgu.operator("spmm")(pattern, values, x)
    oracle.assert_close(actual, product(indices, values, shape, x))


def test_indices_of_64_bits():
    """A matrix too wide for less, at whose far end are the diagonals; the rest of x is absent."""
    rows, columns = 1203, 2**31 + 4096
    row, first = np.arange(rows), 2**31 + np.array([-5, 0, 1, 2, 700])
    indices, shape = in_order([row] * len(first), [row + at for at in first], (rows, columns))
    values = values_of(indices, torch.float16)
    x = torch.from_numpy(np.zeros((columns, 1), np.float16))
    start = columns - 8000
    x[start:] = torch.randn(8000, 1)
    actual = tsgu.operator("spmm")(tsgu.Pattern.coo(indices, shape, coalesced=True), values, x)
    near = indices - torch.tensor([[0], [start]])
    wide = product(near, values.to(DOUBLE), (rows, 8000), x[start:].to(DOUBLE))
    torch.testing.assert_close(actual.to(DOUBLE), wide.half().to(DOUBLE), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("layout", ["csr", "coo", "csc"])
def test_sparse_tensors(layout):
    indices, shape = grid(*GRIDS["5 points"])
    A = torch.sparse_coo_tensor(indices, values_of(indices), shape, is_coalesced=True)
    convert = {"csr": A.to_sparse_csr, "csc": A.to_sparse_csc, "coo": lambda: A}
    x = torch.randn(shape[1], dtype=DOUBLE)
    oracle.assert_close(tsgu.sparse_mv(convert[layout](), x), A.to_dense() @ x)


def test_diagonals_have_kernels_of_their_own():
    """Once for all of them; devices have none. No other test has products of 53 columns."""
    counts = []
    for indices, shape in (grid(*GRIDS["5 points"]), band(9), (scattered((1, 700)), (900, 700))):
        pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
        before = counted()
        tsgu.operator("spmm")(pattern, values_of(indices), torch.randn(shape[1], 53, dtype=DOUBLE))
        counts.append(counted() - before)
    assert counts[1] == 0 and counts[2] == (0 if ON_DEVICE else 1)
