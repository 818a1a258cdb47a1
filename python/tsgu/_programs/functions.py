"""The autograd Functions of the family, two for each program: of eager calls and of transforms.

Forward runs the program, backward the cotangent programs of its plan; where backward is to be
differentiated itself, they run through the same family.
"""

import functools
import weakref

import torch
from torch.autograd import Function, forward_ad

from .._patterns.gradients import before_gradient
from .._patterns.modes import transforming, without_levels
from .._patterns.pattern import require_as_of
from .._patterns.tensors import add_gradients, copy_gradient, from_values, is_used, parts
from .._runtime.lazy import plain
from .._runtime.library import keep_next
from .._runtime.writes import counting, sources

_Reference = weakref.ref
_STRIDED = torch.strided
_dispatch_modes = torch._C._len_torch_dispatch_stack
_is_grad_enabled = torch.is_grad_enabled
_transforms_active = torch._C._are_functorch_transforms_active


def stand_in(shape, like):
    """A tensor for an operand that is not read: it has a shape and next to no memory."""
    return like.new_empty(()).expand(shape)


@functools.lru_cache(maxsize=256)
@plain
def _kept_stand_in(shape, device):
    """The same for the plugin alone, which does not look at the dtype."""
    return torch.empty((), device=device).expand(shape)


# ===-- What a node keeps ----------------------------------------------------===#


def _keep(ctx, op, patterns, operands, given, result, whole=None):
    """Keeps in ctx what backward needs; returns the tensors to save.

    `given`: the operands as the node got them. `whole`: (operand, its values, itself if it is a
    leaf, otherwise a weak reference to it) of one that is a sparse tensor.
    """
    needs = ctx.needs_input_grad
    plan = op.plans.get(needs)
    if plan is None:
        plan = op.plan(needs[1 : 1 + len(operands)], needs)
    versions = [patterns[0].version()] if len(patterns) == 1 else [p.version() for p in patterns]
    shapes = [operands[k].shape for k in plan.unsaved] if plan.unsaved else ()
    # Solvers with their callables, whatever is saved.
    solvers = [operands[k] for k in op.solvers] if op.solvers else ()
    ctx.kept = plan, patterns, versions, shapes, whole, solvers
    saved = [given[k] for k in plan.saved] if plan.unsaved else given
    if plan.takes_result:
        saved = (*saved, result)
    if counting and plan.steps:
        # What shares memory with the saved, so that writes to it are noticed.
        read = [operands[k] for k in plan.saved]
        saved = (*saved, *sources([*read, result] if plan.takes_result else read))
    return saved


def _restored(plan, saved, stand_ins):
    """The operands: those that were saved, and stand-ins for the others."""
    operands = [None] * (len(plan.saved) + len(plan.unsaved))
    for k, operand in zip(plan.saved, saved, strict=False):  # more may follow
        operands[k] = operand
    for k, operand in zip(plan.unsaved, stand_ins, strict=True):
        operands[k] = operand
    return operands


def _backward(ctx, cotangent):
    """The gradients in any case: through the family where they may be differentiated again."""
    plan, patterns, versions, shapes, whole, _ = ctx.kept
    if cotangent is None or not plan.steps:
        return plan.nothing
    saved = ctx.saved_tensors
    for pattern, version in zip(patterns, versions, strict=True):
        if pattern.version() != version:
            require_as_of(pattern, version)
    operands = _restored(plan, saved, [stand_in(shape, cotangent) for shape in shapes])
    # Derivatives go through the result, not into it.
    result = saved[len(plan.saved)].detach() if plan.takes_result else None
    again = _is_grad_enabled() or transforming() or _dispatch_modes()
    if whole is not None:
        k, values, _ = whole
        if operands[k].layout is not _STRIDED:  # otherwise it is not read
            operands[k] = parts(operands[k])[1] if again else values

    def run(derived, *operands):
        return (derived.call if again else derived.program.run)(patterns, *operands)

    return (None, *plan.gradients(run, operands, result, cotangent))


# ===-- Eager ----------------------------------------------------------------===#
#
# What most steps of most programs do is written out: its cost is that of its calls.


def _named(function, op):
    """The apply of a Function that knows no transforms, which costs less than that which does."""
    function.__name__ = function.__qualname__ = f"tsgu::{op.path}"
    function._backward_cls.apply = function.backward  # which torch looks for at length
    return super(Function, function).apply


def eager_function(op):
    """For calls under no transform: context in forward, which has no signature to bind."""
    program, solves = op.program, op.program.solves

    class Eager(Function):
        @staticmethod
        def forward(ctx, patterns, *operands):
            if solves:
                ctx.prepared = keep_next()
            result = program.run(patterns, *operands)
            ctx.save_for_backward(*_keep(ctx, op, patterns, operands, operands, result))
            return result

        @staticmethod
        def backward(ctx, cotangent):
            plan, patterns, versions, shapes, _, _ = ctx.kept
            if (
                plan.fast is None
                or cotangent is None
                or cotangent.dim() != plan.rank
                or _is_grad_enabled()
                or _transforms_active()
                or forward_ad._current_level >= 0
                or _dispatch_modes()
            ):
                return _backward(ctx, cotangent)
            saved, pattern = ctx.saved_tensors, patterns[0]
            version = pattern.version()
            if version != versions[0]:
                require_as_of(pattern, versions[0])
            if plan.unsaved:
                others = [_kept_stand_in(shape, cotangent.device) for shape in shapes]
                saved = _restored(plan, saved, others)
            return tuple(plan.fast(pattern, version, saved, cotangent))

    return _named(Eager, op)


def whole_function(op, k):
    """The same, where operand k is a CSR matrix of torch: the node takes it apart itself.

    Its gradient is a CSR matrix, too.
    """
    program, solves = op.program, op.program.solves

    class Whole(Function):
        @staticmethod
        def forward(ctx, pattern, *given):
            A, operands, patterns = given[k], [*given], (pattern,)
            operands[k] = values = A.values()
            if values.dim() != 1:
                parts(A)  # raises
            if solves:
                pattern.source, ctx.prepared = _Reference(A), keep_next()
            result = program.run(patterns, *operands)
            if A.is_leaf:
                whole = k, values, A
            else:
                whole = k, values, _Reference(A)
                is_used(A, ctx)
            ctx.save_for_backward(*_keep(ctx, op, patterns, operands, given, result, whole))
            return result

        @staticmethod
        def backward(ctx, cotangent):
            plan, (pattern,), versions, shapes, (_, values, A), _ = ctx.kept
            if (
                plan.fast is None
                or cotangent is None
                or cotangent.dim() != plan.rank
                or _is_grad_enabled()
                or _transforms_active()
                or forward_ad._current_level >= 0
                or _dispatch_modes()
            ):
                gradients = [*_backward(ctx, cotangent)]
            else:
                saved = ctx.saved_tensors
                version = pattern.version()
                if version != versions[0]:
                    require_as_of(pattern, versions[0])
                if plan.unsaved:
                    others = [_kept_stand_in(shape, cotangent.device) for shape in shapes]
                    saved = _restored(plan, saved, others)
                else:
                    saved = [*saved]
                saved[k] = values
                gradients = plan.fast(pattern, version, saved, cotangent)
            of_values = gradients[k + 1]
            if of_values is None:
                return tuple(gradients)
            of = A if type(A) is _Reference else None
            if of is not None or A.grad is not None:  # torch keeps a leaf's first itself
                before_gradient(ctx.next_functions[k][0], of, add_gradients, copy_gradient)
            gradients[k + 1] = from_values(pattern, of_values)
            return tuple(gradients)

    return _named(Whole, op)


def attach_function(op):
    """A node whose result was computed in another way."""

    class Attach(Function):
        @staticmethod
        def forward(ctx, patterns, *operands):
            *operands, result, ctx.prepared = operands
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(*_keep(ctx, op, patterns, operands, operands, result))
            return result.clone()

        @staticmethod
        def backward(ctx, cotangent):
            return *_backward(ctx, cotangent), None, None

    return _named(Attach, op)


# ===-- Transforms ----------------------------------------------------------===#


def _without_levels(pattern):
    positions, coordinates = map(without_levels, (pattern.positions, pattern.coordinates))
    if positions is pattern.positions and coordinates is pattern.coordinates:
        return pattern
    return pattern.with_indices(positions, coordinates, pattern.form)


def transform_function(op):
    """For torch.func transforms and forward mode."""
    program = op.program

    class Transform(Function):
        @staticmethod
        def forward(patterns, *operands):
            return program.run(patterns, *operands)

        @staticmethod
        def setup_context(ctx, inputs, output):
            patterns, *operands = inputs
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(*_keep(ctx, op, patterns, operands, operands, output))
            ctx.save_for_forward(*operands, output)

        @staticmethod
        def backward(ctx, cotangent):
            return _backward(ctx, cotangent)

        @staticmethod
        def jvp(ctx, _, *tangents):
            *operands, result = ctx.saved_tensors

            def run(derived, *operands):
                return derived.call(ctx.kept[1], *operands)

            return op.tangent_of(run, operands, result, tangents)

        @staticmethod
        def vmap(info, in_dims, patterns, *operands):
            def run(*operands):
                return op.call(patterns, *operands)

            return batched(op.signature, run, info.batch_size, in_dims[1:], operands), 0

    Transform.__name__ = Transform.__qualname__ = f"tsgu::{op.path}"

    def apply(patterns, *operands):
        return Transform.apply(tuple(map(_without_levels, patterns)), *operands)

    return apply


def batched(signature, run, size, in_dims, operands):
    """A run of a program on operands of which some carry one more dimension, of this size."""
    moved = [
        operand if dim is None else operand.movedim(dim, 0)
        for operand, dim in zip(operands, in_dims, strict=True)
    ]
    ranks = [operand.rank for operand in signature.operands]
    inner = [
        operand.shape[int(dim is not None)]
        for operand, dim, rank in zip(moved, in_dims, ranks, strict=True)
        if operand.dim() - (dim is not None) > rank
    ]
    if not inner:
        return run(*moved)

    # The operands carry a batch of values already: both become one.
    inner = inner[0]
    folded = []
    for operand, dim, rank in zip(moved, in_dims, ranks, strict=True):
        has_inner = operand.dim() - (dim is not None) > rank
        if dim is None and not has_inner:
            folded.append(operand)
            continue
        shape = operand.shape[operand.dim() - rank :]
        if dim is None:
            operand = operand.unsqueeze(0)
        if not has_inner:
            operand = operand.unsqueeze(1)
        folded.append(operand.expand(size, inner, *shape).reshape(size * inner, *shape))
    return run(*folded).unflatten(0, (size, inner))
