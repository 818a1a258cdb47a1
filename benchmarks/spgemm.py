"""Measures products of sparse matrices with known patterns beside SciPy and MKL, one thread each.

And a step, forward and both gradients, beside torch's. Writes SPGEMM.md and spgemm.json beside this
file (in quick mode into the build folder).
"""

import time
from pathlib import Path

import numpy as np
import scipy
import scipy.sparse
import torch

import tsgu
from matrices import rmat, stencil
from measure import Run, interleave
from mkl_sparse import Description, SparseProduct
from report import command_line, facts, goals_table, judged, mean, milliseconds, table, write

_HERE = Path(__file__).resolve().parent
_GENERAL = Description(20, 0, 0)


def _csr(counts, columns):
    positions = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    shape = len(counts), len(counts)
    arrays = np.ones(len(columns)), columns.astype(np.int32), positions
    return scipy.sparse.csr_array(arrays, shape)


def _grid(shape):
    unit = np.eye(len(shape), dtype=int)
    return _csr(*stencil(shape, sorted({tuple(s * step) for s in (-1, 0, 1) for step in unit})))


def _box(shape):
    steps = (-1, 0, 1)
    return _csr(*stencil(shape, [(x, y, z) for x in steps for y in steps for z in steps]))


def _uniform(rng, n, degree):
    row = np.repeat(np.arange(n, dtype=np.int32), degree)
    column = rng.integers(0, n, n * degree, dtype=np.int32)
    return scipy.sparse.coo_array((np.ones(n * degree), (row, column)), (n, n)).tocsr()


# name -> maker of (generator, whether quick)
_PROBLEMS = {
    "5-point grid": lambda rng, quick: _grid((150, 150) if quick else (600, 600)),
    "7-point grid": lambda rng, quick: _grid((24,) * 3 if quick else (56,) * 3),
    "27-point grid": lambda rng, quick: _box((10,) * 3 if quick else (22,) * 3),
    "uniform random, 8 in a row": lambda rng, quick: _uniform(rng, 10_000 if quick else 100_000, 8),
    "R-MAT, edge factor 8": lambda rng, quick: _csr(*rmat(rng, 10 if quick else 13, 8)),
}


def _torch_of(A):
    return tsgu.csr(torch.tensor(A.indptr), torch.tensor(A.indices), torch.tensor(A.data), A.shape)


def _step(product, A, weight):
    C = product(A, A)
    values = C.values() if C.layout is torch.sparse_csr else C.coalesce().values()
    return torch.autograd.grad(values, A, weight)[0]


def _problem(name, A, dtype, samples):
    """Timings of the product and of a step, and facts."""
    A.data = A.data.astype(dtype)
    ours = _torch_of(A)
    start = time.perf_counter()
    C = tsgu.spgemm(ours, ours)
    first = time.perf_counter() - start
    expected = A @ A
    expected.sort_indices()
    mkl = SparseProduct(A, _GENERAL)
    for other in (C.values().numpy(), mkl.values()):
        scale = abs(expected.data).max()
        assert np.allclose(np.sort(other), np.sort(expected.data), rtol=0, atol=1e-4 * scale)
    calls = {
        "tsgu": lambda: tsgu.spgemm(ours, ours),
        "SciPy": lambda: A @ A,
        "MKL": mkl.numeric,
    }
    times = interleave(calls, samples)
    leaf = ours.clone().requires_grad_()
    coo = ours.to_sparse_coo().requires_grad_()
    weight = torch.ones_like(C.values())
    steps = interleave(
        {
            "tsgu": lambda: _step(tsgu.spgemm, leaf, weight),
            "torch": lambda: _step(torch.sparse.mm, coo, weight),
        },
        samples,
        {"torch": 0.5},
    )
    lengths = np.diff(A.indptr)
    return {
        "name": name,
        "type": np.dtype(dtype).name,
        "rows": A.shape[0],
        "stored": A.nnz,
        "result": expected.nnz,
        "products": int(lengths[A.indices].sum()),
        "first": first,
        "times": {key: vars(timing) for key, timing in times.items()},
        "steps": {key: vars(timing) for key, timing in steps.items()},
    }


def _ratio(row, table, other):
    return row[table][other]["median"] / row[table]["tsgu"]["median"]


_PRODUCTS = ["matrix", "type", "entries of A", "of A A", "multiplications", "tsgu", "SciPy", "MKL"]
_PRODUCTS += ["SciPy/tsgu", "MKL/tsgu", "first call"]


def _page(results, goals):
    products = [
        [row["name"], row["type"], *(f"{row[name]:,}" for name in ("stored", "result", "products"))]
        + [milliseconds(row["times"][name]) for name in ("tsgu", "SciPy", "MKL")]
        + [f"{_ratio(row, 'times', name):.2f}" for name in ("SciPy", "MKL")]
        + [f"{1e3 * row['first']:.3g}"]
        for row in results["rows"]
    ]
    steps = [
        [row["name"], row["type"]]
        + [milliseconds(row["steps"][name]) for name in ("tsgu", "torch")]
        + [f"{_ratio(row, 'steps', 'torch'):.1f}"]
        + [f"{row['steps']['tsgu']['median'] / row['times']['tsgu']['median']:.2f}"]
        for row in results["rows"]
    ]
    return f"""\
# Sparse by sparse

{facts(results)}
A times A, CSR with int32 indices, one thread. Candidates take turns in one process, their results
compared first; milliseconds, best / median, ratios of medians. `tsgu` has seen the pattern before
and gets new values in every call; its first call, with the symbolic phase and what is compiled, is
in the last column. `SciPy` is `A @ A`, which finds the pattern in every call; `MKL` is
`mkl_sparse_sp2m` at its stage SPARSE_STAGE_FINALIZE_MULT, which computes the values of a product
whose pattern is known.

## Goals

{goals_table(goals)}
## Products

{table(_PRODUCTS, products)}
## Steps

Forward and the gradient in A, which is both operands. `torch` is `torch.sparse.mm` of COO tensors.

{table(["matrix", "type", "tsgu", "torch", "torch/tsgu", "step/product"], steps)}"""


def main():
    arguments = command_line(__doc__).parse_args()
    quick = arguments.mode == "quick"
    torch.set_num_threads(1)
    run, rows = Run(), []
    for name, make in _PROBLEMS.items():
        for dtype in (np.float32, np.float64):
            A = make(np.random.default_rng(20240229), quick)
            A.data = np.random.default_rng(1).standard_normal(A.nnz)
            rows.append(_problem(name, A, dtype, 5 if quick else 20))
            ratios = ", ".join(f"{n} {_ratio(rows[-1], 'times', n):.2f}" for n in ("SciPy", "MKL"))
            print(f"{name:<28} {rows[-1]['type']} beside {ratios}", flush=True)
    versions = {"tsgu": tsgu.__version__, "torch": torch.__version__, "SciPy": scipy.__version__}
    results = run.facts(arguments.mode, versions, []) | {"rows": rows}
    goals = []
    for peer, bound in (("SciPy", 2), ("MKL", 1)):
        ratios = [_ratio(row, "times", peer) for row in rows]
        for what, summary in (("worst", min), ("geometric mean", mean)):
            goals.append((f"{peer} / tsgu, {what}", ratios, ">=", bound, summary))
    goals = judged(goals)
    write("spgemm", results, _page(results, goals), goals, arguments.build if quick else _HERE)


if __name__ == "__main__":
    main()
