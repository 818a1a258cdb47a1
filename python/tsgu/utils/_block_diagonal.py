"""Block diagonal matrices of sparse matrices, and their blocks."""

import itertools
import math

import torch

from .._layouts import BLOCKED, BY_COLUMNS, as_tensor, is_sparse
from .._library import PatternError
from .._matrix import Matrix, is_tensor_or_matrix, on_indices, outside_graphs
from .._pattern import Pattern
from .._tensors import matrix_of, parts

_is_compiling = torch.compiler.is_compiling


# ===-- Pieces of index tensors ---------------------------------------------------===#


def _starts(sizes):
    """Where pieces of these sizes begin, and where the last one ends."""
    return [0, *itertools.accumulate(sizes)]


def _spread(numbers, counts, like):
    """Each number as often as its count says, as an index tensor."""
    numbers, counts = (torch.tensor(x, device=like.device).long() for x in (numbers, counts))
    # The size is given: a device need not be waited for.
    return numbers.repeat_interleave(counts, output_size=like.shape[-1])


# ===-- Compressed layouts --------------------------------------------------------===#


def _pattern_on(layout, positions, coordinates, block, shape):
    """The pattern of new index tensors, whose entries are blocks (p, q) or numbers ()."""
    if layout in BLOCKED:
        values = torch.empty(*coordinates.shape, *block, device=coordinates.device)
        return Pattern.of(
            torch.sparse_compressed_tensor(
                positions, coordinates, values, shape, layout=layout, check_invariants=False
            )
        )
    by_columns = layout in BY_COLUMNS
    pattern = Pattern.csr(positions, coordinates, shape[-2 if by_columns else -1])
    return pattern.transposed() if by_columns else pattern


def _lines(pattern):
    """Positions and coordinates of a compressed pattern, and the shape of its blocks."""
    if pattern.blocks is None:
        return pattern.positions, pattern.coordinates, ()
    _, positions, coordinates, shape = pattern.blocks
    return positions, coordinates, tuple(shape[-2:])


def _along_and_across(layout, shape, block):
    """How many compressed lines a matrix has, and how many coordinates there are in one."""
    rows, columns = shape
    if block:
        rows, columns = rows // block[0], columns // block[1]
    return (columns, rows) if layout in BY_COLUMNS else (rows, columns)


# ===-- Block diagonals -----------------------------------------------------------===#


def _check_blocks(tensors):
    """Raises TypeError or ValueError for the first thing that is wrong."""
    for A in tensors:
        if not is_tensor_or_matrix(A):
            raise TypeError(f"all arguments must be torch.Tensors, not {type(A).__name__}")
    if not tensors:
        raise ValueError("there must be at least one tensor")
    layouts = [A.layout for A in tensors]
    if any(layout != layouts[0] for layout in layouts):
        raise ValueError(f"all tensors must have one layout, not {layouts}")
    for A in tensors:
        if type(A) is Matrix:
            continue
        if A.sparse_dim() != 2:
            raise ValueError(f"all tensors must have two sparse dimensions, not {A.sparse_dim()}")
        if A.dense_dim() != 0:
            raise ValueError(f"all tensors must have no dense dimension, not {A.dense_dim()}")
    for A in tensors:
        if len(A.shape) != 2 or not is_sparse(A):
            raise ValueError(f"all tensors must be sparse matrices (n, m), not {tuple(A.shape)}")


def _is_within(coordinates, extents):
    return bool(((coordinates >= 0) & (coordinates < extents)).all())


def _refuse_blocks(patterns):
    """Raises the error of the corrupt one among the patterns."""
    for pattern in patterns:
        pattern.validate()
    raise PatternError("a block's index tensors describe no sparse matrix")


def _coo_diagonal(patterns, shapes, shape):
    indices = torch.cat([pattern.positions for pattern in patterns], 1)
    counts = [pattern.entries for pattern in patterns]
    sizes = [[block[k] for block in shapes] for k in (0, 1)]
    if not _is_compiling():
        extents = torch.stack([_spread(size, counts, indices) for size in sizes])
        if not _is_within(indices, extents):
            _refuse_blocks(patterns)
    offsets = torch.stack([_spread(_starts(size)[:-1], counts, indices) for size in sizes])
    coalesced = all(pattern.coalesced for pattern in patterns)
    return Pattern.coo(indices + offsets, shape, coalesced)


def _joined_positions(positions, counts):
    """Positions of matrices below each other, or None where a matrix's describe none."""
    lengths = [line.numel() for line in positions]
    every = torch.cat(positions).long()
    every = every + _spread(_starts(counts)[:-1], lengths, every)
    firsts, ends = (torch.tensor(_starts(x), device=every.device) for x in (lengths, counts))
    if not _is_compiling():
        are_ends = (
            torch.stack([every[firsts[:-1]], every[firsts[1:] - 1]]) == ends.unfold(0, 2, 1).T
        )
        if not ((every.diff() >= 0).all() and are_ends.all()):
            return None
    # The first position of each but the first matrix is the last one of the matrix above.
    rows = torch.arange(1, every.numel() - len(positions) + 1, device=every.device)
    below = rows + _spread(range(len(positions)), [n - 1 for n in lengths], rows)
    return every[torch.cat([firsts[:1], below])]


def _compressed_diagonal(layout, patterns, shapes, shape):
    positions, coordinates, blocks = zip(*map(_lines, patterns), strict=True)
    if len(set(blocks)) > 1:
        raise ValueError(f"all tensors must have blocks of one shape, not {sorted(set(blocks))}")
    across = [_along_and_across(layout, matrix, blocks[0])[1] for matrix in shapes]
    counts = [index.numel() for index in coordinates]
    ends, index = _joined_positions(positions, counts), torch.cat(coordinates)
    if ends is None or not (_is_compiling() or _is_within(index, _spread(across, counts, index))):
        _refuse_blocks(patterns)
    index = index + _spread(_starts(across)[:-1], counts, index)
    narrow = all(line.dtype is torch.int32 for line in positions)
    if narrow and max(*shape, sum(counts)) < 1 << 31:
        ends, index = ends.int(), index.int()
    return _pattern_on(layout, ends, index, blocks[0], shape)


@outside_graphs
def sparse_block_diag(*tensors):
    """The block diagonal matrix of sparse matrices of one layout.

    tensors: COO, CSR, CSC, BSR or BSC, (n_k, m_k), also without rows or entries, or SciPy arrays.
    Entries keep their order, duplicates included. A single one is returned as it is.

    Raises TypeError for what is no tensor, ValueError where there are none, or they have several
    layouts, or are no matrices; PatternError for a corrupt one.
    """
    tensors = [as_tensor(A) for A in tensors]
    _check_blocks(tensors)
    if len(tensors) == 1:
        return tensors[0]
    layout, shapes = tensors[0].layout, [tuple(A.shape) for A in tensors]
    shape = tuple(map(sum, zip(*shapes, strict=True)))
    patterns, values = zip(*map(parts, tensors), strict=True)

    def make():
        if layout is torch.sparse_coo:
            return _coo_diagonal(patterns, shapes, shape)
        return _compressed_diagonal(layout, patterns, shapes, shape)

    return matrix_of(on_indices(make), torch.cat(values))


# ===-- Split ---------------------------------------------------------------------===#


def _refuse_outside(row, column):
    raise ValueError(f"the entry in row {row}, column {column} lies in none of the diagonal blocks")


def _check_split(T, shapes):
    if not is_tensor_or_matrix(T):
        raise TypeError(f"T must be a torch.Tensor, not {type(T).__name__}")
    if not is_sparse(T):
        raise ValueError(f"T must be a sparse matrix, and has layout {T.layout}")
    for shape in shapes:
        if len(shape) != 2:
            raise ValueError(f"the shape of a block must be (n, m), not {shape}")
    sums = tuple(sum(shape[k] for shape in shapes) for k in (0, 1))
    if tuple(T.shape) != sums:
        raise ValueError(f"blocks {shapes} are {sums} together, and T is {tuple(T.shape)}")


def _split_coo(pattern, shapes):
    """The patterns of the blocks, and which entries they have, one block's after the other's."""
    indices = pattern.positions
    row_starts, column_starts = (
        torch.tensor(_starts(sizes), device=indices.device) for sizes in zip(*shapes, strict=True)
    )
    block = torch.searchsorted(row_starts[1:], indices[0].contiguous(), right=True)
    outside = (indices[1] < column_starts[block]) | (indices[1] >= column_starts[block + 1])
    if outside.any():
        _refuse_outside(*indices[:, outside.nonzero()[0, 0]].tolist())
    order = block.argsort(stable=True)
    indices = (indices - torch.stack([row_starts[block], column_starts[block]]))[:, order]
    counts = torch.bincount(block, minlength=len(shapes)).tolist()
    patterns = []
    for shape, piece in zip(shapes, indices.split(counts, 1), strict=True):
        patterns.append(Pattern.coo(piece.contiguous(), shape, pattern.coalesced))
    return patterns, counts, order


def _split_compressed(pattern, shapes):
    layout = pattern.layout
    positions, coordinates, block = _lines(pattern)
    for shape in shapes:
        if block and (shape[0] % block[0] or shape[1] % block[1]):
            raise ValueError(f"a block of shape {shape} is not made of blocks of shape {block}")
    along, across = zip(*(_along_and_across(layout, s, block) for s in shapes), strict=True)
    starts = _starts(along)
    bounds = positions[torch.tensor(starts, device=positions.device)].tolist()
    counts = [end - start for start, end in itertools.pairwise(bounds)]
    firsts = _starts(across)
    low, high = (_spread(x, counts, coordinates) for x in (firsts[:-1], firsts[1:]))
    outside = (coordinates < low) | (coordinates >= high)
    if outside.any():
        k = outside.nonzero()[0, 0]
        place = [torch.searchsorted(positions, k, right=True).item() - 1, coordinates[k].item()]
        row, column = place[::-1] if layout in BY_COLUMNS else place
        _refuse_outside(*((row * block[0], column * block[1]) if block else (row, column)))
    index = (coordinates - low).to(coordinates.dtype)
    patterns = []
    for k, piece in enumerate(index.split(counts)):
        ends = positions[starts[k] : starts[k + 1] + 1] - bounds[k]
        patterns.append(_pattern_on(layout, ends, piece.clone(), block, shapes[k]))
    size = math.prod(block)
    return patterns, [count * size for count in counts], None


@outside_graphs
def sparse_block_diag_split(T, *shapes):
    """The diagonal blocks of T, one of each shape (n_k, m_k): a tuple in T's layout.

    T: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, m), or a SciPy array, with all entries in
    the blocks; n and m are the sums of theirs. Entries keep their order.

    Raises TypeError for what is no tensor, ValueError for another layout, shapes that are not
    (n, m) or do not add up to T's, and an entry outside of the blocks, naming it; PatternError for
    a corrupt T.
    """
    T, shapes = as_tensor(T), [tuple(shape) for shape in shapes]
    _check_split(T, shapes)
    pattern, values = parts(T)

    def make():
        pattern.validate()
        if pattern.layout is torch.sparse_coo:
            return _split_coo(pattern, shapes)
        return _split_compressed(pattern, shapes)

    patterns, counts, order = on_indices(make)
    values = values if order is None else values[order]
    return tuple(map(matrix_of, patterns, values.split(counts)))
