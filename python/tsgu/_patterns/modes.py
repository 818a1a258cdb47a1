"""Transforms and compiled graphs, in which torch takes no sparse tensor."""

import contextlib

import torch
from torch._C import _functorch
from torch.autograd import forward_ad

from .._typing import F

_is_compiling = torch.compiler.is_compiling
_transforms_active = torch._C._are_functorch_transforms_active


def transforming():
    """Whether a torch.func transform or forward-mode AD is active."""
    return _transforms_active() or forward_ad._current_level >= 0


def needs_matrix(values):
    """Whether torch can make no sparse tensor of these values that keeps their derivatives."""
    if _is_compiling() or _transforms_active():
        return True
    if forward_ad._current_level < 0:
        return False
    return forward_ad.unpack_dual(values).tangent is not None


def outside_graphs(function: F) -> F:
    """`function`, which torch.compile runs as it is wherever it meets it outside of a graph.

    Otherwise it would compile each of the functions that this one calls, on tensors that it cannot
    take. Within a graph nothing changes.
    """
    with contextlib.suppress(ImportError):  # torch's own, and it may move
        from torch._C._dynamo.eval_frame import _FrameAction as Action
        from torch._C._dynamo.eval_frame import _FrameExecStrategy as Strategy
        from torch._C._dynamo.eval_frame import set_code_exec_strategy

        set_code_exec_strategy(function.__code__, Strategy(Action.SKIP, Action.SKIP))
    return function


# ===-- Index tensors within transforms ----------------------------------------===#


def without_levels(index):
    """An index tensor without the wrappers of transforms, which made or saw it."""
    while _functorch.is_gradtrackingtensor(index):
        index = _functorch.get_unwrapped(index)
    if _functorch.is_batchedtensor(index):
        raise mapped_indices()
    return index


def mapped_indices():
    """The error of a vmap over index tensors."""
    return ValueError(
        "positions and coordinates cannot be mapped over: make one pattern of the batch, with a "
        "leading dimension of items"
    )


def on_indices(function, *indices):
    """`function` of index tensors, unseen by transforms."""
    if _is_compiling() or not _transforms_active():
        return function(*indices)
    indices = [without_levels(index) for index in indices]
    with torch._C._DisableFuncTorch():
        return function(*indices)
