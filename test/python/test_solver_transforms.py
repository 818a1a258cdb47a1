"""Solves under torch's transforms and compiler, what they cost, and in other processes."""

import os

import pytest
import torch
from run_tools import measure
from solve_tools import NAMES, Case

import matrices
import oracle
import tsgu

func = torch.func


def total(function):
    return lambda v, b: function(v, b).sin().sum()


@pytest.mark.parametrize("kind", ["csr32", "ragged coo"])
@pytest.mark.parametrize("name", NAMES)
def test_functional_transforms(name, kind):
    case = Case(name, kind)
    case.compare(lambda f: func.grad(total(f), argnums=(0, 1)))
    case.compare(lambda f: lambda v, b: func.jvp(f, (v, b), (v.cos(), b.cos())))
    case.compare(lambda f: func.jacrev(f, argnums=(0, 1)))
    case.compare(lambda f: func.jacfwd(f, argnums=(0, 1)))
    case.compare(lambda f: func.hessian(total(f)), terms=1 << 20)


@pytest.mark.parametrize("kind", ["csr64", "ragged coo"])
@pytest.mark.parametrize("name", NAMES)
def test_vmap(name, kind):
    case = Case(name, kind)
    many = case.values + 0.1 * torch.randn(3, *case.values.shape, dtype=torch.float64)
    batch = torch.randn(3, *case.B.shape, dtype=torch.float64)
    for dims, operands in (
        ((0, None), (many, case.B)),
        ((None, 0), (case.values, batch)),
        ((0, 0), (many, batch)),
        ((None, 1), (case.values, batch.movedim(0, 1))),
    ):
        case.compare(lambda f, d=dims: func.vmap(f, d), *operands)
        case.compare(lambda f, d=dims: func.vmap(func.grad(total(f), (0, 1)), d), *operands)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("name", NAMES)
def test_tangents_of_complex_ones(name, dtype):
    case = Case(name, "csr32", dtype)
    case.handle = tsgu.solver(
        **{
            "solve": {"method": "bicgstab"},
            "triangular_solve": {"method": "triangular", "upper": True},
            "triangular_solve_transposed": {"method": "triangular"},
        }.get(name, {"method": "lsmr"}),
        rtol=1e-13 if dtype == torch.complex128 else 1e-6,
        on_fail="ignore",
    )
    case.compare(lambda f: lambda v, b: func.jvp(f, (v, b), (v.cos(), b.cos())))
    many = case.values + 0.1 * torch.randn(3, *case.values.shape, dtype=dtype)
    case.compare(lambda f: func.vmap(f, (0, None)), many, case.B)


@pytest.mark.parametrize("name", NAMES)
def test_forward_over_reverse_gradchecks(name):
    case = Case(name, "csr64")
    operands = case.values.clone().requires_grad_(), case.B.clone().requires_grad_()
    assert torch.autograd.gradcheck(case.ours, operands, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(
        case.ours, operands, check_fwd_over_rev=True, fast_mode=True
    )


@pytest.mark.parametrize("name", NAMES)
def test_opcheck(name):
    case = Case(name, "csr64")
    indices = case.A.coalesce().indices() if case.A.layout is torch.sparse_coo else case.indices
    rows, columns = case.A.shape
    positions = torch.zeros(rows + 1, dtype=torch.int64)
    positions[1:] = torch.bincount(indices[0], minlength=rows).cumsum(0)
    values = case.values.clone().requires_grad_()
    operands = (case.handle, values, case.B.clone().requires_grad_())
    operator = getattr(torch.ops.tsgu, name).default
    torch.library.opcheck(operator, (positions, indices[1].clone(), columns, *operands))
    indices = [positions, indices[1].clone()]
    arguments = name, indices, [0, -1, rows, columns], list(operands)
    torch.library.opcheck(torch.ops.tsgu.apply.default, arguments)


@pytest.mark.parametrize("name", NAMES)
def test_compile(name):
    case = Case(name, "csr64")
    compiled = torch.compile(case.ours, fullgraph=True, backend="aot_eager")
    values, B = case.values.clone().requires_grad_(), case.B.clone().requires_grad_()
    case.compare(lambda f: compiled if f == case.ours else f, values, B)
    weight = torch.randn(case.reference(values, B).shape, dtype=torch.float64)

    def gradients(f):
        call = compiled if f == case.ours else f
        return lambda v, b: torch.autograd.grad(call(v, b), (v, b), weight)

    case.compare(gradients, values, B)


@pytest.mark.parametrize("kind", ["csr32", "ragged coo"])
def test_transforms_of_the_functions(kind):
    """Over the right-hand side of sparse_..._solve(A, B)."""
    A = matrices.invertible(kind, 5)
    B = torch.randn(*A.shape[:-1], 2, dtype=torch.float64)
    batch = torch.randn(3, *B.shape, dtype=torch.float64)
    dense = A.to_dense()

    def lapack(A, B):
        return torch.linalg.solve(A.to_dense(), B)

    for ours, reference in (
        (lambda b: tsgu.sparse_generic_solve(A, b, "gmres", rtol=1e-13), dense),
        (lambda b: tsgu.sparse_generic_solve(A, b, lapack), dense),
        (lambda b: tsgu.sparse_triangular_solve(A, b), dense.triu()),
        (lambda b: tsgu.sparse_generic_lstsq(A, b, rtol=1e-14, on_fail="ignore"), dense),
    ):
        f, g = ours, lambda b, M=reference: torch.linalg.solve(M, b)
        for transform, operand in (
            (lambda f: func.vmap(f), batch),
            (lambda f: func.grad(lambda b: f(b).sin().sum()), B),
            (lambda f: func.vmap(func.grad(lambda b: f(b).sin().sum())), batch),
            (lambda f: func.jacrev(f), B),
            (lambda f: lambda b: func.jvp(f, (b,), (b.cos(),))[1], B),
        ):
            oracle.assert_close(transform(f)(operand), transform(g)(operand), terms=1 << 16)


# ===-- What they cost --------------------------------------------------------===#


def test_nothing_is_analysed_or_set_up_twice():
    A = matrices.invertible("csr32", 200, per_row=2)
    B = torch.randn(200, 3, dtype=torch.float64)

    def counters():
        config = tsgu.show_config()
        return [config["solver analyses"], config["preconditioner setups"]]

    def everything(A, B, solve):
        leaves = A.detach().requires_grad_(), B.detach().requires_grad_()
        X = solve(*leaves)
        first = torch.autograd.grad((X**2).sum(), leaves, create_graph=True)
        torch.autograd.grad((tsgu.values(first[0]) ** 2).sum() + (first[1] ** 2).sum(), leaves)

    def ilu(A, B):
        return tsgu.sparse_generic_solve(A, B, "bicgstab", preconditioner="ilu0")

    for solve in (tsgu.sparse_triangular_solve, ilu):
        everything(A, B, solve)
        before = counters()
        everything(A, 2 * B, solve)
        other = torch.sparse_csr_tensor(
            A.crow_indices().clone(), A.col_indices().clone(), A.values().clone(), A.shape
        )
        everything(other, B, solve)  # other tensors, the same content
        assert counters() == before


STEP = """
import json, sys
import torch, tsgu

n, p, name = 50_000, 128, sys.argv[1]

def matrix(n):
    k = torch.arange(n)
    near, far = (k + 1).clamp(max=n - 1), (k + 57).clamp(max=n - 1)
    rows = torch.cat([k, k, near, k, far])
    columns = torch.cat([k, near, k, far, k])
    size = torch.cat([torch.full((n,), 5.0), torch.ones(4 * n)]).double()
    A = torch.sparse_coo_tensor(torch.stack([rows, columns]), size, (n, n)).coalesce()
    A = A.to_sparse_csr()
    positions, coordinates = A.crow_indices().int(), A.col_indices().int()
    return torch.sparse_csr_tensor(positions, coordinates, A.values(), (n, n))

SOLVES = {
    "triangular": tsgu.sparse_triangular_solve,
    "bicgstab": lambda A, B: tsgu.sparse_generic_solve(A, B, "bicgstab"),
    "callable": lambda A, B: tsgu.sparse_generic_solve(A, B, lambda A, B: B / 5),
}

def step(A, B, weight):
    A.grad = B.grad = None
    X = SOLVES[name](A, B)
    X.backward(weight)
    return X

def operands(n):
    A, B = matrix(n), torch.randn(n, p, dtype=torch.float64)
    return A.requires_grad_(), B.requires_grad_(), torch.randn(n, p, dtype=torch.float64)

step(*operands(1000))             # compiles
A, B, weight = operands(n)
base = read("VmRSS")
peak, _ = peak_of(step, A, B, weight)
print(json.dumps({"peak": peak - base, "entries": A._nnz(), "block": 8 * n * p}))
"""


@pytest.mark.parametrize("name", ["triangular", "bicgstab", "callable"])
def test_peak_of_a_training_step(name):
    """Blocks of n x p, as many as the method keeps, and for each entry far less than p numbers.

    A user's solver takes most of those: the transpose is sorted by torch.
    """
    measured = measure(STEP, name)
    blocks = {"triangular": 4, "bicgstab": 15, "callable": 8}[name]
    allowed = blocks * measured["block"] + 160 * measured["entries"] + (24 << 20)
    assert measured["peak"] <= allowed, measured


# ===-- Other processes -------------------------------------------------------===#


class Solves(torch.utils.data.Dataset):
    """Solves in workers, after the pool and torch's have run in the parent."""

    def __init__(self, n=400):
        self.A = matrices.invertible("csr64", n, per_row=2)

    def __len__(self):
        return 8

    def __getitem__(self, k):
        B = torch.full((400, 3), k + 1.0).double().requires_grad_()
        x = tsgu.sparse_generic_solve(self.A, B, "bicgstab", preconditioner="ilu0")
        y = tsgu.sparse_generic_solve(self.A, B, lambda A, b: b / 4)
        z = tsgu.utils.gmres(lambda V: tsgu.sparse_mm(self.A, V), B.detach())
        return torch.cat([x.detach(), torch.autograd.grad(x.sum() + y.sum(), B)[0], z])


def test_workers_of_a_data_loader():
    data = Solves()
    expected = torch.stack([data[k] for k in range(8)])
    loader = torch.utils.data.DataLoader(data, batch_size=4, num_workers=2)
    loaded = torch.cat(list(loader))
    torch.testing.assert_close(loaded, expected, rtol=1e-6, atol=1e-7)


def test_a_fork_after_the_pool_has_run():
    data = Solves()
    expected = data[3]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)
            torch.testing.assert_close(data[3], expected, rtol=1e-6, atol=1e-7)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    os.close(reader)
    assert os.waitpid(child, 0)[1] == 0
