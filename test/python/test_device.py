"""Products and softmax on the device at hand: the CPU, or under TSGU_DEVICE=emulator its kernels.

Every case here is one in which kernels for devices differ from those for the CPU: widths that
fill lanes or do not, rows that are cut into chunks, batches along the grid, transposes and maps of
entries that are made on the device.
"""

import json
import os

import pytest
import torch
from run_tools import run_script

import matrices
import oracle
import tsgu
from matrices import rebuild

EMULATED = os.environ.get("TSGU_DEVICE") == "emulator"
WIDTHS = [1, 3, 8, 33, 128, 300]
LONG = 3000


def launches():
    return tsgu.show_config()["device launches"]


@pytest.fixture(autouse=True)
def on_the_device():
    """Kernels were started on the emulator exactly where it was asked for."""
    before = launches()
    yield
    assert (launches() > before) == EMULATED


def skewed(layout, index=torch.int64, dtype=torch.float64):
    """Rows of very different lengths, as of a power law: most short, some empty, one long."""
    rows, columns = 24, LONG + 200
    lengths = [LONG, 700, 257, 64, 33, 32, 31, 9, 5, 3, 2] + [1] * (rows - 14) + [0, 0, 0]
    order = torch.randperm(rows)
    indices = [
        torch.stack([torch.full((length,), int(row)), torch.randperm(columns)[:length].sort()[0]])
        for row, length in sorted(zip(order, lengths, strict=True), key=lambda pair: pair[0])
    ]
    indices = torch.cat(indices, 1)
    values = torch.randn(indices.shape[1], dtype=dtype)
    A = torch.sparse_coo_tensor(indices, values, (rows, columns), is_coalesced=True)
    if layout is torch.sparse_coo:
        return A
    A = A.to_sparse_csr()
    return tsgu.csr(A.crow_indices().to(index), A.col_indices().to(index), A.values(), A.shape)


def dense_operand(A, columns):
    *items, _, inner = A.shape
    return torch.randn(*items, inner, columns, dtype=A.dtype)


def check_product(A, columns, order, terms=1024):
    indices, values = oracle.indices_of(A), oracle.stored_values(A)
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_mm(rebuild(A, v), b) ** 2,
        lambda v, b: oracle.spmm(indices, v, A.shape, b) ** 2,
        (values.requires_grad_(), dense_operand(A, columns).requires_grad_()),
        order=order,
        terms=terms,
    )


def check_softmax(A, dim, order):
    canonical = A.detach()
    if A.layout is torch.sparse_coo:
        canonical = canonical.coalesce()
    given, merged = oracle.indices_of(A), oracle.indices_of(canonical)

    def reference(values):
        matrix = oracle.dense(given, values, A.shape)
        return oracle.softmax(merged, matrix[tuple(merged)], A.shape, dim) ** 2

    oracle.assert_same_derivatives(
        lambda v: tsgu.values(tsgu.sparse_softmax(rebuild(A, v), dim)).reshape(-1) ** 2,
        reference,
        (oracle.stored_values(A).requires_grad_(),),
        order=order,
    )


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_product_to_second_order(kind, columns):
    check_product(matrices.ALL[kind](13, 9, torch.float64), columns, order=2)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("kind", ["csr32", "csr64", "batched csr32", "ragged uncoalesced"])
def test_product_in_single_precision(kind, columns):
    A = matrices.ALL[kind](13, 9, torch.float32)
    result, on_values, on_dense = oracle.with_gradients(
        tsgu.sparse_mm, oracle.spmm, A, dense_operand(A, columns)
    )
    for actual, expected in (result, on_values, on_dense):
        oracle.assert_close(actual, expected, terms=256)


@pytest.mark.parametrize("columns", [1, 8, 33])
@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo])
def test_product_with_long_rows(layout, columns):
    check_product(skewed(layout), columns, order=2, terms=LONG)


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_softmax_to_second_order(kind, dim):
    check_softmax(matrices.ALL[kind](11, 7, torch.float64), dim, order=2)


@pytest.mark.parametrize("dim", [-1, -2])
@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo])
def test_softmax_of_long_rows(layout, dim):
    check_softmax(skewed(layout), dim, order=2)


@pytest.mark.parametrize("index", [torch.int32, torch.int64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_bits_every_time(dtype, index):
    A = skewed(torch.sparse_csr, index, dtype).requires_grad_()
    B = dense_operand(A, 20).requires_grad_()
    weight = torch.randn(A.shape[0], 20, dtype=dtype)

    def once():
        C = tsgu.sparse_mm(tsgu.sparse_softmax(A, -1), B)
        on_A, on_B = torch.autograd.grad(C, (A, B), weight)
        return C.detach(), on_A.values(), on_B

    first = once()
    for _ in range(3):
        assert all(map(torch.equal, first, once()))


@pytest.mark.parametrize("offset", [1, 2])
def test_rows_that_are_not_aligned(offset):
    A = matrices.csr(12, 10, torch.float32, torch.int32)
    base = torch.randn(10, 40)
    for columns in (32, 30):
        B = base[:, offset : offset + columns]
        oracle.assert_close(tsgu.sparse_mm(A, B), A.to_dense() @ B)


def test_a_batch_of_values_on_one_pattern():
    A = matrices.csr(9, 8, torch.float64)
    pattern, spmm = tsgu.Pattern.of(A), tsgu.operator("spmm")
    values = torch.randn(5, A.values().numel(), dtype=torch.float64)
    B = torch.randn(5, 8, 6, dtype=torch.float64)
    indices = oracle.indices_of(A)
    expected = torch.stack(
        [oracle.spmm(indices, v, A.shape, b) for v, b in zip(values, B, strict=True)]
    )
    oracle.assert_close(spmm(pattern, values, B), expected)
    oracle.assert_close(torch.vmap(lambda v, b: spmm(pattern, v, b))(values, B), expected)


_SCRIPT = """
import hashlib, json, sys
import torch, tsgu
torch.manual_seed(0)
dense = torch.randn(60, 50, dtype=torch.float64) * (torch.rand(60, 50) < 0.2)
A = dense.to_sparse_csr().requires_grad_()
B = torch.randn(50, 17, dtype=torch.float64, requires_grad=True)
C = tsgu.sparse_mm(A, B)
C.sin().sum().backward()
full = dense.clone().requires_grad_()
again = B.detach().requires_grad_()
(full @ again).sin().sum().backward()
stored = dense != 0
worst = max(
    (C - dense @ B).abs().max(),
    (A.grad.to_dense() - full.grad)[stored].abs().max(),
    (B.grad - again.grad).abs().max(),
).item()
bits = b"".join(x.detach().numpy().tobytes() for x in (C, A.grad.values(), B.grad))
config = tsgu.show_config()
json.dump(
    [config["device"], config["device launches"], worst, hashlib.sha256(bits).hexdigest()],
    sys.stdout,
)
"""


def test_the_emulator_by_name():
    tsgu.sparse_mm(matrices.csr(3, 3), torch.ones(3, 2, dtype=torch.float64))
    device, started, worst, bits = json.loads(run_script(_SCRIPT, TSGU_DEVICE="emulator"))
    assert device == "emulator" and started >= 3 and worst < 1e-12
    assert json.loads(run_script(_SCRIPT, TSGU_DEVICE="emulator"))[3] == bits
    device, started, worst, _ = json.loads(run_script(_SCRIPT, TSGU_DEVICE=""))
    assert device == "that of the operands" and started == 0 and worst < 1e-12
