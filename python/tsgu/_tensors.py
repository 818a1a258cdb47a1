"""Sparse tensors taken apart and put together, differentiable to any order.

torch's own `values()` is not twice differentiable, and the backward of its CSR constructor
makes a dense matrix; these are neither.
"""

import weakref

import torch
from torch.autograd import Function

from ._matrix import Matrix, is_tensor_or_matrix, needs_matrix, on_indices, outside_graphs
from ._pattern import COO, CSR, Pattern

_is_compiling = torch.compiler.is_compiling

_LAYOUT = {CSR: torch.sparse_csr, COO: torch.sparse_coo}


def take_apart(A):
    """The pattern and the values, (entries,), of a CSR or COO tensor, without autograd."""
    pattern = Pattern.of(A)
    values = A._values() if pattern.form else A.values()
    if values.dim() > 1 + (pattern.form == CSR and pattern.items != -1):
        raise ValueError("hybrid sparse tensors, whose entries are dense blocks, have no pattern")
    if pattern.form == CSR:
        values = values.detach()  # torch.compile takes no views of sparse tensors
    return pattern, values if values.dim() == 1 else values.reshape(-1)


def put_together(pattern, values):
    """The sparse tensor of these values, without autograd."""
    if pattern.form == COO:
        return torch.sparse_coo_tensor(
            pattern.positions,
            values,
            pattern.shape,
            is_coalesced=pattern.coalesced,
            check_invariants=False,
        )
    return torch.sparse_csr_tensor(
        pattern.positions,
        pattern.coordinates,
        values.view(pattern.coordinates.shape),
        pattern.shape,
        check_invariants=False,
    )


class _ValuesOf(Function):
    @staticmethod
    def forward(ctx, A):
        ctx.pattern, values = take_apart(A)
        return values.detach()

    @staticmethod
    def backward(ctx, cotangent):
        return from_values(ctx.pattern, cotangent)


class _FromValues(Function):
    @staticmethod
    def forward(ctx, pattern, values):
        ctx.pattern = pattern
        return put_together(pattern, values)

    @staticmethod
    def backward(ctx, cotangent):
        return None, _values_on(ctx.pattern, cotangent)


# The base class's apply, which knows no transforms and costs less.
_values_of = super(Function, _ValuesOf).apply
_from_values = super(Function, _FromValues).apply


def parts(A):
    """The pattern and the values, (entries,), of a CSR or COO tensor; differentiable."""
    if type(A) is Matrix:
        return A.pattern, A.values
    if _is_compiling():
        return take_apart(A)  # of constants: a graph has no other sparse tensors
    if torch._C._are_functorch_transforms_active():
        # No transform tracks a sparse tensor, and their wrappers of one fail.
        with torch._C._DisableFuncTorch():
            return _parts(A)
    return _parts(A)


def matrix_of(pattern, values):
    """The sparse tensor of these values, or a Matrix where that cannot be."""
    return Matrix(pattern, values) if needs_matrix(values) else from_values(pattern, values)


def _parts(A):
    if not (A.requires_grad and torch.is_grad_enabled()):
        return take_apart(A)
    made = getattr(A, "_tsgu_made", None)
    if made is not None and made[0] == A._version:
        return made[1:]
    if A.layout is torch.sparse_csr and A.dim() == 3:
        return _shared_parts(A)
    return Pattern.of(A), _values_of(A)


def _shared_parts(A):
    """torch adds batched CSR gradients wrongly, so that all uses of A must share its values."""
    pattern = Pattern.of(A)
    known = getattr(A, "_tsgu_values", None)
    values = None if known is None else known()
    if values is None:
        values = _values_of(A)
        # Weak: the values' graph leads to A.
        A._tsgu_values = weakref.ref(values)
    pattern.values = values
    return pattern, values


def from_values(pattern, values):
    """The sparse tensor of these values; differentiable in the values."""
    if not (values.requires_grad and torch.is_grad_enabled()):
        return put_together(pattern, values)
    A = _from_values(pattern, values)
    # Taking it apart again gives these very values, whose gradients add up as dense tensors.
    A._tsgu_made = (A._version, pattern, values)
    return A


def _same(a, b):
    return a.data_ptr() == b.data_ptr() and a.shape == b.shape or torch.equal(a, b)


def _values_on(pattern, cotangent):
    """The values of a sparse cotangent, which must lie on `pattern`."""
    if cotangent.layout is not _LAYOUT[pattern.form]:
        raise RuntimeError(
            f"the gradient of a {_LAYOUT[pattern.form]} tensor made by tsgu arrived as "
            f"{cotangent.layout}: an operation of torch made it dense. Use tsgu's operations, or "
            "apply torch's to tsgu.values(A)"
        )
    other, values = parts(cotangent)
    if pattern.form == CSR:
        if _same(pattern.positions, other.positions) and _same(
            pattern.coordinates, other.coordinates
        ):
            return values
    elif pattern.entries == 0 or other.entries % pattern.entries == 0:
        # torch adds COO gradients by concatenation.
        copies = other.entries // max(pattern.entries, 1)
        pieces = other.positions.split(pattern.entries, 1) if copies > 1 else [other.positions]
        if all(_same(pattern.positions, piece) for piece in pieces):
            return values if copies <= 1 else values.view(copies, -1).sum(0)
    raise RuntimeError(
        f"the gradient of a sparse tensor made by tsgu arrived on another pattern "
        f"({other} instead of {pattern}): apply torch's operations to tsgu.values(A)"
    )


# ===-- Public --------------------------------------------------------------===#


@outside_graphs
def values(A):
    """The values of a sparse tensor, differentiable to any order.

    A: CSR (n, m), values (entries,); or (b, n, m), values (b, entries of an item); COO of either
    shape, values (entries,), one for each stored entry, duplicates included. The gradient of A
    is sparse, in A's layout and on A's pattern.

    Raises TypeError for another layout, ValueError for a hybrid tensor.
    """
    if not is_tensor_or_matrix(A):
        raise TypeError("A must be a torch.Tensor")
    flat = parts(A)[1]
    if A.layout is torch.sparse_csr and A.dim() == 3:
        return flat.view(A.shape[0], -1) if A.shape[0] else flat.view(0, 0)
    return flat


def csr(positions, coordinates, values, shape):
    """A CSR tensor, differentiable in the values to any order.

    positions (n + 1,), coordinates and values (entries,) for shape (n, m); all with a leading
    dimension of items for shape (b, n, m). The index tensors, int32 or int64, are shared.

    Raises PatternError where they describe no matrix of this shape, naming the row and column.
    """

    def make(positions, coordinates):
        pattern = Pattern.csr(positions, coordinates, shape[-1])
        if pattern.shape != tuple(shape):
            pattern.reject(shape)
        if not _is_compiling():  # in a graph, operators do when they run
            pattern.validate()
        return pattern

    if values.shape != coordinates.shape:
        raise ValueError(
            f"values of shape {tuple(values.shape)} do not match coordinates of shape "
            f"{tuple(coordinates.shape)}"
        )
    return matrix_of(on_indices(make, positions, coordinates), values.reshape(-1))


def coo(indices, values, shape):
    """A COO tensor, differentiable in the values to any order.

    indices (2, entries) for shape (n, m), (3, entries) for (b, n, m), where items may have
    different numbers of entries; values (entries,). In any order; entries that name one element
    are summed, and each has its own gradient. torch keeps COO indices as int64.

    Raises PatternError where an index lies outside the shape.
    """
    if len(shape) not in (2, 3):
        raise ValueError(f"a COO tensor has shape (n, m) or (b, n, m), not {tuple(shape)}")

    def make(indices):
        pattern = Pattern.coo(indices, tuple(shape))
        # In a graph, operators validate when they run.
        coalesced = not _is_compiling() and pattern.validate() == 0
        return Pattern.coo(indices.long(), tuple(shape), coalesced)

    if values.shape != indices.shape[1:]:
        raise ValueError(
            f"values of shape {tuple(values.shape)} do not match {indices.shape[1]} entries"
        )
    return matrix_of(on_indices(make, indices), values)
