"""What `progress=True` shows: nothing for a second, then what is known of a solve."""

import importlib.util
import re
import sys
import threading
import time

import pytest
import torch

import tsgu
from tsgu._solvers import progress
from tsgu.utils import bicgstab, cgs, gmres, linear_cg, lsmr, minres

TELLING = ["tqdm", "plain"]


@pytest.fixture(params=TELLING)
def said(request, monkeypatch, capsys):
    """Gives what was shown since, as a list of lines."""
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "tqdm", None)
    else:
        assert importlib.util.find_spec("tqdm"), "pip install -r requirements.txt"
    ending = r", \d+ s$" if request.param == "plain" else r" \[\d\d:\d\d\]$"
    beginning = "tsgu: " if request.param == "plain" else ""

    def lines():
        written = capsys.readouterr().err.replace("\x1b[A", "")  # upwards, from a second bar
        found = [line.strip() for line in re.split(r"[\r\n]+", written)]
        found = [line for line in found if line]
        for line in found:
            assert line.startswith(beginning) and re.search(ending, line)
        return [re.sub(ending, "", line.removeprefix(beginning)) for line in found]

    return lines


@pytest.fixture
def at_once(monkeypatch):
    """Not only what takes a second is shown."""
    monkeypatch.setattr(progress, "_QUIET", 1e-3)
    monkeypatch.setattr(progress, "_APART", 0.05)


def chain(n, dtype=torch.float64):
    """Tridiagonal, positive definite."""
    i = torch.arange(n)
    indices = torch.stack([torch.cat([i, i[1:], i[:-1]]), torch.cat([i, i[:-1], i[1:]])])
    values = torch.cat([torch.full((n,), 2.01), -torch.ones(2 * n - 2)])
    return torch.sparse_coo_tensor(indices, values.to(dtype), (n, n)).coalesce().to_sparse_csr()


def slowly(seconds):
    return lambda iteration, residuals: time.sleep(seconds) and False


def last_line(method, info):
    iterations, residual = info.iterations.max().item(), info.residuals.max().item()
    how = ", ".join(dict.fromkeys(info.reasons))
    return f"{method}: {how}, {iterations} iterations, residual {residual:.2e}"


def test_nothing_is_said_for_a_second(said):
    A, b = chain(50), torch.ones(50, dtype=torch.float64)
    for method in ("cg", "lu", "cholesky", None):
        tsgu.sparse_generic_solve(A, b, method, progress=True)
    tsgu.factorize(A, progress=True)
    tsgu.sparse_generic_lstsq(A, b, progress=True)
    tsgu.sparse_generic_solve(A, b, "cg", callback=slowly(0.03), progress=False)
    assert said() == []


def test_a_solve_that_takes_longer(said):
    A, b = chain(50), torch.rand(50, 2, dtype=torch.float64)
    start = time.monotonic()
    options = {"callback": slowly(0.05), "progress": True, "return_info": True}
    _, info = tsgu.sparse_generic_solve(A, b, "cg", **options)
    lasted = time.monotonic() - start
    found = said()
    assert lasted > 1.25 and found[-1] == last_line("cg", info)
    steps = [re.fullmatch(r"cg: (\d+) iterations, residual (.*)", line) for line in found[:-1]]
    known = info.history.amax(1)
    for step in filter(None, steps):
        # Nothing of the first second: every iteration took a twentieth of one.
        assert int(step[1]) >= 1 / (lasted / len(known)) - 2
        assert step[2] == f"{known[int(step[1])].item():.2e}"
    assert sum(map(bool, steps)) >= 1


def test_a_line_of_a_whole_batch(said, at_once):
    A = torch.stack([chain(40).to_dense(), 2 * chain(40).to_dense()]).to_sparse_coo()
    b = torch.rand(2, 40, 1, dtype=torch.float64)
    options = {"callback": slowly(0.01), "progress": True, "return_info": True}
    _, info = tsgu.sparse_generic_solve(A, b, "cg", **options)
    found = said()
    assert found[-1].startswith(f"cg: converged, {info.iterations[-1].item()} iterations")
    assert len([line for line in found if "converged" in line]) <= 3  # each item's, and the last


def test_derivatives_are_shown_too(said, at_once):
    A, b = chain(50).requires_grad_(), torch.rand(50, dtype=torch.float64)
    x = tsgu.sparse_generic_solve(A, b, "minres", callback=slowly(0.005), progress=True)
    forward = said()
    assert forward[-1].startswith("minres: converged, ")
    x.backward(torch.rand(50, dtype=torch.float64))
    assert re.match(r"minres: converged, \d+ iterations, residual \d", said()[-1])


def test_handles_methods_and_functions(said, at_once):
    A, b = tsgu.Matrix.of(chain(50)), torch.rand(50, 1, dtype=torch.float64)
    options = {"callback": slowly(0.005), "progress": True}
    handle = tsgu.solver("gmres", **options)
    tsgu.operator("solve")(A.pattern, handle, A.values, b)
    assert said()[-1].startswith("gmres: converged, ")
    A.solve(b, "bicgstab", **options)
    assert said()[-1].startswith("bicgstab: converged, ")
    tsgu.sparse_generic_solve(A, b, linear_cg, **options)
    assert said()[-1].startswith("cg: converged, ")
    A.lstsq(b, **options)
    assert said()[-1].startswith("lsmr: converged, ")


def test_a_solve_that_fails_says_how(said, at_once):
    A, b = chain(200), torch.rand(200, dtype=torch.float64)
    options = {"callback": slowly(0.005), "progress": True, "on_fail": "ignore", "maxiter": 7}
    _, info = tsgu.sparse_generic_solve(A, b, "cg", return_info=True, **options)
    assert said()[-1] == last_line("cg", info)
    assert info.reasons == ("iteration limit",)


def test_factorisations(said, at_once):
    n = 60_000
    A, b = chain(n), torch.ones(n, dtype=torch.float64)
    A.values().mul_(time.time())  # or factors would be found again
    for method in ("cholesky", "lu"):
        tsgu.sparse_generic_solve(A, b, method, progress=True)
        assert re.match(f"{method}: converged, .*residual \\d", said()[-1])
        tsgu.factorize(2 * A, method, progress=True)
        assert said()[-1] == f"{method} of 60,000 x 60,000 with 179,998 entries: done"
    singular = chain(n).to_sparse_coo().coalesce()
    singular.values()[:] = torch.where(singular.indices().eq(n - 1).any(0), 0, singular.values())
    with pytest.raises(tsgu.SingularMatrixError):
        tsgu.factorize(singular, "lu", progress=True)
    assert not any("done" in line for line in said())


def test_what_a_callback_raises_ends_it(said, at_once):
    A, b = chain(50), torch.rand(50, dtype=torch.float64)

    def broken(iteration, residuals):
        time.sleep(0.01)
        if iteration == 5:
            raise KeyError("mine")

    threads = threading.active_count()
    handle = tsgu.solver("cg", callback=broken, progress=True)
    M = tsgu.Matrix.of(A)
    for _ in range(2):  # a new line for every run of a handle
        with pytest.raises(KeyError, match="mine"):
            tsgu.operator("solve")(M.pattern, handle, M.values, b.unsqueeze(1))
        assert all(re.match(r"cg: \d iterations", line) for line in said())
        with pytest.raises(KeyError, match="mine"):
            tsgu.sparse_generic_solve(A, b, "cg", callback=broken, progress=True)
        assert said()[-1].startswith("cg: 5 iterations")
    assert threading.active_count() == threads


def test_threads_have_lines_of_their_own(said, at_once):
    A = tsgu.Matrix.of(chain(30))
    handle = tsgu.solver("cg", callback=slowly(0.01), progress=True)
    solve = tsgu.operator("solve")
    b = torch.rand(30, 1, dtype=torch.float64)
    threads = [
        threading.Thread(target=solve, args=(A.pattern, handle, A.values, scale * b))
        for scale in (1.0, 1e6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends = [line for line in said() if "converged" in line]
    sizes = sorted(float(line.split()[-1]) for line in dict.fromkeys(ends))
    assert len(sizes) == 2 and sizes[1] > 1e4 * sizes[0]


def test_a_solver_of_ones_own_gets_the_word(said, at_once):
    given = {}

    def mine(A, B, **options):
        given.update(options)
        return torch.linalg.solve(A.to_dense(), B)

    b = torch.ones(5, dtype=torch.float64)
    tsgu.sparse_generic_solve(chain(5), b, mine, progress=True)
    assert given == {"progress": True}
    with pytest.raises(TypeError, match="progress is an option of our method"):
        tsgu.sparse_generic_lstsq(chain(5), b, mine, progress=True)
    assert said() == []


@pytest.mark.parametrize("function", [linear_cg, minres, bicgstab, gmres, cgs])
@pytest.mark.parametrize("kind", ["a matrix", "a closure"])
def test_functions_of_matrices_and_closures(said, at_once, function, kind):
    A, b = chain(40), torch.rand(40, dtype=torch.float64)

    def slow(v):
        time.sleep(0.003)
        return A @ v

    x = function(A if kind == "a matrix" else slow, b, progress=True)
    if kind == "a closure":
        found, name = said(), function.__name__.removeprefix("linear_")
        assert re.match(rf"{name}: converged, \d+ iterations, residual \d", found[-1])
        # The last one is that of the solve, up to roundings of its own.
        residual = torch.linalg.vector_norm(b - A @ x).item()
        assert abs(float(found[-1].split()[-1]) - residual) < 1e-2 * residual + 1e-12
    said()
    function(A if kind == "a matrix" else slow, b)
    assert said() == []


def test_least_squares_of_a_closure(said, at_once):
    A, b = chain(30), torch.rand(30, dtype=torch.float64)

    def slow(v):
        time.sleep(0.003)
        return A @ v

    lsmr(slow, b, slow, 30, progress=True)
    assert said()[-1].startswith("lsmr: converged, ")
    lsmr(A, b, progress=True)
    said()
    lsmr(slow, b, slow, 30)
    assert said() == []
