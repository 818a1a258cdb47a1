"""Solves as programs: values and derivatives to third order against dense torch."""

import numpy as np
import oracle
import pytest
import torch
from aot_tools import Pattern
from program_tools import run, solver

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
