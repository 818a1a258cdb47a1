"""The picture of the demo: what was hidden, what was seen, what was learned."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from scipy.sparse.csgraph import reverse_cuthill_mckee

_INK, _PAPER, _ACCENT, _SECOND = "#1d2433", "#fbfaf7", "#c8452f", "#2f6f9f"
_MAP = "magma"
_VIEW = 4.4  # half the width of what is shown, in chords of the wing


def _weights(mesh, S, start):
    """The vertices of each edge between unknowns, and its weight against the start's: symmetric.

    An entry of S off the diagonal is step length times conductance, so the ratio to the mesh's
    own is the conductivity that S sees on that edge.
    """
    ratio = S.copy()
    ratio.data = S.data / start.data
    ratio = scipy.sparse.triu((ratio + ratio.T) / 2, k=1).tocoo()
    reliable = np.abs(scipy.sparse.triu(start, k=1).tocoo().data) > 0.02
    inside = mesh.inside()
    ends = np.stack([inside[ratio.row], inside[ratio.col]], 1)
    return ends[reliable], ratio.data[reliable]


def _plain(axes, title):
    axes.set_title(title, fontsize=12, color=_INK, loc="left", pad=8)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _wing(axes, mesh):
    edges, _, counts = mesh.edges()
    rim = edges[counts == 1]
    near = np.hypot(*(mesh.vertices[rim].mean(1) - [0.5, 0]).T) < 1.5
    axes.add_collection(LineCollection(mesh.vertices[rim[near]], colors=_INK, linewidths=1.2))


def _network(axes, mesh, S, start, norm, title):
    ends, weight = _weights(mesh, S, start)
    order = np.argsort(np.abs(np.log(np.clip(weight, norm.vmin, norm.vmax))))
    lines = LineCollection(
        mesh.vertices[ends[order]],
        array=np.clip(weight[order], norm.vmin, norm.vmax),
        cmap=_MAP,
        norm=norm,
        linewidths=1.0,
        capstyle="round",
    )
    axes.add_collection(lines)
    _wing(axes, mesh)
    axes.set_xlim(0.2 - _VIEW, 0.2 + _VIEW)
    axes.set_ylim(-_VIEW, _VIEW)
    axes.set_aspect("equal")
    _plain(axes, title)
    return lines


def _spy(axes, A):
    order = reverse_cuthill_mckee(scipy.sparse.csr_matrix(A), symmetric_mode=True)
    B = A[order][:, order].tocoo()
    size = np.abs(B.data)
    points = axes.scatter(
        B.col,
        B.row,
        c=np.where(B.data > 0, size, -size),
        s=4,
        marker="s",
        cmap="RdBu",
        linewidths=0,
    )
    points.set_clim(-2, 2)
    axes.set_xlim(-3, A.shape[0] + 2)
    axes.set_ylim(A.shape[0] + 2, -3)
    axes.set_aspect("equal")
    _plain(axes, f"the matrix as shipped, reordered: {A.nnz} entries")
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#c9c5ba")


def _field(mesh, S, steps=12):
    """A warm patch of air ahead of the wing, some steps later, on all vertices."""
    inside = mesh.inside()
    x, y = mesh.vertices[inside].T
    heat = np.exp(-(((x + 0.6) ** 2 + (y - 0.7) ** 2) / 0.5)) + np.exp(
        -(((x - 2.0) ** 2 + (y + 0.3) ** 2) / 0.3)
    )
    for _ in range(steps):
        heat = S @ heat
    return mesh.everywhere(heat)


def _heat(axes, mesh, field, title, shading="gouraud", **colours):
    """Of a field on the vertices; shading="flat": on the triangles."""
    shown = axes.tripcolor(*mesh.vertices.T, mesh.triangles, field, shading=shading, **colours)
    _wing(axes, mesh)
    axes.set_xlim(0.2 - _VIEW, 0.2 + _VIEW)
    axes.set_ylim(-_VIEW * 0.9, _VIEW * 0.9)
    axes.set_aspect("equal")
    _plain(axes, title)
    return shown


def _descent(axes, title, **curves):
    for colour, (name, curve) in zip((_ACCENT, _SECOND), curves.items(), strict=False):
        label = name.replace("_", " ")
        axes.semilogy(curve, label=label, color=colour, linewidth=1.8)
    axes.legend(frameon=False, labelcolor="linecolor", loc="upper right")
    axes.set_title(title, fontsize=12, color=_INK, loc="left", pad=8)
    axes.set_xlabel("steps", color=_INK)
    axes.grid(axis="y", color="#e4e0d6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, colors=_INK)


def _save(figure, title, path):
    figure.suptitle(title, x=0.01, ha="left", fontsize=16, color=_INK, fontweight="bold")
    figure.savefig(path, dpi=130, facecolor=_PAPER)


def draw_inferred(found, path):
    """Writes the picture of what `infer` found."""
    mesh = found["mesh"]
    figure, panels = plt.subplots(2, 2, figsize=(12, 11), facecolor=_PAPER, layout="constrained")
    seen, hidden, inferred, descent = panels.ravel()
    for axes in panels.ravel():
        axes.set_facecolor(_PAPER)
    field = found["seen"]
    most = np.abs(field).max()
    _heat(seen, mesh, field, "seen: one of 16 temperatures", cmap="RdBu_r", vmin=-most, vmax=most)
    colours = {"shading": "flat", "cmap": _MAP, "norm": LogNorm(0.1, 5)}
    _heat(hidden, mesh, found["hidden"], "hidden: conductivity of each triangle", **colours)
    shown = _heat(inferred, mesh, found["found"], "inferred from what is seen", **colours)
    bar = figure.colorbar(shown, ax=inferred, shrink=0.75, pad=0.02, ticks=[0.1, 0.3, 1, 3])
    bar.ax.set_yticklabels(["0.1", "0.3", "1", "3"])
    _descent(descent, "L-BFGS on the conductivities", loss=found["losses"])
    _save(figure, "Inferring conductivities through tsgu.sparse_generic_solve", path)


def draw(found, path):
    """Writes the picture of what `learn` found."""
    mesh, start = found["mesh"], found["start"]
    figure = plt.figure(figsize=(16, 9.6), facecolor=_PAPER, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.12, hspace=0.06)
    grid = figure.add_gridspec(2, 12, height_ratios=[1.15, 1])
    top = [figure.add_subplot(grid[0, 4 * k : 4 * k + 4]) for k in range(3)]
    bottom = [figure.add_subplot(grid[1, 3 * k : 3 * k + 3]) for k in range(4)]
    for axes in top + bottom:
        axes.set_facecolor(_PAPER)

    norm = LogNorm(0.1, 5)
    _spy(top[0], found["shipped"])
    _network(top[1], mesh, found["truth"], start, norm, "hidden: conductivity of each edge")
    lines = _network(top[2], mesh, found["learned"], start, norm, "learned from 32 noise fields")
    figure.colorbar(
        lines, ax=top[2], shrink=0.75, pad=0.02, ticks=[0.1, 0.3, 1, 3]
    ).ax.set_yticklabels(["0.1", "0.3", "1", "3"])

    _descent(
        bottom[0],
        "gradient descent on the values of S",
        loss=found["losses"],
        distance_to_the_hidden_matrix=found["distances"],
    )
    seen, before, after = (_field(mesh, found[name]) for name in ("truth", "start", "learned"))
    _heat(
        bottom[1],
        mesh,
        seen,
        "heat after 12 steps, hidden matrix",
        cmap=_MAP,
        vmin=0,
        vmax=seen.max(),
    )
    norm = LogNorm(1e-6, 1)
    for axes, field, name in ((bottom[2], before, "before"), (bottom[3], after, "after")):
        error = np.abs(field - seen)
        title = f"error {name} learning, at most {error.max():.0e}"
        shown = _heat(axes, mesh, np.clip(error, 1e-6, 1), title, cmap="viridis", norm=norm)
    figure.colorbar(shown, ax=bottom[3], shrink=0.75, pad=0.02)
    _save(figure, "Learning a sparse operator on the airfoil mesh through tsgu.sparse_mm", path)
