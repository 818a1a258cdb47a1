"""Forks while another thread is busy, and calls while Python ends."""

import os
import subprocess
import sys
import textwrap

import pytest

import tsgu

PRELUDE = """
import os, signal, sys, threading, time, warnings
import torch, tsgu
from tsgu._runtime import library
warnings.simplefilter("ignore")
torch.set_num_threads(1)  # torch's own pool does not outlive a fork

parts = torch.tensor([0, 2, 3]), torch.tensor([0, 1, 1])
A = tsgu.csr(*parts, torch.tensor([1.0, 2.0, 3.0]), (2, 2))
B = torch.tensor([[1.0], [10.0]])
pattern = tsgu.Pattern.of(A)

def product():
    assert tsgu.sparse_mm(A, B).flatten().tolist() == [21.0, 30.0]

def child(run):
    # The status of a forked child that runs it, which is ended after two minutes.
    pid = os.fork()
    if pid == 0:
        signal.alarm(120)
        try:
            run()
            os._exit(0)
        except BaseException as error:
            print(type(error), error, file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitpid(pid, 0)[1]
"""


def run(code, **environment):
    environment = os.environ | environment
    environment["PYTHONPATH"] = os.path.dirname(os.path.dirname(tsgu.__file__))
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_a_child_opens_programs_while_a_thread_registers_one():
    ended = run("""
        begun, go_on, register = threading.Event(), threading.Event(), library.register_program

        def slowly(*arguments):
            begun.set()
            go_on.wait()
            return register(*arguments)

        library.register_program = slowly
        busy = threading.Thread(target=product)
        busy.start()
        begun.wait()
        library.register_program = register
        status = child(product)
        go_on.set()
        busy.join()
        product()
        print(status)
    """)
    assert ended.stdout == "0\n", ended.stderr


def test_children_while_a_thread_opens_and_compiles(tmp_path):
    ended = run(
        """
        def first(k):
            # Neither opened nor compiled before.
            op = tsgu.operator("spmm" + "/jvp1" * (k % 3) + f"/vjp{k % 2}" + "/jvp0" * (k // 3))
            operands = [
                torch.ones(3) if info.pattern >= 0 else torch.ones(2, k + 1)
                for info in op.signature.operands
            ]
            op(pattern, *operands)

        over = threading.Event()

        def busy():
            for k in range(60):
                if not over.is_set():
                    first(k % 15)
                    L = tsgu.csr(*[x.clone() for x in parts], torch.ones(3), (2, 2))
                    tsgu.sparse_triangular_solve(L, B)
                    tsgu.sparse_generic_solve(L, B, "gmres", preconditioner="ilu0")

        thread = threading.Thread(target=busy)
        thread.start()
        statuses = []
        for k in range(40):
            statuses.append(child(lambda: (product(), first(14 - k % 15))))
        over.set()
        thread.join()
        print(set(statuses))
        """,
        TSGU_CACHE_DIR=str(tmp_path),
    )
    assert ended.stdout == "{0}\n", ended.stderr


@pytest.mark.parametrize("where", ["a module", "builtins", "a cycle"])
@pytest.mark.parametrize("before", [False, True])
def test_calls_while_python_ends(where, before):
    ended = run(f"""
        import builtins

        class Last:
            def __init__(self):
                # torch itself ends the process where sparse tensors are made while Python ends.
                self.tensors = [torch.sparse_csr_tensor(*indices, torch.ones(3), (2, 2))]
                for width in range(3, 43):
                    made = torch.sparse_csr_tensor(*indices, torch.ones(3), (2, width))
                    self.tensors += [made, made.to_sparse_coo()]
                self.make, self.mm, self.print = torch.ones, tsgu.sparse_mm, print

            def __del__(self):
                total = 0
                for tensor in self.tensors:
                    total += self.mm(tensor, self.make(tensor.shape[1], 1)).sum().item()
                self.print(total, flush=True)

        indices = torch.tensor([0, 2, 3]), torch.tensor([0, 1, 1])
        if {before}:
            product()
        last = Last()
        if "{where}" == "builtins":
            builtins.last = last
        if "{where}" == "a cycle":
            last.me = last
        """)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "243.0\n", ended.stderr
