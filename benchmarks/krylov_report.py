"""Turns the measurements of krylov.py into lines for the console and a page in Markdown."""

from report import facts, goals_table, judged, mean, table

# Vectors that an iteration reads, writes, and of those the ones it has not read before (which a
# store brings into the cache first), in as few passes as the method allows; products with A.
_STREAMS = {
    "cg": (6, 4, 1, 1),  # q = A p, p^H q | r -= a q, r^H r | x += a p, p = r + b p
    "bicgstab": (12, 6, 2, 2),  # v = A p | s = r - a v | t = A s | x, r, p
    "minres": (8, 4, 1, 1),  # y = A u, u^H y | the next u | the next direction, x
}
_SIZES = {"f32": 4, "f64": 8}
_TITLES = {"cg": "CG", "bicgstab": "BiCGSTAB", "minres": "MINRES"}


def _bytes(row):
    """Read, written, and of those not read before."""
    reads, writes, fresh, products = _STREAMS[row["method"]]
    size = _SIZES[row["dtype"]]
    matrix = row["stored"] * (size + 4) + 4 * (row["rows"] + 1)
    vector = size * row["rows"]
    return products * matrix + reads * vector, writes * vector, fresh * vector


def floor(row, roofs):
    """The least seconds of an iteration: no byte twice in a pass, at the best rate measured."""
    rates = roofs[row["threads"]]
    read, written, fresh = _bytes(row)
    update = (read + written + fresh) / max(rates["read"], rates["update"])
    return min(update, (read + written) / max(rates.values())) * 1e-9


def _best(row, name):
    return row["times"][name]["best"]


def line(kind, row):
    """One line for the console."""
    where = " ".join(
        str(row[key]) for key in ("matrix", "method", "dtype", "threads") if key in row
    )
    unit, factor = ("us", 1e6) if kind == "small" else ("ms", 1e3)
    times = "  ".join(f"{name} {factor * t['best']:.3g}" for name, t in row["times"].items())
    extra = f"  product {factor * row['product']:.3g}" if "product" in row else ""
    return f"{kind:<8} {where:<28} {unit}: {times}{extra}"


def _beside_product(row):
    """Seconds of an iteration beside the products with the matrix."""
    return _best(row, "tsgu") - row["products"] * row["product"]


def goals(results):
    """(goal, wanted, found, met) for each goal that this run could judge."""
    tables, roofs = results["tables"], results["roofs"]

    def ratios(rows, above, below):
        return [_best(row, above) / _best(row, below) for row in rows]

    wanted = []
    for method, title in _TITLES.items():
        rows = [row for row in tables["large"] if row["method"] == method]
        shares = [floor(row, roofs) / _best(row, "tsgu") for row in rows]
        wanted.append((f"{title}: share of the memory roof, worst", shares, ">=", 0.8, min))
        for peer in ("Eigen", "SciPy"):
            goal = f"{title}: {peer}'s time / ours, geometric mean"
            wanted.append((goal, ratios(rows, peer, "tsgu"), ">=", 3, mean))
    beside = [1e6 * _beside_product(row) for row in tables["small"]]
    wanted.append(("n <= 1000: us per iteration beside the matrix, worst", beside, "<=", 3, max))
    more = ratios(tables["gradient"], "both", "forward")
    wanted.append(("forward + backward / forward, worst", more, "<=", 2.2, max))
    for what in ("setup", "solve"):
        peer = ratios(tables["amg"], f"pyamg {what}", f"tsgu {what}")
        wanted.append((f"AMG {what}: pyamg's time / ours, worst", peer, ">=", 1, min))
    return judged(wanted)


def _large(results):
    body = []
    for row in results["tables"]["large"]:
        ours, read_written = _best(row, "tsgu"), sum(_bytes(row)[:2])
        least = floor(row, results["roofs"])
        body.append(
            [
                f"{row['matrix']} {results['shapes'][row['matrix']]}",
                _TITLES[row["method"]],
                row["dtype"],
                str(row["threads"]),
                *(f"{1e3 * _best(row, name):.1f}" for name in ("tsgu", "Eigen", "SciPy")),
                f"{1e3 * least:.1f}",
                f"{100 * least / ours:.0f} %",
                f"{1e-9 * read_written / ours:.1f}",
                f"{_best(row, 'Eigen') / ours:.2f}",
                f"{_best(row, 'SciPy') / ours:.2f}",
                f"{1e3 * row['times']['tsgu']['beside']:.0f}",
            ]
        )
    header = ["grid", "method", "type", "threads", "tsgu", "Eigen", "SciPy", "roof"]
    header += ["of roof", "GB/s", "Eigen/tsgu", "SciPy/tsgu", "beside"]
    return table(header, body)


def _small(results):
    body = [
        [
            row["matrix"],
            _TITLES[row["method"]],
            *(f"{1e6 * _best(row, name):.2f}" for name in ("tsgu", "Eigen", "SciPy")),
            f"{1e6 * row['products'] * row['product']:.2f}",
            f"{1e6 * _beside_product(row):.2f}",
            f"{1e6 * row['times']['tsgu']['beside']:.0f}",
        ]
        for row in results["tables"]["small"]
    ]
    header = ["grid", "method", "tsgu", "Eigen", "SciPy", "products", "without", "beside"]
    return table(header, body)


def _gradients(results):
    body = [
        [
            row["matrix"],
            _TITLES[row["method"]],
            str(row["threads"]),
            *(
                f"{1e3 * row['times'][name]['best']:.1f} / {1e3 * row['times'][name]['median']:.1f}"
                for name in ("forward", "both")
            ),
            f"{_best(row, 'both') / _best(row, 'forward'):.2f}",
        ]
        for row in results["tables"]["gradient"]
    ]
    header = ["system", "method", "threads", "forward", "forward + backward", "ratio"]
    return table(header, body)


def _multigrid(results):
    body = [
        [
            row["matrix"],
            str(row["threads"]),
            *(
                f"{1e3 * _best(row, f'{name} {what}'):.0f}"
                for what in ("setup", "solve")
                for name in ("tsgu", "pyamg")
            ),
            *(str(row["iterations"][name]) for name in ("tsgu", "pyamg")),
        ]
        for row in results["tables"]["amg"]
    ]
    header = ["grid", "threads", "tsgu setup", "pyamg setup", "tsgu solve", "pyamg solve"]
    return table([*header, "tsgu iterations", "pyamg iterations"], body)


def _roofs(results):
    body = [
        [str(threads), *(f"{rates[name]:.1f}" for name in ("read", "update", "stream"))]
        for threads, rates in results["roofs"].items()
    ]
    return table(["threads", "read", "a = b + s c (4 streams)", "non-temporal (3 streams)"], body)


def markdown(results):
    """The page."""
    return f"""# Krylov methods, measured

{facts(results)}
All candidates take turns in one process. An iteration's time is the difference of two solves that
run a few and some more iterations from zero, each the best of its runs, divided by the iterations
between: what a solve costs beside its iterations is in the column `beside`. Nobody stops early, and
nobody has a preconditioner. Indices are int32. SciPy has one thread; with two, Eigen multiplies
with two and does the rest with one. All were checked against a direct solution.

## Goals

{goals_table(goals(results))}
{_NOTES}
## Systems larger than the caches, milliseconds per iteration

`roof` is the least time an iteration can take: the bytes of the matrix (values, 32-bit coordinates
and positions) and of the vectors, each once in every pass, at the best rate of the last table.
CG reads 6 and writes 4 vectors in 3 passes, one of them not read before; BiCGSTAB 12 and 6 in 4
passes (ours: 13 and 6 in 5), two not read before; MINRES 8 and 4 in 3. `GB/s` counts no vector
twice that a store brings into the cache.

{_large(results)}
## Small systems, microseconds per iteration

`products` is what Eigen needs to multiply with the matrix alone, once or twice; `without` is our
time less that.

{_small(results)}
## Gradients: milliseconds, best / median

`tsgu.sparse_generic_solve(A, b)` to 1e-8, and that with `backward` to the values of A and to b.

{_gradients(results)}
## CG with multigrid, milliseconds

Smoothed aggregation; one right-hand side, to 1e-8. pyamg is its `smoothed_aggregation_solver` as it
comes, as the preconditioner of SciPy's CG.

{_multigrid(results)}
## Roofs: 1e9 bytes per second on a set of 1 GiB

{_roofs(results)}"""


_NOTES = """What bounds the ratios: a factor of 3 needs a peer that is far from the memory's rate,
or moves three times the bytes. In double precision on the 5-point grid our CG moves 152 bytes for
each row (64 of the matrix, 88 of vectors), Eigen's about 190 (it makes its updates and inner
products in passes of their own): at one rate of the memory, that is a factor of 1.3 on one thread,
and less than twice as much on two, of which Eigen's vectors use one. SciPy moves about as much as
Eigen, on one thread.

What was done: inner products are made of a product's rows while they are in the cache, updates and
the inner products that follow in one pass; vectors are spelled out at the width of the processor;
rows of 3, 5 and 7 entries, those inside of a grid, have no loop over their entries (2.1 instead of
3.4 ns a row of 5 entries, all in the L2 cache of a Xeon); systems below 256 KiB a vector run on one
thread, with no allocation in an iteration but for MINRES's coefficients. Passes of one iteration
are not merged with those of the next, which would save CG the reading of one vector of eleven.
Products with short rows fetch the matrix ahead (6 to 13 % of an iteration on 2000^2; fetching the
vectors ahead, too, 2 %). Their passes read far more than they write: at the rate at which memory is
only read, instead of the best of all, for them, CG on the 5-point grid is at 91 and 93 % of the
roof.
"""
