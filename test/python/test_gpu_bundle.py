"""Kernels from a table, in the compiler's place: made for the emulator, run without LLVM."""

import json
import shutil

import pytest
from conftest import CHECKOUT
from run_tools import run_script

import tsgu

_SCRIPT = """
import json, sys
import torch, tsgu
torch.manual_seed(0)
dense = torch.randn(30, 20, dtype=torch.float64) * (torch.rand(30, 20) < 0.3)
worst = 0
for columns in (4, 5, 300):  # of its own, and by the kernels of any width
    A = dense.to_sparse_csr().requires_grad_()
    B = torch.randn(20, columns, dtype=torch.float64, requires_grad=True)
    C = tsgu.sparse_mm(A, B)
    gradients = torch.autograd.grad(C.sin().sum(), (A, B), create_graph=True)
    (second,) = torch.autograd.grad((gradients[1] ** 2).sum(), B)
    full, again = dense.clone(), B.detach().requires_grad_()
    gradient = torch.autograd.grad((full @ again).sin().sum(), again, create_graph=True)[0]
    expected = torch.autograd.grad((gradient**2).sum(), again)[0]
    worst = max(worst, (C - dense @ B).abs().max().item(), (second - expected).abs().max().item())
try:
    tsgu.sparse_softmax(dense.to_sparse_csr(), -1)
except tsgu.CompileError as error:
    refusal = str(error)
config = tsgu.show_config()
counts = config["device launches"], config["programs compiled"]
loaded = {line.split("/")[-1].strip() for line in open("/proc/self/maps") if "/" in line}
llvm = sorted(name for name in loaded if "LLVM" in name or "tsgu-compiler" in name)
json.dump([worst, refusal, *counts, llvm], sys.stdout)
"""


# In a process of its own: the compiler's disk cache is chosen once.
_MAKE = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import kernels, make_bundle
kernels.PROGRAMS = ("spmm",)
kernels.VALUE_TYPES = (kernels.F64,)
kernels._WIDTHS, kernels._WIDTHS_OF_SECOND_ORDER = (4, 0), (0,)
build, table = map(pathlib.Path, sys.argv[2:])
make_bundle.make_table(build, table, [kernels.EMULATOR], "clang++-22")
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    libraries = tsgu._library.directory
    sources = CHECKOUT / "benchmarks" / "gpu"
    table = folder / "libtsgu-kernels.so"
    run_script(_MAKE, str(sources), str(libraries.parent), str(table), timeout=600)
    for name in ("libtsgu.so", "libtsgu_torch.so", "programs.json"):
        shutil.copy(libraries / name, folder)
    return folder


def test_programs_run_from_the_table(bundle):
    answer = run_script(
        _SCRIPT,
        TSGU_LIBRARY_DIR=str(bundle),
        TSGU_COMPILER=str(bundle / "libtsgu-kernels.so"),
        TSGU_DEVICE="emulator",
    )
    worst, refusal, launches, compiled, llvm = json.loads(answer)
    assert worst < 1e-10
    assert "softmax" in refusal and "table" in refusal
    assert launches > 0 and compiled == 0 and llvm == []
