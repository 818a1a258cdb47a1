"""Log-sum-exps over rows, columns or all of a sparse matrix."""

from typing import Literal, overload

import torch

from ._compat import check_nested_tensors
from ._matrices.reductions import along_rows, axes_of, check_matrix, check_real, kept
from ._patterns.layouts import as_tensor
from ._patterns.modes import on_indices, outside_graphs
from ._patterns.tensors import parts
from ._programs.autograd import operator_on
from ._typing import Dims, SparseMatrix

__all__ = ["sparse_bidir_logsumexp", "sparse_logsumexp"]

_LAYOUTS = ("tuple", "padded", "nested")


def _reduce(pattern, values, axes, include_zeros):
    """The log-sum-exps over these axes, which the result does not have."""
    over_all = len(axes) == 2
    along = along_rows(pattern, axes)
    *rest, reduced = along.shape
    if over_all:
        reduced *= rest.pop()
    if include_zeros:
        stored = on_indices(along.row_counts)
        absent = reduced - (stored.sum(-1) if over_all else stored)
        zeros = absent.to(values.dtype).log()
    else:
        zeros = torch.full(rest, -torch.inf, dtype=values.dtype, device=values.device)
    path = "logsumexp_all" if over_all else "logsumexp"
    return operator_on(path, along).call((along,), values, zeros)


@outside_graphs
def sparse_logsumexp(
    input: SparseMatrix, dim: Dims, keepdim: bool = False, include_zeros: bool = True
) -> torch.Tensor:
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

    >>> A = torch.tensor([[7.0, 0.0], [1.0, 1.0]]).to_sparse_csr()
    >>> tsgu.sparse_logsumexp(A, 1)
    tensor([7.0009, 1.6931])
    """
    input = as_tensor(input)
    check_matrix(input)
    axes = axes_of(input, dim)
    check_real(input, "log-sum-exp")
    result = _reduce(*parts(input), axes, include_zeros)
    return kept(result, axes) if keepdim else result


def _bidir_2d(input, include_zeros=True):
    """(over the rows, over the columns) of a sparse matrix or batch."""
    pattern, values = parts(input)
    return tuple(_reduce(pattern, values, [axis], include_zeros) for axis in (-2, -1))


@overload
def sparse_bidir_logsumexp(
    input: SparseMatrix,
    keepdim: bool = False,
    include_zeros: bool = True,
    output_layout: Literal["tuple"] = "tuple",
) -> tuple[torch.Tensor, torch.Tensor]: ...


@overload
def sparse_bidir_logsumexp(
    input: SparseMatrix,
    keepdim: Literal[False] = False,
    include_zeros: bool = True,
    *,
    output_layout: Literal["padded", "nested"],
) -> torch.Tensor: ...


@outside_graphs
def sparse_bidir_logsumexp(
    input: SparseMatrix,
    keepdim: bool = False,
    include_zeros: bool = True,
    output_layout: Literal["tuple", "padded", "nested"] = "tuple",
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """sparse_logsumexp over the rows and over the columns of input, (n, m) or (b, n, m).

    output_layout "tuple": the pair of results, over the rows first: (m,) and (n,), or (b, m) and
    (b, n); with keepdim as sparse_logsumexp leaves them. "padded": one tensor (2, G) or (2, b, G),
    G = max(n, m), whose remainder is -inf. "nested": torch's nested tensor of the two.
    All else, errors included, is as in sparse_logsumexp; ValueError for another output_layout and
    for keepdim with any but "tuple".

    >>> A = torch.tensor([[7.0, 0.0], [0.0, 1.0]]).to_sparse_csr()
    >>> tsgu.sparse_bidir_logsumexp(A)
    (tensor([7.0009, 1.3133]), tensor([7.0009, 1.3133]))
    """
    if output_layout not in _LAYOUTS:
        raise ValueError(f"unknown output_layout {output_layout!r}: choose one of {_LAYOUTS}")
    if keepdim and output_layout != "tuple":
        raise ValueError('keepdim is only supported for output_layout="tuple"')
    input = as_tensor(input)
    check_matrix(input)
    check_real(input, "log-sum-exp")
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
