"""Programs as registered operators, for torch.compile, export and opcheck.

Every program of the library and its cotangents have an operator in `torch.ops.tsgu` over dense
components: `spmm(positions, coordinates, columns, A, B)`. `torch.ops.tsgu.apply` runs any
program by its path. Their backward calls the same kind of operator. They share the kernels of
`tsgu._programs.autograd`, which is faster and serves torch.func; eager code should use that.
"""

import re

import torch
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad
from torch.autograd.function import _SingleLevelFunction

from .._patterns.modes import mapped_indices, outside_graphs
from .._patterns.pattern import CSR, Pattern
from .._runtime.library import keep_next
from .autograd import operator
from .functions import batched, stand_in
from .program import library_signatures

_library = torch.library.Library("tsgu", "FRAGMENT")
_named = {}


def _implement(name, compute):
    outside_graphs(compute)
    for place in ("CPU", "CUDA"):
        _library.impl(name, compute, place)


def call(path, patterns, operands):
    """A run of the program at `path` that torch.compile can trace."""
    named = _named.get(path)
    if named is not None and all(pattern.form == CSR for pattern in patterns):
        arguments = []
        for pattern in patterns:
            arguments += [pattern.positions, pattern.coordinates, pattern.columns]
        return named(*arguments, *operands)
    indices, shapes = [], []
    for pattern in patterns:
        indices += [pattern.positions, pattern.coordinates]
        shapes += [pattern.form, pattern.items, pattern.rows, pattern.columns]
    return torch.ops.tsgu.apply.default(path, indices, shapes, list(operands))


# ===-- Shapes --------------------------------------------------------------===#


def _fake(signature, patterns, operands):
    """An empty result, from shapes alone."""
    sizes, batch = {}, []
    tensors = [*signature.operands, signature.result]
    for k, pattern in enumerate(patterns):
        info = next(info for info in tensors if info.pattern == k)
        sizes.update(zip(info.shape, pattern.shape, strict=True))
    for operand, info in zip(operands, signature.operands, strict=True):
        if info.solver:
            continue
        extra = operand.dim() - info.rank
        if extra not in (0, 1):
            raise ValueError(
                f"{info.name} must have {info.rank} dimensions, or one more for a batch of values"
            )
        if extra:
            batch = [operand.shape[0]]
        if info.pattern < 0:
            sizes.update(zip(info.shape, operand.shape[extra:], strict=True))
    result = signature.result
    if result.pattern >= 0:
        shape = [patterns[result.pattern].entries]
    else:
        shape = [sizes[name] for name in result.shape]
    typed = next(k for k, info in enumerate(signature.operands) if not info.solver)
    return operands[typed].new_empty([*batch, *shape])


# ===-- Derivatives ---------------------------------------------------------===#


class _Node(_SingleLevelFunction):
    """A run of a registered operator, differentiable as the program's family is.

    Not by torch.library.register_autograd, whose Functions no transform of torch.func takes, and
    whose forward mode is zero.
    """

    @staticmethod
    def forward(ctx, run, path, patterns, indices, *operands):
        op = operator(path)
        if op.solvers:
            ctx.prepared = keep_next()
        result = run()
        ctx.path, ctx.patterns = path, patterns
        ctx.plan = op.plan(ctx.needs_input_grad[4:])
        ctx.shapes = [operand.shape for operand in operands]
        ctx.set_materialize_grads(False)
        saved = [operands[k] for k in ctx.plan.saved]
        # Index tensors too, so that writes to them are noticed.
        ctx.save_for_backward(*saved, *([result] if ctx.plan.takes_result else []), *indices)
        ctx.save_for_forward(*operands, result)
        return result

    @staticmethod
    def backward(ctx, cotangent):
        plan, gradients = ctx.plan, [None] * len(ctx.shapes)
        if cotangent is None or not plan.steps:
            return None, None, None, None, *gradients
        saved = ctx.saved_tensors
        operands = [stand_in(shape, cotangent) for shape in ctx.shapes]
        for k, operand in zip(plan.saved, saved, strict=False):  # more follow
            operands[k] = operand
        result = saved[len(plan.saved)].detach() if plan.takes_result else None
        run = _runner(ctx.patterns)
        gradients = plan.gradients(run, operands, result, cotangent)
        return None, None, None, None, *gradients

    @staticmethod
    def jvp(ctx, _run, _path, _patterns, _indices, *tangents):
        *operands, result = ctx.saved_tensors
        run = _runner(ctx.patterns)
        return operator(ctx.path).tangent_of(run, operands, result, tangents)


_node = _Node.apply  # type: ignore[attr-defined]


def _runner(patterns):
    return lambda derived, *operands: call(derived.path, patterns, operands)


def _register_derivatives(overload, unpack, map_over):
    """Gives an operator its kernels for autograd, forward mode and vmap.

    `unpack(*arguments)`: path, patterns and operands; `map_over(info, in_dims, *arguments)`.
    """

    def differentiable(keyset, *arguments):
        def run():
            # The Function has derivatives turned off, which the levels further out need.
            below = torch._C._AutoDispatchBelowAutograd()
            with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True), below:
                return overload.redispatch(keyset & torch._C._after_autograd_keyset, *arguments)

        path, patterns, operands = unpack(*arguments)
        indices = [index for p in patterns for index in (p.positions, p.coordinates)]
        # Within a transform this is the kernel of one of its levels.
        with enable_single_level_autograd_function():
            return _node(run, path, patterns, indices, *operands)

    outside_graphs(differentiable)
    name = overload.name().split("::")[1]
    _library.impl(name, differentiable, "Autograd", with_keyset=True)
    torch.library.register_vmap(overload, map_over, lib=_library)


# New index tensors are looked at, and waited for, which no graph records: torch.compile with CUDA
# graphs leaves these operators out of them. (cudagraph_unsafe: torch 2.9 and later.)
_TAGS = (torch.Tag.pt2_compliant_tag, torch.Tag.cudagraph_unsafe)


# ===-- Any program ---------------------------------------------------------===#


def _check_unmapped(in_dims):
    if any(dim is not None for dim in in_dims):
        raise mapped_indices()


def _unpack(indices, shapes):
    return tuple(
        Pattern(*indices[2 * k : 2 * k + 2], *shapes[4 * k : 4 * k + 4], False)
        for k in range(len(indices) // 2)
    )


def _register_apply():
    _library.define(
        "apply(str program, Tensor[] indices, SymInt[] shapes, Tensor[] operands) -> Tensor",
        tags=_TAGS,
    )

    overload = torch.ops.tsgu.apply.default

    def compute(path, indices, shapes, operands):
        return operator(path).program.run(_unpack(indices, shapes), *operands)

    def fake(path, indices, shapes, operands):
        return _fake(operator(path).signature, _unpack(indices, shapes), operands)

    def unpack(path, indices, shapes, operands):
        return path, _unpack(indices, shapes), operands

    def map_over(info, in_dims, path, indices, shapes, operands):
        _check_unmapped(in_dims[1])

        def run(*operands):
            return overload(path, indices, shapes, operands)

        signature = operator(path).signature
        return batched(signature, run, info.batch_size, in_dims[3], operands), 0

    _implement("apply", compute)
    torch.library.register_fake("tsgu::apply", fake, lib=_library)
    _register_derivatives(overload, unpack, map_over)


# ===-- Patterns -------------------------------------------------------------===#


def _register_row_counts():
    _library.define(
        "row_counts(Tensor positions, Tensor coordinates, SymInt form, SymInt items, SymInt rows, "
        "SymInt columns) -> Tensor",
        tags=_TAGS,
    )

    def compute(*arguments):
        return Pattern(*arguments, False).row_counts()

    def fake(positions, *arguments):
        shape = Pattern(positions, *arguments, False).shape[:-1]
        return positions.new_empty(shape, dtype=torch.int64)

    _implement("row_counts", compute)
    torch.library.register_fake("tsgu::row_counts", fake, lib=_library)


def _register_meetings():
    described = ", ".join(
        f"Tensor {other}positions, Tensor {other}coordinates, SymInt {other}form, "
        f"SymInt {other}items, SymInt {other}rows, SymInt {other}columns"
        for other in ("", "other_")
    )
    _library.define(
        f"meetings(int kind, bool is_coo, {described}) -> (Tensor, Tensor, Tensor)", tags=_TAGS
    )

    def compute(kind, is_coo, *arguments):
        from .meetings import met

        first, second = Pattern(*arguments[:6], False), Pattern(*arguments[6:], False)
        # Copies, for a graph may write other results into what it no longer reads.
        positions, coordinates, meetings = met(kind, int(is_coo), 1, first, second)
        coordinates = coordinates[:0] if positions.dim() == 2 else coordinates
        return positions.clone(), coordinates.clone(), meetings.to(torch.int64, copy=True)

    def fake(kind, is_coo, *arguments):
        from .meetings import EITHER

        first = Pattern(*arguments[:6], False)
        context = torch.library.get_ctx()
        stored, count = context.new_dynamic_size(), context.new_dynamic_size()

        def indices(*shape):
            return first.positions.new_empty(shape, dtype=torch.int64)

        meetings = indices(2 if kind == EITHER else 3, count)
        if is_coo or first.items != -1:
            return indices(len(first.shape), stored), indices(0, stored), meetings
        return indices(first.shape[0] + 1), indices(stored), meetings

    _implement("meetings", compute)
    torch.library.register_fake("tsgu::meetings", fake, lib=_library)


# ===-- Programs of the library ---------------------------------------------===#


def _schema(name, signature):
    single = len(signature.patterns) == 1
    arguments = []
    for pattern, _ in signature.patterns:
        prefix = "" if single else f"{pattern}_"
        arguments += [
            f"Tensor {prefix}positions",
            f"Tensor {prefix}coordinates",
            f"SymInt {prefix}columns",
        ]
    arguments += [f"Tensor {re.sub(r'[^A-Za-z0-9_]', '_', o.name)}" for o in signature.operands]
    return f"{name}({', '.join(arguments)}) -> Tensor"


def _register(path, signature):
    name = path.replace("/", "_")
    count = 3 * len(signature.patterns)
    _library.define(_schema(name, signature), tags=_TAGS)

    def unpack(arguments):
        indices, operands = arguments[:count], arguments[count:]
        patterns = tuple(Pattern.csr(*indices[k : k + 3]) for k in range(0, count, 3))
        return patterns, operands

    overload = getattr(torch.ops.tsgu, name).default

    def compute(*arguments):
        patterns, operands = unpack(arguments)
        return operator(path).program.run(patterns, *operands)

    def fake(*arguments):
        return _fake(signature, *unpack(arguments))

    def map_over(info, in_dims, *arguments):
        _check_unmapped(in_dims[:count])

        def run(*operands):
            return overload(*arguments[:count], *operands)

        dims, operands = in_dims[count:], arguments[count:]
        return batched(signature, run, info.batch_size, dims, operands), 0

    _implement(name, compute)
    torch.library.register_fake(f"tsgu::{name}", fake, lib=_library)
    _register_derivatives(overload, lambda *arguments: (path, *unpack(arguments)), map_over)
    _named[path] = overload
    operator(path)  # made now: torch.compile cannot make it within a graph


_register_apply()
_register_row_counts()
_register_meetings()
for _path, _signature in library_signatures().items():
    _register(_path, _signature)
