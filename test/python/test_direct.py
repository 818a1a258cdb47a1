"""Direct solves: the surface of sparse_solver and torch_sparse_solve, and the methods behind it."""

import re
import sys
import threading
import warnings

import hypothesis
import pytest
import scipy.sparse
import torch
from hypothesis import strategies

import matrices
import oracle
import tsgu
from matrices import right_side
from tsgu.direct import Solve, SparseSolve, SparseSolver, solve

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]
METHODS = ["lu", "cholesky"]


def definite(kind, n, dtype=torch.float64, per_row=2):
    """A Hermitian positive definite matrix, or a ragged batch, of a kind of `matrices`."""
    A = matrices.invertible("ragged coo" if kind in matrices.BATCHES else "coo", n, dtype, per_row)
    dense = A.to_dense() / 4
    stored = dense != 0
    dense = dense + dense.mH + 8 * torch.eye(n, dtype=dtype)
    if kind not in matrices.BATCHES:
        sparse = dense.to_sparse_coo()
        if kind == "uncoalesced":  # every entry in two halves, the last first
            indices, values = sparse.indices().flip(1), sparse.values().flip(0) / 2
            both = torch.cat([indices, indices], 1), torch.cat([values, values])
            return torch.sparse_coo_tensor(*both, dense.shape)
        if kind == "coo":
            return sparse
        sparse = sparse.to_sparse_csr()
        index = torch.int32 if "32" in kind else torch.int64
        rows, columns = sparse.crow_indices().to(index), sparse.col_indices().to(index)
        return torch.sparse_csr_tensor(rows, columns, sparse.values(), dense.shape)
    if "csr" not in kind:
        return dense.to_sparse_coo()
    # One pattern: the items of a batch of CSR have as many entries.
    stored = (stored | stored.mT).any(0).expand(dense.shape)
    sparse = torch.where(stored, dense, 0)
    pattern = stored[0].double().to_sparse_csr()
    index = torch.int32 if "32" in kind else torch.int64
    return torch.sparse_csr_tensor(
        pattern.crow_indices().to(index).expand(len(dense), -1).contiguous(),
        pattern.col_indices().to(index).expand(len(dense), -1).contiguous(),
        sparse[stored].view(len(dense), -1),
        dense.shape,
    )


def matrix_for(method, kind, n, dtype=torch.float64):
    return definite(kind, n, dtype) if method == "cholesky" else matrices.invertible(kind, n, dtype)


def assert_gradients(function, A, B):
    for pair in oracle.with_gradients(function, oracle.solve, A, B):
        oracle.assert_close(*pair, terms=1 << 10)


# ===-- The method behind sparse_generic_solve --------------------------------===#


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
@pytest.mark.parametrize("method", METHODS)
def test_values_and_gradients(method, kind, dtype):
    A = matrix_for(method, kind, 12, dtype)
    for columns in (1, 3, 20):
        B = right_side(A, columns)
        assert_gradients(lambda A, B: tsgu.sparse_generic_solve(A, B, method), A, B)
    b = right_side(A)[..., 0]
    x = tsgu.sparse_generic_solve(A, b, method)
    oracle.assert_close(x, torch.linalg.solve(A.to_dense(), b), terms=1 << 10)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "ragged coo", "batched csr64"])
@pytest.mark.parametrize("method", METHODS)
def test_third_order(method, kind, dtype):
    A = matrix_for(method, kind, 4, dtype)
    values, B = oracle.stored_values(A).requires_grad_(), right_side(A).requires_grad_()
    indices = oracle.indices_of(A)

    def ours(values, B):
        X = tsgu.sparse_generic_solve(matrices.rebuild(A, values), B, method)
        return X * X.conj() + X

    def reference(values, B):
        X = torch.linalg.inv(oracle.dense(indices, values, A.shape)) @ B
        return X * X.conj() + X

    oracle.assert_same_derivatives(ours, reference, (values, B), order=3, terms=1 << 18)


@pytest.mark.parametrize("method", METHODS)
def test_in_transforms(method):
    A = matrix_for(method, "csr64", 5)
    values, B, make = oracle.stored_values(A), right_side(A), matrices.maker(A)
    indices = oracle.indices_of(A)

    def ours(values, B):
        return tsgu.sparse_generic_solve(make(values), B, method).sin().sum()

    def reference(values, B):
        return (torch.linalg.inv(oracle.dense(indices, values, A.shape)) @ B).sin().sum()

    many = values * (1 + torch.arange(3.0, dtype=torch.float64)[:, None])
    tangents = values.cos(), B.cos()
    if method == "cholesky":  # along which A stays what it is
        tangents = 0.5 * values, B.cos()
    for transform in (
        lambda f: torch.func.hessian(f)(values, B),
        lambda f: torch.func.jvp(f, (values, B), tangents),
        lambda f: torch.func.vmap(torch.func.grad(f, (0, 1)), (0, None))(many, B),
    ):
        leaves = torch.utils._pytree.tree_leaves
        for left, right in zip(leaves(transform(ours)), leaves(transform(reference)), strict=True):
            oracle.assert_close(left, right, terms=1 << 14)
    compiled = torch.compile(ours, fullgraph=True)(values, B)
    oracle.assert_close(compiled, reference(values, B))


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    n=strategies.integers(0, 9),
    density=strategies.floats(0, 1),
    seed=strategies.integers(0, 1 << 30),
    method=strategies.sampled_from(METHODS),
)
def test_any_pattern(n, density, seed, method):
    """Empty rows and matrices, duplicates: solved as by SciPy, or refused."""
    generator = torch.Generator().manual_seed(seed)
    indices = matrices.random_indices(n, n, density, generator=generator)
    values = torch.randn(indices.shape[1], dtype=torch.float64, generator=generator)
    if method == "cholesky":
        indices = torch.cat([indices, indices.flip(0)], 1)
        values = torch.cat([values, values])
        values = torch.where(indices[0] == indices[1], values.abs() * 10, values)
    A = torch.sparse_coo_tensor(indices, values, (n, n))
    dense, B = A.to_dense(), torch.ones(n, 2, dtype=torch.float64)
    condition = torch.linalg.cond(dense).item() if n else 1
    good = condition < 1e12
    if method == "cholesky" and n:
        good = good and torch.linalg.eigvalsh(dense).min().item() > 1e-12
    if 1e12 <= condition < 1e18:
        return  # singular or not, to working precision
    if not good:
        with pytest.raises(tsgu.SingularMatrixError):
            tsgu.sparse_generic_solve(A, B, method)
        return
    x = tsgu.sparse_generic_solve(A, B, method, on_fail="raise")
    close = {"rtol": 1e-12 * condition, "atol": 1e-12 * condition}
    torch.testing.assert_close(x, torch.linalg.solve(dense, B), **close)


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_arrays_of_scipy(make):
    A = definite("csr64", 9).to_dense()
    for function in (solve, SparseSolver.apply):
        x = function(make(A.numpy()), torch.ones(9, dtype=torch.float64))
        oracle.assert_close(A @ x, torch.ones(9, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["csc32", "bsr", "bsc"])
def test_other_layouts(kind):
    A = matrices.OTHERS[kind](12, 12, torch.float64)
    values = oracle.stored_values(A)
    n = torch.arange(12)
    diagonal = torch.sparse_coo_tensor(torch.stack([n, n]), torch.full((12,), 9.0).double())
    assert values.numel() > 0
    dense = A.to_dense() + diagonal.to_dense()
    blocks = {"bsr": (2, 3), "bsc": (2, 3)}.get(kind)
    layout = {"csc32": torch.sparse_csc, "bsr": torch.sparse_bsr, "bsc": torch.sparse_bsc}[kind]
    A = dense.to_sparse(layout=layout, blocksize=blocks)
    B = right_side(dense)
    oracle.assert_close(solve(A, B), torch.linalg.solve(dense, B))


# ===-- Factors ----------------------------------------------------------------===#


def factorizations():
    return tsgu.show_config()["factorizations"]


@pytest.mark.parametrize("kind", matrices.ALL)
@pytest.mark.parametrize("method", METHODS)
def test_one_factorization_serves_every_order(method, kind):
    A = matrix_for(method, kind, 8)
    A = (A * (2 + list(matrices.ALL).index(kind))).requires_grad_()  # no other test's
    B = right_side(A).requires_grad_()
    items = len(A) if A.dim() == 3 else 1
    before = factorizations()
    X = tsgu.sparse_generic_solve(A, B, method)
    assert factorizations() == before + items
    gradients = torch.autograd.grad(X.square().sum(), (A, B), create_graph=True)
    functional = tsgu.values(gradients[0]).square().sum() + gradients[1].square().sum()
    torch.autograd.grad(functional, (A, B))
    tsgu.sparse_generic_solve(A.detach(), B.detach()[..., :1], method)
    assert factorizations() == before + items


def test_the_oldest_factors_go_and_are_made_again():
    A = definite("coo", 40)
    values = A.values()
    b = torch.ones(40, dtype=torch.float64)
    losses, leaves = [], []
    for k in range(200):
        leaf = (values * (1 + k)).requires_grad_()
        leaves.append(leaf)
        losses.append(SparseSolver.apply(tsgu.coo(A.indices(), leaf, A.shape), b).square().sum())
    sum(losses).backward()
    for k, leaf in enumerate(leaves):
        oracle.assert_close(leaf.grad * (1 + k) ** 3, leaves[0].grad)


@pytest.mark.parametrize("apply", [SparseSolver.apply, solve])
def test_two_live_matrices(apply):
    """sparse_solver keeps one factor for the process, and takes it for every gradient."""
    first, second = (definite("coo", 7).requires_grad_() for _ in range(2))
    second = (3 * second.detach()).requires_grad_()
    b = torch.randn(7, dtype=torch.float64)
    x, y = apply(first, b), apply(second, b)
    (x.square().sum() + y.sin().sum()).backward()
    for A, function in ((first, torch.square), (second, torch.sin)):
        values = oracle.stored_values(A).requires_grad_()
        dense = oracle.dense(oracle.indices_of(A), values, A.shape)
        function(torch.linalg.solve(dense, b)).sum().backward()
        oracle.assert_close(A.grad._values(), values.grad)


def test_many_threads():
    failures = []

    def work(seed):
        try:
            generator = torch.Generator().manual_seed(seed)
            A = base.detach().clone()
            for _ in range(20):
                scale = 1 + torch.rand((), generator=generator, dtype=torch.float64)
                leaf = (A * scale).requires_grad_()
                b = torch.randn(30, generator=generator, dtype=torch.float64)
                x = SparseSolver.apply(leaf, b)
                x.sum().backward()
                assert (leaf.detach().to_dense() @ x.detach() - b).abs().max() < 1e-13
                y = torch.linalg.solve(leaf.detach().to_dense(), torch.ones_like(b))
                expected = -torch.outer(y, x.detach())
                found = leaf.grad.to_dense()
                assert (found - expected.where(found != 0, 0)).abs().max() < 1e-12
        except BaseException as error:
            failures.append(error)

    base = definite("coo", 30)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


# ===-- sparse_solver ------------------------------------------------------------===#


def test_names():
    assert SparseSolve is SparseSolver is tsgu.SparseSolver is tsgu.SparseSolve
    assert issubclass(SparseSolver, torch.autograd.Function)
    assert issubclass(Solve, torch.autograd.Function)


def test_under_the_names_of_the_libraries():
    before = dict(sys.modules)
    try:
        tsgu.install_as("sparse_solver")
        tsgu.install_as("torch_sparse_solve")
        import sparse_solver
        import torch_sparse_solve

        assert sparse_solver.SparseSolver is SparseSolver
        assert (torch_sparse_solve.solve, torch_sparse_solve.Solve) == (solve, Solve)
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6,), (6, 4), (3, 6, 2), (2, 3, 6, 2), (0, 6, 2), (6, 0)])
def test_shapes_of_right_hand_sides(shape, dtype):
    A = definite("coo", 6, dtype).requires_grad_()
    B = torch.randn(shape, dtype=dtype, requires_grad=True)
    for function in (SparseSolver.apply, Solve.apply):
        before = factorizations()
        X = function(A, B)
        assert X.shape == shape and X.dtype == dtype
        values = oracle.stored_values(A).requires_grad_()
        b = B.detach().requires_grad_()
        dense = oracle.dense(oracle.indices_of(A), values, A.shape)
        expected = torch.linalg.solve(dense, b)
        weight = torch.randn_like(expected)
        left = torch.autograd.grad(X, (A, B), weight)
        right = torch.autograd.grad(expected, (values, b), weight)
        assert factorizations() <= before + 1
        pairs = (X, expected), (left[0]._values(), right[0]), (left[1], right[1])
        for actual, reference in pairs:
            oracle.assert_close(actual.detach(), reference.detach(), terms=256)


def test_gradcheck_of_symmetric_parameters():
    A = definite("coo", 5)
    indices, n = A.indices(), 5
    place = {pair: k for k, pair in enumerate(map(tuple, indices.T.tolist()))}
    mirror = torch.tensor([place[j, i] for i, j in indices.T.tolist()])

    def function(values, b):
        values = (values + values[mirror]) / 2
        return SparseSolver.apply(tsgu.coo(indices, values, (n, n)), b)

    inputs = A.values().clone().requires_grad_(), torch.randn(5, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


def test_gradcheck_of_a_general_matrix():
    A = matrices.invertible("ragged coo", 4)

    def function(values, b):
        return solve(tsgu.coo(A.indices(), values, A.shape), b)

    inputs = A.values().clone().requires_grad_(), right_side(A).requires_grad_()
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


def test_a_dense_matrix_by_its_nonzeros():
    A = definite("coo", 6).to_dense().requires_grad_()
    b = torch.randn(6, dtype=torch.float64)
    x = SparseSolver.apply(A, b)
    x.square().sum().backward()
    other = A.detach().clone().requires_grad_()
    torch.linalg.solve(other, b).square().sum().backward()
    oracle.assert_close(x.detach(), torch.linalg.solve(other, b).detach())
    oracle.assert_close(A.grad, other.grad.where(other != 0, 0))


def test_what_cannot_be_meant():
    b = torch.ones(3, dtype=torch.float64)

    def apply(rows):
        return SparseSolver.apply(torch.tensor(rows, dtype=torch.float64).to_sparse(), b)

    upper = [[4.0, 1, 0], [0, 4, 1], [0, 0, 4]]
    text = "entry (0, 1) is 1, entry (1, 0) is not stored; store both triangles"
    with pytest.raises(ValueError, match=re.escape(text)):
        apply(upper)
    with pytest.raises(ValueError, match=r"entry \(1, 2\) is 3, entry \(2, 1\) is 1"):
        apply([[4.0, 0, 0], [0, 4, 3], [0, 1, 4]])
    with pytest.raises(tsgu.SingularMatrixError, match='not positive definite.*row 1.*"lu"'):
        apply([[1.0, 0, 0], [0, -2, 0], [0, 0, 1]])
    with pytest.raises(tsgu.SingularMatrixError, match="not positive definite.*row 2 is not st"):
        apply([[1.0, 0, 0], [0, 2, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="row 1, column 1: nan"):
        apply([[1.0, 0, 0], [0, float("nan"), 0], [0, 0, 1]])


# ===-- torch_sparse_solve -------------------------------------------------------===#


@pytest.mark.parametrize("kind", matrices.BATCHES)
def test_batches(kind):
    """Patterns that differ and entries that repeat, which torch_sparse_solve reshapes blindly."""
    A = matrices.invertible(kind, 9)
    assert_gradients(solve, A, right_side(A, 4))
    b = right_side(A)[..., 0]
    oracle.assert_close(Solve.apply(A, b), torch.linalg.solve(A.to_dense(), b))


def test_an_item_that_is_singular_is_named():
    A = matrices.invertible("ragged coo", 5)
    indices, values = A.indices(), A.values().clone()
    values[(indices[0] == 2) & (indices[1] == 3)] = 0
    A = torch.sparse_coo_tensor(indices, values, A.shape)
    with pytest.raises(tsgu.SingularMatrixError, match="row 3 of item 2.*sparse_generic_lstsq"):
        solve(A, right_side(A))


TEXTS = {
    "'A' should be a batch of square 2D sparse matrices with shape (b, m, m).": [
        lambda A, b: (A[0].to_dense()[:2].to_sparse(), b[0]),
        lambda A, b: (A.values(), b),
        lambda A, b: (None, b),
    ],
    "'b' should be a batch of matrices with shape (b, m, n).": [
        lambda A, b: (A, b[0]),
        lambda A, b: (A, b[:, :2]),
        lambda A, b: (A, b[0, 0, 0]),
        lambda A, b: (A[0], b[0, :2]),
        lambda A, b: (A[0], b[:, :2]),
        lambda A, b: (A, b.tolist()),
    ],
    "'A' should be a sparse float64 tensor.": [
        lambda A, b: (A.to_dense(), b),
        lambda A, b: (A.to(torch.int64), b),
        lambda A, b: (A.half(), b),
    ],
    "'b' should be a float64 tensor.": [
        lambda A, b: (A, b.long()),
        lambda A, b: (A, b.to_sparse()),
    ],
}
REFUSALS = [(text, make) for text, makers in TEXTS.items() for make in makers]


@pytest.mark.parametrize("text,make", REFUSALS)
@pytest.mark.parametrize("function", [solve, Solve.apply, SparseSolver.apply])
def test_refusals(function, text, make):
    A, b = make(definite("ragged coo", 4), torch.ones(3, 4, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        function(A, b)


def test_b_of_another_dtype_is_converted():
    A = definite("coo", 4)
    with pytest.warns(UserWarning, match="b torch.float32, which is converted"):
        assert solve(A, torch.ones(4)).dtype == torch.float64


# ===-- Outcomes and options -------------------------------------------------------===#


@pytest.mark.parametrize("method", METHODS)
def test_what_a_solve_reports(method):
    A = definite("csr64", 20)
    B = right_side(A, 3)
    X, info = tsgu.sparse_generic_solve(A, B, method, return_info=True)
    assert (info.method, info.converged, info.reasons) == (method, True, ("converged",) * 3)
    residuals = torch.linalg.vector_norm(B - A.to_dense() @ X, dim=0)
    assert (info.residuals <= info.goals).all() and (info.goals < 1e-11).all()
    torch.testing.assert_close(info.residuals, residuals, rtol=0, atol=1e-14)
    B[3, 1] = torch.nan
    with pytest.warns(tsgu.ConvergenceWarning, match="met NaN or infinity.*right-hand side"):
        X, info = tsgu.sparse_generic_solve(A, B, method, return_info=True)
    assert info.reasons == ("converged", "not finite", "converged")
    with pytest.raises(tsgu.ConvergenceError):
        tsgu.sparse_generic_solve(A, B, method, on_fail="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tsgu.sparse_generic_solve(A, B, method, on_fail="ignore")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "option",
    [
        {"preconditioner": "jacobi"},
        {"maxiter": 3},
        {"restart": 3},
        {"x0": torch.zeros(4, 1, dtype=torch.float64)},
        {"callback": print},
    ],
)
def test_options_of_iterations_are_refused(method, option):
    A = definite("coo", 4)
    (name,) = option
    with pytest.raises(ValueError, match=f"'{method}' does not iterate, and takes no {name}"):
        tsgu.sparse_generic_solve(A, right_side(A, 1), method, **option)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype,least,most", [(torch.float64, -200, 200), (torch.float32, -30, 30)])
def test_scales(method, dtype, least, most):
    """Right-hand sides, cotangents and matrices of any size."""
    A = matrix_for(method, "csr64", 12, dtype)
    B, G = right_side(A), right_side(A)
    expected = tsgu.sparse_generic_solve(A, B, method)
    adjoint = tsgu.sparse_generic_solve(A.to_dense().mH.to_sparse(), G, method)
    for size in (least, 0, most):
        for right in (least, 0, most):
            if abs(right - size) > most:
                continue
            b = (B * 10.0**right).requires_grad_()
            scaled = A * 10.0**size
            X = tsgu.sparse_generic_solve(scaled, b, method, on_fail="raise")
            oracle.assert_close(X.detach() * 10.0**size / 10.0**right, expected, terms=256)
            if abs(right + size) > most:
                continue
            (gradient,) = torch.autograd.grad(X, b, G * 10.0**right)
            oracle.assert_close(gradient * 10.0**size / 10.0**right, adjoint, terms=256)


@pytest.mark.parametrize("method", METHODS)
def test_a_handle(method):
    A = definite("csr32", 6)
    pattern, handle = tsgu.Pattern.of(A), tsgu.solver(method)
    B = right_side(A)
    X = tsgu.operator("solve")(pattern, handle, A.values(), B)
    oracle.assert_close(X, torch.linalg.solve(A.to_dense(), B))


@pytest.mark.parametrize("method", METHODS)
def test_not_for_least_squares(method):
    A = matrices.csr(5, 3)
    with pytest.raises(ValueError, match="does not do least squares"):
        tsgu.operator("least_squares")(
            tsgu.Pattern.of(A), tsgu.solver(method), A.values(), right_side(A)
        )
