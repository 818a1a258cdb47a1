"""Solves with a matrix that is a function: the runtime asks for products, Python makes them."""

import ctypes
from typing import NamedTuple

import torch

from .._runtime import c_api, library
from .._runtime.callbacks import Outcome, read_outcome, view_of, watch
from .._runtime.types import torch_dtype

_DONE, _APPLY, _ADJOINT, _PRECONDITION = (
    c_api.REQUEST[name] for name in ("done", "apply", "apply_adjoint", "precondition")
)
_TYPES = {torch_dtype[c_api.TYPE[name]]: c_api.TYPE[name] for name in ("f32", "f64", "c64", "c128")}


class Criteria(NamedTuple):
    """When columns end, beside their goals: members of tsgu_iteration_options."""

    mean: bool = False
    rest: float = 0.0
    least_product: float = 0.0
    min_iterations: int = 0
    max_products: int = 0


_NONE = Criteria()


class Functions(NamedTuple):
    """What multiplies an (n, k) block by A, by A^H, by M^-1."""

    apply: object
    adjoint: object = None
    precondition: object = None


def _c_tensor(tensor):
    if tensor.dtype not in _TYPES:
        raise TypeError(
            f"solves take float32, float64, complex64 or complex128, not {tensor.dtype}"
        )
    if tensor.device.type != "cpu":
        raise TypeError("solves run on the CPU, move the tensors with .cpu()")
    integers = ctypes.c_int64 * tensor.dim()
    return c_api.Tensor(
        tensor.data_ptr(),
        _TYPES[tensor.dtype],
        tensor.dim(),
        integers(*tensor.shape),
        integers(*tensor.stride()),
    )


def _single_thread():
    """NULL, the runtime's own pool, unless torch was told to use one thread."""
    return None if torch.get_num_threads() > 1 else ctypes.byref(c_api.Executor(1, None))


class Ended(NamedTuple):
    """How an iteration ended."""

    outcome: Outcome
    products: int  # with A, of blocks
    tridiagonals: list  # (diagonal, off-diagonal) of Lanczos matrices


@watch
def iterate(
    handle,
    functions,
    b,
    x,
    *,
    guess=False,
    lanczos=0,
    shifts=None,
    factor=0.0,
    criteria=_NONE,
    fixed=True,
):
    """Solves into x; returns how it Ended.

    b is (m, p), x (n, p), or (s, n, p) with s shifts; both contiguous. `fixed`: functions get all p
    columns, zeros for those that are done; otherwise only those that are not.
    """
    b = b.resolve_conj().resolve_neg()
    count = 0 if shifts is None else len(shifts)
    options = c_api.IterationOptions(
        int(guess),
        int(functions.precondition is not None),
        int(fixed),
        lanczos,
        count,
        (ctypes.c_double * count)(*shifts) if count else None,
        factor,
        *criteria,
    )
    iteration = ctypes.c_void_p()
    right, left = _c_tensor(b), _c_tensor(x)
    runtime = library.runtime
    try:
        status = runtime.tsgu_iteration_start(
            handle.data_ptr(),
            ctypes.byref(options),
            ctypes.byref(right),
            ctypes.byref(left),
            _single_thread(),
            ctypes.byref(iteration),
        )
        library.check(status)
        products = _serve(iteration, functions)
        pairs = [_tridiagonal(iteration, j) for j in range(lanczos)]
        return Ended(_outcome(iteration), products, pairs)
    finally:
        runtime.tsgu_iteration_free(iteration)


def _serve(iteration, functions):
    """Answers all requests; returns for how many products with A."""
    products = 0
    request, source, target = ctypes.c_int(), c_api.Tensor(), c_api.Tensor()
    pointers = ctypes.byref(request), ctypes.byref(source), ctypes.byref(target)
    makers = {
        _APPLY: (functions.apply, "the closure"),
        _ADJOINT: (functions.adjoint, "the function that multiplies by A^H"),
        _PRECONDITION: (functions.precondition, "the preconditioner"),
    }
    while True:
        library.check(library.runtime.tsgu_iteration_next(iteration, *pointers))
        if request.value == _DONE:
            return products
        block = view_of(source)
        if block.numel() > 0:  # otherwise no column is left
            make, name = makers[request.value]
            # A copy: functions may keep what they get.
            result = make(block.clone())
            if result.is_complex() and not block.is_complex():
                raise TypeError(
                    f"{name} gives {result.dtype} where the right-hand side is {block.dtype}, and "
                    f"imaginary parts would be lost: pass the right-hand side as {result.dtype}"
                )
            view_of(target).copy_(result)
            products += request.value == _APPLY


def _outcome(iteration):
    outcome = c_api.Outcome()
    library.check(library.runtime.tsgu_iteration_outcome(iteration, ctypes.byref(outcome)))
    return read_outcome(outcome)


def _tridiagonal(iteration, column):
    steps = ctypes.c_int64()
    diagonal, beside = (ctypes.POINTER(ctypes.c_double)() for _ in range(2))
    library.check(
        library.runtime.tsgu_iteration_tridiagonal(
            iteration,
            column,
            ctypes.byref(steps),
            ctypes.byref(diagonal),
            ctypes.byref(beside),
        )
    )
    count = steps.value
    return diagonal[:count], beside[: max(count - 1, 0)]
