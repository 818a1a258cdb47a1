"""Block diagonal matrices of sparse matrices, and their blocks."""

import functools
import itertools
import math

import torch

from .._layouts import BLOCKED, BY_COLUMNS, as_tensor, is_sparse
from .._library import PatternError
from .._matrix import Matrix, is_tensor_or_matrix, matrix_among, matrix_of
from .._modes import on_indices, outside_graphs
from .._pattern import TRANSPOSED, Pattern
from .._tensors import parts

_is_compiling = torch.compiler.is_compiling
_transforms_active = torch._C._are_functorch_transforms_active


# ===-- Pieces of index tensors ---------------------------------------------------===#


def _starts(sizes):
    """Where pieces of these sizes begin, and where the last one ends."""
    return [0, *itertools.accumulate(sizes)]


def _joined(pieces, numbers):
    """The index tensors one after the other, each plus its number."""
    joined = torch.cat(pieces)
    # One call for all of them; many small ones are faster than the threads of one large one.
    torch._foreach_add_(joined.split([piece.numel() for piece in pieces]), numbers)
    return joined


def _are_below(pieces, extents):
    """Whether the indices in each tensor are nonnegative and below its extent."""
    ends = [
        (*piece.aminmax(), extent)
        for piece, extent in zip(pieces, extents, strict=True)
        if piece.numel()
    ]
    if not ends:
        return True
    low, high, extents = zip(*ends, strict=True)
    extents = torch.tensor(extents, device=low[0].device)
    return bool(((torch.stack(low) >= 0) & (torch.stack(high) < extents)).all())


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


def apart(tensors):
    """(positions, coordinates, shape of a block, values) of each of the compressed matrices."""
    csr = torch.sparse_csr
    plain = all(
        type(A) is torch.Tensor and A.layout is csr and not A.requires_grad for A in tensors
    )
    if plain and not (_is_compiling() or _transforms_active()):
        # As below, without a pattern of each: many small ones take as long as their entries.
        found = [(A.crow_indices(), A.col_indices(), (), A.values()) for A in tensors]
        if all(
            line.shape == (A.shape[0] + 1,) and values.dim() == 1
            for A, (line, _, _, values) in zip(tensors, found, strict=True)
        ):
            return found
    return [(*_lines(pattern), values) for pattern, values in map(parts, tensors)]


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


def _refuse_blocks(tensors):
    """Raises the error of the corrupt one among them."""
    for A in tensors:
        parts(A)[0].validate()
    raise PatternError("a block's index tensors describe no sparse matrix")


def _coo(pattern):
    """The indices of a COO pattern, and whether they are known to be in order and unique."""
    if pattern.form & TRANSPOSED:
        return pattern.positions.flip(0), False
    return pattern.positions, pattern.coalesced


def _coo_diagonal(tensors, patterns, shapes, shape):
    indices, are_coalesced = zip(*map(_coo, patterns), strict=True)
    indices = torch.cat(indices, 1)
    counts = [pattern.entries for pattern in patterns]
    for line, sizes in zip(indices, zip(*shapes, strict=True), strict=True):
        pieces = line.split(counts)
        if not (_is_compiling() or _are_below(pieces, sizes)):
            _refuse_blocks(tensors)
        torch._foreach_add_(pieces, _starts(sizes)[:-1])
    return Pattern.coo(indices, shape, all(are_coalesced))


def _are_whole(positions, counts):
    """Whether they begin at 0 and end with their count: what lies between stays as it is."""
    firsts, lasts = ([line[k] for line in positions] for k in (slice(0, 1), slice(-1, None)))
    return not torch.cat(firsts).any() and torch.cat(lasts).tolist() == counts


def _compressed_diagonal(tensors, positions, coordinates, blocks, shapes, shape):
    layout = tensors[0].layout
    if len(set(blocks)) > 1:
        raise ValueError(f"all tensors must have blocks of one shape, not {sorted(set(blocks))}")
    across = [_along_and_across(layout, matrix, blocks[0])[1] for matrix in shapes]
    counts = [index.numel() for index in coordinates]
    if not _is_compiling() and not (
        _are_whole(positions, counts) and _are_below(coordinates, across)
    ):
        _refuse_blocks(tensors)
    if any(line.dtype is torch.int64 for line in positions) or max(*shape, sum(counts)) >= 1 << 31:
        positions, coordinates = ([x.long() for x in lines] for lines in (positions, coordinates))
    below = [line[1:] for line in positions]
    ends = _joined([positions[0][:1], *below], [0, *_starts(counts)[:-1]])
    index = _joined(coordinates, _starts(across)[:-1])
    return _pattern_on(layout, ends, index, blocks[0], shape)


@outside_graphs
def sparse_block_diag(*tensors):
    """The block diagonal matrix of sparse matrices of one layout.

    tensors: COO, CSR, CSC, BSR or BSC, (n_k, m_k), also without rows or entries, or SciPy arrays.
    Entries keep their order, duplicates included. A single one is returned as it is.

    Raises TypeError for what is no tensor, ValueError where there are none, or they have several
    layouts, or are no matrices; PatternError for a corrupt one whose block would look as if it were
    not. (Positions that decrease stay in the result, and whatever reads it refuses them.)
    """
    tensors = [as_tensor(A) for A in tensors]
    _check_blocks(tensors)
    if len(tensors) == 1:
        return tensors[0]
    shapes = [tuple(A.shape) for A in tensors]
    shape = tuple(map(sum, zip(*shapes, strict=True)))
    if tensors[0].layout is torch.sparse_coo:
        patterns, values = zip(*map(parts, tensors), strict=True)
        make = functools.partial(_coo_diagonal, tensors, patterns, shapes, shape)
    else:
        *arrays, values = zip(*apart(tensors), strict=True)
        make = functools.partial(_compressed_diagonal, tensors, *arrays, shapes, shape)
    return matrix_of(on_indices(make), torch.cat(values), like=matrix_among(tensors))


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
    indices, is_coalesced = _coo(pattern)
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
        patterns.append(Pattern.coo(piece.contiguous(), shape, is_coalesced))
    return patterns, counts, order


def _first_outside(layout, block, positions, coordinates, low, high):
    """Row and column of the first entry whose coordinate is not within the bounds of its block."""
    k = ((coordinates < low) | (coordinates >= high)).nonzero()[0, 0]
    place = [torch.searchsorted(positions, k, right=True).item() - 1, coordinates[k].item()]
    row, column = place[::-1] if layout in BY_COLUMNS else place
    return (row * block[0], column * block[1]) if block else (row, column)


def _split_compressed(pattern, shapes):
    layout = pattern.layout
    positions, coordinates, block = _lines(pattern)
    for shape in shapes:
        if block and (shape[0] % block[0] or shape[1] % block[1]):
            raise ValueError(f"a block of shape {shape} is not made of blocks of shape {block}")
    along, across = zip(*(_along_and_across(layout, s, block) for s in shapes), strict=True)
    starts, firsts = _starts(along), _starts(across)
    bounds = positions[torch.tensor(starts, device=positions.device)].tolist()
    counts = [end - start for start, end in itertools.pairwise(bounds)]
    if bounds[0] != 0 or bounds[-1] != coordinates.numel() or min(counts) < 0:
        pattern.validate()
    # In memory of their own.
    pieces = torch._foreach_sub(coordinates.split(counts), firsts[:-1])
    if not _are_below(pieces, across):
        pattern.validate()
        low, high = (
            torch.tensor(x).repeat_interleave(torch.tensor(counts)).to(coordinates.device)
            for x in (firsts[:-1], firsts[1:])
        )
        _refuse_outside(*_first_outside(layout, block, positions, coordinates, low, high))
    lines = [positions[start : end + 1] for start, end in itertools.pairwise(starts)]
    lines = torch._foreach_sub(lines, bounds[:-1])
    patterns = [
        _pattern_on(layout, line, piece, block, shape)
        for line, piece, shape in zip(lines, pieces, shapes, strict=True)
    ]
    size = math.prod(block)
    return patterns, [count * size for count in counts], None


@outside_graphs
def sparse_block_diag_split(T, *shapes):
    """The diagonal blocks of T, one of each shape (n_k, m_k): a tuple in T's layout.

    T: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, m), or a SciPy array, with all entries in
    the blocks; n and m are the sums of theirs. Entries keep their order.

    Raises TypeError for what is no tensor, ValueError for another layout, shapes that are not
    (n, m) or do not add up to T's, and an entry outside of the blocks, naming it; PatternError for
    a corrupt T, as `sparse_block_diag` does.
    """
    T, shapes = as_tensor(T), [tuple(shape) for shape in shapes]
    _check_split(T, shapes)
    pattern, values = parts(T)

    def make():
        if pattern.layout is torch.sparse_coo:
            pattern.validate()
            return _split_coo(pattern, shapes)
        return _split_compressed(pattern, shapes)

    patterns, counts, order = on_indices(make)
    values = values if order is None else values[order]
    pieces = zip(patterns, values.split(counts), strict=True)
    return tuple(matrix_of(*piece, like=T) for piece in pieces)
