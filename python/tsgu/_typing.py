"""What the annotations of public functions name."""

from collections.abc import Callable, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    ForwardRef,
    Literal,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    Union,
)

import torch

if TYPE_CHECKING:
    from ._matrices.matrix import Matrix
else:  # which imports what imports this: whoever evaluates annotations finds it there
    Matrix = ForwardRef("Matrix", module="tsgu._matrices.matrix")


class SparseArray(Protocol):
    """A sparse array or matrix of SciPy, which need not be there to be named."""

    @property
    def format(self) -> str: ...

    @property
    def nnz(self) -> int: ...

    def tocsr(self) -> Any: ...


class SupportsArray(Protocol):
    """An array of NumPy, or what makes one."""

    def __array__(self) -> Any: ...


# A sparse matrix: torch's tensors have one type whatever their layout.
SparseMatrix: TypeAlias = Union[torch.Tensor, Matrix, SparseArray]  # noqa: UP007 (of a ForwardRef)
TensorOrArray: TypeAlias = torch.Tensor | SparseArray
TensorOrMatrix: TypeAlias = Union[torch.Tensor, Matrix]  # noqa: UP007
Array: TypeAlias = torch.Tensor | SupportsArray | Sequence[complex] | Sequence[Sequence[complex]]

Shape: TypeAlias = Sequence[int]
Dims: TypeAlias = int | Sequence[int]
Device: TypeAlias = torch.device | str
Number: TypeAlias = complex  # of which int and float are kinds, to annotations

Factors: TypeAlias = Literal["cholesky", "ldlt", "lu"]
Backend: TypeAlias = Literal["tsgu", "cholmod", "klu", "pardiso", "umfpack"]
SquareMethod: TypeAlias = Literal[
    "cg", "minres", "bicgstab", "gmres", "cgs", "cholesky", "ldlt", "lu"
]
Method: TypeAlias = SquareMethod | Literal["triangular", "lsmr", "qr"]
Preconditioner: TypeAlias = Literal["jacobi", "block_jacobi", "ssor", "ilu0", "ic0", "amg"]
OnFail: TypeAlias = Literal["warn", "raise", "ignore"]
Progress: TypeAlias = Callable[[int, torch.Tensor], Any]  # (iteration, residuals); True: stop
Product: TypeAlias = SparseMatrix | Callable[[torch.Tensor], torch.Tensor]  # a matrix or closure
Preconditioned: TypeAlias = Preconditioner | Product


class SolveOptions(TypedDict, total=False):
    """Those of `sparse_generic_solve` for a method of ours."""

    preconditioner: Preconditioned | None
    rtol: float | None
    atol: float | None
    maxiter: int | None
    restart: int | None
    x0: torch.Tensor | None
    callback: Progress | None
    progress: bool
    backend: Backend
    on_fail: OnFail


F = TypeVar("F", bound=Callable[..., Any])
