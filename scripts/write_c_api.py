#!/usr/bin/env python3
"""Writes python/tsgu/_runtime/c_api.py, what Python has to know of the C API, from its headers.

usage: write_c_api.py [--check]

Structs become classes of ctypes, enumerations dicts from names to numbers. With --check nothing is
written, and the exit status says whether the file is what would be written.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
HEADERS = ROOT / "runtime" / "include"
TARGET = ROOT / "python" / "tsgu" / "_runtime" / "c_api.py"
STRUCTS = (
    "tsgu_tensor",
    "tsgu_executor",
    "tsgu_counters",
    "tsgu_output_counters",
    "tsgu_solver",
    "tsgu_outcome",
    "tsgu_iteration_options",
    "tsgu_specialization",
)
ENUMERATIONS = (
    "tsgu_status",
    "tsgu_type",
    "tsgu_meeting",
    "tsgu_mode",
    "tsgu_kind",
    "tsgu_reason",
    "tsgu_on_fail",
    "tsgu_request",
)
TYPES = {
    "uint8_t": "ctypes.c_uint8",
    "uint16_t": "ctypes.c_uint16",
    "uint32_t": "ctypes.c_uint32",
    "int32_t": "ctypes.c_int32",
    "int64_t": "ctypes.c_int64",
    "uint64_t": "ctypes.c_uint64",
    "double": "ctypes.c_double",
    "const char *": "ctypes.c_char_p",
    "const int64_t *": "ctypes.POINTER(ctypes.c_int64)",
    "const double *": "ctypes.POINTER(ctypes.c_double)",
}
HEAD = '''"""The C API's structs and numbers: written by `make docs` from its headers."""

import ctypes
'''


def declared():
    """The definitions of the headers by kind and name, as clang reads them."""
    command = ["clang-22", "-x", "c", "-fsyntax-only", "-Xclang", "-ast-dump=json", "-I", HEADERS]
    command.append(HEADERS / "tsgu" / "outputs.h")  # includes tsgu.h
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    nodes = json.loads(text)["inner"]
    return {(node["kind"], node.get("name")): node for node in nodes if node.get("inner")}


def type_of(field):
    name, bracket, count = field["type"]["qualType"].rstrip("]").partition("[")
    if name in TYPES:
        return f"{TYPES[name]} * {count}" if bracket else TYPES[name]
    if name in ENUMERATIONS:
        return "ctypes.c_int"
    if name == "void *" or "(*)" in name:
        return "ctypes.c_void_p"
    sys.exit(f"{field['name']}: no type of ctypes is known for {name}")


def struct(name, node):
    lines = ["", "", f"class {camel(name)}(ctypes.Structure):", f'    """{name}"""', ""]
    lines += ["    _fields_ = ["]
    fields = [field for field in node["inner"] if field["kind"] == "FieldDecl"]
    lines += [f'        ("{field["name"]}", {type_of(field)}),' for field in fields]
    return [*lines, "    ]"]


def enumeration(name, node):
    lines = ["", f"{name.removeprefix('tsgu_').upper()} = {{  # {name}"]
    value = -1
    for constant in node["inner"]:
        given = constant.get("inner")
        value = int(given[0]["value"]) if given else value + 1
        lines.append(f'    "{constant["name"].removeprefix("TSGU_").lower()}": {value},')
    return [*lines, "}"]


def camel(name):
    return "".join(part.capitalize() for part in name.removeprefix("tsgu_").split("_"))


def main(check):
    found = declared()
    lines = [HEAD.rstrip()]
    for name in ENUMERATIONS:
        lines += enumeration(name, found["EnumDecl", name])
    for name in STRUCTS:
        lines += struct(name, found["RecordDecl", name])
    text = "\n".join(lines) + "\n"
    if not check:
        TARGET.write_text(text)
    elif not TARGET.exists() or TARGET.read_text() != text:
        sys.exit(f"{TARGET.relative_to(ROOT)}: not what the headers say; run 'make docs'")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    main(sys.argv[1:] == ["--check"])
