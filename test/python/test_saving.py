"""What is saved, copied and loaded again, also by another process."""

import copy
import io
import pickle

import pytest
import torch
from run_tools import run_script
from test_user_programs import WEIGHTED_ROW_SUM

import matrices
import oracle
import tsgu


class Graph(torch.nn.Module):
    """A module as people write it: an operator, a pattern, and values."""

    def __init__(self, operator, A):
        super().__init__()
        self.operator, self.pattern = operator, tsgu.Pattern.of(A)
        self.values = torch.nn.Parameter(oracle.stored_values(A).clone())

    def forward(self, *operands):
        return self.operator(self.pattern, self.values, *operands)


def saved_and_loaded(x):
    buffer = io.BytesIO()
    torch.save(x, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


COPIES = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "deepcopy": copy.deepcopy,
    "torch.save": saved_and_loaded,
}


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_leaves_after_use(kind, make):
    A = matrices.ALL[kind](5, 6, torch.float64).requires_grad_()
    B = torch.randn(*A.shape[:-2], 6, 2, dtype=torch.float64)
    kept = tsgu.values(A), tsgu.sparse_mm(A, B), tsgu.sparse_softmax(A, -1)
    if make == "deepcopy" and A.layout is torch.sparse_csr:
        with pytest.raises(NotImplementedError):  # torch's own, also for a tensor never used
            copy.deepcopy(A.detach().clone())
        return
    again = COPIES[make](A)
    assert again.layout is A.layout and torch.equal(tsgu.values(again), tsgu.values(A))
    assert torch.equal(tsgu.sparse_mm(again, B), kept[1])


@pytest.mark.parametrize("kind", matrices.ALL)
def test_only_weights(kind):
    """A tensor that the package made or used holds nothing of the package's."""
    A = matrices.ALL[kind](5, 6, torch.float64)
    values = oracle.stored_values(A).clone().requires_grad_()
    made = matrices.rebuild(A, values)
    tsgu.values(made)
    for tensor in (A, made.detach(), tsgu.sparse_softmax(A, -1)):
        tsgu.values(tensor)
        buffer = io.BytesIO()
        torch.save(tensor, buffer)
        buffer.seek(0)
        again = torch.load(buffer, weights_only=True)
        assert torch.equal(tsgu.values(again), tsgu.values(tensor))


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("kind", [*matrices.ALL, *matrices.OTHERS])
def test_patterns(kind, make):
    A = {**matrices.ALL, **matrices.OTHERS}[kind](4, 6, torch.float64)
    pattern = tsgu.Pattern.of(A)
    again = COPIES[make](pattern)
    assert again.shape == pattern.shape and again.layout is pattern.layout
    values = oracle.stored_values(A)
    spmm = tsgu.operator("spmm" if A.dim() == 2 else "spmm/batch")
    B = torch.randn(*A.shape[:-2], 6, 2, dtype=torch.float64)
    assert torch.equal(spmm(again, values, B), spmm(pattern, values, B))
    soft = tsgu.operator("softmax" if A.dim() == 2 else "softmax/batch")
    if "uncoalesced" not in kind:
        assert torch.equal(soft(again, values), soft(pattern, values))


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("path", ["spmm", "spmm/vjp0", "softmax/batch", "triangular_solve"])
def test_operators_are_found_again_by_their_path(path, make):
    assert COPIES[make](tsgu.operator(path)) is tsgu.operator(path)


@pytest.mark.parametrize("make", COPIES)
def test_modules(make):
    A = matrices.csr(4, 6)
    module = Graph(tsgu.operator("spmm"), A)
    B = torch.randn(6, 2, dtype=torch.float64)
    expected = module(B)
    expected.sum().backward()
    again = COPIES[make](module)
    assert torch.equal(again(B), expected)
    assert again.values is not module.values


LOAD = """
import pickle, sys, torch, tsgu
for edited in sys.argv[2:]:
    tsgu.load_program(edited)
try:
    operator, gradient = pickle.load(open(sys.argv[1], "rb"))
except tsgu.CompileError as error:
    print("CompileError", error)
    sys.exit()
P = tsgu.Pattern.csr([0, 2, 3], [0, 1, 1], 2)
v, w = torch.tensor([1.0, 2.0, 4.0], requires_grad=True), torch.ones(2)
y = operator(P, v, w)
y.sum().backward()
print(y.tolist(), v.grad.tolist(), gradient(P, v.detach(), w, torch.ones(2)).tolist())
"""


def test_programs_of_users_in_another_process(tmp_path):
    """Their text goes with them; where their name has another text, loading fails."""
    text = WEIGHTED_ROW_SUM.replace("@weighted_row_sum", "@saved_row_sum")
    program = tsgu.load_program(text)
    saved = tmp_path / "operator"
    saved.write_bytes(pickle.dumps((program, tsgu.operator("saved_row_sum/vjp0"))))
    printed = run_script(LOAD, str(saved), timeout=300)
    assert printed == "[5.0, 16.0] [2.0, 4.0, 8.0] [2.0, 4.0, 8.0]\n"
    edited = tmp_path / "edited.mlir"
    edited.write_text(text.replace("mulf %a, %a", "addf %a, %a"))
    assert run_script(LOAD, str(saved), str(edited), timeout=300).startswith("CompileError")
