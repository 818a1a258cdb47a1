#!/usr/bin/env bash
# jax 0.10.2: once JAX is imported, a Ctrl-C (or what any signal handler raises) that comes while
# Python's cyclic collector runs is lost: the loop goes on as if nothing had been pressed. JAX puts a
# Python function into gc.callbacks; that is where the waiting handler runs first, and Python only
# prints what is raised there. Without the import the same KeyboardInterrupt reaches the caller.
#
# Seen: of 5 timers that raise during a collection, 5 reach the caller before the import, 0 after it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check jax==0.10.2
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import gc
import signal
import time


def interrupt(*_):
    raise KeyboardInterrupt


def reached():
    """How many of five signals, sent a fifth into a collection, come out of gc.collect()."""
    count = 0
    for _ in range(5):
        begin = time.perf_counter()
        gc.collect()
        signal.setitimer(signal.ITIMER_REAL, (time.perf_counter() - begin) / 5)
        try:
            gc.collect()
        except KeyboardInterrupt:
            count += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    return count


signal.signal(signal.SIGALRM, interrupt)
heap = [[k] for k in range(3_000_000)]  # makes a collection last
before = reached()
import jax

after = reached()
print(f"jax {jax.__version__}: {before} of 5 before the import, {after} after it; {gc.callbacks}")
assert before == 5
assert after == 0, "the behaviour has changed"
PYTHON
