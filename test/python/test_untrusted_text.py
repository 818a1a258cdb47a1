"""Text that takes down its reader: an error message, not the end of the process that has it.

What dies here are stand-ins for the process that reads a text first; see CheckProgramTest.cpp for
more of them.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time

import kernel_tools
import pytest
from test_user_programs import DOUBLE, WEIGHTED_ROW_SUM

import tsgu

CHECK = kernel_tools.TSGU_OPT.with_name("tsgu-check")

CODE = """
import sys, torch, tsgu
for name in sys.argv[1:]:
    try:
        tsgu.load_program(sys.stdin.read(), name) if name == "first" else tsgu.operator(name)
        print("loaded")
    except tsgu.CompileError as error:
        print(f"CompileError: {error}")
A = tsgu.csr(torch.tensor([0, 1, 2]), torch.tensor([1, 0]), torch.ones(2), (2, 2))
print(tsgu.sparse_mm(A, torch.tensor([[1.0], [2.0]])).flatten().tolist())
"""


@pytest.fixture
def checker(tmp_path):
    """Makes a stand-in for tsgu-check of shell commands."""

    def make(commands):
        path = tmp_path / "checker"
        path.write_text(f"#!/bin/sh\n{commands}\n")
        path.chmod(0o700)
        return path

    return make


def load(text, checker, cache="", names=("first",)):
    """What a process prints that loads the text and then multiplies."""
    environment = os.environ | {"TSGU_CHECKER": str(checker), "TSGU_CACHE_DIR": str(cache)}
    environment["PYTHONPATH"] = str(pathlib.Path(tsgu.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, *names],
        input=text,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    *said, product = run.stdout.splitlines()
    assert product == "[2.0, 1.0]"
    return said


def test_a_reader_that_dies_is_an_error(checker):
    (said,) = load(WEIGHTED_ROW_SUM, checker("kill -SEGV $$"))
    assert said.startswith("CompileError") and "died of signal 11" in said


def test_a_reader_that_hangs_can_be_interrupted(checker):
    code = """
import signal, time, tsgu
def strike(*_):
    raise InterruptedError("enough")
signal.signal(signal.SIGALRM, strike)
signal.setitimer(signal.ITIMER_REAL, 1)
begin = time.monotonic()
try:
    tsgu.load_program("module {\\n}", "hanging")
except InterruptedError as error:
    print(error, time.monotonic() - begin < 30)
"""
    environment = os.environ | {"TSGU_CHECKER": str(checker("sleep 50")), "TSGU_CACHE_DIR": ""}
    environment["PYTHONPATH"] = str(pathlib.Path(tsgu.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.stdout == "enough True\n", run.stderr


def test_a_missing_reader_is_an_error():
    (said,) = load(WEIGHTED_ROW_SUM, "/no/such/program")
    assert said.startswith("CompileError") and "/no/such/program" in said


def test_a_text_is_read_once(checker, tmp_path):
    log, cache = tmp_path / "log", tmp_path / "cache"
    counting = checker(f'echo >> {log}\nexec {CHECK} "$@"')
    names = ("first", "first/vjp0", "first/vjp0/vjp1", "spmm/vjp0/vjp1")
    for _ in range(2):
        said = load(WEIGHTED_ROW_SUM, counting, cache, names)
        assert said == ["loaded"] * 4
    assert log.read_text() == "\n"
    assert load(DOUBLE, counting, cache) == ["loaded"]
    assert log.read_text() == "\n\n"


def test_tsgu_opt_says_that_its_reader_died():
    with subprocess.Popen(
        [kernel_tools.TSGU_OPT, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        end = time.monotonic() + 60
        while not (child := children.read_text()):
            assert time.monotonic() < end, "no child"
            time.sleep(0.01)
        os.kill(int(child), signal.SIGSEGV)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == "" and "signal 11" in error
    assert "Stack dump" not in error and error.count("\n") == 1


def test_tsgu_opt_gives_its_readers_status():
    run = subprocess.run(
        [kernel_tools.TSGU_OPT, "-"], input="nonsense", capture_output=True, text=True
    )
    assert run.returncode == 1 and "error" in run.stderr
