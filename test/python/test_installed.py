"""The package as it is installed: outside of the checkout, with no variable that points into it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import venv

import torch
from conftest import CHECKOUT
from kernel_tools import LIBRARIES

COMPONENTS = ("runtime", "development", "compiler", "torch")


def ten_lines():
    """The first block of the README."""
    return re.search(r"^```python\n(.*?)^```$", (CHECKOUT / "README.md").read_text(), re.S | re.M)[
        1
    ]


def clean(tmp_path):
    """An environment in which nothing leads to the checkout."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"TSGU_CACHE_DIR": str(tmp_path / "cache")}


def check(python, tmp_path, *flags, **environment):
    """Runs the README's lines and the command with an installed package."""

    def run(*arguments):
        return subprocess.run(
            [python, "-W", "ignore", *flags, *map(str, arguments)],
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
            cwd=tmp_path,
            env=clean(tmp_path) | environment,
        ).stdout

    place = "import tsgu; print(tsgu.__file__); print(tsgu._runtime.library.directory)"
    assert all(str(CHECKOUT) not in line for line in run("-c", place).splitlines())
    assert re.search(r"tensor\(\[.*\]\)", run("-c", ten_lines()))
    assert "BAD" not in run("-m", "tsgu", "doctor")
    program = tmp_path / "mine.mlir"
    shutil.copy(CHECKOUT / "test/install/consumer/scaled.mlir", program)
    run("-m", "tsgu", "compile", program, "-o", tmp_path / "mine.o")
    assert (tmp_path / "mine.h").exists()
    loaded = "import tsgu; print(tsgu.load_program('mine.mlir'))"
    assert run("-c", loaded).strip() == "<tsgu operator scaled(A, x, d)>"
    return run


def test_the_installed_tree_beside_the_package(tmp_path):
    package = tmp_path / "site" / "tsgu"
    shutil.copytree(CHECKOUT / "python/tsgu", package, ignore=shutil.ignore_patterns("__pycache__"))
    for component in COMPONENTS:
        command = ["cmake", "--install", LIBRARIES.parent, "--component", component]
        subprocess.run([*command, "--prefix", package], check=True, capture_output=True)
    check(sys.executable, tmp_path, PYTHONPATH=str(tmp_path / "site"))


if os.environ.get("TSGU_LONG"):  # builds everything once more: `make test-long`
    PIP = ["-m", "pip", "--disable-pip-version-check"]
    CACHED = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache"} if shutil.which("ccache") else {}

    def fresh(tmp_path):
        """The Python of a new environment, which has torch from this one, and nothing else."""
        venv.create(tmp_path / "venv", with_pip=True)
        (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
        (packages / "torch.pth").write_text(str(pathlib.Path(torch.__file__).parents[1]))
        return tmp_path / "venv/bin/python"

    def test_pip_install_in_a_fresh_environment(tmp_path):
        """With build isolation: pip fetches scikit-build-core and a torch to build with."""
        python = fresh(tmp_path)
        install = [*PIP, "install", "--no-deps", CHECKOUT]
        kept = {name: x for name, x in os.environ.items() if name.startswith(("PIP_", "CCACHE_"))}
        environment = clean(tmp_path) | kept | CACHED
        subprocess.run([python, *install], check=True, env=environment, cwd=tmp_path)
        check(python, tmp_path, "-I")

    def test_the_wheel_in_a_fresh_environment(tmp_path):
        build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, CHECKOUT]
        subprocess.run([sys.executable, *build], check=True, env=os.environ | CACHED)
        (wheel,) = tmp_path.glob("tsgu-*.whl")
        assert wheel.stat().st_size <= 40e6
        python = fresh(tmp_path)
        install = [*PIP, "install", "--no-deps", "--no-index", wheel]
        subprocess.run([python, *install], check=True, capture_output=True)
        (compiler,) = (tmp_path / "venv").rglob("libtsgu-compiler.so")
        shown = ["nm", "-D", "--defined-only", compiler]
        shown = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
        assert shown.split()[2:] == ["tsgu_compiler_interface"]  # no symbol to meet another LLVM's
        run = check(python, tmp_path, "-I")
        said = subprocess.run(
            [python.with_name("tsgu"), "--version"], check=True, capture_output=True, text=True
        ).stdout
        assert "LLVM    22." in said
        maps = "import tsgu; tsgu.operator('spmm/vjp0/vjp1'); print(open('/proc/self/maps').read())"
        found = run("-c", maps)
        assert "libtsgu-compiler" in found and "libLLVM" not in found and "libMLIR" not in found
