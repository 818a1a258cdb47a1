"""Kernels through the kernel passes, compiled and run against NumPy.

Outputs and the padding around dense operands are poisoned with NaN. Every kernel over rows
is also run on ranges of rows, which must give the same bits.
"""

import kernel_sources as ks
import numpy as np
import pytest
from kernel_tools import call, compile_kernels, padded, padding_untouched

STATIC = [*range(1, 18), 20, 31, 32, 33, 50, 64, 100, 128, 255, 256]
DYNAMIC = [257, 300, 1000]
FEW = [1, 3, 20, 100]
TYPES = [("f64", "i32"), ("f32", "i64")]
RANGES = [(0, 1), (1, 8), (8, 29), (29, 29), (29, 60)]
ROWS, COLUMNS = 60, 40
NUMPY = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i64": np.int64}


def sources():
    """All kernels under test by name; dynamic widths share the one of width None."""
    kernels = {}

    def add(function, name, value, index, width, *arguments, **options):
        name = f"{name}_{value}_{width}"
        kernels[name] = function(name, ks.Source(value, index, width), *arguments, **options)

    for value, index in TYPES:
        for width in [*STATIC, None]:
            add(ks.spmm, "spmm", value, index, width)
            add(ks.sddmm, "sddmm", value, index, width)
        lowest = {"f32": "0xFF800000", "f64": "0xFFF0000000000000"}[value]
        for width in [*FEW, None]:
            add(ks.spmm, "maxplus", value, index, width, "add", "maximumf", lowest)
            add(ks.spmm, "sumexp", value, index, width, "exp")
            add(ks.spmm, "factor", value, index, width, "factor")
            add(ks.scatter, "scatter", value, index, width)
            add(ks.sddmm, "scaled", value, index, width, scaled=True)
            add(ks.sddmm, "into", value, index, width, accumulate=True)
            add(ks.column_sum, "columns", value, index, width)
            add(ks.dense_row_sum, "rows", value, index, width)
            add(ks.map_2d, "map", value, index, width)
            add(ks.batched_spmm, "batched", value, index, width)
        add(ks.spmv, "spmv", value, index, None)
        for term in ["sum", "dot", "exp", "gather", "max", "maxnum"]:
            add(ks.row_sum, f"row_{term}", value, index, None, term)
        add(ks.per_entry, "entry", value, index, None)
        add(ks.per_entry, "entry_gather", value, index, None, gather=True)
        for op in ["exp", "log", "tanh"]:
            add(ks.map_1d, op, value, index, None, op)
    return kernels


@pytest.fixture(scope="module", params=[512, 256])
def library(request):
    """The kernels for vectors of 512 and 256 bits."""
    return compile_kernels("\n".join(sources().values()), request.param)


class Matrix:
    """A random CSR matrix with empty rows and rows around the widths of vectors."""

    def __init__(self, value, index, seed=0):
        self.random = np.random.default_rng(seed)
        lengths = self.random.choice([0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 40], ROWS)
        rows = [np.sort(self.random.choice(COLUMNS, n, replace=False)) for n in lengths]
        self.dtype = NUMPY[value]
        self.pos = np.concatenate([[0], np.cumsum(lengths)]).astype(NUMPY[index])
        self.crd = np.concatenate(rows).astype(NUMPY[index])
        self.val = self.random.standard_normal(len(self.crd)).astype(self.dtype)
        self.row = np.repeat(np.arange(ROWS), lengths)

    def vector(self, size):
        return self.random.standard_normal(size).astype(self.dtype)

    def dense(self, rows, columns):
        return padded(rows, columns, self.dtype, self.random)

    def output(self, rows, columns):
        return padded(rows, columns, self.dtype)

    def entries(self):
        return np.full(len(self.val), np.nan, self.dtype)

    def scatter(self, terms, start=0.0, reduce=np.add):
        """Reduces terms, one per entry, by row, in double precision."""
        out = np.full((ROWS, *terms.shape[1:]), start)
        with np.errstate(invalid="ignore"):
            reduce.at(out, self.row, terms)
        return out


def sizes(width):
    """The width as a kernel's argument: only where it is dynamic."""
    return [width] if width > 256 else []


def name_of(kernel, value, width):
    return f"{kernel}_{value}_{None if width is None or width > 256 else width}"


def assert_close(actual, expected, scale=1.0):
    """Within rounding of a sum of terms whose magnitudes add up to `scale`."""
    assert not np.isnan(actual).any()
    bound = 8 * np.finfo(actual.dtype).eps * np.maximum(scale, np.abs(expected))
    assert (np.abs(actual - expected) <= bound).all()


def run_rows(library, name, A, extra, out, sliced=()):
    """Runs a kernel whose output has a row per row, whole and by ranges: same bits."""
    call(library, name, A.pos, A.crd, A.val, ROWS, *extra, out)
    whole = out.copy()
    out[...] = np.nan
    for low, high in RANGES:
        mine = [a[low:high] if any(a is s for s in sliced) else a for a in extra]
        call(library, name, A.pos[low:], A.crd, A.val, high - low, *mine, out[low:high])
    assert (out.view(np.uint8) == whole.view(np.uint8)).all() or np.array_equal(out, whole)


def run_entries(library, name, A, extra, sliced=()):
    """The same for a kernel whose output has a value per entry."""
    whole, parts = A.entries(), A.entries()
    call(library, name, A.pos, A.crd, A.val, ROWS, *extra, whole)
    for low, high in RANGES:
        mine = [a[low:high] if any(a is s for s in sliced) else a for a in extra]
        call(library, name, A.pos[low:], A.crd, A.val, high - low, *mine, parts)
    assert np.array_equal(whole, parts)
    return whole


types = pytest.mark.parametrize(("value", "index"), TYPES)
widths = pytest.mark.parametrize("width", [*STATIC, *DYNAMIC])
few_widths = pytest.mark.parametrize("width", [*FEW, 257, 300])


@types
@widths
def test_spmm(library, value, index, width):
    A = Matrix(value, index, width)
    B, C = A.dense(COLUMNS, width), A.output(ROWS, width)
    run_rows(library, name_of("spmm", value, width), A, [*sizes(width), B], C)
    terms = A.val[:, None].astype(float) * B[A.crd]
    assert_close(C, A.scatter(terms), A.scatter(np.abs(terms)))
    assert padding_untouched(C)


@types
@few_widths
def test_max_plus(library, value, index, width):
    A = Matrix(value, index, width)
    B, C = A.dense(COLUMNS, width), A.output(ROWS, width)
    run_rows(library, name_of("maxplus", value, width), A, [*sizes(width), B], C)
    terms = A.val[:, None] + B[A.crd]
    assert np.array_equal(C, A.scatter(terms, -np.inf, np.maximum))
    assert padding_untouched(C)


@types
@few_widths
def test_sum_of_exponentials(library, value, index, width):
    A = Matrix(value, index, width)
    B, C = A.dense(COLUMNS, width), A.output(ROWS, width)
    run_rows(library, name_of("sumexp", value, width), A, [*sizes(width), B], C)
    expected = A.scatter(np.exp((B[A.crd] - A.val[:, None]).astype(float)))
    assert_close(C, expected, expected)


@types
@few_widths
def test_factor_of_the_row(library, value, index, width):
    A = Matrix(value, index, width)
    B, D, C = A.dense(COLUMNS, width), A.dense(ROWS, width), A.output(ROWS, width)
    run_rows(library, name_of("factor", value, width), A, [*sizes(width), B, D], C, [D])
    terms = A.val[:, None].astype(float) * D[A.row] * B[A.crd]
    assert_close(C, A.scatter(terms), A.scatter(np.abs(terms)))


@types
@few_widths
def test_scatter(library, value, index, width):
    A = Matrix(value, index, width)
    B, C = A.dense(ROWS, width), A.output(COLUMNS + 5, width)
    name = name_of("scatter", value, width)
    call(library, name, A.pos, A.crd, A.val, ROWS, *sizes(width), B, C)
    terms = A.val[:, None].astype(float) * B[A.row]
    expected, scale = np.zeros((2, COLUMNS + 5, width))
    np.add.at(expected, A.crd, terms)
    np.add.at(scale, A.crd, np.abs(terms))
    assert_close(C, expected, scale)
    assert padding_untouched(C)


@types
@few_widths
def test_batched(library, value, index, width):
    A = Matrix(value, index, width)
    items, rows = 3, ROWS // 3
    B = A.random.standard_normal((items, COLUMNS, width + 2)).astype(A.dtype)[..., :width]
    C = np.full((items, rows, width + 1), np.nan, A.dtype)[..., :width]
    name = name_of("batched", value, width)
    call(library, name, A.pos, A.crd, A.val, items, rows, *sizes(width), B, C)
    terms = A.val[:, None].astype(float) * B[A.row // rows, A.crd]
    expected, scale = A.scatter(terms), A.scatter(np.abs(terms))
    assert_close(C.reshape(ROWS, width), expected, scale)


@types
@widths
def test_sddmm(library, value, index, width):
    A = Matrix(value, index, width)
    G, B = A.dense(ROWS, width), A.dense(COLUMNS, width)
    name = name_of("sddmm", value, width)
    S = run_entries(library, name, A, [*sizes(width), G, B], [G])
    products = G[A.row].astype(float) * B[A.crd]
    assert_close(S, products.sum(1), np.abs(products).sum(1))


@types
def test_entry_bits_do_not_depend_on_their_place(library, value, index):
    """Rows of 1 to 9 copies of one entry: each copy has the same bits."""
    for width in [3, 20, 100, 128]:
        A = Matrix(value, index)
        A.pos = np.array([0, 1, 3, 6, 10, 15, 21, 28, 36, 45], NUMPY[index])
        A.crd, A.val = np.full(45, 7, NUMPY[index]), np.full(45, 0.3, A.dtype)
        G, B, S = A.dense(1, width), A.dense(COLUMNS, width), A.entries()
        G = np.broadcast_to(G, (9, width))  # leading stride 0
        for kernel in ["sddmm", "scaled"] if width in FEW else ["sddmm"]:
            name = name_of(kernel, value, width)
            call(library, name, A.pos, A.crd, A.val, 9, G, B, S)
            assert len(np.unique(S)) == 1


@types
def test_one_column_has_the_same_bits_for_every_stride(library, value, index):
    A = Matrix(value, index)
    G, B = A.dense(ROWS, 1), A.dense(COLUMNS, 1)
    results = []
    for g, b in [(G, B), (np.ascontiguousarray(G), np.ascontiguousarray(B))]:
        C, S = A.output(ROWS, 1), A.entries()
        call(library, f"spmm_{value}_1", A.pos, A.crd, A.val, ROWS, b, C)
        call(library, f"sddmm_{value}_1", A.pos, A.crd, A.val, ROWS, g, b, S)
        results.append((C.copy(), S))
    assert all(np.array_equal(x, y) for x, y in zip(*results, strict=True))
    assert_close(S, G[A.row, 0].astype(float) * B[A.crd, 0])


@types
@few_widths
def test_scaled_sddmm(library, value, index, width):
    A = Matrix(value, index, width)
    G, B = A.dense(ROWS, width), A.dense(COLUMNS, width)
    products = G[A.row].astype(float) * B[A.crd]
    scale = np.abs(products).sum(1)
    S = run_entries(library, name_of("into", value, width), A, [*sizes(width), G, B], [G])
    assert_close(S, products.sum(1), scale)
    name = name_of("scaled", value, width)
    S = run_entries(library, name, A, [*sizes(width), G, B], [G])
    assert_close(S, products.sum(1) * A.val, scale * np.abs(A.val))


@types
def test_spmv(library, value, index):
    A = Matrix(value, index)
    x, y = A.vector(COLUMNS), np.full(ROWS, np.nan, A.dtype)
    run_rows(library, f"spmv_{value}_None", A, [x], y)
    terms = A.val.astype(float) * x[A.crd]
    assert_close(y, A.scatter(terms), A.scatter(np.abs(terms)))


@types
@pytest.mark.parametrize("term", ["sum", "dot", "exp", "gather", "max", "maxnum"])
def test_row_reductions(library, value, index, term):
    A = Matrix(value, index)
    w, x = A.vector(len(A.val)), A.vector(max(ROWS, COLUMNS))
    y = np.full(ROWS, np.nan, A.dtype)
    run_rows(library, f"row_{term}_{value}_None", A, [w, x], y, [x] if term == "exp" else [])
    val = A.val.astype(float)
    if term.startswith("max"):
        assert np.array_equal(y, A.scatter(A.val, -np.inf, np.maximum))
        return
    if term in ("exp", "gather"):
        val = np.exp((A.val - x[A.row if term == "exp" else A.crd]).astype(float))
    elif term == "dot":
        val = val * w
    assert_close(y, A.scatter(val), A.scatter(np.abs(val)))


@types
def test_maximum_and_nan(library, value, index):
    """maximumf hands NaN on, maxnumf passes over it; empty rows stay at -inf."""
    A = Matrix(value, index)
    A.val[::7] = np.nan
    x, y = A.vector(len(A.val)), np.full(ROWS, np.nan, A.dtype)
    call(library, f"row_max_{value}_None", A.pos, A.crd, A.val, ROWS, x, x, y)
    expected = A.scatter(A.val, -np.inf, np.maximum)
    assert np.array_equal(y, expected, equal_nan=True)
    call(library, f"row_maxnum_{value}_None", A.pos, A.crd, A.val, ROWS, x, x, y)
    assert np.array_equal(y, A.scatter(A.val, -np.inf, np.fmax))


@types
@pytest.mark.parametrize("gather", [False, True])
def test_per_entry(library, value, index, gather):
    A = Matrix(value, index)
    w, x = A.vector(len(A.val)), A.vector(max(ROWS, COLUMNS))
    name = f"entry{'_gather' if gather else ''}_{value}_None"
    S = run_entries(library, name, A, [w, x], [] if gather else [x])
    shifted = (A.val - x[A.crd if gather else A.row]).astype(float)
    assert_close(S, np.exp(shifted) * w, np.exp(shifted) * np.abs(w))


@types
@few_widths
def test_dense_reductions(library, value, index, width):
    A = Matrix(value, index, width)
    x, y = A.dense(ROWS, width), np.full(width, np.nan, A.dtype)
    call(library, name_of("columns", value, width), ROWS, *sizes(width), x, y)
    assert_close(y, x.astype(float).sum(0), np.abs(x).sum(0))
    y = np.full(ROWS, np.nan, A.dtype)
    call(library, name_of("rows", value, width), ROWS, *sizes(width), x, y)
    assert_close(y, x.astype(float).sum(1), np.abs(x).sum(1))
    parts = np.full(ROWS, np.nan, A.dtype)
    for low, high in RANGES:
        arguments = [high - low, *sizes(width), x[low:high], parts[low:high]]
        call(library, name_of("rows", value, width), *arguments)
    assert np.array_equal(parts, y)


@types
@few_widths
def test_dense_map(library, value, index, width):
    A = Matrix(value, index, width)
    scale, X, Y = A.vector(ROWS), A.dense(ROWS, width), A.output(ROWS, width)
    call(library, name_of("map", value, width), ROWS, *sizes(width), scale, X, Y)
    first, second = np.exp(X.astype(float)), X.astype(float) * scale[:, None]
    assert_close(Y, first + second, first + np.abs(second))
    assert padding_untouched(Y)


def ulps(actual, exact):
    """Distance in units in the last place; exact in longer precision."""
    exact = np.asarray(exact, np.longdouble)
    spacing = np.spacing(np.abs(exact).astype(actual.dtype)).astype(np.longdouble)
    return np.abs(actual - exact) / spacing


@pytest.mark.parametrize("value", ["f32", "f64"])
@pytest.mark.parametrize("function", ["exp", "log"])
def test_elementary_functions(library, value, function):
    dtype, random = NUMPY[value], np.random.default_rng(0)
    limits = np.finfo(dtype)
    top = np.log(float(limits.max))
    x = [random.uniform(-1, 1, 100000), random.uniform(np.log(float(limits.tiny)), top, 100000)]
    if function == "log":
        x = [np.exp(part) for part in x] + [random.uniform(0, 2, 50000)]
    x = np.concatenate(x).astype(dtype)
    for size in [len(x), 1, 2, 7, 8, 9, 31]:  # full and masked chunks
        y = np.full(size, np.nan, dtype)
        call(library, f"{function}_{value}_None", size, x[:size], y)
        exact = getattr(np, function)(x[:size].astype(np.longdouble))
        assert ulps(y, exact).max() <= 1.0


@pytest.mark.parametrize("value", ["f32", "f64"])
def test_elementary_functions_at_their_limits(library, value):
    dtype = NUMPY[value]
    limits = np.finfo(dtype)
    inf, tiny = np.inf, float(limits.smallest_subnormal)
    deep = np.log(tiny)  # the least argument whose exponential is not zero
    x = np.array([0, -0.0, inf, -inf, np.nan, 1e4, -1e4, deep, deep + 5, deep - 1], dtype)
    y = np.full_like(x, np.nan)
    call(library, f"exp_{value}_None", len(x), x, y)
    with np.errstate(over="ignore", under="ignore"):
        exact = np.exp(x.astype(np.longdouble)).astype(dtype)
    assert np.array_equal(y[:7], [1, 1, inf, 0, np.nan, inf, 0], equal_nan=True)
    assert (np.abs(y[7:] - exact[7:]) <= tiny).all()
    x = np.array([0, -0.0, inf, -inf, np.nan, -1, 1, tiny, limits.max], dtype)
    y = np.full_like(x, np.nan)
    call(library, f"log_{value}_None", len(x), x, y)
    expected = [-inf, -inf, inf, np.nan, np.nan, np.nan, 0]
    assert np.array_equal(y[:7], expected, equal_nan=True)
    assert ulps(y[7:], np.log(x[7:].astype(np.longdouble))).max() <= 1.0


@pytest.mark.parametrize("value", ["f32", "f64"])
def test_functions_of_the_library(library, value):
    x = np.linspace(-3, 3, 37).astype(NUMPY[value])
    y = np.full_like(x, np.nan)
    call(library, f"tanh_{value}_None", len(x), x, y)
    assert ulps(y, np.tanh(x.astype(np.longdouble))).max() <= 4.0
