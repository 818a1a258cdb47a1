"""Runs work in several threads, and scripts in processes of their own."""

import json
import os
import subprocess
import sys
import threading

from conftest import CHECKOUT


def in_threads(work, count):
    """Calls work(0), work(1), ... in as many threads at once; raises what one of them raised."""
    failures = []

    def guarded(k):
        try:
            work(k)
        except BaseException as error:
            failures.append(error)

    team = [threading.Thread(target=guarded, args=(k,)) for k in range(count)]
    for member in team:
        member.start()
    for member in team:
        member.join()
    if failures:
        raise failures[0]


def run_script(script, *arguments, timeout=120, **environment):
    """What a Python script prints that finds the package of this checkout."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}/python", **environment},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


_MEMORY = """
def read(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

def peak_of(step, *operands):
    step(*operands)  # makes the layouts
    open("/proc/self/clear_refs", "w").write("5")
    result = step(*operands)
    return read("VmHWM"), result
"""


def measure(script, *arguments, **environment):
    """What a script prints as JSON; read("VmRSS") and peak_of(step, *operands) are there for it."""
    # Freed memory goes back at once: which blocks the allocator keeps depends on their order.
    environment |= {"MALLOC_MMAP_THRESHOLD_": "131072"}
    return json.loads(run_script(_MEMORY + script, *arguments, timeout=300, **environment))
