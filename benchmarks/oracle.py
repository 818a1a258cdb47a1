"""Checks every kernel against SciPy and NumPy in float64 before it is timed."""

import numpy as np

import csr

_EVERY = 29  # of the sampled products, one in so many is checked


class Oracle:
    """Results of one matrix for the widest dense operands; narrower ones are their first columns.

    The inputs are float32 numbers, so the float64 result serves both value types.
    """

    def __init__(self, matrix, B, G, gradient_width):
        A = csr.to_scipy(matrix, matrix.values.astype(np.float64))
        degree = np.diff(matrix.positions)
        self._product = A @ B
        self._scale = self._bound(A, B)
        G_used = G[:, :gradient_width]
        self._gradient = A.T @ G_used
        self._gradient_scale = self._bound(A.T.tocsr(), G_used)
        picked = np.arange(0, matrix.stored, _EVERY)
        rows = np.repeat(np.arange(matrix.rows), degree)[picked]
        self._picked = picked
        self._terms = G[rows] * B[matrix.coordinates[picked]]

    @staticmethod
    def _bound(A, B):
        """|fl(x) - x| <= k eps sum |a b| for a sum of k products in any order: without eps."""
        return (abs(A).sum(1) * np.abs(B).max() * (np.diff(A.indptr) + 2))[:, None]

    def check_product(self, name, call, C):
        """Runs `call` on a poisoned C. Raises AssertionError if it is not the product."""
        C.fill(np.nan)
        call()
        bound = np.finfo(C.dtype).eps * self._scale
        self._check(name, C, self._product[:, : C.shape[1]], bound)

    def check_gradients(self, name, of_values, of_B):
        """The gradients of A's values and of B for the cotangent G."""
        width = of_B.shape[1]
        self._check_sampled(f"{name} grad A", of_values, width)
        bound = np.finfo(of_B.dtype).eps * self._gradient_scale
        self._check(f"{name} grad B", of_B, self._gradient[:, :width], bound)

    def check_sampled(self, name, call, sampled, width):
        """Runs `call` on poisoned values. Raises AssertionError if they are not the products."""
        sampled.fill(np.nan)
        call()
        self._check_sampled(name, sampled, width)

    def _check_sampled(self, name, sampled, width):
        terms = self._terms[:, :width]
        bound = np.finfo(sampled.dtype).eps * (width + 2) * np.abs(terms).sum(1)
        if not np.isfinite(sampled).all():
            raise AssertionError(f"{name} leaves part of its output unwritten")
        self._check(name, sampled[self._picked], terms.sum(1), bound)

    @staticmethod
    def _check(name, found, expected, bound):
        wrong = ~(np.abs(found - expected) <= bound)
        if wrong.any():
            at = tuple(int(k) for k in np.argwhere(wrong)[0])
            raise AssertionError(f"{name} gives {found[at]} at {at}, expected {expected[at]}")
