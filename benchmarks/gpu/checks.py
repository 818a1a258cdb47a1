"""Every op on small operands against dense torch, before anything is measured.

The oracle is that of the tests: dense autograd in which each stored entry is a variable.
"""

import itertools
import sys

import torch

import matrices
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


def _check_long_rows(dtype, device):
    """A row of 3000 entries, one of none: parts of rows, and the same bits again."""
    dense = torch.randn(40, 3200, dtype=dtype) * (torch.rand(40, 3200) < 0.01)
    dense[7, :3000], dense[9] = torch.randn(3000, dtype=dtype), 0
    A, B = dense.to_sparse_csr(), torch.randn(3200, 32, dtype=dtype)
    moved = _rebuild(A, A.values().to(device), device)
    result = tsgu.sparse_mm(moved, B.to(device))
    oracle.assert_close(result.cpu(), dense @ B, terms=3000)
    assert torch.equal(result, tsgu.sparse_mm(moved, B.to(device)))


def _cases(device):
    for kind, dtype in itertools.product(matrices.ALL, _DTYPES):
        name = f"{kind} {str(dtype)[6:]}"
        for columns in _WIDTHS:
            yield f"sparse_mm {name} p={columns}", _check_product, (kind, dtype, columns, device)
        for dim in (-1, -2):
            yield f"sparse_softmax {name} dim={dim}", _check_softmax, (kind, dtype, dim, device)
    for dtype in _DTYPES:
        yield f"sparse_mm with long rows {str(dtype)[6:]}", _check_long_rows, (dtype, device)


def run(device):
    """{"passed": count, "failed": {case: reason}}; each: value, gradients, second derivatives."""
    passed, failed = 0, {}
    for name, check, arguments in _cases(device):
        torch.manual_seed(0)
        try:
            check(*arguments)
            passed += 1
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
            print(f"FAILED {name}: {failed[name].splitlines()[0]}", file=sys.stderr, flush=True)
    return {"passed": passed, "failed": failed}
