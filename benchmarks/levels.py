"""Measures kernels on compressed levels beside those on dense ones, on patterns mostly empty.

Both are compiled here, for one pattern, and take turns in this process; results are compared bit by
bit first. Prints a table, milliseconds, best / median.
"""

import ctypes

import numpy as np

import report
from libtsgu import Tensor
from measure import array, interleave

_TYPES = {"f32": (0, np.float32), "f64": (1, np.float64)}
_I32 = 2
_ROWS = 1_000_000
# What part of the rows, or of the columns for A^T G, have how many entries each.
_SHARES = ((0.01, 16), (0.05, 16), (0.12, 4), (0.12, 16), (0.25, 4))
_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


class _Specialization(ctypes.Structure):
    """tsgu_specialization of CompilerInterface.h."""

    _fields_ = [
        ("value_type", ctypes.c_uint8),
        ("index_type", ctypes.c_uint8),
        ("derived_index_type", ctypes.c_uint8),
        ("widths", ctypes.POINTER(ctypes.c_int64)),
        ("width_count", ctypes.c_uint32),
        ("target", ctypes.c_uint8),
        ("alignment", ctypes.c_uint8),
        ("hollow", ctypes.c_uint8 * 8),
    ]


class _Interface(ctypes.Structure):
    """tsgu_compiler of CompilerInterface.h, as far as it is called here."""

    _fields_ = [
        ("abi", ctypes.c_uint32),
        ("add_program", ctypes.c_void_p),
        ("signature", ctypes.c_void_p),
        (
            "compile",
            ctypes.CFUNCTYPE(
                ctypes.c_int,
                ctypes.c_char_p,
                ctypes.POINTER(_Specialization),
                ctypes.POINTER(ctypes.c_void_p),
                ctypes.c_void_p,
                _REPORT,
            ),
        ),
    ]


class Kernels:
    """Programs compiled for chosen levels, run by libtsgu."""

    def __init__(self, build, threads):
        self._runtime = ctypes.CDLL(str(build / "lib" / "libtsgu.so"))
        self._runtime.tsgu_last_error.restype = ctypes.c_char_p
        self._runtime.tsgu_set_threads(ctypes.c_int32(threads))
        compiler = ctypes.CDLL(str(build / "lib" / "libtsgu-compiler.so"))
        compiler.tsgu_compiler_interface.restype = ctypes.POINTER(_Interface)
        self._compile = compiler.tsgu_compiler_interface().contents.compile

    def _check(self, status):
        if status != 0:
            raise RuntimeError(self._runtime.tsgu_last_error().decode())

    def pattern(self, shape, coordinates):
        made = ctypes.c_void_p()
        pointers = (ctypes.c_void_p * len(shape))(*(c.ctypes.data for c in coordinates))
        extents = (ctypes.c_int64 * len(shape))(*shape)
        count = ctypes.c_int64(len(coordinates[0]))
        self._check(
            self._runtime.tsgu_pattern_from_coo(
                len(shape), extents, _I32, pointers, count, ctypes.byref(made)
            )
        )
        return made

    def program(self, path, dtype, widths, hollow):
        sizes = (ctypes.c_int64 * len(widths))(*widths)
        wanted = _Specialization(_TYPES[dtype][0], _I32, _I32, sizes, len(widths), 0, 0)
        wanted.hollow[0] = hollow
        compiled, program = ctypes.c_void_p(), ctypes.c_void_p()
        messages = []
        keep = _REPORT(lambda _, text: messages.append(text.decode()))
        if self._compile(path.encode(), wanted, ctypes.byref(compiled), None, keep) != 0:
            raise RuntimeError(*messages)
        self._check(self._runtime.tsgu_program_from_object(compiled, ctypes.byref(program)))
        return program

    def call(self, program, pattern, operands, result):
        """A callable that computes the result."""
        tensors = (Tensor * len(operands))(*map(Tensor.of, operands))
        patterns, output = (ctypes.c_void_p * 1)(pattern), Tensor.of(result)

        def run():
            self._check(
                self._runtime.tsgu_program_run(
                    program, patterns, 1, tensors, len(operands), ctypes.byref(output), None
                )
            )

        return run


def _matrix(rng, share, per_row):
    """(rows, columns) of entries in so many of the rows, all columns alike."""
    filled = np.sort(rng.choice(_ROWS, int(share * _ROWS), replace=False))
    columns = np.sort(rng.integers(_ROWS, size=(len(filled), per_row)), axis=1)
    keep = np.diff(columns, axis=1, prepend=-1) > 0
    return np.repeat(filled, per_row)[keep.ravel()], columns[keep]


def main():
    parser = report.command_line(__doc__)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    kernels, rng = Kernels(arguments.build, arguments.threads), np.random.default_rng(1)
    samples = 20 if arguments.mode == "full" else 3
    rows = []
    for share, per_row in _SHARES:
        i, j = (np.ascontiguousarray(x, np.int32) for x in _matrix(rng, share, per_row))
        order = np.lexsort((i, j))
        pattern = kernels.pattern((_ROWS, _ROWS), (i, j))
        turned = kernels.pattern((_ROWS, _ROWS), (j[order], i[order]))
        for dtype, width in (("f32", 1), ("f32", 32), ("f64", 32)):
            number = _TYPES[dtype][1]
            values = rng.standard_normal(len(i)).astype(number)
            dense = array((_ROWS, width), number)
            dense[:] = rng.standard_normal(dense.shape)
            sampled, product = array(len(i), number), array((_ROWS, width), number)
            # (name, path, the operands, the result, pattern, which dimension is empty)
            for name, path, operands, result, of, hollow in (
                ("A B", "spmm", (values, dense), product, pattern, 1 << 1),
                ("A^T G", "spmm/vjp1", (values, dense, dense), product, turned, 1 << 2),
                ("sampled G B^T", "spmm/vjp0", (values, dense, dense), sampled, pattern, 1 << 1),
            ):
                calls, bits = {}, []
                for kind, sets in (("dense", 0), ("compressed", hollow)):
                    program = kernels.program(path, dtype, (0, 0, width, 0), sets)
                    calls[kind] = kernels.call(program, of, operands, result)
                    result[:] = np.nan
                    calls[kind]()
                    bits.append(result.copy())
                assert np.array_equal(*bits), "the layouts give different results"
                times = interleave(calls, samples)
                texts = [f"{1e3 * t.best:.2f} / {1e3 * t.median:.2f}" for t in times.values()]
                ratio = times["dense"].median / times["compressed"].median
                rows.append(
                    (
                        f"{100 * share:g} %",
                        str(per_row),
                        name,
                        dtype,
                        str(width),
                        *texts,
                        f"{ratio:.2f}",
                    )
                )
                print(*rows[-1], sep="\t", flush=True)
    header = (
        "filled",
        "entries in each",
        "kernel",
        "type",
        "p",
        "dense level",
        "compressed level",
        "speedup",
    )
    print(report.table(header, rows))


if __name__ == "__main__":
    main()
