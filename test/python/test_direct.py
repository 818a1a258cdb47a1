"""The surface of sparse_solver and torch_sparse_solve: tsgu.direct."""

import re
import sys
import threading

import pytest
import scipy.sparse
import torch

import matrices
import oracle
import tsgu
from matrices import definite, right_side
from tsgu.direct import Solve, SparseSolve, SparseSolver, solve

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def factorizations():
    return tsgu.show_config()["factorizations"]


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
    for pair in oracle.with_gradients(solve, oracle.solve, A, right_side(A, 4)):
        oracle.assert_close(*pair, terms=1 << 10)
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
