"""A training step allocates its results, the layouts, and nothing like nnz x p or n x m."""

import os

import pytest
from run_tools import measure

STEP = """
import json, sys
import torch, tsgu

rows, per_row, p = 10**6, 3, 32
layout, dtype = sys.argv[1], getattr(torch, sys.argv[2])
index = torch.int64 if layout.endswith("64") else torch.int32

def matrix(rows):
    torch.manual_seed(0)
    first = torch.randint(0, max(rows // per_row, 1), (rows, 1), dtype=torch.int32)
    coordinates = (first + torch.arange(per_row, dtype=torch.int32) * (rows // per_row)).reshape(-1)
    values = torch.randn(rows * per_row, dtype=dtype)
    if layout == "coo64":
        row = torch.arange(rows).repeat_interleave(per_row)
        indices = torch.stack([row, coordinates.long()])
        return torch.sparse_coo_tensor(indices, values, (rows, rows),
                                       is_coalesced=True, check_invariants=False)
    positions = torch.arange(0, rows * per_row + 1, per_row, dtype=index)
    return torch.sparse_csr_tensor(positions, coordinates.to(index), values, (rows, rows),
                                   check_invariants=False)

def sizes(*tensors):
    total = 0
    for x in tensors:
        if x.layout is torch.sparse_csr:
            total += sizes(x.crow_indices(), x.col_indices(), x.values())
        elif x.layout is torch.sparse_coo:
            total += sizes(x._indices(), x._values())
        else:
            total += x.numel() * x.element_size()
    return total

def step(A, B, weight):
    A.grad = B.grad = None
    result = tsgu.sparse_mm(A, B)
    result.backward(weight)
    return result

def operands(rows):
    A, B, weight = matrix(rows), *torch.randn(2, rows, p, dtype=dtype)
    if layout == "expanded":  # as of a sum: a number for all elements, which kernels do not take
        B, weight = B.clone(), torch.ones((), dtype=dtype).expand(rows, p)
    return A.requires_grad_(), B.requires_grad_(), weight

step(*operands(1000))             # compiles
base = read("VmRSS")
A, B, weight = operands(rows)
peak, result = peak_of(step, A, B, weight)
indices = [A._indices()] if layout == "coo64" else [A.crow_indices(), A.col_indices()]
print(json.dumps({
    "peak": peak - base,
    "tensors": sizes(A.detach(), B, weight, result, A.grad, B.grad),
    "entries": rows * per_row,
    "indices": sizes(*indices),
    "dense": B.numel() * B.element_size(),
}))
"""


# What the allocator keeps at the ends of some eight large buffers, at most a huge page each.
SLACK = 16 << 20


@pytest.mark.parametrize("layout", ["csr32", "csr64", "coo64"])
@pytest.mark.parametrize("dtype, most", [("float32", 24), ("float64", 32), ("complex128", 48)])
def test_peak_of_a_training_step(layout, dtype, most):
    measured = measure(STEP, layout, dtype)
    # Inputs, outputs and gradients; so many bytes for each entry, for the pattern and its layouts.
    allowed = measured["tensors"] + most * measured["entries"] + SLACK
    if os.environ.get("TSGU_DEVICE") == "emulator":
        allowed += measured["indices"]  # of its device, which has its memory in this process
    assert measured["peak"] <= allowed, measured
    # The bound would not hold with one temporary of entries x p.
    assert most * measured["entries"] + SLACK < 4 * 32 * measured["entries"]


def test_a_cotangent_of_one_number_is_copied_once():
    measured = measure(STEP, "expanded", "float64")
    # It counts among the tensors as if it were whole, and is, while both gradients are computed.
    allowed = measured["tensors"] + 32 * measured["entries"] + SLACK
    if os.environ.get("TSGU_DEVICE") == "emulator":
        allowed += measured["indices"]
    assert measured["peak"] <= allowed, measured
    assert 32 * measured["entries"] + SLACK < measured["dense"]  # a second copy would be seen
