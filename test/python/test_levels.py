"""Patterns of which most is empty, and tensors of three dimensions: levels are compressed there."""

import os

import pytest
import torch
from conftest import CHECKOUT
from test_long_rows import on_threads

import oracle
import tsgu
from tsgu._runtime import library

DOUBLE = torch.float64
ON_DEVICE = os.environ.get("TSGU_DEVICE") == "emulator"
SHAPE = ROWS, COLUMNS = 2100, 1300


def poison(*shape, dtype=DOUBLE):
    """What is allocated next is likely to lie where these NaN were."""
    for _ in range(4):
        torch.full(shape, torch.nan, dtype=dtype)


def hollow(filled_rows, filled_columns, dtype=DOUBLE, entries=400, long=0, shape=SHAPE):
    """(indices, values) with entries in so many rows and columns, the first row of them `long`."""
    height, width = shape
    generator = torch.Generator().manual_seed(7)
    rows = torch.randperm(height, generator=generator)[:filled_rows]
    columns = torch.randperm(width, generator=generator)[:filled_columns]
    row = rows[torch.randint(filled_rows, (entries,), generator=generator)]
    column = columns[torch.randint(filled_columns, (entries,), generator=generator)]
    cells = torch.cat([row * width + column, rows[:1] * width + columns[:long]]).unique()
    values = torch.randn(len(cells), dtype=dtype, generator=generator)
    return torch.stack([cells // width, cells % width]), values


def counted():
    """Kernels compiled or read from the disk."""
    process = library.counters()[0]
    return process.compiled + process.loaded


def product(indices, values, shape, B):
    """What spmm must give, entry by entry."""
    terms = values[:, None] * B[indices[1]]
    return torch.zeros(shape[0], B.shape[1], dtype=B.dtype).index_add(0, indices[0], terms)


EMPTIES = {"rows": (40, COLUMNS), "columns": (ROWS, 30), "both": (40, 30), "one": (1, 1)}


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.complex64])
@pytest.mark.parametrize("p", [1, 5, 32])
@pytest.mark.parametrize("empty", EMPTIES)
def test_products_and_their_gradients(empty, p, dtype):
    indices, values = hollow(*EMPTIES[empty], dtype)
    pattern = tsgu.Pattern.coo(indices, SHAPE, coalesced=True)
    values.requires_grad_()
    B = torch.randn(COLUMNS, p, dtype=dtype, requires_grad=True)
    spmm = tsgu.operator("spmm")
    poison(ROWS, p, dtype=dtype)
    oracle.assert_same_derivatives(
        lambda values, B: spmm(pattern, values, B),
        lambda values, B: product(indices, values, SHAPE, B),
        (values, B),
        order=2,
    )


@pytest.mark.parametrize("layout", ["csr", "coo", "csc"])
def test_sparse_tensors(layout):
    indices, values = hollow(40, 30)
    A = torch.sparse_coo_tensor(indices, values, SHAPE, is_coalesced=True)
    A = {"csr": A.to_sparse_csr, "csc": A.to_sparse_csc, "coo": lambda: A}[layout]()
    B = torch.randn(COLUMNS, 3, dtype=DOUBLE)
    expected = product(indices, values, SHAPE, B)
    oracle.assert_close(tsgu.sparse_mm(A, B), expected)
    G = torch.randn(ROWS, 3, dtype=DOUBLE)
    oracle.assert_close(tsgu.sparse_mm(A.t(), G), A.to_dense().T @ G)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    indices, values = hollow(40, COLUMNS, dtype=torch.float32)
    pattern = tsgu.Pattern.coo(indices, SHAPE, coalesced=True)
    B = torch.randn(COLUMNS, 8).to(dtype)
    values = values.to(dtype)
    poison(ROWS, 8, dtype=dtype)
    actual = tsgu.operator("spmm")(pattern, values, B)
    wide = product(indices, values.to(DOUBLE), SHAPE, B.to(DOUBLE))
    torch.testing.assert_close(actual.to(DOUBLE), wide.to(dtype).to(DOUBLE), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("empty", EMPTIES)
def test_softmax_and_log_sum_exp(empty):
    """Rows without entries are -inf in a log-sum-exp, and no part of a softmax."""
    indices, values = hollow(*EMPTIES[empty])
    shape = ROWS, COLUMNS
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    values.requires_grad_()
    softmax = tsgu.operator("softmax")
    oracle.assert_same_derivatives(
        lambda values: softmax(pattern, values),
        lambda values: oracle.softmax(indices, values, shape, 1),
        (values,),
        order=2,
    )
    Z = torch.full((ROWS,), -torch.inf, dtype=DOUBLE)
    poison(ROWS)
    actual = tsgu.operator("logsumexp")(pattern, values, Z)
    stored = oracle.dense(indices, torch.ones_like(values), shape) > 0
    dense = torch.where(stored, oracle.dense(indices, values, shape), -torch.inf)
    oracle.assert_close(actual, torch.logsumexp(dense, 1))


def check_on_threads(indices, values, shape, columns):
    """Products with so many columns, and their gradients, by one thread and by three."""
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    values.requires_grad_()
    B = torch.randn(shape[1], columns, dtype=DOUBLE, requires_grad=True)
    G = torch.randn(shape[0], columns, dtype=DOUBLE)

    def step():
        Y = tsgu.operator("spmm")(pattern, values, B)
        return Y.detach(), *torch.autograd.grad(Y, (values, B), G)

    results = on_threads(step)
    expected = product(indices, values, shape, B)
    gradients = torch.autograd.grad(expected, (values, B), G)
    for actual, wanted in zip(results, (expected.detach(), *gradients), strict=True):
        oracle.assert_close(actual, wanted, terms=1024)


def test_long_rows_have_the_same_bits_on_any_threads():
    shape = 3000, 40_000
    indices, values = hollow(300, shape[1], entries=2000, long=30_000, shape=shape)
    check_on_threads(indices, values, shape, columns=5)


def tensor(shape, count):
    """(indices, values) of a tensor of three dimensions, in order."""
    generator = torch.Generator().manual_seed(9)
    flat = torch.stack([torch.randint(n, (count,), generator=generator) for n in shape])
    indices = flat.unique(dim=1)
    return indices, torch.randn(indices.shape[1], dtype=DOUBLE, generator=generator)


# Dense levels suffice for the first; the others are compressed below one, or all through.
SHAPES = {
    "dense": ((6, 7, 8), 60),
    "fibers": ((70, 80, 90), 900),
    "hollow": ((1500, 70, 1200), 150),
    "empty": ((5, 6, 7), 0),
}


@pytest.fixture(scope="module")
def mttkrp():
    return tsgu.load_program(CHECKOUT / "examples" / "mttkrp.mlir")


@pytest.mark.parametrize("rank", [1, 4, 16])
@pytest.mark.parametrize("name", SHAPES)
def test_mttkrp_and_its_derivatives(mttkrp, name, rank):
    shape, count = SHAPES[name]
    indices, values = tensor(shape, count)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    inputs = [values, *(torch.randn(n, rank, dtype=DOUBLE) for n in shape[1:])]
    inputs = [x.requires_grad_() for x in inputs]

    def reference(values, B, C):
        terms = values[:, None] * B[indices[1]] * C[indices[2]]
        return torch.zeros(shape[0], rank, dtype=DOUBLE).index_add(0, indices[0], terms)

    if name == "dense":  # and the formula itself
        dense = oracle.dense(indices, values, shape)
        oracle.assert_close(reference(*inputs), torch.einsum("ijk,jr,kr->ir", dense, *inputs[1:]))
    poison(shape[0], rank)
    oracle.assert_same_derivatives(
        lambda *inputs: mttkrp(pattern, *inputs), reference, inputs, order=2
    )


def test_mttkrp_against_finite_differences(mttkrp):
    indices, values = tensor((70, 80, 90), 500)
    pattern = tsgu.Pattern.coo(indices, (70, 80, 90), coalesced=True)
    inputs = values[:], torch.randn(80, 2, dtype=DOUBLE), torch.randn(90, 2, dtype=DOUBLE)
    weight = torch.randn(70, 2, dtype=DOUBLE)
    for chosen in range(3):
        direction = torch.randn_like(inputs[chosen])

        def at(step, chosen=chosen, direction=direction):
            moved = list(inputs)
            moved[chosen] = inputs[chosen] + step * direction
            return (mttkrp(pattern, *moved) * weight).sum()

        leaf = inputs[chosen].clone().requires_grad_()
        operands = [leaf if k == chosen else x for k, x in enumerate(inputs)]
        (mttkrp(pattern, *operands) * weight).sum().backward()
        numeric = (at(1e-3) - at(-1e-3)) / 2e-3  # linear in each operand: exact but for rounding
        torch.testing.assert_close((leaf.grad * direction).sum(), numeric, rtol=1e-9, atol=1e-9)


SUMS = ["ijk,j,k->i", "ijk->ij", "ijk->kj", "ijk->k", "ijk->", "ijk,kr->ijr", "ijk,ir,jr->kr"]


@pytest.mark.parametrize("shape", [(6, 7, 8), (70, 80, 90)])
@pytest.mark.parametrize("spec", SUMS)
def test_sums_over_tensors(spec, shape):
    indices, values = tensor(shape, 300)
    A = torch.sparse_coo_tensor(indices, values, shape, is_coalesced=True)
    extents = dict(zip("ijkr", (*shape, 3), strict=True))
    _, *others = spec.split("->")[0].split(",")
    operands = [torch.randn([extents[d] for d in term], dtype=DOUBLE) for term in others]
    expected = torch.einsum(spec, A.to_dense(), *operands)
    poison(*expected.shape)
    oracle.assert_close(tsgu.einsum(spec, A, *operands), expected)


@pytest.mark.parametrize("spec", ["ij->i", "ij->j", "ij,j->i", "ij,i->j", "ij,ij->i", "ij->"])
@pytest.mark.parametrize("empty", EMPTIES)
def test_sums_over_hollow_matrices(spec, empty):
    indices, values = hollow(*EMPTIES[empty])
    A = torch.sparse_coo_tensor(indices, values, SHAPE, is_coalesced=True)
    extents = dict(zip("ij", SHAPE, strict=True))
    _, *others = spec.split("->")[0].split(",")
    operands = [torch.randn([extents[d] for d in term], dtype=DOUBLE) for term in others]
    expected = torch.einsum(spec, A.to_dense(), *operands)
    poison(*expected.shape)
    oracle.assert_close(tsgu.einsum(spec, A, *operands), expected)


def test_patterns_of_another_kind_have_kernels_of_their_own():
    """Two matrices of one shape; one is mostly empty, and products of both are compiled."""
    counts = []
    for filled in (40, ROWS):
        indices, values = hollow(filled, COLUMNS, entries=4000)
        pattern = tsgu.Pattern.coo(indices, SHAPE, coalesced=True)
        before = counted()
        tsgu.operator("spmm")(pattern, values, torch.randn(COLUMNS, 11, dtype=DOUBLE))
        counts.append(counted() - before)
    if ON_DEVICE:  # which fill a result by a kernel, compiled when it is first needed
        counts[0] = min(counts[0], 1)
    assert counts == [1, 1]


def test_unsorted_entries_of_a_tensor_are_summed(mttkrp):
    indices, values = tensor((70, 80, 90), 200)
    order = torch.randint(0, len(values), (500,))
    pattern = tsgu.Pattern.coo(indices[:, order], (70, 80, 90))
    given = torch.randn(500, dtype=DOUBLE, requires_grad=True)
    B, C = torch.randn(80, 3, dtype=DOUBLE), torch.randn(90, 3, dtype=DOUBLE)
    dense = oracle.dense(indices[:, order], given, (70, 80, 90))
    expected = torch.einsum("ijk,jr,kr->ir", dense, B, C)
    actual = mttkrp(pattern, given, B, C)
    oracle.assert_close(actual.detach(), expected.detach())
    weight = torch.randn_like(expected)
    left, right = (torch.autograd.grad(y, given, weight)[0] for y in (actual, expected))
    oracle.assert_close(left, right)


def test_threads_give_tensors_the_same_bits(mttkrp):
    shape = (400, 500, 600)
    indices, values = tensor(shape, 60_000)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    inputs = [values, *(torch.randn(n, 16, dtype=DOUBLE) for n in shape[1:])]
    inputs = [x.requires_grad_() for x in inputs]
    weight = torch.randn(shape[0], 16, dtype=DOUBLE)

    def step():
        y = mttkrp(pattern, *inputs)
        return y.detach(), *torch.autograd.grad(y, inputs, weight)

    on_threads(step)


# ===-- Batches whose items store one entry in a row and column at most ---------------===#


def paired_batch(dtype=DOUBLE):
    """(indices, values, shape): rows of all items are many more than entries."""
    items, n = 40, 200
    generator = torch.Generator().manual_seed(5)
    indices = []
    for item in range(items):
        rows = torch.randperm(n, generator=generator)[: item % 5].sort()[0]
        columns = torch.randperm(n, generator=generator)[: item % 5]
        indices.append(torch.stack([torch.full_like(rows, item), rows, columns]))
    indices = torch.cat(indices, 1)
    values = torch.randn(indices.shape[1], dtype=dtype, generator=generator)
    return indices, values, (items, n, n)


PAIRED = {
    "product": lambda A, B: tsgu.sparse_mm(A, B),
    "sampled": lambda A, B: tsgu.sddmm(A, B, B).values,
    "rows": lambda A, B: tsgu.sparse_sum(A, -1),
    "columns": lambda A, B: tsgu.sparse_sum(A, -2),
    "softmax": lambda A, B: tsgu.sparse_softmax(A, -1).values,
    "normaliser": lambda A, B: tsgu.sparse_logsumexp(A, -1),
    "largest": lambda A, B: tsgu.sparse_amax(A, -2),
    "entry by entry": lambda A, B: tsgu.einsum("bij,bip,bj->ip", A, B, B[..., 0]),
    "scaled": lambda A, B: tsgu.einsum("bij,bj->bij", A, B[..., 0]).values,
}
PAIRED_REFERENCES = {
    "product": lambda A, B, at: A @ B,
    "sampled": lambda A, B, at: (A * (B @ B.mT))[at],
    "rows": lambda A, B, at: A.sum(-1),
    "columns": lambda A, B, at: A.sum(-2),
    "softmax": lambda A, B, at: torch.ones_like(A[at]) + 0 * A[at],
    "normaliser": lambda A, B, at: torch.logsumexp(A, -1),
    "largest": lambda A, B, at: torch.amax(A, -2),
    "entry by entry": lambda A, B, at: torch.einsum("bij,bip,bj->ip", A, B, B[..., 0]),
    "scaled": lambda A, B, at: (A * B[..., 0].unsqueeze(-2))[at],
}


@pytest.mark.parametrize("name", PAIRED)
def test_paired_batches(name):
    indices, values, shape = paired_batch()
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    B = torch.randn(*shape[:-1], 3, dtype=DOUBLE, requires_grad=True)
    values.requires_grad_()
    at = tuple(indices)
    poison(*shape[:-1], 3)
    oracle.assert_same_derivatives(
        lambda values, B: PAIRED[name](tsgu.Matrix(pattern, values), B),
        lambda values, B: PAIRED_REFERENCES[name](oracle.dense(indices, values, shape), B, at),
        (values, B),
        order=1,
    )


def test_solves_of_paired_batches():
    """Solvers go by the rows of all items."""
    shape = items, n, _ = 30, 100, 100
    item, row = ((7 * torch.arange(items)[:, None] + torch.arange(1, n)) % 50 == 0).nonzero().T
    indices = torch.stack([item, row + 1, row])
    values = torch.rand(indices.shape[1], dtype=DOUBLE)
    L = tsgu.Matrix(tsgu.Pattern.coo(indices, shape, coalesced=True), values)
    B = torch.randn(items, n, 2, dtype=DOUBLE)
    found = tsgu.sparse_triangular_solve(L, B, upper=False, unitriangular=True)
    dense = oracle.dense(indices, values, shape) + torch.eye(n, dtype=DOUBLE)
    oracle.assert_close(found, torch.linalg.solve_triangular(dense, B, upper=False))
