#!/usr/bin/env python3
"""Writes docs/Devices.md: which functions of the package run on a device, and what others say.

usage: write_devices.py [--check]

Every function is called, with its gradient, in three ways: on the CPU; by the emulator of devices,
which says whether kernels were started, and whose results have to be those of the CPU; and with
operands on torch's device "meta", the one other than the CPU that every build of torch has. With
--check nothing is written, and the exit status says whether the page is what would be written.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import warnings

from written import settle

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "Devices.md"

BEGINNING = """# Functions and devices

Written by `make docs` from calls of every function that takes a matrix, in double precision, each
with its gradient. *Kernels*: whether the value and the gradient are computed by kernels for
devices; they were run by the emulator, and gave what the CPU gives. *On a GPU*: what becomes of
operands there, as far as it shows without one; a number names what was seen, below.

| function | kernels | on a GPU |
|---|---|---|
"""
TAKEN = "operands of tsgu are dense tensors on the CPU or on a CUDA device"
REFUSED = "solves and factorisations run on the CPU"
NOTES = {
    "taken": f'operands on "meta" are refused because "{TAKEN}", by an operator of which '
    "torch's dispatcher has a kernel for CUDA",
    "torch's": 'made of operations of torch, which ran on "meta"',
    "refused": 'TypeError: "{}"',
    "not known": 'on "meta", where there are no numbers, it ends with "{}"',
}


# ===-- Calls ------------------------------------------------------------------------===#


BIDIAGONAL = [0, 1, 3, 5, 7], [0, 0, 1, 1, 2, 2, 3]  # positions and coordinates


def calls():
    """By name, functions of a positive definite Matrix A, (4, 4), and a dense B, (4, 2)."""
    import torch

    import tsgu
    from tsgu import direct, distributions, utils

    def indices(B, *numbers):
        return torch.tensor(numbers, device=B.device)

    def field(A, B):
        return distributions.SparseMultivariateNormal(B[:, 0], precision_matrix=A)

    def posterior(A, B):
        prior = distributions.SparseMultivariateNormal(B[:, 0], precision_matrix=A)
        return distributions.posterior(prior, A, B[:, 1], 1.0).mean

    def evidence(A, B):
        prior = distributions.SparseMultivariateNormal(B[:, 0], precision_matrix=A)
        return distributions.log_evidence(prior, A, B[:, 1], 1.0)

    def by_factor(A, B):
        bidiagonal = tsgu.Pattern.csr(*map(torch.tensor, BIDIAGONAL), 4).to(B.device)
        L = tsgu.Matrix(bidiagonal, A.values[:7])
        return distributions.SparseMultivariateNormal(B[:, 0], precision_tril=L).log_prob(B[:, 1])

    found = {
        "csr": lambda A, B: tsgu.csr(A.pattern.positions, A.pattern.coordinates, A.values, A.shape),
        "coo": lambda A, B: tsgu.coo(A.pattern.entry_indices(), A.values, A.shape),
        "values": lambda A, B: tsgu.values(A),
        "Matrix.to_dense": lambda A, B: A.to_dense(),
        "sparse_mm": tsgu.sparse_mm,
        "sparse_mv": lambda A, B: tsgu.sparse_mv(A, B[:, 0]),
        "sddmm": lambda A, B: tsgu.sddmm(A.pattern, B, B),
        "spgemm": lambda A, B: tsgu.spgemm(A, A),
        "sparse_add": lambda A, B: tsgu.sparse_add(A, A.T),
        "sparse_mul": lambda A, B: tsgu.sparse_mul(A, A.T),
        "sparse_div": lambda A, B: tsgu.sparse_div(A, B[:, 0] + 1),
        "einsum": lambda A, B: tsgu.einsum("ij,jk->ik", A, B),
        "gather_mm": lambda A, B: tsgu.gather_mm(B, B.view(2, 2, 2), indices(B, 1, 0, 1, 1)),
        "segment_mm": lambda A, B: tsgu.segment_mm(B, B.view(2, 2, 2), torch.tensor([3, 1])),
        "sparse_bidir_logsumexp": lambda A, B: torch.cat(tsgu.sparse_bidir_logsumexp(A)),
        "sparse_triangular_solve": tsgu.sparse_triangular_solve,
        "sparse_generic_lstsq": tsgu.sparse_generic_lstsq,
        "logdet": lambda A, B: tsgu.logdet(A),
        "slogdet": lambda A, B: tsgu.slogdet(A).logabsdet,
        "selected_inverse": lambda A, B: tsgu.selected_inverse(A),
        "factorize": lambda A, B: tsgu.factorize(A).solve(B),
        "direct.solve": direct.solve,
        "utils.stack_csr": lambda A, B: utils.stack_csr([A, A]),
        "utils.sparse_block_diag": lambda A, B: utils.sparse_block_diag(A, A),
        "utils.lsmr": lambda A, B: utils.lsmr(A, B[:, 0])[0],
        "distributions: by a factor": by_factor,
        "distributions: by the matrix": lambda A, B: field(A, B).log_prob(B[:, 1]),
        "distributions.condition": lambda A, B: (
            distributions.condition(field(A, B), [0], B[:1, 1]).mean
        ),
        "distributions.posterior": posterior,
        "distributions.log_evidence": evidence,
    }
    for name in ("sum", "mean", "amax", "amin", "softmax", "log_softmax", "logsumexp"):
        function = getattr(tsgu, f"sparse_{name}")
        found[f"sparse_{name}"] = lambda A, B, f=function: f(A, -1)
    for method in (None, "cg", "cholesky", "lu"):
        name = f"sparse_generic_solve: {method}" if method else "sparse_generic_solve"
        found[name] = lambda A, B, m=method: tsgu.sparse_generic_solve(A, B, m)
    for name in ("linear_cg", "minres", "bicgstab", "gmres", "cgs"):
        found[f"utils.{name}"] = getattr(utils, name)
    return found


# Functions that take no matrix.
WITHOUT = {
    "empty_cache",
    "explain",
    "install_as",
    "load_program",
    "load_programs",
    "operator",
    "programs",
    "show_config",
    "solver",
}


def missing():
    """Functions of the package that are in no call."""
    import inspect

    import tsgu

    public = {name for name in tsgu.__all__ if inspect.isfunction(getattr(tsgu, name))}
    return public - WITHOUT - {name.split(":")[0] for name in calls()}


def operands(device):
    import torch

    import tsgu

    torch.manual_seed(0)
    beside = torch.diag(torch.rand(3, dtype=torch.float64), 1)
    dense = 4 * torch.eye(4, dtype=torch.float64) + beside + beside.T
    A = tsgu.Matrix.of(dense.to_sparse_csr()).to(device)
    B = torch.rand(4, 2, dtype=torch.float64).to(device)
    return A.with_values(A.values.clone().requires_grad_()), B.requires_grad_()


def outcome(call, device):
    """(results as lists, kernels for the value and for the gradient), or the error's text."""
    import torch

    import tsgu

    def started():
        return tsgu.show_config()["device launches"]

    A, B = operands(device)
    before = started()
    try:
        found = call(A, B)
        if not isinstance(found, torch.Tensor) or found.layout is not torch.strided:
            found = tsgu.values(found)
        between = started()
        gradients = torch.autograd.grad(found.square().sum(), (A.values, B), allow_unused=True)
    except Exception as error:
        text = str(error)
        asked = re.search(r"(tsgu::\w+): attempted to run this operator with Meta", text)
        if asked and not torch._C._dispatch_has_kernel_for_dispatch_key(asked[1], "CUDA"):
            text = f"{asked[1]} has no kernel for CUDA"
        return f"{type(error).__name__}: {text}"
    kernels = between > before, started() > between
    results = [found, *(x for x in gradients if x is not None)]
    return [x.detach().tolist() if x.device.type == "cpu" else [] for x in results], kernels


def outcomes():
    """What a process prints: of every call, on the CPU or by the emulator, and on "meta"."""
    warnings.simplefilter("ignore")
    found = {name: [outcome(f, "cpu"), outcome(f, "meta")] for name, f in calls().items()}
    print(json.dumps([sorted(missing()), found]))


# ===-- The page ---------------------------------------------------------------------===#


def run(device):
    environment = {**os.environ, "TSGU_DEVICE": device, "PYTHONPATH": str(ROOT / "python")}
    command = [sys.executable, __file__, "--outcomes"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    missing, found = json.loads(done.stdout.splitlines()[-1])
    if missing:
        sys.exit(f"{__file__}: calls() has none of {', '.join(missing)}")
    return found


def alike(first, second):
    if isinstance(first, list):
        return len(first) == len(second) and all(map(alike, first, second))
    return abs(first - second) <= 1e-9 * max(1, abs(first))


def on_a_gpu(meta):
    """What operands on "meta" tell of those on a GPU: (a key of NOTES, the note)."""
    text = meta.partition(": ")[2] if isinstance(meta, str) else ""
    if not text:
        kind = "torch's"
    elif text.startswith(REFUSED):
        kind = "refused"
    else:
        kind = "taken" if text.startswith(TAKEN) else "not known"
    told = text if kind == "refused" else str(meta).partition("\n")[0]
    return kind, NOTES[kind].format(told)


def page():
    on_cpu, emulated = run(""), run("emulator")
    notes, lines = [], []
    for name, (expected, meta) in sorted(on_cpu.items()):
        found = emulated[name][0]
        if isinstance(expected, str) or isinstance(found, str):
            sys.exit(f"{name}: {expected if isinstance(expected, str) else found}")
        if not alike(expected[0], found[0]):
            sys.exit(f"{name}: the emulator gives {found[0]}, the CPU {expected[0]}")
        kind, note = on_a_gpu(meta)
        notes += [note] * (note not in notes)
        kernels = [what for what, ran in zip(("value", "gradient"), found[1], strict=True) if ran]
        kernels = [] if kind == "refused" else kernels
        ran = " and ".join(kernels) or "none"
        lines.append(f"| `{name}` | {ran} | {kind} ({notes.index(note) + 1}) |")
    lines += ["", *(f"{k}. {note}" for k, note in enumerate(notes, 1)), ""]
    return BEGINNING + "\n".join(lines)


def main(check):
    text = page()
    settle(PAGE, text, check, "what the functions do")


if __name__ == "__main__":
    if sys.argv[1:] == ["--outcomes"]:
        outcomes()
    elif sys.argv[1:] in ([], ["--check"]):
        main(bool(sys.argv[1:]))
    else:
        sys.exit(__doc__)
