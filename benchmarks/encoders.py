"""Measures encoder -> normal distribution -> sample -> gradient, each side in its own process.

So that peaks of memory are each side's own. Writes ENCODERS.md beside this file (unless complete:
into the build folder).
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

# Idle threads of OpenMP would spin on the cores that others need.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import torch

from report import command_line, table

_HERE = Path(__file__).resolve().parent
_SIDES = ("tsgu", "torchsparsegradutils")


def _status(name):
    """Bytes, of this process."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _operands(library, side, radius, layout):
    encoders = importlib.import_module(f"{library}.encoders")
    shape = (1, side, side, side)
    encoder = encoders.PairwiseEncoder(
        radius, shape, diag=True, upper=False, layout=getattr(torch, layout)
    )
    values = 0.01 * torch.randn(len(encoder.offsets), *shape)
    values[0] = 1
    return encoder, values.requires_grad_(), torch.zeros(encoder.volume_numel)


def _step(library, encoder, values, loc):
    normal = importlib.import_module(f"{library}.distributions").SparseMultivariateNormal
    values.grad = None
    normal(loc, precision_tril=encoder(values)).rsample().square().sum().backward()


def measure(library, side, radius, layout, samples):
    """Seconds to make the encoder and of each step, and bytes at the peak of one."""
    warnings.simplefilter("ignore")
    _step(library, *_operands(library, 4, radius, layout))
    base, start = _status("VmRSS"), time.perf_counter()
    operands = _operands(library, side, radius, layout)
    made = time.perf_counter() - start
    _step(library, *operands)
    Path("/proc/self/clear_refs").write_text("5")
    steps = []
    for _ in range(samples):
        start = time.perf_counter()
        _step(library, *operands)
        steps.append(time.perf_counter() - start)
    return {"made": made, "steps": steps, "peak": _status("VmHWM") - base}


def _in_a_process(*arguments):
    command = [sys.executable, __file__, "--measure", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def _cases(mode):
    """(side of the volume, radius, layout, sides to measure)."""
    for layout in ("sparse_coo", "sparse_csr"):
        yield 16, 1, layout, _SIDES
        if mode == "full":
            yield 32, 1, layout, _SIDES
        yield (64 if mode == "full" else 32), 2, layout, _SIDES[:1]


def main():
    parser = command_line(__doc__)
    parser.add_argument("--measure", nargs=5)
    arguments = parser.parse_args()
    if arguments.measure:
        library, side, radius, layout, samples = arguments.measure
        print(json.dumps(measure(library, int(side), float(radius), layout, int(samples))))
        return
    rows = []
    for side, radius, layout, sides in _cases(arguments.mode):
        for library in sides:
            samples = 15 if library == "tsgu" else 3
            found = _in_a_process(library, side, radius, layout, samples)
            best, median = min(found["steps"]), statistics.median(found["steps"])
            row = [f"{side}^3, radius {radius}", layout.split("_")[1], library]
            row += [f"{1e3 * x:.1f}" for x in (found["made"], best, median)]
            rows.append([*row, f"{found['peak'] / 1e6:.0f}"])
            print(*rows[-1], sep="  ", flush=True)
    header = ["volume", "layout", "", "encoder ms", "step ms", "median", "peak MB"]
    page = f"""\
# Encoders: from values to the gradient of a sample

A step is encoder -> lower factor of a precision -> one `rsample` -> gradient of the values, in
float32; `peak` is what it and its operands take at most, beyond what the process had before. The
encoder is made once. Both sides take all threads, on whatever else the machine does.

{table(header, rows)}"""
    folder = _HERE if arguments.mode == "full" else arguments.build
    (folder / "ENCODERS.md").write_text(page)


if __name__ == "__main__":
    main()
