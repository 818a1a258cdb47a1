"""Timing in turns, the memory roof, and the limits of time and memory."""

import gc
import statistics
import time

import torch

_CLOCK = 2e9  # cycles per second of a device, or somewhat more
# Seconds that the host may take to start a turn: at 2 us or more for a launch these are no more
# than the 1,000 that a stream holds.
_STARTING = 2e-3


class LimitError(RuntimeError):
    """What there is no time for."""


def reason(error):
    """An exception in one line."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


class Budget:
    """The time until `end`, which is on the clock of time.monotonic()."""

    def __init__(self, end):
        self._end = end

    def need(self, seconds, what):
        left = self._end - time.monotonic()
        if left < seconds:
            raise LimitError(f"{what}: {left:.0f} s are left, and it takes {seconds:.0f}")


class Device:
    """Where it is measured: a CUDA device, or the CPU for a trial of the script."""

    def __init__(self, name):
        self.name = name
        self.is_cuda = name.startswith("cuda")

    def synchronize(self):
        if self.is_cuda:
            torch.cuda.synchronize()

    def need_memory(self, wanted):
        """Raises MemoryError unless so many bytes are free."""
        gc.collect()
        if not self.is_cuda:
            return
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info()[0]
        if wanted > 0.9 * free:
            raise MemoryError(f"needs {wanted / 2**30:.1f} GiB, {free / 2**30:.1f} are free")

    def seconds(self, run, repeats, host):
        """The mean time of one run of so many that follow one another.

        `host`: seconds that the host takes to start one. The device sleeps meanwhile.
        """
        if not self.is_cuda:
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            return (time.perf_counter() - start) / repeats
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(int(_CLOCK * min(1e-4 + 2 * repeats * host, 0.02)))
        start.record()
        for _ in range(repeats):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / repeats


def _repeats(device, run, share):
    """(how often a turn of `share` seconds runs it, seconds of the host to start one run)."""
    run()
    device.synchronize()
    start = time.perf_counter()
    run()
    host = time.perf_counter() - start
    device.synchronize()
    once = max(min(device.seconds(run, 1, host) for _ in range(2)), 1e-7)
    repeats = min(share / once, _STARTING / host if device.is_cuda else 200, 200)
    return max(1, int(repeats)), host


def in_turns(device, contenders, seconds=0.4, rounds=12):
    """name -> {"best", "median", "samples"} in seconds, of `run` by name, measured in turns."""
    share = seconds / (rounds * max(len(contenders), 1))
    repeats = {name: _repeats(device, run, share) for name, run in contenders.items()}
    samples = {name: [] for name in contenders}
    end = time.monotonic() + 4 * seconds
    for _ in range(rounds):
        for name, run in contenders.items():
            samples[name].append(device.seconds(run, *repeats[name]))
        if time.monotonic() > end:
            break
    return {
        name: {"best": min(of), "median": statistics.median(of), "samples": len(of)}
        for name, of in samples.items()
    }


def roof(device):
    """Bytes per second of the best copy, counting what is read and written."""
    best = 0
    for size in (1 << 28, 1 << 30) if device.is_cuda else (1 << 24,):
        device.need_memory(2 * size)
        x = torch.empty(size // 4, device=device.name)
        y = torch.ones_like(x)
        timing = in_turns(device, {"copy": lambda x=x, y=y: x.copy_(y)}, rounds=20)
        best = max(best, 2 * size / timing["copy"]["best"])
    return best


def host_microseconds(device, run, calls=100):
    """Per call, of the host alone: nothing is waited for meanwhile. The best of twenty, or of 1 s.

    `calls`: so few that a stream holds all that they launch.
    """
    best, end = float("inf"), time.monotonic() + 1
    for _ in range(20):
        for _ in range(5):
            run()
        device.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        best = min(best, (time.perf_counter() - start) / calls)
        device.synchronize()
        if time.monotonic() > end:
            break
    return 1e6 * best
