"""tsgu.Matrix as an argument and result of transforms, compiled graphs and exported programs."""

import io

import pytest
import torch
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

import matrices
import oracle
import tsgu

func = torch.func
KINDS = {**matrices.ALL, **matrices.OTHERS}
NAMES = ["csr32", "coo", "uncoalesced", "csc64", "bsr", "batched csr64", "ragged coo"]


class Case:
    """A function of a matrix and a dense operand, and the same of dense ones by dense torch."""

    def __init__(self, kind, name):
        A = KINDS[kind](4, 6, torch.float64)
        self.name, self.M = name, tsgu.Matrix.of(A)
        self.indices, self.shape = oracle.indices_of(A), tuple(A.shape)
        self.B = torch.randn(*self.shape[:-2], 6, 2, dtype=torch.float64)
        self.C = torch.randn(*self.shape[:-2], 4, 6, dtype=torch.float64)

    def dense(self, values):
        return oracle.dense(self.indices, values, self.shape)

    def ours(self, M, B):
        match self.name:
            case "product":
                return (M @ B) ** 2
            case "from the left":
                return (B.mT @ M.mT) ** 2
            case "turned":
                return M.mT @ (self.C @ B)
            case "weights":
                return tsgu.sparse_softmax(M.with_values(M.values.sin()), -1) @ B

    def reference(self, values, B):
        match self.name:
            case "product":
                return (self.dense(values) @ B) ** 2
            case "from the left":
                return (B.mT @ self.dense(values).mT) ** 2
            case "turned":
                return self.dense(values).mT @ (self.C @ B)
            case "weights":
                values = oracle.softmax(self.indices, values.sin(), self.shape, -1)
                return self.dense(values) @ B


def values_of(tree):
    """The same tree with the values of matrices, of their derivatives, too, in their place."""
    if isinstance(tree, tsgu.Matrix):
        return values_of(tree.values)
    return type(tree)(map(values_of, tree)) if isinstance(tree, (tuple, list)) else tree


def compare(actual, expected):
    actual = values_of(actual)
    if isinstance(expected, torch.Tensor):
        oracle.assert_close(actual.detach(), expected.detach(), terms=1 << 12)
        return
    for pair in zip(actual, expected, strict=True):
        compare(*pair)


def total(f):
    return lambda A, B: f(A, B).sin().sum()


def vjp(f):
    def call(A, B):
        result, pull = func.vjp(f, A, B)
        return result, pull(torch.ones_like(result).cumsum(0))

    return call


def tangent(A):
    return A.with_values(A.values.cos()) if isinstance(A, tsgu.Matrix) else A.cos()


def in_forward_mode(f):
    def call(A, B):
        with forward_ad.dual_level():
            if isinstance(A, tsgu.Matrix):
                A = A.with_values(forward_ad.make_dual(A.values, A.values.cos()))
            else:
                A = forward_ad.make_dual(A, A.cos())
            return forward_ad.unpack_dual(f(A, forward_ad.make_dual(B, B.sin()))).tangent

    return call


TRANSFORMS = {
    "grad": lambda f: func.grad(total(f), argnums=(0, 1)),
    "vjp": vjp,
    "jvp": lambda f: lambda A, B: func.jvp(f, (A, B), (tangent(A), B.cos())),
    "jacrev": lambda f: func.jacrev(f, argnums=(0, 1)),
    "jacfwd": lambda f: func.jacfwd(f, argnums=(0, 1)),
    "hessian": lambda f: func.hessian(total(f), argnums=(0, 1)),
    "grad of grad": lambda f: func.grad(
        lambda A, B: values_of(func.grad(total(f))(A, B)).square().sum()
    ),
    "forward mode": in_forward_mode,
}


CASES = [
    (name, kind)
    for name in ("product", "from the left", "turned", "weights")
    for kind in NAMES
    if (name, kind) != ("weights", "uncoalesced")  # whose duplicates are summed first
]


@pytest.mark.parametrize("name, kind", CASES)
def test_transforms(name, kind):
    case = Case(kind, name)
    for transform in TRANSFORMS.values():
        actual = transform(case.ours)(case.M, case.B)
        compare(actual, transform(case.reference)(case.M.values, case.B))


@pytest.mark.parametrize("name, kind", CASES)
def test_vmap(name, kind):
    """Over the values of matrices, dense operands, or both; of derivatives, too."""
    case = Case(kind, name)
    many = torch.stack([case.M.values, case.M.values.cos(), -case.M.values])
    for in_dims in ((0, None), (None, 0), (0, 0)):
        A = case.M.values if in_dims[0] is None else many
        B = case.B if in_dims[1] is None else torch.stack([case.B, 2 * case.B, case.B.sin()])
        for transform in (lambda f: f, lambda f: func.grad(total(f)), lambda f: func.jacfwd(f)):
            actual = func.vmap(transform(case.ours), in_dims)(case.M.with_values(A), B)
            compare(actual, func.vmap(transform(case.reference), in_dims)(A, B))


def test_results_of_transforms_are_matrices():
    case = Case("csr32", "product")
    gradient = func.grad(total(case.ours))(case.M, case.B)
    assert type(gradient) is tsgu.Matrix and gradient.pattern == case.M.pattern
    turned = func.vmap(lambda M: M.mT)(case.M.with_values(torch.stack([case.M.values] * 3)))
    assert turned.shape == (3, 6, 4) and turned.pattern == case.M.pattern.transposed()
    hessian = func.hessian(total(case.ours))(case.M, case.B)
    assert "Matrix" in repr(hessian) and hessian.values.values.shape == 2 * case.M.values.shape


def test_torch_has_no_sparse_tensor_in_a_transform():
    case = Case("csr32", "product")
    with pytest.raises(TypeError, match="pass the Matrix itself"):
        func.grad(lambda M: tsgu.values(M.to_torch()).sum())(case.M)


# ===-- Graphs -------------------------------------------------------------------------===#


def compiled(f, **options):
    torch._dynamo.reset()
    return torch.compile(f, fullgraph=True, backend="aot_eager", **options)


@pytest.mark.parametrize("name, kind", [case for case in CASES if case[1] != "uncoalesced"])
def test_one_graph(name, kind):
    """With gradients by autograd and by a transform within the graph."""
    case = Case(kind, name)
    f = compiled(case.ours)
    values, B = case.M.values.clone().requires_grad_(), case.B.clone().requires_grad_()
    actual, expected = f(case.M.with_values(values), B), case.reference(values, B)
    compare(actual, expected)
    gradients = [torch.autograd.grad(x.sin().sum(), (values, B)) for x in (actual, expected)]
    compare(*gradients)
    gradient = compiled(lambda A, B: func.grad(total(case.ours))(A, B))(case.M, case.B)
    assert type(gradient) is tsgu.Matrix
    compare(gradient, func.grad(total(case.reference))(case.M.values, case.B))


def test_a_graph_tells_both_products_of_square_matrices_apart():
    A = tsgu.Matrix.of(matrices.csr(3, 3, density=0.6))
    dense, B = A.to_torch().to_dense(), torch.randn(3, 3, dtype=torch.float64)
    f = compiled(lambda A, B: (A @ B, B @ A, torch.matmul(A, B), torch.matmul(B, A), B[0] @ A))
    expected = dense @ B, B @ dense, dense @ B, B @ dense, B[0] @ dense
    compare(f(A, B), expected)


def test_matrices_go_into_graphs_and_come_out():
    A = tsgu.Matrix.of(matrices.csr(3, 4, torch.complex128))

    def f(A):
        other = tsgu.Matrix(
            tsgu.Pattern.csr(A.pattern.positions, A.pattern.coordinates, 4), A.values
        )
        return A, A.mT, A.mH, A.with_values(2 * A.values), A.to(torch.complex64), other

    for actual, expected in zip(compiled(f)(A), f(A), strict=True):
        assert type(actual) is tsgu.Matrix and actual.pattern == expected.pattern
        assert actual.shape == expected.shape
        compare(actual, expected.values)


def test_one_graph_serves_all_values_and_patterns_of_a_size():
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    torch._dynamo.reset()
    f = torch.compile(lambda A, B: A @ B, fullgraph=True, backend=counter)
    B = torch.randn(4, 2, dtype=torch.float64)
    one, other = torch.tensor([0, 2, 3]), torch.tensor([0, 1, 3])
    for positions in (one, one.clone(), other):
        for coordinates in ([0, 3, 1], [0, 1, 2]):
            values = torch.randn(3, dtype=torch.float64)
            pattern = tsgu.Pattern.csr(positions, coordinates, 4)
            compare(f(tsgu.Matrix(pattern, values), B), tsgu.Matrix(pattern, values) @ B)
    assert counter.frame_count == 1
    wider = torch.randn(9, 2, dtype=torch.float64)
    pattern = tsgu.Pattern.csr(one, [0, 8, 1], 9)
    compare(f(tsgu.Matrix(pattern, values), wider), tsgu.Matrix(pattern, values) @ wider)
    assert counter.frame_count == 2


class Product(torch.nn.Module):
    def __init__(self, strict):
        super().__init__()
        self.strict = strict

    def forward(self, A, B):
        # torch returns no pytrees but its own from what it exports strictly.
        sines = A.values.sin()
        return A @ B, sines if self.strict else A.with_values(sines)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", ["csr32", "coo", "csc64", "bsr", "batched csr32"])
def test_export(kind, strict):
    case, other = Case(kind, "product"), Case(kind, "product")
    torch._dynamo.reset()
    program = torch.export.export(Product(strict), (case.M, case.B), strict=strict)
    assert any("tsgu." in str(node.target) for node in program.graph.nodes)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    buffer.seek(0)
    for exported in (program, torch.export.load(buffer)):
        values = case.M.values.cos()
        # An equal pattern in memory of its own.
        product, sines = exported.module()(case.M.with_values(values).to(torch.float64), case.B)
        compare(product, case.dense(values) @ case.B)
        assert strict or (type(sines) is tsgu.Matrix and sines.pattern == case.M.pattern)
        compare(sines, values.sin())
        if other.M.pattern != case.M.pattern:
            with pytest.raises(ValueError, match="Pattern"):
                exported.module()(other.M, case.B)


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
@pytest.mark.parametrize("kind", ["csr32", "coo", "batched csr32"])
def test_make_fx(kind, mode):
    """The pattern is a constant of the graph, whose nodes any process can run."""
    case = Case(kind, "product")
    f = lambda A, B: case.ours(A, B)  # noqa: E731
    made = make_fx(f, tracing_mode=mode, _allow_non_fake_inputs=mode != "real")(case.M, case.B)
    targets = [str(node.target) for node in made.graph.nodes if "tsgu" in str(node.target)]
    assert targets and not any("run" in target for target in targets)
    values = case.M.values.cos()
    compare(made(case.M.with_values(values), case.B), case.reference(values, case.B))
