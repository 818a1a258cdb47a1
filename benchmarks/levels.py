"""Measures kernels on compressed levels beside those on dense ones, on patterns mostly empty.

Both are compiled here, for one pattern, and take turns in this process; results are compared bit by
bit first. Prints tables, milliseconds of one thread's processor time, best / median.
"""

import ctypes
import itertools
import pathlib
import time

import numpy as np
import torch

import report
from libtsgu import Tensor
from measure import Timing, array
from tsgu._runtime import c_api

_TYPES = {"f32": (0, np.float32), "f64": (1, np.float64)}
_I32 = 2
_ROWS = 1_000_000
_MTTKRP = pathlib.Path(__file__).resolve().parents[1] / "examples" / "mttkrp.mlir"
# What part of the rows, or of the columns for A^T G, have how many entries each.
_SHARES = ((0.01, 16), (0.05, 16), (0.12, 4), (0.12, 16), (0.25, 4))
_REPORT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


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
                ctypes.POINTER(c_api.Specialization),
                ctypes.POINTER(ctypes.c_void_p),
                ctypes.c_void_p,
                _REPORT,
            ),
        ),
    ]


class Kernels:
    """Programs compiled for chosen levels, run by libtsgu."""

    def __init__(self, build):
        self._runtime = ctypes.CDLL(str(build / "lib" / "libtsgu.so"))
        self._runtime.tsgu_last_error.restype = ctypes.c_char_p
        self._runtime.tsgu_set_threads(ctypes.c_int32(1))
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

    def program(self, path, dtype, widths, hollow=0, blocks=(0, 0)):
        sizes = (ctypes.c_int64 * len(widths))(*widths)
        wanted = c_api.Specialization(_TYPES[dtype][0], _I32, _I32, sizes, len(widths), 0, 0)
        wanted.hollow[0] = hollow
        wanted.blocks[0] = blocks[0] + 256 * blocks[1]
        compiled, program = ctypes.c_void_p(), ctypes.c_void_p()
        messages = []
        keep = _REPORT(lambda _, text: messages.append(text.decode()))
        if self._compile(path.encode(), wanted, ctypes.byref(compiled), None, keep) != 0:
            raise RuntimeError(*messages)
        self._check(self._runtime.tsgu_program_from_object(compiled, ctypes.byref(program)))
        return program

    def add(self, name, text):
        self._check(self._runtime.tsgu_program_add(name.encode(), text.encode()))

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


# Shapes of tensors with a million entries, and of which sets of dimensions most tuples are empty.
_TENSORS = (
    ((1000, 1000, 1000), ((0, 1), (0, 2), (1, 2))),
    ((3000, 3000, 3000), ((0, 1), (0, 2), (1, 2))),
    ((20_000, 3000, 20_000), ((0, 1), (0, 2), (1, 2))),
    ((200_000, 30, 200_000), ((0, 1), (0, 2), (1, 2))),
)
_RANK = 32


def _matrix(rng, share, per_row):
    """(rows, columns) of entries in so many of the rows, all columns alike."""
    filled = np.sort(rng.choice(_ROWS, int(share * _ROWS), replace=False))
    columns = np.sort(rng.integers(_ROWS, size=(len(filled), per_row)), axis=1)
    keep = np.diff(columns, axis=1, prepend=-1) > 0
    return np.repeat(filled, per_row)[keep.ravel()], columns[keep]


def _compiled(kernels, path, of, dtype, widths, kinds, operands, result):
    """({kind: callable}, the result) of kernels for each kind of levels; bits are the same."""
    calls, bits = {}, []
    for kind, levels in kinds.items():
        program = kernels.program(path, dtype, widths, **levels)
        calls[kind] = kernels.call(program, of, operands, result)
        result[:] = np.nan
        calls[kind]()
        bits.append(result.copy())
    assert np.array_equal(*bits), "the layouts give different results"
    return calls, bits[0]


def _kinds(hollow):
    return {"dense": {}, "compressed": {"hollow": hollow}}


def _in_turns(calls, samples):
    times = {name: [] for name in calls}
    for _ in range(samples):
        for name, call in calls.items():
            start = time.thread_time()
            call()
            times[name].append(time.thread_time() - start)
    return {name: Timing.of(seconds) for name, seconds in times.items()}


def _cells(times):
    texts = [f"{1e3 * t.best:.2f} / {1e3 * t.median:.2f}" for t in times.values()]
    first, second, *_ = times.values()
    return *texts, f"{first.best / second.best:.2f}"


def _matrices(kernels, rng, samples):
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
                widths = (0, 0, width, 0)
                calls, _ = _compiled(
                    kernels, path, of, dtype, widths, _kinds(hollow), operands, result
                )
                times = _in_turns(calls, samples)
                matrix = f"{100 * share:g} %", str(per_row)
                rows.append((*matrix, name, dtype, str(width), *_cells(times)))
                print(*rows[-1], sep="\t", flush=True)
    header = ("filled", "entries in each", "kernel", "type", "p", "dense level", "compressed level")
    return report.table((*header, "speedup"), rows)


# Grids of nodes, each joined with its neighbours and itself, and how many unknowns a node has.
# Of those on one face, the first may be fixed, as in a plane of symmetry: its row and column have
# the diagonal alone.
_MESHES = (
    ((30, 30, 30), 3, False),
    ((30, 30, 30), 3, True),
    ((24, 24, 24), 4, False),
    ((110, 110), 8, False),
)


def _mesh(extents, unknowns, fixed):
    """(rows, columns) of all entries, by rows."""
    strides = np.cumprod((1, *extents[:0:-1]))[::-1]
    places = np.stack(np.meshgrid(*map(np.arange, extents), indexing="ij"), -1)
    places = places.reshape(-1, len(extents))
    steps = np.stack(np.meshgrid(*[(-1, 0, 1)] * len(extents), indexing="ij"), -1)
    next_to = places[:, None] + steps.reshape(-1, len(extents))
    i, k = np.nonzero(np.all((next_to >= 0) & (next_to < extents), axis=2))
    j = next_to[i, k] @ strides
    inner = np.arange(unknowns)
    rows, columns = np.broadcast_arrays(
        (unknowns * i)[:, None, None] + inner[:, None], (unknowns * j)[:, None, None] + inner
    )
    rows, columns = rows.ravel(), columns.ravel()
    if fixed:
        held = np.zeros(unknowns * len(places), bool)
        held[unknowns * np.flatnonzero(places[:, 0] == 0)] = True
        keep = (rows == columns) | ~(held[rows] | held[columns])
        rows, columns = rows[keep], columns[keep]
    order = np.lexsort((columns, rows))
    return rows[order], columns[order]


def _blocks(kernels, rng, samples):
    rows = []
    for extents, unknowns, fixed in _MESHES:
        i, j = (np.ascontiguousarray(x, np.int32) for x in _mesh(extents, unknowns, fixed))
        size = unknowns * int(np.prod(extents))
        pattern = kernels.pattern((size, size), (i, j))
        kinds = {"CSR": {}, "BSR": {"blocks": (unknowns, unknowns)}}
        mesh = " x ".join(map(str, extents)) + (", a face held" if fixed else "")
        for dtype, width in itertools.product(("f32", "f64"), (8, 32, 128)):
            number = _TYPES[dtype][1]
            values = rng.standard_normal(len(i)).astype(number)
            dense, product = (array((size, width), number) for _ in range(2))
            dense[:] = rng.standard_normal(dense.shape)
            sampled = array(len(i), number)
            for name, path, operands, result in (
                ("A B", "spmm", (values, dense), product),
                ("A^T G", "spmm/vjp1", (values, dense, dense), product),
                ("sampled G B^T", "spmm/vjp0", (values, dense, dense), sampled),
            ):
                widths = (0, 0, width, 0)
                calls, _ = _compiled(kernels, path, pattern, dtype, widths, kinds, operands, result)
                times = _in_turns(calls, samples)
                blocks = f"{unknowns} x {unknowns}"
                rows.append((mesh, blocks, name, dtype, str(width), *_cells(times)))
                print(*rows[-1], sep="\t", flush=True)
    header = ("mesh", "blocks", "kernel", "type", "p", "CSR", "BSR")
    return report.table((*header, "speedup"), rows)


def _tensors(kernels, rng, samples):
    kernels.add("mttkrp", _MTTKRP.read_text())
    rows = []
    for shape, sets in _TENSORS:
        flat = np.unique(np.stack([rng.integers(n, size=1_000_000) for n in shape]), axis=1)
        indices = [np.ascontiguousarray(x, np.int32) for x in flat]
        pattern = kernels.pattern(shape, indices)
        hollow = sum(1 << sum(1 << d for d in dims) for dims in sets)
        values = rng.standard_normal(flat.shape[1]).astype(np.float32)
        factors = [rng.standard_normal((n, _RANK)).astype(np.float32) for n in shape]
        of = [torch.from_numpy(x) for x in (*flat, values, *factors)]
        for name, path, given, result in (
            ("Y", "mttkrp", (values, *factors[1:]), array((shape[0], _RANK), np.float32)),
            (
                "gradient of B",
                "mttkrp/vjp1",
                (values, *factors[1:], factors[0]),
                array((shape[1], _RANK), np.float32),
            ),
            (
                "gradient of T",
                "mttkrp/vjp0",
                (values, *factors[1:], factors[0]),
                array(len(values), np.float32),
            ),
        ):
            widths = (0, 0, 0, _RANK, 0)
            calls, found = _compiled(
                kernels, path, pattern, "f32", widths, _kinds(hollow), given, result
            )
            calls["torch"] = _composed(name, shape, *of)
            expected = calls["torch"]().numpy()
            assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())
            times = _in_turns(calls, samples)
            dense, compressed, torchs, speedup = _cells(times)
            rows.append((" x ".join(map(str, shape)), name, dense, compressed, speedup, torchs))
            print(*rows[-1], sep="\t", flush=True)
    header = ("shape", "kernel", "dense levels", "compressed levels", "speedup", "torch")
    return report.table(header, rows)


def _composed(name, shape, i, j, k, values, A, B, C):
    """The same of torch's gathers and sums."""
    if name == "Y":
        return lambda: torch.zeros(shape[0], _RANK).index_add_(0, i, values[:, None] * B[j] * C[k])
    if name == "gradient of B":
        return lambda: torch.zeros(shape[1], _RANK).index_add_(0, j, values[:, None] * A[i] * C[k])
    return lambda: (A[i] * B[j] * C[k]).sum(1)


def main():
    parser = report.command_line(__doc__)
    arguments = parser.parse_args()
    kernels, rng = Kernels(arguments.build), np.random.default_rng(1)
    torch.set_num_threads(1)
    samples = 15 if arguments.mode == "full" else 3
    print("\n".join(table(kernels, rng, samples) for table in (_matrices, _blocks, _tensors)))


if __name__ == "__main__":
    main()
