"""The command `tsgu`, as a user types it."""

import os
import re
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import torch
from conftest import CHECKOUT

import tsgu
from tsgu import _command

PROGRAM = CHECKOUT / "test/install/consumer/scaled.mlir"


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capfd):
    """Runs the command in this process."""

    def run(*arguments):
        try:
            status = _command.main(map(str, arguments))
        except SystemExit as end:  # of argparse
            status = end.code
        return Ended(status, *capfd.readouterr())

    return run


@pytest.fixture
def output(command):
    """What the command says where nothing is wrong."""

    def run(*arguments):
        ended = command(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run


def process(*arguments, **environment):
    """The finished process of `python -m tsgu` with these arguments."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tsgu", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}/python", **environment},
    )


def test_versions(output):
    said = dict(line.split() for line in output("--version").splitlines())
    assert said["tsgu"] == said["libtsgu"] == tsgu.__version__
    assert said["LLVM"].startswith("22.") and said["torch"] == torch.__version__
    assert f"project(tsgu VERSION {tsgu.__version__} " in (CHECKOUT / "CMakeLists.txt").read_text()


@pytest.mark.parametrize("words", [[], ["doctor"], ["inspect"], ["compile"], ["bench"]])
def test_help(words, output):
    said = output(*words, "--help")
    assert "usage: tsgu" in said
    assert all(name in said for name in (words or ["doctor", "inspect", "compile", "bench"]))


@pytest.mark.parametrize(
    "words, status, said",
    [
        ([], 2, "usage"),
        (["heal"], 2, "invalid choice: 'heal'"),
        (["inspect"], 2, "FILE"),
        (["inspect", "nowhere.o"], 1, "nowhere.o"),
        (["inspect", "nowhere.mtx"], 1, "nowhere.mtx"),
        (["inspect", __file__], 1, "has no compiled program"),
        (["bench", "--threads", "0"], 1, "--threads is at least 1"),
        (["compile"], 2, "which program?"),
        (["compile", PROGRAM], 2, "-o FILE.o"),
        (["compile", PROGRAM, "-o", "a.o", "--types", "f63"], 2, "no type 'f63'"),
        (["compile", PROGRAM, "-o", "a.o", "--width", "p"], 2, "B.1=32"),
        (["compile", PROGRAM, "-o", "a.o", "--width", "q.0=3"], 2, "operand q"),
        (["compile", "nowhere.mlir", "-o", "a.o"], 1, "nowhere.mlir cannot be read"),
        (["compile", "nothing", "-o", "a.o"], 1, "no program 'nothing'"),
        (["compile", PROGRAM, "-o", "a.o", "--cpu", "z80"], 1, "no CPU 'z80'"),
        (["compile", PROGRAM, "-o", "a.o", "--derive", "vjp9"], 1, "vjp9"),
        (["compile", PROGRAM, "-o", "/nowhere/a.o"], 1, "/nowhere/a"),
    ],
)
def test_errors_are_named(words, status, said, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    run = command(*words)
    assert run.returncode == status
    assert said in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_is_no_program_is_refused(tmp_path, command):
    for text in ("func.func @f(", "module {}", "\0", ""):
        (tmp_path / "bad.mlir").write_text(text)
        run = command("compile", tmp_path / "bad.mlir", "-o", tmp_path / "bad.o")
        assert run.returncode == 1 and "bad" in run.stderr
    assert not (tmp_path / "bad.o").exists()


def test_doctor(output):
    said = output("doctor")
    assert "BAD" not in said and "a product   " in said
    assert tsgu.__version__ in said and torch.__version__ in said


def test_doctor_says_what_is_missing(tmp_path):
    for file in tsgu._runtime.library.directory.glob("libtsgu*.so"):
        if "compiler" not in file.name:
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / "programs.json").symlink_to(tsgu._runtime.library.directory / "programs.json")
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    missing = {"TSGU_COMPILER": "/nowhere/libother.so", "TSGU_CACHE_DIR": str(cache)}
    run = process("doctor", TSGU_LIBRARY_DIR=str(tmp_path), **missing)
    assert run.returncode == 1
    bad = re.findall(r"^ BAD  (\S+)", run.stdout, re.MULTILINE)
    assert bad == ["compiler", "tsgu-check", "tsgu-compile", "cache", "a"]
    assert run.stdout.count("mend it: ") == len(bad)
    assert "/nowhere/libother.so" in run.stdout and "chmod go-w" in run.stdout
    assert (
        "cannot be opened" in process("--version", TSGU_LIBRARY_DIR=str(tmp_path), **missing).stdout
    )


def test_compile_and_inspect(tmp_path, output):
    options = ["--derive", "vjp0", "--derive", "batch", "--types", "f32,i64", "--cpu", "x86-64-v3"]
    output("compile", PROGRAM, "-o", tmp_path / "scaled.o", *options)
    names = {"scaled.o", "scaled_vjp0.o", "scaled_batch.o", "scaled.h"}
    assert {path.name for path in tmp_path.iterdir()} == names
    header = (tmp_path / "scaled.h").read_text()
    for symbol in ("scaled", "scaled_vjp0", "scaled_batch"):
        assert f"extern const tsgu_object {symbol};" in header
    check = ["cc", "-Wall", "-Werror", "-fsyntax-only", f"-I{CHECKOUT}/runtime/include", "-x", "c"]
    subprocess.run([*check, tmp_path / "scaled.h"], check=True)
    subprocess.run(["nm", "--defined-only", tmp_path / "scaled.o"], check=True, capture_output=True)
    said = output("inspect", tmp_path / "scaled.o")
    assert "scaled for x86-64-v3" in said and "f32" in said and "i64" in said
    both = tmp_path / "both.o"
    both.write_bytes(b"".join((tmp_path / f"scaled{k}.o").read_bytes() for k in ("", "_vjp0")))
    assert output("inspect", both).count(" for x86-64-v3") == 2


def test_widths_may_be_fixed(tmp_path, command, output):
    derived = ["--derive", "vjp0", "--derive", "vjp1"]
    output("compile", "spmm", "-o", tmp_path / "spmm.o", "--width", "B.1=32", *derived)
    assert (tmp_path / "spmm.h").read_text().count("size s2 = 32") == 3
    run = command("compile", "spmm", "-o", tmp_path / "other.o", "--width", "A.0=32")
    assert run.returncode == 1 and "cannot be fixed" in run.stderr


def test_manifests_that_are_cut_or_of_another_version(tmp_path, command, output):
    output("compile", PROGRAM, "-o", tmp_path / "scaled.o")
    whole = (tmp_path / "scaled.o").read_bytes()
    at = whole.index(b"tsguMANI")
    cut, other = tmp_path / "cut.o", tmp_path / "other.o"
    cut.write_bytes(whole[: at + 100])
    other.write_bytes(whole[: at + 8] + bytes([4]) + whole[at + 9 :])
    run = command("inspect", cut)
    assert run.returncode == 1 and "manifest" in run.stderr
    run = command("inspect", other)
    assert run.returncode == 1 and "version 4" in run.stderr


def lines(output, path):
    return {
        name: value
        for name, value in (
            re.match(r"(\w+(?: sets)?) +(.*)", line).groups()
            for line in output("inspect", path).splitlines()
        )
    }


def test_structure_of_a_matrix(tmp_path, output):
    """A lower bidiagonal matrix with an empty last row, in each kind of file."""
    A = scipy.sparse.diags_array([np.full(6, 2.0), np.full(5, -1.0)], offsets=[0, -1]).tolil()
    A[5, :] = 0
    A = A.tocoo()
    A.eliminate_zeros()
    scipy.io.mmwrite(tmp_path / "A.mtx", A)
    scipy.sparse.save_npz(tmp_path / "A.npz", A)
    for path in (tmp_path / "A.mtx", tmp_path / "A.npz"):
        said = lines(output, path)
        assert said["shape"] == "6 x 6, float64"
        assert said["entries"].startswith("9, 25 %")
        assert said["rows"] == "0 to 2, mean 1.50; 1 empty"
        assert said["bandwidth"] == "1 below, 0 above the diagonal (lower triangular)"
        assert said["diagonal"] == "5 of 6 stored"
        assert said["level sets"].startswith("5 ")


def test_symmetry_and_blocks(tmp_path, output):
    generator = np.random.default_rng(0)
    block = scipy.sparse.block_array([[scipy.sparse.coo_array(generator.random((4, 4)))] * 3] * 3)
    full = block.toarray()
    cases = {
        "symmetric": full + full.T,
        "skew-symmetric": full - full.T,
        "Hermitian": full + full.T + 1j * (full - full.T),
        "symmetric pattern": full,
    }
    for name, array in cases.items():
        scipy.sparse.save_npz(tmp_path / "A.npz", scipy.sparse.coo_array(array))
        said = lines(output, tmp_path / "A.npz")
        assert said["symmetry"].startswith(name)
        if name != "skew-symmetric":
            assert "4 x 4: 100 %" in said["blocks"]


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (4, 7)])
def test_empty_matrices(shape, tmp_path, output):
    scipy.sparse.save_npz(tmp_path / "A.npz", scipy.sparse.coo_array(shape))
    assert lines(output, tmp_path / "A.npz")["shape"] == f"{shape[0]} x {shape[1]}, float64"


def test_files_that_hold_no_matrix(tmp_path, command):
    np.savez(tmp_path / "dense.npz", np.eye(3))
    (tmp_path / "text.npz").write_text("none")
    (tmp_path / "cut.mtx").write_text("%%MatrixMarket matrix coordinate real general\n3 3")
    (tmp_path / "empty.o").write_text("")
    for path in sorted(tmp_path.iterdir()):
        run = command("inspect", path)
        assert run.returncode == 1 and path.name in run.stderr


def test_duplicates_are_counted(tmp_path, output):
    A = scipy.sparse.coo_array(([1.0, 2.0, np.nan], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    scipy.sparse.save_npz(tmp_path / "A.npz", A)
    said = lines(output, tmp_path / "A.npz")
    assert said["duplicates"] == "1" and said["values"] == "1 are not finite"


def test_without_scipy(tmp_path):
    (tmp_path / "scipy.py").write_text("raise ImportError('not here')")
    (tmp_path / "A.mtx").write_text("")
    path = f"{tmp_path}{os.pathsep}{CHECKOUT}/python"
    run = process("inspect", tmp_path / "A.mtx", PYTHONPATH=path)
    assert run.returncode == 1 and "pip install scipy" in run.stderr


def test_bench(output):
    said = output("bench", "--scale", "0.01", "--threads", "1")
    rows = [line for line in said.splitlines() if re.search(r"\d\.\d\d", line)]
    assert len(rows) >= 6 and "1 threads" in said


def test_the_reader_may_leave():
    line = f"{sys.executable} -W ignore -m tsgu doctor | head -1"
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}/python"}
    run = subprocess.run(line, shell=True, capture_output=True, text=True, env=environment)
    assert "Traceback" not in run.stderr
