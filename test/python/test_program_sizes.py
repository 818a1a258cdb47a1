"""Programs of many ops, and derivatives with many buffers: computed, or refused with the number."""

import subprocess

import pytest
import torch
from kernel_tools import TSGU_OPT

import oracle
import tsgu

DEEP = """
#CSR = #sparse_tensor.encoding<{{ map = (i, j) -> (i : dense, j : compressed) }}>
#entry = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
#row = affine_map<(i, j) -> (i)>
func.func @{name}(%A: tensor<?x?xf64, #CSR> {{tsgu.name = "A", tsgu.pattern = @A}},
                  %w: tensor<?xf64> {{tsgu.name = "w"}}) -> tensor<?xf64> {{
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {{indexing_maps = [#entry, #column, #row],
                       iterator_types = ["parallel", "reduction"]}}
      ins(%A, %w : tensor<?x?xf64, #CSR>, tensor<?xf64>)
      outs(%init : tensor<?xf64>) attrs = {{tsgu.sampled}} {{
  ^bb0(%q0: f64, %x: f64, %sum: f64):
{ops}
    %next = arith.addf %sum, %q{count} : f64
    linalg.yield %next : f64
  }} -> tensor<?xf64>
  return %y : tensor<?xf64>
}}
"""


def deep(name, op, count):
    """The sum over each row of f(f(... f(a))), where f is `op` of %q and the column's %x."""
    lines = [f"    %q{k + 1} = {op.replace('%q', f'%q{k}')} : f64" for k in range(count)]
    return DEEP.format(name=name, ops="\n".join(lines), count=count)


def pattern():
    return tsgu.Pattern.csr(torch.tensor([0, 1, 3]), torch.tensor([0, 0, 1]), 2)


def test_squares_of_squares():
    """q = q q, forty times: every value is read twice."""
    square = tsgu.load_program(deep("squares", "arith.mulf %q, %q", 40))
    values = torch.tensor([1.0, 1 + 1e-12, 1 - 1e-12], dtype=torch.float64, requires_grad=True)
    w = torch.ones(2, dtype=torch.float64)
    inputs = [values]

    def reference(v):
        for _ in range(40):
            v = v * v
        return torch.stack([v[0], v[1] + v[2]])

    oracle.assert_same_derivatives(
        lambda v: square(pattern(), v, w), reference, inputs, order=2, terms=1e5
    )


def test_a_chain_of_a_thousand():
    chain = tsgu.load_program(deep("chained", "arith.addf %q, %x", 1000))
    values = torch.randn(3, dtype=torch.float64, requires_grad=True)
    w = torch.randn(2, dtype=torch.float64, requires_grad=True)

    def reference(v, x):
        rows = v + 1000 * x[torch.tensor([0, 0, 1])]
        return torch.stack([rows[0], rows[1] + rows[2]])

    oracle.assert_same_derivatives(
        lambda v, x: chain(pattern(), v, x), reference, [values, w], order=1, terms=1e5
    )


@pytest.mark.parametrize("op", ["arith.addf %q, %x", "arith.mulf %q, %q", "math.sin %q"])
def test_too_many_ops_are_refused_with_their_number(op, tmp_path):
    text = deep("abyss", op, 100_000)
    with pytest.raises(tsgu.CompileError, match="100002 ops in its payload; at most 4096"):
        tsgu.load_program(text)
    path = tmp_path / "abyss.mlir"
    path.write_text(text)
    ran = subprocess.run(
        [TSGU_OPT, path, "--tsgu-differentiate"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "has 100002 ops in its payload; at most 4096 are compiled as one" in ran.stderr


def test_fourth_derivative_of_least_squares():
    """Which takes more buffers than a call keeps in place."""
    dense = torch.randn(4, 3, dtype=torch.float64)
    A = dense.to_sparse_csr()
    values = dense.flatten().requires_grad_()
    b = torch.randn(4, 1, dtype=torch.float64)

    def ours(v):
        M = tsgu.csr(A.crow_indices(), A.col_indices(), v, (4, 3))
        return tsgu.sparse_generic_lstsq(M, b, rtol=1e-14)

    def reference(v):
        M = v.view(4, 3)
        return torch.linalg.inv(M.mT @ M) @ (M.mT @ b)

    oracle.assert_same_derivatives(ours, reference, [values], order=4, terms=1e8)
