"""Solves with a sparse matrix: triangular, by iterative and by direct methods."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, overload

import torch
from torch.autograd import Function

from ._matrices.kinds import is_hybrid, is_tensor_or_matrix
from ._patterns.layouts import as_tensor, is_sparse
from ._patterns.modes import outside_graphs
from ._patterns.tensors import parts
from ._programs.autograd import operator
from ._runtime.library import SingularMatrixError
from ._solvers.direct import in_graph_or_transform, suits_cholesky
from ._solvers.linear_solve import (
    check_guess,
    check_on_cpu,
    check_operands,
    handle_maker,
    run,
    same_dtype,
)
from ._solvers.methods import Wanted, by_backend, check_direct, check_keywords, is_direct, recognise
from ._solvers.solver import SolveInfo, fixed_solver
from ._solvers.user_solve import UserSolve
from ._typing import (
    Backend,
    OnFail,
    Preconditioned,
    Progress,
    SparseMatrix,
    SquareMethod,
    TensorOrMatrix,
)

__all__ = [
    "SparseGenericSolve",
    "SparseTriangularSolve",
    "sparse_generic_solve",
    "sparse_triangular_solve",
]


# A name, or a function (A, B, **kwargs) -> X.
Solve: TypeAlias = SquareMethod | Callable[..., Any]


# ===-- Triangular ------------------------------------------------------------===#


def _check_triangular(A, B):
    """Raises ValueError for the first thing that is wrong with the operands."""
    if not is_tensor_or_matrix(A) or not isinstance(B, torch.Tensor):
        raise ValueError("Both A and B should be instances of torch.Tensor")
    if A.dim() < 2 or B.dim() < 1 or (A.dim() > 2 and B.dim() < 2):
        raise ValueError("Both A and B should be at least 2-dimensional tensors")
    vector = A.dim() == 2 and B.dim() == 1
    if (A.dim() != B.dim() and not vector) or A.dim() > 3:
        raise ValueError("A and B must both be 2D or both be 3D tensors")
    if not is_sparse(A):
        raise ValueError("A should be in either COO or CSR sparse format")
    if B.layout is not torch.strided:
        raise ValueError("B must be a dense (strided) tensor")
    if A.shape[-1] != A.shape[-2]:
        raise ValueError("A must be square on its last two dimensions")
    rows = B.shape[-1] if vector else B.shape[-2]
    if A.shape[-2] != rows:
        raise ValueError(f"Incompatible inner dimensions: A[..., {A.size(-2)}] vs B[..., {rows}]")
    if A.dim() == 3 and A.shape[0] != B.shape[0]:
        raise ValueError("If batched, A and B must have the same batch size")
    if is_hybrid(A):
        raise ValueError("A must not be hybrid: its entries must be numbers, not dense blocks")


def _triangular_solve(
    A: TensorOrMatrix, B: torch.Tensor, upper: bool, unitriangular: bool, transpose: bool
) -> torch.Tensor:
    check_on_cpu(A, B)
    solve = operator("triangular_solve_transposed" if transpose else "triangular_solve")
    handle = fixed_solver("triangular", upper=bool(upper), unitriangular=bool(unitriangular))
    if B.dim() == 1:
        return solve.on(A, handle, B.unsqueeze(1)).squeeze(1)
    return solve.on(A, handle, B)


class SparseTriangularSolve(Function):
    """`SparseTriangularSolve.apply(...)` is `sparse_triangular_solve` without its checks."""

    apply = staticmethod(_triangular_solve)


@outside_graphs
def sparse_triangular_solve(
    A: SparseMatrix,
    B: torch.Tensor,
    upper: bool = True,
    unitriangular: bool = False,
    transpose: bool = False,
) -> torch.Tensor:
    """The solution X of A X = B with a triangular A, differentiable in both to any order.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, n), or a batch (b, n, n) whose items may
    have different numbers of entries (COO), or a SciPy array; indices int32 or int64. B: strided,
    (n,) or (n, p), for a batch (b, n, p), of A's dtype. X has the shape of B. Only the upper (or
    lower) triangle of A is read: entries on the other side are ignored, and their gradient is 0.
    With unitriangular=True the diagonal is ones, and A must store no diagonal entry.
    With transpose=True the solution of A^T X = B; `upper` still says which triangle of A is read.
    The gradient of A is sparse, in A's layout and on A's pattern. Rows that do not depend on each
    other are solved in parallel; the analysis of A's pattern that this takes is made once and
    serves all gradients.

    Raises ValueError for operands that do not fit, TypeError for other dtypes and devices,
    PatternError for a corrupt A, SingularMatrixError for a zero or missing diagonal entry, naming
    its row.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_triangular_solve(A, torch.tensor([[2.0], [7.0]]), upper=False)
    tensor([[1.],
            [2.]])
    """
    A = as_tensor(A)
    _check_triangular(A, B)
    return _triangular_solve(A, same_dtype(A, B), upper, unitriangular, transpose)


# ===-- By iterative and direct methods, and users' callables ------------------===#


# Up to here a factorisation takes less than 0.1 s however it fills up.
_FACTORISED = 1024
_ITERATED = {"preconditioner", "maxiter", "restart", "x0", "callback"}


def _factorisation(pattern, values, solve, transpose_solve, kwargs, given):
    """The factorisation that serves where no method is named; None: an iteration does."""
    named = solve is not None or transpose_solve is not None
    if named or kwargs or given.keys() & _ITERATED or pattern.shape[-1] > _FACTORISED:
        return None
    if in_graph_or_transform(values) or not suits_cholesky(pattern, values):
        return "lu"
    return "cholesky"


def _default(n):
    """Without restarts GMRES ends after n steps whatever the matrix; larger ones take BiCGSTAB."""
    return ("gmres", Wanted(restart=n)) if 0 < n <= 256 else ("bicgstab", Wanted())


def _own_plan(solve, transpose_solve, kwargs, given, n):
    """(method, Wanted) where one method of ours does the solve and its adjoint, or None."""
    if solve is None:
        method, defaults = _default(n)
        translate = functools.partial(Wanted, **defaults.members())
    else:
        own = recognise(solve)
        if own is None:
            return None
        method, translate = own
    if transpose_solve is not None:
        adjoint = recognise(transpose_solve)
        if adjoint is None or adjoint[0] != method:
            return None
    taken = inspect.signature(translate).parameters if callable(solve) else ()
    check_keywords("sparse_generic_solve", kwargs, [*taken, *_KEYWORDS])
    wanted = translate(**kwargs)
    if wanted is None:  # what a function of ours does itself
        return None
    wanted = wanted._replace(**given)
    if is_direct(method):
        check_direct(method, wanted)
    # Only those with a name have a transpose: others are the function's own affair.
    if callable(solve) and not isinstance(wanted.preconditioner, (str, type(None))):
        return None
    return method, wanted


def _callable(solve, n):
    """A callable `solve(A, B, **kwargs)` for whatever the user gave, and whether it is ours."""
    if solve is None or isinstance(solve, str):
        name, wanted = _default(n) if solve is None else (solve, Wanted())

        def ours(A, B, **kwargs):
            return sparse_generic_solve(A, B, name, **{**wanted.members(), **kwargs})

        return ours, True
    return solve, recognise(solve) is not None


def _user_maker(solve, transpose_solve, kwargs, pattern, vector, on_fail):
    n = pattern.shape[-1]
    forward, is_ours = _callable(solve, n)
    adjoint, takes_A = None, False
    if transpose_solve is not None:
        adjoint, adjoint_is_ours = _callable(transpose_solve, n)
        takes_A, is_ours = not adjoint_is_ours, is_ours or adjoint_is_ours
    user = UserSolve(forward, adjoint, kwargs, pattern, vector, takes_A, is_ours)
    return user.handle_maker(on_fail, kwargs.get("rtol"), kwargs.get("atol"))


def _generic_solve(A, B, solve, transpose_solve, kwargs, given, return_info, on_fail):
    pattern, values = parts(A)
    found = _factorisation(pattern, values, solve, transpose_solve, kwargs, given)

    def by(solve):
        return _solve_by(
            pattern, values, B, solve, transpose_solve, kwargs, given, return_info, on_fail
        )

    if found == "cholesky":
        try:
            return by(found)
        except SingularMatrixError:  # not positive definite
            found = "lu"
    return by(found or solve)


def _solve_by(pattern, values, B, solve, transpose_solve, kwargs, given, return_info, on_fail):
    vector = B.dim() == (1 if pattern.items == -1 else 2)
    plan = _own_plan(solve, transpose_solve, kwargs, given, pattern.shape[-1])
    if plan is None:
        guess = None
        make = _user_maker(solve, transpose_solve, {**kwargs, **given}, pattern, vector, on_fail)
    else:
        method, wanted = plan
        guess = wanted.x0
        if guess is not None:
            check_guess(guess, B.shape, vector)
        make = handle_maker(method, wanted, values.dtype, on_fail)
    if vector:
        B = B.unsqueeze(-1)
        guess = None if guess is None else guess.reshape(B.shape)
    x, info = run(pattern, values, B, make, guess=guess, wants_info=return_info)
    x = x.squeeze(-1) if vector else x
    return (x, info) if return_info else x


class SparseGenericSolve(Function):
    """`.apply(A, B, solve, transpose_solve, kwargs)` is `sparse_generic_solve` without checks."""

    @staticmethod
    def apply(
        A: TensorOrMatrix,
        B: torch.Tensor,
        solve: Solve | None = None,
        transpose_solve: Solve | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> torch.Tensor:
        return _generic_solve(A, B, solve, transpose_solve, kwargs or {}, {}, False, "warn")


@overload
def sparse_generic_solve(
    A: SparseMatrix,
    B: torch.Tensor,
    solve: Solve | None = None,
    transpose_solve: Solve | None = None,
    *,
    preconditioner: Preconditioned | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    restart: int | None = None,
    x0: torch.Tensor | None = None,
    callback: Progress | None = None,
    progress: bool = False,
    backend: Backend = "tsgu",
    return_info: Literal[False] = False,
    on_fail: OnFail = "warn",
    **kwargs: Any,
) -> torch.Tensor: ...


@overload
def sparse_generic_solve(
    A: SparseMatrix,
    B: torch.Tensor,
    solve: Solve | None = None,
    transpose_solve: Solve | None = None,
    *,
    preconditioner: Preconditioned | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    restart: int | None = None,
    x0: torch.Tensor | None = None,
    callback: Progress | None = None,
    progress: bool = False,
    backend: Backend = "tsgu",
    return_info: Literal[True],
    on_fail: OnFail = "warn",
    **kwargs: Any,
) -> tuple[torch.Tensor, SolveInfo]: ...


@outside_graphs
def sparse_generic_solve(
    A: SparseMatrix,
    B: torch.Tensor,
    solve: Solve | None = None,
    transpose_solve: Solve | None = None,
    *,
    preconditioner: Preconditioned | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    maxiter: int | None = None,
    restart: int | None = None,
    x0: torch.Tensor | None = None,
    callback: Progress | None = None,
    progress: bool = False,
    backend: Backend = "tsgu",
    return_info: bool = False,
    on_fail: OnFail = "warn",
    **kwargs: Any,
) -> torch.Tensor | tuple[torch.Tensor, SolveInfo]:
    """The solution X of A X = B, differentiable in both to any order.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, n), or a batch (b, n, n) whose items may
    have different numbers of entries (COO), or a SciPy array. B: strided, (n,) or (n, p); for a
    batch (b, n) or (b, n, p). X has B's shape and A's dtype.

    solve: "cg" (A Hermitian positive definite), "minres" (Hermitian), "bicgstab", "gmres", "cgs";
    "cholesky" (Hermitian positive definite, both triangles stored), "ldlt" (Hermitian) or "lu",
    which factorise A; one of the functions linear_cg, minres, bicgstab, gmres, cgs of tsgu.utils,
    whose keyword arguments are then taken; or any callable `solve(A, B, **kwargs) -> X`. Without
    it, up to n = 1024: "cholesky" where A is Hermitian with a positive diagonal, and "lu" where it
    is not, or not positive definite. Beyond, and where an option of iterative methods is given:
    GMRES up to n = 256, then BiCGSTAB, neither of which needs A to be symmetric. In graphs and
    transforms, where A's values are not known, "lu" stands for "cholesky". SolveInfo.method says
    which it was.

    Our iterative methods stop when norm(b - A x) <= max(rtol norm(b), atol) in every column of B,
    for the residual recomputed from x; rtol is by default 1e-5 in single and 1e-8 in double
    precision. preconditioner: "jacobi", "block_jacobi", "ssor", "ilu0", "ic0" or "amg". x0: where
    to start. callback(iteration, residuals) is called after every iteration and stops the solve
    where it returns True; such a solve did not converge. Their gradients come from the same method
    on A^H with the same options.

    progress=True shows on stderr what takes longer than a second: of an iteration, also of
    gradients, how many there were and the largest residual, of a factorisation its size and for how
    long it has been going; by tqdm where it is installed, otherwise a line every ten seconds.

    "lu", "cholesky" and "ldlt" factorise a matrix once for its values, found again by their
    content: for gradients of any order, further right-hand sides and solves with the same values. X
    is refined until norm(b - A x) is a few roundings of norm(|A| |x| + |b|), which is the goal
    beside those that rtol and atol set; so X is as accurate as the condition of A allows.
    "cholesky" needs both triangles, which have to agree; "lu" takes the diagonal for pivots where
    that is accurate, and otherwise the largest entries, by Eigen's SparseLU.

    backend: whose factorisation it is. "tsgu" is ours; "klu" and "umfpack" (for "lu"), "cholmod"
    (for "cholesky") and "pardiso" (for both) are other people's libraries, which are opened if they
    are installed, and otherwise a ValueError. They cannot be interrupted; their solutions are
    refined and judged as ours are.

    A callable gets A in the user's layout and B (detached copies, B of as many dimensions as the
    user's) and all other keyword arguments; of a batch one item after the other. Gradients call
    `solve(A^H, G)`; an explicit `transpose_solve` is called with A itself, and has to act as its
    adjoint. Its X is judged where rtol was given. What a callable or a callback raises is raised
    as it is.

    on_fail: "warn" (ConvergenceWarning), "raise" (ConvergenceError) or "ignore" a solve that does
    not reach its goal, here and in gradients. return_info=True: (X, SolveInfo).

    Raises ValueError or TypeError for operands and options that do not fit, PatternError for a
    corrupt A, SingularMatrixError where a preconditioner meets a zero pivot, and from a direct
    method for a matrix that is singular to working precision or not positive definite; all name
    the row. ValueError from a direct method for NaN or infinity in A, and from "cholesky" for a
    matrix that is not Hermitian.

    >>> A = torch.tensor([[4.0, 1.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_generic_solve(A, torch.tensor([6.0, 7.0]), "cg").round(decimals=3)
    tensor([1., 2.])
    """
    A = as_tensor(A)
    check_operands(A, B, square=True)
    check_on_cpu(A, B)
    B = same_dtype(A, B)
    given: dict[str, Any] = {"rtol": rtol, "atol": atol, "maxiter": maxiter, "restart": restart}
    given |= {"preconditioner": preconditioner, "x0": x0, "callback": callback}
    given["progress"] = progress or None
    solve = by_backend(solve, backend)
    given = {name: value for name, value in given.items() if value is not None}
    return _generic_solve(A, B, solve, transpose_solve, kwargs, given, return_info, on_fail)


_KEYWORDS = [*inspect.signature(sparse_generic_solve).parameters][2:-1]
