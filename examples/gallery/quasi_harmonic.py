"""Weights that blend smoothly and stay between 0 and 1: quasi-harmonic ones.

Biharmonic weights of handles are smooth but overshoot; harmonic ones stay between 0 and 1 but have
peaks at the handles. Solutions of the Laplace equation in another metric keep the maximum
principle: quasi-harmonic weights are those, among them, with the least biharmonic energy (Wang and
Solomon, 2021). Here the metric is one conductivity for each triangle, and the energy's gradient by
all of them costs one adjoint solve.
"""

import numpy as np
import scipy.sparse
import scipy.spatial
import torch
from matplotlib.colors import LogNorm
from style import ACCENT, INK, main, name, panels, save

import tsgu

_HANDLES = np.array([[0.2, 0.3], [0.75, 0.25], [0.5, 0.8], [0.85, 0.7]])


class Mesh:
    """Linear finite elements on a jittered grid of the unit square."""

    def __init__(self, side):
        steps = np.linspace(0, 1, side)
        points = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        inner = (points > 0).all(1) & (points < 1).all(1)
        jitter = np.random.default_rng(0).uniform(-0.25, 0.25, points.shape) / side
        self.points = points + jitter * inner[:, None]
        self.triangles = scipy.spatial.Delaunay(self.points).simplices.astype(np.int64)
        corner = self.points[self.triangles]
        opposite = corner[:, [2, 0, 1]] - corner[:, [1, 2, 0]]
        area = 0.5 * np.abs(
            opposite[:, 0, 0] * opposite[:, 1, 1] - opposite[:, 0, 1] * opposite[:, 1, 0]
        )
        local = opposite @ opposite.transpose(0, 2, 1) / (4 * area[:, None, None])
        self.rows = torch.from_numpy(np.repeat(self.triangles, 3, axis=1).ravel())
        self.columns = torch.from_numpy(np.tile(self.triangles, 3).ravel())
        self.local = torch.from_numpy(local.ravel())
        self.n = len(self.points)
        self.masses = torch.from_numpy(
            np.bincount(self.triangles.ravel(), np.repeat(area / 3, 3), self.n)
        )

    def laplacian(self, conductivity):
        """The stiffness matrix; its entries are sums over triangles, which tsgu.coo takes."""
        values = self.local * conductivity.repeat_interleave(9)
        return tsgu.coo(torch.stack([self.rows, self.columns]), values, (self.n, self.n))

    def reduced(self, conductivity, inside):
        """The matrix for the vertices inside, whose others have given values."""
        number = torch.full((self.n,), -1)
        number[inside] = torch.arange(len(inside))
        i, j = number[self.rows], number[self.columns]
        kept = (i >= 0) & (j >= 0)
        values = (self.local * conductivity.repeat_interleave(9))[kept]
        return tsgu.coo(torch.stack([i[kept], j[kept]]), values, (len(inside), len(inside)))


def harmonic(mesh, conductivity, handles, inside):
    """Weights (n, handles): 1 at its own handle, 0 at the others, harmonic elsewhere."""
    fixed = torch.zeros(mesh.n, len(handles), dtype=torch.float64)
    fixed[handles, torch.arange(len(handles))] = 1
    right = -tsgu.sparse_mm(mesh.laplacian(conductivity), fixed)[inside]
    found = tsgu.sparse_generic_solve(mesh.reduced(conductivity, inside), right, "cholesky")
    return fixed.index_put((inside,), found)


def biharmonic(mesh, handles, inside):
    """What minimises the energy alone, by SciPy."""
    ones = torch.ones(len(mesh.triangles), dtype=torch.float64)
    L = mesh.laplacian(ones).detach().coalesce()
    i, j = L.indices().numpy()
    L = scipy.sparse.csr_array((L.values().numpy(), (i, j)), shape=(mesh.n, mesh.n))
    Q = (L @ scipy.sparse.diags_array(1 / mesh.masses.numpy()) @ L).tocsc()
    w = np.zeros((mesh.n, len(handles)))
    w[handles, np.arange(len(handles))] = 1
    inside = inside.numpy()
    w[inside] = scipy.sparse.linalg.spsolve(Q[inside][:, inside], -(Q @ w)[inside])
    return torch.from_numpy(w)


def run(quick=False):
    """Everything that the picture shows, by name."""
    mesh = Mesh(17 if quick else 41)
    nearest = scipy.spatial.KDTree(mesh.points).query(_HANDLES)[1]
    handles = torch.from_numpy(nearest)
    inside = torch.from_numpy(np.setdiff1d(np.arange(mesh.n), nearest))
    ones = torch.ones(len(mesh.triangles), dtype=torch.float64)
    plain = mesh.laplacian(ones).detach()

    def energy(w):
        return ((tsgu.sparse_mm(plain, w) / mesh.masses[:, None].sqrt()) ** 2).sum()

    log_k = torch.zeros(len(mesh.triangles), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [log_k], max_iter=40 if quick else 200, history_size=20, line_search_fn="strong_wolfe"
    )
    energies = []

    def closure():
        search.zero_grad()
        found = energy(harmonic(mesh, log_k.exp(), handles, inside))
        found.backward()
        energies.append(found.item())
        return found

    search.step(closure)
    with torch.no_grad():
        weights = {
            "harmonic": harmonic(mesh, ones, handles, inside),
            "biharmonic": biharmonic(mesh, handles, inside),
            "quasi-harmonic": harmonic(mesh, log_k.exp(), handles, inside),
        }
    least = energy(weights["biharmonic"]).item()
    for kind, w in weights.items():
        print(f"{kind}: energy {energy(w).item():.3g}, from {w.min():.3f} to {w.max():.3f}")
    return {
        "mesh": mesh,
        "weights": weights,
        "conductivity": log_k.detach().exp(),
        "energies": energies,
        "least": least,
    }


def draw(found, path):
    figure, axes = panels(2, 3, (14, 9.4))
    mesh = found["mesh"]
    for one, (kind, w) in zip(axes, found["weights"].items(), strict=False):
        w = w[:, 0].numpy()
        shown = one.tripcolor(
            *mesh.points.T, mesh.triangles, w, shading="gouraud", cmap="RdBu_r", vmin=-1, vmax=1
        )
        one.tricontour(
            *mesh.points.T,
            mesh.triangles,
            w,
            np.linspace(-0.3, 0.9, 13),
            colors=INK,
            linewidths=0.6,
        )
        one.plot(*_HANDLES.T, "o", color=INK, markersize=5)
        name(one, f"{kind}: from {w.min():.2f} to {w.max():.2f}")
    figure.colorbar(shown, ax=axes[:3], shrink=0.8).set_label(
        "weight of one of four handles", color=INK
    )
    k = found["conductivity"].numpy()
    shown = axes[3].tripcolor(
        *mesh.points.T, mesh.triangles, k, cmap="magma", norm=LogNorm(*np.quantile(k, [0.01, 0.99]))
    )
    name(axes[3], f"conductivity of {len(k)} triangles")
    figure.colorbar(shown, ax=axes[3], shrink=0.8).set_label("found by L-BFGS", color=INK)
    axes[4].semilogy(found["energies"], color=ACCENT, label="of the weights")
    axes[4].axhline(found["least"], color=INK, linestyle=":", label="of biharmonic ones")
    axes[4].legend(frameon=False)
    name(axes[4], "biharmonic energy", "solves with gradient", "energy")
    line = np.abs(mesh.points[:, 1] - _HANDLES[0, 1]) < 0.02
    order = np.nonzero(line)[0][np.argsort(mesh.points[line, 0])]
    for kind, w in found["weights"].items():
        axes[5].plot(mesh.points[order, 0], w[order, 0], label=kind)
    axes[5].axhline(0, color=INK, linewidth=0.8)
    axes[5].legend(frameon=False)
    name(axes[5], "along a line through the first handle", "x", "weight")
    save(figure, "Quasi-harmonic weights: smooth, and between 0 and 1", path)


if __name__ == "__main__":
    main(__file__, run, draw)
