"""Batches of small systems on one pattern, which are solved several at once."""

import pytest
import torch

import oracle
import tsgu

METHODS = ["cholesky", "lu"]
REAL = [torch.float32, torch.float64]


def factorizations():
    return tsgu.show_config()["factorizations"]


class Systems:
    """k matrices of n rows on one pattern, symmetric positive definite ones for Cholesky."""

    def __init__(self, k, method, dtype=torch.float64, n=12, seed=0):
        generator = torch.Generator().manual_seed(seed)
        stored = torch.rand(n, n, generator=generator) < 0.2
        stored |= torch.eye(n, dtype=torch.bool)
        if method == "cholesky":
            stored = stored | stored.T
        self.A = tsgu.Matrix.of(stored.to(dtype).to_sparse_csr())
        self.row, self.column = stored.nonzero().T
        dense = torch.randn(k, n, n, generator=generator, dtype=torch.float64)
        if method == "cholesky":
            dense = dense + dense.mT + 16 * torch.eye(n)
        else:  # no order of the rows is that of the diagonal
            dense = dense + 4 * torch.eye(n)
        self.values = dense.to(dtype)[:, self.row, self.column].contiguous()
        self.method, self.n = method, n

    def factors(self, values):
        return tsgu.factorize(self.A.with_values(values), self.method)

    def solve(self, values, B):
        return self.factors(values).solve(B)

    def dense(self, values):
        empty = values.new_zeros(*values.shape[:-1], self.n * self.n)
        place = self.row * self.n + self.column
        return empty.index_copy(-1, place, values).unflatten(-1, (self.n, self.n))

    def reference(self, values, B):
        return torch.linalg.solve(self.dense(values), B[..., None] if B.dim() == 2 else B).view_as(
            B
        )


def right(k, n, dtype, columns=None):
    return torch.randn(k, n, *([columns] if columns else []), dtype=dtype)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [1, 7, 8, 9, 21])
@pytest.mark.parametrize("columns", [None, 3])
def test_solves_and_their_derivatives(k, columns, method, dtype):
    systems = Systems(k, method, dtype, seed=2 * k + (columns is None))
    inputs = systems.values.requires_grad_(), right(k, 12, dtype, columns).requires_grad_()
    before = factorizations()
    oracle.assert_same_derivatives(systems.solve, systems.reference, inputs, 2, terms=1 << 14)
    assert factorizations() == before + k


@pytest.mark.parametrize("method", METHODS)
def test_a_thousand(method):
    systems = Systems(1000, method, n=40)
    values, B = systems.values.requires_grad_(), right(1000, 40, torch.float64).requires_grad_()
    before = factorizations()
    x = systems.solve(values, B)
    found = torch.autograd.grad(x.square().sum(), (values, B))
    assert factorizations() == before + 1000
    expected = systems.reference(values, B)
    oracle.assert_close(x.detach(), expected.detach(), 1 << 12)
    for left, right_ in zip(
        found, torch.autograd.grad(expected.square().sum(), (values, B)), strict=True
    ):
        oracle.assert_close(left, right_, 1 << 14)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("method", METHODS)
def test_transposed_solves_and_determinants(method, dtype):
    systems = Systems(19, method, dtype)
    factors, B = systems.factors(systems.values), right(19, 12, dtype, 2)
    dense = systems.dense(systems.values)
    oracle.assert_close(factors.solve_transposed(B), torch.linalg.solve(dense.mT, B), 1 << 12)
    sign, log = factors.slogdet()
    expected = torch.linalg.slogdet(dense)
    assert torch.equal(sign, expected.sign)
    oracle.assert_close(log, expected.logabsdet, 1 << 10)


@pytest.mark.parametrize("method", METHODS)
def test_vmap_and_compile(method):
    systems = Systems(10, method)
    values, B = systems.values, right(10, 12, torch.float64)
    expected = systems.reference(values, B)

    def solve(values, b):
        return tsgu.factorize(systems.A.with_values(values), method).solve(b)

    oracle.assert_close(torch.func.vmap(solve)(values, B), expected, 1 << 12)
    oracle.assert_close(torch.compile(solve, backend="aot_eager")(values, B), expected, 1 << 12)


def broken(systems, item, how):
    values = systems.values.clone()
    diagonal = systems.row == systems.column
    if how == "singular":
        values[item, systems.row == 3] = 0
        values[item, systems.column == 3] = 0
    elif how == "NaN":
        values[item, 5] = torch.nan
    elif how == "indefinite":
        values[item, diagonal & (systems.row == 7)] *= -1
    elif how == "skew":
        values[item, (systems.row > systems.column)] += 1
    return values


@pytest.mark.parametrize("how", ["singular", "NaN", "indefinite", "skew"])
@pytest.mark.parametrize("method", METHODS)
def test_one_bad_matrix_among_good_ones(method, how):
    systems = Systems(20, method)
    values, B = broken(systems, 11, how), right(20, 12, torch.float64)
    if method == "lu" and how in ("indefinite", "skew"):
        oracle.assert_close(systems.solve(values, B), systems.reference(values, B), 1 << 14)
        return
    with pytest.raises(Exception) as alone:
        systems.solve(values[11], B[11])
    with pytest.raises(type(alone.value)) as together:
        systems.solve(values, B)
    assert str(together.value) == str(alone.value)
    # The others are not touched by it.
    rest = torch.arange(20) != 11
    oracle.assert_close(
        systems.solve(values[rest], B[rest]), systems.reference(values[rest], B[rest]), 1 << 12
    )


@pytest.mark.parametrize("method", METHODS)
def test_matrices_and_vectors_of_any_size(method):
    systems = Systems(24, method)
    scale = 2.0 ** torch.linspace(-60, 60, 12).double()[torch.randperm(12)].round()
    values = systems.values.clone()
    values[3] *= scale[systems.row] * scale[systems.column]
    values[4] *= 1e-200
    values[5] *= 1e200
    B = right(24, 12, torch.float64)
    B[6] *= 1e-300
    B[7] = 0
    x = systems.solve(values, B)
    for item in range(24):
        oracle.assert_close(x[item], systems.solve(values[item], B[item]), 1 << 6)
    rest = torch.tensor([i for i in range(24) if i not in (3, 4, 5, 6)])
    oracle.assert_close(x[rest], systems.reference(values, B)[rest], 1 << 12)
    assert not x[7].any()


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("method", METHODS)
def test_an_item_does_not_depend_on_its_neighbours(method, dtype):
    systems = Systems(30, method, dtype)
    values, B = systems.values, right(30, 12, dtype)
    values[13] *= 1e-30  # by itself
    x = systems.solve(values, B)
    for chosen in (torch.randperm(30), torch.arange(5, 16), torch.arange(30).flip(0)):
        if method == "lu" and 0 not in chosen[:1]:
            continue  # the first one's pivots are taken for all
        assert torch.equal(systems.solve(values[chosen].contiguous(), B[chosen]), x[chosen])


@pytest.mark.parametrize("method", METHODS)
def test_same_bits_for_every_number_of_threads(method):
    systems = Systems(300, method, n=30)
    values, B = systems.values.requires_grad_(), right(300, 30, torch.float64, 2).requires_grad_()
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            scale = 4.0**threads  # factorised anew
            x = systems.solve(values * scale, B) * scale
            found.append((x, *torch.autograd.grad(x.square().sum(), (values, B))))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


def test_values_that_do_not_follow_one_another():
    systems = Systems(20, "cholesky")
    B = right(10, 12, torch.float64)
    for values in (systems.values[::2], systems.values[0].expand(10, -1)):
        oracle.assert_close(systems.solve(values, B), systems.reference(values, B), 1 << 12)


@pytest.mark.parametrize("method", METHODS)
def test_more_factors_than_are_kept_together(method):
    systems = Systems(20000, method, n=20)
    values, B = systems.values, right(20000, 20, torch.float64)
    oracle.assert_close(systems.solve(values, B), systems.reference(values, B), 1 << 14)


def batched(systems, values):
    """The same matrices as one batched tensor."""
    A = systems.A.to_torch(torch.sparse_csr)
    repeat = (len(values), -1)
    arrays = A.crow_indices().expand(repeat), A.col_indices().expand(repeat)
    return torch.sparse_csr_tensor(
        *(x.contiguous() for x in arrays), values, (len(values), *A.shape)
    )


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [3, 8, 21])
def test_batched_tensors_whose_items_are_on_one_pattern(k, method, dtype):
    systems = Systems(k, method, dtype, seed=100 + k)
    B, values = right(k, 12, dtype, 2), systems.values
    before = factorizations()
    factors = tsgu.factorize(batched(systems, values), method)
    x = factors.solve(B)
    assert factorizations() == before + k
    expected = systems.factors(values)
    assert torch.equal(x, expected.solve(B))
    assert torch.equal(factors.solve_transposed(B), expected.solve_transposed(B))
    assert all(map(torch.equal, factors.slogdet(), expected.slogdet()))

    def solve(values, B):
        return tsgu.factorize(matrix.with_values(values.flatten()), method).solve(B)

    matrix = tsgu.Matrix.of(batched(systems, values))
    inputs = values.requires_grad_(), B.requires_grad_()
    oracle.assert_same_derivatives(solve, systems.reference, inputs, 2, terms=1 << 14)


def test_batched_tensors_on_patterns_of_their_own():
    systems = Systems(16, "lu")
    A = batched(systems, systems.values).to_dense()
    A[7, 0, :] = A[7, :, 0] = 0
    A[7, 0, 0] = 5
    B = right(16, 12, torch.float64, 1)
    x = tsgu.factorize(A.to_sparse_coo(), "lu").solve(B)
    oracle.assert_close(x, torch.linalg.solve(A, B), 1 << 12)


@pytest.mark.parametrize("method", METHODS)
def test_a_bad_item_of_a_batched_tensor_is_named(method):
    systems = Systems(20, method)
    A = batched(systems, broken(systems, 11, "singular"))
    with pytest.raises(tsgu.SingularMatrixError, match="item 11"):
        tsgu.factorize(A, method)
