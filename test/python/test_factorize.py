"""tsgu.factorize: one object with solves, determinants, samples and inverses."""

import pytest
import torch
from run_tools import measure

import matrices
import oracle
import tsgu
from matrices import definite, indefinite, invertible

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]
METHODS = {"lu": invertible, "cholesky": definite, "ldlt": indefinite}


def factorizations():
    return tsgu.show_config()["factorizations"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_solves_and_their_gradients(kind, dtype, method):
    A = METHODS[method](kind, 6, dtype)
    factors = tsgu.factorize(A, method)
    before = factorizations()
    B = torch.randn(*A.shape[:-1], 3, dtype=dtype)
    for name, transposed in (("solve", False), ("solve_transposed", True)):

        def ours(A, B, name=name):
            return getattr(tsgu.factorize(A, method), name)(B)

        def reference(indices, values, shape, B, transposed=transposed):
            dense = oracle.dense(indices, values, shape)
            return torch.linalg.solve(dense.mT if transposed else dense, B)

        for actual, expected in oracle.with_gradients(ours, reference, A, B):
            oracle.assert_close(actual, expected, terms=1 << 14)
    vector = factors.solve(B[..., 0])
    oracle.assert_close(vector, factors.solve(B)[..., 0])
    if kind not in ("uncoalesced", "ragged uncoalesced"):  # the functions' A is another one
        assert factorizations() == before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["csr64", "uncoalesced", "ragged coo"])
def test_half_solves(kind, dtype):
    A = definite(kind, 6, dtype)
    factors = tsgu.factorize(A, "cholesky")
    eye = torch.eye(6, dtype=dtype).expand(A.shape)
    half = factors.half_solve(eye)
    oracle.assert_close(half.mH @ half, torch.linalg.inv(A.to_dense()), terms=1 << 10)
    oracle.assert_close(factors.half_solve(eye, adjoint=True), half.mH, terms=1 << 10)
    B = torch.randn(*A.shape[:-1], 2, dtype=dtype).requires_grad_()
    weight = torch.randn_like(B)
    (found,) = torch.autograd.grad(factors.half_solve(B), B, weight)
    oracle.assert_close(found, half.mH @ weight, terms=1 << 10)


def test_what_has_no_half_solves():
    A = definite("coo", 5)
    with pytest.raises(ValueError, match='use "cholesky"'):
        tsgu.factorize(A, "lu").half_solve(torch.ones(5, dtype=torch.float64))
    with pytest.raises(ValueError, match='indefinite matrix does not have; use "cholesky"'):
        tsgu.factorize(A, "ldlt").half_solve(torch.ones(5, dtype=torch.float64))
    factors = tsgu.factorize(A.requires_grad_(), "cholesky")
    with pytest.raises(tsgu.CompileError, match="no derivative by its matrix"):
        factors.half_solve(torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", ["csr64", "batched csr64", "ragged coo"])
def test_samples(kind, dtype):
    A = definite(kind, 4, dtype).requires_grad_()
    factors = tsgu.factorize(A, "cholesky")
    generator = torch.Generator().manual_seed(3)
    samples = factors.sample((40, 1000), generator=generator)
    assert samples.shape == (40, 1000, *A.shape[:-1]) and not samples.requires_grad
    again = factors.sample((40, 1000), generator=torch.Generator().manual_seed(3))
    assert torch.equal(samples, again)
    flat = samples.flatten(0, 1).movedim(0, -1)
    covariance = flat @ flat.mH / flat.shape[-1]
    expected = torch.linalg.inv(A.detach().to_dense())
    # The standard deviation of each entry is at most that of the largest variance.
    tolerance = 6 * expected.abs().max() / flat.shape[-1] ** 0.5
    assert (covariance - expected).abs().max() < tolerance


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_the_diagonal_of_the_inverse(kind, dtype, method):
    A = METHODS[method](kind, 6, dtype).requires_grad_()
    values = oracle.stored_values(A).requires_grad_()
    found = tsgu.factorize(A, method).diag_inverse()
    dense = oracle.dense(oracle.indices_of(A), values, A.shape)
    expected = torch.linalg.inv(dense).diagonal(dim1=-2, dim2=-1)
    oracle.assert_close(found.detach(), expected.detach(), terms=1 << 10)
    weight = torch.randn_like(expected)
    (left,) = torch.autograd.grad(found, A, weight)
    (right,) = torch.autograd.grad(expected, values, weight)
    oracle.assert_close(oracle.stored_values(left), right, terms=1 << 12)


def test_a_diagonal_that_is_not_stored():
    A = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).to_sparse_csr()
    with pytest.raises(ValueError, match="store zeros there"):
        tsgu.factorize(A, "lu").diag_inverse()


@pytest.mark.parametrize("kind", ["csr64", "coo", "batched csr64"])
def test_numbers_are_those_of_the_functions(kind):
    A = definite(kind, 5).requires_grad_()
    factors = tsgu.factorize(A)
    assert factors.method == "cholesky" and factors.shape == A.shape
    before = factorizations()
    assert torch.equal(factors.logdet(), tsgu.logdet(A))
    assert all(map(torch.equal, factors.slogdet(), tsgu.slogdet(A)))
    found = factors.selected_inverse()
    assert found.layout is A.layout
    assert torch.equal(tsgu.values(found), tsgu.values(tsgu.selected_inverse(A)))
    assert factorizations() == before


def test_updates():
    A = definite("csr64", 6)
    factors = tsgu.factorize(A, "cholesky")
    b = torch.ones(6, dtype=torch.float64)
    x = factors.solve(b)
    values = (2 * tsgu.values(A)).requires_grad_()
    updated = factors.update(values)
    assert updated.method == "cholesky"
    oracle.assert_close(updated.solve(b).detach(), x / 2)
    updated.logdet().backward()
    expected = torch.linalg.inv(2 * A.to_dense())[tuple(oracle.indices_of(A))]
    oracle.assert_close(values.grad, expected, terms=1 << 10)
    with pytest.raises(tsgu.SingularMatrixError, match="row 0"):
        factors.update(-values.detach())
    assert torch.equal(factors.solve(b), x)


@pytest.mark.parametrize("method", METHODS)
def test_in_transforms(method):
    A = definite("coo", 5)
    pattern, values = tsgu.Pattern.of(A), oracle.stored_values(A)
    b = torch.randn(5, dtype=torch.float64)

    def ours(values):
        factors = tsgu.factorize(tsgu.Matrix(pattern, values), method)
        return factors.solve(b).square().sum() + factors.logdet()

    def reference(values):
        dense = oracle.dense(A._indices(), values, A.shape)
        return (torch.linalg.inv(dense) @ b).square().sum() + torch.logdet(dense)

    batch = torch.stack([values, 2 * values])
    for transform in (lambda f: f, torch.func.grad, torch.func.hessian):
        # One by one: a Hessian of torch.logdet under vmap is wrong (torch 2.13).
        expected = torch.stack([transform(reference)(each) for each in batch])
        oracle.assert_close(torch.vmap(transform(ours))(batch), expected, terms=1 << 14)


def test_it_outlives_the_matrix():
    A = definite("coo", 5)
    dense = A.to_dense()
    factors = tsgu.factorize(A)
    del A
    b = torch.ones(5, dtype=torch.float64)
    oracle.assert_close(factors.solve(b), torch.linalg.solve(dense, b))
    assert "cholesky" in repr(factors)


FLAT = """
import json
import torch, tsgu

torch.manual_seed(0)
n = 100
D = torch.where(torch.rand(n, n) < 0.03, torch.randn(n, n), 0).double()
A = tsgu.Matrix.of((D + D.T + 8 * torch.eye(n, dtype=torch.float64)).to_sparse_csr())
b = torch.randn(n, dtype=torch.float64)
factors = {name: tsgu.factorize(A, name) for name in ("cholesky", "lu")}

def some(first, count):
    for k in range(first, first + count):
        for name, one in factors.items():
            values = (A.values * (1 + k / 1e6)).requires_grad_()
            x = one.update(values).solve(b)
            torch.autograd.grad(x.sum(), values)

some(0, 1000)  # fills the cache
before = read("VmRSS"), tsgu.show_config()["factorizations"]
some(1000, 5000)
after = read("VmRSS"), tsgu.show_config()["factorizations"]
print(json.dumps([after[0] - before[0], after[1] - before[1]]))
"""


def test_ten_thousand_factorisations_in_flat_memory():
    grown, made = measure(FLAT, TSGU_PREPARED_CACHE_BYTES=str(1 << 22))
    assert made == 10_000
    assert grown < 4 << 20


@pytest.mark.parametrize("method", [None, "cholesky", "ldlt", "lu"])
@pytest.mark.parametrize("uplo", ["lower", "upper"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_one_triangle(kind, dtype, uplo, method):
    """Of a matrix whose other triangle is something else, or not there."""
    torch.manual_seed(0)
    A = definite(kind, 6, dtype)
    indices, values = oracle.indices_of(A), oracle.stored_values(A)
    counts = indices[-2] >= indices[-1] if uplo == "lower" else indices[-2] <= indices[-1]
    values = torch.where(counts, values, torch.randn_like(values)).requires_grad_()
    B = torch.randn(*A.shape[:-1], 2, dtype=dtype)

    def mine(values):
        factors = tsgu.factorize(matrices.rebuild(A, values), method, uplo=uplo)
        assert factors.method == (method or "cholesky")
        return torch.view_as_real(factors.solve(B)) if dtype.is_complex else factors.solve(B)

    def reference(values):
        M = oracle.dense(indices, values, A.shape)
        M = M if uplo == "lower" else M.mH
        found = torch.linalg.solve(M.tril() + M.tril(-1).mH, B)
        return torch.view_as_real(found) if dtype.is_complex else found

    oracle.assert_same_derivatives(mine, reference, (values,), order=2)


def test_a_triangle_alone():
    A = definite("csr64", 6)
    L = A.to_dense().tril().to_sparse_csr()
    factors, whole = tsgu.factorize(L, uplo="lower"), tsgu.factorize(A)
    b = torch.randn(6, dtype=torch.float64)
    oracle.assert_close(factors.solve(b), whole.solve(b))
    oracle.assert_close(factors.logdet(), whole.logdet())
    oracle.assert_close(factors.update(2 * L.values()).solve(b), whole.solve(b) / 2)
    oracle.assert_close(factors.diag_inverse(), whole.diag_inverse())
    with pytest.raises(ValueError, match="not Hermitian"):
        tsgu.factorize(L, "cholesky")
    with pytest.raises(ValueError, match="uplo must be 'lower' or 'upper', not 'L'"):
        tsgu.factorize(L, uplo="L")


def test_operands_on_devices():
    """A tensor on "meta" stands for one on a device: what is told is where it is."""
    A, B = definite("csr64", 4).detach(), torch.ones(4, 2, dtype=torch.float64)
    there, values, B_there = (x.to("meta") for x in (A, A.values(), B))
    calls = [lambda f=f: f(there) for f in (tsgu.logdet, tsgu.slogdet, tsgu.selected_inverse)]
    calls += [lambda m=m: tsgu.factorize(there, m) for m in (None, "lu", "cholesky", "ldlt", "qr")]
    calls += [lambda m=m: tsgu.sparse_generic_solve(there, B, m) for m in METHODS]
    calls += [
        lambda: tsgu.factorize(there, "cholesky", uplo="lower"),
        lambda: tsgu.factorize(tsgu.Matrix(tsgu.Pattern.of(A), values), "lu"),
        lambda: tsgu.sparse_generic_lstsq(there, B_there, "qr"),
        lambda: tsgu.sparse_generic_lstsq(A, B_there, "qr"),
    ]
    by_qr = tsgu.factorize(A, "qr")
    calls.append(lambda: by_qr.solve(B_there))
    for method in METHODS:
        factors = tsgu.factorize(A, method)
        calls += [
            lambda f=f: f(B_there)
            for f in (factors.solve, factors.solve_transposed, factors.half_solve)
        ]
        calls.append(lambda f=factors: f.update(values))
    for call in calls:
        with pytest.raises(TypeError, match=r"run on the CPU.* on meta: move it with \.cpu\(\)"):
            call()
