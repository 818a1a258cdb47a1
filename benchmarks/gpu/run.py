"""Checks and measures tsgu on a GPU, in ten minutes.

usage: run.py [--bundle FOLDER] [--sections NAME...] [--seconds 570] [--output FOLDER]

Needs a CUDA driver, Python, NumPy, torch 2.11 or later (CUDA), this checkout, and the folder that
`make gpu-bundle` makes (build/gpu-bundle): no LLVM and no compiler. Writes gpu.json and GPU.md to
$OUT or the folder given. `--device cpu` tries the script itself on small problems.
"""

import argparse
import datetime
import os
import pathlib
import platform
import sys
import time
import traceback

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=pathlib.Path, default=CHECKOUT / "build" / "gpu-bundle")
    parser.add_argument("--sections", nargs="*", help="all by default; 'checks' is one of them")
    parser.add_argument("--seconds", type=float, default=570)
    parser.add_argument("--device", default="cuda:0")
    output = os.environ.get("OUT") or CHECKOUT / "benchmarks" / "gpu"
    parser.add_argument("--output", type=pathlib.Path, default=output)
    return parser.parse_args()


def _find_libraries(bundle):
    """Before torch and tsgu are imported."""
    libraries = bundle.resolve() / "lib"
    if not (libraries / "libtsgu_torch.so").exists():
        sys.exit(f"{libraries} has no libtsgu_torch.so: 'make gpu-bundle' makes it")
    os.environ["TSGU_LIBRARY_DIR"] = str(libraries)
    if (table := libraries / "libtsgu-kernels.so").exists():
        os.environ["TSGU_COMPILER"] = str(table)
    sys.path[1:1] = [str(CHECKOUT / "python"), str(CHECKOUT / "test" / "python")]


def _section(results, name, work):
    """Runs one section, whatever happened to the others."""
    print(f"== {name}", flush=True)
    rows = results["sections"].setdefault(name, [])
    try:
        for row in work():
            rows.append(row)
            print(_line(row), flush=True)
    except Exception as error:
        results["ended"][name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        print(f"ended early: {results['ended'][name]}", file=sys.stderr, flush=True)
        if type(error).__name__ != "LimitError":
            traceback.print_exc()


def _line(row):
    if "microseconds" in row:
        return f"{row['case']:40} {row['microseconds']:8.2f} us"
    times = sorted((t["best"], name) for name, t in row["timings"].items())
    return f"{row['case']:24} " + "  ".join(f"{name} {1e3 * best:.4g} ms" for best, name in times)


def _versions(torch, tsgu):
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "CUDA of torch": torch.version.cuda or "none",
        "tsgu": tsgu.__version__,
    }


def _device_name(torch, name):
    if not name.startswith("cuda"):
        return f"{name}, a trial of the script"
    properties = torch.cuda.get_device_properties(name)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"


def main():
    arguments = _arguments()
    start = time.monotonic()
    _find_libraries(arguments.bundle)
    import checks
    import sections
    import torch

    import measure
    import report
    import tsgu

    if arguments.device.startswith("cuda"):
        if not torch.cuda.is_available():
            sys.exit("torch finds no CUDA device; '--device cpu' tries the script without one")
        torch.cuda.set_device(arguments.device)
    device, budget = measure.Device(arguments.device), measure.Budget(arguments.seconds)
    results = {
        "date": datetime.date.today().isoformat(),
        "device": _device_name(torch, arguments.device),
        "versions": _versions(torch, tsgu),
        "checks": None,
        "roof": None,
        "sections": {},
        "ended": {},
    }
    wanted = arguments.sections or ["checks", *sections.ALL]
    print(results["device"], results["versions"], flush=True)
    if "checks" in wanted:
        results["checks"] = checks.run(device.name)
        print(f"checks: {results['checks']['passed']} passed", flush=True)
    try:
        results["roof"] = measure.roof(device)
        print(f"roof: {results['roof'] / 1e9:.0f} GB/s", flush=True)
    except Exception as error:
        results["ended"]["roof"] = f"{type(error).__name__}: {error}"
    trial = not device.is_cuda
    for name in (name for name in sections.ALL if name in wanted):
        work = sections.ALL[name]
        _section(results, name, lambda work=work: work(device, budget, trial))
        results["seconds"] = time.monotonic() - start
        report.write(results, arguments.output)  # what there is, should the next one be killed
    results["seconds"] = time.monotonic() - start
    print(report.write(results, arguments.output))
    failed = results["checks"]["failed"] if results["checks"] else {}
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
