"""A pattern owns what it reads: no write to index tensors reaches another tensor, or crashes."""

import numpy as np
import pytest
import torch
from run_tools import run_script

import tsgu

SWAPPED = torch.tensor([1, 0])
B = torch.tensor([[1.0], [10.0]])


def shrink(x):
    x.untyped_storage().resize_(0)


def regrow(x):
    x.untyped_storage().resize_(0)
    x.untyped_storage().resize_(16)


# What the first caller may do to its index tensor of two elements.
WRITES = {
    "copy_": lambda x: x.copy_(SWAPPED),
    "out of range": lambda x: x.fill_(99),
    "resize_": lambda x: x.resize_(4096),
    "storage shrunk": shrink,
    "storage given anew": regrow,
    "set_": lambda x: x.set_(torch.tensor([7, 8, 9], dtype=x.dtype)),
    "data.copy_": lambda x: x.data.copy_(SWAPPED),
    "data out of range": lambda x: x.data.fill_(torch.iinfo(x.dtype).max),
    "numpy": lambda x: x.numpy().__setitem__(slice(None), [1, 0]),
}


def product_of_csr(x, v):
    return tsgu.sparse_mm(tsgu.csr(torch.tensor([0, 1, 2], dtype=x.dtype), x, v, (2, 2)), B)


def product_of_transposed(x, v):
    A = tsgu.csr(torch.tensor([0, 1, 2], dtype=x.dtype), x, v, (2, 2))
    return tsgu.operator("spmm")(tsgu.Pattern.of(A).transposed(), tsgu.values(A), B)


def product_of_coo(x, v):
    return tsgu.sparse_mm(tsgu.coo(x.expand(2, 2).contiguous(), v, (2, 2)), B)


def product_of_rows(x, v):
    """x is a row of the index tensor itself: writes to it are writes to the pattern's."""
    pattern = tsgu.Pattern.csr(torch.tensor([0, 1, 2], dtype=x.dtype), x, 2)
    return tsgu.operator("spmm")(pattern, v, B)


def product_of_batch(x, v):
    positions = torch.tensor([[0, 1, 2]], dtype=x.dtype)
    A = tsgu.csr(positions, x.view(1, 2), v.view(1, 2), (1, 2, 2))
    return tsgu.sparse_mm(A, B.unsqueeze(0))


PRODUCTS = [product_of_csr, product_of_transposed, product_of_rows, product_of_batch]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_a_write_reaches_no_other_tensor(dtype, product, write):
    x, y = torch.tensor([0, 1], dtype=dtype), torch.tensor([0, 1], dtype=dtype)
    w1, w2 = (torch.ones(2, requires_grad=True) for _ in range(2))
    product(x, w1)
    second = product(y, w2)
    WRITES[write](x)
    second.sum().backward()
    assert w2.grad.tolist() == [1, 10]
    assert product(y, torch.tensor([1.0, 2.0])).flatten().tolist() == [1, 20]


@pytest.mark.parametrize("write", ["copy_", "storage shrunk", "set_", "data.copy_"])
@pytest.mark.parametrize("order", [[0, 1], [1, 0], [0, 0]])
def test_a_write_reaches_no_other_coo_tensor(write, order):
    """Sorted, unsorted and uncoalesced ones."""
    wanted = torch.tensor([order, order])
    first, second = wanted.clone(), wanted.clone()
    v = torch.tensor([2.0, 3.0], requires_grad=True)
    tsgu.sparse_mm(tsgu.coo(first, v, (2, 2)), B)
    A = tsgu.coo(second, v, (2, 2))
    result = tsgu.sparse_mm(A, B)
    first_row = {"copy_": lambda x: x.copy_(1 - wanted), "data.copy_": lambda x: x.data.fill_(1)}
    first_row.get(write, WRITES[write])(first)
    (gradient,) = torch.autograd.grad(result.sum(), v)
    assert gradient.tolist() == B[order, 0].tolist()
    dense = torch.zeros(2, 2).index_put((wanted[0], wanted[1]), v.detach(), accumulate=True)
    assert torch.equal(tsgu.sparse_mm(tsgu.coo(second, v, (2, 2)), B), dense @ B)


def foreign(buffer, kind):
    if kind == "numpy":
        return torch.from_numpy(buffer)
    if kind == "dlpack":
        return torch.from_dlpack(buffer)
    return torch.frombuffer(buffer, dtype=torch.int64)


@pytest.mark.parametrize("kind", ["numpy", "dlpack", "buffer"])
@pytest.mark.parametrize("same_tensor", [False, True])
def test_memory_that_is_not_torchs_is_compared_at_each_use(kind, same_tensor):
    crow, buffer = torch.tensor([0, 1, 2]), np.array([0, 1])
    x = foreign(buffer, kind)

    def gradient():
        dense = B.clone().requires_grad_()
        A = tsgu.csr(crow, x if same_tensor else foreign(buffer, kind), v, (2, 2))
        tsgu.sparse_mm(A, dense).sum().backward()
        return dense.grad.flatten().tolist()

    v = torch.tensor([1.0, 2.0])
    assert gradient() == [1, 2]
    buffer[:] = [1, 0]
    assert gradient() == [2, 1]
    buffer[:] = [0, 99]
    with pytest.raises(tsgu.PatternError):
        gradient()
    buffer[:] = [0, 1]
    assert gradient() == [1, 2]


def test_a_pattern_found_in_foreign_memory_outlives_its_content():
    crow, buffer = torch.tensor([0, 1, 2]), np.array([0, 1])
    v, dense = torch.tensor([1.0, 2.0]), B.clone().requires_grad_()
    tsgu.sparse_mm(tsgu.csr(crow, torch.from_numpy(buffer), v, (2, 2)), dense)
    result = tsgu.sparse_mm(tsgu.csr(crow, torch.tensor([0, 1]), v, (2, 2)), dense)
    buffer[:] = 1 << 50
    assert torch.autograd.grad(result.sum(), dense)[0].flatten().tolist() == [1, 2]


def test_writes_in_inference_mode_are_noticed():
    with torch.inference_mode():
        crow, x, v = torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0])

        def product():
            return tsgu.sparse_mm(tsgu.csr(crow, x, v, (2, 2)), B).flatten().tolist()

        assert product() == [1, 20]
        x.copy_(SWAPPED)
        assert product() == [10, 2]
        x.fill_(5)
        with pytest.raises(tsgu.PatternError):
            product()
    # Tensors of before, written within it, are counted.
    x = torch.tensor([0, 1])
    pattern = tsgu.Pattern.csr(torch.tensor([0, 1, 2]), x, 2)
    with torch.inference_mode():
        tsgu.operator("spmm")(pattern, torch.ones(2), B)
        x.copy_(SWAPPED)
        assert tsgu.operator("spmm")(pattern, torch.ones(2), B).flatten().tolist() == [10, 1]


@pytest.mark.parametrize("preconditioner", [None, "jacobi", "ilu0", "amg"])
def test_solves_are_those_of_their_own_matrix(preconditioner):
    """Structure and factors that a solve keeps belong to the pattern, not to a caller's memory."""
    crow, x, y = torch.tensor([0, 2, 4]), torch.tensor([0, 1, 0, 1]), torch.tensor([0, 1, 0, 1])
    v, b = torch.tensor([4.0, 1.0, 1.0, 3.0], dtype=torch.float64), torch.ones(2).double()
    dense = torch.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=torch.float64)

    def solve(x):
        return tsgu.sparse_generic_solve(
            tsgu.csr(crow, x, v, (2, 2)), b, preconditioner=preconditioner
        )

    solve(x)
    wanted = torch.linalg.solve(dense, b)
    for write in ("data.copy_", "storage shrunk"):
        if write == "data.copy_":
            x.data.fill_(1 << 40)
        else:
            shrink(x)
        torch.testing.assert_close(solve(y), wanted)


@pytest.mark.parametrize("widths", [(torch.int32, torch.int64), (torch.int64, torch.int32)])
@pytest.mark.parametrize("transposed", [False, True])
def test_widths_may_differ(widths, transposed):
    positions = torch.tensor([0, 2, 3], dtype=widths[0])
    coordinates = torch.tensor([2, 0, 1], dtype=widths[1])  # not in order
    values, dense = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([[2.0, 0, 1], [0, 3, 0]])
    pattern = tsgu.Pattern.csr(positions, coordinates, 3)
    if transposed:
        pattern, dense = pattern.transposed(), dense.T
    right = torch.randn(dense.shape[1], 2)
    for _ in range(2):
        result = tsgu.operator("spmm")(pattern, values, right)
        torch.testing.assert_close(result, dense @ right)


def test_both_widths_share_one_pattern():
    def use(dtype):
        positions, coordinates = (
            torch.tensor([0, 2, 3, 9], dtype=dtype),
            torch.tensor([3, 11, 2, 0, 1, 2, 3, 4, 12], dtype=dtype),
        )
        tsgu.Pattern.csr(positions, coordinates, 13).validate()
        return positions, coordinates

    kept = [use(torch.int32)]
    misses = tsgu.show_config()["pattern cache misses"]
    kept.append(use(torch.int64))
    assert tsgu.show_config()["pattern cache misses"] == misses


def test_an_index_beyond_32_bits_is_not_taken_for_another():
    """Low halves agree; the high ones must be looked at."""
    crow = torch.tensor([0, 1, 2])
    tsgu.Pattern.csr(crow, torch.tensor([0, 1]), 2).validate()
    for wrong in ([1 << 32, 1], [0, (1 << 32) + 1], [-(1 << 32), 1]):
        with pytest.raises(tsgu.PatternError, match="out of range"):
            tsgu.Pattern.csr(crow, torch.tensor(wrong), 2).validate()
    with pytest.raises(tsgu.PatternError):
        tsgu.Pattern.csr(crow + (1 << 32), torch.tensor([0, 1]), 2).validate()


def test_shapes_too_wide_for_32_bits():
    wide = (1 << 31) + 5
    pattern = tsgu.Pattern.csr(torch.tensor([0, 1, 2]), torch.tensor([wide - 1, 0]), wide)
    right = torch.ones(1, 1).expand(wide, 1)
    result = tsgu.operator("spmm")(pattern, torch.tensor([3.0, 4.0]), right)
    assert result.flatten().tolist() == [3, 4]


def test_a_shrunk_storage_is_refused():
    for k in range(2):
        tensors = [torch.tensor([0, 1, 2]), torch.tensor([0, 1])]
        shrink(tensors[k])
        with pytest.raises(tsgu.PatternError, match="storage"):
            tsgu.Pattern.csr(*tensors, 2).validate()


CHECKED = """
import torch, tsgu
crow, x, v = torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0])
B = torch.tensor([[1.0], [10.0]])
pattern = tsgu.Pattern.csr(crow, x, 2)
product = lambda: tsgu.operator("spmm")(pattern, v, B).flatten().tolist()
assert product() == product() == [1, 20]
x.copy_(torch.tensor([1, 0]))  # counted
assert product() == [10, 2]
x.data.copy_(torch.tensor([0, 1]))
try:
    product()
except tsgu.PatternError as error:
    assert ".data" in str(error) and "copy_" in str(error), error
else:
    raise AssertionError("a write through .data was not found")
"""


def test_the_checking_mode_finds_writes_that_torch_does_not_count():
    run_script(CHECKED, TSGU_CHECK_PATTERNS="1")


def test_new_patterns_leave_nothing_behind():
    """20,000 patterns, each used once and forgotten."""
    program = """
import torch, tsgu
from tsgu._runtime import library
positions, B = torch.tensor([0, 2]), torch.ones(50_000, 1)
for k in range(20_000):
    tsgu.Pattern.csr(positions, torch.tensor([k, k + 1]), 50_000).validate()
process, cache = library.counters()
assert cache.built == 20_000, cache.built
assert cache.entries < 200, cache.entries
assert cache.contents < 400, cache.contents
"""
    run_script(program)
