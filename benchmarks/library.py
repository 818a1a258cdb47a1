"""Measures every function beside the one of torchsparsegradutils that it replaces.

Both take turns in this process, on the same tensors, after their results were compared. Writes
LIBRARY.md and library.json beside this file (unless complete: into the build folder).
"""

import os
import warnings
from pathlib import Path

# Idle threads of OpenMP would spin on the cores of the next candidate.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import torch

import tsgu
from library_cases import CASES, load_library
from measure import Run, interleave
from report import command_line, facts, goals_table, judged, mean, milliseconds, table, write

warnings.filterwarnings("ignore")

_HERE = Path(__file__).resolve().parent
_NAMES = {"tsgu": "tsgu", "torchsparsegradutils": "old"}


def _step(forward, leaves, cotangent):
    def step():
        torch.autograd.grad(forward(), leaves, cotangent)

    return step


def _dense(A, weights):
    """A itself, or its product with weights where it would take too much memory."""
    if weights is not None:
        return torch.sparse.mm(A, weights)
    return A if A.layout is torch.strided else A.to_dense()


def _difference(ours, theirs):
    """Relative, of tensors of any layout."""
    weights = None
    if ours.layout is not torch.strided and ours.numel() > 1 << 27:
        weights = torch.randn(ours.shape[-1], 4)
    ours, theirs = (_dense(x, weights) for x in (ours, theirs))
    scale = theirs[theirs.isfinite()].abs().amax() if theirs.numel() else 1
    return ((ours - theirs).nan_to_num(0, 0, 0).abs().amax() / scale.clamp_min(1e-30)).item()


def _measure(case, libraries, samples):
    """Rows of one case: forward, and forward + backward where it has leaves."""
    calls = {"forward": {}, "forward + backward": {}}
    results = {}
    for module, name in _NAMES.items():
        torch.manual_seed(0)
        forward, leaves = case.make(libraries[module])
        results[name] = forward()
        calls["forward"][name] = forward
        if leaves:
            cotangent = torch.ones_like(results[name])
            calls["forward + backward"][name] = _step(forward, leaves, cotangent)
    difference = _difference(results["tsgu"], results["old"]) if case.same else None
    if difference is not None and not difference < case.tolerance:
        raise SystemExit(f"{case.name}: results differ by {difference:.1e}")
    for what, candidates in calls.items():
        if candidates and (refusal := _refusal(candidates["old"])):
            yield {"case": case.name, "group": case.group, "what": what, "refusal": refusal}
        elif candidates:
            timings = interleave(candidates, samples, few={"old": 1})
            times = {name: vars(timing) for name, timing in timings.items()}
            yield {"case": case.name, "group": case.group, "what": what, "times": times}


def _refusal(call):
    """What the old library raises, if anything: some of its derivatives are missing."""
    try:
        call()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return None


def _ratio(row):
    return row["times"]["old"]["best"] / row["times"]["tsgu"]["best"]


def _line(row):
    if "refusal" in row:
        return f"old raises: {row['refusal']}"
    ours, theirs = (1e3 * row["times"][name]["best"] for name in ("tsgu", "old"))
    return f"tsgu {ours:9.3f} ms  old {theirs:9.3f} ms  x{_ratio(row):.2f}"


def _goals(rows):
    rows = [row for row in rows if "times" in row]
    ratios = [_ratio(row) for row in rows]
    sums = [_ratio(row) for row in rows if row["group"] == "logsumexp, large"]
    return judged(
        [
            ("old / tsgu, worst", ratios, ">=", 1, min),
            ("old / tsgu, geometric mean", ratios, ">=", 3, mean),
            ("log-sum-exp of large matrices, geometric mean", sums, ">=", 5, mean),
        ]
    )


def _page(results, goals):
    lines = [
        [row["case"], row["what"], *(milliseconds(row["times"][n]) for n in ("tsgu", "old"))]
        + [f"{_ratio(row):.2f}"]
        for row in results["rows"]
        if "times" in row
    ]
    refused = "".join(
        f"- {row['case']}, {row['what']}: {row['refusal']}\n"
        for row in results["rows"]
        if "refusal" in row
    )
    header = ["function", "", "tsgu", "old", "old/tsgu"]
    return f"""\
# The library that it replaces, side by side

{facts(results)}
`old` is torchsparsegradutils. Both take turns in one process on the same float32 tensors (int64
indices), each result compared first; milliseconds, best / median. Without another word a matrix has
n = 1,024 and 4,096 entries, a right-hand side 64 columns and a batch 128 items; `cfd` is the
27-point grid of 50^3, as many entries in a row as the matrix cfd2 has. A step takes gradients of
all operands; `backward` of the old library on larger ones takes memory for entries times columns.

Indices lie in torch's own memory, but for the row that says NumPy's: those are compared with the
pattern at each use, about 1 ms for 3.2 million of int64. Until 2ca765a all large log-sum-exp cases
had such, so that their earlier figures are not comparable with these.

## Goals

{goals_table(goals)}
## Functions

{table(header, lines)}
What the old library raises instead:

{refused}"""


def main():
    parser = command_line(__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    arguments = parser.parse_args()
    run, rows, absent = Run(), [], []
    libraries = {"tsgu": tsgu, "torchsparsegradutils": load_library()}
    for case in CASES:
        if arguments.only not in case.name or (arguments.mode == "quick" and case.large):
            continue
        for row in _measure(case, libraries, 5 if arguments.mode == "quick" else 20):
            rows.append(row)
            print(f"{row['case']:<44} {row['what']:<19}", _line(row), flush=True)
    versions = {"tsgu": tsgu.__version__, "torch": torch.__version__}
    versions["torchsparsegradutils"] = libraries["torchsparsegradutils"].__version__
    results = run.facts(arguments.mode, versions, absent) | {"rows": rows}
    goals = _goals(rows)
    complete = arguments.mode == "full" and not arguments.only
    write("library", results, _page(results, goals), goals, _HERE if complete else arguments.build)


if __name__ == "__main__":
    main()
