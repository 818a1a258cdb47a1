"""Makes the folder that benchmarks/gpu/run.py needs beside a checkout: no LLVM, no compiler.

usage: make_bundle.py BUILD OUTPUT [--targets 80 90] [--cxx clang++-22]

It holds libtsgu, the torch operators, and libtsgu-kernels.so, which stands in for
libtsgu-compiler: every kernel of the benchmark (see kernels.py), compiled now by the compiler of
BUILD and linked with KernelTable.cpp.
"""

import argparse
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import kernels

from tsgu._runtime import c_api

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 40 << 20
_TAKE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)
_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


class _Interface(ctypes.Structure):
    """tsgu_compiler of CompilerInterface.h."""

    _fields_ = [
        ("abi", ctypes.c_uint32),
        ("add_program", ctypes.c_void_p),
        (
            "signature",
            ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, _TAKE, _REPORT),
        ),
        (
            "compile",
            ctypes.CFUNCTYPE(
                ctypes.c_int,
                ctypes.c_char_p,
                ctypes.POINTER(c_api.Specialization),
                ctypes.POINTER(ctypes.c_void_p),
                ctypes.c_void_p,
                _REPORT,
            ),
        ),
        ("counters", ctypes.c_void_p),
    ]


class Compiler:
    """libtsgu-compiler, whose disk cache, a folder of our own, gives the object files."""

    def __init__(self, libraries, cache):
        os.environ["TSGU_CACHE_DIR"] = str(cache)
        self._cache = cache
        self._runtime = ctypes.CDLL(str(libraries / "libtsgu.so"))
        self._runtime.tsgu_program_signature.restype = ctypes.c_char_p
        library = ctypes.CDLL(str(libraries / "libtsgu-compiler.so"))
        library.tsgu_compiler_interface.restype = ctypes.POINTER(_Interface)
        self._interface = library.tsgu_compiler_interface().contents
        self._messages = []
        self._report = _REPORT(lambda _, message: self._messages.append(message.decode()))

    def _check(self, code, path):
        if code != 0:
            raise RuntimeError(f"{path}: {' '.join(self._messages)}")

    def signature(self, path):
        """The serialised signature."""
        taken = []
        take = _TAKE(lambda _, data, size: taken.append(ctypes.string_at(data, size)))
        self._check(self._interface.signature(path.encode(), None, take, self._report), path)
        return taken[0]

    def describe(self, path):
        """The same, parsed."""
        program = ctypes.c_void_p()
        if self._runtime.tsgu_program_open(path.encode(), ctypes.byref(program)) != 0:
            raise RuntimeError(f"{path} has no signature")
        return json.loads(self._runtime.tsgu_program_signature(program))

    def compile(self, path, wanted):
        """The object file, as bytes."""
        widths = (ctypes.c_int64 * max(len(wanted.widths), 1))(*wanted.widths)
        specialization = c_api.Specialization(
            wanted.value_type,
            wanted.index_type,
            wanted.derived_index_type,
            widths,
            len(wanted.widths),
            wanted.target,
            wanted.alignment,
        )
        unused = ctypes.c_void_p()
        self._check(
            self._interface.compile(
                path.encode(),
                ctypes.byref(specialization),
                ctypes.byref(unused),
                None,
                self._report,
            ),
            f"{path} {wanted}",
        )
        (made,) = [file for file in self._cache.iterdir() if file.name.startswith("llvmcache-")]
        data = made.read_bytes()
        made.unlink()
        return data[data.index(b"\x7fELF") :]


def _compile_all(compiler, targets, folder):
    """(signatures by path, [(path, specialisation, object file)])."""
    signatures, jobs = {}, []
    for path, has_kernels in kernels.paths(compiler.describe):
        signatures[path] = compiler.signature(path)
        if has_kernels:
            each = kernels.specializations(path, compiler.describe(path), targets)
            jobs += [(path, specialization) for specialization in each]
    for path in kernels.DEVICE_LIBRARIES:
        jobs += [(path, each) for each in kernels.library_specializations(targets)]
    compiled = []
    for k, (path, wanted) in enumerate(jobs):
        file = folder / f"{k}.o"
        file.write_bytes(compiler.compile(path, wanted))
        compiled.append((path, wanted, file))
        if k % 100 == 99 or k + 1 == len(jobs):
            print(f"{k + 1} of {len(jobs)} kernels", flush=True)
    return signatures, compiled


def _rename(objcopy, path, k, file):
    """Only the object's one symbol stays global, under a name that no other has."""
    symbol = path.replace("/", "_")
    command = [objcopy, f"--keep-global-symbol={symbol}", f"--redefine-sym={symbol}=kernels{k}"]
    subprocess.run([*command, str(file)], check=True)


def _write_table(signatures, compiled, output):
    lines = []
    for k, data in enumerate(signatures.values()):
        lines.append(f"const unsigned char signature{k}[] = {{{','.join(map(str, data))}}};")
    lines.append("const ProgramSignature signatures[] = {")
    lines += [
        f'{{"{path}", signature{k}, {len(data)}}},'
        for k, (path, data) in enumerate(signatures.items())
    ]
    lines.append("};")
    for k in range(len(compiled)):
        lines.append(f'extern "C" const tsgu_object kernels{k};')
    for k, (_, wanted, _) in enumerate(compiled):
        lines.append(f"const int64_t widths{k}[] = {{{', '.join(map(str, (*wanted.widths, 0)))}}};")
    lines.append("const Compiled compiledPrograms[] = {")
    for k, (path, wanted, _) in enumerate(compiled):
        types = f"{wanted.value_type}, {wanted.index_type}, {wanted.derived_index_type}"
        rest = f"widths{k}, {len(wanted.widths)}, {wanted.target}, {wanted.alignment}, {{}}"
        lines.append(f'{{"{path}", {{{types}, {rest}}}, &kernels{k}}},')
    lines.append("};")
    output.write_text("\n".join(lines) + "\n")


def _link(cxx, folder, compiled, output):
    include = HERE.parents[1] / "runtime" / "include"
    objects = folder / "objects.txt"
    objects.write_text("\n".join(str(file) for _, _, file in compiled))
    exports = folder / "exports.map"
    exports.write_text("{ global: tsgu_compiler_interface; local: *; };\n")
    command = [cxx, "-std=c++20", "-O1", "-fPIC", "-shared", "-fvisibility=hidden"]
    command += ["-fno-exceptions", "-fno-rtti", f"-I{include}", f"-I{folder}"]
    # Nothing of the C++ library is needed at run time.
    command += [str(HERE / "KernelTable.cpp"), f"@{objects}", "-static-libstdc++"]
    command += [
        "-static-libgcc",
        "-lm",
        "-Wl,-s",
        f"-Wl,--version-script={exports}",
        "-o",
        str(output),
    ]
    subprocess.run(command, check=True)


def make_table(build, output, targets, cxx):
    """libtsgu-kernels.so for the targets; returns the number of kernels."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "cache").mkdir(mode=0o700)
        compiler = Compiler(build / "lib", folder / "cache")
        signatures, compiled = _compile_all(compiler, targets, folder)
        objcopy = shutil.which("llvm-objcopy-22") or "objcopy"
        for k, (path, _, file) in enumerate(compiled):
            _rename(objcopy, path, k, file)
        _write_table(signatures, compiled, folder / "KernelTable.inc")
        _link(cxx, folder, compiled, output)
        return len(compiled)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--targets", type=int, nargs="+", default=[kernels.SM80, kernels.SM90])
    parser.add_argument("--cxx", default="clang++-22")
    arguments = parser.parse_args()
    libraries = arguments.output / "lib"
    libraries.mkdir(parents=True, exist_ok=True)
    table = libraries / "libtsgu-kernels.so"
    count = make_table(arguments.build, table, arguments.targets, arguments.cxx)
    for name in ("libtsgu.so", "libtsgu_torch.so", "programs.json"):
        shutil.copy(arguments.build / "lib" / name, libraries / name)
    size = sum(file.stat().st_size for file in libraries.iterdir())
    print(f"{count} kernels, {size / 2**20:.1f} MiB in {arguments.output}")
    if size > LIMIT:
        sys.exit(f"that is more than {LIMIT >> 20} MiB")


if __name__ == "__main__":
    main()
