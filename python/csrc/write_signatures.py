"""Writes programs.json: the signatures of the library's programs.

usage: write_signatures.py LIBTSGU OUTPUT PROGRAM.mlir...

For every program, its batched form, unless it is of a tensor of three dimensions, and the cotangent
programs of both, where there are some.
"""

import ctypes
import json
import os
import pathlib
import sys


def open_library(path):
    library = ctypes.CDLL(path)
    library.tsgu_last_error.restype = ctypes.c_char_p
    library.tsgu_program_signature.restype = ctypes.c_char_p
    library.tsgu_program_signature.argtypes = [ctypes.c_void_p]
    return library


def signature(library, path):
    program = ctypes.c_void_p()
    if library.tsgu_program_open(path.encode(), ctypes.byref(program)) != 0:
        why = library.tsgu_last_error().decode()
        if "has no derivative by its" in why:
            return None
        sys.exit(f"{path}: {why}")
    return {**json.loads(library.tsgu_program_signature(program)), "path": path}


def main(library_path, output, *programs):
    library = open_library(library_path)
    signatures = []
    for program in sorted(pathlib.Path(program).stem for program in programs):
        ranks = [pattern["rank"] for pattern in signature(library, program)["patterns"]]
        for path in (program, f"{program}/batch")[: 1 if 3 in ranks else 2]:
            signatures.append(signature(library, path))
            operands = signatures[-1]["operands"]
            cotangents = [
                signature(library, f"{path}/vjp{k}")
                for k, operand in enumerate(operands)
                if not operand.get("solver")
            ]
            signatures += filter(None, cotangents)
    unfinished = f"{output}.tmp"
    pathlib.Path(unfinished).write_text(json.dumps(signatures, indent=1) + "\n")
    os.replace(unfinished, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
