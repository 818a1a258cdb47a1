"""A factorised matrix as an object."""

from typing import Literal

import torch

from .._matrices.kinds import matrix_of
from .._matrices.matrix import unchecked
from .._patterns.coalesced import without_repeats
from .._patterns.layouts import as_tensor
from .._patterns.modes import on_indices, outside_graphs
from .._patterns.tensors import parts
from .._programs.autograd import operator_on
from .._runtime.callbacks import Callables
from .._runtime.dtypes import same_dtype
from .._runtime.library import keep_next
from .._typing import Backend, Factors, Shape, SparseMatrix, TensorOrMatrix
from ..sparse_arithmetic import sparse_add
from ..sparse_logdet import Slogdet, inverse_on, logdet_on, slogdet_on
from .direct import (
    by_method,
    check_factorises,
    check_matrix,
    check_square,
    in_graph_or_transform,
    parts_of,
)
from .linear_solve import check_on_cpu, check_operands
from .methods import by_backend
from .progress import factorising
from .solver import fixed_solver, solver

__all__ = ["Factorization", "factorize"]


class Factorization:
    """What `tsgu.factorize` returns: solves and more with one matrix A, factorised once.

    It holds the factors for as long as it lives, and with them A, whose gradients flow through
    every method that says so. It is immutable: `update` gives another one.
    """

    def __init__(
        self,
        A: TensorOrMatrix,
        method: Factors | Literal["qr"],
        uplo: Literal["lower", "upper"] | None = None,
        progress: bool = False,
        backend: Backend = "tsgu",
    ) -> None:
        self._like, self._uplo, self._backend = A, uplo, backend
        self._given, _ = parts_of(A)
        whole = _whole(A, uplo)
        self._pattern, self._values = without_repeats(*parts_of(whole))
        self._method = method
        self._handle = fixed_solver(by_backend(method, backend))
        with factorising(progress, method, self._pattern):
            self._factorise()

    def _factorise(self):
        """Factorises now, so that what is wrong is raised here."""
        self._kept = None
        if in_graph_or_transform(self._values):
            return
        self._kept = keep_next()
        program, operands = "logdet", ()
        if self._method == "qr":
            rows = self._values.new_zeros(*self.shape[:-1], 1)
            program, operands = self._least_squares(), (rows,)
        elif self._backend == "pardiso":  # which tells no determinant
            program, operands = "solve", (self._values.new_zeros(*self.shape[:-1], 1),)
        operator_on(program, self._pattern).program.run(
            (self._pattern,), self._handle, self._values.detach(), *operands
        )

    @property
    def method(self) -> Factors | Literal["qr"]:
        """ "cholesky", "ldlt", "lu" or "qr"."""
        return self._method

    @property
    def backend(self) -> Backend:
        """Whose factorisation it is: "tsgu", or a library that was opened for it."""
        return self._backend

    @property
    def shape(self) -> torch.Size:
        return torch.Size((*self._values.shape[:-1], *self._pattern.shape))

    @property
    def dtype(self) -> torch.dtype:
        return self._values.dtype

    def __repr__(self) -> str:
        by = "" if self._backend == "tsgu" else f" by {self._backend}"
        return f"Factorization({self._method}{by}, shape={tuple(self.shape)}, dtype={self.dtype})"

    # ===-- Solves ----------------------------------------------------------------===#

    def _check_not_qr(self):
        if self._method == "qr":
            raise ValueError("'qr' has solve and rank: factorize A.mT, or A by 'lu' or 'cholesky'")

    def _least_squares(self):
        rows, columns = self._pattern.shape[-2:]
        return "least_squares" if rows >= columns else "least_squares_row"

    def _apply(self, program, B):
        if program != self._least_squares():
            self._check_not_qr()
        A = unchecked(self._pattern, self._values)
        check_operands(A, B, square=self._method != "qr")
        check_on_cpu(B)
        B = same_dtype(A, B)
        run = operator_on(program, self._pattern).call
        if B.dim() < A.dim():
            return run((self._pattern,), self._handle, self._values, B.unsqueeze(-1)).squeeze(-1)
        return run((self._pattern,), self._handle, self._values, B)

    def solve(self, B: torch.Tensor) -> torch.Tensor:
        """X with A X = B, of B's shape: (n,) or (n, p), of a batch (b, n) or (b, n, p).

        Differentiable in A and B to any order. By "qr" the smallest X for which norm(B - A X) is
        least, differentiable where A has full rank: otherwise backward raises SingularMatrixError.
        """
        return self._apply(self._least_squares() if self._method == "qr" else "solve", B)

    def solve_transposed(self, B: torch.Tensor) -> torch.Tensor:
        """X with A^T X = B, as `solve`."""
        return self._apply("solve_transposed", B)

    def half_solve(self, B: torch.Tensor, adjoint: bool = False) -> torch.Tensor:
        """L^-1 P B, or with adjoint=True P^T L^-H B, where P A P^T = L L^H. By "cholesky" alone.

        The one after the other solves with A. Differentiable in B, and not in A.
        """
        return self._apply("half_solve_adjoint" if adjoint else "half_solve", B)

    def sample(
        self, sample_shape: Shape = (), generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Samples of the normal distribution with mean 0 and precision A, without gradients.

        (*sample_shape, n), of a batch (*sample_shape, b, n). By "cholesky" alone.
        """
        sample_shape = torch.Size(sample_shape)
        *items, n, _ = self.shape
        with torch.no_grad():
            normal = torch.randn(
                (*items, n, sample_shape.numel()), dtype=self.dtype, generator=generator
            )
            found = self.half_solve(normal, adjoint=True)
            return found.movedim(-1, 0).reshape(*sample_shape, *items, n)

    # ===-- Numbers ---------------------------------------------------------------===#

    def rank(self) -> int | tuple[int, ...]:
        """Of A by "qr", of each matrix of a batch; n by the others, which take no other."""
        *items, rows, columns = self.shape
        if self._method != "qr":
            return (columns,) * items[0] if items else columns
        callables = Callables(outcomes=[])
        handle = solver("qr", on_fail="ignore", callables=callables)
        zeros = self._values.detach().new_zeros(*items, rows, 1)
        operator_on(self._least_squares(), self._pattern).call(
            (self._pattern,), handle, self._values.detach(), zeros
        )
        # Without rows or columns there is nothing to solve.
        ranks = tuple(outcome.factors.rank for outcome in callables.outcomes)
        ranks = ranks or (0,) * (items[0] if items else 1)
        return ranks if items else ranks[0]

    def logdet(self) -> torch.Tensor:
        """As `tsgu.logdet`."""
        self._check_not_qr()
        return logdet_on(self._pattern, self._values, self._handle, self._method)

    def slogdet(self) -> Slogdet:
        """As `tsgu.slogdet`."""
        self._check_not_qr()
        return slogdet_on(self._pattern, self._values, self._handle)

    def selected_inverse(self) -> TensorOrMatrix:
        """As `tsgu.selected_inverse`."""
        self._check_not_qr()
        found = inverse_on(self._pattern, self._values, self._handle)
        return matrix_of(*found, like=self._like)

    def diag_inverse(self) -> torch.Tensor:
        """The diagonal of A^-1, (n,) or (b, n): variances where A is a precision.

        Differentiable once. Raises ValueError where A does not store its diagonal
        (0 in graphs).
        """
        self._check_not_qr()
        pattern, values = self._pattern, self._values
        element, on_diagonal, items, n = on_indices(lambda: _diagonal_of(pattern))
        adjoint = operator_on("selected_inverse", pattern).call((pattern,), self._handle, values)
        entries = torch.where(on_diagonal, adjoint.conj().resolve_conj(), 0)
        diagonal = entries.new_zeros(*entries.shape[:-1], items * n)
        diagonal = diagonal.index_add(-1, element, entries)
        return diagonal if pattern.items == -1 else diagonal.unflatten(-1, (items, n))

    def update(self, values: torch.Tensor) -> "Factorization":
        """The factorisation of the matrix with other values on the same pattern.

        values: as `tsgu.values` gives those of A. What the pattern says is not found out again.
        This factorisation is left as it is, also where the other one fails.
        """
        check_on_cpu(values)
        flat = values.reshape(*self._values.shape[:-1], self._given.entries)
        return Factorization(
            matrix_of(self._given, flat, like=self._like),
            self._method,
            self._uplo,
            backend=self._backend,
        )


def _whole(A, uplo):
    """A, or the Hermitian matrix with its "lower" or "upper" triangle, whatever else is stored."""
    if uplo is None:
        return A
    from .._matrices.triangle import Triangle  # which has torch load its compiler, for a second

    A = unchecked(*parts(A))
    if uplo == "upper":
        A = A.mH
    with_diagonal, _ = Triangle.of(A, strict=False).matrix(A)
    below, _ = Triangle.of(A, strict=True).matrix(A)
    return sparse_add(with_diagonal, below.mH)


def _diagonal_of(pattern):
    """The row of each entry, counted through the items, and whether it is on the diagonal."""
    *item, row, column = pattern.entry_indices()
    items, n = max(pattern.items, 1), pattern.shape[-1]
    on_diagonal = row == column
    if not torch.compiler.is_compiling() and int(on_diagonal.sum()) != items * n:
        raise ValueError("A does not store its whole diagonal: store zeros there")
    return row + n * item[0] if item else row, on_diagonal, items, n


@outside_graphs
def factorize(
    A: SparseMatrix,
    method: Factors | Literal["qr"] | None = None,
    *,
    uplo: Literal["lower", "upper"] | None = None,
    progress: bool = False,
    backend: Backend = "tsgu",
) -> Factorization:
    """The `Factorization` of A: solves, determinants, samples and more from one factorisation.

    A: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, n), or a batch (b, n, n), or a SciPy array;
    float32, float64, complex64 or complex128. method: "cholesky" (A Hermitian positive definite,
    both triangles stored), "ldlt" (Hermitian, likewise) or "lu"; without it Cholesky is tried where
    A is Hermitian with a positive diagonal. In graphs and transforms, where nothing can be tried,
    it is LU. "qr" takes A of any shape (m, n), for `solve` and `rank` alone. uplo: "lower" or
    "upper" of a Hermitian A of which that triangle, with the diagonal, counts, whatever else is
    stored; gradients are those of its entries, and the inverse's pattern is that of both triangles.
    progress: as in `sparse_generic_solve`. backend: whose factorisation it is. "tsgu" is ours;
    "klu" and "umfpack" (for "lu"), "cholmod" (for "cholesky") and "pardiso" (for both, without
    determinants) are other people's libraries, which are opened if they are installed; only ours
    has `half_solve` and `sample`, and only ours can be interrupted.

    Raises ValueError or TypeError for operands that do not fit, PatternError for a corrupt A,
    SingularMatrixError for a matrix that is singular or not positive definite, naming a row,
    ValueError for a backend whose library is not installed, saying how to get it.

    >>> A = torch.tensor([[4.0, 1.0], [1.0, 3.0]]).to_sparse_csr()
    >>> factor = tsgu.factorize(A, "cholesky")
    >>> factor.solve(torch.tensor([6.0, 7.0])).round(decimals=3)
    tensor([1., 2.])
    """
    A = as_tensor(A)
    if backend != "tsgu":
        method = by_backend(method, backend).partition(":")[0]
    check = check_matrix if method == "qr" else check_square
    check(A)
    if method == "qr" and uplo is not None:
        raise ValueError("'qr' takes no uplo, which is of Hermitian matrices")
    if uplo not in (None, "lower", "upper"):
        raise ValueError(f"uplo must be 'lower' or 'upper', not {uplo!r}")
    if method is not None:
        check_factorises(method, and_also=("qr",))
        return Factorization(A, method, uplo, progress, backend)
    whole = _whole(A, uplo)
    return by_method(
        *parts_of(whole), None, lambda method: Factorization(A, method, uplo, progress)
    )
