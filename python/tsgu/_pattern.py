"""The sparsity pattern of an operand, as the index tensors that describe it."""

import torch

from . import _library, _writes
from ._layouts import (
    BLOCKED,
    BY_COLUMNS,
    as_tensor,
    compressed_indices,
    index_tensor,
    one_width,
)

# Values of Form in IndexArrays.h.
CSR, COO, TRANSPOSED = 0, 1, 2

_validate = torch.ops.tsgu.validate.default._op
_row_positions = torch.ops.tsgu.row_positions.default
_is_as_of = torch.ops.tsgu.is_as_of.default
_is_compiling = torch.compiler.is_compiling
_counting = _writes.counting


def _indices(counts, coordinates, items, rows):
    """COO indices from the entries in every row, items' rows counted through, and the columns."""
    # The size is given: a device need not be waited for.
    row = torch.repeat_interleave(counts.long(), output_size=coordinates.numel())
    if items == -1:
        return torch.stack([row, coordinates.long()])
    rows = max(rows, 1)
    return torch.stack([row // rows, row % rows, coordinates.long()])


def _without_base(index):
    """An index tensor; of a view another one, which does not hold what it is a view of."""
    return index.detach() if not _is_compiling() and index._is_view() else index


def _reject(positions, shape):
    raise _library.PatternError(
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
    pattern.blocks = (A.layout, *compressed_indices(A), A.values().shape)
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
    """

    # values: those that the uses of a sparse tensor share, kept alive (see _tensors.parts).
    # blocks: layout, index tensors and shape of the values of a tensor of dense blocks.
    __slots__ = (
        "positions",
        "coordinates",
        "form",
        "items",
        "rows",
        "columns",
        "coalesced",
        "values",
        "blocks",
    )

    def __init__(self, positions, coordinates, form, items, rows, columns, coalesced):
        self.positions = positions
        self.coordinates = coordinates
        self.form = form
        self.items = items
        self.rows = rows
        self.columns = columns
        self.coalesced = coalesced
        self.values = self.blocks = None

    def __reduce__(self):
        numbers = self.form, self.items, self.rows, self.columns, self.coalesced
        return _restored, (self.positions, self.coordinates, numbers, self.blocks)

    @staticmethod
    def csr(positions, coordinates, columns):
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
    def coo(indices, shape, coalesced=False):
        """COO: indices (2, entries) of a matrix or (3, entries) of a ragged batch.

        In any order; entries that name one element are summed. `coalesced` says that they are
        sorted and name each element once.
        """
        indices = _without_base(index_tensor(indices))
        *items, rows, columns = shape
        items = items[0] if items else -1
        return Pattern(indices, indices, COO, items, rows, columns, coalesced)

    @staticmethod
    def of(A):
        """The pattern of a sparse tensor or a SciPy array. Raises TypeError for others."""
        layout = getattr(A, "layout", None)
        if layout is torch.sparse_coo:
            return Pattern.coo(A._indices(), A.shape, A.is_coalesced())
        if layout in BLOCKED:
            return _of_blocks(A)
        if layout not in (torch.sparse_csr, torch.sparse_csc):
            matrix = as_tensor(A)
            if matrix is not A:
                return Pattern.of(matrix)
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

    def reject(self, shape):
        """Raises the error of positions that do not fit a CSR tensor's shape."""
        _reject(self.positions, shape)

    def transposed(self):
        """The pattern of the transposed matrix; its values keep this pattern's order."""
        pattern = Pattern(
            self.positions,
            self.coordinates,
            self.form ^ TRANSPOSED,
            self.items,
            self.rows,
            self.columns,
            self.coalesced,
        )
        pattern.values = self.values
        return pattern

    @property
    def layout(self):
        """That of the tensors that values on this pattern make."""
        if self.blocks is not None:
            return self.blocks[0]
        if self.form & COO:
            return torch.sparse_coo
        return torch.sparse_csc if self.form & TRANSPOSED else torch.sparse_csr

    def to(self, *args, **kwargs):
        """The pattern on another device, or with int32 or int64 indices; takes what Tensor.to does.

        Raises TypeError for another dtype, ValueError where int32 cannot hold the indices.
        """
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        if dtype not in (None, torch.int32, torch.int64):
            raise TypeError(f"index tensors are int32 or int64, not {dtype}")
        if dtype is torch.int32 and max(self.rows, self.columns, self.entries) >= 1 << 31:
            raise ValueError(f"the indices of {self} do not fit in int32")
        tensors = [self.positions, self.coordinates]
        if self.positions is self.coordinates:
            tensors.pop()
        moved = [
            x.to(device if device is not None else x.device, dtype or x.dtype, non_blocking)
            for x in tensors
        ]
        return Pattern(
            moved[0],
            moved[-1],
            self.form,
            self.items,
            self.rows,
            self.columns,
            self.coalesced,
        )

    @property
    def shape(self):
        """(rows, columns) or (items, rows, columns) of the matrix, transposed or not."""
        matrix = (self.rows, self.columns)
        if self.form & TRANSPOSED:
            matrix = matrix[::-1]
        return matrix if self.items == -1 else (self.items, *matrix)

    @property
    def entries(self):
        """The number of values."""
        return self.coordinates.shape[1] if self.form & COO else self.coordinates.numel()

    def entry_indices(self):
        """The coordinates, (2, entries) or (3, entries), of the entries of a CSR or COO pattern.

        Raises PatternError where the index tensors describe no sparse matrix.
        """
        self.validate()
        if self.form == COO:
            return self.positions.long()
        counts = self.positions.diff().reshape(-1)
        return _indices(counts, self.coordinates.reshape(-1), self.items, self.rows)

    def version(self):
        """A number that changes when torch writes to the index tensors."""
        if _counting:
            return _writes.version(self.positions, self.coordinates)
        try:
            return self.positions._version + self.coordinates._version
        except RuntimeError:  # inference tensors do not count
            return -1

    def numbers(self):
        """What the operators take after the index tensors."""
        return self.form, self.items, self.rows, self.columns, self.version()

    def validate(self):
        """Raises PatternError unless the index tensors describe a sparse matrix.

        Returns 0 where entries are sorted and unique, 1 where they are unique, 2 otherwise.
        """
        try:
            return _validate(self.positions, self.coordinates, *self.numbers())
        except (ValueError, RuntimeError) as error:
            raise _library.translate(error) from None

    def row_counts(self):
        """The numbers of elements stored in each row, (rows,) or (items, rows), int64."""
        if torch.compiler.is_compiling():
            numbers = self.form, self.items, self.rows, self.columns
            return torch.ops.tsgu.row_counts(self.positions, self.coordinates, *numbers)
        try:
            ends = _row_positions(self.positions, self.coordinates, *self.numbers())
        except (ValueError, RuntimeError) as error:
            raise _library.translate(error) from None
        return ends.diff().long().view(self.shape[:-1])

    def canonical(self):
        """The same elements as a coalesced COO pattern, and entry -> element (or None).

        The tensors are the same at each call, so that the native library knows the pattern by
        their storage: on a device it has no other way.
        """
        with torch.inference_mode(False):  # They outlive it, and autograd may save them.
            try:
                positions, coordinates, entry_map = torch.ops.tsgu.canonical(
                    self.positions, self.coordinates, *self.numbers()
                )
            except (ValueError, RuntimeError) as error:
                raise _library.translate(error) from None
            indices = getattr(positions, "_tsgu_indices", None)
            if indices is None or indices._version:
                indices = _indices(positions.diff(), coordinates, self.items, self.shape[-2])
                if indices.is_cuda:  # Other streams may use them.
                    torch.cuda.current_stream(indices.device).synchronize()
                positions._tsgu_indices = indices
        pattern = Pattern.coo(indices, self.shape, coalesced=True)
        return pattern, entry_map if entry_map.numel() else None

    def __repr__(self):
        kind = str(self.layout).removeprefix("torch.sparse_").upper()
        return f"Pattern({kind}, shape={tuple(self.shape)}, entries={self.entries})"


def _restored(positions, coordinates, numbers, blocks):
    """A pattern that was pickled."""
    pattern = Pattern(positions, coordinates, *numbers)
    pattern.blocks = blocks
    return pattern


def _was(pattern, version):
    return _is_as_of(pattern.positions, pattern.coordinates, *pattern.numbers(), version)


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
