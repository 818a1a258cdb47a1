"""A training step allocates its results, the layouts, and nothing like nnz x p or n x m."""

import pytest
from run_tools import measure

STEP = """
import json, sys
import torch, tsgu

rows, per_row, p, layout = 10**6, 3, 32, sys.argv[1]

def matrix(rows):
    torch.manual_seed(0)
    first = torch.randint(0, max(rows // per_row, 1), (rows, 1), dtype=torch.int32)
    coordinates = (first + torch.arange(per_row, dtype=torch.int32) * (rows // per_row)).reshape(-1)
    if layout == "coo":
        row = torch.arange(rows).repeat_interleave(per_row)
        indices = torch.stack([row, coordinates.long()])
        return torch.sparse_coo_tensor(indices, torch.randn(rows * per_row), (rows, rows),
                                       is_coalesced=True, check_invariants=False)
    positions = torch.arange(0, rows * per_row + 1, per_row, dtype=torch.int32)
    return torch.sparse_csr_tensor(positions, coordinates, torch.randn(rows * per_row),
                                   (rows, rows), check_invariants=False)

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
    A, B = matrix(rows), torch.randn(rows, p)
    return A.requires_grad_(), B.requires_grad_(), torch.randn(rows, p)

step(*operands(1000))             # compiles
base = read("VmRSS")
A, B, weight = operands(rows)
peak, result = peak_of(step, A, B, weight)
print(json.dumps({
    "peak": peak - base,
    "tensors": sizes(A.detach(), B, weight, result, A.grad, B.grad),
    "entries": rows * per_row,
}))
"""


@pytest.mark.parametrize("layout", ["csr", "coo"])
def test_peak_of_a_training_step(layout):
    measured = measure(STEP, layout)
    # Inputs, outputs and gradients; 24 bytes for each entry, for the layouts. The rest is what
    # the allocator keeps at the ends of large buffers, a huge page or two at most each.
    allowed = measured["tensors"] + 24 * measured["entries"] + (16 << 20)
    assert measured["peak"] <= allowed, measured
    # The bound would not hold with one temporary of entries x p.
    assert 24 * measured["entries"] + (16 << 20) < 4 * 32 * measured["entries"]
