"""Measures batches of small systems on one pattern beside SciPy's splu, dense torch and KLU.

Values are new at each step; the gradient of norm(A^-1 b)^2 in the values and in b is taken. Writes
SMALL.md and small.json beside this file (in quick mode into the build folder). KLU is opened if
libklu.so.1 is installed.
"""

import ctypes
import itertools
import os
from pathlib import Path

# Idle threads of OpenMP would spin on the cores of the next candidate.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import scipy
import torch
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

import tsgu
from measure import Run, interleave, keep_memory
from report import command_line, facts, goals_table, judged, mean, milliseconds, table, write

_HERE = Path(__file__).resolve().parent
_ITEMS = 1000
_ROWS = (16, 32, 64, 128)
_PEERS = ("SciPy", "dense torch", "KLU")


class Systems:
    """About eight entries in a row at random, symmetric, the diagonal large enough for Cholesky."""

    def __init__(self, n, method, dtype, library):
        self.library = library
        stored = torch.rand(n, n) < 4 / n
        stored = stored | stored.T | torch.eye(n, dtype=torch.bool)
        self.A = tsgu.Matrix.of(stored.to(dtype).to_sparse_csr())
        self.row, self.column = (index.numpy() for index in stored.nonzero().T)
        dense = torch.randn(n, n)
        dense = dense + dense.T if method == "cholesky" else dense
        values = (dense + 20 * torch.eye(n))[stored].to(dtype)
        self.values = values * (1 + 0.1 * torch.rand(_ITEMS, 1, dtype=dtype))
        self.b = torch.randn(_ITEMS, n, dtype=dtype)
        self.n, self.method = n, method
        self.factors = (1 + k / 1e4 for k in itertools.count())

    def new_values(self):
        return self.values * next(self.factors)

    def tsgu(self, values):
        values, b = values.requires_grad_(), self.b.detach().requires_grad_()
        x = tsgu.factorize(self.A.with_values(values), self.method).solve(b)
        return torch.autograd.grad(x.square().sum(), (values, b))

    def dense(self, values):
        values, b = values.requires_grad_(), self.b.detach().requires_grad_()
        place = torch.from_numpy(self.row * self.n + self.column)
        empty = values.new_zeros(_ITEMS, self.n * self.n)
        matrices = empty.index_copy(1, place, values).view(_ITEMS, self.n, self.n)
        x = torch.linalg.solve(matrices, b)
        return torch.autograd.grad(x.square().sum(), (values, b))

    def scipy(self, values):
        """One factorisation for the solve and its adjoint, matrix by matrix."""
        values, b = values.numpy(), self.b.numpy()
        of_values, of_b = np.empty_like(values), np.empty_like(b)
        for item in range(_ITEMS):
            A = csc_matrix((values[item], (self.row, self.column)), shape=(self.n, self.n))
            factors = splu(A)
            x = factors.solve(b[item])
            y = of_b[item] = factors.solve(2 * x, trans="T")
            of_values[item] = -y[self.row] * x[self.column]
        return torch.from_numpy(of_values), torch.from_numpy(of_b)

    def klu(self, values):
        """One analysis and one order of pivots for all items, in a loop of C++."""
        of_values, of_b = torch.empty_like(values), torch.empty_like(self.b)
        starts = np.searchsorted(self.row, np.arange(self.n + 1)).astype(np.int32)
        coordinates = self.column.astype(np.int32)
        arrays = [ctypes.c_void_p(a.ctypes.data) for a in (starts, coordinates)]
        numbers = [ctypes.c_void_p(t.data_ptr()) for t in (values, self.b, of_values, of_b)]
        if not self.library.bench_klu(self.n, *arrays, ctypes.c_int64(_ITEMS), *numbers):
            return None
        return of_values, of_b

    def ways(self):
        ways = {"tsgu": self.tsgu, "SciPy": self.scipy, "dense torch": self.dense}
        if self.b.dtype is torch.float64 and self.klu(self.values) is not None:
            ways["KLU"] = self.klu
        return ways

    def calls(self):
        ways = self.ways()
        return {name: lambda way=way: way(self.new_values()) for name, way in ways.items()}

    def check(self):
        ours, dtype = self.tsgu(self.values.clone()), self.values.dtype
        tolerance = 1e-11 if dtype is torch.float64 else 1e-3
        for way in list(self.ways().values())[1:]:
            for left, right in zip(ours, way(self.values.clone()), strict=True):
                error = ((left - right).abs().max() / right.abs().max()).item()
                if not error < tolerance:
                    raise SystemExit(f"n = {self.n}: gradients differ by {error:.1e}")


def _faster(row, peer):
    return f"{_ratio(row, peer):.1f}" if peer in row["times"] else ""


def _ratio(row, peer):
    return row["times"][peer]["median"] / row["times"]["tsgu"]["median"]


def _page(results, goals):
    lines = [
        [f"{row['n']}", row["method"], row["type"], f"{row['entries']}"]
        + [
            milliseconds(row["times"][name]) if name in row["times"] else ""
            for name in ("tsgu", *_PEERS)
        ]
        + [_faster(row, peer) for peer in _PEERS]
        for row in results["rows"]
    ]
    header = ["n", "method", "type", "entries", "tsgu", *_PEERS]
    header += [f"{peer}/tsgu" for peer in _PEERS]
    return f"""\
# Many small systems on one pattern

{facts(results)}
{_ITEMS:,} matrices on one pattern, values new at each step: the gradient of norm(A^-1 b)^2 in the
values and in b, forward and backward, one right-hand side each. Candidates take turns in one
process, their gradients compared first; milliseconds, best / median, ratios of medians. `SciPy` is
a loop over `scipy.sparse.linalg.splu`, which factorises once for the solve and its adjoint; `dense
torch` is `torch.linalg.solve` on the matrices made dense; `KLU`, on one thread and in double
precision, a loop over its refactorisation, solve and transposed solve in C++, with the pivots of
the first matrix. What is freed stays with the process.

## Goals

{goals_table(goals)}
## Steps

{table(header, lines)}"""


def main():
    arguments = command_line(__doc__).parse_args()
    quick = arguments.mode == "quick"
    torch.manual_seed(0)
    keep_memory()
    library = ctypes.CDLL(str(arguments.build / "lib" / "libtsgu_bench.so"))
    run, rows = Run(), []
    cases = itertools.product(
        _ROWS[::2] if quick else _ROWS, ("cholesky", "lu"), (torch.float64, torch.float32)
    )
    for n, method, dtype in cases:
        systems = Systems(n, method, dtype, library)
        systems.check()
        timings = interleave(systems.calls(), 5 if quick else 20, {"SciPy": 0.02})
        times = {name: vars(timing) for name, timing in timings.items()}
        entries, name = systems.A.pattern.entries, str(dtype).removeprefix("torch.")
        rows.append({"n": n, "method": method, "type": name, "entries": entries, "times": times})
        ratios = ", ".join(f"{peer}/tsgu {_faster(rows[-1], peer)}" for peer in _PEERS)
        print(f"{n:>4} {method:<8} {name}: {ratios}", flush=True)
    versions = {"tsgu": tsgu.__version__, "torch": torch.__version__, "SciPy": scipy.__version__}
    absent = [] if any("KLU" in row["times"] for row in rows) else ["KLU: not installed"]
    results = run.facts(arguments.mode, versions, absent) | {"rows": rows}
    of_64 = [row for row in rows if row["n"] == 64 or quick]
    goals = judged(
        [
            (f"SciPy / tsgu, n = 64, {method}", ratios, ">=", 50, min)
            for method in ("cholesky", "lu")
            if (ratios := [_ratio(row, "SciPy") for row in of_64 if row["method"] == method])
        ]
        + [
            (f"KLU / tsgu, n = 64, {method}", ratios, ">=", 5, min)
            for method in ("cholesky", "lu")
            if (
                ratios := [
                    _ratio(row, "KLU")
                    for row in of_64
                    if row["method"] == method and "KLU" in row["times"]
                ]
            )
        ]
        + [
            (
                "dense torch / tsgu, mean",
                [_ratio(row, "dense torch") for row in rows],
                ">=",
                1,
                mean,
            )
        ]
    )
    write("small", results, _page(results, goals), goals, arguments.build if quick else _HERE)


if __name__ == "__main__":
    main()
