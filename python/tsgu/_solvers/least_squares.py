"""Least squares for matrices and closures: what lsmr does."""

import torch

from .._matrices.kinds import is_tensor_or_matrix
from .._patterns.layouts import as_tensor
from .._patterns.tensors import parts
from .._runtime.callbacks import with_gradients
from ..sparse_matmul import sparse_mm
from .iteration import Functions, iterate
from .linear_solve import (
    check_guess,
    check_on_cpu,
    dense_parts,
    is_sparse,
    run,
    same_dtype,
    transforming,
)
from .methods import default_tolerance
from .solver import solver


def least_squares(A, b, adjoint, n, damp, tolerance, maxiter, x0, progress):
    """(x, iterations) of lsmr."""
    vector = b.squeeze()
    if vector.dim() > 1:
        raise RuntimeError(f"b must be a vector, and has shape {tuple(b.shape)}")
    check_on_cpu(vector)
    if is_tensor_or_matrix(A):
        vector = same_dtype(A, vector, "b")
        n = A.shape[-1]
    B = vector.reshape(-1, 1)
    guess = None
    if x0 is not None:
        check_guess(x0, (n,), vector=True)
        if transforming() or B.any():  # b = 0 has the solution 0
            guess = x0.reshape(-1, 1)
    rtol = min(tolerance, default_tolerance(B.dtype))
    options = {"damp": damp, "rtol": rtol, "maxiter": maxiter, "progress": progress}
    if callable(A):
        return _least_squares_of_closures(A, adjoint, B, n, solver("lsmr", **options), guess)
    A = as_tensor(A)
    pattern, values = parts(A) if is_sparse(A) else dense_parts(A)

    def make(callables):
        return solver("lsmr", callables=callables, **options)

    wide = pattern.shape[-2] < pattern.shape[-1]
    name = "least_squares_row" if wide else "least_squares"
    how = {"name": name, "guess": guess, "nearest": wide and damp == 0}
    x, info = run(pattern, values, B, make, wants_info=True, **how)
    return x.squeeze(1), int(info.iterations.max()) if info.iterations.numel() else 0


def _least_squares_of_closures(A, adjoint, B, n, handle, guess):
    if B.requires_grad and torch.is_grad_enabled():
        raise RuntimeError("no gradient goes through closures: pass the matrix, or detach b")
    x = B.new_zeros(n, 1) if guess is None else guess.detach().to(B.dtype).clone()
    multiply, adjoint = adjoint, as_tensor(adjoint)
    if is_tensor_or_matrix(adjoint):
        product = sparse_mm if is_sparse(adjoint) else torch.matmul

        def multiply(v):
            return product(adjoint, v.unsqueeze(1)).squeeze(1)

    functions = Functions(
        _columnwise(A, "the closure", B.shape[0]),
        _columnwise(multiply, "the function that multiplies by A^H", n),
    )
    b = B.detach().contiguous()
    outcome = with_gradients(
        False, lambda: iterate(handle, functions, b, x, guess=guess is not None).outcome
    )
    return x.squeeze(1), int(outcome.iterations.max()) if outcome.iterations.numel() else 0


def _columnwise(function, name, length):
    def multiply(folded):
        result = function(folded.squeeze(1))
        if not isinstance(result, torch.Tensor):
            raise TypeError(f"{name} must return a tensor, not {type(result).__name__}")
        if result.numel() != length:
            raise RuntimeError(
                f"{name} must return a vector of {length} components, not of shape "
                f"{tuple(result.shape)}"
            )
        return result.reshape(-1, 1)

    return multiply
