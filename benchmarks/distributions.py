"""Measures samples of normal distributions with sparse factors, beside torchsparsegradutils.

A step draws samples and takes the gradients of all parameters. Each library runs in processes of
its own, in turns, so that its memory is its own. Writes DISTRIBUTIONS.md and distributions.json
beside this file (unless complete: into the build folder).
"""

import importlib
import importlib.metadata
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

from measure import Run, Timing
from report import command_line, facts, goals_table, judged, mean, milliseconds, table, write

_HERE = Path(__file__).resolve().parent
_LIBRARIES = {"tsgu": "tsgu", "old": "torchsparsegradutils"}
_LIMIT = 12 << 30  # bytes that a process may take
_SECONDS = 2.0  # of steps in a process


# ===-- In a process of its own --------------------------------------------------------===#


def _memory(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def _encoded(library, layout, form, side, radius):
    """Sites of a volume, each of which depends on its neighbours."""
    import torch

    part = importlib.import_module(f"{library}.encoders")
    shape = 1, side, side, side
    encoder = part.PairwiseEncoder(
        radius, shape, diag=True, upper=False, layout=getattr(torch, f"sparse_{layout}")
    )
    values = 0.05 * torch.randn(len(encoder.offsets), *shape)
    values[0] = 1.0
    return {form: lambda: encoder(values)}, encoder.volume_numel, (values.requires_grad_(),)


def _random(library, layout, form):
    """n = 1,024 and 4,096 entries; the same for both libraries."""
    import torch

    n, more = 1024, 3072
    places = torch.randperm(n * (n - 1) // 2)[:more].double()
    row = ((1 + (1 + 8 * places).sqrt()) / 2).long()
    column = places.long() - row * (row - 1) // 2
    chain = torch.arange(n)
    indices = torch.cat([torch.stack([row, column]), torch.stack([chain, chain])], 1)
    values = torch.cat([0.05 * torch.randn(more), torch.ones(n)])
    A = torch.sparse_coo_tensor(indices, values, (n, n)).coalesce()
    A = (A if layout == "coo" else A.to_sparse_csr()).detach().requires_grad_()
    return {form: lambda: A}, n, (A,)


def _step(library, factor, count, n, leaves):
    import torch

    normal = importlib.import_module(f"{library}.distributions").SparseMultivariateNormal
    loc = torch.zeros(n, requires_grad=True)
    cotangent = torch.randn(*count, n)

    def step():
        made = {name: make() for name, make in factor.items()}
        torch.autograd.grad(normal(loc, **made).rsample(count), (loc, *leaves), cotangent)

    return step


def _child(library, case):
    """Prints seconds of steps and the most memory that one took, in bytes."""
    warnings.filterwarnings("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT, _LIMIT))
    import torch

    torch.manual_seed(0)
    kind, layout, form, *size = case
    small = [8, size[1]] if kind == "encoder" else size
    make = _encoded if kind == "encoder" else _random
    count = () if kind == "encoder" else (128,)
    _step(library, *_arguments(make, library, layout, form, small, count))()  # loads and compiles
    step = _step(library, *_arguments(make, library, layout, form, size, count))
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    seconds, end = [], time.perf_counter() + _SECONDS
    while not seconds or time.perf_counter() < end and len(seconds) < 50:
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "memory": _memory("VmHWM") - before}))


def _arguments(make, library, layout, form, size, count):
    factor, n, leaves = make(library, layout, form, *size)
    return factor, count, n, leaves


# ===-- Report ----------------------------------------------------------------------===#

_CASES = [
    (kind, layout, form, *size)
    for kind, *size in (("random",), ("encoder", 16, 1.5), ("encoder", 32, 1))
    for form in ("scale_tril", "precision_tril")
    for layout in ("coo", "csr")
]
_ALONE = [("encoder", layout, "precision_tril", 64, 2) for layout in ("coo", "csr")]


def _name(case):
    kind, layout, form, *size = case
    what = f"{form.split('_')[0]}, {layout.upper()}"
    if kind == "random":
        return f"n = 1,024, 4,096 entries, 128 samples, {what}"
    return f"encoder {size[0]}^3, radius {size[1]}, {what}"


def _measure(case, names, rounds):
    found = {name: {"seconds": [], "memory": 0} for name in names}
    for _ in range(rounds):
        for name in names:
            command = [sys.executable, __file__, "--child", _LIBRARIES[name], json.dumps(case)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            measured = json.loads(output.splitlines()[-1])
            found[name]["seconds"] += measured["seconds"]
            found[name]["memory"] = max(found[name]["memory"], measured["memory"])
    times = {name: vars(Timing.of(each["seconds"])) for name, each in found.items()}
    return {
        "case": _name(case),
        "times": times,
        "memory": {name: each["memory"] for name, each in found.items()},
    }


def _goals(rows):
    both = [row for row in rows if "old" in row["times"]]
    ratios = [row["times"]["old"]["best"] / row["times"]["tsgu"]["best"] for row in both]
    large = [
        (ratio, row["memory"]["tsgu"] / 1e6)
        for ratio, row in zip(ratios, both, strict=True)
        if "32^3" in row["case"] and "precision, CSR" in row["case"]
    ]
    return judged(
        [
            ("encoder 32^3, precision, CSR: old / tsgu", [r for r, _ in large], ">=", 10, min),
            ("the same: megabytes", [m for _, m in large], "<=", 100, max),
            ("old / tsgu, worst", ratios, ">=", 1, min),
            ("old / tsgu, geometric mean", ratios, ">=", 3, mean),
        ]
    )


def _page(results, goals):
    lines = []
    for row in results["rows"]:
        times, memory = row["times"], row["memory"]
        line = [row["case"], milliseconds(times["tsgu"]), f"{memory['tsgu'] / 1e6:.0f}"]
        if "old" in times:
            ratio = times["old"]["best"] / times["tsgu"]["best"]
            line += [milliseconds(times["old"]), f"{memory['old'] / 1e6:.0f}", f"{ratio:.2f}"]
        lines.append(line + [""] * (6 - len(line)))
    header = ["step", "tsgu", "MB", "old", "MB", "old/tsgu"]
    return f"""\
# Samples of normal distributions with sparse factors

{facts(results)}
`old` is torchsparsegradutils. A step makes the factor and the distribution, draws and takes the
gradients of all parameters, in float32; milliseconds, best / median of processes in turns, and the
most memory that steps took in a process, in megabytes beside what it had before the first.
`encoder` is PairwiseEncoder on one channel: a site of the volume depends on those within the
radius.

## Goals

{goals_table(goals)}
## Steps

{table(header, lines)}"""


def main():
    parser = command_line(__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--child", nargs=2)
    arguments = parser.parse_args()
    if arguments.child:
        library, case = arguments.child
        _child(library, json.loads(case))
        return
    run, rows = Run(), []
    wanted = [(case, ["tsgu", "old"]) for case in _CASES] + [(case, ["tsgu"]) for case in _ALONE]
    for case, names in wanted:
        if arguments.only in _name(case):
            rows.append(_measure(case, names, 1 if arguments.mode == "quick" else 3))
            print(
                rows[-1]["case"],
                {n: f"{1e3 * t['best']:.3f} ms" for n, t in rows[-1]["times"].items()},
                rows[-1]["memory"],
                flush=True,
            )
    versions = {
        name: importlib.metadata.version(name) for name in ("torch", "torchsparsegradutils")
    }
    results = run.facts(arguments.mode, versions, []) | {"rows": rows}
    goals = _goals(rows)
    complete = arguments.mode == "full" and not arguments.only
    write(
        "distributions",
        results,
        _page(results, goals),
        goals,
        _HERE if complete else arguments.build,
    )


if __name__ == "__main__":
    main()
