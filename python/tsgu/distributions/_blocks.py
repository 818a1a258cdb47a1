"""A number of each column of a product, in blocks of columns: n x n numbers are never kept."""

import itertools

import torch
from torch.autograd import Function

from .._patterns.modes import transforming
from .._patterns.pattern import require_as_of

_WIDTH = 32


def of_columns(operands, apply, n, batch_shape):
    """apply(*operands, e_k), a number, for each column e_k of the identity: (*batch_shape, n).

    Of an operand, `tensors` are what it is differentiable in, `with_tensors(*tensors)` is the same
    of others, `patterns` must stay as they are. `apply` takes rows,
    (32, *batch_shape, n), and gives (32, *batch_shape).
    """
    tensors = [x for operand in operands for x in operand.tensors]
    patterns = [x for operand in operands for x in operand.patterns]
    like = tensors[0]

    def blocks(*tensors):
        left = iter(tensors)
        others = [x.with_tensors(*itertools.islice(left, len(x.tensors))) for x in operands]
        for first in range(0, n, _WIDTH):
            rows = _rows(first, n, batch_shape, like)
            yield first, apply(*others, rows)[: n - first]

    if _transforming():
        empty = torch.zeros(0, *batch_shape, dtype=like.dtype, device=like.device)
        found = torch.cat([empty, *(block for _, block in blocks(*tensors))])
    else:
        found = _InBlocks.apply(blocks, (n, *batch_shape), patterns, *tensors)
    return found.movedim(0, -1)


def _transforming():
    """Where torch's Functions would need formulas of their own."""
    return transforming() or torch.compiler.is_compiling()


def _rows(first, n, batch_shape, like):
    # By columns, as they will be multiplied; zeros after the last.
    columns = torch.zeros(n, _WIDTH, dtype=like.dtype, device=like.device)
    columns.diagonal(-first).fill_(1)
    rows = columns.mT.view(_WIDTH, *(1,) * len(batch_shape), n)
    return rows.expand(_WIDTH, *batch_shape, n)


class _InBlocks(Function):
    """Computes blocks one after the other, and in backward anew, each with its gradients.

    One node for all: with a graph for each, as torch's checkpoints keep it, the process grew as if
    all blocks were kept.
    """

    @staticmethod
    def forward(ctx, blocks, shape, patterns, *tensors):
        ctx.blocks, ctx.versions = blocks, [(x, x.version()) for x in patterns]
        ctx.save_for_backward(*tensors)
        result = tensors[0].new_empty(shape)
        for first, block in blocks(*tensors):
            result[first : first + len(block)] = block
        return result

    @staticmethod
    def backward(ctx, cotangent):
        again = torch.is_grad_enabled()
        wanted, tensors = ctx.needs_input_grad[3:], ctx.saved_tensors
        for pattern, version in ctx.versions:
            require_as_of(pattern, version)
        with torch.enable_grad():
            # Of one tensor that is there twice, each has its own gradient.
            tensors = [x.view_as(x) if again else x.detach() for x in tensors]
            inputs = [x.requires_grad_() for x, w in zip(tensors, wanted, strict=True) if w]
            sums = [torch.zeros_like(x) for x in inputs]
            for first, block in ctx.blocks(*tensors):
                weight = cotangent[first : first + len(block)]
                found = torch.autograd.grad(block, inputs, weight, create_graph=again)
                sums = [a + b if again else a.add_(b) for a, b in zip(sums, found, strict=True)]
        sums = iter(sums)
        return None, None, None, *(next(sums) if w else None for w in wanted)
