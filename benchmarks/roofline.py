"""What the machine can do at most, and how long a kernel takes at least.

A kernel's floor is the longest of: its compulsory bytes (each byte once) at the rate of the memory
that holds them, its gathers (one row of the dense operand for each stored entry) in the time of a
loop that does nothing else than read those rows in that order, and its operations at the peak.
The fraction of the roofline is the floor divided by the time.
"""

import ctypes
from dataclasses import dataclass

from measure import array_pointer, best_time

_MEGABYTE = 1 << 20
_SHARED = (32, 96, 1024)  # sizes measured beyond the private cache, in MB
_PRIVATE = 1.5  # MB per thread
_RATES = {
    "read": [ctypes.c_int64, ctypes.c_int32],
    "triad": [ctypes.c_int64, ctypes.c_int32, ctypes.c_int32],
    "fma": [ctypes.c_int32, ctypes.c_int32],
}


@dataclass(frozen=True)
class Floor:
    """Seconds, and which roof sets them."""

    seconds: float
    roof: str


class Roofs:
    """Rates of one machine in 1e9 per second: the best of all measurements so far."""

    def __init__(self, library, threads):
        self._gather = library.bench_gather
        self._functions = {}
        for name, arguments in _RATES.items():
            function = self._functions[name] = getattr(library, f"bench_{name}")
            function.restype = ctypes.c_double
            function.argtypes = arguments
        self._threads = threads
        self._rates = {}
        self.measure()

    def measure(self):
        for threads in self._threads:
            for f64 in (0, 1):
                self._improve("fma", f64, threads)
            for size in self._sizes(threads):
                self._improve("read", int(size * _MEGABYTE), threads)
            for size in _SHARED:
                for streaming in (0, 1):
                    self._improve("triad", size * _MEGABYTE, threads, streaming)

    def _improve(self, name, *arguments):
        key = (name, *arguments)
        self._rates[key] = max(self._functions[name](*arguments), self._rates.get(key, 0))

    @staticmethod
    def _sizes(threads):
        return (_PRIVATE * threads, *_SHARED)

    def read(self, size, threads):
        """Bytes read from a set of `size` MB."""
        return self._rates["read", int(size * _MEGABYTE), threads]

    def triad(self, size, threads, streaming):
        """Bytes moved by a = b + s c: three streams, or four when stores first read."""
        rate = self._rates["triad", size * _MEGABYTE, threads, int(streaming)]
        return rate if streaming else rate * 4 / 3

    def flops(self, value_size, threads):
        return self._rates["fma", int(value_size == 8), threads]

    def gather(self, problem, threads):
        """A callable that reads one row of B per stored entry, by the faster of two loops."""
        matrix = problem.matrix

        def loop(prefetch):
            arguments = (
                array_pointer(problem.B),
                array_pointer(matrix.coordinates),
                ctypes.c_int64(matrix.stored),
                ctypes.c_int64(problem.width * problem.value_size),
                threads,
                prefetch,
            )

            def call():
                if self._gather(*arguments):
                    raise RuntimeError(f"no gather for p = {problem.width}")

            return call

        return min(loop(0), loop(1), key=lambda call: best_time(call, 3))

    def _memory_seconds(self, read, written, threads):
        """The least time to read and overwrite that many bytes once."""
        # The largest measured set that is no larger, so that no roof is set too low.
        fitting = [size for size in self._sizes(threads) if size * _MEGABYTE <= read + written]
        size = max(fitting, default=_PRIVATE * threads)
        if size not in _SHARED:
            return (read + written) / self.read(size, threads) * 1e-9
        allocate = max(self.read(size, threads), self.triad(size, threads, False))
        stream = self.triad(size, threads, True)
        return min((read + 2 * written) / allocate, (read + written) / stream) * 1e-9

    def floor(self, kind, matrix, value_size, width, threads, gather_seconds):
        """The floor of C = A B ("kernel") or of (G B^T) sampled on A ("sampled")."""
        n, stored = matrix.rows, matrix.stored
        dense = n * width * value_size
        pattern = 4 * stored + 4 * (n + 1)
        if kind == "kernel":
            read, written = pattern + stored * value_size + dense, dense
        else:
            read, written = pattern + 2 * dense, stored * value_size
        parts = {
            "memory": self._memory_seconds(read, written, threads),
            "gather": gather_seconds,
            "flops": 2 * stored * width / self.flops(value_size, threads) * 1e-9,
        }
        roof = max(parts, key=parts.get)
        return Floor(parts[roof], roof)

    def table(self):
        """[(what, unit, {threads: rate})]."""
        rows = []

        def add(what, unit, rate):
            rows.append((what, unit, {count: rate(count) for count in self._threads}))

        add("multiply-add, f32", "GF/s", lambda count: self.flops(4, count))
        add("multiply-add, f64", "GF/s", lambda count: self.flops(8, count))
        private = f"read, {_PRIVATE} MB per thread"
        add(private, "GB/s", lambda count: self.read(_PRIVATE * count, count))
        for size in _SHARED:
            add(f"read, {size} MB", "GB/s", lambda count, size=size: self.read(size, count))
            for streaming, what in (
                (False, "write-allocate (4 streams)"),
                (True, "non-temporal stores (3 streams)"),
            ):
                add(
                    f"triad, {what}, {size} MB",
                    "GB/s",
                    lambda count, size=size, streaming=streaming: self.triad(
                        size, count, streaming
                    ),
                )
        return rows
