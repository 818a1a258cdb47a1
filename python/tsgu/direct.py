"""Direct solves: what alecjacobson's sparse_solver and flaport's torch_sparse_solve offer."""

import torch
from torch.autograd import Function

from ._matrices.constructors import coo
from ._matrices.kinds import is_tensor_or_matrix
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import outside_graphs
from ._programs.autograd import operator
from ._solvers.linear_solve import check_on_cpu, same_dtype
from ._solvers.solver import fixed_solver
from ._typing import SparseMatrix

__all__ = ["Solve", "SparseSolve", "SparseSolver", "solve"]

_DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)


def _check(A, B):
    """Raises ValueError for the first thing that is wrong with a sparse A and a dense B."""
    if not is_tensor_or_matrix(A) or A.dim() not in (2, 3) or A.shape[-1] != A.shape[-2]:
        raise ValueError("'A' should be a batch of square 2D sparse matrices with shape (b, m, m).")
    lead = B.shape[: A.dim() - 1] if isinstance(B, torch.Tensor) else None
    fits = lead is not None and (
        (B.dim() in (A.dim() - 1, A.dim()) and lead == A.shape[:-1])
        or (B.dim() > A.dim() == 2 and B.shape[-2] == A.shape[-1])
    )
    if not fits:
        raise ValueError("'b' should be a batch of matrices with shape (b, m, n).")
    if not is_sparse(A) or A.dtype not in _DTYPES:
        raise ValueError("'A' should be a sparse float64 tensor.")
    if B.layout is not torch.strided or not (B.is_floating_point() or B.is_complex()):
        raise ValueError("'b' should be a float64 tensor.")


def _solve(A, B, method):
    _check(A, B)
    check_on_cpu(A, B)
    B = same_dtype(A, B, "b")
    solve, handle = operator("solve").on, fixed_solver(method)
    if B.dim() < A.dim():
        return solve(A, handle, B.unsqueeze(-1)).squeeze(-1)
    if B.dim() == A.dim():
        return solve(A, handle, B)
    # Many right-hand sides for one matrix: all become columns.
    *items, rows, columns = B.shape
    joined = B.reshape(-1, rows, columns).movedim(0, 1).reshape(rows, -1)
    X = solve(A, handle, joined)
    return X.unflatten(1, (-1, columns)).movedim(1, 0).reshape(*items, rows, columns)


@outside_graphs
def solve(A: SparseMatrix, b: torch.Tensor) -> torch.Tensor:
    """The solution x of A x = b by LU, differentiable in both to any order.

    A: (m, m), or a batch (b, m, m) whose items may have different numbers of entries and patterns
    of their own; COO (coalesced or not), CSR, CSC, BSR, BSC or a SciPy array, float32, float64,
    complex64 or complex128. b: strided, of A's dtype; (b, m, n) or (b, m) for a batch, for one
    matrix (m,), (m, n) or (..., m, n). x has the shape of b. A matrix is factorised once for its
    values: the gradients, and solves with the same values again, use the factors that are there.

    Raises ValueError for operands that do not fit and for NaN or infinity in A, PatternError for a
    corrupt A, SingularMatrixError for a singular A, naming a row and the item.
    """
    return _solve(as_tensor(A), b, "lu")


class Solve(Function):
    """`Solve.apply(A, b)` is `solve(A, b)`."""

    apply = staticmethod(solve)


@outside_graphs
def _solve_positive_definite(A: SparseMatrix, b: torch.Tensor) -> torch.Tensor:
    A = as_tensor(A)
    if isinstance(A, torch.Tensor) and A.layout is torch.strided and A.dim() == 2:
        indices = A.detach().nonzero().T.contiguous()
        A = coo(indices, A[tuple(indices)], A.shape)
    return _solve(A, b, "cholesky")


class SparseSolver(Function):
    """`SparseSolver.apply(A, b)`: the solution x of A x = b by Cholesky, differentiable.

    A: Hermitian positive definite, with both triangles stored; (m, m) or a batch (b, m, m), in the
    layouts and dtypes that `solve` takes, or dense (m, m), of which the nonzeros count. b and x as
    in `solve`. Any number of matrices may be in use at once, from any number of threads, and each
    gradient is that of its own; the gradient of A is of A as it is, each stored entry a variable
    of its own, so that it need not be symmetric.

    Raises what `solve` raises; ValueError for a matrix that is not Hermitian, such as one of whose
    triangles only one is stored, naming two entries that differ; SingularMatrixError for one that
    is not positive definite, naming a row.
    """

    apply = staticmethod(_solve_positive_definite)


SparseSolve = SparseSolver
