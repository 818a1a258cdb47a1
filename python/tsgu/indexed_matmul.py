"""Rows times the matrices that they are assigned to."""

import torch

from ._compat import check_nested_tensors

__all__ = ["gather_mm", "segment_mm"]

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
# Multiplications of a segment from which on a call for it alone costs nothing beside them.
_LARGE = 1 << 21


def _check(a, b, assignment, name, by_rows):
    """Raises for operands that do not fit; `assignment` has a number for each row of a, or of b."""
    check_nested_tensors()
    if not all(isinstance(x, torch.Tensor) for x in (a, b, assignment)):
        raise ValueError("Inputs should be instances of torch.Tensor")
    if (a.dim(), b.dim(), assignment.dim()) != (2, 3, 1):
        raise ValueError("Input tensors have unexpected dimensions")
    if a.shape[1] != b.shape[1] or len(assignment) != len(a if by_rows else b):
        raise ValueError("Incompatible size for inputs")
    if assignment.dtype not in _INTEGERS:
        raise TypeError(f"{name} should hold integers, and has dtype {assignment.dtype}")
    if a.dtype != b.dtype:
        raise TypeError(f"a has dtype {a.dtype} and b {b.dtype}: write b.to({a.dtype})")


def _checked_lengths(seglen_a, rows):
    """The lengths of the segments as int64, on the CPU. Raises ValueError for those that misfit."""
    lengths = seglen_a.detach().to("cpu", torch.int64)
    if len(lengths) and int(lengths.min()) < 0:
        position = int((lengths < 0).nonzero()[0])
        raise ValueError(f"seglen_a is negative, {int(lengths[position])}, at position {position}")
    if int(lengths.sum()) != rows:
        raise ValueError(f"seglen_a adds up to {int(lengths.sum())}, but a has {rows} rows")
    return lengths


def _checked_indices(idx_b, matrices):
    """idx_b as int64. Raises IndexError for what is no index of b."""
    indices = idx_b.long()
    wrong = (indices < 0) | (indices >= matrices)
    if wrong.any():
        position = int(wrong.nonzero()[0])
        raise IndexError(
            f"idx_b is {int(indices[position])} at position {position}, but b has {matrices} "
            "matrices"
        )
    return indices


def _padded(a, b, starts, lengths):
    """The products of segments with a matrix each by one call, one after the other."""
    step = torch.arange(int(lengths.max()), device=a.device)
    inside = step < lengths.unsqueeze(1)
    rows = torch.where(inside, starts.unsqueeze(1) + step, 0).flatten()
    # Zeros beyond a segment's end, in derivatives too, whatever the rows there are.
    blocks = a.index_select(0, rows).unflatten(0, inside.shape)
    blocks = blocks.masked_fill(~inside.unsqueeze(2), 0)
    return torch.bmm(blocks, b).flatten(0, 1).index_select(0, inside.flatten().nonzero().squeeze(1))


def _groups(lengths, per_row):
    """Numbers of the segments that are large, and tensors of those of similar length."""
    large = lengths * per_row >= _LARGE
    small = ((lengths > 0) & ~large).nonzero().squeeze(1)
    if not len(small):
        return large, []
    sizes = lengths[small]
    if int(sizes.max()) * len(small) <= 4 * int(sizes.sum()):
        return large, [small]
    powers = (sizes - 1).double().log2().floor()  # -inf for 1
    return large, [small[powers == power] for power in powers.unique()]


def _multiply(a, b, lengths):
    """a: (N, D1), b: (R, D1, D2), lengths: R of them on the CPU, which add up to N."""
    if not a.shape[0]:
        return torch.mm(a, b.sum(0, dtype=b.dtype))  # with a graph, as all others
    if bool((lengths == lengths[0]).all()):
        return torch.bmm(a.unflatten(0, (len(lengths), -1)), b).flatten(0, 1)
    large, groups = _groups(lengths, b.shape[1] * b.shape[2])
    sizes, starts = lengths.tolist(), (lengths.cumsum(0) - lengths).to(a.device)
    if not large.any() and len(groups) == 1 and len(groups[0]) == len(sizes):
        return _padded(a, b, starts, lengths.to(a.device))
    pieces = [None] * len(sizes)
    for which in groups:
        at = which.to(a.device)
        product = _padded(a, b.index_select(0, at), starts[at], lengths[which].to(a.device))
        for k, piece in zip(which.tolist(), product.split(lengths[which].tolist()), strict=True):
            pieces[k] = piece
    if large.any():
        segments, matrices = a.split(sizes), b.unbind()
        for k in large.nonzero().squeeze(1).tolist():
            pieces[k] = torch.mm(segments[k], matrices[k])
    return torch.cat([piece for piece in pieces if piece is not None])


def segment_mm(a: torch.Tensor, b: torch.Tensor, seglen_a: torch.Tensor) -> torch.Tensor:
    """Every segment of consecutive rows of a times its matrix of b: (N, D2).

    a: (N, D1), b: (R, D1, D2), of one dtype that torch.bmm takes. seglen_a: (R,), integers: the
    number of rows for each matrix, 0 or more, in all N. Differentiable in a and b to any order, in
    every mode. Small segments are multiplied by one call, padded to at most four times of their
    rows; large ones by torch.mm each.

    Raises ValueError for operands and lengths that do not fit, TypeError for other dtypes.

    >>> a, b = torch.ones(3, 2), torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    >>> tsgu.segment_mm(a, b, torch.tensor([1, 2]))
    tensor([[3.],
            [7.],
            [7.]])
    """
    _check(a, b, seglen_a, "seglen_a", by_rows=False)
    return _multiply(a, b, _checked_lengths(seglen_a, len(a)))


def gather_mm(a: torch.Tensor, b: torch.Tensor, idx_b: torch.Tensor) -> torch.Tensor:
    """Every row of a times the matrix that idx_b gives for it, a[n] @ b[idx_b[n]]: (N, D2).

    a: (N, D1), b: (R, D1, D2), of one dtype that torch.bmm takes. idx_b: (N,), integers from 0 to
    R - 1. Differentiable in a and b to any order, in every mode. Rows with one matrix are brought
    together, then it is segment_mm: no matrix is copied for each of its rows.

    Raises ValueError for operands that do not fit, IndexError for an index out of range, TypeError
    for other dtypes.

    >>> a, b = torch.ones(3, 2), torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])
    >>> tsgu.gather_mm(a, b, torch.tensor([0, 1, 0]))
    tensor([[3.],
            [7.],
            [3.]])
    """
    _check(a, b, idx_b, "idx_b", by_rows=True)
    indices = _checked_indices(idx_b, len(b)).to(a.device)
    order = indices.argsort(stable=True)
    lengths = torch.bincount(indices, minlength=len(b)).cpu()
    return _multiply(a.index_select(0, order), b, lengths).index_select(0, order.argsort())
