"""Measures Krylov methods per iteration against Eigen, SciPy and the memory, their gradients
against their forward, and AMG against pyamg.

Writes KRYLOV.md and krylov.json beside this file (unless complete: into the build folder), after
checking every candidate's solution. All take turns in this one process.
"""

import ctypes
import dataclasses
import os
import warnings
from pathlib import Path

# Idle threads of OpenMP would spin on the cores of the next candidate.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import numpy as np
import scipy
import scipy.sparse.linalg
import torch

import krylov_report
import tsgu
from krylov_peers import METHODS, Eigen, SciPy, System, Tsgu, convection, poisson, product
from krylov_solves import gradient_calls, multigrid
from measure import Run, elapsed, keep_memory, turns
from report import command_line, write

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

_HERE = Path(__file__).resolve().parent
_GIGABYTE = 1 << 30


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure, and how often."""

    threads: tuple
    large: dict  # name: shape of a grid
    single: tuple  # those of `large` whose CG is measured in single precision, too
    iterations: tuple  # the difference of their times is what the iterations between take
    rounds: int
    small_rounds: int
    gradients: dict  # method: shape of a grid
    amg: dict


_PLANS = {
    "full": Plan(
        (1, 2),
        {"p2d": (3000, 3000), "p3d": (200, 200, 200)},
        ("p2d",),
        (2, 22),
        3,
        30,
        {"cg": (300, 300), "minres": (40, 40, 40), "bicgstab": (40, 40, 40)},
        {"p2d": (700, 700), "p3d": (70, 70, 70)},
    ),
    "quick": Plan(
        (2,),
        {"p2d": (2000, 2000)},
        (),
        (2, 12),
        2,
        10,
        {"cg": (150, 150), "minres": (25, 25, 25), "bicgstab": (25, 25, 25)},
        {"p2d": (200, 200)},
    ),
}


class Bench:
    def __init__(self, plan, build):
        self.plan = plan
        self._eigen = ctypes.CDLL(str(build / "lib" / "libtsgu_eigen.so"))
        self._roofs = ctypes.CDLL(str(build / "lib" / "libtsgu_bench.so"))
        for name in ("bench_read", "bench_triad"):
            getattr(self._roofs, name).restype = ctypes.c_double
        self.candidates = [Tsgu(), Eigen(self._eigen), SciPy()]
        self.roofs = {}
        self.tables = {"large": [], "small": [], "gradient": [], "amg": []}
        self.absent = []

    def _set_threads(self, count):
        for candidate in self.candidates:
            candidate.set_threads(count)

    def _record(self, table, row):
        self.tables[table].append(row)
        print(krylov_report.line(table, row), flush=True)

    def measure_roofs(self):
        """1e9 bytes per second beyond the caches: the best of all measurements so far."""
        for threads in self.plan.threads:
            size = ctypes.c_int64(_GIGABYTE)
            found = {
                "read": self._roofs.bench_read(size, threads),
                "update": self._roofs.bench_triad(size, threads, 0) * 4 / 3,
                "stream": self._roofs.bench_triad(size, threads, 1),
            }
            best = self.roofs.setdefault(threads, found)
            for name, rate in found.items():
                best[name] = max(best[name], rate)

    # Systems larger than the caches.

    def large(self, name, dtype, methods):
        A = poisson(*self.plan.large[name])
        system = System.make(name, A, dtype)
        del A
        for method in methods:
            scipy_times = None
            for threads in self.plan.threads:
                self._set_threads(threads)
                candidates = self.candidates if scipy_times is None else self.candidates[:-1]
                times = self._iterations(system, method, candidates, self.plan.rounds)
                scipy_times = scipy_times or times["SciPy"]
                times["SciPy"] = scipy_times
                row = {
                    "matrix": name,
                    "method": method,
                    "dtype": dtype,
                    "threads": threads,
                    "rows": system.rows,
                    "stored": system.stored,
                    "times": times,
                }
                self._record("large", row)

    def _iterations(self, system, method, candidates, rounds, iterations=None, burst=1):
        """Seconds per iteration and beside the iterations, by candidate."""
        few, many = iterations or self.plan.iterations
        calls = {}
        for candidate in candidates:
            run = candidate.prepare(system, method)
            calls[candidate.name, few] = lambda run=run: run(few)
            calls[candidate.name, many] = lambda run=run: run(many)
        times = turns(calls, rounds, burst)
        found = {}
        for candidate in candidates:
            short, long = times[candidate.name, few], times[candidate.name, many]
            step = (long.best - short.best) / (many - few)
            found[candidate.name] = {
                "best": step,
                "beside": max(0.0, short.best - few * step),
                "samples": short.samples,
            }
        return found

    # Small ones, where calls and loops cost more than memory.

    def small(self):
        systems = {
            "p2d 10^2": (poisson(10, 10), (5, 25)),
            "p2d 31^2": (poisson(31, 31), (10, 80)),
            "p3d 10^3": (poisson(10, 10, 10), (5, 25)),
        }
        self._set_threads(max(self.plan.threads))
        for name, (A, iterations) in systems.items():
            system = System.make(name, A)
            multiply = product(self._eigen, system)
            self._eigen.eigen_threads(1)
            repeats = 100
            seconds = min(elapsed(multiply, repeats) for _ in range(10 * self.plan.small_rounds))
            for method in METHODS:
                times = self._iterations(
                    system, method, self.candidates, self.plan.small_rounds, iterations, burst=20
                )
                row = {
                    "matrix": name,
                    "method": method,
                    "rows": system.rows,
                    "products": 2 if method == "bicgstab" else 1,
                    "product": seconds / repeats,
                    "times": times,
                }
                self._record("small", row)
            self._set_threads(max(self.plan.threads))

    # Gradients.

    def gradients(self):
        for threads in self.plan.threads:
            self._set_threads(threads)
            for method, shape in self.plan.gradients.items():
                kind = convection if method == "bicgstab" else poisson
                name = f"{kind.__name__} {'x'.join(map(str, shape))}"
                system = System.make(name, kind(*shape))
                times = turns(gradient_calls(system, method), max(3, self.plan.rounds))
                row = {
                    "matrix": name,
                    "method": method,
                    "threads": threads,
                    "times": {key: dataclasses.asdict(timing) for key, timing in times.items()},
                }
                self._record("gradient", row)

    # Multigrid.

    def multigrid(self):
        try:
            import pyamg
        except ImportError:
            self.absent.append("the PyPI package pyamg is not installed")
            return
        for name, shape in self.plan.amg.items():
            system = System.make(name, poisson(*shape))
            for threads in self.plan.threads:
                self._set_threads(threads)
                times, counts = multigrid(system, pyamg, self.plan.rounds)
                row = {
                    "matrix": f"{name} {'x'.join(map(str, shape))}",
                    "threads": threads,
                    "times": {key: dataclasses.asdict(timing) for key, timing in times.items()},
                    "iterations": counts,
                }
                self._record("amg", row)

    def check(self):
        """All candidates solve a small system of each kind."""
        system = System.make("p2d", poisson(20, 20))
        expected = scipy.sparse.linalg.spsolve(system.scipy().tocsc(), system.b)
        self._set_threads(max(self.plan.threads))
        for method in METHODS:
            for candidate in self.candidates:
                x = candidate.prepare(system, method)(60)
                error = np.linalg.norm(x - expected) / np.linalg.norm(expected)
                if error > 1e-6:
                    raise AssertionError(f"{candidate.name}'s {method} is off by {error}")


def main():
    parser = command_line(__doc__)
    parts = ("large", "small", "gradient", "amg")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    arguments = parser.parse_args()

    keep_memory()
    run = Run()
    plan = _PLANS[arguments.mode]
    bench = Bench(plan, arguments.build)
    bench.check()
    if "small" in arguments.parts:
        bench.small()
    if "gradient" in arguments.parts:
        bench.gradients()
    if "amg" in arguments.parts:
        bench.multigrid()
    if "large" in arguments.parts:
        bench.measure_roofs()
        for name in plan.large:
            bench.large(name, "f64", METHODS)
            if name in plan.single:
                bench.large(name, "f32", METHODS[:1])
            bench.measure_roofs()
    versions = {
        "tsgu": tsgu.__version__,
        "torch": torch.__version__,
        "scipy": scipy.__version__,
    }
    results = run.facts(arguments.mode, versions, bench.absent) | {
        "shapes": {name: "x".join(map(str, shape)) for name, shape in plan.large.items()},
        "roofs": bench.roofs,
        "tables": bench.tables,
    }
    complete = arguments.mode == "full" and set(arguments.parts) == set(parts)
    folder = _HERE if complete else arguments.build
    page, goals = krylov_report.markdown(results), krylov_report.goals(results)
    write("krylov", results, page, goals, folder)


if __name__ == "__main__":
    main()
