"""The one family of autograd Functions that gives every program its gradients.

Forward runs a program; backward runs the cotangent programs derived from it, and forward mode
the tangent programs, through the same family: so derivatives of every order are programs too.
"""

import functools
from typing import NamedTuple

import torch
from torch.autograd import Function, forward_ad

from ._lazy import lazy
from ._library import CompileError
from ._modes import without_levels
from ._pattern import Pattern, require_as_of
from ._program import program
from ._writes import counting, sources

_transforms_active = torch._C._are_functorch_transforms_active
_dispatch_modes = torch._C._len_torch_dispatch_stack
_is_compiling = torch.compiler.is_compiling
_is_grad_enabled = torch.is_grad_enabled


def transforming():
    """Whether a torch.func transform or forward-mode AD is active."""
    return _transforms_active() or forward_ad._current_level >= 0


def stand_in(shape, like):
    """A tensor for an operand that is not read: it has a shape and next to no memory."""
    return like.new_empty(()).expand(shape)


def _primal(operand):
    """`operand` without its tangent of the innermost level (torch's levels are all number 0)."""
    if operand.dtype == torch.int64:
        return operand
    return forward_ad.unpack_dual(operand, level=0).primal


class _Step(NamedTuple):
    """The computation of one operand's cotangent."""

    operand: int
    derived: "Operator"
    takes_result: bool
    given: tuple = ()  # operands whose cotangents, computed before, it reads


class _Plan:
    """What backward does for one choice of operands that need a gradient."""

    def __init__(self, operator, needs):
        wanted = [k for k, needed in enumerate(needs) if needed and operator.depends_on(k)]
        self.steps = []
        for k in reversed(wanted):
            self.steps.append(operator.cotangent(k, [step.operand for step in self.steps]))
        self.takes_result = any(step.takes_result for step in self.steps)
        self.saved = [
            k
            for k in range(len(needs))
            if self.steps
            and (
                operator.signature.operands[k].solver
                or any(step.derived.depends_on(k) for step in self.steps)
            )
        ]

    def gradients(self, run, operands, result, cotangent):
        """The gradients by operand number, where `run(derived, *operands)` runs a program."""
        computed, gradients = {}, {}
        for k, derived, takes_result, given in self.steps:
            held = [computed[other].detach() for other in given]
            extra = (result,) if takes_result else ()
            gradient = computed[k] = run(derived, *operands, *extra, cotangent, *held)
            # One operand shared by a batch of values: its gradients add up.
            batched = gradient.dim() > operands[k].dim()
            gradients[k] = gradient.sum(0) if batched else gradient
        return gradients


class Operator:
    """A program as a differentiable function of values.

    `operator(pattern, *operands)` takes one `tsgu.Pattern` for each pattern of the program, then
    its operands: a sparse one as its values, (entries,), a dense one as it is, a solver as the
    handle that `tsgu.solver` makes; all values float32, float64, complex64 or complex128, or
    (without solvers) float16 or bfloat16, which are summed in float32 and rounded once; all on the
    CPU, or (real ones, without solvers) all on one CUDA device. Every operand but a solver may
    carry one more leading dimension, a batch of values on the same pattern; the result then carries
    it too. Gradients of complex operands are conjugated, as torch's are. Differentiable in every
    operand, to every order, in reverse and forward mode, and under torch.func transforms and
    torch.compile.

    Raises PatternError for corrupt index tensors, ValueError for shapes that do not fit,
    TypeError for other dtypes, devices and layouts.
    """

    def __init__(self, path):
        self.program = program(path)
        self.path = path
        self.signature = self.program.signature
        self.solvers = [k for k, info in enumerate(self.signature.operands) if info.solver]
        self._plans = {}
        self._derivatives = {}
        self.call = self._make_call()

    def __call__(self, *arguments):
        count = len(self.signature.patterns)
        if len(arguments) != count + len(self.signature.operands):
            names = [name for name, _ in self.signature.patterns]
            names = [f"pattern {name}" for name in names]
            names += [operand.name for operand in self.signature.operands]
            raise TypeError(f"{self.path} takes {', '.join(names)}; {len(arguments)} given")
        for pattern in arguments[:count]:
            if not isinstance(pattern, Pattern):
                raise TypeError(f"{self.path} takes a tsgu.Pattern first, not {type(pattern)}")
        for operand in arguments[count:]:
            if not isinstance(operand, torch.Tensor):
                raise TypeError(f"the operands of {self.path} are tensors, not {type(operand)}")
        return self.call(arguments[:count], *arguments[count:])

    def __reduce__(self):
        from . import _user_programs

        text = _user_programs.text_of(self.path)
        return (
            (operator, (self.path,))
            if text is None
            else (_user_programs.restored, (self.path, text))
        )

    def __repr__(self):
        operands = ", ".join(operand.name for operand in self.signature.operands)
        return f"<tsgu operator {self.path}({operands})>"

    def depends_on(self, k):
        """Whether the result depends on operand k, itself or through a result that is read."""
        operands = self.signature.operands
        if operands[k].result_of >= 0:
            return operands[k].read
        return operands[k].read or any(
            later.result_of >= 0 and later.read for later in operands[k + 1 :]
        )

    def is_independent(self, k):
        """Whether operand k has derivatives of its own: results and solvers have not."""
        operand = self.signature.operands[k]
        return operand.result_of < 0 and not operand.solver and self.depends_on(k)

    @lazy
    def refused(self):
        """{name: why} of the operands by which the program cannot be differentiated."""
        reasons = {}
        for k, info in enumerate(self.signature.operands):
            if not self.is_independent(k):
                continue
            try:
                operator(f"{self.path}/vjp{k}")
            except CompileError as error:
                reasons[info.name] = str(error).rpartition("cannot be derived: ")[2]
        return reasons

    def cotangent(self, k, computed=()):
        """How operand k's cotangent is computed after those of the operands `computed`."""
        if self.solvers and computed:
            # An adjoint solve is dear: what an earlier one gave is read.
            operands = self._cotangent_given(k, computed).signature.operands
            reads = [operand.read for operand in operands[-len(computed) :]]
            given = tuple(other for other, read in zip(computed, reads, strict=True) if read)
            if given:
                return _Step(k, self._cotangent_given(k, given), True, given)
        return _Step(k, *self._derived(f"vjp{k}"))

    def _cotangent_given(self, k, given):
        return operator(f"{self.path}/vjp{k}" + "".join(f"given{other}" for other in given))

    def tangent(self, k):
        """The operator of the result's tangent along operand k, and as above."""
        return self._derived(f"jvp{k}")

    def _derived(self, step):
        known = self._derivatives.get(step)
        if known is None:
            derived = operator(f"{self.path}/{step}")
            takes_result = len(derived.signature.operands) == len(self.signature.operands) + 2
            known = self._derivatives[step] = derived, takes_result
        return known

    def plan(self, needs):
        plan = self._plans.get(needs)
        if plan is None:
            needed = tuple(need and self.is_independent(k) for k, need in enumerate(needs))
            plan = self._plans.setdefault(needs, _Plan(self, needed))
        return plan

    def tangent_of(self, run, operands, result, tangents):
        """The result's tangent in a Function's jvp; tangents that are None are zero.

        torch runs it with forward mode off, also for the levels further out. They need it; this
        level does not, so its tangents are taken off first.
        """
        total = None
        with forward_ad._set_fwd_grad_enabled(True):
            operands = [_primal(operand) for operand in operands]
            for k, tangent in enumerate(tangents):
                if tangent is None or not self.is_independent(k):
                    continue
                derived, takes_result = self.tangent(k)
                extra = (result,) if takes_result else ()
                term = run(derived, *operands, *extra, tangent)
                total = term if total is None else total + term
            return torch.zeros_like(result) if total is None else total.expand(result.shape)

    def attach(self, patterns, result, *operands):
        """`result`, which was computed in another way, with the gradients it has as this one's."""
        if _is_grad_enabled() and any(operand.requires_grad for operand in operands):
            return _attach_function(self)(patterns, *operands, result)
        return result

    def _make_call(self):
        program = self.program
        eager = super(Function, _eager_function(self)).apply
        transform = _transform_function(self).apply

        def call(patterns, *operands):
            if _is_compiling() or _dispatch_modes():  # whose graphs want registered operators
                return _compiled(self.path, patterns, operands)
            if _transforms_active() or forward_ad._current_level >= 0:
                return transform(tuple(map(_without_levels, patterns)), *operands)
            if _is_grad_enabled():
                for operand in operands:
                    if operand.requires_grad:
                        return eager(patterns, *operands)
            return program.run(patterns, *operands)

        return call


_operators = {}


def operator(path):
    """The operator of a program of the library, one added, or one derived from them."""
    # A dictionary, which torch.compile looks into, where it would run a cached function anew.
    known = _operators.get(path)
    return _operators.setdefault(path, Operator(path)) if known is None else known


def _compiled(path, patterns, operands):
    from . import _component_ops

    return _component_ops.call(path, patterns, operands)


# ===-- Backward ------------------------------------------------------------===#


def _save(ctx, op, patterns, operands, result):
    """Keeps what backward needs; returns the tensors to save."""
    plan = op.plan(ctx.needs_input_grad[1 : 1 + len(operands)])
    ctx.patterns = patterns
    ctx.versions = [pattern.version() for pattern in patterns]
    ctx.plan = plan
    ctx.shapes = [operand.shape for operand in operands]
    ctx.solvers = [operands[k] for k in op.solvers]  # with their callables, whatever is saved
    ctx.set_materialize_grads(False)
    saved = [operands[k] for k in plan.saved]
    return [*saved, result] if plan.takes_result else saved


def _save_with_sources(ctx, op, patterns, operands, result):
    """As _save; with what shares memory with the saved, so that writes to it are noticed."""
    saved = _save(ctx, op, patterns, operands, result)
    if counting and ctx.plan.steps:
        saved += sources(saved)
    ctx.save_for_backward(*saved)


def _backward(ctx, cotangent):
    shapes, plan = ctx.shapes, ctx.plan
    gradients = [None] * (len(shapes) + 1)
    if cotangent is None or not plan.steps:
        return tuple(gradients)
    saved = ctx.saved_tensors
    for pattern, version in zip(ctx.patterns, ctx.versions, strict=True):
        if pattern.version() != version:
            require_as_of(pattern, version)
    operands = [None] * len(shapes)
    for k, operand in zip(plan.saved, saved, strict=False):  # more may follow
        operands[k] = operand
    for k, operand in enumerate(operands):
        if operand is None:
            operands[k] = stand_in(shapes[k], cotangent)
    # Derivatives go through the result, not into it.
    result = saved[len(plan.saved)].detach() if plan.takes_result else None

    def run(derived, *operands):
        return derived.call(ctx.patterns, *operands)

    for k, gradient in plan.gradients(run, operands, result, cotangent).items():
        gradients[k + 1] = gradient
    return tuple(gradients)


def _eager_function(op):
    """For calls under no transform: context in forward, which has no signature to bind."""
    program = op.program

    class Eager(Function):
        @staticmethod
        def forward(ctx, patterns, *operands):
            result = program.run(patterns, *operands)
            _save_with_sources(ctx, op, patterns, operands, result)
            return result

        backward = staticmethod(_backward)

    Eager.__name__ = Eager.__qualname__ = f"tsgu::{op.path}"
    return Eager


@functools.cache
def _attach_function(op):
    class Attach(Function):
        @staticmethod
        def forward(ctx, patterns, *operands):
            *operands, result = operands
            _save_with_sources(ctx, op, patterns, operands, result)
            return result.clone()

        @staticmethod
        def backward(ctx, cotangent):
            return *_backward(ctx, cotangent), None

    Attach.__name__ = Attach.__qualname__ = f"tsgu::{op.path}"
    return super(Function, Attach).apply


# ===-- Transforms ----------------------------------------------------------===#


def _without_levels(pattern):
    positions, coordinates = map(without_levels, (pattern.positions, pattern.coordinates))
    if positions is pattern.positions and coordinates is pattern.coordinates:
        return pattern
    return Pattern(
        positions,
        coordinates,
        pattern.form,
        pattern.items,
        pattern.rows,
        pattern.columns,
        pattern.coalesced,
    )


def _transform_function(op):
    """For torch.func transforms and forward mode."""
    program = op.program

    class Transform(Function):
        @staticmethod
        def forward(patterns, *operands):
            return program.run(patterns, *operands)

        @staticmethod
        def setup_context(ctx, inputs, output):
            patterns, *operands = inputs
            ctx.save_for_backward(*_save(ctx, op, patterns, operands, output))
            ctx.save_for_forward(*operands, output)

        backward = staticmethod(_backward)

        @staticmethod
        def jvp(ctx, _, *tangents):
            *operands, result = ctx.saved_tensors

            def run(derived, *operands):
                return derived.call(ctx.patterns, *operands)

            return op.tangent_of(run, operands, result, tangents)

        @staticmethod
        def vmap(info, in_dims, patterns, *operands):
            def run(*operands):
                return op.call(patterns, *operands)

            return batched(op.signature, run, info.batch_size, in_dims[1:], operands), 0

    Transform.__name__ = Transform.__qualname__ = f"tsgu::{op.path}"
    return Transform


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
