"""Measures what a call costs beside the work: a 10 x 10 product, and compilation.

Prints JSON. Latencies are measured in processes of their own, with a cache folder of their own.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict

from measure import Timing

_CALLS = 200  # per sample
_HERE = pathlib.Path(__file__).parent


def _small_calls(samples):
    import torch

    import tsgu

    torch.set_num_threads(1)
    torch.manual_seed(0)
    dense = torch.rand(10, 10)
    A = torch.where(dense < 0.5, dense, 0).to_sparse_csr()
    A = torch.sparse_csr_tensor(A.crow_indices().int(), A.col_indices().int(), A.values(), (10, 10))
    B, G = torch.rand(10, 8), torch.rand(10, 8)
    pattern, values = tsgu.Pattern.of(A), A.values().clone()
    text = (_HERE.parent / "lib" / "Programs" / "spmm.mlir").read_text()
    loaded = tsgu.load_program(text.replace("@spmm", "@loaded"))
    multiply = {  # by name: the product, and what it takes as A
        "tsgu": (tsgu.sparse_mm, A),
        "tsgu, a program from text": (lambda values, B: loaded(pattern, values, B), values),
        "tsgu.Matrix": (lambda values, B: tsgu.Matrix(pattern, values) @ B, values),
        "torch": (torch.sparse.mm, A),
    }
    calls = {}
    for name, (product, given) in multiply.items():
        leaves = given.clone().requires_grad_(), B.clone().requires_grad_()
        calls[f"{name} forward"] = lambda product=product, given=given: product(given, B)

        def step(product=product, leaves=leaves):
            product(*leaves).backward(G)
            leaves[0].grad = leaves[1].grad = None

        calls[f"{name} forward + backward"] = step
    times = {name: [] for name in calls}
    for _ in range(samples + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(_CALLS):
                call()
            times[name].append((time.perf_counter() - start) / _CALLS)
    return {name: asdict(Timing.of(seconds[1:])) for name, seconds in times.items()}


def _latencies():
    """Seconds of the first call of three kernels in this process, less that of the second."""
    import torch

    import tsgu

    torch.set_num_threads(1)
    A = torch.eye(10).to_sparse_csr()
    seconds = []
    for width in (32, 64, 48):
        B = torch.rand(10, width)
        times = []
        for _ in range(2):
            start = time.perf_counter()
            tsgu.sparse_mm(A, B)
            times.append(time.perf_counter() - start)
        seconds.append(times[0] - times[1])
    return seconds


def _in_process(cache):
    environment = os.environ | {"TSGU_CACHE_DIR": cache}
    command = [sys.executable, __file__, "--latencies"]
    output = subprocess.run(command, env=environment, check=True, capture_output=True)
    return json.loads(output.stdout)


def _compilation(repeats):
    found = {"compiled first in a process": [], "compiled after that": []}
    found |= {"from disk, first in a process": [], "from disk after that": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            for state in ("compiled", "from disk,"):
                first, *after = _in_process(cache)
                found[f"{state} first in a process"].append(first)
                found[f"{state.rstrip(',')} after that"] += after
    return {name: asdict(Timing.of(seconds)) for name, seconds in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mode", choices=["full", "quick"], default="full")
    parser.add_argument("--latencies", action="store_true")
    arguments = parser.parse_args()
    if arguments.latencies:
        print(json.dumps(_latencies()))
        return
    full = arguments.mode == "full"
    print(
        json.dumps(
            {
                "calls": _small_calls(30 if full else 5),
                "compilation": _compilation(10 if full else 2),
            }
        )
    )


if __name__ == "__main__":
    main()
