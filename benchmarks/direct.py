"""Measures direct solves beside cholespy: the gradient of norm(A^-1 b)^2, A cyclic tridiagonal.

And how much less a column takes of several right-hand sides than alone, on grids, too; and L D L^T
beside LU on indefinite matrices.

cholespy stands in an autograd Function as sparse_solver has it: the factor is kept and used again
where indices and values are those of the last matrix. Writes DIRECT.md and direct.json beside this
file (in quick mode into the build folder).
"""

import itertools
import os
import warnings
from pathlib import Path

# Idle threads of OpenMP would spin on the cores of the next candidate.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import cholespy
import torch

import tsgu
from measure import Run, interleave
from report import command_line, facts, goals_table, judged, mean, milliseconds, table, write

warnings.filterwarnings("ignore")

_HERE = Path(__file__).resolve().parent
_SIZES = (256, 1024, 4096, 16384, 65536)
_SIDES = (30, 100, 300)
_COLUMNS = 32


class Cholespy(torch.autograd.Function):
    """A^-1 b and its gradients on the pattern of A, a coalesced COO tensor."""

    kept = None

    @classmethod
    def solver_of(cls, A):
        indices, values = A._indices(), A._values()
        if cls.kept is not None:
            old_indices, old_values, solver = cls.kept
            if torch.equal(indices, old_indices) and torch.equal(values, old_values):
                return solver
        rows, columns = indices.int().numpy()
        kind = cholespy.MatrixType.COO
        solver = cholespy.CholeskySolverD(A.shape[0], rows, columns, values.numpy(), kind)
        cls.kept = indices, values.clone(), solver
        return solver

    @staticmethod
    def forward(ctx, A, b):
        A, b = A.detach(), b.detach()
        ctx.A, ctx.solver = A, Cholespy.solver_of(A)
        x = torch.empty_like(b)
        ctx.solver.solve(b.numpy(), x.numpy())
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        y = torch.empty_like(g)
        ctx.solver.solve(g.contiguous().numpy(), y.numpy())
        indices = ctx.A._indices()
        values = -y[indices[0]] * x[indices[1]]
        return torch.sparse_coo_tensor(indices, values, ctx.A.shape, is_coalesced=True), y


SOLVERS = {"tsgu": tsgu.SparseSolver.apply, "cholespy": Cholespy.apply}


def _matrix(n):
    i = torch.arange(n)
    right, left = torch.roll(i, -1), torch.roll(i, 1)
    indices = torch.stack([i.repeat(3), torch.cat([i, right, left])])
    values = torch.cat([torch.full((n,), 2.1), torch.full((2 * n,), -1.0)]).double()
    return torch.sparse_coo_tensor(indices, values, (n, n)).coalesce()


def _grid(m):
    """The five-point Laplacian of m x m points, shifted."""
    i = torch.arange(m * m).view(m, m)
    row = torch.cat([i[1:].flatten(), i[:, 1:].flatten()])
    column = torch.cat([i[:-1].flatten(), i[:, :-1].flatten()])
    own = i.flatten()
    indices = torch.stack([torch.cat([own, row, column]), torch.cat([own, column, row])])
    values = torch.cat([torch.full((m * m,), 4.1), torch.full((2 * row.numel(),), -1.0)]).double()
    return torch.sparse_coo_tensor(indices, values, (m * m, m * m)).coalesce()


def _shifted(m, shift):
    """As _grid, with eigenvalues from about -shift on."""
    A = _grid(m)
    diagonal = A.indices()[0] == A.indices()[1]
    values = A.values() - (shift + 0.1) * diagonal
    return torch.sparse_coo_tensor(A.indices(), values, A.shape, is_coalesced=True)


def _saddle(m):
    """Stokes' equations on m x m cells: two velocities, and pressures without a diagonal."""
    n = m * m
    i = torch.arange(n).view(m, m)
    parts = [(_grid(m).indices() + k * n, _grid(m).values()) for k in (0, 1)]
    for k, (ahead, behind) in enumerate(((i[1:], i[:-1]), (i[:, 1:], i[:, :-1]))):
        for cell, sign in ((i, 1.0), (behind, -1.0)):
            velocity = (i if sign > 0 else ahead).flatten() + k * n
            pressure = cell.flatten() + 2 * n
            values = torch.full((velocity.numel(),), sign).double()
            both = torch.stack([velocity, pressure])
            parts += [(both, values), (both.flip(0), values)]
    indices, values = (torch.cat(each, -1) for each in zip(*parts, strict=True))
    return torch.sparse_coo_tensor(indices, values, (3 * n, 3 * n)).coalesce()


def _indefinite(A):
    """{method: call} of a factorisation for new values, and a solve."""
    pattern, values, b = tsgu.Pattern.of(A), A.values(), torch.ones(len(A)).double()
    factors = (1 + k / 1e6 for k in itertools.count())

    def step(method):
        matrix = tsgu.Matrix(pattern, values * next(factors))
        return tsgu.sparse_generic_solve(matrix, b, method, on_fail="raise")

    return {method: (lambda method=method: step(method)) for method in ("ldlt", "lu")}


def _several(A):
    """{right-hand sides: call}."""
    factors = tsgu.factorize(A, "cholesky")
    B = torch.randn(A.shape[0], _COLUMNS, dtype=torch.float64)
    b = B[:, :1].contiguous()
    return {"1": lambda: factors.solve(b), str(_COLUMNS): lambda: factors.solve(B)}


def _gain(row):
    return _COLUMNS * row["times"]["1"]["median"] / row["times"][str(_COLUMNS)]["median"]


def _step(solve, A, b):
    return torch.autograd.grad(solve(A, b).square().sum(), (A, b))


def _calls(n):
    """what -> {name: call}."""
    A, b = _matrix(n), torch.randn(n, dtype=torch.float64, requires_grad=True)
    A.requires_grad_()
    indices, values = A.detach().indices(), A.detach().values()
    factors = (1 + k / 1e6 for k in itertools.count())

    def changed(solve):
        new = torch.sparse_coo_tensor(indices, values * next(factors), (n, n), is_coalesced=True)
        _step(solve, new.requires_grad_(), b)

    return {
        "same values": {name: (lambda s=s: _step(s, A, b)) for name, s in SOLVERS.items()},
        "changed values": {name: (lambda s=s: changed(s)) for name, s in SOLVERS.items()},
    }


def _check(n):
    A, b = _matrix(n).requires_grad_(), torch.randn(n, dtype=torch.float64, requires_grad=True)
    ours, theirs = (_step(solve, A, b) for solve in SOLVERS.values())
    for left, right in zip(ours, theirs, strict=True):
        left, right = (x._values() if x.is_sparse else x for x in (left, right))
        error = ((left - right).abs().max() / right.abs().max()).item()
        if not error < 1e-11:
            raise SystemExit(f"n = {n}: gradients differ by {error:.1e}")


def _ratio(row):
    return row["times"]["cholespy"]["median"] / row["times"]["tsgu"]["median"]


def _by_lu(row):
    return row["times"]["lu"]["median"] / row["times"]["ldlt"]["median"]


def _page(results, goals):
    lines = [
        [f"{row['n']:,}", row["what"], milliseconds(row["times"]["tsgu"])]
        + [milliseconds(row["times"]["cholespy"]), f"{_ratio(row):.2f}"]
        for row in results["rows"]
    ]
    gains = [
        [row["matrix"], *map(milliseconds, row["times"].values()), f"{_gain(row):.1f}"]
        for row in results["several"]
    ]
    indefinite = [
        [row["matrix"], *map(milliseconds, row["times"].values()), f"{_by_lu(row):.2f}"]
        for row in results["indefinite"]
    ]
    return f"""\
# Direct solves beside cholespy

{facts(results)}
The gradient of norm(A^-1 b)^2 in A, on its pattern, and in b: forward and backward, float64, A a
cyclic tridiagonal matrix (COO). Candidates take turns in one process, their gradients compared
first; milliseconds, best / median, ratios of medians. `cholespy` is an autograd Function that keeps
the factor of the last matrix; with the same values neither factorises again, with changed ones
cholespy analyses and factorises, tsgu factorises on the analysis that it keeps with the pattern.

## Goals

{goals_table(goals)}
## Steps

{table(["n", "", "tsgu", "cholespy", "cholespy/tsgu"], lines)}
## Right-hand sides

A solve by Cholesky's factors, with its residual; `gain`: of a column's time.

{table(["matrix", "1", str(_COLUMNS), "gain"], gains)}
## Indefinite matrices

A factorisation for new values and a solve: grids of m x m points with eigenvalues below 0, and
Stokes' equations on m x m cells.

{table(["matrix", "ldlt", "lu", "lu/ldlt"], indefinite)}"""


def main():
    parser = command_line(__doc__)
    arguments = parser.parse_args()
    quick = arguments.mode == "quick"
    torch.manual_seed(0)
    run, rows = Run(), []
    for n in _SIZES[:3] if quick else _SIZES:
        _check(n)
        for what, calls in _calls(n).items():
            timings = interleave(calls, 5 if quick else 30)
            times = {name: vars(timing) for name, timing in timings.items()}
            rows.append({"n": n, "what": what, "times": times})
            print(f"{n:>6} {what:<15} cholespy/tsgu {_ratio(rows[-1]):.2f}", flush=True)
    matrices = {f"cyclic {n:,}": _matrix(n) for n in _SIZES[2:]}
    matrices |= {f"grid {m}^2": _grid(m) for m in _SIDES}
    several = []
    for name, A in matrices.items():
        timings = interleave(_several(A), 5 if quick else 30)
        times = {count: vars(timing) for count, timing in timings.items()}
        several.append({"matrix": name, "times": times})
        print(f"{name:<15} {_COLUMNS} columns, gain {_gain(several[-1]):.1f}", flush=True)
    indefinite = []
    for name, A in {
        "grid 100^2 - 0.05": _shifted(100, 0.05),
        "grid 300^2 - 0.05": _shifted(300, 0.05),
        "grid 100^2 - 2.7": _shifted(100, 2.7),
        "grid 300^2 - 2.7": _shifted(300, 2.7),
        "Stokes 30^2": _saddle(30),
        "Stokes 100^2": _saddle(100),
    }.items():
        timings = interleave(_indefinite(A), 3 if quick else 15)
        times = {method: vars(timing) for method, timing in timings.items()}
        indefinite.append({"matrix": name, "times": times})
        print(f"{name:<18} lu/ldlt {_by_lu(indefinite[-1]):.1f}", flush=True)
    versions = {"tsgu": tsgu.__version__, "torch": torch.__version__, "cholespy": "2.2.0"}
    results = (
        run.facts(arguments.mode, versions, [])
        | {"rows": rows, "several": several}
        | {"indefinite": indefinite}
    )
    goals = [
        (f"cholespy / tsgu, {what}, {summary}", [_ratio(r) for r in rows if r["what"] == what])
        for what in ("same values", "changed values")
        for summary in ("worst", "geometric mean")
    ]
    goals = judged(
        [
            *[(text, ratios, ">=", 2, min if "worst" in text else mean) for text, ratios in goals],
            ("lu / ldlt, mean", [_by_lu(row) for row in indefinite], ">=", 1, mean),
            (f"a column of {_COLUMNS}, mean", [_gain(row) for row in several], ">=", 5, mean),
        ]
    )
    write("direct", results, _page(results, goals), goals, arguments.build if quick else _HERE)


if __name__ == "__main__":
    main()
