"""Sums, means and extrema over rows or columns of a sparse matrix."""

import torch

from ._matrices.reductions import along_rows, axes_of, check_matrix, check_real, kept
from ._patterns.coalesced import coalesced
from ._patterns.layouts import as_tensor
from ._patterns.modes import on_indices, outside_graphs
from ._patterns.tensors import parts
from ._programs.autograd import operator_on
from ._typing import Dims, SparseMatrix

__all__ = ["sparse_amax", "sparse_amin", "sparse_mean", "sparse_sum"]


def _row_counts(along):
    """How many elements each row stores, and how many there are in it."""
    return on_indices(along.row_counts), along.shape[-1]


def _run(path, along, *operands):
    return operator_on(path, along).call((along,), *operands)


def _sums(input, dim):
    """The axes, the pattern whose rows are summed, and the sums."""
    input = as_tensor(input)
    check_matrix(input)
    axes = axes_of(input, dim)
    pattern, values = parts(input)
    along = along_rows(pattern, axes)
    result = _run("row_sum", along, values)
    return axes, along, result.sum(-1) if len(axes) == 2 else result


@outside_graphs
def sparse_sum(input: SparseMatrix, dim: Dims, keepdim: bool = False) -> torch.Tensor:
    """The sums over the rows (dim -2), the columns (dim -1) or both, ([-2, -1]), of input.

    input: COO, CSR, CSC, BSR or BSC, (n, m) or a batch (b, n, m), whose dimension 0 stays, or a
    SciPy array. The result is dense, (n,) or (b, n) for dim -1; keepdim leaves the dimensions with
    size 1. Differentiable to any order; the gradient has input's layout and pattern.

    Raises NotImplementedError for another number of dimensions, a dense input and dim 0 of a batch,
    ValueError for entries that are dense blocks, RuntimeError for no dim or one that is repeated,
    IndexError for a dim out of range, PatternError for a corrupt input.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_sum(A, 1)
    tensor([2., 4.])
    """
    axes, _, result = _sums(input, dim)
    return kept(result, axes) if keepdim else result


@outside_graphs
def sparse_mean(
    input: SparseMatrix, dim: Dims, keepdim: bool = False, include_zeros: bool = True
) -> torch.Tensor:
    """sparse_sum divided by the number of elements summed.

    include_zeros: entries that are not stored count as zeros, as in torch.mean of the dense matrix.
    Otherwise the mean is over what is stored, and NaN where nothing is; duplicates are one entry.
    All else, errors included, is as in sparse_sum.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_mean(A, 1)
    tensor([1., 2.])
    """
    axes, along, sums = _sums(input, dim)
    stored, count = _row_counts(along)
    if len(axes) == 2:
        stored, count = stored.sum(-1), count * along.shape[-2]
    result = sums / (count if include_zeros else stored.to(sums.dtype))
    return kept(result, axes) if keepdim else result


def _extremum(path, input, dim, keepdim, include_zeros):
    input = as_tensor(input)
    check_matrix(input)
    axes = axes_of(input, dim)
    check_real(input, f"sparse_{path}")
    if len(axes) == 2:
        raise NotImplementedError(
            f"sparse_{path} reduces one dimension: reduce the result of the other by torch.{path}, "
            "or the values of the matrix"
        )
    pattern, values = parts(input)
    if pattern.may_repeat:
        pattern, values = coalesced(pattern, values)
    along = along_rows(pattern, axes)
    if include_zeros:
        stored, count = _row_counts(along)
        result = _run(f"{path}_zeros", along, values, (count - stored).to(values.dtype))
    else:
        result = _run(path, along, values)
    return kept(result, axes) if keepdim else result


@outside_graphs
def sparse_amax(
    input: SparseMatrix, dim: Dims, keepdim: bool = False, include_zeros: bool = True
) -> torch.Tensor:
    """The largest entries of the columns (dim -2) or the rows (dim -1) of input.

    include_zeros: entries that are not stored take part as zeros, as in torch.amax of the dense
    matrix. Otherwise they take no part, and a row without entries gives -inf. A NaN gives NaN. Of k
    entries that are equally large each gets 1 / k of the cotangent, absent zeros counted where they
    take part; differentiable to any order, and the second derivative is zero.
    input: as in sparse_sum, real; duplicates are summed first.

    Raises as sparse_sum does, TypeError for a complex input, NotImplementedError for two dims.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_amax(A, 1)
    tensor([2., 3.])
    """
    return _extremum("amax", input, dim, keepdim, include_zeros)


@outside_graphs
def sparse_amin(
    input: SparseMatrix, dim: Dims, keepdim: bool = False, include_zeros: bool = True
) -> torch.Tensor:
    """The smallest entries; all else is as in sparse_amax, and a row without entries gives inf.

    >>> A = torch.tensor([[2.0, 0.0], [1.0, 3.0]]).to_sparse_csr()
    >>> tsgu.sparse_amin(A, 1)
    tensor([0., 1.])
    """
    return _extremum("amin", input, dim, keepdim, include_zeros)
