"""Turns the measurements into lines for the console and a page in Markdown."""

import math

_HEADINGS = {
    "kernel": "Kernel: C = A B into a given buffer",
    "sampled": "Kernel: the gradient of A's values (SDDMM) into a given buffer",
    "user": "As a user calls it: `tsgu.sparse_mm` and `torch.sparse.mm`, allocation included",
    "gradient": "Forward and backward of both operands, layouts cached",
}
_NOTES = {
    "kernel": "Every kernel overwrites the same buffers, on memory with huge pages. `of roof` is "
    "the least time divided by ours, with the roof that binds.",
    "sampled": "MKL has no such kernel.",
    "user": "torch gets the same CSR tensor with int32 indices.",
    "gradient": "`x forward` is our forward and backward divided by our forward.",
}


def _ratio(row, above, below):
    times = row["times"]
    if above not in times or below not in times:
        return None
    return times[above]["best"] / times[below]["best"]


def _columns(table):
    """(heading, function of a row giving text) for the ratios of a table."""

    def ratio(above, below):
        def text(row):
            value = _ratio(row, above, below)
            return "-" if value is None else f"{value:.2f}"

        return text

    def roof(row):
        floor = row["floor"]
        return f"{100 * floor['seconds'] / row['times']['tsgu']['best']:.0f} % {floor['roof']}"

    rate = ("GF/s", lambda row: f"{row['gflop'] / row['times']['tsgu']['best']:.1f}")
    return {
        "kernel": [
            rate,
            ("tsgu/hand", ratio("tsgu", "hand")),
            ("MKL/tsgu", ratio("MKL", "tsgu")),
            ("of roof", roof),
        ],
        "sampled": [rate, ("tsgu/hand", ratio("tsgu", "hand")), ("of roof", roof)],
        "user": [("torch/tsgu", ratio("torch", "tsgu"))],
        "gradient": [
            ("x forward", ratio("tsgu", "tsgu forward")),
            ("torch/tsgu", ratio("torch", "tsgu")),
        ],
    }[table]


def _milliseconds(timing):
    few = "" if timing["samples"] >= 20 else f" ({timing['samples']})"
    return f"{1e3 * timing['best']:.3g} / {1e3 * timing['median']:.3g}{few}"


def line(table, row):
    """One line for the console."""
    where = f"{table:<8} {row['matrix']:<8} {row['dtype']} x{row['threads']} p={row['width']:<4}"
    times = "  ".join(f"{name} {_milliseconds(t)}" for name, t in row["times"].items())
    ratios = "  ".join(f"{name} {text(row)}" for name, text in _columns(table))
    return f"{where} ms: {times}  |  {ratios}"


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _section(results, table):
    parts = [f"## {_HEADINGS[table]}\n\n{_NOTES[table]}\n"]
    rows = results["tables"][table]
    for name, title in results["titles"].items():
        chosen = [row for row in rows if row["matrix"] == name]
        if not chosen:
            continue
        names = list(chosen[0]["times"])
        columns = _columns(table)
        header = ["type", "threads", "p", *names, *(heading for heading, _ in columns)]
        body = [
            [
                row["dtype"],
                str(row["threads"]),
                str(row["width"]),
                *(_milliseconds(row["times"][name]) for name in names),
                *(text(row) for _, text in columns),
            ]
            for row in chosen
        ]
        parts.append(f"### {title}\n\n{_table(header, body)}")
    return "\n".join(parts)


def _mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def _goals(results):
    """(goal, wanted, what was found, met) for each goal that this run could judge."""
    goals = []

    def judge(goal, values, bound, summary, at_most):
        values = [value for value in values if value is not None]
        if not values:
            return
        found = summary(values)
        met = found <= bound if at_most else found >= bound
        wanted = f"{'<=' if at_most else '>='} {bound:g}"
        goals.append((goal, wanted, f"{found:.3g}", "yes" if met else "no"))

    def ratios(table, above, below, wide=None, width=None):
        return [
            _ratio(row, above, below)
            for row in results["tables"][table]
            if (wide is None or (row["width"] >= 16) == wide) and width in (None, row["width"])
        ]

    for table, name in (("kernel", "SpMM"), ("sampled", "SDDMM")):
        values = ratios(table, "tsgu", "hand")
        judge(f"{name}: time / hand-written, geometric mean", values, 1.05, _mean, True)
        judge(f"{name}: time / hand-written, worst", values, 1.05, max, True)
    wide = ratios("kernel", "MKL", "tsgu", wide=True)
    judge("SpMM: MKL's time / ours, p >= 16, geometric mean", wide, 1.25, _mean, False)
    judge("SpMM: MKL's time / ours, p >= 16, worst", wide, 0.95, min, False)
    judge(
        "user: torch's time / ours, p >= 16, geometric mean",
        ratios("user", "torch", "tsgu", wide=True),
        3,
        _mean,
        False,
    )
    judge(
        "user: torch's time / ours, p = 1, worst",
        ratios("user", "torch", "tsgu", False),
        1,
        min,
        False,
    )
    judge(
        "forward + backward / our forward, worst",
        ratios("gradient", "tsgu", "tsgu forward"),
        3.5,
        max,
        True,
    )
    judge(
        "forward + backward: torch's time / ours, p = 32, worst",
        ratios("gradient", "torch", "tsgu", width=32),
        10,
        min,
        False,
    )
    calls, compilation = results["overheads"]["calls"], results["overheads"]["compilation"]
    for goal, timing, bound, unit in (
        ("10 x 10 forward, us", calls["tsgu forward"], 8, 1e6),
        ("10 x 10 forward + backward, us", calls["tsgu forward + backward"], 30, 1e6),
        ("compile, first in a process, ms", compilation["compiled first in a process"], 150, 1e3),
        ("compile, after that, ms", compilation["compiled after that"], 60, 1e3),
        ("from disk, libtsgu-compiler loaded, ms", compilation["from disk after that"], 1, 1e3),
    ):
        judge(goal, [unit * timing["median"]], bound, min, True)
    return goals


def markdown_goals(results):
    return _table(["goal", "wanted", "found", "met"], _goals(results))


def _overhead_section(results):
    def body(table, unit):
        return [
            [name, f"{unit * t['best']:.3g}", f"{unit * t['median']:.3g}", str(t["samples"])]
            for name, t in table.items()
        ]

    small = _table(
        ["10 x 10 CSR, p = 8, us per call", "best", "median", "samples"],
        body(results["overheads"]["calls"], 1e6),
    )
    latency = _table(
        ["one SpMM kernel, ms until the call returns", "best", "median", "samples"],
        body(results["overheads"]["compilation"], 1e3),
    )
    return f"## Overheads\n\n{small}\n{latency}"


def _roof_section(results):
    threads = list(results["roofs"][0][2])
    header = ["roof", "unit", *(f"{count} thread{'s' * (count != 1)}" for count in threads)]
    body = [
        [what, unit, *(f"{rates[count]:.1f}" for count in threads)]
        for what, unit, rates in results["roofs"]
    ]
    return f"## Roofs\n\n{_table(header, body)}"


def markdown(results):
    """The page."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    absent = "".join(f" Left out: {reason}." for reason in results["absent"])
    intro = f"""# SpMM and its gradient, measured

`make bench` on {results["date"]}: {results["cpu"]}, {results["cores"]} cores; {versions}.{absent}
Other processes took {100 * results["other_load"]:.0f} % of the machine meanwhile; the run took
{results["seconds"] / 60:.0f} minutes.

Times are milliseconds, best / median of at least 20 calls, all candidates taking turns in one
process; the number of calls is given where there were fewer (torch above 0.3 s,
the loop that sets a roof above 0.01 s).
Ratios are of best times.
Every kernel was checked against SciPy, on outputs poisoned with NaN, before it was timed.
The roofs were measured in the same run. A kernel's least time is the longest of its compulsory
bytes at the rate of the memory they fit in, its gathers in the time (`gather`) of a loop that does
nothing else than read the rows of B in that order, and its operations at the peak.
"""
    return "\n".join(
        [
            intro,
            f"## Goals\n\n{markdown_goals(results)}",
            _overhead_section(results),
            *(_section(results, table) for table in _HEADINGS),
            _roof_section(results),
        ]
    )
