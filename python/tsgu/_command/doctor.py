"""What is installed, and what is missing: versions, processor, libraries, cache, devices.

Compiles and runs a small product at the end. The exit status is 0 if tsgu works.
"""

import ctypes
import importlib.metadata
import os
import pathlib
import platform
import stat

import torch

from .._runtime import config
from .._runtime import library as _library
from .compile import tool

TESTED = ("2.13", "2.14")  # of torch
OPTIONAL = {
    "numpy": "einsum of more than two operands, NumPy's arrays",
    "scipy": "SciPy's arrays, tsgu inspect",
    "jax": "solve methods of tsgu.jax",
    "cupy": "solve methods of tsgu.cupy",
}
LEVELS = {
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "x86-64-v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "x86-64-v2": {"cx16", "popcnt", "sse4_1", "sse4_2", "ssse3"},
}


class Report:
    """Lines of findings; remembers whether one of them is in the way of working."""

    def __init__(self):
        self.failed = False

    def line(self, mark, name, text):
        print(f"{mark:>4}  {name:<12} {text}")

    def ok(self, name, text):
        self.line("ok", name, text)

    def note(self, name, text):
        self.line("-", name, text)

    def bad(self, name, text, mend):
        self.failed = True
        self.line("BAD", name, text)
        self.line("", "", f"mend it: {mend}")


def llvm_version():
    """The version of LLVM in the compiler. Raises CompileError where it cannot be opened."""
    version = ctypes.c_char_p()
    _library.check(_library.runtime.tsgu_compiler_llvm(ctypes.byref(version)))
    return version.value.decode()


def versions():
    """Those of tsgu, its libraries, LLVM, torch and Python, one per line."""
    try:
        llvm = llvm_version()
    except _library.CompileError:
        llvm = "none: the compiler cannot be opened, tsgu doctor says why"
    return "\n".join(
        (
            f"tsgu    {config.__version__}",
            f"libtsgu {_library.runtime.tsgu_version().decode()}",
            f"LLVM    {llvm}",
            f"torch   {torch.__version__}",
            f"Python  {platform.python_version()}",
        )
    )


def isa():
    """The highest level of x86-64 that this processor has, or its architecture."""
    try:
        with open("/proc/cpuinfo") as lines:
            flags = set(next(line for line in lines if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return platform.machine()
    return next((level for level, needed in LEVELS.items() if needed <= flags), "x86-64")


def check_versions(report):
    ours, native = config.__version__, _library.runtime.tsgu_version().decode()
    if ours == native:
        report.ok("tsgu", f"{ours}, Python {platform.python_version()}")
    else:
        report.bad(
            "tsgu",
            f"the package is {ours}, its library {native}",
            "install again, and see that TSGU_LIBRARY_DIR is not that of another version",
        )
    if torch.__version__.startswith(tuple(f"{tested}." for tested in TESTED)):
        report.ok("torch", torch.__version__)
    else:
        report.note("torch", f"{torch.__version__}: tested with {' and '.join(TESTED)}")
    report.ok("processor", f"{config._cpu()}, {isa()}, {torch.get_num_threads()} threads")


def check_libraries(report):
    report.ok("libraries", _library.directory)
    try:
        report.ok("compiler", f"LLVM {llvm_version()}, {_where('libtsgu-compiler')}")
    except _library.CompileError as error:
        report.bad(
            "compiler",
            str(error),
            "install tsgu with its compiler; one that is linked with LLVM's shared libraries needs "
            "libLLVM and libMLIR 22 where the loader looks for libraries",
        )
    for name, what in (
        ("tsgu-check", "reads programs of users first: load_program, einsum"),
        ("tsgu-compile", "tsgu compile"),
    ):
        try:
            report.ok(name, tool(name))
        except OSError as error:
            report.bad(name, f"{error} ({what})", "install tsgu again, or 'make' in its checkout")


def _where(library):
    """The file from which a library of ours is loaded, and LLVM's where it is one of its own."""
    with open("/proc/self/maps") as lines:
        files = sorted({line.split()[-1] for line in lines if ".so" in line})
    own = next((file for file in files if library in file), "not loaded")
    shared = [file for file in files if "/libLLVM" in file]
    return f"{own} with {shared[0]}" if shared else f"{own} (LLVM is part of it)"


def cache_folder():
    """Where kernels are kept, as the compiler has it (DiskCache.cpp); None: nowhere."""
    chosen = os.environ.get("TSGU_CACHE_DIR")
    if chosen is not None:
        return pathlib.Path(chosen) if chosen else None
    if base := os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(base) / "tsgu"
    return pathlib.Path(os.environ["HOME"]) / ".cache/tsgu" if os.environ.get("HOME") else None


def check_cache(report):
    folder = cache_folder()
    if folder is None:
        report.note("cache", "none: kernels are compiled again in every process")
        return
    if not folder.exists():
        report.ok("cache", f"{folder} (not there yet)")
        return
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    if not private or status.st_mode & 0o022:
        report.bad(
            "cache",
            f"{folder} is not a folder of yours that nobody else can write to, so it is not used",
            f"chmod go-w {folder}, or set TSGU_CACHE_DIR to another folder",
        )
        return
    sizes = [file.stat().st_size for file in folder.glob("llvmcache-*")]
    report.ok("cache", f"{folder}, {len(sizes)} entries, {sum(sizes) / 2**20:.1f} MB")


def check_devices(report):
    if device := os.environ.get("TSGU_DEVICE"):
        report.note("device", f"TSGU_DEVICE={device}: everything runs there")
    try:
        ctypes.CDLL("libcuda.so.1")
        driver = "a CUDA driver"
    except OSError:
        driver = "no CUDA driver"
    if torch.cuda.is_available():
        report.ok(
            "GPU", ", ".join(map(torch.cuda.get_device_name, range(torch.cuda.device_count())))
        )
    else:
        built = (
            f"torch for CUDA {torch.version.cuda}" if torch.version.cuda else "torch for the CPU"
        )
        report.note("GPU", f"none: {driver}, {built}")


def check_optional(report):
    for name, what in OPTIONAL.items():
        try:
            report.ok(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            report.note(name, f"not installed: {what}")


def check_product(report):
    import tsgu

    A = torch.eye(3, dtype=torch.float64).mul(2).to_sparse_csr().requires_grad_()
    B = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    try:
        C = tsgu.sparse_mm(A, B)
        C.sum().backward()
    except RuntimeError as error:
        report.bad("a product", str(error), "see the lines above")
        return
    if torch.equal(C.detach(), 2 * B) and torch.equal(A.grad.values(), B.sum(1)):
        process, _ = _library.counters()
        found = f"{process.compiled} programs compiled, {process.loaded} from the cache"
        report.ok("a product", f"and its gradient are right; {found}")
    else:
        report.bad("a product", f"is wrong: {C.tolist()}", "report it, with all of these lines")


def add_arguments(parser):
    pass


def run(given):
    report = Report()
    check_versions(report)
    check_libraries(report)
    check_cache(report)
    check_devices(report)
    check_optional(report)
    for name, value in sorted(os.environ.items()):
        if name.startswith("TSGU_"):
            report.note("environment", f"{name}={value}")
    check_product(report)
    return int(report.failed)
