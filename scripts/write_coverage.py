#!/usr/bin/env python3
"""Writes docs/Coverage.md: what of each program's derivatives, forms and targets there is.

usage: write_coverage.py TSGU_OPT [--check]

Each cell is a run of tsgu-opt; where it refuses, the page says why. With --check nothing is
written, and the exit status says whether the page is what would be written.
"""

import pathlib
import re
import subprocess
import sys

from written import settle

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "lib" / "Programs"
PAGE = ROOT / "docs" / "Coverage.md"

TWICE = ["--tsgu-differentiate", "--tsgu-differentiate"]
MIXED = ["--tsgu-differentiate", "--tsgu-differentiate=mode=forward"]
TO_GPU = ["--tsgu-to-gpu", "--tsgu-lower-to-nvvm"]
COLUMNS = {
    "reverse": ["--tsgu-differentiate"],
    "forward": ["--tsgu-differentiate=mode=forward"],
    "second order": TWICE,
    "forward over reverse": MIXED,
    "batch": ["--tsgu-batch"],
    "batch, reverse": ["--tsgu-batch", "--tsgu-differentiate"],
    "complex": ["--tsgu-complexify"],
    "complex, reverse": ["--tsgu-complexify", "--tsgu-differentiate"],
    "CPU": ["--tsgu-lower-to-cpu=value=f64"],
    "bf16": ["--tsgu-lower-to-cpu=value=bf16"],
    "GPU": ["--tsgu-lower-to-kernels=value=f32", *TO_GPU],
}
# Of programs with solvers, which lower to calls of the runtime.
REFUSED_SOLVES = {
    "bf16": "solvers take f32, f64, c64 and c128; the operator refuses others by name",
    "GPU": "solvers run on the CPU; operands on a device are refused",
}


def why_not(tsgu_opt, program, column):
    """Why there is no such form of a program, or None."""
    if "!tsgu.solver" in program.read_text() and column in REFUSED_SOLVES:
        return REFUSED_SOLVES[column]
    command = [tsgu_opt, program, *COLUMNS[column], "-o", "/dev/null"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode == 0:
        return None
    said = re.search(r"error: (.*)", run.stderr)
    return said[1] if said else f"exit status {run.returncode}"


def page(tsgu_opt):
    reasons = []
    lines = [
        "# Coverage",
        "",
        "Written by `make docs`, cell by cell from what `tsgu-opt` does with each program of the",
        "library. A number names the reason, below, for which there is no such form.",
        "",
        "| program | " + " | ".join(COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for program in sorted(PROGRAMS.glob("*.mlir")):
        cells = []
        for column in COLUMNS:
            reason = why_not(tsgu_opt, program, column)
            if reason and reason not in reasons:
                reasons.append(reason)
            cells.append(f"{reasons.index(reason) + 1}" if reason else "yes")
        lines.append(f"| `{program.stem}` | " + " | ".join(cells) + " |")
    lines += ["", *(f"{k}. {reason}" for k, reason in enumerate(reasons, 1))]
    return "\n".join(lines) + "\n"


def main(tsgu_opt, check):
    text = page(tsgu_opt)
    settle(PAGE, text, check, "what tsgu-opt does")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:] == ["--check"])
