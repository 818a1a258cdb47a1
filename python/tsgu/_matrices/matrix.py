"""The one type of sparse matrices that goes wherever torch's tensors go."""

import math
import operator
import sys
from os import PathLike
from typing import TYPE_CHECKING, Any, NoReturn, overload

import torch
from torch.utils._pytree import GetAttrKey, register_pytree_node

from .._patterns.conversions import in_layout, to_scipy
from .._patterns.layouts import as_tensor, is_sparse
from .._patterns.modes import needs_matrix
from .._patterns.pattern import Pattern, dumped, loaded
from .._patterns.pattern import restored as restored_pattern
from .._patterns.tensors import compressed, from_values, parts
from .._programs import autograd
from .._runtime.dtypes import same_dtype
from .._typing import Number, Shape, SparseArray, SparseMatrix
from .matrix_market import read_matrix

if TYPE_CHECKING:
    from .._matrix_functions import solve
    from .._solvers.factorize import factorize
    from ..sparse_logdet import logdet, selected_inverse, slogdet
    from ..sparse_logsumexp import sparse_logsumexp
    from ..sparse_lstsq import sparse_generic_lstsq
    from ..sparse_reductions import sparse_amax, sparse_amin, sparse_mean, sparse_sum
    from ..sparse_softmax import sparse_log_softmax, sparse_softmax
    from ..sparse_solve import sparse_triangular_solve

_MATRIX = autograd.operator("spmm")
_BATCH = autograd.operator("spmm/batch")


class Matrix:
    """A sparse matrix, or batch of matrices: a pattern, and values on it that are differentiable.

    pattern: a `tsgu.Pattern` of shape (n, m) or (b, n, m). values: a dense tensor, (entries,), one
    for each stored entry in the pattern's order, or in the shape that torch gives those of the
    layout, as `tsgu.values` does; or (k, entries), a batch of k matrices on the pattern. Both are
    shared. `Matrix.of(A)` makes one of torch's sparse tensors and SciPy's arrays.

    It takes part wherever dense tensors do and torch's sparse ones cannot: it is a pytree whose one
    leaf is `values`, so transforms of torch.func, torch.compile, torch.export and make_fx take and
    return it, and derivatives of any order are matrices on the same pattern. It can be pickled,
    copied and saved. It is immutable: `with_values` and `to` give others; what is written to its
    tensors is seen here as in their other uses.

    Every function of the package takes one where it takes a sparse tensor, and then returns one.
    `A @ B`, `B @ A` and torch.matmul multiply by a dense B, of A's dtype: (m,), (m, p), or
    (b, m, p) beside a batch; and by a sparse one, which gives a Matrix (`spgemm`). `A + B` and
    `A - B` are those of sparse matrices (`sparse_add`), `A * B` and `A / B` also with numbers and
    dense tensors (`sparse_mul`, `sparse_div`); `T`, `mT` and `mH` are views. Functions of one
    matrix are methods, too: `sum`, `mean`, `amax`, `amin`, `softmax`, `log_softmax`, `logsumexp`,
    `solve`, `solve_triangular`, `lstsq`.

    Raises TypeError for what is no pattern or tensor, ValueError for another number of values.
    What is wrong with the pattern or the dtype is an error where the matrix is used.

    >>> A = tsgu.Matrix.of(torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse())
    >>> A @ torch.ones(2)
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_pattern", "_values")

    def __init__(self, pattern: Pattern, values: torch.Tensor) -> None:
        self._pattern, self._values = pattern, _checked(pattern, values)

    @staticmethod
    def of(A: SparseMatrix) -> "Matrix":
        """The Matrix of a torch tensor (COO, CSR, CSC, BSR or BSC), differentiable, or SciPy array.

        It shares a tensor's memory; arrays are copied. Raises TypeError for what is not sparse,
        ValueError for a hybrid tensor.
        """
        if type(A) is Matrix:
            return A
        matrix = as_tensor(A)
        if not isinstance(matrix, torch.Tensor) or not is_sparse(matrix):
            what = matrix.layout if isinstance(matrix, torch.Tensor) else type(A).__name__
            raise TypeError(
                f"Matrix.of takes a sparse tensor of torch or an array of SciPy, not {what}: a "
                "dense tensor A is tsgu.Matrix.of(A.to_sparse_csr())"
            )
        return unchecked(*parts(matrix))

    @staticmethod
    def read(path: str | PathLike[str], dtype: torch.dtype | None = None) -> "Matrix":
        """The Matrix, CSR, in a file of the Matrix Market: .mtx, or compressed, .mtx.gz.

        General, symmetric, skew-symmetric and Hermitian ones, whose other half is filled in, and
        patterns, whose values are ones; real, complex or integer (then as float64). Entries that
        are given twice are summed. dtype: of the values, by default that of the file in double
        precision. Needs SciPy, which reads the numbers.

        Raises ImportError without SciPy, OSError where the file cannot be read, and ValueError for
        one that is malformed or dense, or whose exponents have no letter.
        """
        array = read_matrix(path)
        if array.dtype.kind in "iub":
            array = array.astype("float64")
        matrix = Matrix.of(array)
        return matrix if dtype is None else matrix.to(dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._pattern, self._values)

    # ===-- What it is -------------------------------------------------------------===#

    @property
    def pattern(self) -> Pattern:
        return self._pattern

    @pattern.setter
    def pattern(self, _: NoReturn) -> None:
        raise AttributeError("a Matrix is immutable: tsgu.Matrix(pattern, A.values) is another")

    @property
    def values(self) -> torch.Tensor:
        return self._values

    @values.setter
    def values(self, _: NoReturn) -> None:
        raise AttributeError("a Matrix is immutable: A.with_values(values) is another")

    @property
    def layout(self) -> torch.layout:
        """torch's layout of the pattern: that of `to_torch()`."""
        return self._pattern.layout

    @property
    def shape(self) -> torch.Size:
        return torch.Size((*self._values.shape[:-1], *self._pattern.shape))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> torch.dtype:
        return self._values.dtype

    @property
    def device(self) -> torch.device:
        return self._values.device

    @property
    def requires_grad(self) -> bool:
        return self._values.requires_grad

    @overload
    def size(self, dim: None = None) -> torch.Size: ...

    @overload
    def size(self, dim: int) -> int: ...

    def size(self, dim: int | None = None) -> torch.Size | int:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return len(self.shape)

    def is_complex(self) -> bool:
        return self._values.is_complex()

    def __repr__(self) -> str:
        if not isinstance(self._values, torch.Tensor):  # a leaf of a tree that stands for another
            return f"Matrix({self._pattern}, {self._values!r})"
        kind = str(self.layout).removeprefix("torch.sparse_").upper()
        told = f"{kind}, shape={tuple(self.shape)}, entries={self._pattern.entries}"
        told += f", dtype={self.dtype}"
        if self.device.type != "cpu":
            told += f", device='{self.device}'"
        if self.requires_grad:
            told += ", requires_grad=True"
        return f"Matrix({told})"

    if not TYPE_CHECKING:  # or it would seem to have every attribute

        def __getattr__(self, name):
            raise AttributeError(
                f"a tsgu.Matrix has no {name!r}: use tsgu's functions, apply torch's to "
                "tsgu.values(A), or go by A.to_torch()"
            )

    # ===-- Others like it ---------------------------------------------------------===#

    def with_values(self, values: torch.Tensor) -> "Matrix":
        """Other values on the pattern. Raises ValueError for another number of them."""
        return Matrix(self._pattern, values)

    def detach(self) -> "Matrix":
        return unchecked(self._pattern, self._values.detach())

    def to(self, *args: Any, **kwargs: Any) -> "Matrix":
        """On another device, or of another dtype; takes what Tensor.to does."""
        values = self._values.to(*args, **kwargs)
        pattern = self._pattern
        if values.device != self._values.device:
            pattern = pattern.to(values.device)
        return unchecked(pattern, values)

    @property
    def mT(self) -> "Matrix":  # noqa: N802 (torch's name)
        """The transpose, of each matrix of a batch: the same values on the transposed pattern."""
        return unchecked(self._pattern.transposed(), self._values)

    @property
    def T(self) -> "Matrix":  # noqa: N802
        """The transpose of a matrix. Raises ValueError for a batch."""
        if self.ndim != 2:
            raise ValueError(f"A.T is that of a matrix, not of shape {tuple(self.shape)}: use A.mT")
        return self.mT

    @property
    def mH(self) -> "Matrix":  # noqa: N802
        """The conjugate transpose."""
        return unchecked(self._pattern.transposed(), self._values.conj())

    def to_torch(
        self, layout: torch.layout | None = None, blocksize: Shape | None = None
    ) -> torch.Tensor:
        """A sparse tensor of torch, differentiable in the values to any order.

        layout: by default that of the pattern, whose index tensors are then shared. In another one
        entries are in order, and those that name one element are summed; torch.sparse_bsr and
        torch.sparse_bsc take a blocksize (p, q), and store zeros where blocks have no entry.

        Raises TypeError in transforms and graphs, where torch has no sparse tensor, ValueError for
        another layout, for blocks that do not divide the shape, for a CSR or CSC batch whose items
        have different numbers of entries, and for a batch of values on one pattern.
        """
        if needs_matrix(self._values):
            raise TypeError(
                "torch takes no sparse tensor in transforms of torch.func and compiled graphs: "
                "pass the Matrix itself, every function of tsgu takes it"
            )
        return from_values(*in_layout(*parts(self), layout, blocksize))

    def to_dense(self) -> torch.Tensor:
        """The dense tensor, in which entries that name one element are summed. Differentiable."""
        *item, row, column = self._pattern.entry_indices()
        place = row * self._pattern.shape[-1] + column
        if item:
            place = place + item[0] * (self._pattern.shape[-2] * self._pattern.shape[-1])
        batch = self._values.shape[:-1]
        zeros = self._values.new_zeros(*batch, math.prod(self._pattern.shape))
        return zeros.index_add(-1, place, self._values).view(self.shape)

    def to_scipy(self) -> Any:
        """A copy as a sparse array of SciPy, on the CPU and without gradients.

        A coo_array, csr_array, csc_array or bsr_array as the pattern's layout says (COO of BSC).
        Raises ImportError without SciPy, ValueError for a batch.
        """
        if self.ndim != 2:
            raise ValueError(
                f"SciPy has no batches of matrices, and A has shape {tuple(self.shape)}: convert "
                "one after the other"
            )
        return to_scipy(self._pattern, self._values)

    # ===-- Products ---------------------------------------------------------------===#

    @overload
    def __matmul__(self, B: torch.Tensor) -> torch.Tensor: ...  # of a sparse one a Matrix

    @overload
    def __matmul__(self, B: "Matrix | SparseArray") -> "Matrix": ...

    def __matmul__(self, B: SparseMatrix) -> Any:
        return product(self, B)

    @overload
    def matmul(self, B: torch.Tensor) -> torch.Tensor: ...

    @overload
    def matmul(self, B: "Matrix | SparseArray") -> "Matrix": ...

    def matmul(self, B: SparseMatrix) -> Any:
        """A @ B."""
        return product(self, B)

    @overload
    def __rmatmul__(self, B: torch.Tensor) -> torch.Tensor: ...

    @overload
    def __rmatmul__(self, B: SparseArray) -> "Matrix": ...

    def __rmatmul__(self, B: SparseMatrix) -> Any:
        if _is_sparse_matrix(B):
            return _sparse_product(B, self)
        if isinstance(B, torch.Tensor) and B.layout is torch.strided and B.dim() > 1:
            return product(self.mT, B.mT).mT
        return product(self.mT, B)

    def __neg__(self) -> "Matrix":
        return unchecked(self._pattern, -self._values)

    def __add__(self, B: SparseMatrix) -> "Matrix":
        return _arithmetic("sparse_add", self, B)

    def __radd__(self, B: SparseMatrix) -> "Matrix":
        return _arithmetic("sparse_add", B, self)

    def __sub__(self, B: SparseMatrix) -> "Matrix":
        return _arithmetic("sparse_add", self, B, alpha=-1)

    def __rsub__(self, B: SparseMatrix) -> "Matrix":
        return _arithmetic("sparse_add", B, self, alpha=-1)

    def __mul__(self, B: SparseMatrix | Number) -> "Matrix":
        return _arithmetic("sparse_mul", self, B)

    __rmul__ = __mul__

    def __truediv__(self, B: torch.Tensor | Number) -> "Matrix":
        return _arithmetic("sparse_div", self, B)

    if TYPE_CHECKING:  # what _matrix_functions adds
        sum = sparse_sum
        mean = sparse_mean
        amax = sparse_amax
        amin = sparse_amin
        softmax = sparse_softmax
        log_softmax = sparse_log_softmax
        logsumexp = sparse_logsumexp
        solve = solve
        solve_triangular = sparse_triangular_solve
        lstsq = sparse_generic_lstsq
        logdet = logdet
        slogdet = slogdet
        selected_inverse = selected_inverse
        factorize = factorize

    @property
    def __torch_function__(self) -> Any:
        if not torch.compiler.is_dynamo_compiling():
            _mend_reversed_products()
        return _of_torch


_PRODUCTS = {torch.matmul, torch.mm, torch.mv, torch.bmm, torch.sparse.mm, operator.matmul}
_PRODUCTS |= {getattr(torch.Tensor, name) for name in ("matmul", "__matmul__", "mm", "mv", "bmm")}


def _of_torch(function, types, args=(), kwargs=None):
    """torch's functions of a Matrix: its products with dense tensors, by any of their names."""
    if len(args) == 2 and not kwargs:
        A, B = args
        if function is torch.Tensor.__rmatmul__:
            A, B, function = B, A, torch.matmul
        if function in _PRODUCTS:
            return product(A, B) if type(A) is Matrix else B.__rmatmul__(A)
    name = getattr(function, "__name__", function)
    raise TypeError(
        f"torch's {name} takes no tsgu.Matrix: use tsgu's functions, apply torch's to "
        "tsgu.values(A), or go by A.to_torch()"
    )


def _mend_reversed_products():
    """Has torch.compile tell A @ B from B @ A.

    It calls an operator whose left operand alone has a __torch_function__ with the operands swapped
    and the function's reversed form, of which its table has none for this one.
    """
    dynamo = sys.modules.get("torch._dynamo.variables.builtin")
    table = getattr(dynamo, "BUILTIN_TO_TENSOR_RFN_MAP", None)
    if table is not None:  # asked for by dynamo, before it looks there
        table.setdefault(operator.matmul, torch.Tensor.__rmatmul__)


def _checked(pattern, values):
    """The values as a Matrix has them."""
    if not isinstance(pattern, Pattern):
        raise TypeError(
            f"tsgu.Matrix takes a tsgu.Pattern and values, not {type(pattern).__name__} first: "
            "write tsgu.Matrix.of(A) for a sparse tensor or array"
        )
    if not isinstance(values, torch.Tensor) or values.layout is not torch.strided:
        what = values.layout if isinstance(values, torch.Tensor) else type(values).__name__
        raise TypeError(f"values must be a dense (strided) torch.Tensor, not {what}")
    entries, shape = pattern.entries, tuple(values.shape)
    if shape == (entries,):
        return values
    if pattern.layout is not torch.sparse_coo and shape == tuple(compressed(pattern)[2]):
        return values.reshape(-1)
    if len(shape) == 2 and shape[1] == entries:
        return values
    raise ValueError(
        f"values of shape {shape} do not match {pattern}: they must have shape ({entries},), or "
        f"(k, {entries}) for a batch of values"
    )


def unchecked(pattern, values):
    """A Matrix of values that fit, or stand for others in a tree."""
    matrix = Matrix.__new__(Matrix)
    matrix._pattern, matrix._values = pattern, values
    return matrix


def _restored(pattern, values):
    """A Matrix that was pickled."""
    return unchecked(pattern, values)


register_pytree_node(
    Matrix,
    lambda matrix: ([matrix.values], matrix.pattern),
    lambda values, pattern: unchecked(pattern, values[0]),  # type: ignore[index]
    serialized_type_name="tsgu.Matrix",
    to_dumpable_context=dumped,
    from_dumpable_context=loaded,
    flatten_with_keys_fn=lambda matrix: (
        [(GetAttrKey("values"), matrix.values)],
        matrix.pattern,
    ),
)
torch.serialization.add_safe_globals([_restored, restored_pattern])


# ===-- Products -----------------------------------------------------------------===#


def product(A, B):
    """A B with a dense B: (m,), (m, p), or with one more dimension in front, as A may have."""
    if not isinstance(B, torch.Tensor) or B.layout is not torch.strided:
        return _sparse_product(A, B)
    if B.dtype is not A.dtype:
        B = same_dtype(A, B)
    if B.dim() == 1:
        return product(A, B.unsqueeze(-1)).squeeze(-1)
    pattern, values = A.pattern, A.values
    if B.dim() < 1 or B.shape[-2] != pattern.shape[-1]:
        _refuse_shapes(A, B)
    if pattern.items == -1:
        both = B.dim() == 3 and values.dim() == 2
        if B.dim() > 3 or (both and len(B) != len(values)):
            _refuse_shapes(A, B)
        return _MATRIX.call((pattern,), values, B)
    if B.dim() == 2:
        B = B.expand(pattern.items, -1, -1)
    if B.dim() > 4 or B.shape[-3] != pattern.items:
        _refuse_shapes(A, B)
    return _BATCH.call((pattern,), values, B)


def _arithmetic(name, *operands, **options):
    from .. import sparse_arithmetic

    return getattr(sparse_arithmetic, name)(*operands, **options)


def _sparse_product(A, B):
    if not _is_sparse_matrix(B):
        raise TypeError(f"a tsgu.Matrix multiplies by a torch.Tensor, not by {type(B).__name__}")
    from ..spgemm import spgemm

    return spgemm(A, B)


def _is_sparse_matrix(A):
    A = as_tensor(A)
    return isinstance(A, (torch.Tensor, Matrix)) and is_sparse(A)


def _refuse_shapes(A, B):
    raise ValueError(
        f"A of shape {tuple(A.shape)} and B of shape {tuple(B.shape)} have no product: B must have "
        f"shape ({A.shape[-1]},), ({A.shape[-1]}, p), or beside a batch (b, {A.shape[-1]}, p)"
    )
