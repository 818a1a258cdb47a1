"""Krylov methods as functions, and what makes sparse matrices of others or at random."""

from .bicgstab import BICGSTABSettings, bicgstab
from .cgs import cgs
from .gmres import gmres
from .linear_cg import CGInfo, LinearCGSettings, linear_cg
from .lsmr import lsmr
from .minres import MINRESSettings, minres
from .random_sparse import rand_sparse, rand_sparse_tri
from .utils import (
    convert_coo_to_csr,
    convert_coo_to_csr_indices_values,
    sparse_block_diag,
    sparse_block_diag_split,
    sparse_eye,
    stack_csr,
)

__all__ = [
    "BICGSTABSettings",
    "CGInfo",
    "LinearCGSettings",
    "MINRESSettings",
    "bicgstab",
    "cgs",
    "convert_coo_to_csr",
    "convert_coo_to_csr_indices_values",
    "gmres",
    "linear_cg",
    "lsmr",
    "minres",
    "rand_sparse",
    "rand_sparse_tri",
    "sparse_block_diag",
    "sparse_block_diag_split",
    "sparse_eye",
    "stack_csr",
]
