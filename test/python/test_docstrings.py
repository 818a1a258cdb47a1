"""Every function and class of tsgu has an example in its docstring, which runs as it stands."""

import doctest
import inspect
import os
import pydoc
import warnings

import pytest
import torch

import tsgu

# Of texts of programs, which are examples on pages; what is no function has none.
WITHOUT = {"load_program", "load_programs", "Factorization", "Operator", "SolveInfo"}
if os.environ.get("TSGU_DEVICE") == "emulator":
    WITHOUT |= {"explain"}  # explains what the CPU runs
NAMES = [
    name
    for name in tsgu.__all__
    if callable(getattr(tsgu, name))
    and not (inspect.isclass(getattr(tsgu, name)) and issubclass(getattr(tsgu, name), Exception))
    and not (isinstance(getattr(tsgu, name), type) and name.startswith("Sparse"))
]


@pytest.mark.parametrize("name", sorted({*NAMES} - WITHOUT))
def test_the_example_of_a_docstring(name):
    text = inspect.getdoc(getattr(tsgu, name))
    test = doctest.DocTestParser().get_doctest(text, {"torch": torch, "tsgu": tsgu}, name, name, 0)
    assert test.examples, "has no example"
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of its sparse tensors
        outcome = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert outcome.failed == 0, "".join(said)


def test_help_begins_with_the_functions():
    text = pydoc.plain(pydoc.render_doc(tsgu))
    beginning = text.partition("PACKAGE CONTENTS")[0]
    for name in NAMES:
        assert name in beginning, name
