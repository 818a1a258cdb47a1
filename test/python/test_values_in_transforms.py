"""tsgu.csr and tsgu.coo of values that torch.func transforms or torch.compile track."""

import functools
import pathlib
import re

import pytest
import torch
from conftest import CHECKOUT
from torch.autograd import forward_ad

import matrices
import oracle
import tsgu
from tsgu._solvers import linear_solve

func = torch.func


def lapack(A, B):
    return torch.linalg.solve(A.to_dense(), B)


class Case:
    """A function of values by way of a matrix, and the same by dense torch."""

    def __init__(self, name, kind):
        A = matrices.invertible(kind, 4)
        self.name, self.values, self.shape = name, oracle.stored_values(A).clone(), tuple(A.shape)
        self.entries = oracle.indices_of(A).clone()
        self.is_coo = A.layout is torch.sparse_coo
        if self.is_coo:
            self.indices = (self.entries,)
        else:
            self.indices = A.crow_indices().clone(), A.col_indices().clone()
        self.B = torch.randn(*A.shape[:-1], 2, dtype=torch.float64)

    def matrix(self, values):
        if self.is_coo:
            return tsgu.coo(*self.indices, values, self.shape)
        return tsgu.csr(*self.indices, values.view(self.indices[1].shape), self.shape)

    def dense(self, values):
        return oracle.dense(self.entries, values, self.shape)

    def ours(self, values):
        A, B = self.matrix(values), self.B * values[0]
        match self.name:
            case "sparse_mm":
                return tsgu.sparse_mm(A, B)
            case "sparse_softmax":
                return tsgu.values(tsgu.sparse_softmax(A, -1)).reshape(-1)
            case "attention":
                return tsgu.sparse_mm(tsgu.sparse_softmax(A, -2), B)
            case "triangular":
                return tsgu.sparse_triangular_solve(A, B, upper=False)
            case "transposed":
                return tsgu.sparse_triangular_solve(A, B, transpose=True)
            case "generic":
                return tsgu.sparse_generic_solve(A, B, rtol=1e-13)
            case "ilu0":
                options = {"preconditioner": "ilu0", "rtol": 1e-13}
                return tsgu.sparse_generic_solve(A, B, "bicgstab", **options)
            case "lstsq":
                return tsgu.sparse_generic_lstsq(A, B, rtol=1e-14, on_fail="ignore")
            case "callable":
                return tsgu.sparse_generic_solve(A, B, lapack)
            case "gmres":
                return tsgu.utils.gmres(A, B, rtol=1e-13)

    def reference(self, values):
        A, B = self.dense(values), self.B * values[0]
        match self.name:
            case "sparse_mm":
                return A @ B
            case "sparse_softmax":
                return oracle.softmax(self.entries, values, self.shape, -1)
            case "attention":
                return self.dense(oracle.softmax(self.entries, values, self.shape, -2)) @ B
            case "triangular":
                A = A.tril()
            case "transposed":
                A = A.triu().mT
        return torch.linalg.inv(A) @ B  # linalg.solve has no right nested forward mode

    def compare(self, transform, compiled=None):
        expected = transform(self.reference)(self.values)
        actual = transform(self.ours)
        actual = (compiled or (lambda f: f))(actual)(self.values)
        assert expected.abs().max() > 0
        torch.testing.assert_close(actual, expected, rtol=1e-7, atol=1e-8)


def total(f):
    return lambda v: f(v).sin().sum()


def in_forward_mode(f):
    def tangent(v):
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(f(forward_ad.make_dual(v, v.cos()))).tangent

    return tangent


def stacked(v):
    return torch.stack([v, 0.9 * v])


TRANSFORMS = {
    "grad": lambda f: func.grad(total(f)),
    "jvp": lambda f: lambda v: func.jvp(f, (v,), (v.cos(),))[1],
    "jacrev": func.jacrev,
    "hessian": lambda f: func.hessian(total(f)),
    "twice forward": lambda f: func.jacfwd(func.jacfwd(total(f))),
    "vmap": lambda f: lambda v: func.vmap(f)(stacked(v)),
    "vmap of grad": lambda f: lambda v: func.vmap(func.grad(total(f)))(stacked(v)),
    "forward mode": in_forward_mode,
}
IN_GRAPHS = ["sparse_mm", "sparse_softmax", "attention", "triangular", "transposed", "generic"]
IN_GRAPHS += ["ilu0", "lstsq"]
FUNCTIONS = [*IN_GRAPHS, "callable", "gmres"]
KINDS = ["csr64", "coo", "batched csr32", "ragged coo"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_transforms(name, kind):
    case = Case(name, kind)
    for transform in TRANSFORMS.values():
        case.compare(transform)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", IN_GRAPHS)
def test_one_graph(name, kind):
    case = Case(name, kind)
    torch._dynamo.reset()
    if case.is_coo and name in ("sparse_softmax", "attention"):
        compiled = torch.compile(case.ours, fullgraph=True, backend="aot_eager")
        with pytest.raises(torch._dynamo.exc.Unsupported, match="coalesced=True"):
            compiled(case.values)
        return
    compile_ = lambda f: torch.compile(f, fullgraph=True, backend="aot_eager")  # noqa: E731
    case.compare(lambda f: f, compile_)
    for transform in ("grad", "jvp", "vmap of grad"):
        torch._dynamo.reset()
        case.compare(TRANSFORMS[transform], compile_)


@pytest.mark.parametrize("name", ["callable", "gmres"])
def test_callables_break_graphs(name):
    case = Case(name, "csr64")
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="make the handle outside"):
        torch.compile(case.ours, fullgraph=True, backend="aot_eager")(case.values)
    torch._dynamo.reset()
    case.compare(lambda f: f, lambda f: torch.compile(f, backend="aot_eager"))


def test_backward_of_a_graph():
    case = Case("attention", "csr64")
    torch._dynamo.reset()
    compiled = torch.compile(case.ours, fullgraph=True, backend="aot_eager")
    results = []
    for f in (compiled, case.reference):
        values = case.values.clone().requires_grad_()
        results.append(torch.autograd.grad(f(values).sin().sum(), values)[0])
    oracle.assert_close(*results, terms=1024)


# ===-- torch's own sparse tensors --------------------------------------------===#


def closed_over(A):
    return {
        "sparse_mm": lambda B: tsgu.sparse_mm(A, B),
        "sparse_softmax": lambda B: tsgu.values(tsgu.sparse_softmax(A, -1)).reshape(-1) * B.sum(),
        "triangular": lambda B: tsgu.sparse_triangular_solve(A, B),
        "generic": lambda B: tsgu.sparse_generic_solve(A, B),
        "lstsq": lambda B: tsgu.sparse_generic_lstsq(A, B),
        "gmres": lambda B: tsgu.utils.gmres(A, B),
        "operator": lambda B: tsgu.operator("spmm")(tsgu.Pattern.of(A), tsgu.values(A), B),
        "component operator": lambda B: torch.ops.tsgu.spmm(
            A.crow_indices(), A.col_indices(), A.shape[1], A.values(), B
        ),
    }


@pytest.mark.parametrize("name", closed_over(None))
def test_a_sparse_tensor_beside_a_graph(name):
    """torch takes none into a graph: what uses one runs outside, with the rest compiled."""
    A = matrices.invertible("csr64", 5)
    f = closed_over(A)[name]
    torch._dynamo.reset()
    compiled = torch.compile(lambda B: f(B.sin()).cos(), backend="aot_eager")
    results = []
    for call in (compiled, lambda B: f(B.sin()).cos()):
        B = torch.randn(5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        result = call(B.requires_grad_())
        results.append((result.detach(), torch.autograd.grad(result.sum(), B)[0]))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected)


def test_values_of_a_sparse_tensor_enter_a_graph():
    A, B = matrices.csr(5, 6), torch.randn(6, 2, dtype=torch.float64)
    pattern, spmm = tsgu.Pattern.of(A), tsgu.operator("spmm")
    compiled = torch.compile(lambda v, B: spmm(pattern, v, B), fullgraph=True, backend="aot_eager")
    oracle.assert_close(compiled(tsgu.values(A), B), A.to_dense() @ B)


class Product(torch.nn.Module):
    """A module with a sparse buffer."""

    def __init__(self, A):
        super().__init__()
        self.register_buffer("A", A)

    def forward(self, B):
        return tsgu.sparse_mm(self.A, B)


@pytest.mark.parametrize("kind", ["csr64", "csr32"])
@pytest.mark.parametrize("strict", [False, True])
def test_export_of_a_module_with_a_sparse_buffer(kind, strict):
    A, B = matrices.ALL[kind](5, 6, torch.float64), torch.randn(6, 2, dtype=torch.float64)
    torch._dynamo.reset()
    program = torch.export.export(Product(A), (B,), strict=strict)
    assert any("tsgu.spmm" in str(node.target) for node in program.graph.nodes)
    oracle.assert_close(program.module()(B), A.to_dense() @ B)


# ===-- Refusals ---------------------------------------------------------------===#


def test_what_a_matrix_in_a_transform_cannot_do_says_what_to_do():
    case = Case("sparse_mm", "csr64")
    with pytest.raises(AttributeError, match=r"tsgu\.values\(A\)"):
        func.grad(lambda v: case.matrix(v).cumsum().sum())(case.values)


def test_mapped_indices_are_refused():
    case = Case("sparse_mm", "csr64")
    positions, coordinates = case.indices
    with pytest.raises(ValueError, match="cannot be mapped over"):
        func.vmap(lambda c: tsgu.values(tsgu.csr(positions, c, case.values, case.shape)))(
            torch.stack([coordinates, coordinates])
        )


def test_corrupt_indices_are_refused_in_transforms():
    positions, coordinates = torch.tensor([0, 1, 2]), torch.tensor([0, 5])
    with pytest.raises(tsgu.PatternError):
        func.grad(lambda v: tsgu.values(tsgu.csr(positions, coordinates, v, (2, 2))).sum())(
            torch.ones(2)
        )


def test_index_tensors_made_within_a_transform():
    def f(v):
        A = tsgu.csr(torch.tensor([0, 1, 2]) + 0, torch.arange(2), v, (2, 2))
        return (tsgu.sparse_mm(A, torch.eye(2)) ** 3).sum()

    assert func.grad(f)(torch.ones(2)).tolist() == [3, 3]
    assert func.hessian(f)(torch.ones(2)).tolist() == [[6, 0], [0, 6]]


def test_a_matrix_is_a_pytree():
    case = Case("sparse_mm", "csr64")
    matrix = func.vmap(case.matrix)(stacked(case.values))
    product = tsgu.sparse_mm(matrix, case.B)
    expected = torch.stack([case.dense(v) for v in stacked(case.values)]) @ case.B
    oracle.assert_close(product, expected)


# ===-- README -----------------------------------------------------------------===#


def test_the_examples_of_the_readme():
    text = pathlib.Path(CHECKOUT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (first,) = [block for block in blocks if block.startswith("import torch, tsgu")]
    (transforms,) = [block for block in blocks if "def attention" in block]
    names = {}
    exec(first, names)  # noqa: S102
    exec(transforms, names)  # noqa: S102
    values, B = names["values"].detach(), names["B"].detach()
    rows = torch.tensor([0, 0, 1, 2, 2])
    entries = torch.stack([rows, names["coordinates"]])
    assert names["gradient"].shape == values.shape

    def reference(v):
        weights = oracle.softmax(entries, v, (3, 3), -1)
        return oracle.dense(entries, weights, (3, 3)) @ B

    expected = func.grad(lambda v: reference(v).square().sum())(values)
    oracle.assert_close(names["gradient"], expected)
    oracle.assert_close(names["result"].detach(), reference(values))


# ===-- What is kept from call to call -----------------------------------------===#


def by_a_new_handle(a, rtol):
    values, b = (a * a).view(1), (a**5).view(1, 1)
    matrix = tsgu.csr(torch.tensor([0, 1]), torch.tensor([0]), values, (1, 1))
    return tsgu.sparse_generic_solve(matrix, b, rtol=rtol).sum()


def by_a_new_dense_pattern(a, rtol):
    return tsgu.utils.gmres((a * a).view(1, 1), (a**5).view(1), rtol=rtol).sum()


@pytest.mark.parametrize("solve", [by_a_new_handle, by_a_new_dense_pattern])
@pytest.mark.parametrize("mode", ["transform", "inference"])
def test_what_is_first_made_in_a_mode_serves_without_it(solve, mode):
    linear_solve._full.cache_clear()
    a = torch.tensor(2.0, dtype=torch.float64)
    # A tolerance of its own, so that the handle is new.
    solve = functools.partial(solve, rtol=1e-14 if mode == "transform" else 1.1e-14)
    if mode == "transform":
        assert func.jacfwd(func.jacfwd(solve))(a).item() == pytest.approx(6 * 2.0)
    else:
        with torch.inference_mode():
            assert solve(a).item() == pytest.approx(2.0**3)
    leaf = a.clone().requires_grad_()
    solve(leaf).backward()
    assert leaf.grad.item() == pytest.approx(3 * 2.0**2)
    for outer in (func.jacfwd, func.jacrev):
        for inner in (func.jacfwd, func.jacrev):
            assert outer(inner(solve))(a).item() == pytest.approx(6 * 2.0)
