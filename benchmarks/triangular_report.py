"""Turns the measurements of triangular.py into lines for the console and a page in Markdown."""

from report import facts, goals_table, judged, mean, milliseconds, table

_PEERS = ("MKL", "Eigen", "torch")


def _best(row, name):
    return row["times"][name]["best"]


def _best_peer(row):
    return min(_best(row, name) for name in _PEERS if name in row["times"])


def _ours(row):
    return _best(row, "prepared")


def _break_even(row, name):
    """Analysis in solves of the same kind."""
    return row["analysis"][name] / _best(row, name)


def line(row):
    """One line for the console."""
    times = "  ".join(f"{name} {1e3 * _best(row, name):.3g}" for name in row["times"])
    analysis = "  ".join(
        f"{name} {1e3 * seconds:.3g} ({_break_even(row, name):.1f})"
        for name, seconds in row["analysis"].items()
    )
    peer = _best_peer(row) / _ours(row)
    where = f"{row['matrix']:<8} x{row['threads']} p={row['width']:<3}"
    return f"{where} ms: {times}  | best peer/prepared {peer:.2f} | analysis {analysis}"


def goals(results):
    """(goal, wanted, found, met) for each goal that this run could judge."""
    single, block = ([row for row in results["rows"] if row["width"] == width] for width in (1, 32))
    wanted = []
    for ours in ("prepared", "packed", "hashed", "one-shot"):
        ratios = [_best_peer(row) / _best(row, ours) for row in single]
        goal = f"trsv: best peer's time / ours ({ours})"
        wanted.append((f"{goal}, geometric mean", ratios, ">=", 1.2, mean))
        wanted.append((f"{goal}, worst", ratios, ">=", 0.9, min))
    ratios = [_best(row, "serial") / _ours(row) for row in single]
    wanted.append(("trsv: our serial path's time / ours, worst", ratios, ">=", 1, min))
    solves = [_break_even(row, name) for row in single for name in ("prepared", "one-shot")]
    wanted.append(("analysis in solves, most", solves, "<=", 15, max))
    for name, bound in (("MKL", 1.5), ("torch", 4), ("Eigen", 4)):
        ratios = [_best(row, name) / _ours(row) for row in block if name in row["times"]]
        goal = f"trsm p = 32: {name}'s time / ours"
        wanted.append((f"{goal}, geometric mean", ratios, ">=", bound, mean))
        wanted.append((f"{goal}, worst", ratios, ">=", bound, min))
    return judged(wanted)


def _solves(rows):
    names = [name for name in rows[0]["times"]]
    body = []
    for row in rows:
        where = [row["matrix"], str(row["threads"])]
        cells = [milliseconds(row["times"][name]) for name in names]
        body.append(where + cells + [f"{_best_peer(row) / _ours(row):.2f}"])
    return table(["triangle", "threads", *names, "best peer / prepared"], body)


def _analyses(rows):
    names = [name for name in rows[0]["analysis"]]
    body = []
    for row in rows:
        cells = [
            f"{1e3 * row['analysis'][name]:.3g} ({_break_even(row, name):.1f})" for name in names
        ]
        body.append([row["matrix"], str(row["width"]), str(row["threads"]), *cells])
    return table(["triangle", "p", "threads", *names], body)


def markdown(results):
    """The page."""
    rows = results["rows"]
    titles = "; ".join(f"{name}: {title}" for name, title in results["titles"].items())
    return f"""# Triangular solves, measured

{facts(results)}
Times are milliseconds, best / median of at least 20 calls (in brackets: fewer), all candidates
taking turns in one process, in float64 with int32 indices. Ratios are of best times. Every
candidate was checked against SciPy before it was timed. The lower triangles are of these:
{titles}.

`prepared` is `tsgu_triangular_solve`, whose values are in the order of the analysis; `one-shot` is
`tsgu_solve`, which reads the caller's values, on fewer than four threads row by row in their own
order, as fast as one thread reads them. `packed` is `tsgu.sparse_triangular_solve` in torch, of a
matrix that `tsgu.csr` made and whose values have been the same for 48 solves, `hashed` the same of
torch's own CSR tensor, whose values others may write to; both allocate their result. `serial` is
our loop over rows in their own order on one thread. MKL has hints and has been optimised. Eigen has
one thread, and right-hand sides stored by columns, which is what it is best at.

## Goals

{goals_table(goals(results))}
## One right-hand side

{_solves([row for row in rows if row["width"] == 1])}
## 32 right-hand sides

{_solves([row for row in rows if row["width"] == 32])}
## Analysis

Milliseconds once per pattern (for `prepared` with bringing values into order, for MKL
`mkl_sparse_optimize`), in brackets how many solves take as long.

{_analyses(rows)}"""
