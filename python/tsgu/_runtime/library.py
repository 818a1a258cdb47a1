"""Finds and loads the native libraries, and turns their failures into exceptions."""

import atexit
import ctypes
import itertools
import os
import pathlib
import sys
import threading
from typing import Any

import torch

from . import c_api


class PatternError(ValueError):
    """Positions or coordinates that describe no sparse matrix; says where."""


class CompileError(RuntimeError):
    """A program that does not exist or could not be compiled; says why."""


class SingularMatrixError(RuntimeError):
    """A matrix without inverse, or a preconditioner of it; names the row."""


class ConvergenceError(RuntimeError):
    """A solve that did not reach its goal; `outcome` has the residuals (see Outcome)."""

    outcome: Any = None


class BreakdownError(ConvergenceError):
    """A method that cannot go on: it would divide by what is numerically zero."""


class CallbackError(RuntimeError):
    """A callable that a solver needs and that is gone; its own errors are raised as they are."""


class DeviceError(RuntimeError):
    """A GPU that cannot be used, or its driver's refusal; names the call and how to mend it."""


_SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")


def _directories():
    package = pathlib.Path(__file__).resolve().parents[1]
    if given := os.environ.get("TSGU_LIBRARY_DIR"):
        return [pathlib.Path(given)]
    return [package / "lib", package.parents[1] / "build" / "lib"]


def _find_directory():
    for directory in _directories():
        if (directory / f"libtsgu_torch{_SUFFIX}").exists():
            return directory
    searched = ", ".join(str(directory) for directory in _directories())
    raise ImportError(
        f"libtsgu_torch{_SUFFIX} is in none of: {searched}. Build the checkout with 'make', "
        "or set TSGU_LIBRARY_DIR to the folder that has it."
    )


def _declare(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments


class CacheCounters(ctypes.Structure):
    """CacheCounters of PatternCache.h."""

    _fields_ = [
        ("hits", ctypes.c_uint64),
        ("content_hits", ctypes.c_uint64),
        ("built", ctypes.c_uint64),
        ("evicted", ctypes.c_uint64),
        ("dropped", ctypes.c_uint64),
        ("entries", ctypes.c_uint64),
        ("bytes", ctypes.c_int64),
        ("limit", ctypes.c_int64),
        ("contents", ctypes.c_uint64),
    ]


directory = _find_directory()
runtime = ctypes.CDLL(str(directory / f"libtsgu{_SUFFIX}"))
torch.ops.load_library(str(directory / f"libtsgu_torch{_SUFFIX}"))
plugin = ctypes.CDLL(str(directory / f"libtsgu_torch{_SUFFIX}"))

_INT32_ARRAY = ctypes.POINTER(ctypes.c_int32)
_declare(runtime, "tsgu_last_error", ctypes.c_char_p)
_declare(runtime, "tsgu_version", ctypes.c_char_p)
_declare(
    runtime, "tsgu_program_open", ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)
)
_declare(runtime, "tsgu_program_add", ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
_declare(runtime, "tsgu_program_signature", ctypes.c_char_p, ctypes.c_void_p)
for _name in ("tsgu_method_name", "tsgu_preconditioner_name"):
    _declare(runtime, _name, ctypes.c_char_p, ctypes.c_int64)
_declare(runtime, "tsgu_method_kind", ctypes.c_int, ctypes.c_int64)
_declare(runtime, "tsgu_compiler_llvm", ctypes.c_int, ctypes.POINTER(ctypes.c_char_p))
_declare(
    runtime,
    "tsgu_manifest_print",
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_uint64,
    ctypes.POINTER(ctypes.c_void_p),
)
_declare(runtime, "tsgu_string_free", None, ctypes.c_void_p)
_declare(runtime, "tsgu_trace_start", ctypes.c_int)
_declare(runtime, "tsgu_trace_stop", ctypes.c_int, ctypes.POINTER(ctypes.c_void_p))
_declare(runtime, "tsgu_get_counters", None, ctypes.POINTER(c_api.Counters))
_declare(runtime, "tsgu_get_output_counters", None, ctypes.POINTER(c_api.OutputCounters))
_declare(runtime, "tsgu_outputs_release", None)
_POINTER = ctypes.c_void_p
_declare(runtime, "tsgu_iteration_start", ctypes.c_int, *[_POINTER] * 6)
_declare(runtime, "tsgu_iteration_next", ctypes.c_int, *[_POINTER] * 4)
_declare(runtime, "tsgu_iteration_outcome", ctypes.c_int, *[_POINTER] * 2)
_declare(
    runtime,
    "tsgu_iteration_tridiagonal",
    ctypes.c_int,
    _POINTER,
    ctypes.c_int64,
    *[_POINTER] * 3,
)
_declare(runtime, "tsgu_iteration_free", None, _POINTER)
_declare(plugin, "tsgu_torch_set_interpreter", None, _POINTER, ctypes.c_uint64)
_declare(plugin, "tsgu_torch_before_fork", None)
_declare(plugin, "tsgu_torch_after_fork", None)
_declare(plugin, "tsgu_torch_after_fork_in_child", None, ctypes.c_uint64)
_declare(plugin, "tsgu_torch_error_kind", ctypes.c_int32, ctypes.c_char_p)
_declare(plugin, "tsgu_torch_cache_counters", None, ctypes.POINTER(CacheCounters))
_declare(plugin, "tsgu_torch_cache_clear", None)
_declare(plugin, "tsgu_torch_values_known", None, ctypes.c_int32, ctypes.c_uint64, ctypes.c_int32)
_declare(plugin, "tsgu_torch_cache_set_sweeper", None, _POINTER)
_declare(plugin, "tsgu_torch_cache_drop", None, ctypes.POINTER(ctypes.c_int64), ctypes.c_int64)
_declare(
    plugin,
    "tsgu_torch_add_program",
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.c_int32,
    _INT32_ARRAY,
    _INT32_ARRAY,
    _INT32_ARRAY,
    ctypes.c_int32,
    ctypes.c_int32,
)

_ERRORS = {
    "invalid_argument": ValueError,
    "invalid_pattern": PatternError,
    "compile_failed": CompileError,
    "out_of_memory": MemoryError,
    "singular": SingularMatrixError,
    "not_converged": ConvergenceError,
    "callback_error": CallbackError,
    "device_error": DeviceError,
    "interrupted": KeyboardInterrupt,
}
_OF_STATUS = {c_api.STATUS[name]: error for name, error in _ERRORS.items()}
# ErrorKind of Errors.h.
_OF_KIND = {
    1: ValueError,
    2: TypeError,
    3: PatternError,
    4: CompileError,
    5: MemoryError,
    7: SingularMatrixError,
    8: ConvergenceError,
    9: CallbackError,
    10: DeviceError,
    11: KeyboardInterrupt,
}

# Raises what a callable or a signal handler raised while the library called Python.
_with_gil = ctypes.PyDLL(str(directory / f"libtsgu_torch{_SUFFIX}"))
_raise_kept = _with_gil.tsgu_torch_raise_kept
_raise_kept.restype = None

# Whether torch owns the memory of both tensors: it allocated it or got it from us.
owns = _with_gil.tsgu_torch_owns
owns.argtypes, owns.restype = (ctypes.py_object, ctypes.py_object), ctypes.c_bool

# An object that owns what the next run of this thread prepares or finds, for a solve's adjoint. Not
# one of a class of ours: what a signal raises in a function of Python's that ends it would be lost.
keep_next = _with_gil.tsgu_torch_keep_next
keep_next.argtypes, keep_next.restype = (), ctypes.py_object


def check(status):
    """Raises the runtime's last error unless the status is 0."""
    if status != 0:
        message = runtime.tsgu_last_error().decode(errors="replace")
        raise _error(_OF_STATUS.get(status, RuntimeError), message)


def _error(kind, message):
    if kind in (CallbackError, KeyboardInterrupt):
        _raise_kept()
    return kind(message)


def translate(error):
    """The exception of the exact class for one raised by an operator of the plugin.

    Raises what Python raised within it.
    """
    text = str(error)
    kind = plugin.tsgu_torch_error_kind(text.encode())
    if kind in _OF_KIND:
        return _error(_OF_KIND[kind], text)
    if isinstance(error, NotImplementedError):  # by torch's dispatcher
        return TypeError(
            "operands of tsgu are dense tensors on the CPU or on a CUDA device; torch says: " + text
        )
    return error


def names(what):
    """Those of the runtime's methods, or preconditioners, in the order of their numbers."""
    name = getattr(runtime, f"tsgu_{what}_name")
    known = itertools.takewhile(lambda found: found is not None, map(name, itertools.count()))
    return tuple(found.decode() for found in known)


def open_program(path):
    """The handle of a program and its signature as JSON text. Raises CompileError."""
    program = ctypes.c_void_p()
    check(runtime.tsgu_program_open(path.encode(), ctypes.byref(program)))
    return program, runtime.tsgu_program_signature(program).decode()


def add_program(name, text):
    """Adds a program given as MLIR text. Raises CompileError."""
    check(runtime.tsgu_program_add(name.encode(), text.encode()))


def register_program(handle, patterns, operands, result_pattern, sums_repeated):
    """The number under which the plugin's operators run a program.

    `operands` has, for each operand, its pattern's number or -1, whether it is read, and whether
    it is a solver.
    """
    count = len(operands)
    flags = ctypes.c_int32 * count
    number = plugin.tsgu_torch_add_program(
        handle,
        patterns,
        count,
        *(flags(*map(int, column)) for column in zip(*operands, strict=True)),
        result_pattern,
        int(sums_repeated),
    )
    if number < 0:
        raise RuntimeError("too many programs are open in this process")
    return number


def counters():
    """The runtime's counters and those of the plugin's pattern cache."""
    process, cache = c_api.Counters(), CacheCounters()
    runtime.tsgu_get_counters(ctypes.byref(process))
    plugin.tsgu_torch_cache_counters(ctypes.byref(cache))
    return process, cache


def output_counters():
    """Those of the memory that results leave to the next ones."""
    outputs = c_api.OutputCounters()
    runtime.tsgu_get_output_counters(ctypes.byref(outputs))
    return outputs


def set_sweeper(function):
    """Has `function(0)` called when the pattern cache has doubled, until Python ends.

    And `function(1)` when a device's memory ran out. It returns 0; what it raises is raised by
    whoever called the library.
    """
    plugin.tsgu_torch_cache_set_sweeper(id(function))

    def end(kept=function):
        # The plugin must not call into a dying Python, nor hold tensors of it: torch aborts there.
        plugin.tsgu_torch_cache_set_sweeper(None)
        plugin.tsgu_torch_cache_clear()

    atexit.register(end)


def drop_cached(entries):
    """Drops entries of the pattern cache by their numbers."""
    count = len(entries)
    plugin.tsgu_torch_cache_drop((ctypes.c_int64 * count)(*entries), count)


class _Interpreter(ctypes.Structure):
    """Interpreter of Interpreter.h."""

    _fields_ = [
        (name, ctypes.c_void_p)
        for name in (
            "PyGILState_Ensure",
            "PyGILState_Release",
            "PyErr_CheckSignals",
            "PyObject_CallFunction",
            "PyLong_AsLong",
            "Py_DecRef",
            "PyErr_Fetch",
            "PyErr_Restore",
            "PyObject_CallMethod",
            "PyCapsule_New",
            "PyCapsule_GetPointer",
            "PyErr_NoMemory",
            "solve",
            "progress",
            "outcome",
        )
    ]


def set_callables(*callables):
    """Has solvers call `solve`, `progress` and `outcome`, which return an int, until Python ends.

    And has everything that takes long ask for signals. What is raised in either is raised by
    whoever called the library.
    """
    functions = [
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        for name, _ in _Interpreter._fields_[: -len(callables)]
    ]
    interpreter = _Interpreter(*functions, *map(id, callables))
    main = threading.main_thread().ident
    plugin.tsgu_torch_set_interpreter(ctypes.byref(interpreter), main)
    os.register_at_fork(
        before=plugin.tsgu_torch_before_fork,
        after_in_parent=plugin.tsgu_torch_after_fork,
        after_in_child=lambda: plugin.tsgu_torch_after_fork_in_child(threading.get_ident()),
    )
    # As above: the plugin must not call into a dying Python.
    atexit.register(lambda kept=callables: plugin.tsgu_torch_set_interpreter(None, 0))
