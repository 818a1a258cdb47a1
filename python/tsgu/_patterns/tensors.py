"""Any sparse matrix taken apart into a pattern and values, and put together again.

Differentiable to any order. torch's own `values()` is not twice differentiable, and the backward
of its CSR constructor makes a dense matrix; these are neither.
"""

import weakref

import torch
from torch.autograd import Function

from .._runtime.writes import removing
from .._typing import TensorOrMatrix
from .gradients import before_gradient
from .layouts import same_indices
from .pattern import COO, CSR, Pattern

_is_compiling = torch.compiler.is_compiling

# id of a sparse tensor that a graph uses -> (weak reference whose end is the entry's, the node
# that made its values, weakly, a function that gives them or None).
shared_values = {}


def take_apart(A):
    """The pattern and the values, (entries,), of a sparse tensor, without autograd."""
    pattern = Pattern.of(A)
    return pattern, _flat_values(A, pattern)


def plain_values(A):
    """The values of a sparse tensor as it keeps them, without autograd."""
    # Detached, for torch.compile takes no views of sparse tensors.
    return A._values() if A.layout is torch.sparse_coo else A.values().detach()


def _flat_values(A, pattern):
    values = plain_values(A)
    if values.dim() == 1:
        return values
    if pattern.blocks is None and (pattern.form == COO or pattern.items == -1 or values.dim() > 2):
        raise ValueError("hybrid sparse tensors, whose entries are dense blocks, have no pattern")
    return values.reshape(-1)


def put_together(pattern, values):
    """The sparse tensor of these values, without autograd."""
    if pattern.form == CSR and pattern.items == -1:
        shape = pattern.rows, pattern.columns
        return torch.sparse_csr_tensor(
            pattern.positions, pattern.coordinates, values, shape, check_invariants=False
        )
    layout = pattern.layout
    if layout is torch.sparse_coo:
        return torch.sparse_coo_tensor(
            pattern.positions,
            values,
            pattern.shape,
            is_coalesced=pattern.coalesced,
            check_invariants=False,
        )
    positions, coordinates, shape = compressed(pattern)
    if values.shape != shape:
        values = values.view(shape)
    if layout is torch.sparse_csr:
        return torch.sparse_csr_tensor(
            positions, coordinates, values, pattern.shape, check_invariants=False
        )
    return torch.sparse_compressed_tensor(
        positions, coordinates, values, pattern.shape, layout=layout, check_invariants=False
    )


def compressed(pattern):
    """Index tensors and shape of the values of a tensor on the pattern, which is not COO."""
    if pattern.blocks is not None:
        return pattern.blocks[1:]
    return pattern.positions, pattern.coordinates, pattern.coordinates.shape


class _ValuesOf(Function):
    @staticmethod
    def forward(ctx, A, pattern):
        ctx.pattern = pattern
        ctx.of = None if A.is_leaf else weakref.ref(A)
        return _flat_values(A, pattern).detach()

    @staticmethod
    def backward(ctx, cotangent):
        before_gradient(ctx.next_functions[0][0], ctx.of, add_gradients, copy_gradient)
        return from_values(ctx.pattern, cotangent), None


class _FromValues(Function):
    @staticmethod
    def forward(ctx, pattern, values, is_read):
        ctx.pattern, ctx.is_read = pattern, is_read
        A = put_together(pattern, values)
        if is_read:
            ctx.save_for_backward(A)
        return A

    @staticmethod
    def backward(ctx, cotangent):
        if ctx.is_read:
            _ = ctx.saved_tensors  # raises where A was written to
        return None, values_on(ctx.pattern, cotangent), None


# The base class's apply, which knows no transforms and costs less.
_values_of = super(Function, _ValuesOf).apply
_from_values = super(Function, _FromValues).apply


# ===-- Apart ----------------------------------------------------------------===#


def parts(A: TensorOrMatrix) -> tuple[Pattern, torch.Tensor]:
    """The pattern and the values, (entries,), of a sparse tensor or Matrix; differentiable.

    All uses of a tensor share its values while one of them is left, so that their gradients add
    up as dense tensors, and A gets one gradient.
    """
    if not isinstance(A, torch.Tensor):  # a Matrix
        if A.values.dim() > 1:
            _refuse_batch_of_values(A)
        return A.pattern, A.values
    if _is_compiling():
        return take_apart(A)  # of constants: a graph has no other sparse tensors
    if torch._C._are_functorch_transforms_active():
        # No transform tracks a sparse tensor, and their wrappers of one fail.
        with torch._C._DisableFuncTorch():
            return _parts(A)
    return _parts(A)


def _refuse_batch_of_values(A):
    raise ValueError(
        f"this takes one value for each entry, and A is a batch of {len(A.values)} matrices on one "
        "pattern: apply torch.func.vmap to what is done with one, or do it one by one, with "
        "A.with_values(A.values[0])"
    )


def _parts(A):
    if A.requires_grad and torch.is_grad_enabled():
        pattern = Pattern.of(A)
        pattern.values = values = _shared(A, pattern)
    else:
        pattern, values = take_apart(A)
    pattern.source = weakref.ref(A)
    return pattern, values


def _shared(A, pattern):
    known = shared_values.get(id(A))
    if known is not None:
        node, values = known[1](), known[2]()
        if values is not None and node is not None and _is_of(values, node, A):
            return values
    values = _values_of(A, pattern.without_values())  # this one keeps them
    # The values' graph holds a leaf; of others, whoever writes to the values may let go of them.
    of_leaf = A.is_leaf
    get = weakref.ref(values) if of_leaf else lambda: values
    _share(A, values.grad_fn if of_leaf else A, values.grad_fn, get)
    return values


def is_used(A, node):
    """Has later uses of A share its values while this node is left."""
    _share(A, node, node, lambda: None)


def _share(A, alive, node, get):
    key = id(A)
    # Not an attribute of A, which could not be pickled then.
    last = weakref.ref(alive, removing(shared_values, key))
    shared_values[key] = last, weakref.ref(node), get


def _is_of(values, node, A):
    """Whether `values`, which `node` made, are still A's: another A may have the same id."""
    source, number = node.next_functions[0]
    if A.grad_fn is None:
        same = getattr(source, "variable", None) is A
    else:
        same = source is A.grad_fn and number == A.output_nr
    now = A._values() if A.layout is torch.sparse_coo else A.values()
    return same and now.data_ptr() == values.data_ptr() and now.numel() == values.numel()


# ===-- Together -------------------------------------------------------------===#


def from_values(pattern, values, is_read=False):
    """The sparse tensor of these values; differentiable in the values.

    is_read: their own derivative reads them, and must not find them written to.
    """
    if not (values.requires_grad and torch.is_grad_enabled()):
        return put_together(pattern, values)
    return _from_values(pattern, values, is_read)


# ===-- Gradients ------------------------------------------------------------===#


def values_on(pattern, cotangent):
    """The values of a sparse cotangent, which must lie on `pattern`."""
    if cotangent.layout is not pattern.layout:
        raise RuntimeError(
            f"the gradient of a {pattern.layout} tensor made by tsgu arrived as "
            f"{cotangent.layout}: an operation of torch made it dense. Use tsgu's operations, or "
            "apply torch's to tsgu.values(A)"
        )
    other, values = parts(cotangent)
    if other.positions.data_ptr() == pattern.positions.data_ptr() and (
        other.coordinates.data_ptr() == pattern.coordinates.data_ptr()
        and values.shape == (pattern.entries,)
    ):
        return values
    if pattern.layout is not torch.sparse_coo:
        if all(map(same_indices, compressed(pattern)[:2], compressed(other)[:2])):
            return values
    elif pattern.entries == 0 or other.entries % pattern.entries == 0:
        # torch adds COO gradients by concatenation.
        copies = other.entries // max(pattern.entries, 1)
        pieces = other.positions.split(pattern.entries, 1) if copies > 1 else [other.positions]
        if all(same_indices(pattern.positions, piece) for piece in pieces):
            return values if copies <= 1 else values.view(copies, -1).sum(0)
    raise RuntimeError(
        f"the gradient of a sparse tensor made by tsgu arrived on another pattern "
        f"({other} instead of {pattern}): apply torch's operations to tsgu.values(A)"
    )


def add_gradients(A, old, new):
    """The sum of two gradients of A."""
    pattern = Pattern.of(A)
    return from_values(pattern, values_on(pattern, old) + values_on(pattern, new))


def copy_gradient(gradient):
    pattern, values = parts(gradient)
    return from_values(pattern, values.clone())
