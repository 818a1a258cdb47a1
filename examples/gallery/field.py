"""Fits range, variance and noise of a Gaussian field on a mesh, exactly, from scattered readings.

The field has the precision Q = t^2 (k^4 C + 2 k^2 G + G C^-1 G) of linear finite elements for the
stochastic equation of a Matern field (Lindgren, Rue and Lindstrom, 2011): sparse, and linear in few
numbers. Its marginal likelihood needs log-determinants of two precisions, whose gradients are
entries of their inverses on the pattern; so does the uncertainty of what is interpolated.
"""

import math

import numpy as np
import scipy.sparse
import scipy.spatial
import torch
from style import ACCENT, INK, SECOND, main, name, panels, save

import tsgu
from tsgu.distributions import SparseMultivariateNormal, log_evidence, posterior

_SIDE = 10.0
_NOISE = 0.2


class Mesh:
    """Linear finite elements on a jittered grid, somewhat larger than where readings are."""

    def __init__(self, side, readings):
        random = np.random.default_rng(0)
        steps = np.linspace(-1, _SIDE + 1, side)
        points = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        self.points = points + random.uniform(-0.2, 0.2, points.shape) * (steps[1] - steps[0])
        cut = scipy.spatial.Delaunay(self.points)
        self.triangles = cut.simplices.astype(np.int64)
        n = self.n = len(self.points)
        corner = self.points[self.triangles]
        opposite = corner[:, [2, 0, 1]] - corner[:, [1, 2, 0]]
        area = 0.5 * np.abs(np.linalg.det(opposite[:, :2]))
        local = opposite @ opposite.transpose(0, 2, 1) / (4 * area[:, None, None])
        rows, columns = np.repeat(self.triangles, 3, axis=1), np.tile(self.triangles, 3)
        where = rows.ravel(), columns.ravel()
        G = scipy.sparse.coo_array((local.ravel(), where), shape=(n, n)).tocsr()
        masses = np.bincount(self.triangles.ravel(), np.repeat(area / 3, 3), n)
        C = scipy.sparse.diags_array(masses).tocsr()
        H = G @ scipy.sparse.diags_array(1 / masses) @ G

        places = random.uniform(0, _SIDE, (readings, 2))
        which = cut.find_simplex(places)
        affine = cut.transform[which]
        first = np.einsum("nij,nj->ni", affine[:, :2], places - affine[:, 2])
        weights = np.concatenate([first, 1 - first.sum(1, keepdims=True)], 1)
        entries = (
            weights.ravel(),
            (np.repeat(np.arange(readings), 3), self.triangles[which].ravel()),
        )
        A = scipy.sparse.coo_array(entries, shape=(readings, n)).tocsr()
        self.places, self.reading = places, tsgu.Matrix.of(A)

        # All three on one pattern, that of their sum.
        parts = {"C": C, "G": G, "H": H}
        total = sum(abs(part) for part in parts.values()).tocsr()
        total.sort_indices()
        rows = np.repeat(np.arange(n), np.diff(total.indptr))
        numbers = {key: part[rows, total.indices] for key, part in parts.items()}
        self.numbers = {key: torch.from_numpy(np.asarray(x).ravel()) for key, x in numbers.items()}
        self.pattern = tsgu.Matrix.of(total).pattern

    def field(self, log_range, log_deviation):
        """The field of smoothness 1 with this range and standard deviation."""
        k = math.sqrt(8) / log_range.exp()
        t2 = 1 / (4 * math.pi * k**2 * (2 * log_deviation).exp())
        C, G, H = (self.numbers[key] for key in "CGH")
        Q = tsgu.Matrix(self.pattern, t2 * (k**4 * C + 2 * k**2 * G + H))
        zero = torch.zeros(self.n, dtype=torch.float64)
        return SparseMultivariateNormal(zero, precision_matrix=Q)


def log_likelihood(mesh, y, parameters):
    """The exact one of the readings, for the logarithms of range, deviation and noise."""
    log_range, log_deviation, log_noise = parameters
    field = mesh.field(log_range, log_deviation)
    return log_evidence(field, mesh.reading, y, (-2 * log_noise).exp())


def run(quick=False):
    """Everything that the picture shows, by name."""
    torch.manual_seed(0)
    mesh = Mesh(20 if quick else 50, 150 if quick else 400)
    truth = torch.tensor([3.0, 1.5, _NOISE], dtype=torch.float64).log()
    field = mesh.field(*truth[:2]).sample()
    y = mesh.reading @ field + _NOISE * torch.randn(len(mesh.places), dtype=torch.float64)
    parameters = torch.tensor([1.0, 0.5, 0.5], dtype=torch.float64).log().requires_grad_()
    search = torch.optim.LBFGS([parameters], max_iter=40, line_search_fn="strong_wolfe")
    path, losses = [], []

    def closure():
        search.zero_grad()
        loss = -log_likelihood(mesh, y, parameters)
        loss.backward()
        path.append(parameters.detach().exp().clone())
        losses.append(loss.item())
        return loss

    search.step(closure)
    with torch.no_grad():
        *of_field, log_noise = parameters
        after = posterior(mesh.field(*of_field), mesh.reading, y, (-2 * log_noise).exp())
    found = ", ".join(f"{x:.2f}" for x in parameters.detach().exp())
    true = ", ".join(f"{x:.2f}" for x in truth.exp())
    print(f"{mesh.n} nodes, {len(y)} readings: range, deviation, noise {found} (true: {true})")
    return {
        "mesh": mesh,
        "field": field,
        "y": y,
        "mean": after.mean,
        "deviation": after.stddev,
        "path": torch.stack(path),
        "losses": losses,
        "truth": truth.exp(),
        "parameters": parameters.detach(),
    }


def draw(found, path):
    figure, axes = panels(2, 3, (15, 9.2))
    mesh, most = found["mesh"], found["field"].abs().max().item()
    for one, key, title in ((axes[0], "field", "hidden field"), (axes[2], "mean", "interpolated")):
        shown = one.tripcolor(
            *mesh.points.T, mesh.triangles, found[key].numpy(), cmap="RdBu_r", vmin=-most, vmax=most
        )
        name(one, title)
    axes[1].scatter(
        *mesh.places.T, c=found["y"].numpy(), cmap="RdBu_r", s=16, vmin=-most, vmax=most
    )
    name(axes[1], f"{len(found['y'])} readings, with noise")
    figure.colorbar(shown, ax=axes[:3], shrink=0.8).set_label("field", color=INK)
    shown = axes[3].tripcolor(
        *mesh.points.T, mesh.triangles, found["deviation"].numpy(), cmap="magma"
    )
    axes[3].plot(*mesh.places.T, ".", color="white", markersize=1.5)
    name(axes[3], "standard deviation of what is interpolated")
    figure.colorbar(shown, ax=axes[3], shrink=0.8).set_label("field", color=INK)
    axes[4].plot(found["losses"], color=ACCENT)
    name(axes[4], "exact likelihood", "evaluations", "negative log-likelihood")
    for k, (what, colour) in enumerate((("range", ACCENT), ("deviation", SECOND), ("noise", INK))):
        axes[5].semilogy(found["path"][:, k], color=colour, label=what)
        axes[5].axhline(found["truth"][k], color=colour, linestyle=":")
    axes[5].legend(frameon=False)
    name(axes[5], "parameters; dotted: the true ones", "evaluations", "value")
    save(figure, "A Gaussian field fitted by its sparse precision", path)


if __name__ == "__main__":
    main(__file__, run, draw)
