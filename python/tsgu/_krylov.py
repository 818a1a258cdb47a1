"""Krylov methods for matrices and closures: what the functions of tsgu.utils have in common."""

import torch

from ._linear_solve import dense_parts, handle_maker, is_sparse, run, with_shift
from ._methods import default_tolerance
from ._solver import solver
from ._tensors import parts


def check_operator(operator, name):
    """Raises RuntimeError for what is neither a matrix nor a function."""
    if not isinstance(operator, torch.Tensor) and not callable(operator):
        raise RuntimeError(f"{name} must be a tensor, or a callable object!")


def matrix_of(operator):
    """The matrix that an operator is or multiplies by, None for a closure."""
    if isinstance(operator, torch.Tensor):
        return operator
    owner = getattr(operator, "__self__", None)
    if isinstance(owner, torch.Tensor) and operator.__name__ in ("matmul", "mm", "__matmul__"):
        return owner
    return None


def refuse_nonfinite(text):
    """The text of warnings; raises for a solve (not of a gradient) that met NaN or infinity."""

    def describe(outcome):
        if outcome.mode == 0 and "not finite" in outcome.reasons:
            raise RuntimeError(
                "NaNs or infinities encountered in matrix-vector products or the right-hand side. "
                + outcome.explanation
            )
        return outcome.explanation if text is None else text(outcome)

    return describe


def solve_columns(
    method,
    operator,
    rhs,
    wanted,
    *,
    text=None,
    hermitian=False,
    lanczos=(0, 0),
    value=None,
    shift=None,
):
    """The solution of (value A + shift I) x = rhs, and with lanczos = (columns, steps) also T."""
    if not isinstance(rhs, torch.Tensor) or rhs.dim() == 0:
        raise RuntimeError("rhs must be a tensor of shape (n,), (n, k) or (..., n, k)")
    text = refuse_nonfinite(text)
    vector = rhs.dim() == 1
    B = rhs.unsqueeze(-1) if vector else rhs
    guess = wanted.x0
    if guess is not None:
        guess = (guess.unsqueeze(-1) if guess.dim() == 1 else guess).expand(B.shape)
    A = matrix_of(operator)
    if A is None:
        raise NotImplementedError
    x = _solve_matrix(method, A, B, wanted._replace(x0=guess), text, value, shift)
    return x.squeeze(-1) if vector else x


def _solve_matrix(method, A, B, wanted, text, value, shift):
    *batch, n, columns = B.shape
    if A.dim() < 2 or A.shape[-1] != A.shape[-2] or A.shape[-1] != n:
        raise RuntimeError(
            f"Size mismatch: the matrix has shape {tuple(A.shape)}, rhs {tuple(B.shape)}"
        )
    items = A.shape[:-2]
    if is_sparse(A):
        pattern, values = parts(A)
    else:
        pattern, values = dense_parts(A.reshape(-1, n, n) if items else A)
    if value is not None or shift is not None:
        pattern, values = with_shift(pattern, values, value, 0 if shift is None else shift)

    def fold(block):
        if items:
            return block.expand(*items, n, columns).reshape(-1, n, columns)
        return block.movedim(-2, 0).reshape(n, -1)

    make = handle_maker(method, wanted, values.dtype, "warn", text)
    guess = None if wanted.x0 is None else fold(wanted.x0)
    x, _ = run(pattern, values, fold(B), make, guess=guess)
    if items:
        return x.reshape(*items, n, columns)
    return x.reshape(n, *batch, columns).movedim(0, -2)


def least_squares(A, b, adjoint, n, damp, tolerance, maxiter, x0):
    """(x, iterations) of lsmr."""
    vector = b.squeeze()
    if vector.dim() > 1:
        raise RuntimeError(f"b must be a vector, and has shape {tuple(b.shape)}")
    B = vector.reshape(-1, 1)
    matrix = matrix_of(A) if adjoint is None else None
    if matrix is None:
        raise NotImplementedError
    pattern, values = parts(matrix) if is_sparse(matrix) else dense_parts(matrix)
    rtol = min(tolerance, default_tolerance(values.dtype))

    def make(callables):
        return solver("lsmr", damp=damp, rtol=rtol, maxiter=maxiter, callables=callables)

    name = "least_squares" if pattern.shape[-2] >= pattern.shape[-1] else "least_squares_row"
    guess = None if x0 is None else x0.reshape(-1, 1)
    x, info = run(pattern, values, B, make, name=name, guess=guess, wants_info=True)
    return x.squeeze(1), int(info.iterations.max()) if info.iterations.numel() else 0
