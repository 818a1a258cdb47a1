"""What solves prepare: found by whoever solves with the same values, owned by who will."""

import copy
import io
import itertools
import threading

import numpy as np
import pytest
import scipy.sparse
import torch
from run_tools import run_script
from scipy.sparse.linalg import spsolve_triangular

import tsgu
from tsgu._patterns import tensors
from tsgu._programs import prepared
from tsgu._runtime import library

SIDE = 84  # large enough for values to be numbered
N = SIDE * SIDE
MANY = 130  # solves: more than any that are waited for


PATH = f"import sys; sys.path.insert(0, {str(__file__).rpartition('/')[0]!r})\n"


def config(name):
    return tsgu.show_config()[name]


_seeds = itertools.count()


def arrays(dtype=torch.float64, seed=None):
    """Positions, columns and values of a five-point grid, as torch's own memory.

    The values are no other test's, unless a seed is given.
    """
    seed = next(_seeds) if seed is None else 1000 + seed
    line = scipy.sparse.diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(SIDE, SIDE))
    eye = scipy.sparse.eye_array(SIDE)
    A = (scipy.sparse.kron(line, eye) + scipy.sparse.kron(eye, line)).tocsr()
    A.sort_indices()
    values = torch.randn(A.nnz, dtype=dtype, generator=torch.Generator().manual_seed(seed)) / 8
    rows = torch.from_numpy(A.tocoo().row)
    columns = torch.from_numpy(A.indices).clone()
    values[rows == columns] += 2
    return torch.from_numpy(A.indptr).clone(), columns, values


def rows_of(positions):
    return torch.repeat_interleave(torch.arange(N), positions.diff())


def coo_of(make, positions, columns, values):
    return make(torch.stack([rows_of(positions), columns.long()]), values, (N, N))


def scrambled(positions, columns, values):
    order = torch.randperm(values.numel(), generator=torch.Generator().manual_seed(1))
    indices = torch.stack([rows_of(positions), columns.long()])[:, order]
    return torch.sparse_coo_tensor(indices, values[order], (N, N))


KINDS = {
    "tsgu.csr": lambda p, c, v: tsgu.csr(p, c, v, (N, N)),
    "tsgu.coo": lambda p, c, v: coo_of(tsgu.coo, p, c, v),
    "torch csr": lambda p, c, v: torch.sparse_csr_tensor(p, c, v, (N, N)),
    "torch coo": lambda p, c, v: coo_of(torch.sparse_coo_tensor, p, c, v),
    "unsorted": scrambled,
    "csc": lambda p, c, v: torch.sparse_csc_tensor(p, c, v, (N, N)),
    "matrix": lambda p, c, v: tsgu.Matrix(tsgu.Pattern.csr(p, c, N), v),
}


def values_of(A):
    if isinstance(A, tsgu.Matrix):
        return A.values
    return A._values() if A.layout is torch.sparse_coo else A.values()


def dense_solve(A, b, upper, transpose):
    """By SciPy, in double precision, of the triangle as it is now."""
    A = A.to_torch() if isinstance(A, tsgu.Matrix) else A
    coo = A.detach().to_sparse_coo()
    coo = coo.coalesce() if not coo.is_coalesced() else coo
    wide = np.complex128 if A.is_complex() else np.float64
    T = scipy.sparse.csr_array((coo.values().numpy().astype(wide), coo.indices().numpy()), (N, N))
    T = scipy.sparse.triu(T) if upper else scipy.sparse.tril(T)
    T = T.T if transpose else T
    return torch.from_numpy(spsolve_triangular(T.tocsr(), b.numpy(), lower=upper == transpose))


def assert_solves(x, A, b, upper=False, transpose=False):
    eps = torch.finfo(x.dtype).eps
    expected = dense_solve(A, b, upper, transpose).to(x.dtype)
    torch.testing.assert_close(x.detach(), expected, rtol=500 * eps, atol=50 * eps)


# ===-- Triangles --------------------------------------------------------------===#


@pytest.mark.parametrize("upper,transpose", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("kind", KINDS)
def test_values_that_stay_are_packed(kind, upper, transpose):
    """After some fifty solves, with the same bits."""
    A, b = KINDS[kind](*arrays()), torch.randn(N, dtype=torch.float64)
    first = tsgu.sparse_triangular_solve(A, b, upper=upper, transpose=transpose)
    assert_solves(first, A, b, upper, transpose)
    before = config("prepared misses")
    for _ in range(MANY):
        x = tsgu.sparse_triangular_solve(A, b, upper=upper, transpose=transpose)
        assert torch.equal(x, first)
    assert config("prepared misses") == before + 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.complex128])
def test_in_every_dtype(dtype):
    A, b = KINDS["tsgu.csr"](*arrays(dtype)), torch.randn(N, dtype=dtype)
    before = config("prepared misses")
    first = [tsgu.sparse_triangular_solve(A, b, upper, transpose=upper) for upper in (False, True)]
    for _ in range(MANY):
        for upper in (False, True):
            x = tsgu.sparse_triangular_solve(A, b, upper, transpose=upper)
            assert torch.equal(x, first[upper])
    assert config("prepared misses") == before + 2
    assert_solves(first[0], A, b)


def test_few_values_are_not():
    A = torch.eye(100, dtype=torch.float64).to_sparse_csr()
    before = config("prepared misses")
    for _ in range(MANY):
        tsgu.sparse_triangular_solve(A, torch.ones(100, dtype=torch.float64))
    assert config("prepared misses") == before


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_find_them(kind):
    A = KINDS[kind](*arrays())
    A = A.with_values(A.values.requires_grad_()) if kind == "matrix" else A.requires_grad_()
    b = torch.randn(N, dtype=torch.float64, requires_grad=True)
    leaf = A.values if kind == "matrix" else A

    def step():
        x = tsgu.sparse_triangular_solve(A, b, upper=False)
        gradients = torch.autograd.grad(x.square().sum(), (leaf, b), create_graph=True)
        values = gradients[0] if kind == "matrix" else tsgu.values(gradients[0])
        second = torch.autograd.grad(values.square().sum() + gradients[1].sin().sum(), (leaf, b))
        values2 = second[0] if kind == "matrix" else tsgu.values(second[0])
        return x.detach(), values.detach(), gradients[1].detach(), values2, second[1]

    before = config("prepared misses")
    first = step()
    for _ in range(MANY // 2):
        for mine, expected in zip(step(), first, strict=True):
            assert torch.equal(mine, expected)
    assert config("prepared misses") == before + 1  # one, with both directions


def through_source(A, values):
    values[N // 2] += 0.5


def through_tensor(A, values):
    values_of(A).mul_(2)


def through_one_entry(A, values):
    values_of(A)[0] = 3


def by_an_optimizer(A, values):
    values.grad = torch.ones_like(values)
    torch.optim.SGD([values], 0.01).step()
    values.grad = None


def by_assignment(A, values):
    values[:] = arrays(seed=7)[2]


def behind_the_count(A, values):
    values.data.mul_(1.25)


WRITES = [
    through_source,
    through_tensor,
    through_one_entry,
    by_an_optimizer,
    by_assignment,
    behind_the_count,
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unsorted"])
def test_writes_are_seen(kind, write):
    """Never an old triangle: through the tensor, through what it was made of, in each direction."""
    positions, columns, values = arrays()
    A, b = KINDS[kind](positions, columns, values), torch.randn(N, dtype=torch.float64)
    for _ in range(2):
        for _ in range(MANY):
            tsgu.sparse_triangular_solve(A, b, upper=False)
            tsgu.sparse_triangular_solve(A, b, upper=False, transpose=True)
        write(A, values)
        for transpose in (False, True):
            x = tsgu.sparse_triangular_solve(A, b, upper=False, transpose=transpose)
            assert_solves(x, A, b, transpose=transpose)


def test_memory_of_others_is_looked_at():
    positions, columns, values = arrays()
    array = values.numpy().copy()
    A = tsgu.csr(positions, columns, torch.from_numpy(array), (N, N))
    b = torch.randn(N, dtype=torch.float64)
    for entry in (0, 5000, len(array) - 1):
        for _ in range(MANY):
            tsgu.sparse_triangular_solve(A, b, upper=False)
        array[entry] += 1
        assert_solves(tsgu.sparse_triangular_solve(A, b, upper=False), A, b)


@pytest.mark.parametrize("kind", KINDS)
def test_new_values_at_an_old_address(kind):
    """As in training: each step has a matrix of its own, often in the memory of the last."""
    positions, columns, values = arrays()
    b = torch.randn(N, dtype=torch.float64)
    for k in range(MANY):
        A = KINDS[kind](positions, columns, values * (1 + k))
        x = tsgu.sparse_triangular_solve(A, b, upper=False)
        if k % 20 == 0:
            assert_solves(x, A, b)
        del A, x


@pytest.mark.parametrize("make", ["tsgu.csr", "torch csr"])
def test_a_parameter_that_is_trained(make):
    """One memory, a tensor of its own for each step, an optimizer that writes."""
    positions, columns, values = arrays()
    values.requires_grad_()
    optimizer = torch.optim.SGD([values], 1e-4)
    b = torch.ones(N, dtype=torch.float64)
    for k in range(MANY):
        A = KINDS[make](positions, columns, values)
        x = tsgu.sparse_triangular_solve(A, b, upper=False)
        optimizer.zero_grad()
        x.sum().backward() if make == "tsgu.csr" else None
        if k % 25 == 0:
            assert_solves(x, A, b)
        optimizer.step()


def test_two_matrices_in_turn():
    first, second = (KINDS["tsgu.csr"](*arrays(seed=seed)) for seed in (1, 2))
    b = torch.randn(N, dtype=torch.float64)
    expected = [tsgu.sparse_triangular_solve(A, b, upper=False) for A in (first, second)]
    before = config("prepared misses")
    for _ in range(MANY):
        for A, x in zip((first, second), expected, strict=True):
            assert torch.equal(tsgu.sparse_triangular_solve(A, b, upper=False), x)
    assert config("prepared misses") == before + 2


@pytest.mark.parametrize("kind", ["tsgu.csr", "torch csr", "torch coo", "matrix"])
def test_writes_in_inference_mode(kind):
    """Which torch does not count: the content is looked at."""
    with torch.inference_mode():
        A, b = KINDS[kind](*arrays()), torch.randn(N, dtype=torch.float64)
        for entry in (0, 5000, -1):
            for _ in range(MANY):
                tsgu.sparse_triangular_solve(A, b, upper=False)
            values_of(A)[entry] += 1
            assert_solves(tsgu.sparse_triangular_solve(A, b, upper=False), A, b)


def test_values_of_their_own_on_a_known_pattern():
    """In the same memory time and again, while the tensor that the pattern is of is as it was."""
    A, b = KINDS["tsgu.csr"](*arrays()), torch.randn(N, 1, dtype=torch.float64)
    solve, handle = tsgu.operator("triangular_solve"), tsgu.solver("triangular")
    pattern, values = tensors.parts(A)
    for k in range(MANY):
        x = solve(pattern, handle, values * (1 + k), b)
        if k % 20 == 0:
            assert_solves(x[:, 0] * (1 + k), A, b[:, 0])


def test_under_transforms():
    A, b = KINDS["tsgu.csr"](*arrays()), torch.randn(N, dtype=torch.float64)
    expected = tsgu.sparse_triangular_solve(A, b, upper=False)
    for _ in range(MANY):
        tsgu.sparse_triangular_solve(A, b, upper=False)

    def total(b):
        return tsgu.sparse_triangular_solve(A, b, upper=False).sum()

    columns = torch.func.vmap(lambda b: tsgu.sparse_triangular_solve(A, b, upper=False))
    assert torch.equal(columns(torch.stack([b, b]))[1], expected)
    gradient = torch.func.grad(total)(b)
    assert_solves(gradient, A, torch.ones_like(b), transpose=True)


def test_a_signal_takes_back_what_was_said():
    """Between that and the run it was for: other values are not taken for these."""

    def interrupted(*_):
        raise KeyboardInterrupt

    first, second = (KINDS["tsgu.csr"](*arrays(seed=seed)) for seed in (1, 2))
    b = torch.randn(N, dtype=torch.float64)
    for _ in range(MANY):
        tsgu.sparse_triangular_solve(first, b, upper=False)
    program, handle = tsgu.operator("triangular_solve").program, tsgu.solver("triangular")
    pattern, values = tensors.parts(first)
    kept = library.keep_next()
    with pytest.raises(KeyboardInterrupt):
        said = prepared.saying(interrupted, program.signature)
        said((pattern,), handle, values, b.unsqueeze(1))
    pattern, values = tensors.parts(second)
    run = torch.ops.tsgu.run3.default._op  # says nothing itself
    indices = pattern.positions, pattern.coordinates, pattern.columns, pattern.version()
    x = run(program.number, *indices, handle, values, b.unsqueeze(1)).squeeze(1)
    assert_solves(x, second, b)
    del kept


def test_what_is_known_of_a_matrix_stays_out_of_files():
    A, b = KINDS["tsgu.csr"](*arrays()), torch.randn(N, dtype=torch.float64)
    pattern, values = tensors.parts(A)
    M = tsgu.Matrix(pattern, values)
    for _ in range(MANY):
        tsgu.sparse_triangular_solve(A, b, upper=False)
        expected = tsgu.sparse_triangular_solve(M, b, upper=False)
    copies = [copy.deepcopy(M)]
    for saved in (A, M):
        stream = io.BytesIO()
        torch.save(saved, stream)
        stream.seek(0)
        copies.append(torch.load(stream, weights_only=False))
    for other in copies:
        assert torch.equal(tsgu.sparse_triangular_solve(other, b, upper=False), expected)


def test_a_forked_process_finds_them():
    script = """
import os, torch, test_prepared as t, tsgu
torch.set_num_threads(1)  # torch's own pool does not outlive a fork
A, b = t.KINDS["tsgu.csr"](*t.arrays()), torch.randn(t.N, dtype=torch.float64)
for _ in range(t.MANY):
    x = tsgu.sparse_triangular_solve(A, b, upper=False)
before = t.config("prepared misses")
child = os.fork()
assert torch.equal(tsgu.sparse_triangular_solve(A, b, upper=False), x)
A.values()[3] += 1
for _ in range(t.MANY):
    x = tsgu.sparse_triangular_solve(A, b, upper=False)
t.assert_solves(x, A, b)
assert t.config("prepared misses") == before + 1
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    run_script(PATH + script)


def test_from_many_threads():
    A, b = KINDS["tsgu.csr"](*arrays()), torch.randn(N, dtype=torch.float64)
    expected = [tsgu.sparse_triangular_solve(A, b, False, transpose=t) for t in (False, True)]
    wrong = []

    def work(k):
        for step in range(MANY):
            transpose = bool((k + step) % 2)
            x = tsgu.sparse_triangular_solve(A, b, False, transpose=transpose)
            if not torch.equal(x, expected[transpose]):
                wrong.append((k, step))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_checking_mode():
    """Every use compares what torch's count says with the content."""
    script = """
import torch, test_prepared as t, tsgu
positions, columns, values = t.arrays()
A, b = t.KINDS["tsgu.csr"](positions, columns, values), torch.randn(t.N, dtype=torch.float64)
for _ in range(t.MANY):
    tsgu.sparse_triangular_solve(A, b, upper=False)
values.data[17] += 1
t.assert_solves(tsgu.sparse_triangular_solve(A, b, upper=False), A, b)
"""
    run_script(PATH + script, TSGU_CHECK_PATTERNS="1")
