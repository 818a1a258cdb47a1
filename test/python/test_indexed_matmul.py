"""Products of rows by the matrices that they are assigned to, against loops of dense products."""

import hypothesis
import hypothesis.strategies as st
import pytest
import torch

import tsgu
from tsgu import gather_mm, indexed_matmul, segment_mm

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
DTYPES += [torch.complex64, torch.complex128, torch.int32, torch.int64]
LENGTHS = [[3], [2, 2, 2], [0, 5, 1, 0, 3], [1] * 7, [0, 0], [], [40, 1, 0, 2, 17]]


def operands(lengths, d1=3, d2=4, dtype=torch.float64):
    a, b = torch.randn(sum(lengths), d1) * 4, torch.randn(len(lengths), d1, d2) * 4
    if dtype.is_complex:
        a, b = torch.complex(a, a.flip(0)), torch.complex(b, b.flip(0))
    return a.to(dtype), b.to(dtype)


def by_segments(a, b, lengths):
    result = torch.zeros(len(a), b.shape[2], dtype=a.dtype)
    start = 0
    for matrix, length in zip(b, lengths, strict=True):
        for n in range(start, start + length):
            result[n] = (a[n, :, None] * matrix).sum(0)
        start += length
    return result


def by_rows(a, b, index):
    rows = [(row[:, None] * b[k]).sum(0) for row, k in zip(a, index.tolist(), strict=True)]
    return torch.stack(rows) if rows else a.new_zeros(0, b.shape[2])


@pytest.fixture(params=[False, True], ids=["small", "large"])
def threshold(request, monkeypatch):
    """Segments of more than one row count as large ones."""
    if request.param:
        monkeypatch.setattr(indexed_matmul, "_LARGE", 13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_products(lengths, dtype, threshold):
    a, b = operands(lengths, dtype=dtype)
    expected = by_segments(a, b, lengths)
    close = {} if dtype.itemsize > 2 else {"rtol": 2e-2, "atol": 0.3}
    for index_dtype in (torch.int32, torch.int64):
        actual = segment_mm(a, b, torch.tensor(lengths, dtype=index_dtype))
        torch.testing.assert_close(actual, expected, **close)
        order = torch.randperm(len(a))
        index = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths).long())[order]
        actual = gather_mm(a[order], b, index.to(index_dtype))
        torch.testing.assert_close(actual, expected[order], **close)


@pytest.mark.parametrize("lengths", [[0, 5, 1, 0, 3], [2, 2]])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_derivatives(lengths, dtype, threshold):
    a, b = operands(lengths, dtype=dtype)
    index = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths)).flip(0)
    leaves = a.requires_grad_(), b.requires_grad_()
    for function, assigned in ((segment_mm, torch.tensor(lengths)), (gather_mm, index)):

        def call(a, b, function=function, assigned=assigned):
            return function(a, b, assigned)

        assert torch.autograd.gradcheck(call, leaves, check_forward_ad=True)
        assert torch.autograd.gradgradcheck(call, leaves)


def test_transforms():
    lengths = torch.tensor([0, 4, 1])
    a, b = operands(lengths.tolist())
    many = torch.randn(5, *a.shape, dtype=a.dtype)
    actual = torch.vmap(lambda a: segment_mm(a, b, lengths))(many)
    expected = torch.stack([by_segments(each, b, lengths) for each in many])
    torch.testing.assert_close(actual, expected)
    actual = torch.func.jacrev(lambda b: segment_mm(a, b, lengths))(b)
    expected = torch.func.jacfwd(lambda b: segment_mm(a, b, lengths))(b)
    torch.testing.assert_close(actual, expected)


def test_what_is_beyond_a_segment_reaches_nobody(threshold):
    """Neither result nor gradients: not a number in one row or matrix stays there."""
    lengths = [1, 3, 2, 7]
    a, b = operands(lengths)
    a[1], b[3] = torch.nan, torch.inf
    a.requires_grad_(), b.requires_grad_()
    result = segment_mm(a, b, torch.tensor(lengths))
    expected = by_segments(a, b, lengths)
    torch.testing.assert_close(result, expected, equal_nan=True)
    cotangent = torch.ones_like(result)
    actual = torch.autograd.grad(result, (a, b), cotangent)
    expected = torch.autograd.grad(expected, (a, b), cotangent)
    torch.testing.assert_close(actual, expected, equal_nan=True)
    assert actual[1][[0, 2, 3]].isfinite().all() and actual[0][:6].isfinite().all()


@hypothesis.given(
    st.lists(st.integers(0, 9), max_size=12), st.integers(0, 3), st.integers(0, 3), st.booleans()
)
def test_any_lengths(lengths, d1, d2, large):
    before, indexed_matmul._LARGE = indexed_matmul._LARGE, 20 if large else 1 << 21
    try:
        a, b = operands(lengths, d1, d2)
        a.requires_grad_(), b.requires_grad_()
        result = segment_mm(a, b, torch.tensor(lengths, dtype=torch.int64))
    finally:
        indexed_matmul._LARGE = before
    expected = by_segments(a, b, lengths)
    torch.testing.assert_close(result, expected)
    assert result.requires_grad
    actual = torch.autograd.grad(result.sum(), (a, b), materialize_grads=True)
    expected = torch.autograd.grad(expected.sum() + 0 * (a.sum() + b.sum()), (a, b))
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_bits(threads):
    lengths = torch.randint(0, 40, (60,))
    a, b = operands(lengths.tolist(), 33, 17)
    first = segment_mm(a, b, lengths)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert torch.equal(segment_mm(a, b, lengths), first)
    finally:
        torch.set_num_threads(before)


# ===-- Refusals ------------------------------------------------------------------===#

A, B = torch.rand(4, 3), torch.rand(2, 3, 5)
TWO, FOUR = torch.tensor([1, 3]), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize(
    "function, arguments, error, text",
    [
        (segment_mm, (A[0], B, TWO), ValueError, "Input tensors have unexpected dimensions"),
        (segment_mm, (A, B[0], TWO), ValueError, "Input tensors have unexpected dimensions"),
        (gather_mm, (A, B, FOUR[None]), ValueError, "Input tensors have unexpected dimensions"),
        (segment_mm, (A[:, :2], B, TWO), ValueError, "Incompatible size for inputs"),
        (segment_mm, (A, B, FOUR), ValueError, "Incompatible size for inputs"),
        (gather_mm, (A, B, TWO), ValueError, "Incompatible size for inputs"),
        (gather_mm, (A, B, [0, 1, 1, 0]), ValueError, "Inputs should be instances of torch.Tensor"),
        (segment_mm, (A, B, TWO - 2), ValueError, "seglen_a is negative, -1, at position 0"),
        (segment_mm, (A, B, TWO * 2), ValueError, "adds up to 8, but a has 4 rows"),
        (segment_mm, (A, B, TWO.float()), TypeError, "seglen_a should hold integers"),
        (gather_mm, (A, B, FOUR.bool()), TypeError, "idx_b should hold integers"),
        (gather_mm, (A, B, FOUR * 2), IndexError, "idx_b is 2 at position 1, but b has 2"),
        (gather_mm, (A, B, -FOUR), IndexError, "idx_b is -1 at position 1"),
        (gather_mm, (A.double(), B, FOUR), TypeError, "write b.to"),
    ],
)
def test_refusals(function, arguments, error, text):
    with pytest.raises(error, match=text):
        function(*arguments)


def test_versions_without_nested_tensors(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.3.1")
    for function, assigned in ((segment_mm, TWO), (gather_mm, FOUR)):
        with pytest.raises(NotImplementedError, match="too old for nested tensors"):
            function(A, B, assigned)


def test_names():
    assert tsgu.segment_mm is segment_mm and tsgu.gather_mm is indexed_matmul.gather_mm
