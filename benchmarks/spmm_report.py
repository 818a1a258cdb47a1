"""Turns the measurements of spmm.py into lines for the console and a page in Markdown."""

from report import facts, goals_table, judged, mean, milliseconds, table

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


def _columns(kind):
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
    }[kind]


def line(kind, row):
    """One line for the console."""
    where = f"{kind:<8} {row['matrix']:<8} {row['dtype']} x{row['threads']} p={row['width']:<4}"
    times = "  ".join(f"{name} {milliseconds(t)}" for name, t in row["times"].items())
    ratios = "  ".join(f"{name} {text(row)}" for name, text in _columns(kind))
    return f"{where} ms: {times}  |  {ratios}"


def _section(results, kind):
    parts = [f"## {_HEADINGS[kind]}\n\n{_NOTES[kind]}\n"]
    rows = results["tables"][kind]
    for name, title in results["titles"].items():
        chosen = [row for row in rows if row["matrix"] == name]
        if not chosen:
            continue
        names = list(chosen[0]["times"])
        columns = _columns(kind)
        header = ["type", "threads", "p", *names, *(heading for heading, _ in columns)]
        body = [
            [
                row["dtype"],
                str(row["threads"]),
                str(row["width"]),
                *(milliseconds(row["times"][name]) for name in names),
                *(text(row) for _, text in columns),
            ]
            for row in chosen
        ]
        parts.append(f"### {title}\n\n{table(header, body)}")
    return "\n".join(parts)


def goals(results):
    """(goal, wanted, what was found, met) for each goal that this run could judge."""

    def ratios(kind, above, below, wide=None, width=None):
        found = [
            _ratio(row, above, below)
            for row in results["tables"][kind]
            if (wide is None or (row["width"] >= 16) == wide) and width in (None, row["width"])
        ]
        return [ratio for ratio in found if ratio is not None]

    def us(timing):
        return [1e6 * timing["median"]]

    def ms(timing):
        return [1e3 * timing["median"]]

    spmm, sddmm = (ratios(kind, "tsgu", "hand") for kind in ("kernel", "sampled"))
    mkl = ratios("kernel", "MKL", "tsgu", wide=True)
    user, user_vector = (ratios("user", "torch", "tsgu", wide) for wide in (True, False))
    more = ratios("gradient", "tsgu", "tsgu forward")
    gradient = ratios("gradient", "torch", "tsgu", width=32)
    calls, compilation = results["overheads"]["calls"], results["overheads"]["compilation"]
    small = [
        (f"10 x 10, {what}{step}, us", us(calls[f"{name} {step}"]), "<=", goal, min)
        for name, what in (("tsgu", ""), ("tsgu, a program from text", "a program from text: "))
        for step, goal in (("forward", 5.5), ("forward + backward", 33))
    ]
    first, after = compilation["compiled first in a process"], compilation["compiled after that"]
    disk = compilation["from disk after that"]
    wanted = [
        ("SpMM: time / hand-written, geometric mean", spmm, "<=", 1.05, mean),
        ("SpMM: time / hand-written, worst", spmm, "<=", 1.05, max),
        ("SDDMM: time / hand-written, geometric mean", sddmm, "<=", 1.05, mean),
        ("SDDMM: time / hand-written, worst", sddmm, "<=", 1.05, max),
        ("SpMM: MKL's time / ours, p >= 16, geometric mean", mkl, ">=", 1.25, mean),
        ("SpMM: MKL's time / ours, p >= 16, worst", mkl, ">=", 0.95, min),
        ("user: torch's time / ours, p >= 16, geometric mean", user, ">=", 3, mean),
        ("user: torch's time / ours, p = 1, worst", user_vector, ">=", 1, min),
        ("forward + backward / our forward, worst", more, "<=", 3.5, max),
        ("forward + backward: torch's time / ours, p = 32, worst", gradient, ">=", 10, min),
        *small,
        ("compile, first in a process, ms", ms(first), "<=", 150, min),
        ("compile, after that, ms", ms(after), "<=", 60, min),
        ("from disk, libtsgu-compiler loaded, ms", ms(disk), "<=", 1, min),
    ]
    return judged(wanted, ".3g")


def _overhead_section(results):
    def body(timings, unit):
        return [
            [name, f"{unit * t['best']:.3g}", f"{unit * t['median']:.3g}", str(t["samples"])]
            for name, t in timings.items()
        ]

    small = table(
        ["10 x 10 CSR, p = 8, us per call", "best", "median", "samples"],
        body(results["overheads"]["calls"], 1e6),
    )
    latency = table(
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
    return f"## Roofs\n\n{table(header, body)}"


def markdown(results):
    """The page."""
    intro = f"""# SpMM and its gradient, measured

{facts(results)}
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
            f"## Goals\n\n{goals_table(goals(results))}",
            _overhead_section(results),
            *(_section(results, kind) for kind in _HEADINGS),
            _roof_section(results),
        ]
    )
