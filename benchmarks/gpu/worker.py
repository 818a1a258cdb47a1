"""One part of the benchmark, in a process of its own; run.py starts it.

usage: worker.py PART DEVICE END FILE

END is on the clock of time.monotonic(). What is found goes to FILE as it is found, in lines of
JSON: [kind, content].
"""

import faulthandler
import json
import pathlib
import platform
import subprocess
import sys
import time
import traceback
import warnings

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(CHECKOUT / "python"), str(CHECKOUT / "test" / "python")]

import torch  # noqa: E402

import measure  # noqa: E402
import tsgu  # noqa: E402


def _line(row):
    if "microseconds" in row:
        return f"{row['case']:40} {row['microseconds']:8.2f} us"
    times = sorted((t["best"], name) for name, t in row["timings"].items())
    parts = [f"{name} {1e3 * best:.4g} ms" for best, name in times]
    parts += [f"{name}: {why}" for name, why in row["errors"].items()]
    return f"{row['case']:24} " + "  ".join((["WRONG"] if "wrong" in row else []) + parts)


def _driver():
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        return run.stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "unknown"


def _facts(device):
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "CUDA of torch": torch.version.cuda or "none",
        "tsgu": tsgu.__version__,
    }
    if not device.is_cuda:
        return {"device": f"{device.name}, a trial of the script", "versions": versions, "L2": 0}
    of = torch.cuda.get_device_properties(device.name)
    name = f"{of.name}, {of.multi_processor_count} multiprocessors, {of.total_memory >> 30} GiB"
    return {"device": name, "versions": {**versions, "driver": _driver()}, "L2": of.L2_cache_size}


def _roof(device, write):
    write("roof", roof := measure.roof(device))
    print(f"roof: {roof / 1e9:.0f} GB/s", flush=True)


def _checks(device, budget, write):
    import checks

    for name, why in checks.run(device, budget):
        write("check", [name, why])
        if why:
            print(f"FAILED {name}: {why}", flush=True)


def _section(part, device, budget, write):
    import sections

    for row in sections.ALL[part](device, budget, not device.is_cuda):
        write("row", row)
        print(_line(row), flush=True)


def main():
    part, name, end, file = sys.argv[1:]
    warnings.filterwarnings("ignore", message="Sparse")
    faulthandler.enable()
    faulthandler.dump_traceback_later(max(float(end) - time.monotonic(), 1))  # where it hangs
    device, budget = measure.Device(name), measure.Budget(float(end))
    with open(file, "w", buffering=1) as lines:

        def write(kind, content=None):
            lines.write(json.dumps([kind, content]) + "\n")

        try:
            if device.is_cuda:
                torch.cuda.set_device(name)
            write("facts", _facts(device))
            if part == "roof":
                _roof(device, write)
            elif part == "checks":
                _checks(device, budget, write)
            else:
                _section(part, device, budget, write)
            write("done")
        except Exception as error:
            write("ended", measure.reason(error))
            if not isinstance(error, measure.LimitError):
                traceback.print_exc()


if __name__ == "__main__":
    main()
