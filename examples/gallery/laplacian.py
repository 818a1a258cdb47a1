"""Learns the weights of a graph's Laplacian from how signals spread, and times it against dense.

Signals y = (I + t L(w))^-1 s of known sources s are seen at all nodes. L(w) is the Laplacian of a
graph of neighbours, linear in its weights w > 0, which descent finds; a step is a factorisation, a
solve and its adjoint, all on the graph's pattern.
"""

import time

import numpy as np
import scipy.spatial
import torch
from matplotlib.collections import LineCollection
from style import ACCENT, INK, SECOND, main, name, panels, save

import tsgu

_SPREAD = 3.0
_SOURCES = 8


class Graph:
    """The Delaunay graph of random points in the unit square."""

    def __init__(self, n):
        self.points = np.random.default_rng(n).random((n, 2))
        triangles = scipy.spatial.Delaunay(self.points).simplices
        sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2))
        self.edges = torch.from_numpy(np.unique(sides, axis=0).astype(np.int64))
        i, j = self.edges.T
        self.indices = torch.stack([torch.cat([i, j, i, j]), torch.cat([i, j, j, i])])
        diagonal = torch.arange(n)
        self.indices = torch.cat([self.indices, torch.stack([diagonal, diagonal])], 1)
        self.n = n

    def values(self, w):
        """Those of I + t L(w), an entry for each part of a sum."""
        w = _SPREAD * w
        return torch.cat([w, w, -w, -w, w.new_ones(self.n)])

    def spread(self, w, sources):
        A = tsgu.coo(self.indices, self.values(w), (self.n, self.n))
        return tsgu.sparse_generic_solve(A, sources, "cholesky")

    def spread_dense(self, w, sources):
        A = w.new_zeros(self.n, self.n).index_put(tuple(self.indices), self.values(w), True)
        return torch.linalg.solve(A, sources)

    def true_weights(self):
        """Strong along a ring, weak elsewhere."""
        x, y = self.points[self.edges].mean(1).T
        ring = np.exp(-(((np.hypot(x - 0.5, y - 0.5) - 0.3) / 0.07) ** 2))
        return torch.from_numpy(0.2 + 2 * ring)


def seconds(spread, w, sources):
    """Of the fastest step of some, each with weights that it has not seen before."""
    times = []
    while len(times) < 3 or (sum(times) < 0.5 and len(times) < 50):
        w = (w.detach() * 1.01).requires_grad_()
        start = time.perf_counter()
        spread(w, sources).sum().backward()
        times.append(time.perf_counter() - start)
    return min(times)


def timings(sizes, dense_up_to):
    """Of a step forward and backward: {name: (sizes, seconds)}."""
    found = {"tsgu": ([], []), "torch, dense": ([], [])}
    for n in sizes:
        graph = Graph(n)
        w = graph.true_weights()
        sources = torch.randn(n, _SOURCES, dtype=torch.float64)
        for which, spread in zip(found, (graph.spread, graph.spread_dense), strict=True):
            if which == "tsgu" or n <= dense_up_to:
                found[which][0].append(n)
                found[which][1].append(seconds(spread, w, sources))
    return found


def exponent(sizes, times):
    """Of the power of n that the larger half grows with."""
    half = len(sizes) // 2
    return np.polyfit(np.log(sizes[half:]), np.log(times[half:]), 1)[0]


def run(quick=False):
    """Everything that the picture shows, by name."""
    torch.manual_seed(0)
    graph = Graph(100 if quick else 600)
    truth = graph.true_weights()
    sources = torch.randn(graph.n, 64, dtype=torch.float64)
    seen = graph.spread(truth, sources)
    seen = seen + 1e-3 * torch.randn_like(seen)
    log_w = torch.zeros(len(truth), dtype=torch.float64, requires_grad=True)
    descent = torch.optim.Adam([log_w], lr=0.05)
    losses, errors = [], []
    for _ in range(150 if quick else 300):
        descent.zero_grad()
        loss = (graph.spread(log_w.exp(), sources) - seen).square().mean()
        loss.backward()
        descent.step()
        losses.append(loss.item())
        errors.append(((log_w.detach().exp() - truth).norm() / truth.norm()).item())
    sizes = [2**k for k in range(6, 9 if quick else 16)]
    times = timings(sizes, 256 if quick else 2048)
    print(
        f"{graph.n} nodes, {len(truth)} weights: relative error {errors[0]:.2f} -> {errors[-1]:.3f}"
    )
    for which, (n, t) in times.items():
        print(f"{which}: time of a step grows as n^{exponent(n, t):.2f}")
    return {
        "graph": graph,
        "truth": truth,
        "learned": log_w.detach().exp(),
        "losses": losses,
        "errors": errors,
        "times": times,
    }


def draw(found, path):
    figure, (truth, learned, curve, scale) = panels(2, 2, (12, 11))
    graph = found["graph"]
    for axes, key, title in ((truth, "truth", "hidden weights"), (learned, "learned", "learned")):
        lines = LineCollection(
            graph.points[graph.edges], array=found[key].numpy(), cmap="magma_r", linewidths=1.6
        )
        lines.set_clim(0, 2.3)
        axes.add_collection(lines)
        axes.autoscale_view()
        name(axes, f"{title}: {graph.n} nodes, {len(graph.edges)} edges")
        figure.colorbar(lines, ax=axes, shrink=0.8).set_label("weight", color=INK)
    curve.semilogy(found["errors"], color=ACCENT, label="relative error of the weights")
    curve.semilogy(np.sqrt(found["losses"]), color=SECOND, label="misfit of the signals, rms")
    curve.legend(frameon=False)
    name(curve, "descent on the logarithms of the weights", "steps", "error")
    for colour, (which, (n, t)) in zip((ACCENT, SECOND), found["times"].items(), strict=True):
        scale.loglog(n, t, "o-", color=colour, label=f"{which}: $n^{{{exponent(n, t):.2f}}}$")
    scale.legend(frameon=False)
    name(scale, f"one step, {_SOURCES} sources, forward and backward", "nodes n", "seconds")
    save(figure, "Learning a graph Laplacian from diffused signals", path)


if __name__ == "__main__":
    main(__file__, run, draw)
