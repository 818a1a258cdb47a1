"""Timing in turns, the memory roof, and the limits of time and memory."""

import gc
import statistics
import time

import torch


class LimitError(RuntimeError):
    """What there is no time or memory for."""


class Budget:
    """Seconds that are left of the run."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    @property
    def left(self):
        return self._end - time.monotonic()

    def need(self, seconds, what):
        if self.left < seconds:
            raise LimitError(f"{what}: {self.left:.0f} s are left, and it takes {seconds:.0f}")


class Device:
    """Where it is measured: a CUDA device, or the CPU for a trial of the script."""

    def __init__(self, name):
        self.name = name
        self.is_cuda = name.startswith("cuda")

    def synchronize(self):
        if self.is_cuda:
            torch.cuda.synchronize()

    def need_memory(self, wanted, what):
        """Raises LimitError unless so many bytes are free."""
        gc.collect()
        if not self.is_cuda:
            return
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info()[0]
        if wanted > 0.9 * free:
            raise LimitError(f"{what}: needs {wanted / 2**30:.1f} GiB, {free / 2**30:.1f} are free")

    def seconds(self, run, repeats):
        """The mean time of one run of so many that follow one another."""
        if not self.is_cuda:
            start = time.perf_counter()
            for _ in range(repeats):
                run()
            return (time.perf_counter() - start) / repeats
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / repeats


def in_turns(device, contenders, seconds=0.4, rounds=12):
    """name -> {"best", "median", "samples"} in seconds, of `run` by name, measured in turns.

    Each is run often enough in a turn that starting it is hidden behind the one before.
    """
    repeats = {}
    for name, run in contenders.items():
        run()
        device.synchronize()
        once = max(device.seconds(run, 1), 1e-7)
        once = min(once, device.seconds(run, 2))
        share = seconds / (rounds * len(contenders))
        repeats[name] = max(1, min(200, int(share / once)))
    samples = {name: [] for name in contenders}
    end = time.monotonic() + 4 * seconds
    for _ in range(rounds):
        for name, run in contenders.items():
            samples[name].append(device.seconds(run, repeats[name]))
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
        device.need_memory(2 * size, "the copy that measures the roof")
        x = torch.empty(size // 4, device=device.name)
        y = torch.ones_like(x)
        timing = in_turns(device, {"copy": lambda x=x, y=y: x.copy_(y)}, rounds=20)
        best = max(best, 2 * size / timing["copy"]["best"])
    return best


def host_microseconds(device, run, calls=1000):
    """Per call, of the host alone: nothing is waited for meanwhile. The best of five."""
    best = float("inf")
    for _ in range(5):
        for _ in range(20):
            run()
        device.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        best = min(best, (time.perf_counter() - start) / calls)
        device.synchronize()
    return 1e6 * best
