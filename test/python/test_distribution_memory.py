"""What distributions allocate: some numbers for each entry, and for each variable and column."""

import pytest
from run_tools import measure

OPERANDS = """
import json, sys
import torch
from tsgu.distributions import SparseMultivariateNormal
from torch.distributions import kl_divergence

torch.set_num_threads(1)
name, ldlt, layout, asked, n = *sys.argv[1:5], int(sys.argv[5])

def operands(n):
    # A chain: each variable depends on the one before.
    row, entries = torch.arange(n), [torch.stack([torch.arange(1, n), torch.arange(n - 1)])]
    if ldlt == "LL":
        entries.append(torch.stack([row, row]))
    indices = torch.cat(entries, 1)
    values = torch.where(indices[0] == indices[1], 2.0, 0.5).double()
    A = torch.sparse_coo_tensor(indices, values, (n, n)).coalesce()
    A = A if layout == "coo" else A.to_sparse_csr()
    D = torch.full((n,), 1.5, dtype=torch.float64) if ldlt == "LDL" else None
    return A.requires_grad_(), torch.zeros(n, dtype=torch.float64, requires_grad=True), D

def step(A, loc, D):
    A.grad = loc.grad = None
    p = SparseMultivariateNormal(loc, D, **{name: A})
    if asked == "samples":
        result = p.log_prob(p.rsample((4,))).sum() + p.entropy()
    elif asked == "variance":
        result = p.variance.sum()
    else:
        result = kl_divergence(p, p.expand((1,))).sum()
    result.backward()

step(*operands(100))  # compiles
base = read("VmRSS")
peak, _ = peak_of(step, *operands(n))
print(json.dumps(peak - base))
"""

MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "name, ldlt, layout",
    [
        ("scale_tril", "LDL", "coo"),
        ("precision_tril", "LL", "csr"),
    ],
)
def test_samples_and_densities(name, ldlt, layout):
    """Of 20,000 variables a dense matrix has 3 GB; 4 samples of them have 0.64 MB."""
    assert measure(OPERANDS, name, ldlt, layout, "samples", "20000") < 48 * MEGABYTE


@pytest.mark.parametrize("asked", ["variance", "divergence"])
def test_blocks_of_columns(asked):
    """Of 6,000 variables a dense matrix has 288 MB, a block of 32 columns 1.5 MB."""
    assert measure(OPERANDS, "precision_tril", "LDL", "csr", asked, "6000") < 64 * MEGABYTE
