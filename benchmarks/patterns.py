"""Measures what a new pattern costs: 1e6 x 1e6 with 5e6 entries, first and later products.

Prints a table, best / median. `--other PYTHON LIB` sets another build (the folders of its package
and of its libraries) beside this one: each in a process of its own, in turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

_ROWS, _PER_ROW = 1_000_000, 5
_KINDS = ("CSR int32", "CSR int64", "COO int64")


def _serve():
    """Answers each line, which names a kind, with milliseconds of the steps."""
    import torch

    import tsgu

    torch.manual_seed(0)
    columns = torch.randint(_ROWS // _PER_ROW, (_ROWS, _PER_ROW))
    columns = (columns + torch.arange(_PER_ROW) * (_ROWS // _PER_ROW)).flatten()
    rows = torch.arange(_ROWS).repeat_interleave(_PER_ROW)
    positions = torch.arange(_ROWS + 1) * _PER_ROW
    values, B = torch.rand(_ROWS * _PER_ROW), torch.rand(_ROWS, 1)

    def matrix(kind, step):
        # Other columns in each step, still in order: no pattern is found again by its content.
        new = (columns + step) % _ROWS if step else columns.clone()
        new = new.view(_ROWS, _PER_ROW).sort(1)[0].flatten()
        if kind == "COO int64":
            return tsgu.coo, (torch.stack([rows, new]), values, (_ROWS, _ROWS))
        index = torch.int32 if kind == "CSR int32" else torch.int64
        return tsgu.csr, (positions.to(index), new.to(index), values, (_ROWS, _ROWS))

    for step, line in enumerate(sys.stdin):
        make, arguments = matrix(line.strip(), step)
        times = [time.perf_counter()]
        A = make(*arguments)
        times.append(time.perf_counter())
        for _ in range(3):
            tsgu.sparse_mm(A, B)
            times.append(time.perf_counter())
        steps = [1e3 * (end - start) for start, end in zip(times, times[1:], strict=False)]
        print(json.dumps([steps[0], steps[1], min(steps[2:])]), flush=True)


def _started(python=None, libraries=None):
    environment = dict(os.environ)
    if python:
        environment |= {"PYTHONPATH": python, "TSGU_LIBRARY_DIR": libraries}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, "--serve"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mode", choices=["full", "quick"], default="full")
    parser.add_argument("--other", nargs=2, metavar=("PYTHON", "LIB"))
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        _serve()
        return
    builds = {"this build": _started()}
    if arguments.other:
        builds["other build"] = _started(*arguments.other)
    print(
        "| matrix | build | made, ms | first product, ms | later ones, ms |\n|---|---|---|---|---|"
    )
    for kind in _KINDS:
        times = {name: [] for name in builds}
        for _ in range(31 if arguments.mode == "full" else 3):
            for name, process in builds.items():
                process.stdin.write(kind + "\n")
                process.stdin.flush()
                times[name].append(json.loads(process.stdout.readline()))
        for name, samples in times.items():
            steps = zip(*samples[1:], strict=True)
            texts = [f"{min(step):.1f} / {statistics.median(step):.1f}" for step in steps]
            print(f"| {kind} | {name} | " + " | ".join(texts) + " |")
    for process in builds.values():
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
