"""Writes to index tensors: an error between forward and backward, seen by whatever comes later."""

import gc

import pytest
import torch
from test_writes import FUNCTIONS, KINDS, MODIFIED, functions

import matrices
import oracle
import tsgu
from tsgu._patterns import pattern_cache
from tsgu._runtime import writes

# ===-- Between forward and backward ------------------------------------------===#


def last_index(A):
    return A._indices() if A.layout is torch.sparse_coo else A.col_indices()


def softmax(A, B):
    return tsgu.values(tsgu.sparse_softmax(A, -1)) * 2


@pytest.mark.parametrize("name", [*FUNCTIONS, "softmax"])
@pytest.mark.parametrize("kind", ["csr32", "csr64", "coo", "batched csr64", "ragged coo"])
def test_of_a_leaf_of_torch(kind, name):
    """Only A needs a gradient, and its own index tensor is written to."""
    A = matrices.invertible(kind, 6).requires_grad_()
    function = softmax if name == "softmax" else functions(A.detach())[name]
    result = function(A, matrices.right_side(A.detach()))
    with torch.no_grad():
        last_index(A).zero_()
    with pytest.raises(RuntimeError, match=MODIFIED):
        result.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_as_it_was_serves(kind):
    """Values may be written to where no derivative reads them, and index tensors be restored."""
    A = matrices.invertible(kind, 6).requires_grad_()
    B = matrices.right_side(A.detach())
    result, expected = tsgu.sparse_mm(A, B), torch.ones_like(A.detach().to_dense() @ B) @ B.mT
    index = last_index(A.detach())
    before = index.clone()
    with torch.no_grad():
        (A._values() if A.layout is torch.sparse_coo else A.values()).mul_(3)
        tsgu.sparse_mm(A, B)
        index.zero_()
        index.copy_(before)
    (actual,) = torch.autograd.grad(result.sum(), A)
    expected = expected[tuple(oracle.indices_of(A.detach()))]
    oracle.assert_close(oracle.stored_values(actual), expected)


def test_an_index_tensor_that_is_no_pattern_any_more():
    A = matrices.csr(4, 4).requires_grad_()
    result = tsgu.sparse_mm(A, torch.ones(4, 2, dtype=torch.float64))
    with torch.no_grad():
        A.col_indices().fill_(9)
    with pytest.raises(RuntimeError, match=MODIFIED):
        result.sum().backward()


# ===-- After a tensor was made ------------------------------------------------===#

ROWS, BEFORE, AFTER = (0, 0, 1, 2), (0, 1, 1, 2), (0, 2, 1, 2)
MADE = ["csr32", "csr64", "coo", "batched csr64", "ragged coo"]


def made(kind, values):
    """A triangular matrix, or two of them, and the tensor through which its columns are written."""
    batched = "batched" in kind or "ragged" in kind
    lead, shape = ((2,), (2, 3, 3)) if batched else ((), (3, 3))
    columns = torch.tensor(BEFORE).expand(*lead, 4).contiguous()
    if "csr" in kind:
        index = torch.int32 if "32" in kind else torch.int64
        positions, columns = torch.tensor([0, 2, 3, 4]).to(index), columns.to(index)
        positions = positions.expand(*lead, 4).contiguous()
        # Views, which live no longer than the call.
        return tsgu.csr(positions[:], columns[:], values.view(*lead, 4), shape), columns
    rows = torch.tensor(ROWS).expand(*lead, 4)
    items = [torch.arange(2).repeat_interleave(4)] if batched else []
    indices = torch.stack([*items, rows.flatten(), columns.flatten()])
    return tsgu.coo(indices[:], values, shape), indices[-1]


def write(columns):
    columns.view(-1, 4).copy_(torch.tensor(AFTER))


def dense_of(kind, values):
    count = values.numel() // 4
    matrix = torch.zeros(count, 3, 3, dtype=values.dtype)
    items = torch.arange(count).repeat_interleave(4)
    index = items, torch.tensor(ROWS * count), torch.tensor(AFTER * count)
    matrix = matrix.index_put(index, values)
    return matrix if count > 1 else matrix[0]


def operands(kind):
    count = 1 if kind in ("csr32", "csr64", "coo") else 2
    values = torch.tensor([2.0, 0.5, 3.0, 4.0] * count, dtype=torch.float64).requires_grad_()
    B = torch.randn(*([2] if count > 1 else []), 3, 2, dtype=torch.float64, requires_grad=True)
    return values, B


def dense_softmax(A, B):
    return torch.where(A != 0, A, -torch.inf).softmax(-1) @ B


LATER = {
    "sparse_mm": (tsgu.sparse_mm, torch.matmul),
    "softmax": (lambda A, B: tsgu.sparse_mm(tsgu.sparse_softmax(A, -1), B), dense_softmax),
    "triangular": (tsgu.sparse_triangular_solve, torch.linalg.solve),
    "generic": (lambda A, B: tsgu.sparse_generic_solve(A, B, rtol=1e-13), torch.linalg.solve),
    "callable": (
        lambda A, B: tsgu.sparse_generic_solve(
            A, B, lambda A, B: torch.linalg.solve(A.to_dense(), B)
        ),
        torch.linalg.solve,
    ),
    "least squares": (
        lambda A, B: tsgu.sparse_generic_lstsq(A, B, rtol=1e-13),
        torch.linalg.solve,
    ),
    "utils": (lambda A, B: tsgu.utils.gmres(A, B, rtol=1e-13), torch.linalg.solve),
}


@pytest.mark.parametrize("name", LATER)
@pytest.mark.parametrize("kind", MADE)
def test_uses_of_a_tensor_see_writes_to_what_it_was_made_of(kind, name):
    ours, dense = LATER[name]
    values, B = operands(kind)
    A, columns = made(kind, values)
    earlier = ours(A, B)
    write(columns)
    expected = dense(dense_of(kind, values), B)
    result = ours(A, B)
    oracle.assert_close(result, expected, 1024)
    weight = torch.randn_like(expected)
    actual = torch.autograd.grad((result * weight).sum(), (values, B))
    for one, other in zip(
        actual, torch.autograd.grad((expected * weight).sum(), (values, B)), strict=True
    ):
        oracle.assert_close(one, other, 4096)
    with pytest.raises(RuntimeError, match=MODIFIED):
        earlier.sum().backward()


@pytest.mark.parametrize("derived", ["detached", "transposed", "softmax", "gradient"])
@pytest.mark.parametrize("kind", MADE)
def test_so_do_those_of_tensors_that_share_it(kind, derived):
    values, B = operands(kind)
    A, columns = made(kind, values)
    if derived == "transposed" and kind in ("coo", "batched csr64", "ragged coo"):
        A, turned = A.detach(), False  # torch copies the indices of what it turns
    else:
        turned = derived == "transposed"
    if derived == "softmax":
        A = tsgu.sparse_softmax(A, -1)
    elif derived == "gradient":
        (A,) = torch.autograd.grad(tsgu.values(A).square().sum(), A)
    elif derived == "detached":
        A = A.detach()
    elif turned:
        A = A.mT
    tsgu.sparse_mm(A, B)
    write(columns)
    stored = oracle.stored_values(A)
    expected = dense_of(kind, stored)
    oracle.assert_close(tsgu.sparse_mm(A, B), (expected.mT if turned else expected) @ B)
    if derived != "gradient" and not turned:
        oracle.assert_close(expected, A.detach().to_dense())  # torch sees them, too


@pytest.mark.parametrize("kind", MADE)
def test_a_corrupt_write_is_found_at_the_next_use(kind):
    values, B = operands(kind)
    A, columns = made(kind, values)
    tsgu.sparse_mm(A, B)
    columns.fill_(7)
    with pytest.raises(tsgu.PatternError, match="7"):
        tsgu.sparse_mm(A, B)


def test_inference_tensors_are_compared():
    with torch.inference_mode():
        columns = torch.tensor(BEFORE)
    values, B = operands("csr64")
    A = tsgu.csr(torch.tensor([0, 2, 3, 4]), columns, values.detach(), (3, 3))
    tsgu.sparse_mm(A, B)
    with torch.inference_mode():
        write(columns)
    oracle.assert_close(tsgu.sparse_mm(A, B), dense_of("csr64", values) @ B)


def _settle():
    gc.collect()  # what other tests left in cycles, which the cache then holds alone
    pattern_cache.drop_unused()
    gc.collect()


@pytest.mark.parametrize("kind", MADE)
def test_what_was_made_leaves_nothing_behind(kind):
    _settle()
    before = len(writes.counting), len(writes._kept)
    values, B = operands(kind)
    for _ in range(3):
        A, columns = made(kind, values)
        tsgu.sparse_mm(A, B).sum().backward()
    assert len(writes.counting) > before[0]
    del A, columns, values, B
    _settle()
    # What other tests had left may have gone meanwhile.
    assert len(writes.counting) <= before[0] and len(writes._kept) <= before[1]


def test_a_tensor_made_of_written_tensors_is_not_compared_again():
    """Index tensors that were filled in place: each use of what is made of them is a hit."""
    positions = torch.zeros(4, dtype=torch.int64)
    positions[1:] = torch.tensor([2, 3, 4])
    columns = torch.tensor(BEFORE)
    values, B = operands("csr64")
    hits = tsgu.show_config()["pattern cache hits"]
    for _ in range(5):
        tsgu.sparse_mm(tsgu.csr(positions, columns, values, (3, 3)), B).sum().backward()
    gained = tsgu.show_config()["pattern cache hits"] - hits
    assert gained == 5 * 3 - 1  # both cotangents at once


def test_a_derivative_that_is_taken_after_its_transform():
    """Its tensors are wrapped still, and what counts writes is asked for their memory."""
    A = tsgu.csr([0, 2, 3], [0, 1, 1], torch.rand(3, requires_grad=True), (2, 2))
    values = torch.rand(3, dtype=torch.float64)

    def softmax(values):
        A = tsgu.csr([0, 2, 3], [0, 1, 1], values, (2, 2))
        return tsgu.values(tsgu.sparse_softmax(A, -1))

    result, pull = torch.func.vjp(softmax, values)
    cotangent = torch.arange(3.0).double()
    (actual,) = pull(cotangent)
    first, second = torch.softmax(values[:2], 0), values.new_ones(1)
    expected = torch.cat([first, second]) * cotangent
    expected[:2] -= first * expected[:2].sum()
    expected[2] = 0
    torch.testing.assert_close(actual, expected)
    assert A._nnz() == 3  # alive until here
