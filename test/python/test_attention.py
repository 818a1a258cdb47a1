"""Attention on a pattern as one user's program, and as three calls, against dense torch."""

import pytest
import torch
from conftest import CHECKOUT
from run_tools import measure
from test_long_rows import on_threads

import oracle
import tsgu

DOUBLE = torch.float64
ROWS, COLUMNS = 40, 31


def indices_of(rows=ROWS, columns=COLUMNS, share=0.2, long=()):
    """Of random entries; every eighth row is empty, rows in `long` are full."""
    generator = torch.Generator().manual_seed(3)
    stored = torch.rand(rows, columns, generator=generator) < share
    stored[::8] = False
    stored[list(long)] = True
    return stored.nonzero().T.contiguous(), (rows, columns)


def operands(shape, width, dtype, heads=()):
    rows, columns = shape
    shapes = (rows, width), (columns, width), (columns, width + 1)
    return [torch.randn(*heads, *shape, dtype=dtype).requires_grad_() for shape in shapes]


def reference(indices, shape):
    def attend(Q, K, V):
        S = (Q @ K.mT)[..., indices[0], indices[1]]
        weights = [oracle.softmax(indices, s, shape, 1) for s in S.reshape(-1, S.shape[-1])]
        W = torch.stack([oracle.dense(indices, w, shape) for w in weights])
        return W.reshape(*S.shape[:-1], *shape) @ V

    return attend


@pytest.fixture(scope="module", params=["one program", "three calls"])
def attention(request):
    """attention(pattern, Q, K, V)."""
    sddmm, softmax, spmm = map(tsgu.operator, ("sddmm", "softmax", "spmm"))
    one = tsgu.load_program(CHECKOUT / "examples" / "attention.mlir")

    def attend(pattern, Q, K, V):
        unread = Q.new_empty(()).expand(pattern.entries)
        if request.param == "one program":
            return one(pattern, unread, Q, K, V)
        return spmm(pattern, softmax(pattern, sddmm(pattern, unread, Q, K)), V)

    return attend


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("width", [1, 8, 33])
@pytest.mark.parametrize("heads", [(), (3,)])
def test_derivatives(attention, dtype, width, heads):
    indices, shape = indices_of()
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    oracle.assert_same_derivatives(
        lambda *inputs: attention(pattern, *inputs),
        reference(indices, shape),
        operands(shape, width, dtype, heads),
        order=2,
    )


def test_vmap(attention):
    indices, shape = indices_of()
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    inputs = [x.detach() for x in operands(shape, 4, DOUBLE, (3,))]
    found = torch.vmap(lambda *head: attention(pattern, *head))(*inputs)
    oracle.assert_close(found, reference(indices, shape)(*inputs))


@pytest.mark.parametrize("long", [(), (5, 17)])
def test_threads_and_long_rows(attention, long):
    """Rows of 20,000 entries are cut; results are the same bits on any number of threads."""
    indices, shape = indices_of(60, 20_000 if long else 3000, 0.02 if long else 0.3, long)
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    inputs = operands(shape, 4, DOUBLE)
    weight = torch.randn(shape[0], 5, dtype=DOUBLE)

    def step(attend):
        result = attend(*inputs)
        return result.detach(), *torch.autograd.grad(result, inputs, weight)

    found = on_threads(lambda: step(lambda *inputs: attention(pattern, *inputs)))
    for one, other in zip(found, step(reference(indices, shape)), strict=True):
        oracle.assert_close(one, other, 1 << 10)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_of_one_program(dtype):
    """What is between its kernels is float32: only the result is rounded."""
    indices, shape = indices_of()
    pattern = tsgu.Pattern.coo(indices, shape, coalesced=True)
    one = tsgu.load_program(CHECKOUT / "examples" / "attention.mlir")
    inputs = [x.detach().to(dtype) for x in operands(shape, 8, torch.float32)]
    found = one(pattern, inputs[0].new_empty(()).expand(pattern.entries), *inputs)
    Q, K, V = (x.double() for x in inputs)
    exact, magnitude = (reference(indices, shape)(Q, K, v) for v in (V, V.abs()))
    assert found.dtype == dtype
    # A weight is off by what its score and that of the row's maximum are, and a few roundings.
    terms = 2 * (8 + 2) * (Q.abs() @ K.abs().T).max() + COLUMNS + 8
    bound = exact.abs() * torch.finfo(dtype).eps / 2 + magnitude * terms * 2**-23
    assert bool(((found.double() - exact).abs() <= bound).all())


_STEP = """
import json, sys
import torch, tsgu

width, degree = 64, 61
sddmm, softmax, spmm = map(tsgu.operator, ("sddmm", "softmax", "spmm"))
one = tsgu.load_program(sys.argv[1])

def attend(pattern, Q, K, V):
    unread = Q.new_empty(()).expand(pattern.entries)
    if sys.argv[2] == "one program":
        return one(pattern, unread, Q, K, V)
    return spmm(pattern, softmax(pattern, sddmm(pattern, unread, Q, K)), V)

def operands(n):
    column = (torch.arange(n)[:, None] + torch.arange(degree)) % n
    positions = torch.arange(0, n * degree + 1, degree)
    pattern = tsgu.Pattern.csr(positions, column.sort(1)[0].ravel(), n)
    leaves = [torch.randn(n, width, requires_grad=True) for _ in range(3)]
    return pattern, leaves, torch.randn(n, width)

def step(pattern, leaves, weight):
    attend(pattern, *leaves).backward(weight)

step(*operands(1000))  # compiles
base = read("VmRSS")
pattern, leaves, weight = operands(16384)
peak, _ = peak_of(step, pattern, leaves, weight)
print(json.dumps({"peak": peak - base, "dense": 8 * weight.nbytes, "entries": pattern.entries}))
"""


@pytest.mark.parametrize("how", ["one program", "three calls"])
def test_memory_of_a_step(how):
    """Operands, result, gradients, and some numbers for each entry; not as many as d."""
    measured = measure(_STEP, str(CHECKOUT / "examples" / "attention.mlir"), how)
    allowed = 64 * measured["entries"] + (16 << 20)
    assert measured["peak"] <= measured["dense"] + allowed, measured
    assert allowed < 4 * 64 * measured["entries"]
