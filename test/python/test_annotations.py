"""Public names have complete annotations, by which a type checker knows how they are used."""

import importlib
import inspect
import pathlib
import pkgutil
import re
import subprocess
import sys
import typing

import pytest
from conftest import CHECKOUT

import tsgu
from tsgu import _typing
from tsgu._runtime import aliases, library
from tsgu._runtime.callbacks import METHODS, ON_FAIL
from tsgu._solvers.methods import BACKENDS, DIRECT, SQUARE

# Whatever a module names in its __all__, so that none is forgotten.
FOUND = [found.name for found in pkgutil.walk_packages(tsgu.__path__, "tsgu.")]
MODULES = ["tsgu", *(name for name in FOUND if "__main__" not in name)]
PUBLIC = [
    (module, name)
    for module in MODULES
    for name in getattr(importlib.import_module(module), "__all__", ())
]
CONSUMER = pathlib.Path(__file__).with_name("consumer.py")


def without_annotation(function):
    """What of a function has none: names of parameters, and "return"."""
    hints = typing.get_type_hints(function)
    names = [*inspect.signature(function).parameters, "return"]
    return [
        name for name in names if name not in hints and name not in ("self", "cls", "_instance")
    ]


def functions_of(kind):
    """The functions that a class has for its users, by name, but for those that are torch's."""
    found = {}
    for owner in reversed(kind.__mro__):
        if owner.__module__.partition(".")[0] != "tsgu":
            continue
        generated = "__match_args__" in vars(owner)  # by the dataclass, or named tuple, that it is
        for name, value in vars(owner).items():
            value = getattr(value, "__func__", value)  # of a static method
            value = getattr(value, "fget", value)  # of a property
            value = getattr(value, "compute", value)  # of what is lazy
            special = name.startswith("__") and name != "__getattr__" and not generated
            if inspect.isfunction(value) and (special or not name.startswith("_")):
                found[name] = value
    return found


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_annotations_are_complete(module, name):
    value = getattr(importlib.import_module(module), name)
    if type(value).__module__.startswith("tsgu."):  # an object that stands for its class
        value = type(value)
    if inspect.isclass(value):
        missing = {name: without_annotation(f) for name, f in functions_of(value).items()}
        assert not {name: names for name, names in missing.items() if names}
        hints = typing.get_type_hints(value)
        assert not [field for field in getattr(value, "_fields", ()) if field not in hints]
    elif callable(value):
        assert not without_annotation(value)


def names_in(alias):
    """The strings that a type of literals allows."""
    arguments = [(a,) if isinstance(a, str) else names_in(a) for a in typing.get_args(alias)]
    return {name for names in arguments for name in names}


def test_literals_are_the_names_that_the_runtime_has():
    own = {name for name in METHODS if ":" not in name}
    assert names_in(_typing.Method) == own - {"callable"}
    assert names_in(_typing.Backend) == {"tsgu", *BACKENDS}
    assert names_in(_typing.SquareMethod) == {*SQUARE}
    assert names_in(_typing.Factors) == {*DIRECT}
    assert names_in(_typing.OnFail) == {*ON_FAIL}
    assert names_in(_typing.Preconditioner) == {*library.names("preconditioner")} - {""}
    assert names_in(aliases.Alias) == {*aliases._MODULES}


def errors(consumer, tmp_path):
    """(file, line, code) of each error that mypy finds in the package and a user's program."""
    command = [sys.executable, "-m", "mypy", f"--cache-dir={tmp_path}/cache", "python/tsgu"]
    run = subprocess.run([*command, consumer], capture_output=True, text=True, cwd=CHECKOUT)
    assert run.returncode < 2, run.stdout + run.stderr
    found = re.findall(r"^(.*):(\d+): error: .*\[([\w-]+)\]$", run.stdout, re.MULTILINE)
    return {(pathlib.Path(file).name, int(line), code) for file, line, code in found}


def test_a_type_checker_finds_what_is_wrong_and_nothing_else(tmp_path):
    lines = CONSUMER.read_text().splitlines()
    # That the checker knows whatever there is, too.
    lines += ["", "def attributes(A: tsgu.Matrix, P: tsgu.Pattern, f: tsgu.Operator) -> None:"]
    for letter, kind in (("A", tsgu.Matrix), ("P", tsgu.Pattern), ("f", tsgu.Operator)):
        lines += [f"    _ = {letter}.{name}" for name in dir(kind) if not name.startswith("_")]
    consumer = tmp_path / CONSUMER.name
    consumer.write_text("\n".join(lines))
    wrong = {
        (consumer.name, number, code)
        for number, line in enumerate(lines, 1)
        for code in re.findall(r"# error: ([\w-]+)$", line)
    }
    assert wrong and errors(consumer, tmp_path) == wrong
