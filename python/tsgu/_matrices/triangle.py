"""Which entries of a sparse matrix are those of a lower triangle, found once for a pattern."""

import math
from typing import NamedTuple

import torch

from .._patterns.coalesced import summed
from .._patterns.modes import on_indices
from .._patterns.pattern import COO, CSR, Pattern, found
from .._patterns.tensors import parts, plain_values
from .matrix import Matrix, unchecked

_is_compiling = torch.compiler.is_compiling


class Triangle(NamedTuple):
    """Where a lower triangle stands among the elements of a pattern; entries name elements."""

    pattern: Pattern | None  # of the entries of the triangle, None: the matrix's own
    elements: int
    element: torch.Tensor | None  # entry -> element, where several entries name one
    kept: torch.Tensor | None  # the elements in the triangle, None: all
    on_diagonal: torch.Tensor  # the elements on the diagonal
    rows: torch.Tensor | None  # their rows, those of all items counted through, None: 0, 1, ...
    above: torch.Tensor  # the coordinates of elements above the diagonal

    @staticmethod
    def of(A, strict):
        """That of a matrix or batch, with its diagonal or (strict) below it."""
        return (_of_graph if _is_compiling() else _of)(A, strict)

    def matrix(self, A):
        """The triangle and the values of all elements of the matrix; differentiable."""
        pattern, values = parts(A)
        if self.element is not None:
            values = summed(values, self.element, self.elements)
        of_triangle = values if self.kept is None else values.index_select(0, self.kept)
        return unchecked(self.pattern or pattern, of_triangle), values

    def values(self, A):
        """The values of all elements of the matrix, without autograd."""
        values = parts(A)[1].detach() if type(A) is Matrix else plain_values(A).reshape(-1)
        return values if self.element is None else summed(values, self.element, self.elements)

    def coordinates(self, A):
        """(item if batched, row, column) of each element of the matrix."""
        pattern, _ = parts(A)
        return on_indices(
            lambda: (pattern if self.element is None else _unique(pattern)).entry_indices()
        )

    def diagonal(self, values, shape):
        """The diagonal, (n,) or (b, n), of these values of the elements; 0 where none is stored."""
        diagonal = values.index_select(0, self.on_diagonal)
        if self.rows is not None:
            zeros = values.new_zeros(math.prod(shape[:-1]))
            diagonal = zeros.index_put((self.rows,), diagonal)
        return diagonal.view(shape[:-1])


def _of(A, strict):
    def find():
        pattern = A.pattern if type(A) is Matrix else Pattern.of(A)
        return found(pattern, ("triangle", strict), lambda: _find(pattern, strict))

    return on_indices(find)


_of_graph = torch.compiler.disable(
    _of, reason="where a triangle's entries are depends on index tensors"
)


def _unique(pattern):
    return pattern.canonical()[0]


def _find(pattern, strict):
    own, element = pattern, None
    order = pattern.validate()
    if order == 2:
        pattern, element = pattern.canonical()
    indices = pattern.entry_indices()
    *item, row, column = indices
    below = row - column
    least = below.min().item() if below.numel() else pattern.shape[-1]
    on_diagonal = (below == 0).nonzero().squeeze(1)
    rows = None
    # Sorted, they are in order.
    if order == 1 or on_diagonal.numel() < math.prod(pattern.shape[:-1]):
        rows = row[on_diagonal]
        if item:
            rows = rows + item[0][on_diagonal] * pattern.shape[-1]
    above = indices[:, below < 0] if least < 0 else indices[:, :0]
    if least >= strict:
        kept, pattern = None, None if pattern is own else pattern
    else:
        kept = below >= strict
        is_sorted = order == 2 or (order == 0 and pattern.form in (CSR, COO))
        pattern = Pattern.coo(indices[:, kept], pattern.shape, coalesced=is_sorted)
        kept = kept.nonzero().squeeze(1)
    return Triangle(pattern, below.numel(), element, kept, on_diagonal, rows, above)
