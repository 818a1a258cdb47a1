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

    def refined(self):
        """Every triangle cut into four at the middle of its sides."""
        edges, which, _ = self.edges()
        middle = which + len(self.vertices)
        a, b, c = self.triangles.T
        ab, bc, ca = middle.T
        pieces = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(piece, 1) for piece in pieces])
        return Mesh(np.concatenate([self.vertices, self.vertices[edges].mean(1)]), triangles)

    def stiffness(self, conductivity=1.0):
        """Linear finite elements for -div(conductivity grad u), u = 0 on the boundary: CSR."""
        corner = self.vertices[self.triangles]
        side = corner[:, [1, 2, 0]] - corner[:, [2, 0, 1]]
        area = 0.5 * np.abs(side[:, 0, 0] * side[:, 1, 1] - side[:, 0, 1] * side[:, 1, 0])
        scale = np.broadcast_to(conductivity, len(area)) / (4 * area)
        local = scale[:, None, None] * (side @ side.transpose(0, 2, 1))
        rows = np.repeat(self.triangles, 3, axis=1).ravel()
        columns = np.tile(self.triangles, 3).ravel()
        n = len(self.vertices)
        K = scipy.sparse.coo_array((local.ravel(), (rows, columns)), (n, n)).tocsr()
        inside = self.inside()
        K = K[inside][:, inside]
        K.sort_indices()
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
