"""Solves by JAX, and its arrays and matrices as tensors and back; JAX runs for real."""

import jax
import jax.experimental.sparse
import jax.scipy.sparse.linalg
import numpy as np
import pytest
import torch
from run_tools import run_script

import matrices
import oracle
import tsgu
from matrices import rebuild, right_side
from tsgu.jax import (
    SparseSolveJ4T,
    j2t,
    j2t_coo,
    j2t_csr,
    sparse_solve_j4t,
    spmm_t4j,
    t2j,
    t2j_coo,
    t2j_csr,
)

linalg = jax.scipy.sparse.linalg
FINE = {"tol": 1e-13}


def dense_of(A):
    """A matrix of JAX as an array of NumPy."""
    with jax.enable_x64(True):
        return np.asarray(A.todense())


def lapack(A, b):
    """A user's solver."""
    return jax.numpy.linalg.solve(A.todense(), b), 0


def solutions(A, B):
    return torch.linalg.solve(A.to_dense(), B.unsqueeze(-1) if B.dim() < A.dim() else B)


# ===-- Solves -----------------------------------------------------------------===#


@pytest.mark.parametrize("kind", [*matrices.ALL, "csc64", "bsr"])
def test_solutions_and_gradients(kind):
    """The matrices are not symmetric."""
    A = matrices.OTHERS[kind](12, 12, torch.float64) if kind in matrices.OTHERS else None
    if A is None:
        A = matrices.invertible(kind, 12)
    else:
        diagonal = oracle.indices_of(A)[0] == oracle.indices_of(A)[1]
        A.values().view(-1)[diagonal] += 9
        A = A.detach()
    B = right_side(A)
    pairs = oracle.with_gradients(lambda A, B: sparse_solve_j4t(A, B, **FINE), oracle.solve, A, B)
    for actual, expected in pairs:
        oracle.assert_close(actual, expected, terms=1 << 14)


@pytest.mark.parametrize(
    "name, dtype",
    [
        *(("bicgstab", dtype) for dtype in (torch.float32, torch.complex64, torch.complex128)),
        ("gmres", torch.float64),
    ],
)
def test_methods_and_dtypes(name, dtype):
    A = matrices.invertible("csr32", 12, dtype)
    for columns in (None, 2) if name == "bicgstab" else (None,):
        b = right_side(A, columns or 1)
        b = b.squeeze(1) if columns is None else b
        solve = getattr(linalg, name)
        A.requires_grad_(), b.requires_grad_()
        x = sparse_solve_j4t(A, b, solve, on_fail="raise")
        assert x.dtype is dtype and x.shape == b.shape
        weight = torch.randn_like(x)
        gradient = torch.autograd.grad(x, b, weight)[0]
        tolerance = 1e-4 if dtype.to_real() is torch.float32 else 1e-7
        dense = A.detach().to_dense()
        expected = torch.linalg.solve(dense, b.detach()), torch.linalg.solve(dense.mH, weight)
        for left, right in zip((x.detach(), gradient), expected, strict=True):
            assert (left - right).norm() <= tolerance * right.norm()


def test_conjugate_gradients_of_a_definite_matrix():
    L = torch.eye(6, dtype=torch.float64) + 0.2 * torch.randn(6, 6, dtype=torch.float64).tril()
    A, b = (L @ L.mT).to_sparse_csr(), torch.randn(6, dtype=torch.float64)
    x = sparse_solve_j4t(A, b, linalg.cg, on_fail="raise", tol=1e-12)
    torch.testing.assert_close(x, torch.linalg.solve(L @ L.mT, b))


@pytest.mark.parametrize(
    "kind, callables",
    [("csr64", ()), ("csr64", (linalg.gmres,)), ("uncoalesced", (lapack,)), ("coo", (lapack,) * 2)],
)
def test_second_derivatives(kind, callables):
    A = matrices.invertible(kind, 4)
    operands = oracle.stored_values(A).requires_grad_(), right_side(A).requires_grad_()
    options = {} if lapack in callables else FINE
    indices = oracle.indices_of(A)
    oracle.assert_same_derivatives(
        lambda v, b: sparse_solve_j4t(rebuild(A, v), b, *callables, **options) ** 2,
        lambda v, b: oracle.solve(indices, v, A.shape, b) ** 2,
        operands,
        order=2,
        terms=1 << 18,
    )


def test_gradgradcheck():
    A = matrices.invertible("csr64", 3)
    operands = oracle.stored_values(A).requires_grad_(), right_side(A, 1).requires_grad_()

    def solve(v, b):
        return sparse_solve_j4t(rebuild(A, v), b, **FINE)

    assert torch.autograd.gradcheck(solve, operands)
    assert torch.autograd.gradgradcheck(solve, operands)


def test_double_precision_leaves_the_switch_alone():
    assert not jax.config.jax_enable_x64
    A, B = matrices.invertible("csr32", 30), None
    B = right_side(A).requires_grad_()
    seen = []

    def solve(A, b, **kwargs):
        seen.append((A.data.dtype, b.dtype, jax.config.jax_enable_x64))
        return linalg.bicgstab(A, b, **kwargs)

    x = sparse_solve_j4t(A, B, solve, tol=1e-14)
    x.sum().backward()
    assert seen == [(np.float64, np.float64, True)] * 2
    assert not jax.config.jax_enable_x64
    assert (A.to_dense() @ x - B).norm() < 1e-13 * B.norm()
    assert sparse_solve_j4t(A.float(), B.detach().float()).dtype is torch.float32


def test_what_callables_are_given():
    A = matrices.invertible("coo", 5).requires_grad_()
    b = torch.randn(5, dtype=torch.float64, requires_grad=True)
    seen = []

    def record(name):
        def solve(A, b, factor, guess):
            seen.append((name, type(A).__name__, dense_of(A), b.shape, factor, guess))
            x, info = lapack(A, b)
            return (x, info) if name == "forward" else x

        return solve

    arguments = A, b, record("forward"), record("adjoint")
    x = sparse_solve_j4t(*arguments, factor=3, guess=torch.ones(2))
    x.sum().backward()
    dense = A.detach().to_dense().numpy()
    (forward, kind, M, shape, factor, guess), adjoint = seen
    assert (forward, kind, shape, factor) == ("forward", "COO", (5,), 3)
    assert isinstance(guess, jax.Array) and guess.shape == (2,)
    assert np.array_equal(M, dense)
    assert adjoint[:2] == ("adjoint", "COO") and adjoint[3] == (5,)
    assert np.array_equal(adjoint[2], dense.T)
    again = SparseSolveJ4T.apply(*arguments, {"factor": 3, "guess": torch.ones(2)})
    assert torch.equal(again, x)
    # Without one of its own the adjoint is a solve with the transposed matrix.
    seen.clear()
    matrix = matrices.invertible("csr32", 5).requires_grad_()
    sparse_solve_j4t(matrix, b, record("forward"), factor=3, guess=1).sum().backward()
    assert [call[1] for call in seen] == ["CSR", "CSR"]
    assert np.array_equal(seen[1][2], matrix.detach().to_dense().numpy().T)


@pytest.mark.parametrize("as_closure", [False, True])
def test_preconditioners_and_guesses(as_closure):
    """One iteration with the inverse as preconditioner is enough, for the adjoint, too."""
    A = matrices.invertible("csr64", 12).requires_grad_()
    B = right_side(A).requires_grad_()
    inverse = torch.linalg.inv(A.detach().to_dense())
    with jax.enable_x64(True):
        M = t2j(inverse)
        apply = lambda v: M @ v  # noqa: E731
    if as_closure:
        with pytest.warns(tsgu.ConvergenceWarning):  # the adjoint's is that of A
            x = sparse_solve_j4t(A, B, M=apply, maxiter=1)
            x.sum().backward()
    else:
        x = sparse_solve_j4t(A, B, M=inverse, maxiter=1, on_fail="raise")
        x.sum().backward()
    oracle.assert_close(x.detach(), solutions(A.detach(), B.detach()), terms=1 << 12)
    x = sparse_solve_j4t(A.detach(), B.detach(), x0=x.detach(), maxiter=1, on_fail="raise")
    oracle.assert_close(x, solutions(A.detach(), B.detach()), terms=1 << 12)


def test_each_column_is_judged():
    """JAX's own criterion would be that of the largest column."""
    A = matrices.invertible("csr64", 12)
    B = right_side(A) * torch.tensor([1e-9, 1.0])
    x = sparse_solve_j4t(A, B, on_fail="raise")
    expected = solutions(A, B)
    assert ((x - expected).norm(dim=0) < 1e-7 * expected.norm(dim=0)).all()


# ===-- Solves that fail -------------------------------------------------------===#


def test_a_solve_that_did_not_converge():
    A = matrices.invertible("csr64", 12)
    B = right_side(A)
    few = {"maxiter": 1, "restart": 2, "tol": 1e-10}  # JAX's info says 0, too
    with pytest.warns(tsgu.ConvergenceWarning):
        sparse_solve_j4t(A, B, linalg.gmres, **few)
    with pytest.raises(tsgu.ConvergenceError) as caught:
        sparse_solve_j4t(A, B, linalg.gmres, on_fail="raise", **few)
    assert caught.value.outcome.residuals.min() > 1e-10
    # A user's solver is judged where it is told a tolerance.
    with pytest.warns(tsgu.ConvergenceWarning):
        sparse_solve_j4t(A, B, lambda A, b, tol: (b, 0), tol=np.float32(1e-3))
    B.requires_grad_()
    x = sparse_solve_j4t(A, B, lapack, lambda A, b, **_: (b, 0))
    x.sum().backward()
    # One of JAX's is judged in either direction.
    x = sparse_solve_j4t(A, B, lambda A, b, **_: lapack(A, b), linalg.cg, maxiter=1)
    with pytest.warns(tsgu.ConvergenceWarning):
        x.sum().backward()
    x = sparse_solve_j4t(A, B, on_fail="ignore", **{"tol": 1e-10, "maxiter": 1})
    x.sum().backward()


def test_no_warning_without_a_reason(recwarn):
    A = matrices.invertible("csr32", 12, torch.float32)
    B = right_side(A).requires_grad_()
    sparse_solve_j4t(A, B).sum().backward()
    assert not [w for w in recwarn if issubclass(w.category, tsgu.ConvergenceWarning)]


def test_refusals():
    A = matrices.invertible("csr64", 4)
    b = torch.randn(4, dtype=torch.float64)
    with pytest.raises(ValueError, match="must have the same dtype. Got A: torch.float64, B: torc"):
        sparse_solve_j4t(A, b.float())
    with pytest.raises(TypeError, match=r"solve must be a callable .* not 'cg'"):
        sparse_solve_j4t(A, b, "cg")
    with pytest.raises(TypeError, match="transpose_solve must be a callable"):
        sparse_solve_j4t(A, b, None, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nothing'"):
        sparse_solve_j4t(A, b, nothing=1)
    with pytest.raises(ValueError, match="Both A and B should be instances of torch.Tensor"):
        sparse_solve_j4t([1], b)
    with pytest.raises(TypeError, match="Unsupported sparse layout: torch.strided"):
        sparse_solve_j4t(A.to_dense(), b)
    with pytest.raises(ValueError, match="A must be square"):
        sparse_solve_j4t(A.to_dense()[:2].to_sparse(), b[:2])
    with pytest.raises(ValueError, match="Incompatible dimensions: A has shape"):
        sparse_solve_j4t(A, b[:3])
    with pytest.raises(ValueError, match="B must be a 1D or 2D tensor"):
        sparse_solve_j4t(A, b.view(4, 1, 1))
    with pytest.raises(ZeroDivisionError, match="mine"):
        sparse_solve_j4t(A, b, lambda A, b: _raise(ZeroDivisionError("mine")))


def _raise(error):
    raise error


# ===-- Conversions ------------------------------------------------------------===#

DTYPES = [
    *(torch.float32, torch.float64, torch.complex64, torch.complex128),
    *(torch.int32, torch.int64, torch.bool, torch.bfloat16),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays(dtype):
    x = torch.arange(24).view(2, 3, 4).to(dtype)
    for tensor in (x, x[0].mT, x[:, :, ::2], x[0, 0], x[0, 0, 0], x[:0], x.mT):
        array = t2j(tensor)
        assert str(array.dtype) == str(dtype).removeprefix("torch.")
        assert torch.equal(j2t(array), tensor) and array.shape == tensor.shape
    assert not jax.config.jax_enable_x64
    if dtype.is_complex:
        assert torch.equal(j2t(t2j(x.conj())), x.conj())
        assert torch.equal(j2t(t2j(x.imag)), x.imag)
    if dtype.is_floating_point:
        with pytest.raises(BufferError, match="require gradient, use tensor.detach"):
            t2j(x.requires_grad_())


def test_integers_beyond_32_bits():
    large = torch.tensor([2**40, -(2**62)])
    assert torch.equal(j2t(t2j(large)), large)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_memory_is_shared(dtype):
    x = torch.randn(64, 16, dtype=dtype)
    for tensor in (x, x.mT):
        array = t2j(tensor)
        assert array.unsafe_buffer_pointer() == x.data_ptr()
        assert j2t(array).data_ptr() == x.data_ptr()
    A = (torch.eye(64) + torch.ones(64, 64).triu(60)).to(dtype).to_sparse()
    assert t2j_coo(A).data.unsafe_buffer_pointer() == A._values().data_ptr()
    assert j2t_coo(t2j_coo(A))._values().data_ptr() == A._values().data_ptr()
    A = A.to_sparse_csr()
    A = torch.sparse_csr_tensor(A.crow_indices().int(), A.col_indices().int(), A.values(), A.shape)
    M = t2j_csr(A)
    assert M.data.unsafe_buffer_pointer() == A.values().data_ptr()
    assert M.indices.unsafe_buffer_pointer() == A.col_indices().data_ptr()
    assert M.indptr.unsafe_buffer_pointer() == A.crow_indices().data_ptr()
    back = j2t_csr(M)
    assert back.values().data_ptr() == A.values().data_ptr()
    assert back.col_indices().data_ptr() == A.col_indices().data_ptr()


@pytest.mark.parametrize("dtype", DTYPES[:4])
@pytest.mark.parametrize("kind", list(matrices.MATRICES))
def test_matrices(kind, dtype):
    A = matrices.MATRICES[kind](5, 7, dtype)
    if kind == "uncoalesced":
        with pytest.warns(UserWarning, match="not coalesced"):
            M = t2j_coo(A)
    else:
        M = t2j_csr(A) if A.layout is torch.sparse_csr else t2j_coo(A)
    assert M.data.dtype == str(dtype).removeprefix("torch.")
    oracle.assert_close(torch.tensor(dense_of(M)), A.to_dense())
    back = j2t_csr(M) if A.layout is torch.sparse_csr else j2t_coo(M)
    assert back.layout is A.layout and back.dtype is dtype
    oracle.assert_close(back.to_dense(), A.to_dense())
    if A.layout is torch.sparse_coo:
        assert back.is_coalesced()


def test_other_matrices_of_jax():
    dense = np.array([[0, 2, 0], [3, 0, 4]], dtype=np.float32)
    sparse = jax.experimental.sparse
    assert np.array_equal(j2t_coo(sparse.BCOO.fromdense(dense)).to_dense(), dense)
    assert np.array_equal(j2t_csr(sparse.BCSR.fromdense(dense)).to_dense(), dense)
    empty = torch.sparse_coo_tensor(torch.zeros(2, 0).long(), torch.zeros(0), (2, 3)).coalesce()
    assert torch.equal(j2t_coo(t2j_coo(empty)).to_dense(), torch.zeros(2, 3))


def test_conversions_that_are_refused():
    A = matrices.csr(3, 4)
    with pytest.raises(TypeError, match="t2j_coo takes a torch.sparse_coo tensor"):
        t2j_coo(A)
    with pytest.raises(TypeError, match="t2j_csr takes a torch.sparse_csr tensor"):
        t2j_csr(matrices.coo(3, 4))
    for wrong in (matrices.batched_csr(2, 3, 4), torch.ones(2, 3, 4).to_sparse(2)):
        convert = t2j_coo if wrong.layout is torch.sparse_coo else t2j_csr
        with pytest.raises(ValueError, match=r"takes a matrix of numbers, not .*\[2, 3, 4\]"):
            convert(wrong)
    array = jax.numpy.array
    parts = array([1.0, 2.0]), array([0, 9]), array([0, 1, 2])
    with pytest.raises(tsgu.PatternError, match="column 9"):
        j2t_csr(jax.experimental.sparse.CSR(parts, shape=(2, 3)))
    parts = array([1.0, 2.0]), array([0, 9]), array([0, 1])
    with pytest.raises(tsgu.PatternError, match="coordinate 9 of dimension 0"):
        j2t_coo(jax.experimental.sparse.COO(parts, shape=(2, 3)))


# ===-- Products ---------------------------------------------------------------===#


@pytest.mark.parametrize("kind", list(matrices.MATRICES))
def test_products_within_jax(kind):
    A = matrices.MATRICES[kind](5, 7, torch.float32)
    dense = A.to_dense().numpy()
    multiply, v = spmm_t4j(A), np.random.default_rng(0).normal(size=7).astype(np.float32)
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(multiply(v), dense @ v, **close)
    V = np.stack([v, 2 * v, -v], 1)
    np.testing.assert_allclose(jax.jit(multiply)(V), dense @ V, **close)
    np.testing.assert_allclose(jax.vmap(multiply)(V.T), V.T @ dense.T, **close)
    square = lambda v: (multiply(v) ** 2).sum()  # noqa: E731
    np.testing.assert_allclose(jax.grad(square)(v), 2 * dense.T @ (dense @ v), **close)
    hessian = jax.jacrev(jax.grad(square))(v)
    np.testing.assert_allclose(hessian, 2 * dense.T @ dense, **close)


def test_products_of_wide_numbers():
    A = matrices.csr(5, 7, torch.complex128)
    with pytest.raises(TypeError, match="torch.complex128 to 32 bits"):
        spmm_t4j(A)
    v = torch.randn(7, dtype=torch.complex128)
    with jax.enable_x64(True):
        multiply = spmm_t4j(A)
        result = multiply(t2j(v))
        gradient = jax.grad(lambda v: multiply(v)[2].real, holomorphic=False)(t2j(v))
    oracle.assert_close(j2t(result), A.to_dense() @ v)
    # JAX's gradients are the conjugates of torch's.
    oracle.assert_close(j2t(gradient), A.to_dense()[2])


# ===-- Without JAX ------------------------------------------------------------===#

WITHOUT = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "jax":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import torch, tsgu, tsgu.jax
assert not tsgu.jax.have_jax
A, b = torch.eye(2).to_sparse_csr(), torch.ones(2)
calls = {
    "sparse_solve_j4t": (A, b), "t2j": (b,), "j2t": (b,), "t2j_csr": (A,), "j2t_csr": (A,),
    "t2j_coo": (A.to_sparse(),), "j2t_coo": (A,), "spmm_t4j": (A,),
}
for name, arguments in calls.items():
    try:
        getattr(tsgu.jax, name)(*arguments)
    except ImportError as error:
        print(name, error)
"""


def test_without_jax():
    lines = run_script(WITHOUT).splitlines()
    assert len(lines) == 8
    assert all("tsgu.jax needs jax." in line and "pip install jax" in line for line in lines)


def test_jax_is_loaded_when_it_is_needed():
    run_script("""
import sys, tsgu, tsgu.jax, torch
assert tsgu.jax.have_jax and "jax" not in sys.modules and "jaxlib" not in sys.modules
tsgu.jax.t2j(torch.ones(2))
assert "jax" in sys.modules
""")
