"""A text with several results is an operator for each, with gradients of its own."""

import pickle
import re
from pathlib import Path

import pytest
import torch

import matrices
import oracle
import tsgu

TEXT = (Path(__file__).parents[1] / "Transforms/programs/select-result.mlir").read_text()
TEXT = re.sub("(?m)^//.*$", "", TEXT)


@pytest.fixture(scope="module")
def results():
    return tsgu.load_programs(TEXT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex128])
def test_each_result_and_its_gradient(results, dtype):
    sums, doubled = results
    A = matrices.csr(6, 7, dtype)
    pattern, values = tsgu.Pattern.of(A), A.values().clone().requires_grad_()
    indices = oracle.indices_of(A)

    def reference(values):
        return oracle.dense(indices, values, A.shape).sum(1), 2 * values

    ours = sums(pattern, values), doubled(pattern, values)
    for mine, expected in zip(ours, reference(values), strict=True):
        torch.testing.assert_close(mine, expected)
    total = (ours[0] * torch.arange(1, 7)).sum() + (ours[1] ** 2).sum()
    (gradient,) = torch.autograd.grad(total.real, values)
    y, d = reference(values)
    expected = torch.autograd.grad(((y * torch.arange(1, 7)).sum() + (d**2).sum()).real, values)
    torch.testing.assert_close(gradient, expected[0])
    if dtype == torch.float64:
        assert torch.autograd.gradgradcheck(lambda v: sums(pattern, v).sin(), values)


def test_results_of_matrices_and_batches(results):
    sums, doubled = results
    A = tsgu.Matrix.of(matrices.csr(5, 4, torch.float64))
    assert isinstance(doubled(A), tsgu.Matrix)
    torch.testing.assert_close(doubled(A).to_dense(), 2 * A.to_dense())
    values = torch.stack([A.values, 3 * A.values])
    torch.testing.assert_close(
        torch.vmap(lambda v: sums(A.pattern, v))(values), torch.stack([sums(A), 3 * sums(A)])
    )
    compiled = torch.compile(lambda v: sums(A.pattern, v), fullgraph=True)
    torch.testing.assert_close(compiled(A.values), A.to_dense().sum(1))


def test_their_names(results):
    assert [each.path for each in results] == [f"sum_and_double/result{k}" for k in (0, 1)]
    assert tsgu.operator("sum_and_double/result1") is results[1]
    listed = tsgu.programs()
    assert "sum_and_double" not in listed
    assert listed["sum_and_double/result0"].result.pattern == -1
    assert listed["sum_and_double/result1"].result.pattern == 0
    assert pickle.loads(pickle.dumps(results[1])).path == results[1].path


def test_what_has_one_result_is_one_operator():
    one = re.sub(r"-> \(tensor<\?xf64>, .*\) \{", "-> tensor<?xf64> {", TEXT)
    one = re.sub(r"return %sums.*", "return %sums : tensor<?xf64>", one)
    (sums,) = tsgu.load_programs(one, "only_sum")
    assert sums is tsgu.load_program(one, "only_sum") and sums.path == "only_sum"


def test_one_operator_of_several_results_is_refused(results):
    with pytest.raises(tsgu.CompileError, match="has 2 results: tsgu.load_programs returns an"):
        tsgu.load_program(TEXT)
    with pytest.raises(tsgu.CompileError, match="take one of them, as in 'sum_and_double/result0'"):
        tsgu.operator("sum_and_double")
    with pytest.raises(tsgu.CompileError, match="has no result 2: it has 2, counted from 0"):
        tsgu.operator("sum_and_double/result2")
    with pytest.raises(tsgu.CompileError, match="take one of them"):
        tsgu.operator("sum_and_double/vjp0/result1")
    with pytest.raises(tsgu.CompileError, match="no derivation 'result0'"):
        tsgu.operator("sum_and_double/result0/result0")
