"""Log-sum-exps over rows, columns or all of a sparse matrix."""

import operator as operators

import torch

from ._autograd import operator
from ._compat import check_nested_tensors
from ._layouts import as_tensor, is_sparse
from ._matrix import is_hybrid, is_tensor_or_matrix
from ._modes import on_indices, outside_graphs
from ._tensors import parts

__all__ = ["sparse_bidir_logsumexp", "sparse_logsumexp"]

_LAYOUTS = ("tuple", "padded", "nested")


def _check_matrix(A):
    """Raises for what is no matrix or batch of matrices of real numbers."""
    if not is_tensor_or_matrix(A):
        raise TypeError("input should be an instance of torch.Tensor")
    if A.dim() not in (2, 3):
        raise NotImplementedError(
            f"input should be a sparse matrix or a batch of them, (n, m) or (b, n, m), not "
            f"{A.dim()}-dimensional"
        )
    if not is_sparse(A):
        raise NotImplementedError(
            f"input should be in a sparse format (COO, CSR, CSC, BSR or BSC), not {A.layout}"
        )
    if is_hybrid(A):
        raise ValueError(
            f"input should not be hybrid, and has dense_dim {A.dense_dim()}: entries are numbers"
        )


def _check_dtype(A):
    if A.is_complex():
        raise TypeError(f"input should be real, not {A.dtype}: log-sum-exp needs an order")


def _axes(A, dim):
    """The dimensions to reduce, sorted and counted from the end."""
    dims = list(dim) if isinstance(dim, (list, tuple)) else [dim]
    if not dims:
        raise RuntimeError("dim should name at least one dimension, and is an empty list")
    rank = A.dim()
    axes = []
    for each in map(operators.index, dims):
        if not -rank <= each < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but "
                f"got {each})"
            )
        axes.append(each % rank - rank)
    for axis in axes:
        if axes.count(axis) > 1:
            raise RuntimeError(f"dim {axis + rank} appears multiple times in the list of dims")
    if -3 in axes:
        raise NotImplementedError(
            "Cannot reduce the batch dimension (0) of a batched 3-D sparse tensor."
        )
    return sorted(axes)


def _reduce(pattern, values, axes, include_zeros):
    """The log-sum-exps over these axes, which the result does not have."""
    over_all = len(axes) == 2
    along = pattern.transposed() if axes == [-2] else pattern
    *kept, reduced = along.shape
    if over_all:
        reduced *= kept.pop()
    if include_zeros:
        stored = on_indices(along.row_counts)
        absent = reduced - (stored.sum(-1) if over_all else stored)
        zeros = absent.to(values.dtype).log()
    else:
        zeros = torch.full(kept, -torch.inf, dtype=values.dtype, device=values.device)
    path = "logsumexp_all" if over_all else "logsumexp"
    reduction = operator(path if pattern.items == -1 else f"{path}/batch")
    return reduction.call((along,), values, zeros)


@outside_graphs
def sparse_logsumexp(input, dim, keepdim=False, include_zeros=True):
    """log(sum(exp(input))) over the rows (dim -2), columns (dim -1) or both, ([-2, -1]), of input.

    include_zeros: entries that are not stored take part as zeros, as in torch.logsumexp of the
    dense matrix. Otherwise they count as -inf, and a row without entries gives -inf.
    input: COO (duplicates are summed first), CSR, CSC, BSR or BSC, (n, m) or a batch (b, n, m),
    whose dimension 0 stays, real, or a SciPy array. dim: a dimension or several.
    The result is dense; keepdim leaves the dimensions with size 1. Differentiable to any order;
    the gradient has input's layout and pattern. Result and derivatives are right to a few roundings
    however large the entries: they come from the largest entry and the sum of exp(entry - largest),
    none from the rounded result.

    Raises NotImplementedError for another number of dimensions, a dense input and dim 0 of a batch,
    ValueError for entries that are dense blocks, RuntimeError for no dim or one that is repeated,
    IndexError for a dim out of range, TypeError for another dtype, PatternError for a corrupt
    input.
    """
    input = as_tensor(input)
    _check_matrix(input)
    axes = _axes(input, dim)
    _check_dtype(input)
    result = _reduce(*parts(input), axes, include_zeros)
    if keepdim:
        for axis in axes if len(axes) == 1 else (-1, -1):
            result = result.unsqueeze(axis)
    return result


def _bidir_2d(input, include_zeros=True):
    """(over the rows, over the columns) of a sparse matrix or batch."""
    pattern, values = parts(input)
    return tuple(_reduce(pattern, values, [axis], include_zeros) for axis in (-2, -1))


@outside_graphs
def sparse_bidir_logsumexp(input, keepdim=False, include_zeros=True, output_layout="tuple"):
    """sparse_logsumexp over the rows and over the columns of input, (n, m) or (b, n, m).

    output_layout "tuple": the pair of results, over the rows first: (m,) and (n,), or (b, m) and
    (b, n); with keepdim as sparse_logsumexp leaves them. "padded": one tensor (2, G) or (2, b, G),
    G = max(n, m), whose remainder is -inf. "nested": torch's nested tensor of the two.
    All else, errors included, is as in sparse_logsumexp; ValueError for another output_layout and
    for keepdim with any but "tuple".
    """
    if output_layout not in _LAYOUTS:
        raise ValueError(f"unknown output_layout {output_layout!r}: choose one of {_LAYOUTS}")
    if keepdim and output_layout != "tuple":
        raise ValueError('keepdim is only supported for output_layout="tuple"')
    input = as_tensor(input)
    _check_matrix(input)
    _check_dtype(input)
    if output_layout == "nested":
        check_nested_tensors()
    over_rows, over_columns = pair = _bidir_2d(input, include_zeros)
    if output_layout == "tuple":
        return (over_rows.unsqueeze(-2), over_columns.unsqueeze(-1)) if keepdim else pair
    if output_layout == "nested":
        return torch.nested.as_nested_tensor(list(pair))
    length = max(input.shape[-2:])
    return torch.stack([_padded(result, length) for result in pair])


def _padded(result, length):
    missing = length - result.shape[-1]
    return torch.nn.functional.pad(result, (0, missing), value=-torch.inf) if missing else result
