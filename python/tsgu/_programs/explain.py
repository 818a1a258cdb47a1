"""What a call runs, and how fast."""

import ctypes
import functools
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch

from .._runtime import library

__all__ = ["Explanation", "Stage", "explain"]


class Stage(NamedTuple):
    """A kernel, or a step of the runtime such as a solve, over all its runs in the call."""

    program: str  # name and derivation, such as "spmm_vjp0"
    stage: str  # a kernel's name, or what a step does
    kernel: bool  # or a step
    layouts: tuple[str, ...]  # of patterns: levels and the type of indices
    partition: str  # over what a kernel is parallel, "" for a step
    runs: int
    parts: int  # into which a run was cut for threads, at most
    seconds: float  # of all runs
    flops: float  # by the kernel's cost formula, 0 for a step
    bytes: float  # that have to be read or written once, 0 for a step
    roof: float  # the share of the memory's bandwidth that these bytes took, 0 for a step


class Explanation(tuple[Stage, ...]):
    """Stages in the order of their first runs; prints as a table.

    seconds: of the whole call; bandwidth: bytes per second that a copy in memory reads and writes.
    """

    seconds: float
    bandwidth: float

    def __new__(cls, stages: Iterable[Stage], seconds: float, bandwidth: float) -> "Explanation":
        explanation = super().__new__(cls, stages)
        explanation.seconds, explanation.bandwidth = seconds, bandwidth
        return explanation

    def __str__(self) -> str:
        header = ("program", "stage", "layouts", "runs", "parts", "ms", "Mflop", "MB", "roof")
        rows = [header, *map(_row, self)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
        lines = [
            "  ".join(
                text.ljust(width) if k < 3 else text.rjust(width)
                for k, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        inside = sum(stage.seconds for stage in self)
        lines.append(
            f"{1e3 * self.seconds:.3g} ms in all, {1e3 * inside:.3g} ms in programs; "
            f"memory copies {self.bandwidth / 1e9:.3g} GB/s"
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def _row(stage):
    runs = str(stage.runs), str(stage.parts), f"{1e3 * stage.seconds:.3g}"
    cost = "", "", ""
    if stage.kernel:
        cost = f"{stage.flops / 1e6:.3g}", f"{stage.bytes / 1e6:.3g}", f"{100 * stage.roof:.0f} %"
    return (stage.program, stage.stage, ", ".join(stage.layouts), *runs, *cost)


@functools.cache
def _bandwidth(threads):
    """Bytes per second, read and written, of a copy beyond the caches by so many threads."""
    source = torch.ones(1 << 25)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        target.copy_(source)
        best = min(best, time.perf_counter() - start)
    return 2 * source.numel() * source.element_size() / best


def explain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Explanation:
    """What `function(*args, **kwargs)` runs: an Explanation, whose print is a table.

    function: one of the package, an Operator, or any callable; for a gradient, one that calls
    backward. It is called twice: once to compile and to prepare, and once to be measured. Each
    Stage says of a kernel or step which layouts of the patterns were chosen, how it is shared among
    threads, the time, and of a kernel the flops, the bytes that it cannot do without, and their
    share of the bandwidth at which this machine copies memory, measured once: above 1 where they
    come from caches. Programs of all threads are counted, on the CPU (and not by the emulator).

    Raises what the call raises.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> print(tsgu.explain(tsgu.sparse_mm, A, torch.ones(2, 1))[0].program)
    spmm
    """
    bandwidth = _bandwidth(torch.get_num_threads())
    function(*args, **kwargs)
    runtime = library.runtime
    library.check(runtime.tsgu_trace_start())
    text = ctypes.c_void_p()
    try:
        start = time.perf_counter()
        function(*args, **kwargs)
        seconds = time.perf_counter() - start
    finally:
        library.check(runtime.tsgu_trace_stop(ctypes.byref(text)))
        found = json.loads(ctypes.string_at(text))
        runtime.tsgu_string_free(text)
    return Explanation([_stage(stage, bandwidth) for stage in found], seconds, bandwidth)


def _stage(found, bandwidth):
    found["layouts"] = tuple(found["layouts"])
    return Stage(**found, roof=found["bytes"] / max(found["seconds"], 1e-9) / bandwidth)
