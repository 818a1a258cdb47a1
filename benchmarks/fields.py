"""Measures Gaussian fields by sparse precisions: densities and their gradients.

Beside one factorisation of the precision, and beside torch's dense MultivariateNormal. Writes
FIELDS.md and fields.json beside this file (in quick mode into the build folder).
"""

import itertools
import os
from pathlib import Path

# Idle threads of OpenMP would spin on the cores of the next candidate.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import scipy.sparse
import torch
from torch.distributions import MultivariateNormal

import tsgu
from measure import Run, interleave
from report import command_line, facts, goals_table, judged, milliseconds, table, write
from tsgu.distributions import SparseMultivariateNormal

_HERE = Path(__file__).resolve().parent
_SMALL, _LARGE = 45, 316  # sides of meshes of 2,025 and 99,856 nodes


def _precision(side):
    """Of a Matern field of smoothness 1 on a grid: (k^2 + G)^2."""
    line = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(side, side))
    K = scipy.sparse.kronsum(line, line, format="csr") + 0.1 * scipy.sparse.eye_array(side**2)
    return tsgu.Matrix.of((K @ K).tocsr())


def _calls(Q):
    """Each with new values, so that nothing is found from the call before."""
    factors = (1 + k / 1e6 for k in itertools.count())
    zero = torch.zeros(len(Q.pattern.positions) - 1, dtype=torch.float64)
    x = torch.randn_like(zero)

    def density(gradient):
        values = (Q.values * next(factors)).requires_grad_(gradient)
        normal = SparseMultivariateNormal(zero, precision_matrix=Q.with_values(values))
        found = normal.log_prob(x)
        return torch.autograd.grad(found, values) if gradient else found

    def dense():
        values = (Q.values * next(factors)).requires_grad_()
        whole = Q.with_values(values).to_dense()
        found = MultivariateNormal(zero, precision_matrix=whole, validate_args=False).log_prob(x)
        return torch.autograd.grad(found, values)

    factor = tsgu.factorize(Q, "cholesky")
    return {
        "factorisation": lambda: factor.update(Q.values * next(factors)),
        "density": lambda: density(False),
        "density and gradient": lambda: density(True),
        "torch, dense": dense,
    }


def _check(Q, calls):
    """Equal gradients, up to the symmetric part that torch's dense one is of."""
    row, column = Q.pattern.entry_indices()
    (ours,), (theirs,) = (calls[name]() for name in ("density and gradient", "torch, dense"))
    even = [Q.with_values(g).to_dense() for g in (ours, theirs)]
    even = [0.5 * (g + g.T)[row, column] for g in even]
    error = ((even[0] - even[1]).abs().max() / even[1].abs().max()).item()
    if not error < 1e-5:  # the values differ by 1e-6
        raise SystemExit(f"gradients differ by {error:.1e}")


def _page(results, goals):
    lines = [[f"{row['n']:,}", row["what"], milliseconds(row["times"])] for row in results["rows"]]
    return f"""\
# Gaussian fields by their precision

{facts(results)}
The log-density of one vector under a normal distribution with the precision (k^2 + G)^2 of a field
on a square grid (13 entries in a row), float64, and its gradient in all entries. Values are new at
each call, the pattern is known. Candidates take turns in one process, gradients are compared first;
milliseconds, best / median. A factorisation includes its check of the condition, and the
determinant.

## Goals

{goals_table(goals)}
## Times

{table(["n", "", "ms"], lines)}"""


def main():
    arguments = command_line(__doc__).parse_args()
    quick = arguments.mode == "quick"
    torch.manual_seed(0)
    run, rows = Run(), []
    for side in (_SMALL,) if quick else (_SMALL, _LARGE):
        Q = _precision(side)
        calls = _calls(Q)
        if side == _SMALL:
            _check(Q, calls)
        else:
            del calls["torch, dense"]
        for what, timing in interleave(calls, 5).items():
            rows.append({"n": side**2, "what": what, "times": vars(timing)})
            print(f"{side**2:>7,} {what:<21} {milliseconds(rows[-1]['times'])}", flush=True)
    versions = {"tsgu": tsgu.__version__, "torch": torch.__version__}
    results = run.facts(arguments.mode, versions, []) | {"rows": rows}
    seconds = {(row["n"], row["what"]): row["times"]["median"] for row in rows}
    both = "density and gradient"
    small = seconds[_SMALL**2, "torch, dense"] / seconds[_SMALL**2, both]
    goals = [(f"torch dense / tsgu, n = {_SMALL**2:,}", [small], ">=", 20, min)]
    if not quick:
        large = seconds[_LARGE**2, both]
        ratio = large / seconds[_LARGE**2, "factorisation"]
        goals += [
            (
                f"gradient included, in factorisations, n = {_LARGE**2:,}",
                [ratio],
                "<=",
                2.7,
                max,
            ),
            (f"gradient included, seconds, n = {_LARGE**2:,}", [large], "<=", 1, max),
        ]
    goals = judged(goals)
    write("fields", results, _page(results, goals), goals, arguments.build if quick else _HERE)


if __name__ == "__main__":
    main()
