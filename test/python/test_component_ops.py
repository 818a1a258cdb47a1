"""The operators in torch.ops.tsgu: opcheck, torch.compile, export."""

import pytest
import torch

import matrices
import oracle
import tsgu
from tsgu._programs.program import library_signatures

PATHS = list(library_signatures())
# They order entries, or tell a sign.
REAL = ("amax", "amin", "log_softmax", "logsumexp", "sign_det", "softmax")


def sizes(signature, batched):
    """Sizes for the names in a signature: n rows, m columns as the pattern has them."""
    items = {"csr64": (5, 6), "batched": (3, 5, 6)}["batched" if batched else "csr64"]
    tensors = [*signature.operands, signature.result]
    known = {}
    for info in tensors:
        if info.pattern >= 0:
            known.update(zip(info.shape, items, strict=True))
    for info in tensors:
        for name in info.shape:
            known.setdefault(name, 3)
    return known


SOLVERS = {
    **{"triangular_solve": "triangular", "solve": "gmres", "least_squares": "lsmr"},
    **{"half_solve": "cholesky", "inverse_on_pattern": "lu", "selected_inverse": "lu"},
    **{"logdet": "cholesky", "sign_det": "lu"},
}
# Of these the matrix gives no gradient: there is no program of it.
CONSTANT = ("half_solve", "inverse_on_pattern/vjp", "inverse_on_pattern/batch/vjp")
CONSTANT += ("selected_inverse/vjp", "selected_inverse/batch/vjp")
DEFINITE = ("adjoint", "half_solve", "inverse_on_pattern", "logdet")  # of a symmetric pattern


def solver_of(path):
    """The method of a program with a solver operand, else None."""
    base = path.split("/")[0]
    for suffix in ("_transposed", "_row", "_adjoint"):
        base = base.removesuffix(suffix)
    return SOLVERS.get(base)


def system(path, batched, dtype, index):
    """Sizes by name, and a matrix that can be solved with: square, tall or wide."""
    width = "32" if index == torch.int32 else "64"
    make = matrices.definite if path.startswith(DEFINITE) else matrices.invertible
    A = make(f"batched csr{width}" if batched else f"csr{width}", 5, dtype)
    signature = library_signatures()[path]
    tensors = [*signature.operands, signature.result]
    known = {}
    for info in tensors:
        if info.pattern >= 0:
            known.update(zip(info.shape, A.shape, strict=True))
    for info in tensors:  # whose rows may have a name of their own
        for name, extent in zip(info.shape[::-1], (3, 5, 3), strict=False):
            known.setdefault(name, extent)
    return known, A


def arguments(path, dtype, index, requires_grad):
    """Arguments of the operator of a program of the library with one pattern."""
    signature = library_signatures()[path]
    batched = signature.patterns[0][1] == 3
    make = matrices.batched_csr if batched else matrices.csr
    A = make(3, 5, 6, dtype, index) if batched else make(5, 6, dtype, index)
    known = sizes(signature, batched)
    method = solver_of(path)
    is_square = method is not None or path.startswith(DEFINITE)
    if is_square:
        known, A = system(path, batched, dtype, index)
    operands = []
    for info in signature.operands:
        if info.solver:
            operands.append(tsgu.solver(method, on_fail="ignore"))
            continue
        if info.pattern >= 0 and is_square:
            operand = A.values().reshape(-1).clone()
        elif info.pattern >= 0:
            operand = torch.rand(A.values().numel(), dtype=dtype)
        else:
            operand = torch.randn([known[name] for name in info.shape], dtype=dtype)
        constant = info.name == "A" and path.startswith(CONSTANT)
        operands.append(operand.requires_grad_(requires_grad and not constant))
    return A.crow_indices(), A.col_indices(), A.shape[-1], *operands


def operator(path):
    return getattr(torch.ops.tsgu, path.replace("/", "_")).default


KINDS = [
    (torch.float32, torch.int32),
    (torch.float32, torch.int64),
    (torch.float64, torch.int32),
    (torch.float64, torch.int64),
    (torch.complex64, torch.int64),
    (torch.complex128, torch.int32),
]


def checks():
    """Every program with every kind of operand; of solves, the derived ones with one each."""
    for path in PATHS:
        if solver_of(path) is None:
            yield from ((path, *kind, grad) for kind in KINDS for grad in (False, True))
        elif "vjp" in path:
            yield path, torch.float64, torch.int64, True
        else:
            yield from ((path, *kind, True) for kind in (KINDS[0], KINDS[3], KINDS[5]))


@pytest.mark.parametrize("path,dtype,index,requires_grad", list(checks()))
def test_opcheck(path, dtype, index, requires_grad):
    if dtype.is_complex and path.startswith(REAL):
        with pytest.raises(tsgu.CompileError, match="no complex form"):
            operator(path)(*arguments(path, dtype, index, False))
        return
    given = arguments(path, dtype, index, requires_grad)
    outcome = torch.library.opcheck(operator(path), given)
    assert len(outcome) == 4 and set(outcome.values()) == {"SUCCESS"}


@pytest.mark.parametrize("path", PATHS)
def test_same_as_the_eager_operator(path):
    given = arguments(path, torch.float64, torch.int64, False)
    pattern = tsgu.Pattern.csr(*given[:3])
    assert torch.equal(operator(path)(*given), tsgu.operator(path)(pattern, *given[3:]))


def pattern_and_operands(dtype=torch.float64):
    A = matrices.csr(7, 6, dtype)
    values = A.values().clone().requires_grad_()
    B = torch.randn(6, 4, dtype=dtype, requires_grad=True)
    return A, values, B


def assert_same_gradients(function, reference, inputs):
    actual, expected = function(*inputs), reference(*inputs)
    oracle.assert_close(actual.detach(), expected.detach())
    weight = torch.randn_like(expected)
    for left, right in zip(
        torch.autograd.grad(actual, inputs, weight),
        torch.autograd.grad(expected, inputs, weight),
        strict=True,
    ):
        oracle.assert_close(left, right, terms=1024)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compile_of_an_operator(backend):
    A, values, B = pattern_and_operands()
    spmm, indices = tsgu.operator("spmm"), oracle.indices_of(A)
    positions, coordinates = A.crow_indices(), A.col_indices()

    @torch.compile(fullgraph=True, backend=backend)
    def compiled(values, B):
        pattern = tsgu.Pattern.csr(positions, coordinates, 6)
        return spmm(pattern, values.sin(), B).tanh()

    assert_same_gradients(
        compiled,
        lambda v, b: oracle.spmm(indices, v.sin(), A.shape, b).tanh(),
        (values, B),
    )


def test_compile_with_a_pattern_from_outside():
    A, values, B = pattern_and_operands()
    pattern, indices = tsgu.Pattern.of(A), oracle.indices_of(A)
    spmm, softmax = tsgu.operator("spmm"), tsgu.operator("softmax")

    @torch.compile(fullgraph=True, backend="aot_eager")
    def attention(values, B):
        return spmm(pattern, softmax(pattern, values), B)

    def reference(values, B):
        weights = oracle.softmax(indices, values, A.shape, -1)
        return oracle.spmm(indices, weights, A.shape, B)

    assert_same_gradients(attention, reference, (values, B))


@pytest.mark.parametrize("kind", ["coo", "ragged coo"])
def test_compile_with_a_coo_pattern(kind):
    A = matrices.ALL[kind](5, 6, torch.float64)
    indices = oracle.indices_of(A)
    values = oracle.stored_values(A).requires_grad_()
    *items, _, columns = A.shape
    B = torch.randn(*items, columns, 2, dtype=torch.float64, requires_grad=True)
    pattern = tsgu.Pattern.of(A)
    spmm = tsgu.operator("spmm/batch" if items else "spmm")
    compiled = torch.compile(spmm.call, fullgraph=True, backend="aot_eager")
    assert_same_gradients(
        lambda v, b: compiled((pattern,), v, b),
        lambda v, b: oracle.spmm(indices, v, A.shape, b),
        (values, B),
    )


def test_dynamic_shapes_do_not_recompile_for_ever():
    spmm = tsgu.operator("spmm")
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, backend=counter)
    def compiled(positions, coordinates, values, B):
        return spmm(tsgu.Pattern.csr(positions, coordinates, B.shape[0]), values, B)

    for rows, columns in [(5, 4), (9, 7), (12, 3), (6, 11), (20, 8)]:
        A = matrices.csr(rows, columns, density=0.5)
        B = torch.randn(columns, 3, dtype=torch.float64)
        result = compiled(A.crow_indices(), A.col_indices(), A.values().clone(), B)
        oracle.assert_close(result, A.to_dense() @ B)
    assert counter.frame_count <= 3


def test_sparse_mm_in_a_compiled_function():
    """torch.compile takes no sparse tensors: the call runs outside of its graph."""
    A, _, B = pattern_and_operands()
    A.requires_grad_()

    @torch.compile(backend="aot_eager")
    def compiled(A, B):
        return tsgu.sparse_mm(A, B).sin()

    result = compiled(A, B)
    oracle.assert_close(result.detach(), (A.to_dense() @ B).sin().detach())
    result.sum().backward()
    assert A.grad.layout is torch.sparse_csr


def test_second_derivative_of_a_registered_operator():
    A, values, B = pattern_and_operands()
    indices = oracle.indices_of(A)
    oracle.assert_same_derivatives(
        lambda v, b: torch.ops.tsgu.spmm(A.crow_indices(), A.col_indices(), 6, v, b) ** 2,
        lambda v, b: oracle.spmm(indices, v, A.shape, b) ** 2,
        (values, B),
        order=3,
    )


def test_export():
    A, values, B = pattern_and_operands()

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("positions", A.crow_indices().clone())
            self.register_buffer("coordinates", A.col_indices().clone())
            self.values = torch.nn.Parameter(A.values().clone())

        def forward(self, B):
            pattern = tsgu.Pattern.csr(self.positions, self.coordinates, B.shape[0])
            return tsgu.operator("spmm")(pattern, self.values, B)

    program = torch.export.export(Model(), (B.detach(),))
    assert any("tsgu.spmm" in str(node.target) for node in program.graph.nodes)
    oracle.assert_close(program.module()(B).detach(), (A.to_dense() @ B).detach())
