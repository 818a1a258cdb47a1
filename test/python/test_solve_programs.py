"""Solves as programs: values and derivatives to third order against dense torch."""

import numpy as np
import pytest
import torch
from aot_tools import Pattern
from program_tools import PRECONDITIONERS, counters, program, run, solver

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
    if unit:
        mask &= ~np.eye(7, dtype=bool)
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


def test_batches_of_matrices():
    """Items have patterns of their own."""
    mask = random_mask(3, 6, 6, density=0.4, seed=5)
    indices, values = matrix_on(mask)
    B = torch.randn(3, 6, 2, dtype=torch.float64)
    pattern = Pattern(mask)
    triangular, general = solver("triangular"), solver("gmres", rtol=1e-14)

    def lower(values, B):
        L = torch.tril(oracle.dense(indices, values, mask.shape))
        return torch.linalg.solve_triangular(L, B, upper=False)

    def whole(values, B):
        return torch.linalg.solve(oracle.dense(indices, values, mask.shape), B)

    for path, handle, reference in [
        ("triangular_solve/batch", triangular, lower),
        ("solve/batch", general, whole),
    ]:
        handle = torch.from_numpy(handle)
        oracle.assert_same_derivatives(
            lambda values, B, path=path, handle=handle: run(path, pattern, handle, values, B),
            reference,
            inputs_of(values, B),
            order=2,
            terms=1e6,
        )


TANGENTS = {
    "triangular_solve": (7, 7, solver("triangular")),
    "triangular_solve_transposed": (7, 7, solver("triangular")),
    "solve": (7, 7, solver("gmres", rtol=1e-14)),
    "least_squares": (9, 5, solver("lsmr", rtol=1e-14, damp=0.3)),
    "least_squares_row": (5, 9, solver("lsmr", rtol=1e-14)),
}


def dense_program(path, A, B):
    if path.startswith("triangular"):
        L = torch.tril(A)
        return torch.linalg.solve(L.T if path.endswith("transposed") else L, B)
    if path == "solve":
        return torch.linalg.solve(A, B)
    return least_squares(A, B, 0.3 if path == "least_squares" else 0.0)


@pytest.mark.parametrize("operand", [1, 2])
@pytest.mark.parametrize("path", TANGENTS)
def test_tangents(path, operand):
    m, n, handle = TANGENTS[path]
    mask = random_mask(m, n)
    indices, values = matrix_on(mask)
    B = torch.randn(m, 2, dtype=torch.float64)
    pattern = Pattern(mask)
    point = (values, B)
    tangents = [torch.zeros_like(x) for x in point]
    tangents[operand - 1] = torch.randn_like(point[operand - 1])
    X, expected = torch.func.jvp(
        lambda values, B: dense_program(path, oracle.dense(indices, values, (m, n)), B),
        point,
        tuple(tangents),
    )
    derived = program(f"{path}/jvp{operand}")
    takes_result = any(info["result_of"] is not None for info in derived.signature["operands"])
    operands = [handle, values, B, *([X] if takes_result else []), tangents[operand - 1]]
    actual = derived(pattern, *map(np.ascontiguousarray, operands))
    oracle.assert_close(torch.from_numpy(actual), expected, terms=1e6)


def test_entries_in_the_other_triangle_do_not_matter():
    mask = np.ones((5, 5), bool)
    indices, values = matrix_on(mask)
    values[indices[0] < indices[1]] = torch.nan
    values.requires_grad_()
    B = torch.randn(5, 2, dtype=torch.float64)
    handle = torch.from_numpy(solver("triangular"))
    X = run("triangular_solve", Pattern(mask), handle, values, B)
    (gradient,) = torch.autograd.grad(X.square().sum(), values)
    assert X.isfinite().all()
    assert (gradient[indices[0] < indices[1]] == 0).all()
    assert (gradient[indices[0] >= indices[1]] != 0).all()


def differentiate_thrice(path, pattern, handle, values, B):
    X = run(path, pattern, handle, values, B)
    functional = X.square().sum()
    for _ in range(3):
        gradients = torch.autograd.grad(functional, (values, B), create_graph=True)
        functional = sum(gradient.square().sum() for gradient in gradients)


@pytest.mark.parametrize("path", ["triangular_solve", "triangular_solve_transposed"])
@pytest.mark.parametrize("batch", [False, True])
def test_derivatives_analyse_nothing_again(path, batch):
    """Of a pattern that was solved on once, for whichever values and mode."""
    mask = random_mask(3, 12, 12) if batch else random_mask(40, 40)
    _, values = matrix_on(mask)
    values, B = inputs_of(values, torch.randn(*mask.shape[:-1], 2, dtype=torch.float64))
    handle, pattern = torch.from_numpy(solver("triangular")), Pattern(mask)
    path += "/batch" if batch else ""
    start = counters().analyses
    run(path, pattern, handle, values, B)
    analyses = counters().analyses
    assert analyses > start
    differentiate_thrice(path, pattern, handle, values, B)
    differentiate_thrice(path, pattern, handle, *inputs_of(values.detach() * 1.5, B.detach()))
    assert counters().analyses == analyses


@pytest.mark.parametrize("name", PRECONDITIONERS)
@pytest.mark.parametrize("method", ["cg", "gmres"])
def test_derivatives_set_up_no_preconditioner_again(method, name):
    """Of values that were solved with once; new values need one setup."""
    mask = random_mask(30, 30, density=0.1)
    mask |= mask.T
    indices = torch.from_numpy(np.stack(np.nonzero(mask)))
    degrees = torch.from_numpy(mask.sum(1))[indices[0]].double()
    values = torch.where(indices[0] == indices[1], degrees + 0.5, -1.0)
    B = torch.randn(30, 2, dtype=torch.float64)
    options = {"rtol": 1e-13, "preconditioner": PRECONDITIONERS[name]}
    handle, pattern = torch.from_numpy(solver(method, **options)), Pattern(mask)
    for scale in (1.0, 2.0):
        before = counters()
        differentiate_thrice("solve", pattern, handle, *inputs_of(scale * values, B))
        assert counters().setups == before.setups + 1
        if scale > 1:
            assert counters().analyses == before.analyses
