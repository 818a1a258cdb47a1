"""What is measured: one function for each section, which yields a row for each case.

A row: {"case", "timings": {name: timing}, "errors": {name: reason}, "bytes"}, where ours is "tsgu"
and bytes is the compulsory traffic, every operand and result once; "wrong" where peers agree on
another result. Only the time limit, or the loss of the device, ends a section.
"""

import functools
import itertools
from typing import NamedTuple

import plan
import problems
import torch
from contenders import Contenders
from cusparse import SPMM, SPMV, CuSparse

import measure
import tsgu


def _case(device, budget, case, work):
    """The row `work(case)`; the reason for which there is none becomes its error."""
    budget.need(5, case)
    try:
        return work(case)
    except Exception as error:
        errors = {"the case": measure.reason(error)}
    device.synchronize()  # raises if that error has cost the device
    return {"case": case, "timings": {}, "errors": errors, "bytes": 0}


@functools.lru_cache(maxsize=1)
def _problem(device, name, trial):
    device.need_memory(problems.bytes_to_make(name, trial))
    return problems.make(name, device.name, trial)


def _products(device, budget, trial, widths, row):
    """A row for each matrix and width; each takes six dense arrays and what the matrix has."""

    def work(name, p, case):
        problem = _problem(device, name, trial)
        device.need_memory(28 * problem.rows * p + 32 * (problem.rows + problem.stored))
        return row(device, case, problem, p)

    for name, p in itertools.product(plan.PROBLEMS, widths):
        yield _case(device, budget, f"{name} p={p}", functools.partial(work, name, p))


def _dense(device, problem, p):
    # Not negative, so that these are their own absolute values where results are bounded.
    return torch.rand(problem.rows, p, device=device.name)


@functools.cache
def _cusparse():
    return CuSparse()


def _structure_bytes(problem):
    return 4 * (problem.rows + 1) + 4 * problem.stored


def _absolute(problem):
    return problem._replace(values=problem.values.abs()).tensor()


# ===-- Products --------------------------------------------------------------===#


def spmm(device, budget, trial):
    """C = A B against torch.sparse.mm and every algorithm of cuSPARSE."""
    return _products(device, budget, trial, plan.WIDTHS, _spmm_row)


def _spmm_row(device, case, problem, p):
    A, B = problem.tensor(), _dense(device, problem, p)
    matrix, C = (problem.positions, problem.coordinates, problem.values), torch.empty_like(B)

    def prepare(make):
        C.zero_()  # of the one before
        step = make(_cusparse())
        return lambda: (step(), C)[1]

    contenders = Contenders(lambda: torch.sparse.mm(_absolute(problem), B))
    contenders.attempt("tsgu", lambda: lambda: tsgu.sparse_mm(A, B))
    contenders.attempt("torch", lambda: lambda: torch.sparse.mm(A, B))
    for algorithm in SPMM:
        contenders.attempt(
            f"cusparse SpMM {algorithm}",
            lambda a=algorithm: prepare(lambda library: library.spmm(matrix, B, C, a)),
        )
    for algorithm in SPMV if p == 1 else ():
        contenders.attempt(
            f"cusparse SpMV {algorithm}",
            lambda a=algorithm: prepare(lambda library: library.spmv(matrix, B[:, 0], C[:, 0], a)),
        )
    moved = _structure_bytes(problem) + 4 * problem.stored + 8 * problem.rows * p
    return contenders.row(device, case, moved)


def sddmm(device, budget, trial):
    """The gradient of A's values against torch's and cuSPARSE's sampled product."""
    return _products(device, budget, trial, plan.FEW_WIDTHS, _sddmm_row)


def _sddmm_row(device, case, problem, p):
    sampled = tsgu.operator("spmm").cotangent(0).derived
    pattern = tsgu.Pattern.csr(problem.positions, problem.coordinates, problem.rows)
    A, out = problem.tensor(), torch.zeros_like(problem.values)
    G, B = _dense(device, problem, p), _dense(device, problem, p)

    def prepare_cusparse():
        step = _cusparse().sddmm((problem.positions, problem.coordinates, out), G, B)
        return lambda: (step(), out)[1]

    contenders = Contenders()
    contenders.attempt("tsgu", lambda: lambda: sampled(pattern, problem.values, B, G))
    contenders.attempt("torch", lambda: lambda: torch.sparse.sampled_addmm(A, G, B.T, beta=0.0))
    contenders.attempt("cusparse SDDMM", prepare_cusparse)
    moved = _structure_bytes(problem) + 4 * problem.stored + 8 * problem.rows * p
    return contenders.row(device, case, moved)


def training(device, budget, trial):
    """Forward and both gradients against torch's autograd, and the forwards alone."""
    return _products(device, budget, trial, plan.FEW_WIDTHS, _training_row)


def _training_row(device, case, problem, p):
    A, G = problem.tensor().requires_grad_(), _dense(device, problem, p)
    B = _dense(device, problem, p).requires_grad_()

    def step(product, A=A):
        return torch.autograd.grad(product(A, B), (A, B), G)

    def forward(product):
        with torch.no_grad():
            return product(A, B)

    contenders = Contenders(lambda: step(torch.sparse.mm, _absolute(problem).requires_grad_()))
    peers = {"tsgu": tsgu.sparse_mm, "torch": torch.sparse.mm}
    for name, product in peers.items():
        contenders.attempt(name, lambda product=product: lambda: step(product))
    for name, product in peers.items():
        run = functools.partial(forward, product)
        contenders.attempt(f"forward of {name}", lambda run=run: run, compared=False)
    return contenders.row(device, case)


# ===-- Softmax, batches --------------------------------------------------------===#


def _torch_softmax(rows, count, values):
    """Over the entries of each row, from what torch has."""
    given = values.detach()  # the maximum cancels: it needs no gradient
    most = given.new_full((count,), -torch.inf).scatter_reduce(0, rows, given, "amax")
    weights = (values - most[rows]).exp()
    total = values.new_zeros(count).index_add(0, rows, weights)
    return weights / total[rows]


def softmax(device, budget, trial):
    """Forward, and forward with gradient, against a composition of torch's operations."""
    for name, backward in itertools.product(plan.PROBLEMS, (False, True)):
        work = functools.partial(_softmax_row, device, name, trial, backward)
        yield _case(device, budget, f"{name} {'with gradient' if backward else 'forward'}", work)


def _softmax_row(device, name, trial, backward, case):
    problem = _problem(device, name, trial)
    device.need_memory(64 * (problem.rows + problem.stored))
    rows = torch.repeat_interleave(problem.positions.diff().long(), output_size=problem.stored)
    pattern = tsgu.Pattern.csr(problem.positions, problem.coordinates, problem.rows)
    operator = tsgu.operator("softmax")
    values = problem.values.clone().requires_grad_(backward)
    G = torch.rand_like(problem.values)

    def composed(values):
        return _torch_softmax(rows, problem.rows, values)

    def run(function):
        result = function(values)
        return torch.autograd.grad(result, values, G)[0] if backward else result

    def bound():
        """Of the gradient s (G - sum of s G): the sum of absolute values."""
        result = composed(problem.values)
        sums = G.new_zeros(problem.rows).index_add(0, rows, result * G)
        return result * (G + sums[rows])

    contenders = Contenders(bound if backward else None)
    contenders.attempt("tsgu", lambda: lambda: run(lambda values: operator(pattern, values)))
    contenders.attempt("torch", lambda: lambda: run(composed))
    moved = 0 if backward else 4 * problem.rows + 8 * problem.stored
    return contenders.row(device, case, moved)


class _Batch(NamedTuple):
    """CSR arrays of `items` matrices with as many entries in each row."""

    positions: torch.Tensor
    coordinates: torch.Tensor
    values: torch.Tensor
    shape: tuple

    def tensor(self):
        return torch.sparse_csr_tensor(*self, check_invariants=False)

    def pieces(self):
        return [
            torch.sparse_csr_tensor(*arrays, self.shape[1:], check_invariants=False)
            for arrays in zip(*self[:3], strict=True)
        ]


@functools.cache
def _batch(device, trial):
    """128 matrices of (1024, 4096), 16 entries in each row."""
    items, rows, columns, degree = (4, 32, 64, 4) if trial else (128, 1024, 4096, 16)
    device.need_memory(4 << 30)
    scores = torch.rand(items * rows, degree, columns // degree, device=device.name)
    offsets = torch.arange(0, columns, columns // degree, device=device.name)
    # One entry in each of `degree` stretches of columns: sorted and unique.
    coordinates = (scores.argmax(2) + offsets).int().view(items, rows * degree)
    positions = torch.arange(rows + 1, device=device.name, dtype=torch.int32) * degree
    positions = positions.expand(items, -1).contiguous()
    values = torch.randn(items, rows * degree, device=device.name)
    return _Batch(positions, coordinates, values, (items, rows, columns))


def batched(device, budget, trial):
    """All the products of the batch at once."""
    for p in plan.FEW_WIDTHS:
        work = functools.partial(_batched_row, device, trial, p)
        yield _case(device, budget, f"batch p={p}", work)


def _batched_row(device, trial, p, case):
    batch = _batch(device, trial)
    items, rows, columns = batch.shape
    B = torch.rand(items, columns, p, device=device.name)
    A, pieces = batch.tensor(), batch.pieces()

    def one_by_one(pieces):
        return torch.stack([torch.sparse.mm(a, b) for a, b in zip(pieces, B, strict=True)])

    absolute = batch._replace(values=batch.values.abs())
    contenders = Contenders(lambda: one_by_one(absolute.pieces()))
    contenders.attempt("tsgu", lambda: lambda: tsgu.sparse_mm(A, B))
    contenders.attempt("torch bmm", lambda: lambda: torch.bmm(A, B))
    contenders.attempt("torch one by one", lambda: lambda: one_by_one(pieces))
    moved = sum(array.nbytes for array in batch[:3]) + B.nbytes + 4 * items * rows * p
    return contenders.row(device, case, moved)


# ===-- Host --------------------------------------------------------------------===#


def host(device, budget, trial):
    """Microseconds of the host for each call at n = 1000, without waiting for the device."""
    for name, product in (("tsgu", tsgu.sparse_mm), ("torch", torch.sparse.mm)):
        for what in ("forward", "forward, gradients to come", "forward and backward"):
            work = functools.partial(_host_row, device, product, what)
            yield _case(device, budget, f"{name}: {what}", work)


def _host_row(device, product, what, case):
    problem = problems.make("cfd2s", device.name, size=10)
    A, B = problem.tensor(), torch.rand(problem.rows, 16, device=device.name)
    G = torch.rand_like(B)
    if what != "forward":
        A.requires_grad_(), B.requires_grad_()

    def backward():
        return torch.autograd.grad(product(A, B), (A, B), G)

    run = backward if "backward" in what else functools.partial(product, A, B)
    return {"case": case, "microseconds": measure.host_microseconds(device, run), "errors": {}}


ALL = {
    "host": host,
    "spmm": spmm,
    "sddmm": sddmm,
    "training": training,
    "softmax": softmax,
    "batched": batched,
}
