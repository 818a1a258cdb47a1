"""What is measured: one function for each section, which yields a row for each case.

A row: {"case", "timings": {name: timing}, "errors": {name: reason}, "bytes"}, where ours is "tsgu"
and bytes is the compulsory traffic, every operand and result once.
"""

import functools

import problems
import torch
from cusparse import SPMM, SPMV, CuSparse, Error

import measure
import tsgu

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
FEW_WIDTHS = (16, 32, 128)


class Contenders(dict):
    """run() by name. What cannot be prepared, or gives another result, is kept as an error."""

    def __init__(self):
        super().__init__()
        self.errors = {}

    def attempt(self, name, prepare, agrees=lambda result: True):
        """Adds `prepare()`, which makes run(), if its first result is right."""
        try:
            run = prepare()
            if agrees(run()):
                self[name] = run
            else:
                self.errors[name] = "its result differs from tsgu's"
        except (RuntimeError, Error, NotImplementedError, torch.OutOfMemoryError) as error:
            self.errors[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"

    def row(self, device, case, moved=0, seconds=0.4):
        timings = measure.in_turns(device, self, seconds)
        return {"case": case, "timings": timings, "errors": self.errors, "bytes": moved}


def _close(expected):
    """Whether another order of summation may have given a result."""
    scale = expected.abs().max().item() + 1e-30

    def agrees(result):
        result = result.values() if result.layout is torch.sparse_csr else result
        return (result - expected).abs().max().item() <= 1e-3 * scale

    return agrees


def _problem(device, budget, name, trial, factor):
    """The problem; factor: bytes that it takes to measure, by row, at the widest."""
    budget.need(25, name)
    device.need_memory(problems.bytes_to_make(name, trial), name)
    problem = problems.make(name, device.name, trial)
    device.need_memory(factor * problem.rows, name)
    return problem


def _widths(widths, device, budget, problem, bytes_per_element):
    """Those for which there is time and memory, each with what it lacks."""
    for p in widths:
        what = f"{problem.name} p={p}"
        budget.need(12, what)
        device.need_memory(bytes_per_element * problem.rows * p, what)
        yield p


@functools.cache
def _cusparse():
    return CuSparse()


def _structure_bytes(problem):
    return 4 * (problem.rows + 1) + 4 * problem.stored


# ===-- Products --------------------------------------------------------------===#


def spmm(device, budget, trial):
    """C = A B against torch.sparse.mm and every algorithm of cuSPARSE."""
    for name in problems.NAMES:
        problem = _problem(device, budget, name, trial, 32)
        A = problem.tensor()
        matrix = problem.positions, problem.coordinates, problem.values
        for p in _widths(WIDTHS, device, budget, problem, 28):
            yield _spmm_row(device, problem, A, matrix, p)
        del A, matrix, problem  # before the next one is made


def _spmm_row(device, problem, A, matrix, p):
    B = torch.randn(problem.rows, p, device=device.name)
    contenders = Contenders()
    contenders.attempt("tsgu", lambda: lambda: tsgu.sparse_mm(A, B))
    agrees = _close(tsgu.sparse_mm(A, B))
    contenders.attempt("torch", lambda: lambda: torch.sparse.mm(A, B), agrees)
    C = torch.empty_like(B)

    def prepare(make):
        step = make(_cusparse())
        return lambda: (step(), C)[1]

    for algorithm in SPMM:
        contenders.attempt(
            f"cusparse SpMM {algorithm}",
            lambda a=algorithm: prepare(lambda library: library.spmm(matrix, B, C, a)),
            agrees,
        )
    for algorithm in SPMV if p == 1 else ():
        contenders.attempt(
            f"cusparse SpMV {algorithm}",
            lambda a=algorithm: prepare(lambda library: library.spmv(matrix, B[:, 0], C[:, 0], a)),
            agrees,
        )
    moved = _structure_bytes(problem) + 4 * problem.stored + 8 * problem.rows * p
    return contenders.row(device, f"{problem.name} p={p}", moved)


def sddmm(device, budget, trial):
    """The gradient of A's values against torch's and cuSPARSE's sampled product."""
    for name in problems.NAMES:
        problem = _problem(device, budget, name, trial, 32)
        for p in _widths(FEW_WIDTHS, device, budget, problem, 20):
            yield _sddmm_row(device, problem, p)


def _sddmm_row(device, problem, p):
    sampled = tsgu.operator("spmm").cotangent(0).derived
    pattern = tsgu.Pattern.csr(problem.positions, problem.coordinates, problem.rows)
    A, out = problem.tensor(), torch.empty_like(problem.values)
    G, B = (torch.randn(problem.rows, p, device=device.name) for _ in range(2))

    def prepare_cusparse():
        step = _cusparse().sddmm((problem.positions, problem.coordinates, out), G, B)
        return lambda: (step(), out)[1]

    contenders = Contenders()
    contenders.attempt("tsgu", lambda: lambda: sampled(pattern, problem.values, B, G))
    agrees = _close(sampled(pattern, problem.values, B, G))
    contenders.attempt(
        "torch", lambda: lambda: torch.sparse.sampled_addmm(A, G, B.T, beta=0.0), agrees
    )
    contenders.attempt("cusparse SDDMM", prepare_cusparse, agrees)
    moved = _structure_bytes(problem) + 4 * problem.stored + 8 * problem.rows * p
    return contenders.row(device, f"{problem.name} p={p}", moved)


def training(device, budget, trial):
    """Forward and both gradients against torch's autograd; and what backward adds to forward."""
    for name in problems.NAMES:
        problem = _problem(device, budget, name, trial, 64)
        for p in _widths(FEW_WIDTHS, device, budget, problem, 40):
            yield _training_row(device, problem, p)


def _training_row(device, problem, p):
    A = problem.tensor().requires_grad_()
    B, G = (torch.randn(problem.rows, p, device=device.name) for _ in range(2))
    B.requires_grad_()

    def step(product):
        return torch.autograd.grad(product(A, B), (A, B), G)[1]

    def forward():
        with torch.no_grad():
            return tsgu.sparse_mm(A, B)

    contenders = Contenders()
    contenders.attempt("tsgu", lambda: lambda: step(tsgu.sparse_mm))
    agrees = _close(step(tsgu.sparse_mm))
    contenders.attempt("torch", lambda: lambda: step(torch.sparse.mm), agrees)
    contenders.attempt("forward of tsgu", lambda: forward)
    row = contenders.row(device, f"{problem.name} p={p}")
    best = {name: timing["best"] for name, timing in row["timings"].items()}
    row["backward over forward"] = best["tsgu"] / best["forward of tsgu"] - 1
    return row


# ===-- Softmax, batches --------------------------------------------------------===#


def _torch_softmax(rows, count, values):
    """Over the entries of each row, from what torch has."""
    index = rows
    most = values.new_full((count,), -torch.inf).scatter_reduce(0, index, values, "amax")
    weights = (values - most[index]).exp()
    total = values.new_zeros(count).index_add(0, index, weights)
    return weights / total[index]


def softmax(device, budget, trial):
    """Forward, and forward with gradient, against a composition of torch's operations."""
    for name in problems.NAMES:
        problem = _problem(device, budget, name, trial, 64)
        device.need_memory(64 * problem.stored, name)
        yield from _softmax_rows(device, problem)


def _softmax_rows(device, problem):
    counts = problem.positions.diff().long()
    rows = torch.repeat_interleave(counts, output_size=problem.stored)
    pattern = tsgu.Pattern.csr(problem.positions, problem.coordinates, problem.rows)
    operator = tsgu.operator("softmax")
    given, leaf = problem.values, problem.values.clone().requires_grad_()
    G = torch.randn_like(given)

    def ours(values):
        return operator(pattern, values)

    def composed(values):
        return _torch_softmax(rows, problem.rows, values)

    def step(function):
        return torch.autograd.grad(function(leaf), leaf, G)[0]

    for case, run, moved in (
        ("forward", lambda function: function(given), 4 * problem.rows + 8 * problem.stored),
        ("with gradient", step, 0),
    ):
        contenders = Contenders()
        contenders.attempt("tsgu", lambda run=run: lambda: run(ours))
        contenders.attempt("torch", lambda run=run: lambda: run(composed), _close(run(ours)))
        yield contenders.row(device, f"{problem.name} {case}", moved)


def batched(device, budget, trial):
    """128 products of a (1024, 4096) matrix, 16 entries in each row, at once."""
    items, rows, columns, degree = (4, 32, 64, 4) if trial else (128, 1024, 4096, 16)
    budget.need(15, "batched")
    device.need_memory(4 << 30, "batched")
    scores = torch.rand(items * rows, columns // degree, device=device.name)
    offsets = torch.arange(0, columns, columns // degree, device=device.name)
    # One entry in each of `degree` stretches of columns: sorted and unique.
    picks = scores.topk(1)[1] + offsets
    coordinates = picks.int().view(items, rows * degree)
    positions = torch.arange(rows + 1, device=device.name, dtype=torch.int32) * degree
    positions = positions.expand(items, -1).contiguous()
    values = torch.randn(items, rows * degree, device=device.name)
    shape = (items, rows, columns)
    A = torch.sparse_csr_tensor(positions, coordinates, values, shape, check_invariants=False)
    pieces = [
        torch.sparse_csr_tensor(i, c, v, shape[1:], check_invariants=False)
        for i, c, v in zip(positions, coordinates, values, strict=True)
    ]
    for p in FEW_WIDTHS:
        budget.need(8, f"batched p={p}")
        B = torch.randn(items, columns, p, device=device.name)

        def one_by_one(B=B):
            return torch.stack([torch.sparse.mm(a, b) for a, b in zip(pieces, B, strict=True)])

        contenders = Contenders()
        contenders.attempt("tsgu", lambda B=B: lambda: tsgu.sparse_mm(A, B))
        agrees = _close(tsgu.sparse_mm(A, B))
        contenders.attempt("torch bmm", lambda B=B: lambda: torch.bmm(A, B), agrees)
        contenders.attempt("torch one by one", lambda: one_by_one, agrees)
        moved = positions.nbytes + coordinates.nbytes + values.nbytes
        moved += B.nbytes + 4 * items * rows * p
        yield contenders.row(device, f"{items} x ({rows}, {columns}) p={p}", moved)


# ===-- Host --------------------------------------------------------------------===#


def host(device, budget, trial):
    """Microseconds of the host for each call at n = 1000, without waiting for the device."""
    budget.need(10, "host")
    problem = problems.make("cfd2s", device.name, trial=True)
    A, calls = problem.tensor(), 50 if trial else 1000
    dense = torch.randn(problem.rows, 16, device=device.name)
    leaves = problem.tensor().requires_grad_(), dense.clone().requires_grad_()
    G = torch.randn_like(dense)
    for name, product in (("tsgu", tsgu.sparse_mm), ("torch", torch.sparse.mm)):

        def backward(product=product):
            return torch.autograd.grad(product(*leaves), leaves, G)

        for case, run in (
            ("forward", lambda product=product: product(A, dense)),
            ("forward, gradients to come", lambda product=product: product(*leaves)),
            ("forward and backward", backward),
        ):
            microseconds = measure.host_microseconds(device, run, calls)
            yield {"case": f"{name}: {case}", "microseconds": microseconds}


ALL = {
    "host": host,
    "spmm": spmm,
    "sddmm": sddmm,
    "training": training,
    "softmax": softmax,
    "batched": batched,
}
