"""What the machine can do at most, and how long a kernel takes at least.

A kernel's floor is the longest of: its compulsory bytes (each byte once) at the rate of the memory
that holds them, its gathers (one row of the dense operand for each stored entry) at the rate at
which a loop that does nothing else reads those rows in that order, and its operations at the peak.
The fraction of the roofline is the floor divided by the time.
"""

import ctypes
from dataclasses import dataclass

_MEGABYTE = 1 << 20
_SHARED = (32, 96, 1024)  # sizes measured beyond the private cache, in MB
_PRIVATE = 1.5  # MB per thread
_ARGUMENTS = {
    "read": [ctypes.c_int64, ctypes.c_int32],
    "triad": [ctypes.c_int64, ctypes.c_int32, ctypes.c_int32],
    "fma": [ctypes.c_int32, ctypes.c_int32],
    "gather": [ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_int32],
}


@dataclass(frozen=True)
class Floor:
    """Seconds, and which roof sets them."""

    seconds: float
    roof: str


class Roofs:
    """Rates of one machine in 1e9 per second, measured when first asked for."""

    def __init__(self, library):
        self._library = library
        for name, arguments in _ARGUMENTS.items():
            function = getattr(library, f"bench_{name}")
            function.restype = ctypes.c_double
            function.argtypes = arguments
        self._known = {}

    def _measure(self, name, *arguments):
        key = (name, *arguments)
        if key not in self._known:
            function = getattr(self._library, f"bench_{name}")
            self._known[key] = function(*arguments)
        return self._known[key]

    def read(self, size, threads):
        """Bytes read from a set of `size` MB."""
        return self._measure("read", int(size * _MEGABYTE), threads)

    def triad(self, size, threads, streaming):
        """Bytes moved by a = b + s c: three streams, or four when stores first read."""
        rate = self._measure("triad", int(size * _MEGABYTE), threads, int(streaming))
        return rate if streaming else rate * 4 / 3

    def flops(self, value_size, threads):
        return self._measure("fma", int(value_size == 8), threads)

    def rows(self, matrix, row_bytes, threads):
        """Rows of a dense operand read per second in the order of the matrix's entries."""
        key = ("gather", matrix.name, row_bytes, threads)
        if key not in self._known:
            self._known[key] = self._library.bench_gather(
                matrix.coordinates.ctypes.data, matrix.stored, matrix.rows, row_bytes, threads
            )
        return self._known[key]

    @staticmethod
    def sizes(threads):
        return (_PRIVATE * threads, *_SHARED)

    def _size_below(self, size, threads):
        """The largest measured set that is no larger: no roof is set too low."""
        fitting = [known for known in self.sizes(threads) if known * _MEGABYTE <= size]
        return max(fitting, default=_PRIVATE * threads)

    def memory_seconds(self, read, written, threads):
        """The least time to read and overwrite that many bytes once."""
        size = self._size_below(read + written, threads)
        allocate = max(self.read(size, threads), self.triad(size, threads, False))
        stream = self.triad(size, threads, True)
        return min((read + 2 * written) / allocate, (read + written) / stream) * 1e-9

    def _floor(self, matrix, value_size, width, threads, read, written):
        parts = {
            "memory": self.memory_seconds(read, written, threads),
            "gather": matrix.stored / self.rows(matrix, width * value_size, threads) * 1e-9,
            "flops": 2 * matrix.stored * width / self.flops(value_size, threads) * 1e-9,
        }
        roof = max(parts, key=parts.get)
        return Floor(parts[roof], roof)

    def spmm(self, matrix, value_size, width, threads):
        """The floor of C = A B with `width` dense columns, C overwritten."""
        n, stored = matrix.rows, matrix.stored
        read = stored * (value_size + 4) + 4 * (n + 1) + n * width * value_size
        return self._floor(matrix, value_size, width, threads, read, n * width * value_size)

    def sddmm(self, matrix, value_size, width, threads):
        """The floor of (G B^T) sampled on A."""
        n, stored = matrix.rows, matrix.stored
        read = stored * 4 + 4 * (n + 1) + 2 * n * width * value_size
        return self._floor(matrix, value_size, width, threads, read, stored * value_size)

    def table(self, threads):
        """[(what, unit, {threads: rate})] of the roofs that belong to no matrix."""
        rows = []

        def add(what, unit, rate):
            rows.append((what, unit, {count: rate(count) for count in threads}))

        add("multiply-add, f32", "GF/s", lambda count: self.flops(4, count))
        add("multiply-add, f64", "GF/s", lambda count: self.flops(8, count))
        add(
            f"read, {_PRIVATE} MB per thread",
            "GB/s",
            lambda count: self.read(_PRIVATE * count, count),
        )
        for size in _SHARED:
            add(f"read, {size} MB", "GB/s", lambda count, size=size: self.read(size, count))
            add(
                f"triad with write-allocate (4 streams), {size} MB",
                "GB/s",
                lambda count, size=size: self.triad(size, count, False),
            )
            add(
                f"triad with non-temporal stores (3 streams), {size} MB",
                "GB/s",
                lambda count, size=size: self.triad(size, count, True),
            )
        return rows

    def gathers(self):
        """[(matrix, bytes per row, threads, GB/s)] of the gathers measured so far."""
        return [
            (*key[1:], rate * key[2]) for key, rate in self._known.items() if key[0] == "gather"
        ]
