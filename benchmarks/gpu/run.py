"""Checks and measures tsgu on a GPU, in ten minutes.

usage: run.py [--bundle FOLDER] [--sections NAME...] [--seconds 540] [--output FOLDER]

Needs a CUDA driver, Python, NumPy, torch 2.11 or later (CUDA), this checkout, and the folder that
`make gpu-bundle` makes (build/gpu-bundle): no LLVM and no compiler. Writes gpu.json and GPU.md to
$OUT or the folder given. `--device cpu` tries the script itself on small problems.

Each part runs in a process of its own (worker.py): one that fails, hangs or crashes loses what it
had still to do, and nothing else.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import plan

import report

START = time.monotonic()
HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
_GRACE = 5  # seconds after its end at which a part is killed


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=pathlib.Path, default=CHECKOUT / "build" / "gpu-bundle")
    parser.add_argument("--sections", nargs="*", choices=list(plan.SHARES), help="default: all")
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--device", default="cuda:0")
    output = os.environ.get("OUT") or HERE
    parser.add_argument("--output", type=pathlib.Path, default=output)
    return parser.parse_args()


def _find_libraries(bundle):
    """For the processes to come."""
    libraries = bundle.resolve() / "lib"
    if not (libraries / "libtsgu_torch.so").exists():
        sys.exit(f"{libraries} has no libtsgu_torch.so: 'make gpu-bundle' makes it")
    os.environ["TSGU_LIBRARY_DIR"] = str(libraries)
    if (table := libraries / "libtsgu-kernels.so").exists():
        os.environ["TSGU_COMPILER"] = str(table)


def _end_of(parts, seconds):
    """When the first of these parts has to end: after its share of what is left."""
    left = START + seconds - time.monotonic()
    return time.monotonic() + left * plan.SHARES[parts[0]] / sum(map(plan.SHARES.get, parts))


def _run(part, device, end, file):
    """Runs a part; returns why it ended early, if its process says so."""
    print(f"== {part}", flush=True)
    command = [sys.executable, str(HERE / "worker.py"), part, device, str(end), str(file)]
    process = subprocess.Popen(command)
    try:
        status = process.wait(max(end - time.monotonic(), 1) + _GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # held by the driver
            process.wait(5)
        return "killed at its time limit"
    return f"its process ended with status {status}" if status else None


def _merge(results, part, file):
    """Takes what a part has written; the last line may be cut off."""
    done = False
    for line in file.read_text().splitlines() if file.exists() else ():
        try:
            kind, content = json.loads(line)
        except ValueError:
            break
        if kind == "facts":
            results.update(content)
        elif kind == "roof":
            results["roof"] = content
        elif kind == "check":
            results["checks"].append(content)
        elif kind == "row":
            results["sections"][part].append(content)
        elif kind == "ended":
            results["ended"][part] = content
        done = done or kind == "done"
    return done


def _part(results, part, device, end, folder):
    file = folder / part
    if part in plan.CASES:
        results["sections"][part] = []
    elif part == "checks":
        results["checks"] = []
    why = _run(part, device, end, file)
    done = _merge(results, part, file)
    if why or not done:
        results["ended"].setdefault(part, why or "its process ended too soon")
    if part == "roof":
        print(results["device"], results["versions"], flush=True)
    if part in results["ended"]:
        print(f"{part} ended early: {results['ended'][part]}", flush=True)


def main():
    arguments = _arguments()
    _find_libraries(arguments.bundle)
    results = {
        "date": datetime.date.today().isoformat(),
        "device": None,
        "versions": {},
        "L2": 0,
        "checks": None,
        "roof": None,
        "sections": {},
        "ended": {},
    }
    chosen = arguments.sections or list(plan.SHARES)
    parts = [part for part in plan.SHARES if part in chosen or part == "roof"]
    with tempfile.TemporaryDirectory() as folder:
        for k, part in enumerate(parts):
            end = _end_of(parts[k:], arguments.seconds)
            _part(results, part, arguments.device, end, pathlib.Path(folder))
            results["seconds"] = time.monotonic() - START
            report.write(results, arguments.output)  # what there is, should the run be killed
    print(report.page(results))
    sys.exit(1 if report.failed(results) else 0)


if __name__ == "__main__":
    main()
