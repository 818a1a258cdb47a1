"""Programs as registered operators, for torch.compile, export and opcheck.

Every program of the library and its cotangents have an operator in `torch.ops.tsgu` over dense
components: `spmm(positions, coordinates, columns, A, B)`. `torch.ops.tsgu.apply` runs any
program by its path. Their backward calls the same kind of operator. They share the kernels of
`tsgu._autograd`, which is faster and serves torch.func; eager code should use that.
"""

import re

import torch

from ._autograd import operator, stand_in
from ._pattern import CSR, Pattern
from ._program import library_signatures

_library = torch.library.Library("tsgu", "FRAGMENT")
_named = {}


def _implement(name, compute):
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


# ===-- Backward ------------------------------------------------------------===#


def _save(ctx, path, patterns, operands, result):
    op = operator(path)
    ctx.plan = op.plan(tuple(operand.requires_grad for operand in operands))
    ctx.shapes = [operand.shape for operand in operands]
    ctx.patterns = [(p.form, p.items, p.rows, p.columns, p.coalesced) for p in patterns]
    indices = [index for p in patterns for index in (p.positions, p.coordinates)]
    saved = [operands[k] for k in ctx.plan.saved]
    ctx.save_for_backward(*indices, *saved, *([result] if ctx.plan.takes_result else []))


def _gradients(ctx, cotangent):
    """The gradient of every operand, None for those that need none."""
    saved = list(ctx.saved_tensors)
    patterns = []
    for form, items, rows, columns, coalesced in ctx.patterns:
        positions, coordinates = saved.pop(0), saved.pop(0)
        patterns.append(Pattern(positions, coordinates, form, items, rows, columns, coalesced))
    result = saved.pop() if ctx.plan.takes_result else None
    known = dict(zip(ctx.plan.saved, saved, strict=True))
    operands = [
        known[k] if k in known else stand_in(shape, cotangent) for k, shape in enumerate(ctx.shapes)
    ]

    def run(derived, *operands):
        return call(derived.path, patterns, operands)

    gradients = [None] * len(operands)
    for k, gradient in ctx.plan.gradients(run, operands, result, cotangent).items():
        gradients[k] = gradient
    return gradients


# New index tensors are looked at, and waited for, which no graph records: torch.compile with CUDA
# graphs leaves these operators out of them. (cudagraph_unsafe: torch 2.9 and later.)
_TAGS = (torch.Tag.pt2_compliant_tag, torch.Tag.cudagraph_unsafe)


# ===-- Any program ---------------------------------------------------------===#


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

    def compute(path, indices, shapes, operands):
        return operator(path).program.run(_unpack(indices, shapes), *operands)

    def fake(path, indices, shapes, operands):
        return _fake(operator(path).signature, _unpack(indices, shapes), operands)

    def setup_context(ctx, inputs, output):
        path, indices, shapes, operands = inputs
        ctx.indices = len(indices)
        _save(ctx, path, _unpack(indices, shapes), operands, output)

    def backward(ctx, cotangent):
        return None, [None] * ctx.indices, None, _gradients(ctx, cotangent)

    _implement("apply", compute)
    torch.library.register_fake("tsgu::apply", fake, lib=_library)
    torch.library.register_autograd(
        "tsgu::apply", backward, setup_context=setup_context, lib=_library
    )


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

    def compute(*arguments):
        patterns, operands = unpack(arguments)
        return operator(path).program.run(patterns, *operands)

    def fake(*arguments):
        return _fake(signature, *unpack(arguments))

    def setup_context(ctx, inputs, output):
        _save(ctx, path, *unpack(inputs), output)

    def backward(ctx, cotangent):
        return *([None] * count), *_gradients(ctx, cotangent)

    _implement(name, compute)
    torch.library.register_fake(f"tsgu::{name}", fake, lib=_library)
    torch.library.register_autograd(
        f"tsgu::{name}", backward, setup_context=setup_context, lib=_library
    )
    _named[path] = getattr(torch.ops.tsgu, name).default


_register_apply()
for _path, _signature in library_signatures().items():
    _register(_path, _signature)
