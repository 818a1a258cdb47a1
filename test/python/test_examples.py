"""The scripts of examples/ run and say what they promise."""

import os
import re
import subprocess
import sys

from conftest import CHECKOUT


def run(name, *arguments):
    return subprocess.run(
        [
            sys.executable,
            "-W",
            "error::UserWarning:__main__",
            CHECKOUT / "examples" / name,
            *arguments,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT}/python"},
    ).stdout


def test_minimal():
    hidden, learned = (
        [float(number) for number in line.split()[1:]] for line in run("minimal.py").splitlines()
    )
    assert len(hidden) == 10
    assert max(abs(a - b) for a, b in zip(hidden, learned, strict=True)) < 1e-3


def test_benchmark(tmp_path):
    picture = tmp_path / "benchmark.png"
    said = run("benchmark.py", "--quick", "--output", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    powers = re.findall(r"time ~ n\^(-?\d+\.\d\d)", said)
    assert len(powers) == 2
