"""What the package exports, loads and links."""

import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from conftest import CHECKOUT
from run_tools import run_script

import tsgu
from tsgu._runtime import library as _library


def test_exports():
    for name in tsgu.__all__:
        assert getattr(tsgu, name) is not None
    assert tsgu.__version__ == tsgu.show_config()["tsgu"]
    assert (pathlib.Path(tsgu.__file__).parent / "py.typed").exists()


def test_a_function_and_its_module_share_a_name():
    module = importlib.import_module("tsgu.sparse_softmax")
    assert module is not tsgu.sparse_softmax
    assert module.sparse_softmax is tsgu.sparse_softmax
    assert importlib.import_module("tsgu.sparse_matmul").sparse_mm is tsgu.sparse_mm


def test_import_loads_no_compiler():
    program = """
import sys, tsgu
assert "torch._dynamo" not in sys.modules  # whose import takes a second
maps = open("/proc/self/maps").read()
assert "libtsgu_torch" in maps
assert "libtsgu-compiler" not in maps and "libLLVM" not in maps and "libMLIR" not in maps
"""
    run_script(program, timeout=60)


def test_missing_libraries_are_named(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": f"{CHECKOUT}/python",
        "TSGU_LIBRARY_DIR": str(tmp_path),
    }
    run = subprocess.run(
        [sys.executable, "-c", "import tsgu"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert run.returncode == 1
    assert str(tmp_path) in run.stderr and "TSGU_LIBRARY_DIR" in run.stderr


def test_the_emulator_is_only_needed_where_it_is_asked_for(tmp_path):
    for library in _library.directory.glob("libtsgu*.so"):
        if "emulator" not in library.name:
            shutil.copy(library, tmp_path)
    shutil.copy(_library.directory / "programs.json", tmp_path)
    program = """
import torch, tsgu
try:
    print(tsgu.sparse_mm(torch.eye(3).to_sparse_csr(), torch.full((3, 1), 2.0)).sum().item())
except tsgu.DeviceError as error:
    print(error)
"""
    folder = {"TSGU_LIBRARY_DIR": str(tmp_path)}
    assert float(run_script(program, TSGU_DEVICE="", **folder)) == 6
    said = run_script(program, TSGU_DEVICE="emulator", **folder)
    assert "install libtsgu-emulator beside libtsgu" in said


def needed_by_the_plugin():
    plugin = _library.directory / "libtsgu_torch.so"
    return subprocess.run(
        ["nm", "-D", "--undefined-only", plugin], check=True, capture_output=True, text=True
    ).stdout.split()


def test_the_plugin_needs_only_the_stable_abi():
    symbols = needed_by_the_plugin()
    assert "torch_parallel_for" in symbols
    foreign = [
        name
        for name in symbols
        if name.startswith(("Py", "_Py"))
        or any(part in name for part in ("N2at", "N3c10", "N5torch", "caffe2", "GOMP", "kmpc"))
    ]
    assert not foreign


def test_the_plugin_needs_only_what_torch_2_11_exports():
    lines = pathlib.Path(__file__).with_name("torch-2.11-symbols.txt").read_text().splitlines()
    exported = {line for line in lines if not line.startswith("#")}
    of_torch = {name for name in needed_by_the_plugin() if re.match(r"(aoti_)?torch_", name)}
    assert len(of_torch) > 40 and of_torch <= exported
