"""Measures triangular solves against MKL with hints, Eigen and torch.

Writes TRIANGULAR.md and triangular.json beside this file (unless complete: into the build folder),
after checking every candidate against SciPy. All take turns in this one process.
"""

import ctypes
import dataclasses
import gc
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

import csr
import triangles
import triangular_report
from measure import Run, interleave
from report import command_line, write
from triangular_peers import (
    Eigen,
    Hashed,
    HintedMKL,
    OneShot,
    Packed,
    Prepared,
    Serial,
    System,
    Torch,
)

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

_HERE = Path(__file__).resolve().parent


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
        L = csr.to_scipy(matrix, matrix.values)
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


_ANALYSED = ("prepared", "one-shot", "MKL")


class Bench:
    def __init__(self, plan, build):
        bench = ctypes.CDLL(str(build / "lib" / "libtsgu_bench.so"))
        library = ctypes.CDLL(str(build / "lib" / "libtsgu.so"))
        self.plan, self.rows, self.absent = plan, [], []
        self.candidates = [Prepared(library), Packed(), Hashed(), OneShot(library), Serial(bench)]
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
        # What waits for values that stay would wait in vain, were they made anew.
        for _ in range(self.plan.analyses if candidate.name in _ANALYSED else 1):
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
                for name in _ANALYSED
                if name in preparing
            },
        }
        self.rows.append(row)
        print(triangular_report.line(row), flush=True)


def main():
    parser = command_line(__doc__)
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

    run = Run()
    bench = Bench(plan, arguments.build)
    for name in plan.matrices:
        bench.matrix(triangles.load(name, arguments.build / "bench-data"))
    complete = plan == _PLANS["full"]
    if set(plan.widths) != {1, 32}:
        return
    versions = {
        "torch": torch.__version__,
        "scipy": scipy.__version__,
        "MKL": bench.mkl_version,
    }
    results = run.facts(arguments.mode, versions, bench.absent) | {
        "titles": {name: triangles.title(name) for name in plan.matrices},
        "rows": bench.rows,
    }
    complete = plan == _PLANS["full"]
    folder = _HERE if complete else arguments.build
    page, goals = triangular_report.markdown(results), triangular_report.goals(results)
    write("triangular", results, page, goals, folder)


if __name__ == "__main__":
    main()
