"""Which factorisation suits a matrix, and what all functions by one share."""

import torch

from .._matrices.kinds import is_tensor_or_matrix
from .._patterns.coalesced import without_repeats
from .._patterns.layouts import is_sparse
from .._patterns.modes import needs_matrix, transforming
from .._patterns.pattern import Pattern
from .._patterns.tensors import parts
from .._programs.autograd import operator_on
from .._runtime.library import PatternError, SingularMatrixError, keep_next
from .._typing import TensorOrMatrix
from .linear_solve import check_on_cpu
from .methods import DIRECT

_eps = {torch.float32: 2**-23, torch.complex64: 2**-23}


def check_matrix(A):
    """Raises for the first thing that keeps A from being a sparse matrix on the CPU."""
    if not is_tensor_or_matrix(A):
        raise TypeError(f"A must be a sparse tensor or tsgu.Matrix, not {type(A).__name__}")
    if not is_sparse(A):
        raise TypeError(f"A must be sparse, not {A.layout}: a dense A is A.to_sparse_csr()")
    check_on_cpu(A)


def check_square(A):
    """Raises for the first thing that keeps A from being a square sparse matrix on the CPU."""
    check_matrix(A)
    if A.shape[-1] != A.shape[-2]:
        raise ValueError(f"A must be square, and has shape {tuple(A.shape)}")


def parts_of(A: TensorOrMatrix) -> tuple[Pattern, torch.Tensor]:
    """Pattern and values; those of a Matrix may be a batch."""
    return parts(A) if isinstance(A, torch.Tensor) else (A.pattern, A.values)


def check_factorises(method, and_also=()):
    known = (*DIRECT, *and_also)
    if method not in known:
        choices = ", ".join(map(repr, known))
        raise ValueError(f"method must be one of {choices}, not {method!r}")


def in_graph_or_transform(values):
    """Whether nothing can be asked about the values."""
    return needs_matrix(values) or transforming() or torch._C._len_torch_dispatch_stack() > 0


def by_method(pattern, values, method, compute):
    """`compute(method)` by the method asked for, or by the one that suits the matrix."""
    if method is not None:
        check_factorises(method)
        return compute(method) if in_graph_or_transform(values) else _owning(compute, method)
    if in_graph_or_transform(values):
        return compute("lu")
    if suits_cholesky(pattern, values):
        try:
            return _owning(compute, "cholesky")
        except SingularMatrixError:  # not positive definite
            pass
    return _owning(compute, "lu")


def _owning(compute, method):
    """`compute(method)`, whose runs share one factorisation whatever the cache drops."""
    held = keep_next()
    found = compute(method)
    del held
    return found


def suits_cholesky(pattern, values):
    """Whether a matrix, or all of a batch, is Hermitian up to roundings with a positive diagonal.

    Not in graphs and transforms.
    """
    values = values.detach()
    pattern, values = without_repeats(pattern, values)
    *_, row, column = pattern.entry_indices()
    on_diagonal = row == column
    diagonal = values[..., on_diagonal]
    if diagonal.shape[-1] != pattern.shape[-1] * max(pattern.items, 1):
        return False
    if not bool((diagonal.real > 0).all()):
        return False
    try:
        adjoint = operator_on("adjoint", pattern).call((pattern,), values)
    except PatternError:
        raise
    except ValueError:  # the pattern is not symmetric
        return False
    rounding = 8 * _eps.get(values.dtype, 2**-52)
    return bool(((values - adjoint).abs() <= rounding * values.abs()).all())
