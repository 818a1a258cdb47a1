"""The sparsity pattern of an operand, as the index tensors that describe it."""

import math
from typing import Any, NoReturn

import torch

from .._runtime import library, writes
from .._typing import Array, Shape, SparseMatrix
from .layouts import (
    BLOCKED,
    BY_COLUMNS,
    as_tensor,
    compressed_indices,
    index_tensor,
    one_width,
    same_indices,
)

# Values of Form in IndexArrays.h.
CSR, COO, TRANSPOSED = 0, 1, 2

_validate = torch.ops.tsgu.validate.default._op
_canonical = torch.ops.tsgu.canonical.default._op
_row_positions = torch.ops.tsgu.row_positions.default
_is_as_of = torch.ops.tsgu.is_as_of.default
_is_compiling = torch.compiler.is_compiling
_counting = writes.counting


def _indices(counts, coordinates, items, rows):
    """COO indices from the entries in every row, items' rows counted through, and the columns."""
    # The size is given: a device need not be waited for.
    row = torch.repeat_interleave(counts.long(), output_size=coordinates.numel())
    if items == -1:
        return torch.stack([row, coordinates.long()])
    rows = max(rows, 1)
    return torch.stack([row // rows, row % rows, coordinates.long()])


def _without_base(index: torch.Tensor) -> torch.Tensor:
    """An index tensor; of a view another one, which does not hold what it is a view of."""
    return index.detach() if not _is_compiling() and index._is_view() else index


def _reject(positions: torch.Tensor, shape: Shape) -> NoReturn:
    raise library.PatternError(
        f"positions of shape {tuple(positions.shape)} do not describe a tensor of shape "
        f"{tuple(shape)}: n rows need n + 1 positions (n columns of CSC, too)"
    )


def _of_blocks(A):
    """The pattern of a BSR or BSC tensor: COO, in the order in which the values are stored."""
    height, width = A.values().shape[-2:]
    *items, rows, columns = A.shape
    by_columns = A.layout in BY_COLUMNS
    across = rows // height if by_columns else columns // width
    grid = Pattern.csr(*compressed_indices(A), across)
    blocks = (*items, rows // height, columns // width)
    if by_columns:
        blocks = (*items, *blocks[:-3:-1])
    if grid.shape != blocks:
        grid.reject(blocks)
    grid.validate()
    *item, first, second = grid.entry_indices()[:, :, None, None]
    row, column = (second, first) if by_columns else (first, second)
    row = row * height + torch.arange(height, device=row.device).view(-1, 1)
    column = column * width + torch.arange(width, device=row.device)
    indices = torch.stack(torch.broadcast_tensors(*item, row, column)).flatten(1)
    pattern = Pattern.coo(indices, tuple(A.shape))
    pattern.stored_blocks = (A.layout, *compressed_indices(A), A.values().shape)
    return pattern


class Pattern:
    """Index tensors and a shape; values on it are a dense one-dimensional tensor.

    Make one with `Pattern.csr` or `Pattern.coo`, or from a sparse tensor with `Pattern.of`.
    The tensors are shared, not copied; what the native library makes of them (validated copies
    in 32 bits, layouts) it owns, and finds again by their memory and torch's count of writes to
    it. So operations of torch that write to them are noticed, and so are writes of others to
    memory that is not torch's own (of NumPy, by DLPack), which is compared at each use. Writes
    to torch's own memory behind its count (through `.data`, `.numpy()` or another process)
    are not: with TSGU_CHECK_PATTERNS=1 in the environment they are PatternErrors.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> pattern = tsgu.Pattern.of(A)
    >>> pattern.shape, pattern.entries
    ((2, 2), 3)
    """

    # values: those that the uses of a sparse tensor share, kept alive (see _tensors.parts).
    # source: a weak reference to the sparse tensor that it is of, or None.
    # stored_blocks: layout, index tensors and shape of the values of a tensor of dense blocks.
    __slots__ = (
        "positions",
        "coordinates",
        "form",
        "items",
        "rows",
        "columns",
        "coalesced",
        "values",
        "source",
        "stored_blocks",
    )

    def __init__(
        self,
        positions: torch.Tensor,
        coordinates: torch.Tensor,
        form: int,
        items: int,
        rows: int,
        columns: int,
        coalesced: bool,
    ) -> None:
        self.positions = positions
        self.coordinates = coordinates
        self.form = form
        self.items = items
        self.rows = rows
        self.columns = columns
        self.coalesced = coalesced
        self.values = self.source = self.stored_blocks = None  # type: Any

    def __reduce__(self) -> tuple[Any, ...]:
        numbers = self.form, self.items, self.rows, self.columns, self.coalesced
        return restored, (self.positions, self.coordinates, numbers, self.stored_blocks)

    def without_values(self) -> "Pattern":
        """The same, which keeps alive no values that are in use."""
        numbers = self.form, self.items, self.rows, self.columns, self.coalesced
        pattern = Pattern(self.positions, self.coordinates, *numbers)
        pattern.stored_blocks = self.stored_blocks
        return pattern

    def __eq__(self, other: object) -> bool:
        """Whether both have the same entries in the same order, kept in the same way."""
        if self is other:
            return True
        if not isinstance(other, Pattern):
            return NotImplemented
        return self._kind() == other._kind() and all(
            map(same_indices, self._index_tensors(), other._index_tensors())
        )

    def __hash__(self) -> int:
        return hash(self._kind())

    def _kind(self):
        """All but the elements of the index tensors."""
        numbers = self.form, self.items, self.rows, self.columns
        return *numbers, self.layout, self.positions.device, tuple(self.coordinates.shape)

    def _index_tensors(self):
        """What tells patterns apart."""
        if self.blocks is not None:
            return self.blocks[1:3]
        return self.positions, self.coordinates

    @staticmethod
    def csr(positions: Array, coordinates: Array, columns: int) -> "Pattern":
        """CSR: positions (rows + 1,) and coordinates (entries,), int32 or int64.

        A batch has positions (items, rows + 1) and coordinates (items, entries per item). Arrays
        and lists are copied; where only one tensor is int32, an int64 copy of it serves.
        """
        positions, coordinates = one_width(index_tensor(positions), index_tensor(coordinates))
        positions, coordinates = _without_base(positions), _without_base(coordinates)
        batched = positions.dim() == 2
        return Pattern(
            positions,
            coordinates,
            CSR,
            positions.shape[0] if batched else -1,
            positions.shape[-1] - 1,
            columns,
            False,
        )

    @staticmethod
    def coo(indices: Array, shape: Shape, coalesced: bool = False) -> "Pattern":
        """COO: indices (2, entries) of a matrix, (3, entries) of a ragged batch or a tensor.

        In any order; entries that name one element are summed. `coalesced` says that they are
        sorted and name each element once.
        """
        indices = _without_base(index_tensor(indices))
        *items, rows, columns = shape
        item_count = items[0] if items else -1
        return Pattern(indices, indices, COO, item_count, rows, columns, coalesced)

    @staticmethod
    def of_csr(A: SparseMatrix) -> "Pattern":
        """As `of`, of a CSR matrix."""
        positions, coordinates = A.crow_indices(), A.col_indices()
        if positions.dtype is not coordinates.dtype:
            positions, coordinates = one_width(positions, coordinates)
        rows, columns = A.shape
        if positions.numel() != rows + 1:
            _reject(positions, A.shape)
        return Pattern(positions, coordinates, CSR, -1, rows, columns, False)

    @staticmethod
    def of(A: SparseMatrix) -> "Pattern":
        """The pattern of a sparse tensor, Matrix or SciPy array. Raises TypeError for others."""
        layout = A.layout if isinstance(A, torch.Tensor) else None
        if layout is torch.sparse_csr and A.dim() == 2:
            return Pattern.of_csr(A)
        if layout is torch.sparse_coo:
            indices = _without_base(A._indices())
            *items, rows, columns = A.shape
            items = items[0] if items else -1
            return Pattern(indices, indices, COO, items, rows, columns, A.is_coalesced())
        if layout in BLOCKED:
            return _of_blocks(A)
        if layout not in (torch.sparse_csr, torch.sparse_csc):
            matrix = as_tensor(A)
            if matrix is not A:
                return Pattern.of(matrix)
            if isinstance(getattr(A, "pattern", None), Pattern):
                return A.pattern
            raise TypeError(
                f"a pattern needs a sparse tensor or array, not {layout or type(A).__name__}"
            )
        positions, coordinates = one_width(*compressed_indices(A))
        *items, rows, columns = shape = A.shape
        form = CSR
        if layout is torch.sparse_csc:
            form, rows, columns = CSR | TRANSPOSED, columns, rows
        if positions.shape != (*items, rows + 1):
            _reject(positions, shape)
        items = items[0] if items else -1
        return Pattern(positions, coordinates, form, items, rows, columns, False)

    def reject(self, shape: Shape) -> NoReturn:
        """Raises the error of positions that do not fit a CSR tensor's shape."""
        _reject(self.positions, shape)

    def transposed(self) -> "Pattern":
        """The pattern of the transposed matrix; its values keep this pattern's order."""
        pattern = self.with_indices(self.positions, self.coordinates, self.form ^ TRANSPOSED)
        pattern.values, pattern.source = self.values, self.source
        pattern.stored_blocks = self.stored_blocks
        return pattern

    @property
    def blocks(self) -> tuple[Any, ...] | None:
        """`stored_blocks`; None of the transpose, which is COO: blocks would be turned as well."""
        return None if self.form & TRANSPOSED else self.stored_blocks

    @property
    def may_repeat(self) -> bool:
        """Whether entries may name one element, as far as is known without a look at them."""
        return bool(self.form & COO) and not self.coalesced and self.stored_blocks is None

    @property
    def layout(self) -> torch.layout:
        """That of the tensors that values on this pattern make."""
        if self.blocks is not None:
            return self.blocks[0]
        if self.form & COO:
            return torch.sparse_coo
        return torch.sparse_csc if self.form & TRANSPOSED else torch.sparse_csr

    def to(self, *args: Any, **kwargs: Any) -> "Pattern":
        """The pattern on another device, or with int32 or int64 indices; takes what Tensor.to does.

        Raises TypeError for another dtype, ValueError where int32 cannot hold the indices.
        """
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        if dtype not in (None, torch.int32, torch.int64):
            raise TypeError(f"index tensors are int32 or int64, not {dtype}")
        if dtype is torch.int32 and max(self.rows, self.columns, self.entries) >= 1 << 31:
            raise ValueError(f"the indices of {self} do not fit in int32")

        def moved(index):
            place = index.device if device is None else device
            return index.to(place, dtype or index.dtype, non_blocking)

        positions = moved(self.positions)
        is_one = self.positions is self.coordinates
        coordinates = positions if is_one else moved(self.coordinates)
        if positions is self.positions and coordinates is self.coordinates:
            return self
        pattern = self.with_indices(positions, coordinates, self.form)
        if self.stored_blocks is not None:
            layout, *indices, shape = self.stored_blocks
            pattern.stored_blocks = layout, *map(moved, indices), shape
        return pattern

    def with_indices(
        self, positions: torch.Tensor, coordinates: torch.Tensor, form: int
    ) -> "Pattern":
        """A pattern of other index tensors and another form, otherwise as this one."""
        numbers = self.items, self.rows, self.columns, self.coalesced
        return Pattern(positions, coordinates, form, *numbers)

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns) or (items, rows, columns) of the matrix, transposed or not."""
        matrix = (self.rows, self.columns)
        if self.form & TRANSPOSED:
            matrix = matrix[::-1]
        return matrix if self.items == -1 else (self.items, *matrix)

    @property
    def entries(self) -> int:
        """The number of values."""
        return math.prod(self.coordinates.shape[1 if self.form & COO else 0 :])

    def entry_indices(self) -> torch.Tensor:
        """The coordinates, (2, entries) or (3, entries), of the entries, in their order.

        Raises PatternError where the index tensors describe no sparse matrix.
        """
        if not _is_compiling():  # where what is out of range is torch's error
            self.validate()
        if self.form & COO:
            indices = self.positions.long()
        else:
            counts = self.positions.diff().reshape(-1)
            indices = _indices(counts, self.coordinates.reshape(-1), self.items, self.rows)
        if self.form & TRANSPOSED:
            *item, column, row = indices
            indices = torch.stack([*item, row, column])
        return indices

    def version(self) -> int:
        """A number that changes when torch writes to the index tensors."""
        return version_of(self.positions, self.coordinates)

    def numbers(self) -> tuple[int, ...]:
        """What the operators take after the index tensors."""
        return self.form, self.items, self.rows, self.columns, self.version()

    def validate(self) -> int:
        """Raises PatternError unless the index tensors describe a sparse matrix.

        Returns 0 where entries are sorted and unique, 1 where they are unique, 2 otherwise.
        """
        try:
            return _validate(self.positions, self.coordinates, *self.numbers())
        except (ValueError, RuntimeError) as error:
            raise library.translate(error) from None

    def row_counts(self) -> torch.Tensor:
        """The numbers of elements stored in each row, (rows,) or (items, rows), int64."""
        if torch.compiler.is_compiling():
            numbers = self.form, self.items, self.rows, self.columns
            return torch.ops.tsgu.row_counts(self.positions, self.coordinates, *numbers)
        try:
            ends = _row_positions(self.positions, self.coordinates, *self.numbers())
        except (ValueError, RuntimeError) as error:
            raise library.translate(error) from None
        return ends.diff().long().view(self.shape[:-1])

    def canonical(self) -> "tuple[Pattern, torch.Tensor | None]":
        """The same elements as a coalesced COO pattern, and entry -> element (or None)."""
        (positions, coordinates, entry_map), known = own_rows(self)
        indices = known.get("indices")
        if indices is None or indices._version:
            with torch._C._InferenceMode(False):
                indices = _indices(positions.diff(), coordinates, self.items, self.shape[-2])
            if indices.is_cuda:  # Other streams may use them.
                torch.cuda.current_stream(indices.device).synchronize()
            known["indices"] = indices
        pattern = Pattern.coo(indices, self.shape, coalesced=True)
        return pattern, entry_map if entry_map.numel() else None

    def __repr__(self) -> str:
        kind = str(self.layout).removeprefix("torch.sparse_").upper()
        return f"Pattern({kind}, shape={tuple(self.shape)}, entries={self.entries})"


def version_of(positions, coordinates):
    """As `Pattern.version`."""
    if _counting:
        return writes.version(positions, coordinates)
    try:
        return positions._version + coordinates._version
    except RuntimeError:  # inference tensors do not count
        return -1


def restored(positions, coordinates, numbers, blocks):
    """A pattern that was pickled."""
    pattern = Pattern(positions, coordinates, *numbers)
    pattern.stored_blocks = blocks
    return pattern


def dumped(pattern):
    """A pattern as what JSON can hold."""
    blocks = pattern.stored_blocks
    if blocks is not None:
        layout, positions, coordinates, shape = blocks
        blocks = [str(layout), *map(_dumped_index, (positions, coordinates)), list(shape)]
    numbers = pattern.form, pattern.items, pattern.rows, pattern.columns, pattern.coalesced
    coordinates = None if pattern.form & COO else _dumped_index(pattern.coordinates)
    return [_dumped_index(pattern.positions), coordinates, list(numbers), blocks]


def loaded(context):
    """The pattern that was dumped."""
    positions, coordinates, numbers, blocks = context
    positions = _loaded_index(*positions)
    coordinates = positions if coordinates is None else _loaded_index(*coordinates)
    if blocks is not None:
        layout, *indices, shape = blocks
        layout = getattr(torch, layout.removeprefix("torch."))
        blocks = layout, *(_loaded_index(*index) for index in indices), torch.Size(shape)
    return restored(positions, coordinates, numbers, blocks)


def _dumped_index(index):
    return [index.tolist(), str(index.dtype), list(index.shape)]


def _loaded_index(elements, dtype, shape):
    return torch.tensor(elements, dtype=getattr(torch, dtype.removeprefix("torch."))).view(shape)


def _was(pattern, version):
    return _is_as_of(pattern.positions, pattern.coordinates, *pattern.numbers(), version)


def own_rows(pattern):
    """The native library's positions, coordinates and entry -> element (empty: the entries).

    Rows of all items are counted through, elements in order and unique, in 32 bits where they fit.
    The tensors are the same at each call, so that the native library knows the pattern by their
    storage: on a device it has no other way. With them a dictionary of what was found out about
    the pattern, which lives as long as they do.
    """
    with torch._C._InferenceMode(False):  # They outlive it, and autograd may save them.
        try:
            own = _canonical(pattern.positions, pattern.coordinates, *pattern.numbers())
        except (ValueError, RuntimeError) as error:
            raise library.translate(error) from None
    known = getattr(own[0], "_tsgu_known", None)
    if known is None:
        known = own[0]._tsgu_known = {}
    return own, known


def found(pattern, name, find):
    """`find()`, which is asked once for all index tensors of the pattern's content."""
    _, known = own_rows(pattern)
    result = known.get(name)
    if result is None:
        with torch._C._InferenceMode(False):
            result = known.setdefault(name, find())
    return result


def require_as_of(pattern, version):
    """Raises RuntimeError where the pattern was another when `pattern.version()` was that."""
    if pattern.version() == version:
        return
    try:
        # A transposed pattern may have been used as that of the matrix itself.
        same = _was(pattern, version) or (
            bool(pattern.form & TRANSPOSED) and _was(pattern.transposed(), version)
        )
    except (ValueError, RuntimeError):  # it is none any more
        same = False
    if not same:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: the index tensors of {pattern} were written to after the forward that "
            "used them. Write to a copy, and make a new matrix of it"
        )
