"""Solves as programs: values and derivatives to third order against dense torch."""

import numpy as np
import pytest
import torch
from aot_tools import Pattern
from program_tools import run, solver

import oracle

torch.manual_seed(0)


def matrix_on(mask, scale=0.3):
    """The values of a well-conditioned matrix on a mask with a full diagonal, and its indices."""
    indices = torch.from_numpy(np.stack(np.nonzero(mask)))
    values = scale * torch.randn(indices.shape[1], dtype=torch.float64)
    on_diagonal = indices[-2] == indices[-1]
    values[on_diagonal] += 2 * values[on_diagonal].sign()
    return indices, values


def random_mask(*shape, density=0.3, diagonal=True, seed=1):
    mask = np.random.default_rng(seed).random(shape) < density
    if diagonal:
        mask |= np.eye(*shape[-2:], dtype=bool)
    return mask


def inputs_of(*tensors):
    return [x.clone().requires_grad_() for x in tensors]


@pytest.mark.parametrize("mode", ["N", "T"])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_triangular_solve(mode, upper, unit):
    mask = random_mask(7, 7, density=0.5)
    indices, values = matrix_on(mask)
    B = torch.randn(7, 3, dtype=torch.float64)
    handle = torch.from_numpy(solver("triangular", upper=int(upper), unit_diagonal=int(unit)))
    pattern = Pattern(mask)
    path = "triangular_solve" + ("_transposed" if mode == "T" else "")

    def reference(values, B):
        A = oracle.dense(indices, values, (7, 7))
        L = torch.triu(A) if upper else torch.tril(A)
        return torch.linalg.solve_triangular(
            L.T if mode == "T" else L, B, upper=upper != (mode == "T"), unitriangular=unit
        )

    oracle.assert_same_derivatives(
        lambda values, B: run(path, pattern, handle, values, B), reference, inputs_of(values, B)
    )


@pytest.mark.parametrize("method", ["bicgstab", "gmres"])
def test_solve(method):
    mask = random_mask(8, 8)
    indices, values = matrix_on(mask)
    B = torch.randn(8, 2, dtype=torch.float64)
    handle = torch.from_numpy(solver(method, rtol=1e-14))
    pattern = Pattern(mask)

    def reference(values, B):
        return torch.linalg.solve(oracle.dense(indices, values, (8, 8)), B)

    oracle.assert_same_derivatives(
        lambda values, B: run("solve", pattern, handle, values, B),
        reference,
        inputs_of(values, B),
        terms=1e6,  # what is left of rtol in the third derivative
    )


def least_squares(A, B, damp):
    """By the normal equations of whichever side is smaller."""
    m, n = A.shape
    if m >= n or damp:
        return torch.linalg.solve(A.T @ A + damp**2 * torch.eye(n, dtype=A.dtype), A.T @ B)
    return A.T @ torch.linalg.solve(A @ A.T, B)


@pytest.mark.parametrize(
    ("path", "m", "n", "damp"),
    [
        ("least_squares", 9, 5, 0.0),
        ("least_squares", 9, 5, 0.7),
        ("least_squares", 5, 9, 0.7),
        ("least_squares_row", 5, 9, 0.0),
    ],
)
def test_least_squares(path, m, n, damp):
    mask = random_mask(m, n)
    indices, values = matrix_on(mask)
    B = torch.randn(m, 2, dtype=torch.float64)
    handle = torch.from_numpy(solver("lsmr", rtol=1e-14, damp=damp))
    pattern = Pattern(mask)
    oracle.assert_same_derivatives(
        lambda values, B: run(path, pattern, handle, values, B),
        lambda values, B: least_squares(oracle.dense(indices, values, (m, n)), B, damp),
        inputs_of(values, B),
        terms=1e6,
    )
