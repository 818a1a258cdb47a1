"""Runs programs through libtsgu and its compiler, not torch operators: gradients of any order."""

import ctypes
import functools
import json

import numpy as np
import torch
from aot_tools import check, run_program, runtime

from tsgu._runtime import c_api


def counters():
    counts = c_api.Counters()
    runtime.tsgu_get_counters(ctypes.byref(counts))
    return counts


METHODS = {"triangular": 0, "cg": 1, "bicgstab": 2, "minres": 3, "gmres": 4, "cgs": 5, "lsmr": 6}
PRECONDITIONERS = {"jacobi": 1, "block_jacobi": 2, "ssor": 3, "ilu0": 4, "ic0": 5, "amg": 6}
RAISE = c_api.ON_FAIL["raise"]


def solver(method, **options):
    """A solver operand: 16 words."""
    words = c_api.Solver(method=METHODS[method], on_fail=RAISE, **options)
    return np.frombuffer(bytes(words), np.int64).copy()


class Program:
    """A program by its path, compiled when it is run."""

    def __init__(self, path):
        self.handle = ctypes.c_void_p()
        check(runtime.tsgu_program_open(path.encode(), ctypes.byref(self.handle)))
        self.signature = json.loads(runtime.tsgu_program_signature(self.handle))

    def __call__(self, pattern, *operands):
        return run_program(self.handle, pattern, *operands)


program = functools.cache(Program)


class _Run(torch.autograd.Function):
    """One Function serves all programs: its backward runs derived programs through itself."""

    @staticmethod
    def forward(ctx, path, pattern, *operands):
        arrays = [np.ascontiguousarray(x.detach().numpy()) for x in operands]
        result = torch.from_numpy(program(path)(pattern, *arrays))
        ctx.path, ctx.pattern = path, pattern
        ctx.save_for_backward(*operands, result)
        return result

    @staticmethod
    def backward(ctx, G):
        *operands, result = ctx.saved_tensors
        gradients = [None, None]
        described = program(ctx.path).signature["operands"]
        for k in range(len(operands)):
            if not ctx.needs_input_grad[2 + k] or described[k]["result_of"] is not None:
                gradients.append(None)
                continue
            path = f"{ctx.path}/vjp{k}"
            takes_result = len(program(path).signature["operands"]) == len(operands) + 2
            extra = [result.detach()] if takes_result else []
            gradients.append(_Run.apply(path, ctx.pattern, *operands, *extra, G))
        return tuple(gradients)


def run(path, pattern, *operands):
    """The program's result, differentiable by every tensor that it depends on."""
    return _Run.apply(path, pattern, *operands)
