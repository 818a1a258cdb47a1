"""Sparse normal distributions that satisfy linear equations."""

import math

import torch
from torch.distributions import Distribution, constraints

from .._typing import Shape
from .constraints import hyperplane
from .sparse_multivariate_normal import SparseMultivariateNormal

__all__ = ["ConstrainedMultivariateNormal"]


class ConstrainedMultivariateNormal(Distribution):
    """A sparse normal distribution given that A x = e exactly.

    normal: a SparseMultivariateNormal (n,), of any parameters. A: (k, n), dense, of few independent
    rows, such as the ones of a sum; e: (k,), by default 0. Samples are those of `normal`, moved by
    C A^T (A C A^T)^-1 (e - A x) (conditioning by kriging; Rue and Held 2005, algorithm 2.6), C the
    covariance: k solves or products in all. The density is that on the hyperplane,
    log p(x) - log p(A x) - 1/2 log det A A^T. Differentiable in the parameters of `normal`, A and e
    as those of `normal` are.

    Raises TypeError or ValueError for operands that do not fit, and for rows that are dependent.
    """

    arg_constraints = {"A": constraints.real, "e": constraints.real_vector}
    has_rsample = True

    def __init__(
        self,
        normal: SparseMultivariateNormal,
        A: torch.Tensor,
        e: torch.Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(normal, SparseMultivariateNormal):
            raise TypeError(
                f"normal must be a SparseMultivariateNormal, not {type(normal).__name__}"
            )
        (n,), loc = normal.event_shape, normal.loc
        if normal.batch_shape:
            raise ValueError(f"normal must have no batch, not one of {tuple(normal.batch_shape)}")
        if A.dim() != 2 or A.shape[1] != n or not 0 < A.shape[0] < n:
            raise ValueError(f"A must be (k, {n}) with 0 < k < {n}, not {tuple(A.shape)}")
        e = loc.new_zeros(len(A)) if e is None else e
        if e.shape != A.shape[:1]:
            raise ValueError(f"e must be ({len(A)},), not {tuple(e.shape)}")
        if A.dtype is not loc.dtype or e.dtype is not loc.dtype:
            raise TypeError(f"A and e must be {loc.dtype}, not {A.dtype} and {e.dtype}")
        gram = torch.linalg.cholesky_ex(A.detach() @ A.detach().mT)
        rounding = 64 * torch.finfo(A.dtype).eps * A.detach().square().sum()
        if int(gram.info) or bool((gram.L.diagonal().square() <= rounding).any()):
            raise ValueError("A must have independent rows")
        self.normal, self.A, self.e = normal, A, e
        super().__init__(torch.Size(), normal.event_shape, validate_args=False)
        self._validate_args = type(self)._validate_args if validate_args is None else validate_args

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.normal}, {len(self.A)} constraints)"

    @property
    def support(self) -> constraints.Constraint:
        return hyperplane(self.A, self.e)

    def _solved(self):
        """C A^T as rows, (k, n), and the Cholesky factor of A C A^T."""
        moved = self.normal._gaussian.times_covariance(self.A)
        return moved, torch.linalg.cholesky(moved @ self.A.mT)

    def _onto(self, X):
        """The vectors X, (..., n), moved onto the hyperplane."""
        moved, L = self._solved()
        missing = (self.e - X @ self.A.mT).reshape(-1, len(self.e)).mT
        return X + (torch.cholesky_solve(missing, L).mT @ moved).reshape(X.shape)

    @property
    def mean(self) -> torch.Tensor:
        return self._onto(self.normal.loc)

    @property
    def mode(self) -> torch.Tensor:
        return self.mean

    @property
    def variance(self) -> torch.Tensor:
        """The diagonal of the covariance."""
        moved, L = self._solved()
        taken = torch.linalg.solve_triangular(L, moved, upper=False).square().sum(0)
        return self.normal.variance - taken

    def rsample(self, sample_shape: Shape = torch.Size()) -> torch.Tensor:  # noqa: B008 (torch's signature)
        """Samples (*sample_shape, n), differentiable as those of `normal`."""
        return self._onto(self.normal.rsample(sample_shape))

    def _log_det(self):
        """Of A C A^T, less that of A A^T."""
        _, L = self._solved()
        gram = torch.linalg.slogdet(self.A @ self.A.mT).logabsdet
        return 2 * L.diagonal().log().sum() - gram, L

    def log_prob(self, value: torch.Tensor) -> torch.Tensor:
        """The log-density on the hyperplane, at value, (..., n), which is on it."""
        if self._validate_args:
            self._validate_sample(value)
        log_det, L = self._log_det()
        off = (self.e - self.A @ self.normal.loc).unsqueeze(-1)
        distance = torch.linalg.solve_triangular(L, off, upper=False).square().sum()
        along = 0.5 * (len(self.e) * math.log(2 * math.pi) + log_det + distance)
        return self.normal.log_prob(value) + along

    def entropy(self) -> torch.Tensor:
        """In nats, on the hyperplane."""
        log_det, _ = self._log_det()
        along = 0.5 * (len(self.e) * (1 + math.log(2 * math.pi)) + log_det)
        return self.normal.entropy() - along
