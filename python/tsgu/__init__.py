"""A sparse compiler with gradients, for PyTorch.

Functions take a tsgu.Matrix, a sparse tensor of torch or an array of SciPy.

matrices       Matrix, Pattern, csr, coo, values
products       sparse_mm, sparse_mv, sddmm, spgemm, einsum, gather_mm, segment_mm
elementwise    sparse_add, sparse_mul, sparse_div
reductions     sparse_sum, sparse_mean, sparse_amax, sparse_amin, sparse_softmax,
               sparse_log_softmax, sparse_logsumexp, sparse_bidir_logsumexp
solves         sparse_generic_solve, sparse_triangular_solve, sparse_generic_lstsq, solver,
               SolveInfo
factorisations factorize, Factorization, logdet, slogdet, selected_inverse
programs       operator, Operator, load_program, load_programs, programs
the process    explain, show_config, empty_cache, install_as

Modules of their own: direct, distributions, encoders, utils, plots, jax, cupy.
"""

import importlib.util as _util
import typing as _python_typing
from importlib import import_module as _import_module

# Loads the operators that the other modules name.
from . import _runtime as _runtime  # isort: skip

# Imported for what they register.
from . import _matrix_functions as _matrix_functions
from . import utils
from ._matrices.constructors import coo, csr, values
from ._matrices.matrix import Matrix
from ._patterns import pattern_cache as _pattern_cache  # noqa: F401
from ._patterns.pattern import Pattern
from ._programs import component_ops as _component_ops  # noqa: F401
from ._programs.autograd import Operator
from ._programs.explain import explain
from ._programs.user_programs import load_program, load_programs, operator, programs
from ._runtime.aliases import install_as
from ._runtime.callbacks import ConvergenceWarning
from ._runtime.config import __version__, empty_cache, show_config
from ._runtime.library import (
    BreakdownError,
    CallbackError,
    CompileError,
    ConvergenceError,
    DeviceError,
    PatternError,
    SingularMatrixError,
)
from ._solvers.factorize import Factorization, factorize
from ._solvers.solver import SolveInfo, solver
from .direct import SparseSolve, SparseSolver
from .einsum import einsum
from .indexed_matmul import gather_mm, segment_mm
from .sddmm import sddmm
from .sparse_arithmetic import sparse_add, sparse_div, sparse_mul
from .sparse_logdet import logdet, selected_inverse, slogdet
from .sparse_logsumexp import sparse_bidir_logsumexp, sparse_logsumexp
from .sparse_lstsq import SparseGenericLstsq, sparse_generic_lstsq
from .sparse_matmul import SparseMatMul, sparse_mm, sparse_mv
from .sparse_reductions import sparse_amax, sparse_amin, sparse_mean, sparse_sum
from .sparse_softmax import sparse_log_softmax, sparse_softmax
from .sparse_solve import (
    SparseGenericSolve,
    SparseTriangularSolve,
    sparse_generic_solve,
    sparse_triangular_solve,
)
from .spgemm import spgemm

__all__ = [
    "BreakdownError",
    "CallbackError",
    "CompileError",
    "ConvergenceError",
    "ConvergenceWarning",
    "DeviceError",
    "Factorization",
    "Matrix",
    "Operator",
    "Pattern",
    "PatternError",
    "SingularMatrixError",
    "SolveInfo",
    "SparseGenericLstsq",
    "SparseGenericSolve",
    "SparseMatMul",
    "SparseSolve",
    "SparseSolver",
    "SparseTriangularSolve",
    "__version__",
    "coo",
    "csr",
    "einsum",
    "empty_cache",
    "explain",
    "factorize",
    "gather_mm",
    "install_as",
    "load_program",
    "load_programs",
    "logdet",
    "operator",
    "programs",
    "sddmm",
    "segment_mm",
    "selected_inverse",
    "show_config",
    "slogdet",
    "solver",
    "sparse_add",
    "sparse_amax",
    "sparse_amin",
    "sparse_bidir_logsumexp",
    "sparse_div",
    "sparse_generic_lstsq",
    "sparse_generic_solve",
    "sparse_log_softmax",
    "sparse_logsumexp",
    "sparse_mean",
    "sparse_mm",
    "sparse_mul",
    "sparse_mv",
    "sparse_softmax",
    "sparse_sum",
    "sparse_triangular_solve",
    "spgemm",
    "utils",
    "values",
]

if _python_typing.TYPE_CHECKING:  # modules that are loaded when they are named
    from . import cupy as cupy
    from . import distributions as distributions
    from . import encoders as encoders
    from . import jax as jax
    from . import plots as plots
else:

    def __getattr__(name):
        """Modules that are not loaded yet, so `tsgu.jax` without an import of its own."""
        public = name.isidentifier() and not name.startswith("_")
        if public and _util.find_spec(f"{__name__}.{name}"):
            return _import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
