"""The airfoil mesh that ships with pyamg, its refinements, and their finite-element matrices."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from pyamg.gallery import load_example


@dataclass(frozen=True)
class Mesh:
    vertices: np.ndarray  # (n, 2)
    triangles: np.ndarray  # (m, 3)

    @property
    def centres(self):
        return self.vertices[self.triangles].mean(1)

    def edges(self):
        """(edges (e, 2) in ascending order, the edge of each triangle's sides (m, 3), counts)."""
        sides = np.sort(self.triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=-1).reshape(-1, 2)
        edges, which, counts = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
        return edges, which.reshape(-1, 3), counts

    def inside(self):
        """The vertices that are not on the boundary: the unknowns, in ascending order."""
        edges, _, counts = self.edges()
        return np.setdiff1d(np.arange(len(self.vertices)), edges[counts == 1])

    def everywhere(self, unknowns):
        """Values on all vertices: the unknowns, and 0 on the boundary."""
        values = np.zeros(len(self.vertices))
        values[self.inside()] = unknowns
        return values

    def refined(self):
        """Every triangle cut into four at the middle of its sides."""
        edges, which, _ = self.edges()
        middle = which + len(self.vertices)
        a, b, c = self.triangles.T
        ab, bc, ca = middle.T
        pieces = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(piece, 1) for piece in pieces])
        return Mesh(np.concatenate([self.vertices, self.vertices[edges].mean(1)]), triangles)

    def neighbours(self):
        """Pairs of triangles with a side in common (s, 2)."""
        _, which, counts = self.edges()
        order = np.argsort(which.ravel(), kind="stable")
        order = order[counts[which.ravel()[order]] == 2]
        return (order // 3).reshape(-1, 2)

    def assembly(self):
        """Linear finite elements for -div(k grad u), u = 0 on the boundary.

        A CSR matrix of zeros on the pattern, and the matrix (nonzeros, m) that takes the
        conductivity k of each triangle to its values.
        """
        corner = self.vertices[self.triangles]
        side = corner[:, [1, 2, 0]] - corner[:, [2, 0, 1]]
        area = 0.5 * np.abs(side[:, 0, 0] * side[:, 1, 1] - side[:, 0, 1] * side[:, 1, 0])
        local = (side @ side.transpose(0, 2, 1)) / (4 * area[:, None, None])
        inside = self.inside()
        unknown = np.full(len(self.vertices), -1)
        unknown[inside] = np.arange(len(inside))
        rows = unknown[np.repeat(self.triangles, 3, axis=1).ravel()]
        columns = unknown[np.tile(self.triangles, 3).ravel()]
        triangles = np.repeat(np.arange(len(area)), 9)
        kept = (rows >= 0) & (columns >= 0)
        n = len(inside)
        entries, entry = np.unique(rows[kept] * n + columns[kept], return_inverse=True)
        shape = (len(entries), len(area))
        assemble = scipy.sparse.coo_array((local.ravel()[kept], (entry, triangles[kept])), shape)
        indptr = np.searchsorted(entries, n * np.arange(n + 1))
        zeros = np.zeros(len(entries))
        return scipy.sparse.csr_array((zeros, entries % n, indptr), (n, n)), assemble.tocsr()

    def stiffness(self, conductivity=1.0):
        """The finite-element matrix of `assembly` for these conductivities: CSR."""
        K, assemble = self.assembly()
        K.data = assemble @ np.broadcast_to(conductivity, len(self.triangles)).astype(float)
        return K


def airfoil(refinements=0):
    """The mesh, and the matrix assembled on it; unrefined it is the matrix that pyamg ships.

    Raises AssertionError where the two differ.
    """
    example = load_example("airfoil")
    mesh = Mesh(example["vertices"], example["elements"].astype(np.int64))
    difference = abs(mesh.stiffness() - scipy.sparse.csr_array(example["A"])).max()
    assert difference < 1e-13, f"our matrix differs from the one that ships by {difference}"
    for _ in range(refinements):
        mesh = mesh.refined()
    return mesh, mesh.stiffness()


def hidden_conductivity(points):
    """A ring that conducts badly, and a wake behind the wing that conducts well."""
    x, y = points.T
    ring = np.exp(-(((np.hypot(x - 0.5, y) - 2.2) / 0.45) ** 2))
    wake = np.exp(-((y / 0.5) ** 2)) / (1 + np.exp(-4 * (x - 1.4)))
    return np.exp(1.5 * wake * (1 - ring) - 2.2 * ring)
