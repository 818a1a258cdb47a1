"""tsgu: a sparse compiler with gradients, for PyTorch."""

# _library first: it loads the operators that the other modules name.
from ._library import CompileError, PatternError  # isort: skip
from . import _component_ops as _component_ops
from . import _pattern_cache as _pattern_cache
from ._autograd import Operator, operator
from ._config import __version__, show_config
from ._pattern import Pattern
from ._tensors import coo, csr, values
from ._user_programs import load_program
from .sparse_matmul import SparseMatMul, sparse_mm
from .sparse_softmax import sparse_softmax

__all__ = [
    "CompileError",
    "Operator",
    "Pattern",
    "PatternError",
    "SparseMatMul",
    "__version__",
    "coo",
    "csr",
    "load_program",
    "operator",
    "show_config",
    "sparse_mm",
    "sparse_softmax",
    "values",
]
