"""Whole solves: backward beside forward, and CG with multigrid beside pyamg's."""

import numpy as np
import scipy.sparse.linalg
import torch

import tsgu
from measure import Timing, elapsed, turns


def gradient_calls(system, method):
    """A solve, and that with its backward to the values of A and to b; both are checked."""
    plain, plain_b = system.torch(), torch.from_numpy(system.b)
    A, b = plain.clone().requires_grad_(), plain_b.clone().requires_grad_()
    cotangent = torch.from_numpy(np.random.default_rng(17).standard_normal(system.rows))

    def forward():
        return tsgu.sparse_generic_solve(plain, plain_b, method)

    def both():
        x = tsgu.sparse_generic_solve(A, b, method)
        return torch.autograd.grad(x, (A, b), cotangent)

    _check_gradient(system, forward(), both())
    return {"forward": forward, "both": both}


def _check_gradient(system, x, gradients):
    """grad A = -y x^T on A with A^T y = g, and grad b = y."""
    of_A, y = gradients[0].values().numpy(), gradients[1].numpy()
    x, A = x.numpy(), system.scipy()
    residual = np.linalg.norm(A @ x - system.b) / np.linalg.norm(system.b)
    if residual > 1.1e-8:
        raise AssertionError(f"tsgu's residual is {residual}")
    rows = np.repeat(np.arange(system.rows), np.diff(system.positions))
    expected = -y[rows] * x[system.coordinates]
    if not np.allclose(of_A, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max()):
        raise AssertionError("tsgu's gradient of A is not that of its solutions")


def multigrid(system, pyamg, rounds):
    """CG's times and iterations with ours and pyamg's, checked."""
    A, b = system.scipy(), torch.from_numpy(system.b)
    A.indices, A.indptr = A.indices.astype(np.int32), A.indptr.astype(np.int32)
    ours, counts = system.torch(), {}
    options = {"preconditioner": "amg", "rtol": 1e-8, "return_info": True}

    def solve(matrix):
        x, info = tsgu.sparse_generic_solve(matrix, b, "cg", **options)
        counts["tsgu"] = int(info.iterations.max())
        return x.numpy()

    def fresh():
        # Other values: what was set up for the last ones does not serve.
        values = ours.values() * (1 + 1e-12 * next(steps))
        return torch.sparse_csr_tensor(ours.crow_indices(), ours.col_indices(), values, ours.shape)

    def peer(hierarchy):
        count = [0]
        x, _ = scipy.sparse.linalg.cg(
            A,
            system.b,
            rtol=1e-8,
            maxiter=500,
            M=hierarchy.aspreconditioner(),
            callback=lambda _: count.__setitem__(0, count[0] + 1),
        )
        counts["pyamg"] = count[0]
        return x

    def setup():
        return pyamg.smoothed_aggregation_solver(A, symmetry="symmetric")

    steps = iter(range(1, 1000))
    hierarchy = setup()
    for x in (solve(ours), peer(hierarchy)):
        residual = np.linalg.norm(A @ x - system.b) / np.linalg.norm(system.b)
        if residual > 2e-8:
            raise AssertionError(f"the residual is {residual}")
    times = turns({"pyamg setup": setup, "pyamg solve": lambda: peer(hierarchy)}, rounds)
    first, again = [], []
    for _ in range(rounds):
        matrix = fresh()
        first.append(elapsed(solve, matrix))
        again.append(elapsed(solve, matrix))
    times["tsgu solve"] = Timing.of(again)
    times["tsgu setup"] = Timing.of([max(seconds - min(again), 1e-6) for seconds in first])
    return times, counts
