"""Timing: candidates take turns in one process, on memory with huge pages; facts of the run."""

import ctypes
import gc
import mmap
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_HUGE_PAGE = 2 << 20
_SHORT = 0.02  # seconds; shorter calls are measured in bursts
_BURST = 5
_SETTLE = 0.003  # seconds for the idle threads of the last candidate to go to sleep


def array(shape, dtype):
    """Uninitialised memory, aligned to and advised to use huge pages."""
    size = max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize)
    memory = mmap.mmap(-1, size + _HUGE_PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    start = -np.frombuffer(memory, np.uint8).ctypes.data % _HUGE_PAGE
    return np.frombuffer(memory, np.uint8)[start : start + size].view(dtype).reshape(shape)


def copied(source, dtype):
    copy = array(source.shape, dtype)
    copy[:] = source
    return copy


def keep_memory():
    """What is freed stays with the process (glibc): no call pays for clearing its pages again."""
    if hasattr(ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_max = -1, -4
        ctypes.CDLL(None).mallopt(trim_threshold, 2**31 - 1)
        ctypes.CDLL(None).mallopt(mmap_max, 0)


def array_pointer(data):
    return ctypes.c_void_p(data.ctypes.data)


@dataclass
class Timing:
    """Seconds."""

    best: float
    median: float
    samples: int

    @classmethod
    def of(cls, seconds):
        return cls(min(seconds), statistics.median(seconds), len(seconds))


def elapsed(call, *arguments):
    """Seconds, without what freeing the result takes."""
    start = time.perf_counter()
    result = call(*arguments)
    seconds = time.perf_counter() - start
    del result
    return seconds


def best_time(call, calls):
    """Seconds; after a long first call one must do."""
    best = elapsed(call)
    for _ in range(calls - 1):
        if best < 10 * _SHORT:
            best = min(best, elapsed(call))
    return best


def interleave(candidates, samples, few=None):
    """Times each callable at least `samples` times, all of them in turn: {name: Timing}.

    `few` names candidates that need to run three times only where they take longer than so many
    seconds. Short calls come in bursts after one that is not counted, so that each finds its own
    threads awake.
    """
    few = few or {}
    estimate = {name: best_time(call, 2) for name, call in candidates.items()}
    wanted = {
        name: 3 if estimate[name] > few.get(name, float("inf")) else samples for name in candidates
    }
    times = {name: [] for name in candidates}
    gc.collect()
    gc.disable()
    try:
        while any(len(times[name]) < wanted[name] for name in candidates):
            for name, call in candidates.items():
                if len(times[name]) >= wanted[name]:
                    continue
                time.sleep(_SETTLE)
                if estimate[name] < _SHORT:
                    call()
                    times[name] += [elapsed(call) for _ in range(_BURST)]
                else:
                    times[name].append(elapsed(call))
    finally:
        gc.enable()
    return {name: Timing.of(seconds) for name, seconds in times.items()}


def turns(calls, rounds, burst=1):
    """Times each callable so often, all of them in turn, after one call that is not counted.

    Short calls come in bursts, so that each finds its caches and threads awake.
    """
    times = {name: [] for name in calls}
    gc.collect()
    gc.disable()
    try:
        for call in calls.values():
            call()
        for _ in range(rounds):
            for name, call in calls.items():
                if burst == 1:
                    time.sleep(_SETTLE)
                times[name] += [elapsed(call) for _ in range(burst)]
    finally:
        gc.enable()
    return {name: Timing.of(seconds) for name, seconds in times.items()}


class Run:
    """The facts of a run, which begins when this is made."""

    def __init__(self):
        self._start, self._load = time.time(), _processor_seconds()

    def facts(self, mode, versions, absent):
        """What results begin with; `other_load` is the machine's share other processes took."""
        now = _processor_seconds()
        other, total = (now - then for now, then in zip(now, self._load, strict=True))
        return {
            "mode": mode,
            "date": time.strftime("%Y-%m-%d"),
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "other_load": max(0.0, other / total) if total else 0.0,
            "seconds": time.time() - self._start,
            "versions": versions,
            "absent": absent,
        }


def _processor_seconds():
    """Those that other processes have taken, and all there have been."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    own = os.times()
    busy = sum(ticks[:3]) + sum(ticks[5:8])
    idle = ticks[3] + ticks[4]
    hertz = os.sysconf("SC_CLK_TCK")
    return busy / hertz - sum(own[:4]), (busy + idle) / hertz


def _cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return os.uname().machine
