"""What `tsgu.explain` says of calls, beside what is known of them."""

import pytest
import torch
from test_levels import ON_DEVICE

import matrices
import tsgu


def operands(n=300):
    torch.manual_seed(0)
    A = matrices.csr(n, n, torch.float32, torch.int32)
    return A.requires_grad_(), torch.randn(n, 16, requires_grad=True)


def test_a_product():
    A, B = operands()
    entries = A.values().numel()
    found = tsgu.explain(tsgu.sparse_mm, A, B)
    assert len(found) == (0 if ON_DEVICE else 1)  # what a device runs is not listed
    if ON_DEVICE:
        return
    (stage,) = found
    assert stage.program == "spmm" and stage.runs == 1 and stage.parts >= 1
    assert stage.flops == 2 * entries * 16
    # Positions (all or all but one), coordinates and values, and both dense matrices, once.
    at_least = 8 * entries + 4 * 300 + 2 * 4 * 300 * 16
    assert at_least <= stage.bytes <= 1.1 * at_least
    assert 0 < stage.seconds < found.seconds
    assert stage.roof == pytest.approx(stage.bytes / stage.seconds / found.bandwidth)
    assert any("compressed" in layout and "i32" in layout for layout in stage.layouts)
    assert "parallel over" in stage.partition
    text = str(found)
    assert "spmm" in text and "ms in all" in text and text.count("\n") == 2


def test_a_gradient():
    A, B = operands()
    found = tsgu.explain(lambda: tsgu.sparse_mm(A, B).sum().backward())
    programs = [stage.program for stage in found]
    expected = set() if ON_DEVICE else {"spmm", "spmm_vjp0", "spmm_vjp1"}
    assert programs[:1] == ([] if ON_DEVICE else ["spmm"])
    assert set(programs) == expected


def test_steps_and_what_is_chosen():
    n = 50_000  # few rows have entries
    rows = torch.arange(0, n, 500)
    A = tsgu.coo(torch.stack([rows, rows]), torch.ones(len(rows)), (n, n))
    found = tsgu.explain(tsgu.sparse_mm, A, torch.ones(n, 4))
    layouts = [layout for stage in found for layout in stage.layouts]
    # The rows, too.
    assert any(layout.count("compressed") == 2 for layout in layouts) == (not ON_DEVICE)
    S = matrices.definite("csr64", 20)
    (solve,) = tsgu.explain(tsgu.sparse_generic_solve, S, torch.ones(20).double(), "lu")
    assert solve.program == "solve" and solve.stage.startswith("solve ")
    assert solve.flops == solve.bytes == solve.roof == 0 and solve.partition == ""


def test_nothing_is_left():
    A, B = operands()

    def fails():
        tsgu.sparse_mm(A, B)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tsgu.explain(fails)
    assert len(tsgu.explain(lambda: None)) == 0
    with pytest.raises(TypeError):
        tsgu.explain(tsgu.sparse_mm, A)
    assert len(tsgu.explain(tsgu.sparse_mm, A, B)) == (0 if ON_DEVICE else 1)
