"""Kernels from a table, in the compiler's place: made for the emulator, run without LLVM.

And what the benchmark that uses them says of results that differ, and of parts that end early.
"""

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
    libraries = tsgu._runtime.library.directory
    sources = CHECKOUT / "benchmarks" / "gpu"
    table = folder / "libtsgu-kernels.so"
    run_script(_MAKE, str(sources), str(libraries.parent), str(table), timeout=600)
    for name in ("libtsgu.so", "libtsgu-emulator.so", "libtsgu_torch.so", "programs.json"):
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


_GPU = str(CHECKOUT / "benchmarks" / "gpu")
# One contender after another; what their results are multiplied by.
_CONTENDERS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import torch
from contenders import Contenders
answers = []
for factors in json.loads(sys.argv[2]):
    made = Contenders(lambda: torch.full((9,), 2.0))
    for name, factor in factors.items():
        made.attempt(name, lambda factor=factor: lambda: torch.ones(9) * float(factor))
    answers.append([sorted(made), made.wrong])
json.dump(answers, sys.stdout)
"""


def test_results_that_differ():
    cases = [
        {"tsgu": 1, "torch": 1.0001, "a": 2},  # bounds are twice the results
        {"tsgu": 1, "torch": 2, "a": 2},
        {"tsgu": 1, "torch": 2, "a": 3},
        {"tsgu": "nan", "torch": 1, "a": 1},
        {"tsgu": "fails", "torch": 1, "a": 1},
    ]
    assert json.loads(run_script(_CONTENDERS, _GPU, json.dumps(cases))) == [
        [["torch", "tsgu"], False],
        [["tsgu"], True],
        [["tsgu"], False],
        [["tsgu"], True],
        [["a", "torch"], False],
    ]


_REPORT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import report
rows, ended, wrong = json.loads(sys.argv[2])
timings = {"tsgu": {"best": 1e-3}, "torch": {"best": 4e-3}, "cusparse SpMM default": {"best": 2e-3}}
row = {"case": "x", "timings": timings, "errors": {}, "bytes": 1000}
if wrong:
    row["wrong"] = True
results = {
    "device": "d", "versions": {}, "date": "", "seconds": 1, "L2": 2000, "roof": 1e12,
    "checks": [], "sections": {"spmm": [row] * rows}, "ended": {"roof": "why"} if ended else {},
}
json.dump([report.page(results), report.failed(results)], sys.stdout)
"""


@pytest.mark.parametrize(
    "rows, ended, wrong, says, failed",
    [
        (32, False, False, "4.00x in the geometric mean (met: >= 1.5)", False),
        (31, False, False, "4.00x in the geometric mean (not judged: >= 1.5)", False),
        (32, True, False, "ended early: roof: why", True),
        (32, False, True, "(MISSED, results are WRONG: >= 1.5)", True),
        (32, False, False, "| 4.00 | 2.00 | in L2 |", False),
    ],
)
def test_what_the_report_says(rows, ended, wrong, says, failed):
    page, status = json.loads(run_script(_REPORT, _GPU, json.dumps([rows, ended, wrong])))
    assert says in page
    assert f"{rows} of 32 cases" in page
    assert status == failed


def test_a_part_that_crashes_keeps_its_rows(tmp_path):
    script = f"""
import json, pathlib, sys
sys.path.insert(0, {_GPU!r})
import run
lines = pathlib.Path({str(tmp_path)!r}, "spmm")
lines.write_text('["row", 1]\\n["row", 2]\\n["ro')
results = {{"sections": {{"spmm": []}}, "ended": {{}}}}
json.dump([run._merge(results, "spmm", lines), results], sys.stdout)
"""
    done, results = json.loads(run_script(script))
    assert not done and results["sections"]["spmm"] == [1, 2]
