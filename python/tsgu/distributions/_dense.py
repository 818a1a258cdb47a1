"""torch's own normal distribution, as its divergences from sparse ones ask for it."""

from typing import NamedTuple

import torch


class DenseGaussian(NamedTuple):
    """The covariance is R R^T with a dense lower triangular R, (*batch_shape, n, n).

    X is (k, *batch_shape, n).
    """

    R: torch.Tensor

    has_root = True  # type: ignore[misc]

    @property
    def batch_shape(self):
        return self.R.shape[:-2]

    @property
    def tensors(self):
        return (self.R,)

    def with_tensors(self, R):
        return DenseGaussian(R)

    @property
    def patterns(self):
        return ()

    def root(self, X):
        """R X."""
        return (self.R @ X.movedim(0, -1)).movedim(-1, 0)

    def whiten(self, X):
        """R^-1 X."""
        X = torch.linalg.solve_triangular(self.R, X.movedim(0, -1), upper=False)
        return X.movedim(-1, 0)

    def distance(self, X):
        """|R^-1 x|^2 of each vector."""
        return self.whiten(X).square().sum(-1)

    def times_precision(self, X):
        return torch.cholesky_solve(X.movedim(0, -1), self.R).movedim(-1, 0)

    def log_det(self):
        """That of the covariance."""
        return 2 * self.R.diagonal(dim1=-2, dim2=-1).log().sum(-1)
