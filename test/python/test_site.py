"""`make site`, whose warnings are errors: pages, their links, and every docstring."""

import os
import subprocess
import sys

from conftest import CHECKOUT

import tsgu


def test_site(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    run = subprocess.run(
        [*command, "-d", tmp_path / "trees", CHECKOUT / "docs", tmp_path / "site"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}/python"},
    )
    assert run.returncode == 0, run.stderr
    api = (tmp_path / "site/API.html").read_text()
    missing = [
        name
        for name in tsgu.__all__
        if f'id="tsgu.{name}"' not in api
        and not name.startswith("__")
        and name not in ("SparseGenericLstsq", "SparseGenericSolve", "SparseMatMul", "utils")
        and name not in ("SparseSolve", "SparseTriangularSolve")
    ]
    assert not missing, f"add to docs/API.md: {', '.join(missing)}"
