"""Inverse design of a cantilever of masses and springs: how stiff must each spring be?

A lattice of springs is clamped at its left end and carries a weight at its right one. Its
displacements solve K(k) u = f, where K(k) = sum over springs of k_s d_s d_s^T is linear in the
stiffnesses. Wanted is that the middle of the beam takes a given shape. The gradient of the misfit
with respect to every stiffness is one more solve, by the same Cholesky factors.
"""

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from style import ACCENT, INK, SECOND, main, name, panels, save

import tsgu


def lattice(columns, rows):
    """Nodes (n, 2) of squares of side 1, and springs (s, 2): sides and both diagonals."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")
    number = x * rows + y
    pairs = [
        (number[:-1], number[1:]),
        (number[:, :-1], number[:, 1:]),
        (number[:-1, :-1], number[1:, 1:]),
        (number[:-1, 1:], number[1:, :-1]),
    ]
    springs = np.concatenate([np.stack([a.ravel(), b.ravel()], 1) for a, b in pairs])
    return np.stack([x.ravel(), y.ravel()], 1).astype(float), springs


class Beam:
    def __init__(self, columns, rows):
        self.nodes, self.springs = lattice(columns, rows)
        n = 2 * len(self.nodes)
        along = self.nodes[self.springs[:, 1]] - self.nodes[self.springs[:, 0]]
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        stretch = np.concatenate([-along, along], 1)  # of a spring, by the 4 numbers of its ends
        ends = (2 * self.springs[:, :, None] + np.arange(2)).reshape(-1, 4)
        self.free = np.arange(n) >= 2 * rows  # the first column of nodes is clamped
        unknown = np.cumsum(self.free) - 1
        i, j = np.repeat(ends, 4, axis=1), np.tile(ends, 4)
        kept = self.free[i] & self.free[j]
        self.spring = torch.from_numpy(np.nonzero(kept)[0])
        self.weight = torch.from_numpy(
            (stretch[:, :, None] * stretch[:, None]).reshape(-1, 16)[kept]
        )
        self.indices = torch.from_numpy(np.stack([unknown[i[kept]], unknown[j[kept]]]))
        self.size = int(self.free.sum())
        load = np.zeros(n)
        load[-2 * rows + 1 :: 2] = -1.0 / rows
        self.load = torch.from_numpy(load[self.free])
        middle = 2 * (np.arange(columns) * rows + rows // 2) + 1
        self.middle = torch.from_numpy(unknown[middle[1:]])

    def matrix(self, stiffness):
        """K; entries of several springs are summed, and pass their gradient on to each."""
        values = self.weight * stiffness[self.spring]
        return tsgu.coo(self.indices, values, (self.size, self.size))

    def displacements(self, stiffness):
        return tsgu.sparse_generic_solve(self.matrix(stiffness), self.load, "cholesky")

    def moved(self, u):
        """Where the nodes are then."""
        all_of_them = np.zeros(2 * len(self.nodes))
        all_of_them[self.free] = u.detach().numpy()
        return self.nodes + all_of_them.reshape(-1, 2)


def run(quick=False):
    """Everything that the picture shows, by name."""
    columns, rows, steps = (25, 5, 40) if quick else (61, 9, 150)
    beam = Beam(columns, rows)
    x = torch.arange(1, columns, dtype=torch.float64) / (columns - 1)
    # Straight, a bend, and straight again.
    bend = torch.nn.functional.softplus((x - 0.35) * 30) - torch.nn.functional.softplus(
        (x - 0.6) * 30
    )
    slope = bend / bend[-1]
    target = -0.2 * columns * torch.cumsum(slope, 0) / slope.sum()
    with torch.no_grad():  # the uniform beam that sinks as far
        sunk = beam.displacements(torch.ones(len(beam.springs), dtype=torch.float64))
        uniform = (sunk[beam.middle[-1]] / target[-1]).item()
    log_k = torch.full((len(beam.springs),), np.log(uniform), dtype=torch.float64)
    start = log_k.clone()
    log_k.requires_grad_()
    search = torch.optim.LBFGS(
        [log_k], max_iter=steps, history_size=20, line_search_fn="strong_wolfe"
    )
    losses = []

    def closure():
        search.zero_grad()
        u = beam.displacements(log_k.exp())
        misfit = (u[beam.middle] - target).square().mean()
        loss = misfit + 1e-4 * (log_k - start).square().mean()
        loss.backward()
        losses.append(misfit.item())
        return loss

    search.step(closure)
    with torch.no_grad():
        u = beam.displacements(log_k.exp())
        before = beam.displacements(start.exp())
    print(f"{len(beam.springs)} springs, {beam.size} unknowns, {len(losses)} solves with gradient")
    print(f"distance from the target: {losses[0] ** 0.5:.3f} before, {losses[-1] ** 0.5:.4f} after")
    return {
        "beam": beam,
        "target": target,
        "before": before,
        "after": u,
        "relative": (log_k.detach() - start).exp(),
        "losses": losses,
    }


def draw(found, path):
    figure, (shape, curve) = panels(1, 2, (15, 5.5), width_ratios=[2.2, 1])
    beam, target = found["beam"], found["target"].numpy()
    old = beam.moved(found["before"])
    shape.add_collection(LineCollection(old[beam.springs], colors="#d8d3c7", linewidths=0.7))
    lines = LineCollection(
        beam.moved(found["after"])[beam.springs],
        array=found["relative"].numpy(),
        norm=LogNorm(0.1, 10),
        cmap="RdBu_r",
        linewidths=1.3,
    )
    shape.add_collection(lines)
    middle = beam.nodes[:, 1].max() / 2
    x = np.arange(1, len(target) + 1)
    shape.plot(x, middle + target, "--", color=INK, linewidth=1.6, label="wanted, of the middle")
    name(shape, "grey: all springs alike; coloured: designed")
    shape.autoscale_view()
    shape.legend(frameon=False, loc="lower left")
    bar = figure.colorbar(lines, ax=shape, shrink=0.8, pad=0.01)
    bar.set_label("stiffness, relative to the uniform beam's", color=INK)
    curve.semilogy(np.sqrt(found["losses"]), color=ACCENT)
    curve.axhline(0.01, color=SECOND, linewidth=0.8, linestyle=":")
    name(
        curve,
        "distance from the wanted shape",
        "solves with gradient",
        "root mean square, in squares",
    )
    save(figure, "A beam that bends where it is told to", path)


if __name__ == "__main__":
    main(__file__, run, draw)
