"""Assembles libraries of device kernels for every GPU and index width; fails if one spills.

usage: assemble.py TSGU_OPT PTXAS FOLDER; prints each library's kernels.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

GPUS = ("80", "90")
WIDTHS = (("i32", "i32"), ("i64", "i32"), ("i64", "i64"))  # own and derived indices


def run(command: list[str], text: str = "") -> subprocess.CompletedProcess:
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done


def assemble(opt: str, ptxas: str, text: str, gpu: str) -> list[str]:
    """The names of the kernels."""
    lower = [opt, "--tsgu-lower-to-nvvm", f"--tsgu-print-ptx=sm={gpu}", "-o", "/dev/null"]
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:  # not a pipe: ptxas seeks
        file.write(run(lower, text).stdout)
        file.flush()
        done = run([ptxas, "-v", f"-arch=sm_{gpu}", "-o", "/dev/null", file.name])
    report = done.stdout + done.stderr
    kernels = re.findall(r"Compiling entry function '(\w+)'", report)
    memory = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+)", report)
    if len(kernels) != len(memory) or any(set(bytes_) != {"0"} for bytes_ in memory):
        sys.exit(f"sm_{gpu}: spills or a stack frame:\n{report}")
    return sorted(kernels)


def main() -> None:
    opt, ptxas, folder = sys.argv[1:]
    for path in sorted(pathlib.Path(folder).glob("*.mlir")):
        text = path.read_text()
        for own, derived in WIDTHS:
            typed = text.replace("!index = i32\n", f"!index = {own}\n")
            typed = typed.replace("!derived = i32\n", f"!derived = {derived}\n")
            for gpu in GPUS:
                kernels = assemble(opt, ptxas, typed, gpu)
        print(f"{path.stem}: {', '.join(kernels)}")


if __name__ == "__main__":
    main()
