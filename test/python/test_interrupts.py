"""Ctrl-C, timers and errors of callbacks reach whoever called, wherever they strike."""

import contextlib
import functools
import gc
import signal
import sys
import time
import types
import uuid
import weakref

import pytest
import torch
from conftest import CHECKOUT
from run_tools import run_script
from solve_tools import MineError

import tsgu
from tsgu._runtime import callbacks as _callbacks
from tsgu._runtime import library, writes
from tsgu._solvers import solver
from tsgu.utils import bicgstab, cgs, gmres, linear_cg, lsmr, minres

METHODS = ("cg", "bicgstab", "minres", "gmres", "cgs")
ENDLESS = {"rtol": 1e-15, "maxiter": 10**9}


def line(n, diagonal=2.0):
    """The second difference of n points: iterations take about n steps for it."""
    i = torch.arange(n)
    rows = torch.cat([i, i[1:], i[:-1]])
    columns = torch.cat([i, i[:-1], i[1:]])
    values = torch.cat([torch.full((n,), diagonal), torch.full((2 * n - 2,), -1.0)]).double()
    return torch.sparse_coo_tensor(torch.stack([rows, columns]), values, (n, n)).coalesce()


LONG, B = line(200_000), torch.ones(200_000, dtype=torch.float64)


class TimerError(Exception):
    """Raised by a signal handler."""


@contextlib.contextmanager
def after(seconds, error=TimerError):
    """Raises `error` in the main thread after so long, and expects it to come out."""

    def strike(*_):
        raise error

    lost = []
    hook, sys.unraisablehook = sys.unraisablehook, lost.append
    # Python loses what is raised in these: JAX's and hypothesis's, where those were imported.
    collecting, gc.callbacks[:] = gc.callbacks[:], []
    before = signal.signal(signal.SIGALRM, strike)
    try:
        with pytest.raises(error):
            signal.setitimer(signal.ITIMER_REAL, seconds)
            yield
            assert not lost, lost
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = hook
        gc.callbacks[:] = collecting
    assert not lost and not _callbacks._thread.runs


def until_late():
    """Goes on until a signal that is lost must have come."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        yield


def assert_works():
    A = line(30, 3.0)
    b = torch.ones(30, dtype=torch.float64)
    X, info = tsgu.sparse_generic_solve(A, b, "cg", return_info=True)
    assert info.converged
    torch.testing.assert_close(A.to_dense() @ X, b)


def test_products_of_patterns():
    """Of dense matrices, whose patterns meet 10^9 times."""
    dense = torch.ones(1000, 1000).to_sparse_csr()
    start = time.monotonic()
    with after(0.1):
        tsgu.spgemm(dense, dense)
    assert time.monotonic() - start < 20
    assert_works()


# ===-- Calls -----------------------------------------------------------------===#


def test_signals_while_patterns_are_seen_for_the_first_time():
    """Where torch is asked whose memory it is, and what else keeps the tensors of old ones."""
    A = tsgu.csr(torch.arange(11), torch.arange(10), torch.ones(10), (10, 10))
    rhs = torch.ones(10, 1)
    for k in range(200):
        with after(0.001 + 1e-5 * k, (KeyboardInterrupt, TimerError)[k % 2]):
            for _ in until_late():
                new = torch.sparse_csr_tensor(A.crow_indices().clone(), A.col_indices(), A.values())
                tsgu.sparse_mm(new, rhs)
    assert_works()


def test_python_is_not_called_where_it_loses_what_signals_raise(monkeypatch):
    """In callbacks of weak references: of whatever a call makes, none is a Python function."""
    made = []

    def reference(*arguments):
        made.append(real(*arguments))
        return made[-1]

    class Reference(writes._Reference):
        def __init__(self, *arguments):
            made.append(self)

    real = weakref.ref
    monkeypatch.setattr(weakref, "ref", reference)
    monkeypatch.setattr(writes, "_Reference", Reference)
    positions, coordinates = torch.arange(4), torch.arange(3)
    A = tsgu.csr(positions, coordinates, torch.ones(3, requires_grad=True), (3, 3))
    options = {"callback": lambda *_: None, "return_info": True}
    tsgu.sparse_generic_solve(A, torch.ones(3), "cg", **options)[0].sum().backward()
    leaf = line(3).requires_grad_()
    (tsgu.sparse_mm(leaf, torch.ones(3, 1).double()).sum() + (leaf * 2).sum()).backward()
    callbacks = [one.__callback__ for one in made if one.__callback__ is not None]
    assert len(callbacks) > 6
    assert {type(one) for one in callbacks} == {functools.partial}
    assert {type(one.func) for one in callbacks} == {types.BuiltinFunctionType}


def test_signals_leave_no_mode_behind():
    """Handles are made outside of transforms and of inference mode, which have to come back."""
    pattern = tsgu.Pattern.csr(torch.arange(4), torch.arange(3), 3)
    spmm = tsgu.operator("spmm")
    for k in range(300):
        with after(0.001 + 1e-6 * k):
            for _ in until_late():
                solver._pack(solver.Options())
        x = torch.func.grad(lambda v: spmm(pattern, v, torch.ones(3, 1)).sum())(torch.ones(3))
        assert torch.equal(x, torch.ones(3)) and not torch.is_inference(torch.ones(1))


# ===-- Callbacks -------------------------------------------------------------===#


@pytest.mark.parametrize("on_fail", ["warn", "raise", "ignore"])
@pytest.mark.parametrize("method", METHODS)
def test_signals_while_a_callback_is_told(method, on_fail):
    """Mostly they come while C++ iterates, and are seen as the callback begins."""
    A, b = line(300), torch.ones(300, dtype=torch.float64)
    for k in range(12):
        with after(0.003 + 0.0007 * k, (KeyboardInterrupt, TimerError)[k % 2]):
            for _ in until_late():  # Some end sooner than others.
                options = {**ENDLESS, "on_fail": on_fail, "callback": lambda *_: None}
                with contextlib.suppress(tsgu.ConvergenceError):
                    tsgu.sparse_generic_solve(A, b, method, **options)
    assert_works()


def test_errors_of_callbacks_are_raised_as_they_are():
    A, b = line(300), torch.ones(300, dtype=torch.float64)

    def broken(iteration, residuals):
        if iteration == 3:
            raise MineError from ValueError("the cause")

    for on_fail in ("warn", "raise", "ignore"):
        for method in METHODS:
            with pytest.raises(MineError) as caught:
                tsgu.sparse_generic_solve(A, b, method, callback=broken, on_fail=on_fail)
            assert isinstance(caught.value.__cause__, ValueError)
        with pytest.raises(MineError):
            tsgu.sparse_generic_lstsq(A, b, callback=broken, on_fail=on_fail)
    assert_works()


def test_backward_passes():
    A, b = line(2000).requires_grad_(), torch.ones(2000, dtype=torch.float64)
    leaves = A, b.requires_grad_()
    told = []

    def late(iteration, residuals):
        told.append(iteration)
        if len(told) > forward + 3:
            raise MineError

    forward = 10**9
    x = tsgu.sparse_generic_solve(A, b, "cg", callback=late)
    forward = len(told)
    with pytest.raises(MineError):
        torch.autograd.grad(x.sum(), leaves)

    x = tsgu.sparse_generic_solve(
        A, b * 0, "cg", on_fail="raise", callback=lambda *_: None, **ENDLESS
    )
    with after(0.05, KeyboardInterrupt):
        for _ in until_late():
            with contextlib.suppress(tsgu.ConvergenceError):
                torch.autograd.grad(x.sum(), leaves, retain_graph=True)
    assert_works()


@pytest.mark.parametrize("method", METHODS)
def test_a_solve_that_its_callback_stopped_did_not_converge(method):
    A = line(300).requires_grad_()
    b = torch.ones(300, dtype=torch.float64)
    stop = {"callback": lambda iteration, residuals: iteration >= 2}
    with pytest.warns(tsgu.ConvergenceWarning, match="stopped by the progress callback"):
        tsgu.sparse_generic_solve(A, b, method, **stop)
    with pytest.raises(tsgu.ConvergenceError, match="stopped") as caught:
        tsgu.sparse_generic_solve(A, b, method, on_fail="raise", **stop)
    assert caught.value.outcome.reasons == ("stopped",)
    x, info = tsgu.sparse_generic_solve(A, b, method, on_fail="ignore", return_info=True, **stop)
    assert info.reasons == ("stopped",) and not info.converged
    x = tsgu.sparse_generic_solve(A, b * 0, method, **stop)
    with pytest.warns(tsgu.ConvergenceWarning, match="stopped by the progress callback"):
        x.sum().backward()
    with pytest.warns(tsgu.ConvergenceWarning, match="stopped by the progress callback"):
        tsgu.sparse_generic_lstsq(A, b, **stop)


# ===-- Without callbacks -----------------------------------------------------===#


@pytest.mark.parametrize("method", METHODS)
def test_long_solves_end_soon(method):
    begin = time.monotonic()
    with after(0.2, KeyboardInterrupt):
        tsgu.sparse_generic_solve(LONG, B, method, on_fail="raise", restart=400, **ENDLESS)
    assert time.monotonic() - begin < 5  # They take minutes.
    assert_works()


def test_long_least_squares_and_gradients_end_soon():
    A, b = LONG.clone().requires_grad_(), torch.zeros_like(B)
    begin = time.monotonic()
    with after(0.2):
        tsgu.sparse_generic_lstsq(A, B, **ENDLESS)
    x = tsgu.sparse_generic_lstsq(A, b, **ENDLESS)
    with after(0.2):
        x.backward(B)
    x = tsgu.sparse_generic_solve(A, b, "minres", **ENDLESS)
    with after(0.2):
        x.backward(B)
    assert time.monotonic() - begin < 15
    assert_works()


def test_batches_end_soon():
    n = 20_000
    A = line(n)
    batch = torch.stack([A] * 4).coalesce()
    with after(0.1):
        tsgu.sparse_generic_solve(batch, torch.ones(4, n, dtype=torch.float64), "cg", **ENDLESS)
    assert_works()


@pytest.mark.parametrize("preconditioner", ["ilu0", "ic0", "amg"])
def test_preconditioners_are_made_anew(preconditioner):
    """Where the set-up was interrupted; or, on a fast machine, the iteration after it."""
    with after(0.02):
        while True:
            A = LONG * (1 + torch.rand(()).item())  # known to nobody
            tsgu.sparse_generic_solve(A, B, "cg", preconditioner=preconditioner, maxiter=3)
    b = torch.ones(3000, dtype=torch.float64)
    x, info = tsgu.sparse_generic_solve(
        line(3000), b, "cg", preconditioner=preconditioner, return_info=True
    )
    assert info.converged


# ===-- Closures and users' solvers -------------------------------------------===#


@pytest.mark.parametrize("function", [linear_cg, minres, bicgstab, gmres, cgs, lsmr])
def test_closures(function):
    A = line(300)

    def solve():
        b = torch.ones(300, dtype=torch.float64)
        if function is lsmr:
            return lsmr(A.matmul, b, Armat=lambda v: A @ v, n=300, maxiter=10**6)
        return function(lambda V: A @ V, b)

    for k in range(6):
        with after(0.01 + 0.003 * k, (KeyboardInterrupt, TimerError)[k % 2]):
            while True:
                solve()
    assert_works()


def test_users_solvers():
    A, b = line(300).requires_grad_(), torch.ones(300, dtype=torch.float64)

    def mine(A, B):
        return tsgu.sparse_generic_solve(A, B, "cg", callback=lambda *_: None, **ENDLESS)

    for k in range(6):
        with after(0.01 + 0.003 * k, (KeyboardInterrupt, TimerError)[k % 2]):
            while True:
                x = tsgu.sparse_generic_solve(A, b, mine, on_fail="raise")
                x.sum().backward()
    assert_works()


# ===-- Compilations ----------------------------------------------------------===#


def test_compilations_end_between_passes(tmp_path):
    """Of 20 products, which takes much longer than the time between two questions."""
    source = (CHECKOUT / "lib/Programs/spmm.mlir").read_text()
    head, product = source.split("  %C = ")
    product, tail = product.split("  return ")
    products = [f"  %B{i + 1} = " + product.replace("%A, %B", f"%A, %B{i}") for i in range(20)]
    text = head.replace("%B", "%B0") + "".join(products) + "  return " + tail.replace("%C", "%B20")
    file = tmp_path / f"product_{uuid.uuid4().hex}.mlir"  # in nobody's cache
    file.write_text(text.replace("@spmm", f"@{file.stem}"))
    operator = tsgu.load_program(file)
    A = line(30)
    pattern = tsgu.Pattern.of(A)
    X = torch.ones(30, 5, dtype=torch.float64)
    compiled = library.counters()[0].compiled

    def strike(*_):
        if library.counters()[0].compiled == compiled:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-3)
        with pytest.raises(KeyboardInterrupt):
            operator(pattern, A.values(), X)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert library.counters()[0].compiled == compiled
    wanted = torch.linalg.matrix_power(A.to_dense(), 20) @ X
    torch.testing.assert_close(operator(pattern, A.values(), X), wanted)


# ===-- Threads and forks -----------------------------------------------------===#


def test_forks_while_the_main_thread_solves():
    """A fork waits for locks with the GIL held; who holds one must not wait for the GIL."""
    script = """
import os, threading, time, torch, tsgu
i = torch.arange(2000).expand(2, -1)
A = torch.sparse_coo_tensor(i, torch.rand(2000).double(), (2000, 2000)).coalesce()
end = time.monotonic() + 3

def fork():
    while time.monotonic() < end:
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

def spin():
    while time.monotonic() < end:
        pass

for work in (fork, spin):
    threading.Thread(target=work).start()
count = 0
while time.monotonic() < end:
    values = A.values() + count
    B = tsgu.coo(A.indices().clone(), values, A.shape)
    tsgu.sparse_generic_solve(B, torch.ones(2000).double(), "cg", preconditioner="ilu0")
    count += 1
print(count)
"""
    assert int(run_script(script, timeout=100)) > 0
