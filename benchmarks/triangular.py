"""Measures triangular solves against MKL with hints, Eigen and torch.

Writes TRIANGULAR.md and triangular.json beside this file (unless complete: into the build folder),
after checking every candidate against SciPy. All take turns in this one process.
"""

import argparse
import ctypes
import dataclasses
import gc
import json
import math
import os
import time
import warnings
from pathlib import Path

# MKL's idle threads would spin for 0.2 s on the cores of the next candidate.
os.environ.setdefault("KMP_BLOCKTIME", "1")

import numpy as np
import scipy
import scipy.sparse
import scipy.sparse.linalg
import torch

import triangles
from measure import OtherLoad, cpu_name, interleave
from triangular_peers import Eigen, HintedMKL, OneShot, Prepared, Serial, System, Torch

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

_HERE = Path(__file__).resolve().parent
_PEERS = ("MKL", "Eigen", "torch")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure, and how often."""

    widths: tuple
    threads: tuple
    samples: int
    analyses: int
    matrices: tuple


_PLANS = {
    "full": Plan((1, 32), (1, 2), 20, 5, triangles.NAMES),
    "quick": Plan((1, 32), (2,), 5, 2, ("v27", "rmat", "cholesky")),
}


class Oracle:
    """Solutions of SciPy's triangular solver in float64."""

    def __init__(self, matrix, system):
        shape = (matrix.rows, matrix.rows)
        L = scipy.sparse.csr_array((matrix.values, matrix.coordinates, matrix.positions), shape)
        # One of the columns, and the residual of all: SciPy takes a second for each.
        self._expected = scipy.sparse.linalg.spsolve_triangular(L, system.b[:, -1])
        self._L, self._b = L, system.b
        self._sizes = abs(L)

    def check(self, name, x):
        if not np.isfinite(x).all():
            raise AssertionError(f"{name} leaves part of x unwritten")
        scale = np.abs(self._expected).max()
        worst = np.abs(x[:, -1] - self._expected).max() / scale
        residual = np.abs(self._L @ x - self._b)
        bound = self._sizes @ np.abs(x) + np.abs(self._b)
        backward = (residual / bound).max()
        if worst > 1e-9 or backward > 1e-13:
            raise AssertionError(
                f"{name} is {worst:.2g} from SciPy's solution, backward error {backward:.2g}"
            )


class Bench:
    def __init__(self, plan, build):
        bench = ctypes.CDLL(str(build / "lib" / "libtsgu_bench.so"))
        library = ctypes.CDLL(str(build / "lib" / "libtsgu.so"))
        self.plan, self.rows, self.absent = plan, [], []
        self.candidates = [Prepared(library), OneShot(library), Serial(bench)]
        self.mkl_version = "absent"
        try:
            mkl = HintedMKL()
            self.mkl_version = mkl.version()
            self.candidates.append(mkl)
        except RuntimeError as reason:
            self.absent.append(str(reason))
        self.candidates += [Eigen(bench), Torch()]

    def _set_threads(self, count):
        torch.set_num_threads(count)
        for candidate in self.candidates:
            if hasattr(candidate, "set_threads"):
                candidate.set_threads(count)

    def _prepare(self, candidate, system):
        """The least time of preparing it, and the callable."""
        best = float("inf")
        for _ in range(self.plan.analyses):
            gc.collect()
            start = time.perf_counter()
            call = candidate.prepare(system)
            best = min(best, time.perf_counter() - start)
        return best, call

    def matrix(self, matrix):
        for width in self.plan.widths:
            system = System.make(matrix, width)
            oracle = Oracle(matrix, system)
            for threads in self.plan.threads:
                self._set_threads(threads)
                self._measure(system, oracle, threads)

    def _measure(self, system, oracle, threads):
        calls, preparing = {}, {}
        for candidate in self.candidates:
            preparing[candidate.name], call = self._prepare(candidate, system)
            calls[candidate.name] = call
            system.x.fill(np.nan)
            call()
            oracle.check(candidate.name, getattr(call, "result", system.x))
        timings = interleave(calls, self.plan.samples, few={"torch": 0.3, "Eigen": 0.3})
        row = {
            "matrix": system.matrix.name,
            "width": system.width,
            "threads": threads,
            "times": {name: dataclasses.asdict(timing) for name, timing in timings.items()},
            "analysis": {
                # One of our calls runs while preparing; MKL's optimize does not solve.
                name: preparing[name] - (timings[name].best if name != "MKL" else 0)
                for name in ("prepared", "one-shot", "MKL")
                if name in preparing
            },
        }
        self.rows.append(row)
        print(_line(row), flush=True)


def _best(row, name):
    return row["times"][name]["best"]


def _best_peer(row):
    return min(_best(row, name) for name in _PEERS if name in row["times"])


def _ours(row):
    return _best(row, "prepared")


def _break_even(row, name):
    """Analysis in solves of the same kind."""
    return row["analysis"][name] / _best(row, name)


def _line(row):
    times = "  ".join(f"{name} {1e3 * _best(row, name):.3g}" for name in row["times"])
    analysis = "  ".join(
        f"{name} {1e3 * seconds:.3g} ({_break_even(row, name):.1f})"
        for name, seconds in row["analysis"].items()
    )
    peer = _best_peer(row) / _ours(row)
    where = f"{row['matrix']:<8} x{row['threads']} p={row['width']:<3}"
    return f"{where} ms: {times}  | best peer/prepared {peer:.2f} | analysis {analysis}"


def _mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _goals(rows):
    single = [row for row in rows if row["width"] == 1]
    block = [row for row in rows if row["width"] == 32]
    goals = []

    def add(text, wanted, found, met):
        goals.append((text, wanted, f"{found:.2f}", "yes" if met else "no"))

    def peer(rows, name):
        return [_best(row, name) / _ours(row) for row in rows if name in row["times"]]

    for ours in ("prepared", "one-shot"):
        ratios = [_best_peer(row) / _best(row, ours) for row in single]
        best = f"trsv: best peer's time / ours ({ours})"
        add(f"{best}, geometric mean", ">= 1.2", _mean(ratios), _mean(ratios) >= 1.2)
        add(f"{best}, worst", ">= 0.9", min(ratios), min(ratios) >= 0.9)
    ratios = [_best(row, "serial") / _ours(row) for row in single]
    add("trsv: our serial path's time / ours, worst", ">= 1", min(ratios), min(ratios) >= 1)
    solves = [_break_even(row, name) for row in single for name in ("prepared", "one-shot")]
    add("analysis in solves, most", "<= 15", max(solves), max(solves) <= 15)
    for name, wanted in (("MKL", 1.5), ("torch", 4), ("Eigen", 4)):
        if ratios := peer(block, name):
            text = f"trsm p = 32: {name}'s time / ours, geometric mean"
            add(text, f">= {wanted}", _mean(ratios), _mean(ratios) >= wanted)
            text = f"trsm p = 32: {name}'s time / ours, worst"
            add(text, f">= {wanted}", min(ratios), min(ratios) >= wanted)
    return goals


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _cell(timing):
    few = "" if timing["samples"] >= 20 else f" ({timing['samples']})"
    return f"{1e3 * timing['best']:.3g} / {1e3 * timing['median']:.3g}{few}"


def _solves(rows):
    names = [name for name in rows[0]["times"]]
    body = []
    for row in rows:
        where = [row["matrix"], str(row["threads"])]
        cells = [_cell(row["times"][name]) for name in names]
        body.append(where + cells + [f"{_best_peer(row) / _ours(row):.2f}"])
    return _table(["triangle", "threads", *names, "best peer / prepared"], body)


def _analyses(rows):
    names = [name for name in rows[0]["analysis"]]
    body = []
    for row in rows:
        cells = [
            f"{1e3 * row['analysis'][name]:.3g} ({_break_even(row, name):.1f})" for name in names
        ]
        body.append([row["matrix"], str(row["width"]), str(row["threads"]), *cells])
    return _table(["triangle", "p", "threads", *names], body)


def _markdown(results):
    rows = results["rows"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    absent = "".join(f" Left out: {reason}." for reason in results["absent"])
    titles = "; ".join(f"{name}: {title}" for name, title in results["titles"].items())
    return f"""# Triangular solves, measured

`make bench` on {results["date"]}: {results["cpu"]}, {results["cores"]} cores; {versions}.{absent}
Other processes took {100 * results["other_load"]:.0f} % of the machine meanwhile; the run took
{results["seconds"] / 60:.0f} minutes.

Times are milliseconds, best / median of at least 20 calls (in brackets: fewer), all candidates
taking turns in one process, in float64 with int32 indices. Ratios are of best times. Every
candidate was checked against SciPy before it was timed. The lower triangles are of these:
{titles}.

`prepared` is `tsgu_triangular_solve`, whose values are in the order of the analysis; `one-shot` is
`tsgu_solve`, which reads the caller's values; `serial` is our loop over rows in their own order on
one thread. MKL has hints and has been optimised. Eigen has one thread, and right-hand sides stored
by columns, which is what it is best at.

## Goals

{_table(["goal", "wanted", "found", "met"], _goals(rows))}
## One right-hand side

{_solves([row for row in rows if row["width"] == 1])}
## 32 right-hand sides

{_solves([row for row in rows if row["width"] == 32])}
## Analysis

Milliseconds once per pattern (for `prepared` with bringing values into order, for MKL
`mkl_sparse_optimize`), in brackets how many solves take as long.

{_analyses(rows)}"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mode", choices=_PLANS, default="full")
    parser.add_argument("--build", type=Path, default=_HERE.parent / "build")
    parser.add_argument("--matrices", nargs="+", choices=triangles.NAMES)
    parser.add_argument("--widths", nargs="+", type=int, choices=(1, 32))
    parser.add_argument("--threads", nargs="+", type=int)
    arguments = parser.parse_args()
    plan = _PLANS[arguments.mode]
    plan = dataclasses.replace(
        plan,
        widths=tuple(arguments.widths or plan.widths),
        threads=tuple(arguments.threads or plan.threads),
        matrices=tuple(arguments.matrices or plan.matrices),
    )

    start, load = time.time(), OtherLoad()
    bench = Bench(plan, arguments.build)
    for name in plan.matrices:
        bench.matrix(triangles.load(name, arguments.build / "bench-data"))
    complete = plan == _PLANS["full"]
    if set(plan.widths) != {1, 32}:
        return
    results = {
        "mode": arguments.mode,
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "other_load": load.share(),
        "seconds": time.time() - start,
        "versions": {
            "torch": torch.__version__,
            "scipy": scipy.__version__,
            "MKL": bench.mkl_version,
        },
        "absent": bench.absent,
        "titles": {name: triangles.title(name) for name in plan.matrices},
        "rows": bench.rows,
    }
    folder = _HERE if complete else arguments.build
    (folder / "triangular.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "TRIANGULAR.md").write_text(_markdown(results))
    print(_table(["goal", "wanted", "found", "met"], _goals(bench.rows)))
    print(f"written: {folder / 'TRIANGULAR.md'} and triangular.json")


if __name__ == "__main__":
    main()
