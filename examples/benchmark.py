"""Time of a solve with its gradient, by n: a Cholesky factor that is kept, and dense torch.

The matrix is I + L with L the Laplacian of a square grid, as when a network's potentials are
fitted step by step: the factor is found again by the content of the values, so a step is two
triangular solves. Draws both curves into a picture and prints their exponents, fitted to the
larger half of the sizes. Times are of the processor, on one thread: other programs do not count.
"""

import argparse
import statistics
import time
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import torch

import tsgu

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

REPEATS = 7


def matrix(side):
    """I + L of a grid of side x side points, float64, CSR."""
    points = torch.arange(side * side).reshape(side, side)
    pairs = [(points[:, :-1], points[:, 1:]), (points[:-1], points[1:])]
    ends = torch.cat([torch.stack([a.flatten(), b.flatten()]) for a, b in pairs], dim=1)
    degrees = torch.bincount(ends.flatten(), minlength=side * side).double()
    own = points.flatten().repeat(2, 1)
    indices = torch.cat([ends, ends.flip(0), own], dim=1)
    values = torch.cat([-torch.ones(2 * ends.shape[1]).double(), 1 + degrees])
    A = torch.sparse_coo_tensor(indices, values, (side * side,) * 2, check_invariants=True)
    return A.coalesce().to_sparse_csr()


def step(solve, A, b):
    """A step of a fit: the solution and its gradients by all entries and by b."""
    x = solve(A, b)
    return torch.autograd.grad(x.square().sum(), (A, b))


def sparse(A, b):
    return tsgu.sparse_generic_solve(A, b, "cholesky")


def seconds(solve, A, b):
    """The median of several steps after a first one, which factorises."""
    A, b = A.clone().requires_grad_(), b.clone().requires_grad_()
    step(solve, A, b)
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        step(solve, A, b)
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def exponent(sizes, taken):
    """The slope of log(time) by log(n), by least squares over the larger half."""
    x, y = (torch.tensor(v[len(v) // 2 :], dtype=torch.float64).log() for v in (sizes, taken))
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / (x @ x))


def measure(sides, most_dense):
    """{name: (sizes, seconds)}; dense matrices have up to `most_dense` rows."""
    found = {"tsgu, factor kept": ([], []), "torch.linalg.solve": ([], [])}
    for side in sides:
        A, b = matrix(side), torch.ones(side * side, 1, dtype=torch.float64)
        candidates = [(sparse, A)]
        if side * side <= most_dense:
            candidates.append((torch.linalg.solve, A.to_dense()))
        for (sizes, taken), (solve, B) in zip(found.values(), candidates, strict=False):
            sizes.append(side * side)
            taken.append(seconds(solve, B, b))
    return found


def draw(found, path):
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    for (name, (sizes, taken)), mark in zip(found.items(), "os", strict=True):
        power = exponent(sizes, taken)
        axes.loglog(sizes, [1e3 * t for t in taken], mark + "-", label=f"{name}: n^{power:.2f}")
    axes.set(
        xlabel="n, rows of the matrix",
        ylabel="processor time of a solve with gradients (ms)",
        title="A grid's Laplacian: sparse factor kept, and dense",
    )
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("benchmark.png"))
    parser.add_argument("--quick", action="store_true", help="small sizes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sides = [6, 8, 11, 16, 22] if given.quick else [8, 11, 16, 22, 32, 45, 64, 128, 256, 400]
    found = measure(sides, most_dense=22**2 if given.quick else 64**2)
    draw(found, given.output)
    for name, (sizes, taken) in found.items():
        print(f"{name:<20} time ~ n^{exponent(sizes, taken):.2f}, up to n = {sizes[-1]}")
        for n, t in zip(sizes, taken, strict=True):
            print(f"{n:>12} {1e3 * t:10.3f} ms")


if __name__ == "__main__":
    main()
