"""Every op on small operands against dense torch, before anything is measured.

The oracle is that of the tests: dense autograd in which each stored entry is a variable.
"""

import itertools
import os

import torch

import matrices
import measure
import oracle
import tsgu

_WIDTHS = (1, 3, 8, 33, 128, 300)
_DTYPES = (torch.float32, torch.float64)


def _rebuild(A, values, device):
    """The tensor of A's pattern with these values on the device, differentiable."""
    shape = A.shape
    if A.layout is torch.sparse_coo:
        return tsgu.coo(A._indices().to(device), values, shape)
    values = values.view(A.col_indices().shape)
    return tsgu.csr(A.crow_indices().to(device), A.col_indices().to(device), values, shape)


def _on_host(reference):
    """The reference, computed on the CPU whatever its operands' device."""

    def compute(*operands):
        return reference(*(operand.cpu() for operand in operands)).to(operands[0].device)

    return compute


def _check_product(kind, dtype, columns, device):
    A = matrices.ALL[kind](13, 9, dtype)
    indices, values = oracle.indices_of(A), oracle.stored_values(A).to(device)
    B = torch.randn(*A.shape[:-2], 9, columns, dtype=dtype).to(device)
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_mm(_rebuild(A, v, device), b) ** 2,
        _on_host(lambda v, b: oracle.spmm(indices, v, A.shape, b) ** 2),
        (values.requires_grad_(), B.requires_grad_()),
        order=2,
        terms=4096,
    )


def _check_softmax(kind, dtype, dim, device):
    A = matrices.ALL[kind](13, 9, dtype)
    canonical = A.coalesce() if A.layout is torch.sparse_coo else A
    given, merged = oracle.indices_of(A), oracle.indices_of(canonical)

    def reference(values):
        matrix = oracle.dense(given, values, A.shape)
        return oracle.softmax(merged, matrix[tuple(merged)], A.shape, dim) ** 2

    oracle.assert_same_derivatives(
        lambda v: tsgu.values(tsgu.sparse_softmax(_rebuild(A, v, device), dim)).reshape(-1) ** 2,
        _on_host(reference),
        (oracle.stored_values(A).to(device).requires_grad_(),),
        order=2,
        terms=4096,
    )


def _long_matrix(dtype):
    """Rows of two entries, the first in column 0, and one of 3000: long rows and a long column."""
    columns = torch.randint(1, 3200, (2001, 1))
    columns = torch.cat([torch.zeros_like(columns), columns], 1)
    coordinates = [*columns[:7], torch.randperm(3200)[:3000].sort()[0], *columns[8:]]
    counts = torch.tensor([len(row) for row in coordinates])
    positions = torch.cat([torch.zeros(1, dtype=counts.dtype), counts.cumsum(0)])
    values = torch.randn(int(positions[-1]), dtype=dtype)
    return torch.sparse_csr_tensor(positions, torch.cat(coordinates), values, (2001, 3200))


def _long_batch(dtype):
    items = [_long_matrix(dtype) for _ in range(2)]
    arrays = [[A.crow_indices(), A.col_indices(), A.values()] for A in items]
    return torch.sparse_csr_tensor(*map(torch.stack, zip(*arrays, strict=True)), (2, 2001, 3200))


def _launches(run):
    """How many kernels `run()` starts once patterns are known; the same bits again."""
    first, before = run(), tsgu.show_config()["device launches"]
    assert torch.equal(first, run())
    return tsgu.show_config()["device launches"] - before


def _check_chunks(function, long, short):
    """`function` of tensors in long takes two kernels more: for chunks, and to combine them."""
    device, started = long[0].device, _launches(lambda: function(*long))
    usual = _launches(lambda: function(*short))
    on_device = device.type == "cuda" or os.environ.get("TSGU_DEVICE") == "emulator"
    assert started >= max(usual + 2, 3) or not on_device, f"{started} and {usual} kernels"


def _with_dense(A, device):
    B = torch.randn(*A.shape[:-2], A.shape[-1], 32, dtype=A.dtype)
    return A.to(device), B.to(device).requires_grad_()


def _gradient_of_dense(A, B):
    """A product with the transposed matrix."""
    C = tsgu.sparse_mm(A, B)
    return torch.autograd.grad(C, B, torch.ones_like(C))[0]


def _check_long_product(long, short, dtype, device):
    A = long(dtype)
    operands = _with_dense(A, device)
    indices, values = oracle.indices_of(A), oracle.stored_values(A).to(device)
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_mm(_rebuild(operands[0], v, device), b),
        _on_host(lambda v, b: oracle.spmm(indices, v, A.shape, b)),
        (values.requires_grad_(), operands[1]),
        order=1,
        terms=3000,
    )
    others = _with_dense(short(13, 9, dtype), device)
    _check_chunks(tsgu.sparse_mm, operands, others)
    _check_chunks(_gradient_of_dense, operands, others)


def _check_long_softmax(long, short, dtype, dim, device):
    A = long(dtype)
    moved = A.to(device)
    indices, values = oracle.indices_of(A), oracle.stored_values(A).to(device)

    def softmax(A):
        return tsgu.values(tsgu.sparse_softmax(A, dim)).reshape(-1)

    oracle.assert_same_derivatives(
        lambda v: softmax(_rebuild(moved, v, device)),
        _on_host(lambda v: oracle.softmax(indices, v, A.shape, dim)),
        (values.requires_grad_(),),
        order=1,
        terms=3000,
    )
    _check_chunks(softmax, [moved], [short(13, 9, dtype).to(device)])


_LONG = {
    "long rows": (_long_matrix, matrices.MATRICES["csr64"]),
    "a batch of long rows": (_long_batch, matrices.BATCHES["batched csr64"]),
}


def _cases(device):
    for kind, dtype in itertools.product(matrices.ALL, _DTYPES):
        name = f"{kind} {str(dtype)[6:]}"
        for columns in _WIDTHS:
            yield f"sparse_mm {name} p={columns}", _check_product, (kind, dtype, columns, device)
        for dim in (-1, -2):
            yield f"sparse_softmax {name} dim={dim}", _check_softmax, (kind, dtype, dim, device)
    for (what, makers), dtype in itertools.product(_LONG.items(), _DTYPES):
        name = f"{what} {str(dtype)[6:]}"
        yield f"sparse_mm {name}", _check_long_product, (*makers, dtype, device)
        for dim in (-1, -2):
            arguments = *makers, dtype, dim, device
            yield f"sparse_softmax {name} dim={dim}", _check_long_softmax, arguments


def run(device, budget):
    """Yields (case, why it failed or None); each: value, gradients, second derivatives."""
    for name, check, arguments in _cases(device.name):
        budget.need(1, name)
        torch.manual_seed(0)
        why = None
        try:
            check(*arguments)
        except Exception as error:
            why = measure.reason(error)
        yield name, why
        device.synchronize()  # raises if that has cost the device
