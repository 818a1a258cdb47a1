"""sparse_triangular_solve against dense torch, in every layout, form and order of derivative."""

import functools
import itertools
import subprocess
import sys

import pytest
import torch

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side

DTYPES = [torch.float32, torch.float64]
FORMS = list(itertools.product([False, True], repeat=3))  # upper, unitriangular, transpose
func = torch.func


def reference(indices, values, shape, B, upper, unit, transpose):
    """By LAPACK, from the triangle alone: entries elsewhere have no part and no gradient."""
    A = oracle.dense(indices, values, shape)
    T = A.triu() if upper else A.tril()
    if unit:
        T = T - torch.diag_embed(T.diagonal(dim1=-2, dim2=-1))
        T = T + torch.eye(shape[-1], dtype=T.dtype)
    T = T.mT if transpose else T
    return torch.linalg.solve_triangular(
        T, B, upper=bool(upper) != bool(transpose), unitriangular=bool(unit)
    )


def triangle(kind, n, unit, dtype=torch.float64):
    A = matrices.invertible(kind, n, dtype)
    return matrices.without_diagonal(A) if unit else A


@pytest.mark.parametrize("upper,unit,transpose", FORMS)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_values_and_gradients_of_leaves(kind, upper, unit, transpose):
    for dtype, columns in itertools.product(DTYPES, (1, 3, 17)):
        A = triangle(kind, 9, unit, dtype).requires_grad_()
        B = right_side(A, columns).requires_grad_()
        indices = oracle.indices_of(A)
        values = oracle.stored_values(A).requires_grad_()
        dense = B.detach().requires_grad_()
        X = tsgu.sparse_triangular_solve(A, B, upper, unit, transpose)
        expected = reference(indices, values, A.shape, dense, upper, unit, transpose)
        oracle.assert_close(X.detach(), expected.detach(), terms=256)
        weight = torch.randn_like(expected)
        (X * weight).sum().backward()
        (expected * weight).sum().backward()
        assert A.grad.layout == A.layout and A.grad.shape == A.shape
        assert torch.equal(oracle.indices_of(A.grad), indices)
        oracle.assert_close(oracle.stored_values(A.grad), values.grad, terms=1024)
        oracle.assert_close(B.grad, dense.grad, terms=1024)
        row, column = indices[-2:]
        elsewhere = row > column if upper else row < column
        assert torch.equal(
            oracle.stored_values(A.grad)[elsewhere], torch.zeros(int(elsewhere.sum())).to(dtype)
        )


@pytest.mark.parametrize("upper,unit,transpose", [(0, 0, 0), (1, 0, 1), (1, 1, 0), (0, 1, 1)])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_third_order(kind, upper, unit, transpose):
    A = triangle(kind, 4, unit)
    values = oracle.stored_values(A).requires_grad_()
    B = right_side(A).requires_grad_()
    indices, form = oracle.indices_of(A), (upper, unit, transpose)
    oracle.assert_same_derivatives(
        lambda v, b: tsgu.sparse_triangular_solve(rebuild(A, v), b, *form) ** 2,
        lambda v, b: reference(indices, v, A.shape, b, *form) ** 2,
        (values, B),
        terms=1 << 14,
    )


@pytest.mark.parametrize("kind", ["csr32", "coo", "uncoalesced", "ragged coo"])
def test_gradcheck_and_gradgradcheck(kind):
    case = Case(kind)
    operands = case.values.requires_grad_(), case.B.requires_grad_()
    assert torch.autograd.gradcheck(case.ours, operands, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(case.ours, operands)


def test_one_right_hand_side():
    A = matrices.invertible("csr64", 7).requires_grad_()
    b = torch.randn(7, dtype=torch.float64, requires_grad=True)
    x = tsgu.sparse_triangular_solve(A, b)
    assert x.shape == (7,)
    X = tsgu.sparse_triangular_solve(A, b.unsqueeze(1))
    assert torch.equal(x, X.squeeze(1))
    weight = torch.randn_like(x)
    left = torch.autograd.grad(x, (A, b), weight)
    right = torch.autograd.grad(X, (A, b), weight.unsqueeze(1))
    assert torch.equal(left[0].values(), right[0].values()) and torch.equal(left[1], right[1])


def test_apply_of_the_function():
    A = matrices.invertible("coo", 5)
    B = torch.randn(5, 2, dtype=torch.float64)
    X = tsgu.SparseTriangularSolve.apply(A, B, True, False, False)
    assert torch.equal(X, tsgu.sparse_triangular_solve(A, B))
    assert issubclass(tsgu.SparseTriangularSolve, torch.autograd.Function)


# ===-- Transforms --------------------------------------------------------------===#


class Case:
    def __init__(self, kind, n=4):
        self.A = matrices.invertible(kind, n)
        self.values = oracle.stored_values(self.A)
        self.B = right_side(self.A)
        self.indices = oracle.indices_of(self.A)
        self.pattern = tsgu.Pattern.of(self.A)

    def ours(self, values, B):
        handle = tsgu.solver("triangular", upper=True)
        path = "triangular_solve" if self.A.dim() == 2 else "triangular_solve/batch"
        return tsgu.operator(path)(self.pattern, handle, values, B) ** 2

    def reference(self, values, B):
        return reference(self.indices, values, self.A.shape, B, True, False, False) ** 2

    def compare(self, transform, *operands):
        operands = operands or (self.values, self.B)
        self.assert_tree_close(
            transform(self.ours)(*operands), transform(self.reference)(*operands)
        )

    def assert_tree_close(self, actual, expected):
        if isinstance(expected, torch.Tensor):
            return oracle.assert_close(actual, expected, terms=1 << 14)
        for left, right in zip(actual, expected, strict=True):
            self.assert_tree_close(left, right)


def total(function):
    return lambda v, b: function(v, b).sin().sum()


@pytest.mark.parametrize("kind", ["csr32", "coo", "uncoalesced", "ragged coo", "batched csr64"])
def test_transforms(kind):
    case = Case(kind)
    case.compare(lambda f: func.grad(total(f), argnums=(0, 1)))
    case.compare(lambda f: lambda v, b: func.jvp(f, (v, b), (v.cos(), b.cos())))
    case.compare(lambda f: func.hessian(total(f), argnums=(0, 1)))
    case.compare(lambda f: func.jacfwd(func.jacrev(total(f))))
    for dims in [(0, None), (None, 0), (0, 0)]:
        shifted = [
            x if dim is None else x + 0.1 * torch.randn(3, *x.shape, dtype=x.dtype)
            for x, dim in zip((case.values, case.B), dims, strict=True)
        ]
        case.compare(lambda f, d=dims: func.vmap(f, d), *shifted)
        case.compare(lambda f, d=dims: func.vmap(func.grad(total(f), argnums=(0, 1)), d), *shifted)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compile(backend):
    A = matrices.invertible("csr64", 6)
    values = A.values().clone().requires_grad_()
    B = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    positions, coordinates = A.crow_indices(), A.col_indices()
    handle, solve = tsgu.solver("triangular", upper=True), tsgu.operator("triangular_solve")

    @torch.compile(fullgraph=True, backend=backend)
    def compiled(values, B):
        pattern = tsgu.Pattern.csr(positions, coordinates, 6)
        return solve(pattern, handle, values.exp(), B).tanh()

    indices = oracle.indices_of(A)
    expected = reference(indices, values.exp(), A.shape, B, True, False, False).tanh()
    actual = compiled(values, B)
    oracle.assert_close(actual.detach(), expected.detach(), terms=256)
    weight = torch.randn_like(expected)
    left = torch.autograd.grad(actual, (values, B), weight)
    right = torch.autograd.grad(expected, (values, B), weight)
    for a, b in zip(left, right, strict=True):
        oracle.assert_close(a, b, terms=1024)


# ===-- Matrices without inverse, numbers far from 1 ----------------------------===#


@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo])
def test_singular_matrices_name_the_row(layout):
    A = torch.eye(5, dtype=torch.float64)
    A[3, 3] = 0
    B = torch.ones(5, 2, dtype=torch.float64)
    missing = A.to_sparse(layout=layout)
    stored = A.clone()
    stored[3, 3] = 7
    stored = stored.to_sparse(layout=layout)
    stored.values()[3] = 0
    for matrix in (missing, stored):
        for upper, transpose in itertools.product([False, True], repeat=2):
            with pytest.raises(tsgu.SingularMatrixError, match=r"\b3\b"):
                tsgu.sparse_triangular_solve(matrix, B, upper, transpose=transpose)
    assert issubclass(tsgu.SingularMatrixError, RuntimeError)


STRICT = r"^First input should be strictly triangular \(i.e. unit diagonals is implicit\)"


@pytest.mark.parametrize("upper,transpose", [*itertools.product([False, True], repeat=2)])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_a_stored_diagonal_is_refused_beside_a_unit_one(kind, upper, transpose):
    A = matrices.invertible(kind, 5)
    for columns, needs_grad in itertools.product((1, 2), (False, True)):
        B, leaf = right_side(A, columns), A.detach().requires_grad_(needs_grad)
        with pytest.raises(ValueError, match=f"{STRICT}: the diagonal of row 0"):
            tsgu.sparse_triangular_solve(leaf, B, upper, True, transpose)
        X = tsgu.sparse_triangular_solve(matrices.without_diagonal(leaf), B, upper, True, transpose)
        assert X.shape == B.shape
    path = "triangular_solve_transposed" if transpose else "triangular_solve"
    solve = tsgu.operator(path if A.dim() == 2 else f"{path}/batch")
    handle = tsgu.solver("triangular", upper=upper, unitriangular=True)
    operands = handle, oracle.stored_values(A), right_side(A)
    call = functools.partial(solve, tsgu.Pattern.of(A))
    for run in (call, torch.compile(call, backend="aot_eager")):
        with pytest.raises(ValueError, match=STRICT):
            run(*operands)


def test_one_stored_diagonal_entry_is_named():
    indices = torch.tensor([[1, 2, 3, 3], [0, 2, 0, 1]])
    for shape, where in (((4, 4), "row 2 "), ((3, 4, 4), "row 2 of item 1 ")):
        lead = torch.ones(1, 4, dtype=torch.int64) if len(shape) == 3 else indices[:0]
        A = torch.sparse_coo_tensor(torch.cat([lead, indices]), torch.zeros(4).double(), shape)
        B = torch.ones(*shape[:-1], 2, dtype=torch.float64)
        with pytest.raises(ValueError, match=f"{STRICT}: the diagonal of {where}is stored"):
            tsgu.sparse_triangular_solve(A, B, False, True)


def test_a_singular_item_of_a_batch():
    A = torch.eye(3, dtype=torch.float64).repeat(4, 1, 1)
    A[2, 1, 1] = 0
    with pytest.raises(tsgu.SingularMatrixError):
        tsgu.sparse_triangular_solve(A.to_sparse_coo(), torch.ones(4, 3, 1, dtype=torch.float64))


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_scales_of_the_right_hand_side(size):
    A = matrices.invertible("csr64", 8).requires_grad_()
    B = torch.randn(8, 2, dtype=torch.float64)
    X = tsgu.sparse_triangular_solve(A, B)
    scaled = tsgu.sparse_triangular_solve(A, B * size)
    torch.testing.assert_close(scaled / size, X, rtol=1e-12, atol=0)


@pytest.mark.parametrize("size", [1e-30, 1e30])
@pytest.mark.parametrize("dtype", DTYPES)
def test_scales_of_the_cotangent(dtype, size):
    A = matrices.invertible("csr64", 8, dtype).requires_grad_()
    B = torch.randn(8, 2, dtype=dtype, requires_grad=True)
    X = tsgu.sparse_triangular_solve(A, B)
    weight = torch.randn_like(X)
    one = torch.autograd.grad(X, (A, B), weight, retain_graph=True)
    other = torch.autograd.grad(X, (A, B), weight * size)
    assert other[0].values().isfinite().all() and other[1].isfinite().all()
    torch.testing.assert_close(other[1] / size, one[1], rtol=1e-5, atol=0)
    torch.testing.assert_close(other[0].values() / size, one[0].values(), rtol=1e-4, atol=1e-6)


def test_not_a_number_spreads_and_does_not_hang():
    A = matrices.invertible("csr64", 5)
    B = torch.full((5, 2), torch.nan, dtype=torch.float64)
    assert tsgu.sparse_triangular_solve(A, B).isnan().all()
    values = A.values().clone()
    values[-1] = torch.nan
    broken = torch.sparse_csr_tensor(A.crow_indices(), A.col_indices(), values, A.shape)
    X = tsgu.sparse_triangular_solve(broken, torch.ones(5, 1, dtype=torch.float64), upper=False)
    expected = torch.linalg.solve_triangular(
        broken.to_dense().tril(), torch.ones(5, 1, dtype=torch.float64), upper=False
    )
    oracle.assert_close(X, expected, terms=256)


@pytest.mark.parametrize("columns", [0, 3])
@pytest.mark.parametrize("n", [0, 1])
def test_small(n, columns):
    for layout in (torch.sparse_csr, torch.sparse_coo):
        A = (2 * torch.eye(n, dtype=torch.float64)).to_sparse(layout=layout).requires_grad_()
        B = torch.ones(n, columns, dtype=torch.float64, requires_grad=True)
        X = tsgu.sparse_triangular_solve(A, B)
        assert torch.equal(X, B / 2)
        X.sum().backward()
        assert A.grad._nnz() == n and torch.equal(B.grad, torch.full_like(B, 0.5))


def test_an_empty_unit_triangle_is_the_identity():
    for layout in (torch.sparse_csr, torch.sparse_coo):
        A = torch.zeros(4, 4, dtype=torch.float64).to_sparse(layout=layout).requires_grad_()
        B = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
        X = tsgu.sparse_triangular_solve(A, B, unitriangular=True)
        assert torch.equal(X, B)
        X.sum().backward()
        assert A.grad._nnz() == 0 and torch.equal(B.grad, torch.ones_like(B))


# ===-- Analyses, arguments, processes ------------------------------------------===#


def test_gradients_analyse_nothing_again():
    A = matrices.invertible("csr32", 300, per_row=4)
    values = A.values().clone().requires_grad_()
    B = torch.randn(300, 4, dtype=torch.float64, requires_grad=True)
    sparse = tsgu.csr(A.crow_indices(), A.col_indices(), values, A.shape)
    X = tsgu.sparse_triangular_solve(sparse, B)
    analyses = tsgu.show_config()["solver analyses"]
    gradients = torch.autograd.grad((X**2).sum(), (values, B), create_graph=True)
    torch.autograd.grad(sum((g**2).sum() for g in gradients), (values, B))
    with torch.no_grad():
        values += 0.01
    tsgu.sparse_triangular_solve(sparse.detach(), B)
    assert tsgu.show_config()["solver analyses"] == analyses


def test_errors_in_order():
    csr = matrices.invertible("csr64", 3, torch.float32)
    batch = matrices.invertible("batched csr64", 3, torch.float32)
    B = torch.ones(3, 2)
    wide = matrices.csr(3, 4, torch.float32)
    cases = [
        ((1, B), "Both A and B should be instances of torch.Tensor"),
        ((csr, [[1.0]]), "Both A and B should be instances of torch.Tensor"),
        ((torch.ones(3), B), "Both A and B should be at least 2-dimensional tensors"),
        ((csr, torch.tensor(1.0)), "Both A and B should be at least 2-dimensional tensors"),
        ((batch, torch.ones(3)), "Both A and B should be at least 2-dimensional tensors"),
        ((csr, torch.ones(2, 3, 2)), "A and B must both be 2D or both be 3D tensors"),
        ((batch, B), "A and B must both be 2D or both be 3D tensors"),
        ((torch.ones(3, 3), B), "A should be in either COO or CSR sparse format"),
        ((csr, B.to_sparse_coo()), "B must be a dense (strided) tensor"),
        ((wide, B), "A must be square on its last two dimensions"),
        ((csr, torch.ones(5, 2)), "Incompatible inner dimensions: A[..., 3] vs B[..., 5]"),
        ((csr, torch.ones(5)), "Incompatible inner dimensions: A[..., 3] vs B[..., 5]"),
        ((batch, torch.ones(2, 3, 2)), "If batched, A and B must have the same batch size"),
    ]
    for operands, text in cases:
        with pytest.raises(ValueError) as caught:
            tsgu.sparse_triangular_solve(*operands)
        assert str(caught.value) == text


def test_handles_are_checked():
    A = matrices.invertible("csr64", 3)
    solve, pattern = tsgu.operator("triangular_solve"), tsgu.Pattern.of(A)
    B = torch.ones(3, 1, dtype=torch.float64)
    for handle, error in [
        (torch.zeros(16), TypeError),
        (torch.zeros(15, dtype=torch.int64), ValueError),
        (torch.zeros(16, 1, dtype=torch.int64), ValueError),
        (torch.zeros(32, dtype=torch.int64)[::2], ValueError),
        (torch.full((16,), 99), ValueError),
        (tsgu.solver("cg"), ValueError),
    ]:
        with pytest.raises(error):
            solve(pattern, handle, A.values(), B)


def test_other_devices():
    A = matrices.invertible("csr64", 3, torch.float32)
    with pytest.raises(TypeError, match="CPU"):
        tsgu.sparse_triangular_solve(A, torch.ones(3, 2, device="meta"))
    with pytest.raises(tsgu.PatternError):
        corrupt = torch.sparse_csr_tensor([0, 9, 1, 1], [5], [1.0], (3, 3), check_invariants=False)
        tsgu.sparse_triangular_solve(corrupt, torch.ones(3, 2))


def test_same_bits_for_every_number_of_threads():
    A = matrices.invertible("csr32", 2000, per_row=2)
    B = torch.randn(2000, 8, dtype=torch.float64)
    threads, results = torch.get_num_threads(), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        results.append(tsgu.sparse_triangular_solve(A, B, upper=False))
    torch.set_num_threads(threads)
    assert all(torch.equal(result, results[0]) for result in results)


class Rows(torch.utils.data.Dataset):
    def __init__(self):
        self.A = matrices.invertible("csr64", 40)

    def __len__(self):
        return 8

    def __getitem__(self, k):
        return tsgu.sparse_triangular_solve(self.A, torch.full((40, 2), k + 1.0).double())


def test_workers_of_a_data_loader():
    data = Rows()
    expected = torch.stack([data[k] for k in range(8)])
    loaded = list(torch.utils.data.DataLoader(data, batch_size=8, num_workers=2))
    assert torch.equal(loaded[0], expected)


def test_nothing_is_called_while_python_ends():
    script = (
        "import torch, tsgu\n"
        "A = torch.eye(3).to_sparse_csr().requires_grad_()\n"
        "x = tsgu.sparse_triangular_solve(A, torch.ones(3, 1))\n"
    )
    result = subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", script])
    assert result.returncode == 0
