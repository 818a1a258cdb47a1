"""Krylov methods as functions, sparse matrices of others and at random, tests of samples."""

from .bicgstab import BICGSTABSettings, bicgstab
from .cgs import cgs
from .dist_stats_helpers import cov_nagao_test, mean_hotelling_t2_test
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
    "cov_nagao_test",
    "gmres",
    "linear_cg",
    "lsmr",
    "mean_hotelling_t2_test",
    "minres",
    "rand_sparse",
    "rand_sparse_tri",
    "sparse_block_diag",
    "sparse_block_diag_split",
    "sparse_eye",
    "stack_csr",
]
