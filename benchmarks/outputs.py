"""Measures products as called beside their kernels into given memory, results of 1 MiB to 1 GiB.

Both take turns in this process, on one thread, on matrices of five entries in a row, which do the
least work for a result of a size; and so do calls that find no memory kept. Prints a table:
milliseconds of the thread's processor time, best / median, and ratios of the best.
"""

import argparse
import ctypes
import gc
import statistics
import time

import numpy as np
import torch

import report
import tsgu
from libtsgu import Tensor
from measure import array
from tsgu._runtime import c_api, library

_P = 32
_SIZES = {"quick": (1, 8, 64), "full": (1, 8, 64, 512, 1024)}
_SHORT = 0.01  # seconds: shorter calls come in bursts


def _matrix(rows):
    """Positions, coordinates and values of a band with two pairs of far diagonals."""
    offsets = np.array([-1000, -1, 0, 1, 1000])
    coordinates = np.sort((np.arange(rows)[:, None] + offsets) % rows, axis=1).ravel()
    positions = np.arange(0, 5 * rows + 1, 5)
    values = np.random.default_rng(0).standard_normal(5 * rows, dtype=np.float32)
    return tuple(torch.from_numpy(x).clone() for x in (positions, coordinates, values))


class Kernels:
    """The programs of a step, into memory that is given."""

    def __init__(self, positions, coordinates, rows):
        self._pattern = ctypes.c_void_p()
        library.check(
            library.runtime.tsgu_pattern_from_csr(
                2,
                (ctypes.c_int64 * 2)(rows, rows),
                c_api.TYPE["i64"],
                ctypes.c_void_p(positions.data_ptr()),
                ctypes.c_void_p(coordinates.data_ptr()),
                ctypes.c_int64(len(coordinates)),
                ctypes.byref(self._pattern),
            )
        )

    def call(self, path, operands, result):
        program, _ = library.open_program(path)
        tensors = (Tensor * len(operands))(*map(Tensor.of, operands))
        output, patterns = Tensor.of(result), (ctypes.c_void_p * 1)(self._pattern)

        def run(keep=(operands, result)):
            library.check(
                library.runtime.tsgu_program_run(
                    program, patterns, 1, tensors, len(operands), ctypes.byref(output), None
                )
            )

        return run

    def free(self):
        library.runtime.tsgu_pattern_release(self._pattern)


def _calls(rows):
    """{what: {how: callable}} of a product and of a training step."""
    positions, coordinates, values = _matrix(rows)
    kernels = Kernels(positions, coordinates, rows)
    A = torch.sparse_csr_tensor(
        positions, coordinates, values, (rows, rows), check_invariants=False
    )
    B, weight = torch.rand(2, rows, _P).unbind()
    given = values.numpy(), B.numpy()
    product, dense = array((rows, _P), np.float32), array((rows, _P), np.float32)
    sampled = array(len(values), np.float32)
    forward = kernels.call("spmm", given, product)
    backward = [
        kernels.call("spmm/vjp0", (*given, weight.numpy()), sampled),
        kernels.call("spmm/vjp1", (*given, weight.numpy()), dense),
    ]
    leaf, operand = A.clone().requires_grad_(), B.clone().requires_grad_()

    def step():
        leaf.grad = operand.grad = None
        tsgu.sparse_mm(leaf, operand).backward(weight)

    def kernels_of_step():
        forward()
        for kernel in backward:
            kernel()

    kernels_of_step()
    step()
    assert np.array_equal(product, tsgu.sparse_mm(A, B).numpy())
    assert np.array_equal(dense, operand.grad.numpy())
    assert np.array_equal(sampled, leaf.grad.values().numpy())
    return kernels, {
        "A B": {"kernel": forward, "called": lambda: tsgu.sparse_mm(A, B)},
        "A B and both gradients": {"kernel": kernels_of_step, "called": step},
    }


def _seconds(call):
    start = time.thread_time()
    result = call()
    seconds = time.thread_time() - start
    del result
    return seconds


def _in_turns(calls, samples):
    """{how: seconds of each call}, all in turn."""
    burst = {how: 5 if _seconds(call) < _SHORT else 1 for how, call in calls.items()}
    times = {how: [] for how in calls}
    gc.collect()
    gc.disable()
    for _ in range(samples):
        for how, call in calls.items():
            if burst[how] > 1:
                call()
            times[how] += [_seconds(call) for _ in range(burst[how])]
    gc.enable()
    return times


def _fresh(call):
    def run():
        tsgu.empty_cache()
        return call()

    return run


def _text(seconds):
    return f"{1e3 * min(seconds):.3f} / {1e3 * statistics.median(seconds):.3f}"


def measure(mode):
    rows = []
    for size in _SIZES[mode]:
        kernels, works = _calls((size << 20) // (4 * _P))
        for work, calls in works.items():
            calls["fresh"] = _fresh(calls["called"])
            times = _in_turns(calls, 9 if size < 512 else 5)
            best = {how: min(seconds) for how, seconds in times.items()}
            ratios = [f"{best[how] / best['kernel']:.2f}" for how in ("called", "fresh")]
            rows.append((f"{size} MiB", work, *map(_text, times.values()), *ratios))
            print(*rows[-1], sep="\t", flush=True)
        kernels.free()
        del works
        tsgu.empty_cache()
    header = ("result", "work", "kernels", "as called", "in fresh memory")
    return report.table((*header, "called / kernels", "fresh / kernels"), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=sorted(_SIZES), default="full")
    torch.set_num_threads(1)
    library.runtime.tsgu_set_threads(1)
    print(measure(parser.parse_args().mode))


if __name__ == "__main__":
    main()
