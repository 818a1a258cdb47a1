"""Compiles a program into an object file and a C header.

It is the program tsgu-compile, which needs no Python.
"""

import os
import subprocess
import sys

from .._runtime import library


def tool(name):
    """The path of one of the programs that are installed with the libraries. Raises OSError."""
    path = library.directory.parent / "bin" / name
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"there is no {path}: install tsgu with its compiler")
    return str(path)


def add_arguments(parser):
    parser.add_argument("arguments", nargs="*", help="see tsgu compile --help")


def main(arguments):
    """Runs tsgu-compile, whose exit status is ours."""
    try:
        return subprocess.run([tool("tsgu-compile"), *arguments]).returncode
    except OSError as error:
        print(f"tsgu: error: {error}", file=sys.stderr)
        return 1


def run(given):
    return main(given.arguments)
