"""Rows that have much of a matrix are computed in chunks, alike for every number of threads."""

import pytest
import torch
from torch.testing import assert_close

import tsgu

DOUBLE = torch.float64
ROWS, COLUMNS, LONG = 300, 24_000, 20_000


def matrix(dtype=DOUBLE, rows=(7, 150, 299)):
    """(positions, coordinates, values): a few short rows, and those of 20,000 entries."""
    generator = torch.Generator().manual_seed(3)
    counts = torch.randint(0, 4, (ROWS,), generator=generator)
    counts[list(rows)] = LONG
    pieces = [
        torch.randperm(COLUMNS, generator=generator)[:count].sort()[0] for count in counts.tolist()
    ]
    positions = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])
    values = torch.randn(int(positions[-1]), dtype=DOUBLE, generator=generator)
    return positions, torch.cat(pieces), values.to(dtype)


def on_threads(function):
    """The results for one thread and for three, which must be the same bits."""
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(function())
    finally:
        torch.set_num_threads(before)
    for one, three in zip(*results, strict=True):
        assert torch.equal(one, three)
    return results[0]


def by_rows(positions, terms):
    """Sums of each row's terms, (entries, p), in float64."""
    rows = torch.arange(ROWS).repeat_interleave(positions.diff())
    return torch.zeros(ROWS, terms.shape[1], dtype=terms.dtype).index_add(0, rows, terms)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.complex64, torch.complex128])
@pytest.mark.parametrize("p", [1, 5, 32])
def test_products_and_their_gradients(dtype, p):
    positions, coordinates, values = matrix(dtype)
    A = tsgu.csr(positions, coordinates, values.requires_grad_(), (ROWS, COLUMNS))
    B = torch.randn(COLUMNS, p, dtype=dtype, requires_grad=True)
    G = torch.randn(ROWS, p, dtype=dtype)

    def step():
        Y = tsgu.sparse_mm(A, B)
        return Y.detach(), *torch.autograd.grad(Y, (values, B), G)

    Y, of_values, of_B = on_threads(step)
    wide = torch.complex128 if dtype.is_complex else DOUBLE
    exact = values.detach().to(wide)[:, None] * B.detach().to(wide)[coordinates]
    # Partial sums of random terms grow as the root of their number, and so does what is lost.
    # The sums in float64 that these are compared with have one chunk.
    tolerance = 4 * (torch.finfo(dtype).eps * 8192 + torch.finfo(DOUBLE).eps * LONG)
    assert_close(Y.to(wide), by_rows(positions, exact), rtol=0, atol=tolerance)
    rows = torch.arange(ROWS).repeat_interleave(positions.diff())
    sampled = (G.to(wide)[rows] * B.detach().to(wide)[coordinates].conj()).sum(1)
    assert_close(of_values.to(wide), sampled, rtol=0, atol=tolerance)
    spread = values.detach().to(wide).conj()[:, None] * G.to(wide)[rows]
    expected = torch.zeros(COLUMNS, p, dtype=wide).index_add(0, coordinates, spread)
    assert_close(of_B.to(wide), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dim", [0, 1])
def test_softmax_and_logsumexp(dim):
    positions, coordinates, values = matrix()
    shape = (ROWS, COLUMNS) if dim == 1 else (COLUMNS, ROWS)
    rows = torch.arange(ROWS).repeat_interleave(positions.diff())
    index = torch.stack([rows, coordinates] if dim == 1 else [coordinates, rows])
    order = (index[0] * shape[1] + index[1]).argsort()  # that of the softmax's values
    values.requires_grad_()
    A = tsgu.coo(index, values, shape)
    weights = torch.randn(len(values), dtype=DOUBLE)

    def step():
        soft = tsgu.values(tsgu.sparse_softmax(A, dim))
        total = tsgu.sparse_logsumexp(A, dim, include_zeros=False)
        (gradient,) = torch.autograd.grad(
            (soft * weights[order]).sum() + total.nan_to_num().sum(), values
        )
        return soft.detach(), total.detach(), gradient

    soft, total, gradient = on_threads(step)
    reference = values.detach().clone().requires_grad_()
    exps = reference.exp()
    sums = by_rows(positions, exps[:, None])[:, 0]
    expected = exps / sums[rows]
    kept = sums > 0
    (exact,) = torch.autograd.grad((expected * weights).sum() + sums[kept].log().sum(), reference)
    assert_close(soft, expected.detach()[order], rtol=1e-10, atol=1e-14)
    assert_close(total, sums.detach().log(), rtol=1e-10, atol=1e-12)
    assert_close(gradient, exact, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("p", [1, 8])
def test_special_numbers_come_through(p):
    positions, coordinates, values = matrix()
    values[positions[150] + 18_000] = torch.nan
    values[positions[7] + 9_000] = torch.inf
    A = tsgu.csr(positions, coordinates, values, (ROWS, COLUMNS))
    Y = tsgu.sparse_mm(A, torch.ones(COLUMNS, p, dtype=DOUBLE))
    assert bool(Y[150].isnan().all()) and bool((Y[7] == torch.inf).all())
    assert bool(Y[[0, 149, 151, 299]].isfinite().all())


def test_a_long_row_at_each_end_and_nothing_else():
    for rows in ((0,), (ROWS - 1,), (0, 1, 2), tuple(range(0, ROWS, 100))):
        positions, coordinates, values = matrix(rows=rows)
        A = tsgu.csr(positions, coordinates, values, (ROWS, COLUMNS))
        (Y,) = on_threads(lambda A=A: (tsgu.sparse_mm(A, torch.ones(COLUMNS, 3, dtype=DOUBLE)),))
        exact = by_rows(positions, values[:, None].expand(-1, 3))
        assert_close(Y, exact, rtol=0, atol=1e-10)


def test_a_batch_of_values_on_one_pattern():
    positions, coordinates, values = matrix()
    pattern = tsgu.Pattern.csr(positions, coordinates, COLUMNS)
    spmm = tsgu.operator("spmm")
    B = torch.randn(COLUMNS, 4, dtype=DOUBLE)
    both = torch.stack([values, -2 * values])
    (Y,) = on_threads(lambda: (spmm(pattern, both, B),))
    assert torch.equal(Y[0], spmm(pattern, values, B))
    assert_close(Y[1], -2 * Y[0], rtol=0, atol=0)
