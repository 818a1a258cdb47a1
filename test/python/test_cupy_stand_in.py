"""The bridge to CuPy, against a stand-in with the array protocol of the real one."""

import sys
import types

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg as linalg
import torch

import matrices
import oracle
from matrices import right_side
from tsgu.cupy import (
    _backend_to_torch,
    _get_array_modules,
    _torch_to_backend,
    c2t_coo,
    c2t_csr,
    cupy_bindings,
    cupy_sparse_solve,
    sparse_solve_c4t,
    t2c_coo,
    t2c_csr,
)

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


class Array:
    """An array that gives its memory to others by the protocol alone."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **keywords):
        return self._array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()

    def reshape(self, *shape):
        return Array(self._array.reshape(*shape))


Array.__module__ = "cupy"


class Sparse:
    """A CSR or COO matrix of such arrays."""

    def __init__(self, arrays, shape):
        self.data, rest = arrays[0], arrays[1:]
        self.shape = shape
        if type(self) is Csr:
            self.indices, self.indptr = rest
        else:
            ((self.row, self.col),) = rest

    def tocsc(self):
        make = scipy.sparse.csr_matrix if type(self) is Csr else scipy.sparse.coo_matrix
        parts = (self.indices, self.indptr) if type(self) is Csr else ((self.row, self.col),)
        parts = [p._array if isinstance(p, Array) else tuple(x._array for x in p) for p in parts]
        return _of_cupy(make((self.data._array, *parts), shape=self.shape).tocsc())


def _of_cupy(matrix):
    matrix.__class__ = type("csc_matrix", (type(matrix),), {"__module__": "cupyx"})
    return matrix


def csc(arrays, shape):
    return _of_cupy(scipy.sparse.csc_matrix(tuple(x._array for x in arrays), shape=shape))


class Csr(Sparse):
    format = "csr"


class Coo(Sparse):
    format = "coo"


Csr.__module__ = Coo.__module__ = "cupyx.scipy.sparse"


class Factors:
    def __init__(self, A, permc_spec):
        self._factors = linalg.splu(scipy.sparse.csc_matrix(A), permc_spec)

    def solve(self, b, trans):
        return Array(self._factors.solve(b._array, trans))


@pytest.fixture
def cupy(monkeypatch):
    """CuPy's modules, and tensors that are taken for those of a GPU."""

    def module(name, **members):
        made = types.ModuleType(name)
        vars(made).update(members)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    made = module("cupy", from_dlpack=lambda x: Array(np.from_dlpack(x)))
    module("cupyx")
    module("cupyx.scipy")
    module("cupyx.scipy.sparse", csr_matrix=Csr, csc_matrix=csc, coo_matrix=Coo)
    module("cupyx.scipy.sparse.linalg", splu=Factors)
    is_on_gpu = cupy_bindings._is_on_gpu
    on_gpu = lambda x: isinstance(x, torch.Tensor) or is_on_gpu(x)  # noqa: E731
    for where in (cupy_bindings, cupy_sparse_solve):
        monkeypatch.setattr(where, "_is_on_gpu", on_gpu)
    return made


def test_arrays_of_cupy(cupy):
    x = torch.randn(3, 4)
    xp, sparse = _get_array_modules(x)
    assert xp is cupy and sparse.csr_matrix is Csr
    array = _torch_to_backend(x, xp)
    assert type(array) is Array and array._array.__array_interface__["data"][0] == x.data_ptr()
    assert _backend_to_torch(array).data_ptr() == x.data_ptr()
    assert _get_array_modules(array)[0] is cupy


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrices_of_cupy(cupy, dtype):
    A = matrices.csr(5, 7, dtype)
    M = t2c_csr(A)
    assert type(M) is Csr and type(M.data) is type(M.indptr) is Array
    back = c2t_csr(M)
    assert back.values().data_ptr() == A.values().data_ptr()
    assert back.col_indices().data_ptr() == A.col_indices().data_ptr()
    oracle.assert_close(back.to_dense(), A.to_dense())
    A = matrices.coo(5, 7, dtype)
    back = c2t_coo(t2c_coo(A))
    assert back._values().data_ptr() == A._values().data_ptr()
    oracle.assert_close(back.to_dense(), A.to_dense())


@pytest.mark.parametrize("kind", ["csr32", "coo", "ragged coo"])
def test_solves_by_cupy(cupy, kind):
    A = matrices.invertible(kind, 6)
    for pair in oracle.with_gradients(sparse_solve_c4t, oracle.solve, A, right_side(A)):
        oracle.assert_close(*pair, terms=1 << 14)
