"""Electrical impedance tomography: what is inside of a disc, from voltages on its rim?

A current goes in at one electrode and out at one across, and the voltages between the others are
read; then the next pair. Inside, finite elements solve K(s) u = f, where the stiffness K(s) = sum
over triangles of s_t K_t is linear in the conductivities s. Descent finds those that give the
readings; a step is one factorisation, 32 solves with it and their adjoints. The readings come from
another mesh than the one that is fitted, and with noise.
"""

import numpy as np
import scipy.spatial
import torch
from matplotlib.colors import LogNorm
from style import ACCENT, INK, SECOND, main, name, panels, save

import tsgu

_ELECTRODES = 32
_ACROSS = 12  # electrodes on, where the current goes out
_NOISE = 3e-3  # of the largest reading
_BODIES = [(-0.45, 0.1, 0.28, 0.2), (0.45, 0.1, 0.28, 0.2), (0.0, -0.5, 0.2, 4.0)]
_SMOOTH = 4e-3  # the weight of differences between neighbours


class Disc:
    """Triangles of points on rings, those of the rim two for each electrode."""

    def __init__(self, rings, seed):
        random = np.random.default_rng(seed)
        rim = 2 * np.pi * np.arange(2 * _ELECTRODES) / (2 * _ELECTRODES)
        points = [np.stack([np.cos(rim), np.sin(rim)], 1), np.zeros((1, 2))]
        for radius in np.arange(1, rings) / rings:
            angle = np.arange(round(2 * np.pi * radius * rings)) / (radius * rings)
            angle = angle + random.uniform(0, 2 * np.pi)
            points.append(radius * np.stack([np.cos(angle), np.sin(angle)], 1))
        self.points = np.concatenate(points)
        self.triangles = scipy.spatial.Delaunay(self.points).simplices
        self.n, self.electrodes = len(self.points) - 1, torch.arange(1, 2 * _ELECTRODES, 2)
        corners = self.points[self.triangles]
        self.centres = corners.mean(1)
        opposite = corners[:, [2, 0, 1]] - corners[:, [1, 2, 0]]
        first, second = -opposite[:, 2], opposite[:, 1]
        area = 0.5 * np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
        local = np.einsum("tid,tjd->tij", opposite, opposite) / (4 * area)[:, None, None]
        i, j = np.repeat(self.triangles, 3, 1) - 1, np.tile(self.triangles, 3) - 1
        kept = (i >= 0) & (j >= 0)  # the first point is grounded
        self.triangle = torch.from_numpy(np.nonzero(kept)[0])
        self.weights = torch.from_numpy(local.reshape(-1, 9)[kept])
        indices = torch.from_numpy(np.stack([i[kept], j[kept]]).astype(np.int64))
        self.pattern = tsgu.Pattern.coo(indices, (self.n, self.n))
        sides = np.sort(self.triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=2).reshape(-1, 2)
        order = np.lexsort(sides.T)
        same = (sides[order[1:]] == sides[order[:-1]]).all(1)
        self.neighbours = torch.from_numpy(
            np.stack([order[:-1][same], order[1:][same]]).astype(np.int64) // 3
        )

    def matrix(self, s):
        """K(s); entries of several triangles are summed, and pass their gradient on to each."""
        return tsgu.Matrix(self.pattern, self.weights * s[self.triangle])

    def readings(self, s):
        """Differences of neighbouring electrodes' voltages, where both have no current."""
        k = torch.arange(_ELECTRODES)
        at = self.electrodes - 1
        currents = torch.zeros(self.n, _ELECTRODES, dtype=s.dtype)
        currents[at, k], currents[at.roll(-_ACROSS), k] = 1.0, -1.0
        u = self.matrix(s).solve(currents, method="cholesky")[at]
        without = currents[at] == 0
        return (u - u.roll(-1, 0))[without & without.roll(-1, 0)]


def conductivity(points):
    """Of the disc that is looked into: two bodies that conduct badly, and one that does well."""
    s = np.ones(len(points))
    for x, y, radius, value in _BODIES:
        s[np.hypot(points[:, 0] - x, points[:, 1] - y) < radius] = value
    return torch.from_numpy(s)


def run(quick=False):
    """Everything that the picture shows, by name."""
    torch.manual_seed(0)
    real, disc = Disc(13 if quick else 29, seed=1), Disc(11 if quick else 24, seed=2)
    with torch.no_grad():
        seen = real.readings(conductivity(real.centres))
    noise = _NOISE * seen.abs().max()
    seen = seen + noise * torch.randn_like(seen)
    log_s = torch.zeros(len(disc.triangles), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [log_s], max_iter=30 if quick else 120, history_size=20, line_search_fn="strong_wolfe"
    )
    misfits = []

    def closure():
        search.zero_grad()
        misfit = ((disc.readings(log_s.exp()) - seen) / noise).square().mean()
        jumps = (log_s[disc.neighbours[0]] - log_s[disc.neighbours[1]]).square()
        loss = misfit + _SMOOTH * (jumps + 1e-4).sqrt().sum()  # edges may be sharp
        loss.backward()
        misfits.append(misfit.item())
        return loss

    search.step(closure)
    s = log_s.detach().exp()
    with torch.no_grad():
        fitted = disc.readings(s)
    print(
        f"{len(s)} conductivities from {seen.numel()} readings, {len(misfits)} steps: "
        f"misfit {misfits[0] ** 0.5:.1f} -> {misfits[-1] ** 0.5:.2f} deviations of the noise"
    )
    return {
        "real": real,
        "disc": disc,
        "truth": conductivity(real.centres),
        "found": s,
        "seen": seen,
        "fitted": fitted,
        "misfits": misfits,
    }


def draw(found, path):
    figure, axes = panels(1, 3, (15, 5.2), width_ratios=[1, 1, 1])
    scale = LogNorm(0.2, 4)
    for one, mesh, values, title in (
        (axes[0], found["real"], found["truth"], "inside"),
        (axes[1], found["disc"], found["found"], "what the rim tells of it"),
    ):
        shown = one.tripcolor(
            *mesh.points.T, mesh.triangles, facecolors=values.numpy(), cmap="PuOr", norm=scale
        )
        one.plot(*mesh.points[mesh.electrodes].T, "s", color=INK, markersize=4)
        name(one, title)
    bar = figure.colorbar(shown, ax=axes[:2], shrink=0.8, pad=0.01)
    bar.set_label("conductivity; squares: electrodes", color=INK)
    bar.set_ticks([0.2, 0.5, 1, 2, 4], labels=["0.2", "0.5", "1", "2", "4"], minor=False)
    bar.minorticks_off()
    axes[2].semilogy(np.sqrt(found["misfits"]), color=ACCENT)
    axes[2].axhline(1, color=SECOND, linestyle=":")
    name(axes[2], "misfit; dotted: the noise", "solves with gradient", "deviations of the noise")
    save(figure, "Electrical impedance tomography", path)


if __name__ == "__main__":
    main(__file__, run, draw)
