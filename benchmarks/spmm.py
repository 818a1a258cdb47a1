"""Measures SpMM and its gradient against hand-written kernels, MKL and torch.

Writes RESULTS.md and results.json beside this file (unless complete: into the build folder), after
checking every kernel against SciPy. All rivals take turns in this one process.
"""

import ctypes
import dataclasses
import gc
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

# MKL's idle threads would spin for 0.2 s on the cores of the next candidate.
os.environ.setdefault("KMP_BLOCKTIME", "1")

import numpy as np
import scipy
import torch

import csr
import matrices
import spmm_report
import tsgu
from measure import Run, interleave
from oracle import Oracle
from peers import MKL, Hand, Problem, Tsgu
from report import command_line, write
from roofline import Roofs

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

_HERE = Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure, and how often."""

    dtypes: tuple
    threads: tuple
    widths: tuple
    gradient_widths: tuple
    samples: int


_PLANS = {
    "full": Plan(("f32", "f64"), (1, 2), (1, 16, 32, 64, 128), (1, 32), 20),
    "quick": Plan(("f32",), (2,), (1, 32), (32,), 5),
}


class Bench:
    def __init__(self, plan, build):
        library = ctypes.CDLL(str(build / "lib" / "libtsgu_bench.so"))
        self.plan = plan
        self.roofs = Roofs(library, plan.threads)
        self.tsgu = Tsgu(ctypes.CDLL(str(build / "lib" / "libtsgu.so")))
        self.peers = [self.tsgu]
        self.absent = []
        for peer in (lambda: Hand(library), MKL):
            try:
                self.peers.append(peer())
            except RuntimeError as reason:
                print(f"left out: {reason}")
                self.absent.append(str(reason))
        self.tables = {"kernel": [], "sampled": [], "user": [], "gradient": []}

    def _set_threads(self, count):
        for peer in self.peers:
            peer.set_threads(count)
        torch.set_num_threads(count)

    def _record(self, table, problem, threads, timings):
        row = {
            "matrix": problem.matrix.name,
            "dtype": problem.dtype,
            "threads": threads,
            "width": problem.width,
            "gflop": 2e-9 * problem.matrix.stored * problem.width,
            "times": {name: dataclasses.asdict(timing) for name, timing in timings.items()},
        }
        if table in ("kernel", "sampled"):
            self._set_floor(table, row, problem.matrix)
        self.tables[table].append(row)
        print(spmm_report.line(table, row), flush=True)

    def _set_floor(self, table, row, matrix):
        size = {"f32": 4, "f64": 8}[row["dtype"]]
        gather = row["times"]["gather"]["best"]
        floor = self.roofs.floor(table, matrix, size, row["width"], row["threads"], gather)
        row["floor"] = dataclasses.asdict(floor)

    def kernels(self, problem, threads, oracle):
        """Into a given buffer, which every candidate overwrites."""
        candidates = {peer.name: peer.spmm(problem) for peer in self.peers}
        for name, call in candidates.items():
            oracle.check_product(name, call, problem.C)
        candidates["gather"] = self.roofs.gather(problem, threads)
        timings = interleave(candidates, self.plan.samples, few={"gather": 0.01})
        self._record("kernel", problem, threads, timings)

        candidates = {peer.name: peer.sddmm(problem) for peer in self.peers if peer.name != "MKL"}
        for name, call in candidates.items():
            oracle.check_sampled(name, call, problem.sampled, problem.width)
        gather = {"gather": timings["gather"]}
        timings = interleave(candidates, self.plan.samples)
        self._record("sampled", problem, threads, timings | gather)

    def users(self, problem, threads, oracle):
        """As a user calls it: torch tensors in, a new tensor out."""
        B = torch.from_numpy(problem.B)
        A = csr.to_torch(problem.matrix, problem.values)
        candidates = {
            "tsgu": lambda: tsgu.sparse_mm(A, B),
            "torch": lambda: torch.sparse.mm(A, B),
        }
        for name, call in candidates.items():
            oracle.check_product(
                name, lambda call=call: problem.C.__setitem__(..., call()), problem.C
            )
        self._record(
            "user", problem, threads, interleave(candidates, self.plan.samples, few={"torch": 0.3})
        )
        if problem.width in self.plan.gradient_widths:
            self._gradients(problem, threads, oracle, A, B)

    def _gradients(self, problem, threads, oracle, A, B):
        A, B = A.clone().requires_grad_(), B.clone().requires_grad_()
        G = torch.from_numpy(problem.G)

        def step(multiply):
            return lambda: torch.autograd.grad(multiply(A, B), (A, B), G)

        candidates = {"tsgu": step(tsgu.sparse_mm), "torch": step(torch.sparse.mm)}
        for name, call in candidates.items():
            grad_A, grad_B = call()
            oracle.check_gradients(name, grad_A.values().numpy(), grad_B.numpy())
        with_forward = {"tsgu forward": lambda: tsgu.sparse_mm(A.detach(), B.detach())}
        self._record(
            "gradient",
            problem,
            threads,
            interleave(candidates | with_forward, self.plan.samples, few={"torch": 0.3}),
        )

    def matrix(self, matrix):
        rng = np.random.default_rng(7)
        shape = (matrix.rows, max(self.plan.widths))
        B, G = (rng.standard_normal(shape, dtype=np.float32) for _ in range(2))
        oracle = Oracle(
            matrix, B.astype(np.float64), G.astype(np.float64), max(self.plan.gradient_widths)
        )
        for dtype in self.plan.dtypes:
            for width in self.plan.widths:
                problem = Problem.make(matrix, dtype, width, (B, G))
                for threads in self.plan.threads:
                    self._set_threads(threads)
                    self.kernels(problem, threads, oracle)
                    self.users(problem, threads, oracle)
                    gc.collect()
        # Roofs are the best of all their measurements: judge all rows by the last.
        self.roofs.measure()
        for table in ("kernel", "sampled"):
            for row in self.tables[table]:
                if row["matrix"] == matrix.name:
                    self._set_floor(table, row, matrix)


def overheads(mode):
    """The tables of overhead.py, which needs processes of its own."""
    command = [sys.executable, str(_HERE / "overhead.py"), "--mode", mode]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--matrices", nargs="+", choices=matrices.NAMES, default=matrices.NAMES)
    arguments = parser.parse_args()

    run = Run()
    bench = Bench(_PLANS[arguments.mode], arguments.build)
    small = overheads(arguments.mode)
    for name in arguments.matrices:
        bench.matrix(matrices.load(name, arguments.build / "bench-data"))
    versions = {
        "tsgu": tsgu.__version__,
        "torch": torch.__version__,
        "scipy": scipy.__version__,
        "numpy": np.__version__,
        "MKL": next((peer.version() for peer in bench.peers if peer.name == "MKL"), "absent"),
    }
    results = run.facts(arguments.mode, versions, bench.absent) | {
        "titles": {name: matrices.title(name) for name in arguments.matrices},
        "roofs": bench.roofs.table(),
        "tables": bench.tables,
        "overheads": small,
    }
    complete = arguments.mode == "full" and set(arguments.matrices) == set(matrices.NAMES)
    folder = _HERE if complete else arguments.build
    page, goals = spmm_report.markdown(results), spmm_report.goals(results)
    write("results", results, page, goals, folder)


if __name__ == "__main__":
    main()
