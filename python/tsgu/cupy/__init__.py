"""Solves by CuPy on a GPU and by SciPy on the CPU, and their arrays as tensors and back.

Both are imported when they are first needed.
"""

from .cupy_bindings import (
    _backend_to_torch,
    _get_array_modules,
    _torch_to_backend,
    c2t_coo,
    c2t_csr,
    have_cupy,
    t2c_coo,
    t2c_csr,
)
from .cupy_sparse_solve import SparseSolveC4T, sparse_solve_c4t

__all__ = [
    "SparseSolveC4T",
    "_backend_to_torch",
    "_get_array_modules",
    "_torch_to_backend",
    "c2t_coo",
    "c2t_csr",
    "have_cupy",
    "sparse_solve_c4t",
    "t2c_coo",
    "t2c_csr",
]
