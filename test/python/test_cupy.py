"""The bridge to SciPy: solves, arrays and matrices as tensors and back."""

import warnings

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg as linalg
import torch
from run_tools import run_script

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side
from tsgu.cupy import (
    SparseSolveC4T,
    _backend_to_torch,
    _get_array_modules,
    _torch_to_backend,
    c2t_coo,
    c2t_csr,
    sparse_solve_c4t,
    t2c_coo,
    t2c_csr,
)

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def mine(A, b):
    return linalg.spsolve(A.tocsc(), b)


def adjoint_of_mine(A, b):
    return linalg.spsolve(A.conj().T.tocsc(), b)


# ===-- Solves -----------------------------------------------------------------===#


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_solutions_and_gradients(kind, dtype):
    """The matrices are not symmetric."""
    A = matrices.invertible(kind, 9, dtype)
    value, *gradients = oracle.with_gradients(sparse_solve_c4t, oracle.solve, A, right_side(A))
    oracle.assert_close(*value, terms=1 << 12)
    for pair in gradients:
        oracle.assert_close(*pair, terms=1 << 14)


FORWARD = [None, "spsolve", "gmres", "cgs", mine]
ADJOINT = [None, "spsolve", "gmres", "cgs", adjoint_of_mine]


@pytest.mark.parametrize("adjoint", ADJOINT)
@pytest.mark.parametrize("solve", FORWARD)
def test_every_combination(solve, adjoint):
    """Right to the second order for a matrix that is not symmetric."""
    A = matrices.invertible("csr32" if solve is mine else "uncoalesced", 4)
    operands = oracle.stored_values(A).requires_grad_(), right_side(A, 1).requires_grad_()
    options = {} if mine is solve or adjoint is adjoint_of_mine else {"rtol": 1e-13}
    tight = {"rtol": 1e-13} if {"gmres", "cgs"} & {solve, adjoint} else {}
    if callable(solve) or callable(adjoint):
        # All keywords go to callables.
        options = tight
        solve = _taking_any(solve) if callable(solve) else solve
        adjoint = _taking_any(adjoint) if callable(adjoint) else adjoint
    indices = oracle.indices_of(A)
    oracle.assert_same_derivatives(
        lambda v, b: sparse_solve_c4t(rebuild(A, v), b, solve, adjoint, **options) ** 2,
        lambda v, b: oracle.solve(indices, v, A.shape, b) ** 2,
        operands,
        order=2,
        terms=1 << 18,
    )


def _taking_any(solve):
    return lambda A, b, **_: solve(A, b)


@pytest.mark.parametrize("name", ["cg", "minres"])
def test_methods_for_symmetric_matrices(name):
    L = torch.eye(6, dtype=torch.float64) + 0.2 * torch.randn(6, 6, dtype=torch.float64).tril()
    A, b = (L @ L.mT).to_sparse_csr(), torch.randn(6, dtype=torch.float64, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if name == "minres" else "error", UserWarning)
        x = sparse_solve_c4t(A, b, name, rtol=1e-12)
        x.sum().backward()
        y = sparse_solve_c4t(A.float(), b.detach().float(), name)
    torch.testing.assert_close(x, torch.linalg.solve(L @ L.mT, b))
    torch.testing.assert_close(b.grad, torch.linalg.solve(L @ L.mT, torch.ones_like(b)))
    assert y.dtype is torch.float32
    if name == "minres":
        with pytest.warns(UserWarning, match="Using 'minres' solver on CPU"):
            sparse_solve_c4t(A, b, name)


@pytest.mark.parametrize("columns", [None, 1, 3])
def test_one_factorisation_serves_the_gradients(columns, monkeypatch):
    A = matrices.invertible("csr64", 9).requires_grad_()
    B = right_side(A, columns or 1).requires_grad_()
    B = B.squeeze(1) if columns is None else B
    counted = []
    splu = linalg.splu
    monkeypatch.setattr(linalg, "splu", lambda A, **given: counted.append(A) or splu(A, **given))
    x = sparse_solve_c4t(A, B)
    gradient = torch.autograd.grad(x, A, torch.randn_like(x), create_graph=True)[0]
    tsgu.values(gradient).square().sum().backward()
    assert len(counted) == 1


def test_gradgradcheck():
    A = matrices.invertible("csr64", 3, torch.complex128)
    operands = oracle.stored_values(A).requires_grad_(), right_side(A, 2).requires_grad_()

    def solve(v, b):
        return sparse_solve_c4t(rebuild(A, v), b)

    assert torch.autograd.gradcheck(solve, operands)
    assert torch.autograd.gradgradcheck(solve, operands)


def test_what_callables_are_given():
    A = matrices.invertible("csr32", 5).requires_grad_()
    b = torch.randn(5, dtype=torch.float64, requires_grad=True)
    dense, seen = A.detach().to_dense().numpy(), []

    def record(transposes):
        def solve(A, b, factor):
            seen.append((type(A).__name__, A.toarray(), type(b), b.shape, factor))
            return linalg.spsolve((A.T if transposes else A).tocsc(), b), 0

        return solve

    x = SparseSolveC4T.apply(A, b, record(False), None, {"factor": 2})
    x.sum().backward()
    assert [call[0] for call in seen] == ["csr_matrix"] * 2
    assert np.array_equal(seen[0][1], dense) and np.array_equal(seen[1][1], dense.T)
    assert all(call[2:] == (np.ndarray, (5,), 2) for call in seen)
    seen.clear()
    coo = A.detach().to_sparse_coo().requires_grad_()
    sparse_solve_c4t(coo, b, record(False), record(True), factor=2).sum().backward()
    assert [call[0] for call in seen] == ["coo_matrix"] * 2
    assert np.array_equal(seen[1][1], dense)  # and has to act as the transpose


def test_the_callers_matrix_is_left_alone():
    A = matrices.uncoalesced(5, 5)
    A = torch.sparse_coo_tensor(A._indices(), A._values(), A.shape)
    A = torch.sparse_csr_tensor([0, 2, 3], [0, 0, 1], [1.0, 1.0, 3.0], (2, 2))
    before = A.values().clone(), A.col_indices().clone()
    b = torch.tensor([2.0, 6.0])
    for solve in (None, "spsolve", "gmres", lambda A, b: linalg.spsolve(A, b)):
        torch.testing.assert_close(sparse_solve_c4t(A, b, solve), torch.tensor([1.0, 2.0]))
    linalg.spsolve(t2c_csr(A), b.numpy())
    assert torch.equal(A.values(), before[0]) and torch.equal(A.col_indices(), before[1])
    source = scipy.sparse.csr_matrix(np.array([[2.0, 1.0], [0.0, 4.0]]))
    x = sparse_solve_c4t(source, torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(x, torch.tensor([0.375, 0.25], dtype=torch.float64))


def test_preconditioners_and_guesses():
    """One iteration with the inverse is enough, for the adjoint, too."""
    A = matrices.invertible("csr64", 8).requires_grad_()
    b = right_side(A, 1).squeeze(1).requires_grad_()
    dense = A.detach().to_dense()
    inverse = torch.linalg.inv(dense)
    for M in (inverse, inverse.numpy(), linalg.aslinearoperator(inverse.numpy())):
        x = sparse_solve_c4t(A, b, "gmres", M=M, maxiter=1, rtol=1e-12, on_fail="raise")
        gradient = torch.autograd.grad(x.sum(), b)[0]
        oracle.assert_close(x.detach(), torch.linalg.solve(dense, b.detach()), terms=1 << 12)
        expected = torch.linalg.solve(dense.mT, torch.ones_like(gradient))
        oracle.assert_close(gradient, expected, terms=1 << 12)
    guess = x.detach().clone()
    again = sparse_solve_c4t(A.detach(), b.detach(), "cgs", x0=guess, maxiter=1, on_fail="raise")
    oracle.assert_close(again, x.detach(), terms=1 << 12)
    assert torch.equal(guess, x.detach())


# ===-- Solves that fail -------------------------------------------------------===#


def test_a_solve_that_did_not_converge():
    A, b = matrices.invertible("csr64", 30), torch.randn(30, dtype=torch.float64)
    few = {"maxiter": 1, "tol": 1e-12}
    with pytest.warns(tsgu.ConvergenceWarning):
        sparse_solve_c4t(A, b, "cgs", **few)
    with pytest.raises(tsgu.ConvergenceError):
        sparse_solve_c4t(A, b, "cgs", on_fail="raise", **few)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sparse_solve_c4t(A, b, "cgs", on_fail="ignore", **few)
        sparse_solve_c4t(A, b, "gmres")


@pytest.mark.parametrize("solve", [None, "spsolve", mine])
def test_a_gradient_that_did_not_converge(solve):
    """Also where only the adjoint iterates."""
    solve = _taking_any(solve) if callable(solve) else solve
    A, b = matrices.invertible("csr64", 30), torch.randn(30, dtype=torch.float64)
    b.requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = sparse_solve_c4t(A, b, solve, "cgs", maxiter=1)
        good = sparse_solve_c4t(A, b, solve, "cgs")
        torch.autograd.grad(good.sum(), b)
    with pytest.warns(tsgu.ConvergenceWarning):
        torch.autograd.grad(x.sum(), b)
    x = sparse_solve_c4t(A, b, solve, "cgs", maxiter=1, on_fail="raise")
    with pytest.raises(tsgu.ConvergenceError):
        torch.autograd.grad(x.sum(), b)


TOLERANCES = [
    {"rtol": 0, "atol": 1e-10},
    {"tol": np.float32(1e-6)},
    {"rtol": torch.tensor(1e-6)},
]


@pytest.mark.parametrize("given", TOLERANCES)
def test_every_tolerance_is_judged_by(given):
    A, b = matrices.invertible("csr64", 30), torch.randn(30, dtype=torch.float64)
    with pytest.raises(tsgu.ConvergenceError):
        sparse_solve_c4t(A, b, "cgs", maxiter=1, on_fail="raise", **given)
    x = sparse_solve_c4t(A, b, "cgs", on_fail="raise", **given)
    goal = max(float(given.get("rtol", given.get("tol"))) * b.norm(), given.get("atol", 0))
    assert (b - A.to_dense() @ x).norm() <= goal


def test_what_callables_may_not_return():
    A, B = matrices.invertible("csr64", 4), torch.randn(4, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"must return X of shape \(4, 3\), not \(3, 4\)"):
        sparse_solve_c4t(A, B, lambda A, b: mine(A, b).T)
    with pytest.raises(TypeError, match="must return real numbers, not torch.complex128"):
        sparse_solve_c4t(A, B, lambda A, b: mine(A, b) * 1j)
    column = sparse_solve_c4t(A, B[:, 0], lambda A, b: mine(A, b)[:, None])
    oracle.assert_close(column, torch.linalg.solve(A.to_dense(), B[:, 0]), terms=1 << 12)


def test_refusals():
    A, b = matrices.invertible("csr64", 4), torch.randn(4, dtype=torch.float64)
    B = torch.randn(4, 2, dtype=torch.float64)
    for name in ("cg", "cgs", "minres", "gmres"):
        with pytest.raises(ValueError, match=f"Solver '{name}' does not support multi-RHS"):
            sparse_solve_c4t(A, B, name)
        with pytest.raises(ValueError, match=f"Solver '{name}' does not support multi-RHS"):
            sparse_solve_c4t(A, B, None, name)
    for arguments in (("lu",), (None, "lu")):
        with pytest.raises(ValueError, match=r"Unknown solver: lu. Supported solvers: \['cg', "):
            sparse_solve_c4t(A, b, *arguments)
    with pytest.raises(TypeError, match="solve must be a name or a callable, not int"):
        sparse_solve_c4t(A, b, 3)
    with pytest.warns(UserWarning, match="keyword argument 'nothing' is not used"):
        sparse_solve_c4t(A, b, "gmres", nothing=1)
    with pytest.warns(UserWarning, match="which is converted to A's"):
        assert sparse_solve_c4t(A, b.float()).dtype is torch.float64
    with pytest.raises(ValueError, match="Both A and B should be instances of torch.Tensor"):
        sparse_solve_c4t([1], b)
    with pytest.raises(TypeError, match="Unsupported sparse layout: torch.strided"):
        sparse_solve_c4t(A.to_dense(), b)
    with pytest.raises(ValueError, match="A must be square"):
        sparse_solve_c4t(A.to_dense()[:2].to_sparse(), b[:2])
    with pytest.raises(ValueError, match="Incompatible dimensions: A has shape"):
        sparse_solve_c4t(A, b[:3])
    with pytest.raises(TypeError, match="B must be a dense"):
        sparse_solve_c4t(A, A)
    singular = torch.diag(torch.tensor([1.0, 0.0, 2.0])).to_sparse_csr()
    with pytest.raises(tsgu.SingularMatrixError, match="A is singular"):
        sparse_solve_c4t(singular, torch.ones(3))


# ===-- Conversions ------------------------------------------------------------===#


def test_arrays():
    xp, sparse = _get_array_modules(torch.ones(2))
    assert xp is np and sparse is scipy.sparse
    for x in (torch.randn(3, 4), torch.randn(4, 3).mT, torch.randn(3, 6)[:, ::2]):
        array = _torch_to_backend(x, np)
        assert array.__array_interface__["data"][0] == x.data_ptr()
        assert _backend_to_torch(array).data_ptr() == x.data_ptr()
        assert torch.equal(_backend_to_torch(array), x)
    assert torch.equal(_backend_to_torch(np.arange(3)[::-1]), torch.tensor([2, 1, 0]))
    assert torch.equal(_backend_to_torch([1, 2]), torch.tensor([1, 2]))
    frozen = np.ones(2)
    frozen.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _backend_to_torch(frozen).add_(1)
    assert np.array_equal(frozen, np.ones(2))
    x = torch.randn(2, dtype=torch.complex64, requires_grad=True)
    assert np.array_equal(_torch_to_backend(x.conj(), np), x.detach().numpy().conj())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", list(matrices.MATRICES))
def test_matrices(kind, dtype):
    A = matrices.MATRICES[kind](5, 7, dtype)
    dense = A.to_dense()
    if A.layout is torch.sparse_csr:
        M, index = t2c_csr(A), A.col_indices()
        back = c2t_csr(M)
        assert type(M) is scipy.sparse.csr_matrix
        assert M.data.__array_interface__["data"][0] == A.values().data_ptr()
        assert back.values().data_ptr() == A.values().data_ptr()
        if index.dtype is torch.int32:  # SciPy makes int64 narrower
            assert M.indices.__array_interface__["data"][0] == index.data_ptr()
            assert back.col_indices().data_ptr() == index.data_ptr()
    else:
        if kind == "uncoalesced":
            with pytest.warns(UserWarning, match="on a non-coalesced tensor -> coalescing impl"):
                M = t2c_coo(A)
        else:
            M = t2c_coo(A)
            assert M.data.__array_interface__["data"][0] == A._values().data_ptr()
        back = c2t_coo(M)
        assert type(M) is scipy.sparse.coo_matrix and back.is_coalesced()
        assert back._values().data_ptr() == M.data.__array_interface__["data"][0]
    oracle.assert_close(torch.tensor(M.toarray()), dense)
    oracle.assert_close(back.to_dense(), dense)
    assert back.dtype is dtype and back.layout is A.layout


def test_conversions_that_are_refused():
    with pytest.raises(TypeError, match="t2c_csr takes a torch.sparse_csr tensor"):
        t2c_csr(matrices.coo(3, 4))
    with pytest.raises(TypeError, match="t2c_coo takes a torch.sparse_coo tensor"):
        t2c_coo(matrices.csr(3, 4))
    square = scipy.sparse.eye_array(3)
    with pytest.raises(TypeError, match="c2t_csr takes a csr matrix .* not one of format csc"):
        c2t_csr(square.tocsc())
    with pytest.raises(TypeError, match="c2t_coo takes a coo matrix .* not one of format csr"):
        c2t_coo(square.tocsr())
    with pytest.raises(TypeError, match="c2t_coo takes a coo matrix .* not one of type ndarray"):
        c2t_coo(np.eye(3))
    with pytest.raises(ValueError, match="takes a matrix of numbers"):
        t2c_csr(matrices.batched_csr(2, 3, 4))
    corrupt = torch.sparse_csr_tensor([0, 1, 2], [0, 9], [1.0, 1.0], (2, 3), check_invariants=False)
    with pytest.raises(tsgu.PatternError, match="column 9"):
        t2c_csr(corrupt)


# ===-- Without the libraries ---------------------------------------------------===#

WITHOUT = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("scipy", "cupy", "cupyx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import torch, tsgu, tsgu.cupy
assert not tsgu.cupy.have_cupy
A, b = torch.eye(2).to_sparse_csr(), torch.ones(2)
for name, arguments in {"sparse_solve_c4t": (A, b), "t2c_csr": (A,)}.items():
    try:
        getattr(tsgu.cupy, name)(*arguments)
    except ImportError as error:
        print(name, error)
try:
    tsgu.cupy._get_array_modules(type("ndarray", (), {"__module__": "cupy"})())
except ImportError as error:
    print(error)
"""


def test_without_the_libraries():
    lines = run_script(WITHOUT).splitlines()
    assert len(lines) == 3
    assert all("needs scipy.sparse," in line and "pip install scipy" in line for line in lines[:2])
    assert "needs cupy," in lines[2] and "pip install cupy-cuda12x" in lines[2]
