"""The Python of README.md and of the pages of docs/ runs, block after block."""

import re
import subprocess
import sys
import warnings

import pytest
import torch
from conftest import CHECKOUT
from kernel_tools import TSGU_OPT

import tsgu

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def _blocks(page):
    text = page.read_text()
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield text[: match.start()].count("\n") + 1, match[1]


def _mine(A, B):
    return torch.linalg.solve(A.to_dense(), B)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(_blocks(page))], ids=lambda page: page.name
)
def test_blocks_run(page):
    torch.manual_seed(0)
    names = {"torch": torch, "tsgu": tsgu, "mine": _mine}
    with warnings.catch_warnings():
        warnings.simplefilter("error", tsgu.ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        for line, block in _blocks(page):
            code = compile("\n" * line + block, page, "exec")
            exec(code, names)


@pytest.mark.parametrize(
    "command",
    [
        ["write_pages.py"],
        ["write_c_api.py"],
        ["write_coverage.py", TSGU_OPT],
        ["write_grammar.py", TSGU_OPT],
        ["write_devices.py"],
    ],
)
def test_what_is_generated_is_current(command):
    command = [sys.executable, CHECKOUT / "scripts" / command[0], *command[1:], "--check"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
