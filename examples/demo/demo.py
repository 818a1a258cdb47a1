"""Learns the matrices of finite elements from temperatures: through products, and through solves.

The matrix is the airfoil problem that ships with pyamg. One step of diffusion, X -> S X, is a
sparse matrix S on its pattern. The conductivity of the mesh is hidden; what is seen is how fields
look after a few steps. Gradient descent through `tsgu.sparse_mm` finds the values of S. infer.py
does the same for heat at rest, through `tsgu.sparse_generic_solve`.
"""

import argparse
import multiprocessing
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from infer import infer
from mesh import airfoil, hidden_conductivity
from picture import draw, draw_inferred

import tsgu

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

_WIDTH = 32  # fields diffused together
_STEPS = 3  # of diffusion between what goes in and what is seen
_NOISE = 1e-4  # of what is seen
_LEARN = 400  # steps of gradient descent


def as_torch(A, dtype=torch.float64):
    """A SciPy CSR array as a torch CSR tensor with int32 indices."""
    return torch.sparse_csr_tensor(
        torch.from_numpy(A.indptr.astype(np.int32)),
        torch.from_numpy(A.indices.astype(np.int32)),
        torch.from_numpy(A.data).to(dtype),
        A.shape,
        check_invariants=True,
    )


# ===-- Is it right, and what does it cost? ---------------------------------===#


def errors(A):
    """Largest relative differences to dense torch in f64: product, gradients of A and of B."""
    torch.manual_seed(0)
    sparse = as_torch(A).requires_grad_()
    dense = sparse.detach().to_dense().requires_grad_()
    B = torch.randn(A.shape[1], _WIDTH, dtype=torch.float64)
    B1, B2 = B.clone().requires_grad_(), B.clone().requires_grad_()
    G = torch.randn(A.shape[0], _WIDTH, dtype=torch.float64)
    found, expected = tsgu.sparse_mm(sparse, B1), dense @ B2
    found.backward(G)
    expected.backward(G)
    on_pattern = dense.grad[tuple(sparse.detach().to_sparse_coo().indices())]
    pairs = [(found, expected), (sparse.grad.values(), on_pattern), (B1.grad, B2.grad)]
    return [((x - y).abs().max() / y.abs().max()).item() for x, y in pairs]


def _peak(since_now=False):
    """The largest resident memory of this process, in MB; Linux can start counting afresh."""
    if since_now:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cost(refinements, library):
    """(seconds, MB) of one forward and backward in f32: the best of many, and by how much the
    first two raised the peak memory of a fresh process."""
    multiply = {"tsgu": tsgu.sparse_mm, "torch": torch.sparse.mm}[library]

    def training_step(matrix):
        A = as_torch(matrix, torch.float32).requires_grad_()
        B = torch.randn(A.shape[1], _WIDTH, requires_grad=True)
        G = torch.randn(A.shape[0], _WIDTH)

        def step():
            A.grad = B.grad = None
            start = time.perf_counter()
            multiply(A, B).backward(G)
            return time.perf_counter() - start

        return step

    training_step(airfoil()[1])()  # loads what is loaded lazily
    step = training_step(airfoil(refinements)[1])
    before = _peak(since_now=True)
    times = [step(), step()]
    memory = _peak() - before
    while len(times) < 7 or sum(times) < 0.5:
        times.append(step())
    return min(times), memory


def table(levels):
    """Prints errors, times and memory for refinements of the mesh."""
    print("forward and backward of A B, p = 32; errors in f64 against dense torch, times in f32")
    heading = ["matrix", "n", "nonzeros", "product", "grad A", "grad B"] + ["tsgu", "torch"] * 2
    form = "{:<18}{:>8}{:>10}" + "{:>10}" * 3 + "{:>11}" * 2 + "{:>10}" * 2
    print(form.format(*heading))
    spawn = multiprocessing.get_context("spawn")
    for level in levels:
        A = airfoil(level)[1]
        name = f"airfoil, refined {level}x" if level else "airfoil (pyamg)"
        checked = [f"{e:.0e}" for e in errors(A)] if A.shape[0] < 10000 else ["-"] * 3
        costs = []
        for library in ("tsgu", "torch"):
            with spawn.Pool(1) as fresh:
                costs.append(fresh.apply(cost, (level, library)))
        times = [f"{1e3 * seconds:.3f} ms" for seconds, _ in costs]
        memory = [f"{peak:.0f} MB" for _, peak in costs]
        print(form.format(name, A.shape[0], A.nnz, *checked, *times, *memory), flush=True)


# ===-- Learning ------------------------------------------------------------===#


def diffusion(K, reference):
    """One step X -> X - 0.5 D^-1 K X, where D is the diagonal of `reference`, on K's pattern."""
    S = K.copy()
    rows = np.repeat(np.arange(S.shape[0]), np.diff(S.indptr))
    S.data = (rows == S.indices) - 0.5 * S.data / reference.diagonal()[rows]
    return S


def learn(refinements):
    """Everything that the picture shows, by name."""
    mesh, K = airfoil(refinements)
    hidden = mesh.stiffness(hidden_conductivity(mesh.centres))
    reference = mesh.stiffness(np.maximum(1, hidden_conductivity(mesh.centres)))
    truth, start = (diffusion(matrix, reference) for matrix in (hidden, K))

    torch.manual_seed(1)
    inputs = torch.randn(K.shape[0], _WIDTH, dtype=torch.float64)
    seen, S = inputs, as_torch(truth)
    for _ in range(_STEPS):
        seen = tsgu.sparse_mm(S, seen)
    seen = seen + _NOISE * torch.randn(seen.shape, dtype=torch.float64)

    first = as_torch(start)
    positions, coordinates = first.crow_indices(), first.col_indices()
    values = first.values().clone().requires_grad_()
    descent = torch.optim.Adam([values], lr=2e-2)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(descent, _LEARN, eta_min=1e-4)
    losses, distances, true_values = [], [], torch.from_numpy(truth.data)
    for _ in range(_LEARN):
        descent.zero_grad()
        X, S = inputs, tsgu.csr(positions, coordinates, values, K.shape)
        for _ in range(_STEPS):
            X = tsgu.sparse_mm(S, X)
        loss = ((X - seen) ** 2).mean()
        loss.backward()
        descent.step()
        slower.step()
        losses.append(loss.item())
        distances.append(float((values.detach() - true_values).norm() / true_values.norm()))
    learned = truth.copy()
    learned.data = values.detach().numpy()
    print(
        f"learning {truth.nnz} values on the pattern: loss {losses[0]:.1e} -> {losses[-1]:.1e}, "
        f"distance to the hidden matrix {distances[0]:.1e} -> {distances[-1]:.1e}"
    )
    return {
        "mesh": mesh,
        "shipped": airfoil()[1],
        "start": start,
        "truth": truth,
        "learned": learned,
        "losses": losses,
        "distances": distances,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("demo"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    table((0, 2, 5))
    parts = ((learn, 2, draw, "airfoil"), (infer, 1, draw_inferred, "conductivity"))
    for work, refinements, picture, name in parts:
        start = time.perf_counter()
        found = work(refinements)
        print(f"in {time.perf_counter() - start:.1f} s")
        path = arguments.output / f"{name}.png"
        picture(found, path)
        print(f"picture: {path}")


if __name__ == "__main__":
    main()
