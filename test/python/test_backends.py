"""Other people's factorisations, behind backend=."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import matrices
import oracle
import tsgu

# (method, backend) and what shows that the library is here.
LIBRARIES = {
    ("lu", "klu"): "libklu.so.1",
    ("lu", "umfpack"): "libumfpack.so.5",
    ("lu", "pardiso"): "libmkl_rt.so.*",
    ("cholesky", "cholmod"): "libcholmod.so.3",
    ("cholesky", "pardiso"): "libmkl_rt.so.*",
}
FOLDERS = [pathlib.Path(sys.prefix, "lib"), *map(pathlib.Path, ("/usr/lib", "/usr/local/lib"))]
DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def is_installed(file):
    return any(any(folder.glob(f"{part}{file}")) for folder in FOLDERS for part in ("", "*/"))


HERE = [pair for pair, file in LIBRARIES.items() if is_installed(file)]
ABSENT = [pair for pair in LIBRARIES if pair not in HERE]
DETERMINANTS = [pair for pair in HERE if pair[1] != "pardiso"]
here = pytest.mark.parametrize(("method", "backend"), HERE)


def matrix(method, n, seed=0, dtype=torch.float64):
    """Random, of 4 entries in a row and more, dominated by nothing where LU has to pivot."""
    random = np.random.default_rng(seed)
    A = sp.random_array((n, n), density=min(1, 4 / max(n, 1)), rng=random).tocsr()
    A.data = random.standard_normal(A.nnz) + 1j * random.standard_normal(A.nnz)
    if method == "cholesky":
        A = A @ A.conj().T + 0.1 * sp.eye_array(n)
    else:
        A = A + sp.eye_array(n).tocsr()[random.permutation(n)]
    A = sp.csr_array(A).sorted_indices() if n else sp.csr_array((0, 0))
    data = torch.from_numpy(A.data.astype(complex))
    data = data.to(dtype) if dtype.is_complex else data.real.to(dtype)
    # The real part of a definite matrix is definite.
    return torch.sparse_csr_tensor(
        torch.from_numpy(A.indptr).long(), torch.from_numpy(A.indices).long(), data, (n, n)
    )


def test_which_are_here(record_property):
    """Of those that are not, the refusal is what there is to test."""
    record_property("backends", str(HERE))
    print("backends here:", HERE, "absent:", ABSENT)
    for method, backend in ABSENT:
        with pytest.raises(ValueError, match="there is no .*install"):
            tsgu.factorize(matrix(method, 3), method, backend=backend)


@pytest.mark.parametrize("dtype", DTYPES)
@here
def test_solves(method, backend, dtype):
    for n, columns in ((1, 1), (7, 3), (60, 20), (300, 2)):
        A = matrix(method, n, n, dtype)
        dense = A.to_dense()
        B = torch.randn(n, columns, dtype=dtype, generator=torch.Generator().manual_seed(n))
        factor = tsgu.factorize(A, method, backend=backend)
        assert (factor.method, factor.backend) == (method, backend)
        for X, M in ((factor.solve(B), dense), (factor.solve_transposed(B), dense.mT)):
            sizes = M.abs() @ X.abs() + B.abs()
            bound = 100 * torch.finfo(dtype).eps * sizes.norm(dim=0)
            assert ((M @ X - B).norm(dim=0) <= bound).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@here
def test_gradients(method, backend, dtype):
    A = matrix(method, 8, 3, dtype)
    values, indices = oracle.stored_values(A).requires_grad_(), oracle.indices_of(A)
    B = torch.randn(8, 2, dtype=dtype).requires_grad_()

    def ours(values, B):
        return tsgu.sparse_generic_solve(matrices.rebuild(A, values), B, method, backend=backend)

    def reference(values, B):
        return torch.linalg.inv(oracle.dense(indices, values, (8, 8))) @ B

    oracle.assert_same_derivatives(ours, reference, (values, B), order=2, terms=1 << 20)


@pytest.mark.parametrize(("method", "backend"), DETERMINANTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_determinants_and_inverses(method, backend, dtype):
    for seed in range(4):
        A = matrix(method, 12, seed, dtype)
        dense = A.to_dense()
        factor = tsgu.factorize(A, method, backend=backend)
        close = (
            {"rtol": 1e-3, "atol": 1e-3} if dtype.itemsize < 8 or dtype == torch.complex64 else {}
        )
        for found, expected in zip(factor.slogdet(), torch.linalg.slogdet(dense), strict=True):
            torch.testing.assert_close(found, expected, **close)
        values = A.values().clone().requires_grad_()
        M = tsgu.csr(A.crow_indices(), A.col_indices(), values, (12, 12))
        tsgu.factorize(M, method, backend=backend).logdet().abs().backward()
        wide = oracle.stored_values(A).clone().requires_grad_()
        other = oracle.dense(oracle.indices_of(A), wide, (12, 12))
        sign, log = torch.linalg.slogdet(other)
        assert torch.isfinite(log)
        if not dtype.is_complex and sign > 0:
            log.abs().backward()
            torch.testing.assert_close(values.grad, wide.grad, **close)


@here
def test_no_determinant_where_the_library_tells_none(method, backend):
    factor = tsgu.factorize(matrix(method, 5), method, backend=backend)
    if backend == "pardiso":
        with pytest.raises(ValueError, match="no determinant; use"):
            factor.logdet()
    with pytest.raises(ValueError, match="half"):
        factor.half_solve(torch.ones(5, dtype=torch.float64))


@here
def test_refusals(method, backend):
    name = f"{method}:{backend}"
    size = torch.float64
    singular = torch.tensor([[1.0, 2, 0], [2, 4, 0], [0, 0, 1]], dtype=size)
    nearly = singular.clone()
    nearly[1, 1] += 2e-16 * 4
    for dense in (singular, nearly):
        with pytest.raises(tsgu.SingularMatrixError, match=f"{name}: .*row [01]"):
            tsgu.factorize(dense.to_sparse_csr(), method, backend=backend)
    for wrong in (torch.nan, torch.inf):
        dense = torch.eye(3, dtype=size)
        dense[1, 1] = wrong
        with pytest.raises(ValueError, match="row 1, column 1"):
            tsgu.factorize(dense.to_sparse_csr(), method, backend=backend)
    empty = torch.eye(3, dtype=size)
    empty[2, 2] = 0
    with pytest.raises(tsgu.SingularMatrixError, match="row 2"):
        tsgu.factorize(empty.to_sparse_csr(), method, backend=backend)
    if method == "cholesky":
        indefinite = torch.tensor([[1.0, 2, 0], [2, 1, 0], [0, 0, 1]], dtype=size)
        with pytest.raises(tsgu.SingularMatrixError, match="not positive definite.*row [01]"):
            tsgu.factorize(indefinite.to_sparse_csr(), method, backend=backend)
        askew = torch.tensor([[4.0, 2], [1, 4]], dtype=size)
        with pytest.raises(ValueError, match="not Hermitian"):
            tsgu.factorize(askew.to_sparse_csr(), method, backend=backend)


@here
def test_badly_scaled(method, backend):
    A = matrix(method, 40, 5)
    scale = 10.0 ** torch.linspace(-60, 60, 40, dtype=torch.float64)
    rows = oracle.indices_of(A)[0]
    columns = oracle.indices_of(A)[1]
    other = scale if method == "cholesky" else torch.ones_like(scale)
    values = A.values() * scale[rows] * other[columns]
    scaled = torch.sparse_csr_tensor(A.crow_indices(), A.col_indices(), values, A.shape)
    b = torch.ones(40, dtype=torch.float64) * scale
    x = tsgu.sparse_generic_solve(scaled, b, method, backend=backend, on_fail="raise")
    expected = torch.linalg.solve(A.to_dense(), torch.ones(40, dtype=torch.float64)) / other
    torch.testing.assert_close(x, expected, rtol=1e-8, atol=0)


@here
def test_batches_updates_and_emptiness(method, backend):
    A = matrix(method, 6, 2)
    many = torch.stack([A.to_dense() * (k + 1) for k in range(3)])
    B = torch.ones(3, 6, 2, dtype=torch.float64)
    X = tsgu.sparse_generic_solve(many.to_sparse_coo(), B, method, backend=backend)
    torch.testing.assert_close(X, torch.linalg.solve(many, B))
    factor = tsgu.factorize(A, method, backend=backend)
    twice = factor.update(2 * A.values())
    assert twice.backend == backend
    torch.testing.assert_close(twice.solve(B[0]), factor.solve(B[0]) / 2)
    assert tsgu.factorize(matrix(method, 0), method, backend=backend).solve(B[0, :0]).shape == (
        0,
        2,
    )


@here
def test_by_several_threads(method, backend):
    A = matrix(method, 200, 7)
    factor = tsgu.factorize(A, method, backend=backend)
    B = [torch.full((200, 2), k + 1.0, dtype=torch.float64) for k in range(16)]
    expected = [torch.linalg.solve(A.to_dense(), b) for b in B]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for x, y in zip(pool.map(factor.solve, B), expected, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-6)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        factors = [*pool.map(lambda k: factor.update((k + 1) * A.values()), range(8))]
    for k, other in enumerate(factors):
        torch.testing.assert_close(other.solve(B[0]) * (k + 1), expected[0], rtol=1e-6, atol=1e-6)


@here
def test_another_number_of_threads(method, backend):
    before = torch.get_num_threads()
    try:
        for round, n in enumerate((50, 800, 300, 1500)):
            A, b = matrix(method, n, n), torch.ones(n, 40, dtype=torch.float64)
            torch.set_num_threads(1 + round % 2)
            factor = tsgu.factorize(A, method, backend=backend)
            torch.set_num_threads(2 - round % 2)
            sizes = torch.sparse_csr_tensor(
                A.crow_indices(), A.col_indices(), A.values().abs(), A.shape
            )
            x = factor.solve(b)
            bound = 100 * 2**-52 * (sizes @ x.abs() + b).norm(dim=0)
            assert ((A @ x - b).norm(dim=0) <= bound).all()
    finally:
        torch.set_num_threads(before)


@here
def test_info(method, backend):
    A = matrix(method, 30)
    _, info = tsgu.sparse_generic_solve(
        A, torch.ones(30, dtype=torch.float64), method, backend=backend, return_info=True
    )
    assert info.method == f"{method}:{backend}" and info.converged
    assert info.factors.entries >= 30 and info.factors.bytes > 0 and 0 < info.factors.rcond <= 1


def test_methods_that_a_backend_has_not():
    A = matrix("lu", 3)
    with pytest.raises(ValueError, match="backend must be one of 'tsgu', .*'klu'"):
        tsgu.factorize(A, backend="mumps")
    with pytest.raises(ValueError, match="'klu' is for the method 'lu', not 'cholesky'"):
        tsgu.factorize(A, "cholesky", backend="klu")
    with pytest.raises(ValueError, match="'pardiso' is for the method 'lu' and 'cholesky'"):
        tsgu.sparse_generic_solve(A, torch.ones(3, dtype=torch.float64), "cg", backend="pardiso")


MISSING = """
import torch, tsgu
A = torch.eye(3, dtype=torch.float64).to_sparse_csr()
for method, backend in {pairs}:
    try:
        tsgu.factorize(A, method, backend=backend)
    except ValueError as error:
        assert "there is no" in str(error) and "install" in str(error), error
    else:
        raise AssertionError(backend)
assert tsgu.factorize(A).solve(torch.ones(3, dtype=torch.float64)).tolist() == [1, 1, 1]
"""


def test_where_none_is_installed(tmp_path):
    """The search is pointed at an empty folder."""
    script = MISSING.format(pairs=[*LIBRARIES])
    environment = {**os.environ, "TSGU_LIBRARIES": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=120)
