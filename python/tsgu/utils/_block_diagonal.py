"""Block diagonal matrices of sparse matrices, and their blocks."""

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any, overload

import torch

from .._matrices.kinds import is_tensor_or_matrix, matrix_among, matrix_of
from .._matrices.matrix import Matrix
from .._patterns.layouts import BLOCKED, BY_COLUMNS, as_tensor, is_sparse
from .._patterns.modes import on_indices, outside_graphs
from .._patterns.pattern import CSR, TRANSPOSED, Pattern
from .._patterns.tensors import parts
from .._runtime.library import PatternError
from .._typing import Shape, SparseMatrix, TensorOrArray, TensorOrMatrix

_is_compiling = torch.compiler.is_compiling
_transforms_active = torch._C._are_functorch_transforms_active
_join_coordinates = torch.ops.tsgu.join_coordinates.default._op
_join_positions = torch.ops.tsgu.join_positions.default._op


# ===-- Pieces of index tensors ---------------------------------------------------===#


def _starts(sizes):
    """Where pieces of these sizes begin, and where the last one ends."""
    return [0, *itertools.accumulate(sizes)]


def _are_within(pieces, lows, highs):
    """Whether the indices in each tensor are from its low on and below its high."""
    found = [
        (*piece.aminmax(), low, high)
        for piece, low, high in zip(pieces, lows, highs, strict=True)
        if piece.numel()
    ]
    if not found:
        return True
    least, most, lows, highs = zip(*found, strict=True)
    found = torch.stack(least + most).tolist()
    return all(map(operator.le, lows, found)) and all(map(operator.gt, highs, found[len(lows) :]))


def _are_below(indices, counts, extents):
    """Whether so many indices, one piece after the other, are within [0, extent of the piece)."""
    if not indices.numel():
        return True
    low, high = indices.aminmax()
    if low >= 0 and high < min(extents):  # quick, for there may be many pieces
        return True
    return _are_within(indices.split(counts), len(counts) * [0], extents)


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
    if layout in BY_COLUMNS:
        return Pattern(positions, coordinates, CSR | TRANSPOSED, -1, *shape[::-1], False)
    return Pattern(positions, coordinates, CSR, -1, *shape, False)


def _lines(pattern):
    """Positions and coordinates of a compressed pattern, and the shape of its blocks."""
    if pattern.blocks is None:
        return pattern.positions, pattern.coordinates, ()
    _, positions, coordinates, shape = pattern.blocks
    return positions, coordinates, tuple(shape[-2:])


def as_tensors(matrices: Sequence[SparseMatrix], rule: str) -> Any:
    """The tensors of any sparse matrices. Raises TypeError, with the rule, for what is none."""
    if {*map(type, matrices)} == {torch.Tensor}:  # quick, for there may be many
        return matrices
    matrices = [as_tensor(A) for A in matrices]
    for A in matrices:
        if not is_tensor_or_matrix(A):
            raise TypeError(f"{rule}, not {type(A).__name__}")
    return matrices


def _are_plain(tensors):
    """Whether nothing follows them: many small ones take as long as a pattern of each would."""
    if _is_compiling() or _transforms_active() or {*map(type, tensors)} != {torch.Tensor}:
        return False
    return not any([A.requires_grad for A in tensors])


def apart(tensors):
    """Positions, coordinates, shapes of a block and values of each of the compressed matrices.

    Not checked: positions may have another length than rows ask for.
    """
    if tensors[0].layout is torch.sparse_csr and _are_plain(tensors):
        positions = [A.crow_indices() for A in tensors]
        coordinates = [A.col_indices() for A in tensors]
        return positions, coordinates, [()] * len(tensors), [A.values() for A in tensors]
    found = [(*_lines(pattern), values) for pattern, values in map(parts, tensors)]
    return zip(*found, strict=True)


def refuse_corrupt(tensors):
    """Raises the error of the corrupt one among them."""
    for A in tensors:
        parts(A)[0].validate()
    raise PatternError("index tensors describe no sparse matrix")


def _along_and_across(layout, shapes, block):
    """How many compressed lines each matrix has, and how many coordinates there are in one."""
    rows, columns = zip(*shapes, strict=True)
    if block:
        rows, columns = [n // block[0] for n in rows], [n // block[1] for n in columns]
    return (columns, rows) if layout in BY_COLUMNS else (rows, columns)


# ===-- Block diagonals -----------------------------------------------------------===#


def _are_matrices(tensors):
    """Whether they are sparse matrices of one layout."""
    if len({A.layout for A in tensors}) > 1 or not is_sparse(tensors[0]):
        return False
    if {A.dim() for A in tensors} != {2}:
        return False
    return not any([A.dense_dim() for A in tensors if type(A) is not Matrix])


def _refuse(tensors):
    """Raises ValueError for the first thing that is wrong."""
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
    shape = next(tuple(A.shape) for A in tensors if len(A.shape) != 2 or not is_sparse(A))
    raise ValueError(f"all tensors must be sparse matrices (n, m), not {shape}")


def _coo_parts(tensors):
    """Indices, whether they are known to be in order and unique, and values of each."""
    if _are_plain(tensors):
        return zip(*[(A._indices(), A.is_coalesced(), A._values()) for A in tensors], strict=True)
    return zip(*[(*_coo(pattern), values) for pattern, values in map(parts, tensors)], strict=True)


def _coo(pattern):
    if pattern.form & TRANSPOSED:
        return pattern.positions.flip(0), False
    return pattern.positions, pattern.coalesced


def _joined(join, tensors, *arguments):
    """By one of the plugin's operators, in one pass; None in graphs and on devices."""
    if _is_compiling() or not arguments[0][0].is_cpu:
        return None
    try:
        return join(*arguments)
    except (ValueError, RuntimeError):
        refuse_corrupt(tensors)


def _coo_diagonal(tensors, indices, are_coalesced, shapes, shape):
    heights, widths = zip(*shapes, strict=True)
    joined = _joined(_join_coordinates, tensors, indices, heights + widths, True)
    if joined is None:
        joined = _joined_coo(tensors, indices, heights, widths)
    return Pattern.coo(joined, shape, all(are_coalesced))


def _joined_coo(tensors, indices, heights, widths):
    rows, columns = zip(*[each.unbind() for each in indices], strict=True)
    counts = 2 * [line.numel() for line in rows]
    joined = torch.cat(rows + columns)
    if not (_is_compiling() or _are_below(joined, counts, heights + widths)):
        refuse_corrupt(tensors)
    # One call for all; many small ones are faster than the threads of one large one.
    starts = _starts(heights)[:-1] + _starts(widths)[:-1]
    torch._foreach_add_(joined.split(counts), starts)
    return joined.view(2, -1)


def _are_whole(positions, lengths, counts):
    """Whether each begins at 0 and ends with its count: what lies between stays as it is."""
    starts = _starts(lengths)
    places = [starts[:-1], [end - 1 for end in starts[1:]]]
    firsts, lasts = positions[torch.tensor(places, device=positions.device)].tolist()
    return not any(firsts) and lasts == counts


def _compressed_diagonal(tensors, positions, coordinates, blocks, shapes, shape):
    layout = tensors[0].layout
    if len(set(blocks)) > 1:
        raise ValueError(f"all tensors must have blocks of one shape, not {sorted(set(blocks))}")
    along, across = _along_and_across(layout, shapes, blocks[0])
    lengths, counts = ([x.numel() for x in lines] for lines in (positions, coordinates))
    if lengths != [rows + 1 for rows in along]:
        refuse_corrupt(tensors)
    wide = max(*shape, sum(counts)) >= 1 << 31 or torch.int64 in {
        x.dtype for x in (*positions, *coordinates)
    }
    joined = _joined(_join_positions, tensors, positions, counts, wide)
    if joined is not None:
        positions = joined
        coordinates = _joined(_join_coordinates, tensors, coordinates, across, wide)
    else:
        positions, coordinates = _joined_compressed(
            tensors, positions, coordinates, across, lengths, counts, wide
        )
    return _pattern_on(layout, positions, coordinates, blocks[0], shape)


def _joined_compressed(tensors, positions, coordinates, across, lengths, counts, wide):
    positions, coordinates = torch.cat(positions), torch.cat(coordinates)
    if not _is_compiling() and not (
        _are_whole(positions, lengths, counts) and _are_below(coordinates, counts, across)
    ):
        refuse_corrupt(tensors)
    if wide:
        positions, coordinates = positions.long(), coordinates.long()
    # One call for all; many small ones are faster than the threads of one large one.
    torch._foreach_add_(coordinates.split(counts), _starts(across)[:-1])
    first, *ends = positions.split([n for length in lengths for n in (1, length - 1)])
    torch._foreach_add_(ends[::2], _starts(counts)[:-1])
    return torch.cat([first, *ends[::2]]), coordinates


@overload
def sparse_block_diag(*tensors: Matrix) -> Matrix: ...


@overload
def sparse_block_diag(*tensors: TensorOrArray) -> torch.Tensor: ...


@overload
def sparse_block_diag(*tensors: SparseMatrix) -> TensorOrMatrix: ...


@outside_graphs
def sparse_block_diag(*tensors: SparseMatrix) -> TensorOrMatrix:
    """The block diagonal matrix of sparse matrices of one layout.

    tensors: COO, CSR, CSC, BSR or BSC, (n_k, m_k), also without rows or entries, or SciPy arrays.
    Entries keep their order, duplicates included. A single one is returned as it is.

    Raises TypeError for what is no tensor, ValueError where there are none, or they have several
    layouts, or are no matrices; PatternError for a corrupt one whose block would look as if it were
    not. (Positions that decrease stay in the result, and whatever reads it refuses them.)
    """
    matrices = as_tensors(tensors, "all arguments must be torch.Tensors")
    if not matrices:
        raise ValueError("there must be at least one tensor")
    if not _are_matrices(matrices):
        _refuse(matrices)
    if len(matrices) == 1:
        return matrices[0]
    shapes = [tuple(A.shape) for A in matrices]
    shape = tuple(map(sum, zip(*shapes, strict=True)))
    if matrices[0].layout is torch.sparse_coo:
        indices, are_coalesced, values = _coo_parts(matrices)
        make = functools.partial(_coo_diagonal, matrices, indices, are_coalesced, shapes, shape)
    else:
        positions, coordinates, blocks, values = apart(matrices)
        make = functools.partial(
            _compressed_diagonal, matrices, positions, coordinates, blocks, shapes, shape
        )
    return matrix_of(on_indices(make), torch.cat(values), like=matrix_among(matrices))


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
    along, across = _along_and_across(layout, shapes, block)
    starts, firsts = _starts(along), _starts(across)
    bounds = positions[torch.tensor(starts, device=positions.device)].tolist()
    counts = [end - start for start, end in itertools.pairwise(bounds)]
    if bounds[0] != 0 or bounds[-1] != coordinates.numel() or min(counts) < 0:
        pattern.validate()
    pieces = coordinates.split(counts)
    if not _are_within(pieces, firsts[:-1], firsts[1:]):
        pattern.validate()
        low, high = (
            torch.tensor(x).repeat_interleave(torch.tensor(counts)).to(coordinates.device)
            for x in (firsts[:-1], firsts[1:])
        )
        _refuse_outside(*_first_outside(layout, block, positions, coordinates, low, high))
    lines = [positions[start : end + 1] for start, end in itertools.pairwise(starts)]
    # In memory of their own.
    lines = torch._foreach_sub(lines, bounds[:-1])
    pieces = torch._foreach_sub(pieces, firsts[:-1])
    patterns = [
        _pattern_on(layout, line, piece, block, shape)
        for line, piece, shape in zip(lines, pieces, shapes, strict=True)
    ]
    size = math.prod(block)
    return patterns, [count * size for count in counts], None


@overload
def sparse_block_diag_split(T: Matrix, *shapes: Shape) -> tuple[Matrix, ...]: ...


@overload
def sparse_block_diag_split(T: TensorOrArray, *shapes: Shape) -> tuple[torch.Tensor, ...]: ...


@outside_graphs
def sparse_block_diag_split(T: SparseMatrix, *shapes: Shape) -> tuple[TensorOrMatrix, ...]:
    """The diagonal blocks of T, one of each shape (n_k, m_k): a tuple in T's layout.

    T: COO (coalesced or not), CSR, CSC, BSR or BSC, (n, m), or a SciPy array, with all entries in
    the blocks; n and m are the sums of theirs. Entries keep their order.

    Raises TypeError for what is no tensor, ValueError for another layout, shapes that are not
    (n, m) or do not add up to T's, and an entry outside of the blocks, naming it; PatternError for
    a corrupt T, as `sparse_block_diag` does.
    """
    T, sizes = as_tensor(T), [tuple(shape) for shape in shapes]
    _check_split(T, sizes)
    pattern, values = parts(T)

    def make():
        if pattern.layout is torch.sparse_coo:
            pattern.validate()
            return _split_coo(pattern, sizes)
        return _split_compressed(pattern, sizes)

    patterns, counts, order = on_indices(make)
    values = values if order is None else values[order]
    pieces = zip(patterns, values.split(counts), strict=True)
    return tuple(matrix_of(*piece, like=T) for piece in pieces)
