"""Measures Cholesky factorisations, solves and selected inverses beside CHOLMOD and Eigen.

All factorise the same matrix in the same order, ours, each on its own analysis. CHOLMOD is opened
if libcholmod.so.3 is installed. Writes CHOLESKY.md and cholesky.json beside this file (in quick
mode into the build folder).
"""

import ctypes
import gc
import os
import time
from pathlib import Path

# CHOLMOD's threads cost it more than they give, and idle ones of NumPy's BLAS would count as ours;
# old versions of OpenBLAS do not know that newer processors have AVX-512.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if "avx512dq" in Path("/proc/cpuinfo").read_text():
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")

import numpy as np
import scipy.sparse as sp

from measure import Run, Timing
from report import command_line, facts, goals_table, judged, mean, milliseconds, table, write

_HERE = Path(__file__).resolve().parent


def _path(n):
    """A random walk of n steps, and what fixes its level."""
    return sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n)) + 1e-2 * sp.eye(n)


def _grid(*sizes):
    A = sp.csr_matrix((1, 1))
    for n in sizes:
        A = sp.kron(A, sp.eye(n)) + sp.kron(sp.eye(A.shape[0]), _path(n))
    return A


def _walk_and_season(n, period):
    """A random walk of second order and a season, observed as their sum."""
    D = sp.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(n - 2, n))
    S = sp.diags([1.0] * period, range(period), shape=(n - period + 1, n))
    both = sp.bmat([[sp.eye(n), sp.eye(n)], [sp.eye(n), sp.eye(n)]])
    return sp.block_diag([D.T @ D + 1e-4 * sp.eye(n), S.T @ S + 1e-4 * sp.eye(n)]) + both


def _space_time(m, times):
    """An autoregression in time of a field on a grid."""
    space = _grid(m, m)
    walk = sp.diags([-0.9, 1.81, -0.9], [-1, 0, 1], shape=(times, times))
    return sp.kron(walk, space) + 1e-2 * sp.eye(m * m * times)


_CASES = {
    "2-D 100^2": lambda: _grid(100, 100),
    "2-D 300^2": lambda: _grid(300, 300),
    "2-D 1000^2": lambda: _grid(1000, 1000),
    "3-D 30^3": lambda: _grid(30, 30, 30),
    "3-D 50^3": lambda: _grid(50, 50, 50),
    "walk and season, 2 x 20,000": lambda: _walk_and_season(20000, 12),
    "space 60^2 x time 12": lambda: _space_time(60, 12),
}
_QUICK = ("2-D 100^2", "2-D 300^2", "walk and season, 2 x 20,000")


class _Library:
    def __init__(self, build):
        self.library = ctypes.CDLL(str(build / "lib" / "libtsgu_bench.so"))
        self.library.bench_cholesky_case.restype = ctypes.c_void_p
        self.library.bench_cholesky_fact.restype = ctypes.c_double

    def case(self, A):
        return _Case(self.library, A)


class _Case:
    """A matrix, its analysis and the factors of all who have made some."""

    def __init__(self, library, A):
        A = sp.csr_matrix(A)
        A.sort_indices()
        self.arrays = A.indptr.astype(np.int32), A.indices.astype(np.int32), A.data.astype(float)
        self.n, self.library = A.shape[0], library
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in self.arrays]
        self.handle = ctypes.c_void_p(
            library.bench_cholesky_case(ctypes.c_int64(self.n), *pointers)
        )
        self.b = np.random.default_rng(0).standard_normal(self.n)

    def fact(self, which):
        return self.library.bench_cholesky_fact(self.handle, which)

    def factorise(self, who):
        if who.startswith("tsgu"):
            return self.library.bench_cholesky_factorise(self.handle, int(who[-1]))
        name = "ldlt" if who == "LDL^T" else who.lower()
        return getattr(self.library, f"bench_{name}_factorise")(self.handle)

    def solve(self, who):
        x = self.b.copy()
        ours = who.startswith("tsgu")
        run = getattr(self.library, f"bench_{'cholesky' if ours else who.lower()}_solve")
        run(self.handle, ctypes.c_void_p(x.ctypes.data), *([int(who[-1])] if ours else []))
        return x

    def invert(self):
        values = np.empty(len(self.arrays[2]))
        self.library.bench_cholesky_invert(self.handle, ctypes.c_void_p(values.ctypes.data), 1)

    def close(self):
        self.library.bench_cholesky_free(self.handle)


def _seconds(call):
    """Of the processor, whoever else uses it, and of the clock."""
    before, clock = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - before, time.perf_counter() - clock


def _take_turns(calls, samples):
    """{name: Timing of the processor} of calls on one thread, {name: of the clock} of others."""
    spent = {name: [] for name in calls}
    gc.disable()
    for _ in range(samples):
        for name, call in calls.items():
            spent[name].append(_seconds(call)[name == "tsgu x2"])
    gc.enable()
    return {name: vars(Timing.of(seconds)) for name, seconds in spent.items()}


def _measure(library, name, quick):
    case = library.case(_CASES[name]())
    slow = case.fact(2) > 3e9
    who = ["tsgu x1", "tsgu x2", "CHOLMOD"] + ([] if slow else ["Eigen"])
    who = [each for each in who if case.factorise(each)]
    samples = 3 if quick or slow else 9
    factorise = {each: (lambda each=each: case.factorise(each)) for each in who}
    factorise["inverse"] = case.invert
    if case.factorise("LDL^T"):
        factorise["LDL^T"] = lambda: case.factorise("LDL^T")
    solutions = {each: case.solve(each) for each in who}
    for each, x in solutions.items():
        error = np.abs(x - solutions["tsgu x1"]).max() / np.abs(x).max()
        if not error < 1e-8:
            raise SystemExit(f"{name}: the solution of {each} differs by {error:.1e}")
    row = {
        "matrix": name,
        "n": case.n,
        "supernodes": case.fact(0),
        "entries": case.fact(1),
        "flops": 2 * case.fact(2),
        "bytes": case.fact(3),
        "factor": _take_turns(factorise, samples),
        "solve": _take_turns(
            {each: (lambda each=each: case.solve(each)) for each in who}, 3 * samples
        ),
    }
    case.close()
    return row


def _ratio(row, ours, theirs, of="factor", by="median"):
    times = row[of]
    return times[ours][by] / times[theirs][by] if theirs in times else None


def _ratios(rows, *arguments):
    return [ratio for row in rows if (ratio := _ratio(row, *arguments)) is not None]


def _page(results, goals):
    rows = results["rows"]
    names = ["tsgu x1", "tsgu x2", "CHOLMOD", "Eigen"]

    def cells(row, of, chosen):
        return [milliseconds(row[of][name]) if name in row[of] else "-" for name in chosen]

    factors = [
        [row["matrix"], f"{row['entries'] / 1e6:.2f}", f"{row['flops'] / 1e9:.2f}"]
        + [f"{row['bytes'] / 1e6:.0f}"]
        + cells(row, "factor", [*names, "inverse", "LDL^T"])
        for row in rows
    ]
    solves = [[row["matrix"], *cells(row, "solve", names)] for row in rows]
    return f"""\
# Cholesky beside CHOLMOD and Eigen

{facts(results)}
float64, everyone in our order (Eigen's minimum degree) and on an analysis made before. CHOLMOD
takes its supernodal or simplicial way as it finds right, on one thread of the BLAS that is
installed; Eigen: SimplicialLLT. Candidates take turns; milliseconds, best / median, of the
processor (x2: two threads, of the clock). `inverse`: the selected inverse; `LDL^T`: of the same
matrices, which are definite; both on one thread. Entries of the factor, in millions, and its
operations, in units of 10^9, are with the zeros that merged supernodes take in.

## Goals

{goals_table(goals)}
## Factorisations

{table(["matrix", "entries", "flops", "MB", *names, "inverse", "LDL^T"], factors)}
## Solves with one right-hand side

{table(["matrix", *names], solves)}"""


def _cholmod():
    """The version that is installed."""
    version = (ctypes.c_int * 3)()
    try:
        ctypes.CDLL("libcholmod.so.3").cholmod_version(version)
    except OSError:
        return "none"
    return ".".join(map(str, version))


def main():
    parser = command_line(__doc__)
    arguments = parser.parse_args()
    quick = arguments.mode == "quick"
    run, rows = Run(), []
    library = _Library(arguments.build)
    for name in _QUICK if quick else _CASES:
        rows.append(_measure(library, name, quick))
        found = [
            f"{other} {ratio:.2f}"
            for other in ("CHOLMOD", "Eigen", "inverse")
            if (ratio := _ratio(rows[-1], "tsgu x1", other)) is not None
        ]
        print(f"{name:<28} our factorisation / {', '.join(found)}", flush=True)
    absent = [] if any("CHOLMOD" in row["factor"] for row in rows) else ["CHOLMOD: not installed"]
    results = run.facts(arguments.mode, {"CHOLMOD": _cholmod(), "Eigen": "3.4"}, absent)
    results |= {"rows": rows}
    grids = [row for row in rows if "3-D" not in row["matrix"]]
    cubes = [row for row in rows if "3-D" in row["matrix"]]
    most = [row for row in rows if row["matrix"] in ("2-D 1000^2", "3-D 50^3")]
    one = "tsgu x1"
    goals = judged(
        [
            ("factorisation / CHOLMOD's, mean", _ratios(rows, one, "CHOLMOD"), "<=", 1, mean),
            ("factorisation / CHOLMOD's, worst", _ratios(rows, one, "CHOLMOD"), "<=", 1.3, max),
            ("factorisation / Eigen's, mean", _ratios(rows, one, "Eigen"), "<=", 0.5, mean),
            ("inverse / factorisation, worst", _ratios(grids, "inverse", one), "<=", 1.3, max),
            ("inverse / factorisation, 3-D", _ratios(cubes, "inverse", one), "<=", 2.2, max),
            ("solve / CHOLMOD's, mean", _ratios(rows, one, "CHOLMOD", "solve"), "<=", 1, mean),
            (
                "solve x2 / CHOLMOD's, 2-D 1000^2 and 3-D 50^3",
                _ratios(most, "tsgu x2", "CHOLMOD", "solve", "best"),
                "<=",
                1 / 1.3,
                max,
            ),
            ("LDL^T / Cholesky, mean", _ratios(rows, "LDL^T", one), "<=", 1.3, mean),
        ]
    )
    write("cholesky", results, _page(results, goals), goals, arguments.build if quick else _HERE)


if __name__ == "__main__":
    main()
