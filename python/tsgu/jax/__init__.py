"""Solves by JAX, and arrays of JAX as tensors of torch and back.

JAX is imported when it is first needed: it starts threads, which no fork outlives.
"""

from .jax_bindings import have_jax, j2t, j2t_coo, j2t_csr, spmm_t4j, t2j, t2j_coo, t2j_csr
from .jax_sparse_solve import SparseSolveJ4T, sparse_solve_j4t

__all__ = [
    "SparseSolveJ4T",
    "have_jax",
    "j2t",
    "j2t_coo",
    "j2t_csr",
    "sparse_solve_j4t",
    "spmm_t4j",
    "t2j",
    "t2j_coo",
    "t2j_csr",
]
