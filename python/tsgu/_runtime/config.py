"""What is installed and what it has done so far."""

import os
import platform
from typing import Any

import torch

from . import library

__version__ = "0.1.0"


class Config(dict[str, Any]):
    """A dictionary that prints one line per entry."""

    def __str__(self) -> str:
        width = max(map(len, self))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in self.items())


def _cpu():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def show_config() -> Config:
    """Versions, libraries, devices, and the counters of kernels and caches; print it.

    A CUDA driver is opened when the first CUDA tensor arrives, and not for this.

    >>> tsgu.show_config()["tsgu"] == tsgu.__version__
    True
    """
    (process, cache), outputs = library.counters(), library.output_counters()
    return Config(
        {
            "tsgu": __version__,
            "libtsgu": library.runtime.tsgu_version().decode(),
            "torch": torch.__version__,
            "libraries": str(library.directory),
            "cpu": _cpu(),
            "threads": torch.get_num_threads(),
            "device": os.environ.get("TSGU_DEVICE") or "that of the operands",
            "cuda of torch": torch.version.cuda or "none",
            "device launches": process.device_launches,
            "programs compiled": process.compiled,
            "programs loaded from disk": process.loaded,
            "patterns alive": process.patterns,
            "pattern bytes": process.pattern_bytes,
            "scratch bytes": process.scratch_bytes,
            "output bytes lent": outputs.lent,
            "output bytes kept": outputs.kept,
            "output limit": outputs.limit,
            "outputs on fresh memory": outputs.mapped,
            "outputs on memory kept": outputs.reused,
            "solver analyses": process.analyses,
            "preconditioner setups": process.setups,
            "factorizations": process.factorizations,
            "prepared": process.prepared,
            "prepared misses": process.prepared_made,
            "prepared hits": process.prepared_hits,
            "prepared evictions": process.prepared_evictions,
            "prepared bytes": process.prepared_bytes,
            "prepared limit": process.prepared_limit,
            "pattern cache hits": cache.hits,
            "pattern cache hits by content": cache.content_hits,
            "pattern cache misses": cache.built,
            "pattern cache evictions": cache.evicted,
            "pattern cache drops": cache.dropped,
            "pattern cache entries": cache.entries,
            "pattern cache bytes": cache.bytes,
            "pattern cache limit": cache.limit,
        }
    )


def empty_cache() -> None:
    """Gives back to the system the memory that results left and that is kept for the next ones.

    Results of 1 MiB and more on the CPU get memory of results before them, for fresh pages cost
    more than a product. At most TSGU_OUTPUT_CACHE_BYTES are kept (of the environment; an eighth of
    the machine's memory where it is not set), and the system takes them where memory is short.

    >>> tsgu.empty_cache()
    >>> tsgu.show_config()["output bytes kept"]
    0
    """
    library.runtime.tsgu_outputs_release()
