"""Random matrices: what is promised of each, and that every choice of elements is as likely."""

import functools
import itertools
import math
import random

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from run_tools import measure

from oracle import dense, indices_of, stored_values
from tsgu.utils import _sampling, rand_sparse, rand_sparse_tri, random_sparse
from tsgu.utils.random_sparse import make_spd_sparse

COO, CSR = torch.sparse_coo, torch.sparse_csr
LAYOUTS = (COO, CSR)
DOUBLE = torch.float64

# Of each statistical test, for a seed drawn at random; the seeds are fixed.
FALSE_ALARM = 1e-6


def as_dense(A):
    return dense(indices_of(A), stored_values(A).double(), A.shape)


def counts(A):
    """How many entries the items have."""
    stored = torch.ones_like(stored_values(A), dtype=torch.int64)
    return dense(indices_of(A), stored, A.shape).sum((-1, -2))


def assert_valid(A):
    """Right by torch's own checks: in range, sorted, distinct."""
    if A.layout is COO:
        assert A.is_coalesced()
        arrays = A._indices(), A._values()
        torch.sparse_coo_tensor(*arrays, A.shape, is_coalesced=True, check_invariants=True)
        assert torch.equal(A._indices(), indices_of(A).unique(dim=1))
    else:
        arrays = A.crow_indices(), A.col_indices(), A.values()
        torch.sparse_csr_tensor(*arrays, A.shape, check_invariants=True)


# ===-- What each matrix has -------------------------------------------------------===#


@st.composite
def sizes(draw, square=False):
    n = draw(st.integers(0, 7))
    m = n if square else draw(st.integers(0, 7))
    items = draw(st.sampled_from([None, 0, 1, 3]))
    return (n, m) if items is None else (items, n, m)


@settings(max_examples=80)
@given(
    sizes(),
    st.floats(0, 1),
    st.sampled_from(LAYOUTS),
    st.sampled_from([torch.int32, torch.int64]),
    st.booleans(),
)
def test_a_general_matrix(size, fill, layout, index, well_conditioned):
    n, m = size[-2:]
    nnz = round(fill * n * m)
    options = {"indices_dtype": index, "well_conditioned": well_conditioned}
    A = rand_sparse(size, nnz, layout, **options)
    assert A.shape == size and A.layout is layout and A.dtype is torch.float32
    assert_valid(A)
    assert (counts(A) == nnz).all()
    assert ((stored_values(A) > 0) & (stored_values(A) <= 2)).all()
    if layout is CSR:
        assert A.crow_indices().dtype is A.col_indices().dtype is index
    if well_conditioned:
        on_diagonal = (as_dense(A).diagonal(dim1=-2, dim2=-1) > 0).sum(-1)
        assert (on_diagonal == min(nnz, n, m)).all()


@settings(max_examples=80)
@given(
    sizes(square=True),
    st.floats(0, 1),
    st.sampled_from(LAYOUTS),
    st.sampled_from([torch.int32, torch.int64]),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_a_triangular_matrix(size, fill, layout, index, flags):
    upper, strict, well_conditioned = flags
    n = size[-1]
    most = n * (n - 1) // 2
    nnz = round(fill * most) + (0 if strict else n)
    options = {"upper": upper, "strict": strict, "well_conditioned": well_conditioned}
    A = rand_sparse_tri(size, nnz, layout, indices_dtype=index, **options)
    assert A.shape == size and A.layout is layout
    assert_valid(A)
    assert (counts(A) == nnz).all()
    *_, row, column = indices_of(A)
    assert (row <= column if upper else row >= column).all()
    assert (row == column).sum() == (0 if strict else math.prod(size[:-1]))
    if layout is CSR:
        assert A.crow_indices().dtype is A.col_indices().dtype is index


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("low,high", [(-3.0, -2.0), (0.5, 4.0)])
def test_values_lie_in_the_range(layout, strict, low, high):
    A = rand_sparse_tri((2, 30, 30), 200, layout, strict=strict, value_range=(low, high))
    values = stored_values(A)
    assert low < values.min() < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < values.max() <= high


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, DOUBLE, torch.complex64]
)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("well_conditioned", [True, False])
def test_every_dtype(dtype, layout, well_conditioned):
    options = {"values_dtype": dtype, "well_conditioned": well_conditioned}
    for A in (
        rand_sparse((40, 40), 400, layout, **options),
        rand_sparse_tri((40, 40), 400, layout, **options),
    ):
        values = stored_values(A)
        assert A.dtype is dtype and values.isfinite().all() and (values != 0).all()
        assert values.abs().float().std() > 0.05


@pytest.mark.parametrize("size", [(30, 30), (30, 20), (20, 30), (3, 25, 25)])
@pytest.mark.parametrize("fill", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("least", [1.0, 1e-3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_condition_of_general_matrices(size, fill, least, layout):
    nnz = max(round(fill * size[-2] * size[-1]), min(size[-2:]))
    options = {"well_conditioned": True, "min_diag_value": least, "values_dtype": DOUBLE}
    A = as_dense(rand_sparse(size, nnz, layout, **options))
    assert (A.diagonal(dim1=-2, dim2=-1) >= least).all()
    assert (torch.linalg.cond(A) <= 5).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("strict", [True, False])
def test_condition_of_triangular_matrices(layout, strict):
    options = {"well_conditioned": True, "min_diag_value": 0.1, "values_dtype": DOUBLE}
    options |= {"strict": strict, "value_range": (-4, 4)}
    for nnz in (100, 1000):
        A = as_dense(rand_sparse_tri((2, 50, 50), nnz, layout, **options))
        A = A + torch.eye(50, dtype=DOUBLE) if strict else A
        assert (torch.linalg.cond(A) <= 5).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("index", [torch.int32, torch.int64])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.complex128, torch.float16])
@pytest.mark.parametrize(
    "n,options,absent",
    [
        (40, {}, 780),
        (40, {"sparsity_ratio": 0.9}, 1404),
        (40, {"sparsity_ratio": 0}, 0),
        (40, {"sparsity_ratio": 1}, 1560),
        (40, {"nz": 101}, 100),
        (1, {}, 0),
        (0, {}, 0),
    ],
)
def test_definite_matrices(layout, index, dtype, n, options, absent):
    A, full = make_spd_sparse(n, layout, dtype, index, "cpu", **options)
    assert A.layout is layout and A.dtype is full.dtype is dtype and A.shape == (n, n)
    assert_valid(A)
    if layout is CSR:
        assert A.crow_indices().dtype is A.col_indices().dtype is index
    assert stored_values(A).numel() == n * n - absent
    assert torch.equal(dense(indices_of(A), stored_values(A), A.shape), full)
    assert torch.equal(full, full.mH)
    if n:
        wide = full.to(torch.complex128 if dtype.is_complex else DOUBLE)
        eigenvalues = torch.linalg.eigvalsh(wide)
        rounding = 8 * torch.finfo(dtype).eps
        assert eigenvalues[0] >= 0.5 - rounding and eigenvalues[-1] <= 2.5 + rounding


def test_sparse_definite_matrices_need_no_dense_algebra():
    n = 2000  # 7 s and 100 MB by products of dense matrices
    A, full = make_spd_sparse(n, CSR, torch.float32, torch.int32, "cpu", sparsity_ratio=0.999)
    rows = torch.arange(n).repeat_interleave(A.crow_indices().diff())
    assert torch.equal(full[rows, A.col_indices().long()], A.values())
    assert full.count_nonzero() == A.values().count_nonzero()


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_variants_by_layout(layout):
    names = {
        f"generate_random_sparse_{layout}_matrix": {},
        f"generate_random_sparse_triangular_{layout}_matrix": {"upper": False},
        f"generate_random_sparse_strictly_triangular_{layout}_matrix": {"value_range": (2, 3)},
    }
    for name, options in names.items():
        function = getattr(random_sparse, name)
        A = function((2, 6, 6), 9, values_dtype=DOUBLE, indices_dtype=torch.int32, **options)
        assert str(A.layout).endswith(layout) and A.dtype is DOUBLE
        *_, row, column = indices_of(A)
        if "strictly" in name:
            assert (row < column).all() and (stored_values(A) > 2).all()
        elif "triangular" in name:
            assert (row >= column).all() and (row == column).sum() == 12


def test_huge_matrices_take_what_their_entries_take():
    found = measure("""
import json, torch
from tsgu.utils import rand_sparse, rand_sparse_tri
n, nnz = 3_000_000_000, 100_000
before = read("VmRSS")
def step():
    A = rand_sparse((n, n), nnz)
    L = rand_sparse_tri((n // 10, n // 10), nnz, strict=True, upper=False)
    assert A._nnz() == L._nnz() == nnz and bool((L._indices()[0] > L._indices()[1]).all())
peak, _ = peak_of(step)
print(json.dumps(peak - before))
""")
    assert found < 100 << 20


# ===-- Where the numbers come from ---------------------------------------------------===#

MAKERS = [
    functools.partial(rand_sparse, (30, 40), 300),
    functools.partial(rand_sparse, (3, 30, 40), 300, CSR, well_conditioned=True),
    functools.partial(rand_sparse_tri, (30, 30), 100),
    lambda **options: make_spd_sparse(20, COO, DOUBLE, torch.int64, "cpu", **options)[0],
]


@pytest.mark.parametrize("make", MAKERS)
def test_torch_generators_decide(make):
    def same(A, B):
        return torch.equal(indices_of(A), indices_of(B)) and torch.equal(
            stored_values(A), stored_values(B)
        )

    torch.manual_seed(5)
    random.seed(1)
    first, second = make(), make()
    torch.manual_seed(5)
    random.seed(2)
    assert same(first, make()) and not same(first, second)
    state = torch.get_rng_state()
    by_generator = [make(generator=torch.Generator().manual_seed(k)) for k in (5, 5, 6)]
    assert torch.equal(torch.get_rng_state(), state)
    assert same(by_generator[0], by_generator[1]) and same(by_generator[0], first)
    assert not same(by_generator[0], by_generator[2])


# ===-- Every choice is as likely ------------------------------------------------------===#


def assert_uniform(observed, categories):
    """Pearson's test of `observed`, a tensor of category numbers."""
    counted = torch.bincount(observed, minlength=categories).double()
    assert len(counted) == categories
    expected = len(observed) / categories
    assert expected >= 10
    statistic = ((counted - expected) ** 2 / expected).sum().item()
    assert statistic < scipy.stats.chi2.isf(FALSE_ALARM, categories - 1)


def numbered(choices, population):
    """The number of each row's choice among all of its size."""
    numbers = {
        choice: k
        for k, choice in enumerate(itertools.combinations(range(population), choices.shape[1]))
    }
    return torch.tensor([numbers[tuple(row)] for row in choices.tolist()]), len(numbers)


@pytest.mark.parametrize("population,count", [(9, 1), (9, 3), (9, 4), (9, 5), (9, 8), (14, 2)])
def test_every_set_of_numbers(population, count):
    assert_uniform(*numbered(_sampling.distinct(8000, count, population), population))


def test_every_set_of_numbers_after_too_few_draws(monkeypatch):
    tries = []
    once = _sampling._first_distinct
    monkeypatch.setattr(_sampling, "_enough_draws", lambda count, population: count)
    monkeypatch.setattr(
        _sampling, "_first_distinct", lambda *given: tries.append(1) or once(*given)
    )
    choices = torch.cat([_sampling.distinct(1, 3, 7) for _ in range(2000)])
    assert len(tries) > 2500
    assert_uniform(*numbered(choices, 7))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("nnz", [2, 9])
def test_every_general_pattern(layout, nnz):
    A = rand_sparse((4000, 3, 4), nnz, layout)
    *_, row, column = indices_of(A)
    assert_uniform(*numbered((4 * row + column).view(-1, nnz), 12))


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_every_triangular_pattern(upper, strict):
    A = rand_sparse_tri((4000, 4, 4), 3 if strict else 7, upper=upper, strict=strict)
    _, row, column = indices_of(A)[:, indices_of(A)[1] != indices_of(A)[2]]
    low, high = torch.minimum(row, column), torch.maximum(row, column)
    assert_uniform(*numbered((high * (high - 1) // 2 + low).view(-1, 3).sort(1)[0], 6))


@pytest.mark.parametrize("n,m", [(3, 4), (4, 3), (3, 3)])
def test_every_pattern_beside_a_diagonal(n, m):
    crossed = min(n, m)
    A = rand_sparse((4000, n, m), crossed + 2, well_conditioned=True)
    _, row, column = indices_of(A)[:, indices_of(A)[1] != indices_of(A)[2]]
    others = [m * i + j for i in range(n) for j in range(m) if i != j]
    place = torch.full((n * m,), -1)
    place[others] = torch.arange(len(others))
    assert_uniform(*numbered(place[m * row + column].view(-1, 2), len(others)))


def test_every_definite_pattern():
    patterns = []
    for _ in range(1000):
        A, _ = make_spd_sparse(4, COO, DOUBLE, torch.int64, "cpu", nz=8)
        row, column = A._indices()
        patterns.append((row * (row - 1) // 2 + column)[row > column])
    assert_uniform(*numbered(torch.stack(patterns), 6))


def test_rows_of_huge_matrices():
    n = 3 * 2**29  # half of what is below a power of 2: a modulus of 32 bits would be seen
    A = rand_sparse((n, 1), 100_000)
    assert_uniform(A._indices()[0] * 64 // n, 64)


def test_values_are_uniform():
    for dtype in (torch.float32, DOUBLE):
        values = stored_values(rand_sparse((400, 400), 40_000, values_dtype=dtype))
        assert_uniform((values * 64).ceil().long() - 1, 64)


# ===-- Refusals -----------------------------------------------------------------------===#


@pytest.mark.parametrize(
    "function,size,nnz,options,text",
    [
        (rand_sparse, (5,), 3, {}, "size must have at least 2 dimensions"),
        (rand_sparse, (2, 2, 2, 2), 3, {}, r"size must be \(n, m\) or \(b, n, m\)"),
        (rand_sparse, (-1, 2), 0, {}, "size must be nonnegative"),
        (rand_sparse, (2**32, 2**32), 0, {}, "less than 2.63 elements"),
        (rand_sparse, (5, 5), 26, {}, "nnz must be less than or equal to n_r"),
        (rand_sparse, (5, 5), -1, {}, "nnz must be less than or equal to n_r"),
        (rand_sparse_tri, (5, 4), 3, {}, "size must be a square matrix or batched square matrix"),
        (rand_sparse_tri, (5, 5), 4, {}, r"nnz must be between n and n\*\(n\+1\)/2, 5 and 15"),
        (rand_sparse_tri, (5, 5), 16, {}, "nnz must be between n and"),
        (rand_sparse_tri, (5, 5), 11, {"strict": True}, "nnz must be less than or equal to"),
        (rand_sparse_tri, (5, 5), -1, {"strict": True}, "nnz must be less than or equal to"),
        (rand_sparse, (5, 5), 3, {"layout": torch.strided}, "Unsupported layout type"),
        (rand_sparse_tri, (5, 5), 5, {"layout": torch.sparse_csc}, "Unsupported layout type"),
        (rand_sparse, (5, 5), 3, {"indices_dtype": torch.int16}, "torch.int64 or torch.int32"),
        (rand_sparse_tri, (5, 5), 5, {"values_dtype": torch.int64}, "floating-point or complex"),
        (
            rand_sparse,
            (5, 5),
            5,
            {"well_conditioned": True, "min_diag_value": 0.0},
            "min_diag_value must be positive",
        ),
    ],
)
def test_refusals(function, size, nnz, options, text):
    with pytest.raises(ValueError, match=text):
        function(size, nnz, **options)


@pytest.mark.parametrize(
    "options,text",
    [
        ({"nz": -2}, "nz must be between"),
        ({"nz": 21}, "nz must be between"),
        ({"sparsity_ratio": 1.5}, "sparsity_ratio must be between"),
    ],
)
def test_refused_definite_matrices(options, text):
    with pytest.raises(ValueError, match=text):
        make_spd_sparse(5, COO, DOUBLE, torch.int64, "cpu", **options)
