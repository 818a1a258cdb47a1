"""Modules by the paths and under the names that other libraries have."""

import importlib
import re
import subprocess
import sys

import pytest
import torch
from conftest import CHECKOUT
from run_tools import run_script

import tsgu
from tsgu._compat import linalg_solve_triangular_compat

MODULES = [
    *("_compat", "sparse_matmul", "sparse_solve", "sparse_lstsq", "sparse_logsumexp"),
    *("indexed_matmul", "utils", "utils.bicgstab", "utils.linear_cg", "utils.minres"),
    *("utils.lsmr", "utils.utils", "utils.random_sparse", "utils.dist_stats_helpers"),
    *("distributions", "distributions.sparse_multivariate_normal", "distributions.constraints"),
    *("encoders", "encoders.pairwise_encoder", "encoders.pairwise_voxel_encoder"),
]
SHARED = [f"tsgu.utils.{name}" for name in ("bicgstab", "cgs", "gmres", "linear_cg", "lsmr")]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_importable(name):
    module = importlib.import_module(f"tsgu.{name}")
    for public in getattr(module, "__all__", ()):
        assert getattr(module, public) is not None


@pytest.mark.parametrize(
    "name", ["tsgu.sparse_softmax", "tsgu.sparse_logsumexp", "tsgu.utils.minres", *SHARED]
)
def test_a_function_and_its_module_share_a_name(name):
    parent, _, child = name.rpartition(".")
    function = getattr(importlib.import_module(parent), child)
    module = importlib.import_module(name)
    assert module is not function
    assert getattr(module, child) is function
    assert getattr(importlib.import_module(parent), child) is function


def test_modules_are_loaded_when_they_are_named():
    assert tsgu.sparse_matmul.sparse_mm is tsgu.sparse_mm
    with pytest.raises(AttributeError, match="'tsgu' has no attribute 'nothing'"):
        tsgu.nothing  # noqa: B018
    for name in ("not.a name", "__wrapped__", "utils.bicgstab"):
        assert not hasattr(tsgu, name)


# ===-- Other names -------------------------------------------------------------===#

SEVERAL = """
import sys, pkgutil, importlib
import tsgu
tsgu.install_as("torchsparsegradutils")

import torchsparsegradutils
assert torchsparsegradutils is tsgu and tsgu.__name__ == "tsgu"
assert tsgu.__spec__.name == "tsgu"
names = [found.name for found in pkgutil.walk_packages(tsgu.__path__, "tsgu.")]
assert "tsgu.utils.lsmr" in names
for name in names:
    function = getattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2], None)
    module = importlib.import_module("torchsparsegradutils" + name.removeprefix("tsgu"))
    assert module is importlib.import_module(name), name
    assert module.__spec__.name == module.__name__ == name
    if callable(function):
        assert getattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2]) is function

from torchsparsegradutils import sparse_mm
from torchsparsegradutils.utils import bicgstab
from torchsparsegradutils.utils.bicgstab import _DEFAULT, bicgstab as again
import torchsparsegradutils.utils.linear_cg
assert sparse_mm is tsgu.sparse_mm and bicgstab is again is tsgu.utils.bicgstab
assert callable(torchsparsegradutils.utils.linear_cg)
import torchsparsegradutils.utils.random_sparse
from torchsparsegradutils.sparse_logsumexp import _bidir_2d
from torchsparsegradutils.encoders.pairwise_encoder import _gen_coords
assert _bidir_2d is sys.modules["tsgu.sparse_logsumexp"]._bidir_2d
assert _gen_coords is sys.modules["tsgu.encoders.pairwise_encoder"]._gen_coords
assert torchsparsegradutils.sparse_logsumexp is tsgu.sparse_logsumexp
assert callable(tsgu.sparse_logsumexp)
assert len({id(m) for n, m in sys.modules.items() if n.endswith(".utils.minres")}) == 1

before, finders = dict(sys.modules), list(sys.meta_path)
tsgu.install_as("torchsparsegradutils")
assert sys.modules == before and sys.meta_path == finders
try:
    import torchsparsegradutils.no_such_module
except ModuleNotFoundError as error:
    print(error)
"""

# A module that is loaded later, and loads another: a package of its own stands in for it.
LATER = """
import pathlib, sys
import tsgu
folder = pathlib.Path(sys.argv[1]) / "late"
folder.mkdir()
(folder / "__init__.py").write_text("from .same import same")
(folder / "same.py").write_text("def same(): pass")
(folder / "other.py").write_text("import tsgu.late.same")
tsgu.__path__.append(sys.argv[1])
tsgu.install_as("torchsparsegradutils")
import torchsparsegradutils.late.same
from torchsparsegradutils.late.same import same
from torchsparsegradutils.late.other import tsgu as again
assert again is tsgu and sys.modules["tsgu.late"] is sys.modules["torchsparsegradutils.late"]
assert tsgu.late.same is same is torchsparsegradutils.late.same
assert sys.modules["tsgu.late.other"] is sys.modules["torchsparsegradutils.late.other"]
"""

# Two names of one module, which the folder that is given has where the package does not.
SOLVERS = """
import sys
import tsgu
tsgu.__path__.append(sys.argv[1])
tsgu.install_as("sparse_solver")
tsgu.install_as("torch_sparse_solve")
import sparse_solver, torch_sparse_solve
from sparse_solver import SparseSolver
from torch_sparse_solve import solve
assert sparse_solver is torch_sparse_solve is tsgu.direct
assert SparseSolver is tsgu.direct.SparseSolver and solve is tsgu.direct.solve
assert "torchsparsegradutils" not in sys.modules
try:
    import torch_sparse_solve.nothing
except ModuleNotFoundError as error:
    print(error)
"""

TOO_LATE = """
import sys, types
sys.modules["torchsparsegradutils"] = real = types.ModuleType("torchsparsegradutils")
real.__file__ = "/somewhere/__init__.py"
import tsgu
try:
    tsgu.install_as("torchsparsegradutils")
except RuntimeError as error:
    print(error)
assert sys.modules["torchsparsegradutils"] is real
assert "torchsparsegradutils.utils" not in sys.modules
"""


def test_modules_under_another_name():
    printed = run_script(SEVERAL)
    assert "torchsparsegradutils.no_such_module" in printed


def test_modules_that_are_loaded_later(tmp_path):
    run_script(LATER, str(tmp_path))


def test_a_module_under_two_names(tmp_path):
    (tmp_path / "direct.py").write_text("class SparseSolver: pass\ndef solve(): pass")
    assert "is not a package" in run_script(SOLVERS, str(tmp_path))


def test_a_library_that_was_imported_before():
    printed = run_script(TOO_LATE)
    assert "imported before, from /somewhere/__init__.py" in printed
    assert "tsgu.install_as('torchsparsegradutils')" in printed


def test_only_names_of_known_libraries():
    known = "'torchsparsegradutils', 'sparse_solver', 'torch_sparse_solve'"
    with pytest.raises(ValueError, match=re.escape(f"must be one of {known}, not 'scipy'")):
        tsgu.install_as("scipy")


# ===-- What need not be installed ------------------------------------------------===#

WITHOUT = """
import importlib, importlib.abc, pkgutil, sys

ABSENT = {"cupy", "cupyx", "jax", "jaxlib", "scipy", "matplotlib"}

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.modules["tqdm"] = None  # torch looks for it itself
import torch, tsgu
for found in pkgutil.walk_packages(tsgu.__path__, "tsgu."):
    importlib.import_module(found.name)
assert not ABSENT & set(sys.modules)
A = tsgu.csr([0, 1, 2], [0, 1], torch.tensor([2.0, 4.0]), (2, 2))
B = torch.ones(2, 1)
assert tsgu.sparse_mm(A, B).tolist() == [[2.0], [4.0]]
assert tsgu.sparse_triangular_solve(A, B).tolist() == [[0.5], [0.25]]
cov = torch.eye(2)[None]
for test, given in [
    (tsgu.utils.cov_nagao_test, (cov, cov, 9)),
    (tsgu.utils.mean_hotelling_t2_test, (torch.zeros(1, 2), torch.zeros(1, 2), cov, 9)),
]:
    try:
        test(*given)
    except ImportError as error:
        print(error)
"""


def test_the_package_without_optional_ones():
    first, second = run_script(WITHOUT).splitlines()
    assert first.startswith("cov_nagao_test") and "pip install scipy" in first
    assert second.startswith("mean_hotelling_t2_test") and "pip install scipy" in second


def test_pytest_says_that_nothing_is_built(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=CHECKOUT,
        env={"PATH": "/usr/bin", "TSGU_LIBRARY_DIR": str(tmp_path)},
    )
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert str(tmp_path) in run.stderr and "Build the checkout with 'make'" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


# ===-- Classes and helpers of earlier versions -------------------------------------===#


def test_classes_route_to_the_functions():
    A = tsgu.csr([0, 2, 3], [0, 1, 1], torch.tensor([2.0, 1.0, 4.0]), (2, 2))
    B = torch.randn(2, 3)
    dense = A.to_dense()
    solution = torch.linalg.solve(dense, B)
    from tsgu.sparse_lstsq import SparseGenericLstsq
    from tsgu.sparse_matmul import SparseMatMul
    from tsgu.sparse_solve import SparseGenericSolve, SparseTriangularSolve

    torch.testing.assert_close(SparseMatMul.apply(A, B), dense @ B)
    X = SparseTriangularSolve.apply(A, B, True, False, False)
    torch.testing.assert_close(X, solution)
    X = SparseGenericSolve.apply(A, B, tsgu.utils.bicgstab, None, {})
    torch.testing.assert_close(X, solution, rtol=1e-4, atol=1e-4)
    X = SparseGenericLstsq.apply(A, B, None, None)
    torch.testing.assert_close(X, solution, rtol=1e-4, atol=1e-4)
    for function in (SparseMatMul, SparseTriangularSolve, SparseGenericSolve, SparseGenericLstsq):
        assert issubclass(function, torch.autograd.Function)


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("unitriangular", [True, False])
def test_triangular_solve_of_any_layout(layout, upper, transpose, unitriangular):
    full = torch.randn(2, 5, 5, dtype=torch.float64)
    half = (full.triu if upper else full.tril)(1 if upper else -1)
    diagonal = torch.eye(5, dtype=torch.float64) * (1 if unitriangular else 3)
    A = half if unitriangular else half + diagonal
    if layout is not torch.strided:
        A = A.to_sparse() if layout is torch.sparse_coo else A.to_sparse_csr()
    B = torch.randn(2, 5, 3, dtype=torch.float64)
    options = {"upper": upper, "unitriangular": unitriangular, "transpose": transpose}
    X = linalg_solve_triangular_compat(A, B, **options)
    matrix = half + diagonal
    expected = torch.linalg.solve(matrix.mT if transpose else matrix, B)
    torch.testing.assert_close(X, expected)
