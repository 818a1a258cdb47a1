"""Measures attention on a pattern as three calls and as one program, beside torch, on one thread.

And a step, forward and all gradients. Writes ATTENTION.md and attention.json beside this file (in
quick mode into the build folder).
"""

import warnings
from pathlib import Path

import torch

import tsgu
from measure import Run, interleave
from report import command_line, facts, goals_table, judged, mean, milliseconds, table, write

_HERE = Path(__file__).resolve().parent
_HEADS = 4


def _window(n, degree):
    """Row and column of each entry: as many neighbours on each side."""
    row = torch.arange(n).repeat_interleave(degree)
    column = row + torch.arange(degree).repeat(n) - degree // 2
    inside = (column >= 0) & (column < n)
    return row[inside], column[inside]


def _random(n, degree):
    row = torch.arange(n).repeat_interleave(degree)
    key = torch.unique(row * n + torch.randint(0, n, (n * degree,)))
    return key // n, key % n


_PATTERNS = {"local window": _window, "uniform random": _random}


def _ours(pattern):
    """Functions of Q, K and V, each (heads, n, d)."""
    unread = torch.empty(()).expand(pattern.entries)
    sddmm, softmax, spmm = map(tsgu.operator, ("sddmm", "softmax", "spmm"))
    one = tsgu.load_program(_HERE.parent / "examples" / "attention.mlir")

    def three(Q, K, V):
        return spmm(pattern, softmax(pattern, sddmm(pattern, unread, Q, K)), V)

    return {"three calls": three, "one program": lambda Q, K, V: one(pattern, unread, Q, K, V)}


def _torch_sparse(row, column, positions, n):
    """By torch's sparse ops, head by head; `step`: by those which have gradients."""
    ones = torch.ones(len(column))
    zero = torch.sparse_csr_tensor(positions.int(), column.int(), 0 * ones, (n, n))
    indices = torch.stack([row, column])

    def forward(Q, K, V):
        S = torch.sparse.sampled_addmm(zero, Q, K.T, beta=0.0).values()
        S = torch.sparse_coo_tensor(indices, S, (n, n), is_coalesced=True)
        W = torch.sparse.softmax(S, 1).values()
        return torch.sparse_csr_tensor(positions, column, W, (n, n)) @ V

    def step(Q, K, V):
        S = torch.sparse.sampled_addmm(zero, Q, K.T, beta=0.0)
        return torch.sparse.mm(torch.sparse.softmax(S.to_sparse_coo(), 1), V)

    def by_heads(one):
        return lambda *operands: torch.stack([one(*head) for head in zip(*operands, strict=True)])

    return by_heads(forward), by_heads(step)


def _torch_scatter(row, column, n):
    def call(Q, K, V):
        S = (Q[:, row] * K[:, column]).sum(-1)
        rows = row.expand_as(S)
        top = S.new_full(Q.shape[:2], -torch.inf).scatter_reduce(1, rows, S.detach(), "amax")
        E = (S - top[:, row]).exp()
        W = E / torch.zeros_like(top).index_add(1, row, E)[:, row]
        return torch.zeros_like(V).index_add(1, row, W[..., None] * V[:, column])

    return call


def _step(attention, operands, weight):
    def call():
        leaves = [operand.detach().requires_grad_() for operand in operands]
        return torch.autograd.grad(attention(*leaves), leaves, weight)

    return call


def _problem(name, row, column, n, width, samples):
    positions = torch.searchsorted(row, torch.arange(n + 1))
    pattern = tsgu.Pattern.csr(positions, column, n)
    Q, K, V, weight = (torch.randn(_HEADS, n, width) for _ in range(4))
    operands = Q / width**0.5, K, V
    forward, step = _torch_sparse(row, column, positions, n)
    scatter = _torch_scatter(row, column, n)
    ours = _ours(pattern)
    forwards = ours | {"torch.sparse": forward, "gather/scatter": scatter}
    steps = ours | {"torch.sparse": step, "gather/scatter": scatter}
    calls = {key: lambda f=f: f(*operands) for key, f in forwards.items()}
    steps = {key: _step(f, operands, weight) for key, f in steps.items()}
    for group in (calls, steps):
        expected = group["gather/scatter"]()
        for call in group.values():
            torch.testing.assert_close(call(), expected, rtol=1e-3, atol=1e-3)
    few = {"torch.sparse": 0.2, "gather/scatter": 0.2}
    times, steps = interleave(calls, samples, few), interleave(steps, samples, few)
    explained = [tsgu.explain(calls["three calls"]) for _ in range(5)]
    stages = [min(runs, key=lambda s: s.seconds) for runs in zip(*explained, strict=True)]
    products = sum(s.seconds for s in stages if s.program in ("sddmm", "spmm"))
    return {
        "name": name,
        "rows": n,
        "stored": len(column),
        "width": width,
        "products": products / sum(s.seconds for s in stages),
        "forward": {key: vars(timing) for key, timing in times.items()},
        "step": {key: vars(timing) for key, timing in steps.items()},
    }


def _ratio(row, what, other, ours="three calls"):
    """How many times as long the fastest of `other` takes."""
    return min(row[what][name]["median"] for name in other) / row[what][ours]["median"]


_PEERS = ("torch.sparse", "gather/scatter")
_NAMES = ["three calls", "one program", *_PEERS]


def _rows(results, what):
    return [
        [row["name"], str(row["width"]), f"{row['stored']:,}"]
        + [milliseconds(row[what][name]) for name in _NAMES]
        + [f"{_ratio(row, what, _PEERS):.1f}", f"{1 / _ratio(row, what, ['one program']):.2f}"]
        + ([f"{100 * row['products']:.0f} %"] if what == "forward" else [])
        for row in results["rows"]
    ]


_HEADER = ["pattern", "d", "entries", *_NAMES, "torch/tsgu", "three/one"]


def _page(results, goals):
    return f"""\
# Attention on a pattern

{facts(results)}
softmax(Q K^T) V on a pattern, {_HEADS} heads, f32, one thread. Candidates take turns in one
process, their results compared first; milliseconds, best / median, ratios of medians. `three calls`
are the operators `sddmm`, `softmax` and `spmm`, `one program` all of them as one user's program.
`torch.sparse` is sampled_addmm, softmax and a product, head by head, in a step by those forms that
torch differentiates; `gather/scatter` keeps entries x d numbers. `torch/tsgu` compares the faster
of the two with three calls.

## Goals

{goals_table(goals)}
## Forward

`products`: their share of the kernels' time in three calls.

{table([*_HEADER, "products"], _rows(results, "forward"))}
## Steps

Forward and the gradients of Q, K and V.

{table(_HEADER, _rows(results, "step"))}"""


def main():
    arguments = command_line(__doc__).parse_args()
    quick = arguments.mode == "quick"
    warnings.simplefilter("ignore")  # torch says that its sparse tensors are new.
    torch.set_num_threads(1)
    torch.manual_seed(20240229)
    n, degree = (2048, 16) if quick else (16384, 61)
    run, rows = Run(), []
    for name, make in _PATTERNS.items():
        row, column = make(n, degree)
        for width in (16, 64):
            rows.append(_problem(name, row, column, n, width, 5 if quick else 20))
            found = ", ".join(f"{w} {_ratio(rows[-1], w, _PEERS):.1f}" for w in ("forward", "step"))
            print(f"{name:<16} d = {width:<3} beside torch: {found}", flush=True)
    versions = {"tsgu": tsgu.__version__, "torch": torch.__version__}
    results = run.facts(arguments.mode, versions, []) | {"rows": rows}
    wide = [row for row in rows if row["width"] == 64]
    goals = []
    for what in ("forward", "step"):
        ratios = [_ratio(row, what, _PEERS) for row in wide]
        goals.append((f"torch / tsgu, {what}, d = 64, worst", ratios, ">=", 3, min))
        ratios = [1 / _ratio(row, what, ["one program"]) for row in wide]
        goals.append((f"three calls / one program, {what}, d = 64", ratios, ">=", 1.7, mean))
    goals = judged(goals)
    write("attention", results, _page(results, goals), goals, arguments.build if quick else _HERE)


if __name__ == "__main__":
    main()
