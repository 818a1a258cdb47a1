"""Sparse by sparse: products, sums and elementwise products against dense torch and SciPy."""

import hypothesis
import hypothesis.strategies as st
import numpy
import pytest
import scipy.sparse
import torch

import matrices
import oracle
import tsgu
from tsgu._runtime import library

KINDS = {**matrices.ALL, **matrices.OTHERS}
DTYPES = [torch.float32, torch.float64, torch.complex128]
DOUBLE = torch.float64


def stored(A):
    """Where A stores entries, dense."""
    ones = torch.ones_like(oracle.stored_values(A))
    return oracle.dense(oracle.indices_of(A), ones, A.shape) != 0


# name -> (operation of the package, that of dense tensors, where the result has entries)
OPERATIONS = {
    "product": (tsgu.spgemm, torch.matmul, lambda a, b: a.double() @ b.double() > 0),
    "sum": (tsgu.sparse_add, torch.add, torch.logical_or),
    "difference": (
        lambda A, B: tsgu.sparse_add(A, B, alpha=-1),
        torch.sub,
        torch.logical_or,
    ),
    "common": (tsgu.sparse_mul, torch.mul, torch.logical_and),
}


def second_operand(operation, kind, A, dtype):
    shape = A.shape[-2:]
    return KINDS[kind](*(shape[::-1] if operation == "product" else shape), dtype)


def layout_of_result(A):
    if A.dim() == 3:
        return torch.sparse_coo
    blocks = (torch.sparse_bsr, torch.sparse_bsc)
    return torch.sparse_csr if A.layout in blocks else A.layout


def check(operation, A, B, terms=64):
    """The value, where it is stored, both gradients and one derivative of these."""
    compute, reference, where = OPERATIONS[operation]
    A, B = A.detach().requires_grad_(), B.detach().requires_grad_()
    a, b = oracle.stored_values(A).requires_grad_(), oracle.stored_values(B).requires_grad_()
    result = compute(A, B)
    dense = (oracle.dense(oracle.indices_of(x), v, x.shape) for x, v in ((A, a), (B, b)))
    expected = reference(*dense)
    assert result.layout is layout_of_result(A) and result.shape == expected.shape
    found = result.detach()
    indices = oracle.indices_of(found)
    assert torch.equal(stored(found), where(stored(A), stored(B)))
    assert indices.shape[1] == int(where(stored(A), stored(B)).sum())
    values = tsgu.values(result).reshape(-1)
    expected = expected[tuple(indices)]
    oracle.assert_close(values.detach(), expected.detach(), terms)
    weight = torch.randn_like(expected)
    gradients = torch.autograd.grad(values, (A, B), weight, create_graph=True)
    wanted = torch.autograd.grad(expected, (a, b), weight, create_graph=True)
    for gradient, other, of in zip(gradients, wanted, (A, B), strict=True):
        assert gradient.layout is of.layout
        assert torch.equal(oracle.indices_of(gradient.detach()), oracle.indices_of(of.detach()))
        oracle.assert_close(oracle.stored_values(gradient), other.detach(), terms)
    if operation in ("product", "common"):
        again = torch.randn_like(a)
        (second,) = torch.autograd.grad(tsgu.values(gradients[0]).reshape(-1), B, again)
        (second_wanted,) = torch.autograd.grad(wanted[0], b, again)
        oracle.assert_close(oracle.stored_values(second), second_wanted, terms)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds(kind, operation, dtype):
    A = KINDS[kind](8, 6, dtype)
    batched = A.dim() == 3
    others = [other for other in KINDS if (KINDS[other](8, 6, dtype).dim() == 3) == batched]
    for other in others if dtype is DOUBLE else [kind]:
        if "bs" in other and operation == "product":
            continue  # their sizes do not fit the other way round
        check(operation, A, second_operand(operation, other, A, dtype))


def test_large_enough_for_singletons():
    """Patterns of meetings whose last level is a singleton, with rows that are cut and shared."""
    A = matrices.coo(300, 200, density=0.03)
    B = matrices.coo(200, 260, density=0.04)
    check("product", A.to_sparse_csr(), B.to_sparse_csr())
    check("common", A, matrices.coo(300, 200, density=0.5))
    wide = torch.rand(3, 30_000, dtype=DOUBLE).to_sparse_csr()
    tall = torch.rand(30_000, 2, dtype=DOUBLE).to_sparse_csr()
    C = tsgu.spgemm(wide, tall)
    oracle.assert_close(C.to_dense(), wide.to_dense() @ tall.to_dense(), 1024)


@pytest.mark.parametrize("index", [torch.int32, torch.int64])
def test_index_types(index):
    A = matrices.csr(5, 6, index=index)
    B = matrices.csr(6, 4, index=torch.int64)
    C = tsgu.spgemm(A, B)
    assert C.crow_indices().dtype is index and C.col_indices().dtype is index
    assert tsgu.sparse_mul(A, A).col_indices().dtype is index


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    A, B = matrices.csr(20, 30, torch.float32), matrices.csr(30, 10, torch.float32)
    A, B = tsgu.Matrix.of(A).to(dtype), tsgu.Matrix.of(B).to(dtype)
    wanted = A.to_torch().to_dense().double() @ B.to_torch().to_dense().double()
    C = A @ B
    assert C.dtype is dtype
    found = C.to_torch().to_dense().double()
    torch.testing.assert_close(found, wanted.to(dtype).double(), rtol=0.02, atol=0.02)


def test_zeros_are_kept():
    """Stored zeros are entries like others, and so is what cancels."""
    B = torch.tensor([[1.0, 2.0], [-1.0, 0.0]]).to_sparse_csr()
    A = torch.sparse_csr_tensor([0, 2, 3], [0, 1, 1], [1.0, 1.0, 0.0], (2, 2))
    C = tsgu.spgemm(A, B)
    assert C.crow_indices().tolist() == [0, 2, 3] and C.values().tolist() == [0.0, 2.0, 0.0]
    D = tsgu.sparse_add(A, A.clone(), alpha=-1)
    assert D.values().tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("shapes", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (3, 4, 5)])
def test_empty(shapes):
    n, m, p = shapes
    A, B = matrices.csr(n, m, density=0), matrices.csr(m, p, density=0)
    A, B = A.requires_grad_(), B.requires_grad_()
    C = tsgu.spgemm(A, B)
    assert C.shape == (n, p) and C.values().numel() == 0
    for gradient in torch.autograd.grad(tsgu.values(C).sum(), (A, B)):
        assert gradient.values().numel() == 0
    assert tsgu.sparse_add(A, A).shape == (n, m)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(st.data())
def test_random_patterns(data):
    """Of any density, shapes and duplicates, against SciPy."""
    n, m, p = (data.draw(st.integers(1, 70)) for _ in range(3))
    operation = data.draw(st.sampled_from(list(OPERATIONS)))

    def matrix(rows, columns):
        count = data.draw(st.integers(0, 150))
        seed = data.draw(st.integers(0, 2**31))
        generator = numpy.random.default_rng(seed)
        row, column = generator.integers(rows, size=count), generator.integers(columns, size=count)
        values = generator.standard_normal(count)
        return scipy.sparse.coo_array((values, (row, column)), (rows, columns))

    A = matrix(n, m)
    B = matrix(m, p) if operation == "product" else matrix(n, m)
    wanted = OPERATIONS[operation][1](torch.from_numpy(A.toarray()), torch.from_numpy(B.toarray()))
    torch.testing.assert_close(OPERATIONS[operation][0](A, B).to_dense(), wanted)
    for layout in ("csr", "csc"):
        found = OPERATIONS[operation][0](getattr(A, f"to{layout}")(), B)
        assert found.layout is getattr(torch, f"sparse_{layout}")
        torch.testing.assert_close(found.to_dense(), wanted)


# ===-- Derivatives -----------------------------------------------------------===#


def pair(n=5, m=4, p=6):
    A, B = (tsgu.Matrix.of(matrices.csr(*shape, density=0.5)) for shape in ((n, m), (m, p)))
    return A.pattern, B.pattern, A.values.requires_grad_(), B.values.requires_grad_()


def test_gradcheck():
    first, second, a, b = pair()

    def product(a, b):
        return tsgu.spgemm(tsgu.Matrix(first, a), tsgu.Matrix(second, b)).values

    assert torch.autograd.gradcheck(product, (a, b), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(product, (a, b), check_fwd_over_rev=True)

    def arithmetic(a, b):
        A, B = tsgu.Matrix(first, a), tsgu.Matrix(second, b)
        return ((A @ B) * (A @ B @ B.T @ B) - 2 * (A @ B) / 3).values

    assert torch.autograd.gradcheck(arithmetic, (a, b), check_forward_ad=True)


def test_transforms():
    first, second, a, b = pair()
    a, b = a.detach(), b.detach()

    def product(a, b):
        return (tsgu.Matrix(first, a) @ tsgu.Matrix(second, b)).values

    def total(a, b):
        return (product(a, b) ** 2).sum()

    many, others = torch.randn(3, len(a), dtype=DOUBLE), torch.randn(3, len(b), dtype=DOUBLE)
    looped = torch.stack([product(x, y) for x, y in zip(many, others, strict=True)])
    torch.testing.assert_close(torch.func.vmap(product)(many, others), looped)
    one_sided = torch.stack([product(x, b) for x in many])
    torch.testing.assert_close(torch.func.vmap(product, (0, None))(many, b), one_sided)
    batch = tsgu.Matrix(first, many) @ tsgu.Matrix(second, others)
    torch.testing.assert_close(batch.values, looped)
    gradients = torch.func.grad(total, (0, 1))(a, b)
    a, b = a.requires_grad_(), b.requires_grad_()
    for found, wanted in zip(gradients, torch.autograd.grad(total(a, b), (a, b)), strict=True):
        torch.testing.assert_close(found, wanted)
    hessian = torch.func.jacfwd(torch.func.jacrev(total))(a.detach(), b.detach())
    torch.testing.assert_close(hessian, hessian.T)


def test_compiled():
    """One graph, in which the patterns are inputs, for patterns of a size."""

    def function(A, B):
        C = tsgu.spgemm(A, B)
        return tsgu.sparse_add(tsgu.sparse_mul(C, C), C, alpha=-2).values.sum()

    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        first, second = (matrices.batched_csr(2, *shape)[0] for shape in ((5, 6), (6, 4)))
        leaves = [tsgu.values(x).clone().requires_grad_() for x in (first, second)]
        patterns = [tsgu.Pattern.of(x) for x in (first, second)]
        A, B = (tsgu.Matrix(*x) for x in zip(patterns, leaves, strict=True))
        found, wanted = compiled(A, B), function(A, B)
        oracle.assert_close(found.detach(), wanted.detach())
        for one, other in zip(
            torch.autograd.grad(found, leaves), torch.autograd.grad(wanted, leaves), strict=True
        ):
            oracle.assert_close(one, other)


def test_one_tensor_twice():
    """Its gradient is that of both."""
    A = matrices.csr(6, 6).requires_grad_()
    values = oracle.stored_values(A.detach()).requires_grad_()
    dense = oracle.dense(oracle.indices_of(A.detach()), values, A.shape)
    C = tsgu.sparse_add(tsgu.spgemm(A, A), A)
    weight = torch.randn(6, 6, dtype=DOUBLE)
    at = tuple(oracle.indices_of(C.detach()))
    (found,) = torch.autograd.grad((tsgu.values(C) * weight[at]).sum(), A)
    (wanted,) = torch.autograd.grad(((dense @ dense + dense) * weight).sum(), values)
    oracle.assert_close(found.values(), wanted)


# ===-- What is worked out once ----------------------------------------------===#


def test_meetings_are_found_again():
    A, B = matrices.csr(30, 40), matrices.csr(40, 20)
    first = tsgu.spgemm(A, B)
    built = library.counters()[1].built
    A = torch.sparse_csr_tensor(A.crow_indices(), A.col_indices(), 2 * A.values(), A.shape)
    second = tsgu.spgemm(A, B)
    assert second.crow_indices().data_ptr() == first.crow_indices().data_ptr()
    assert library.counters()[1].built == built
    oracle.assert_close(second.values(), 2 * first.values())


def test_writes_to_index_tensors_are_seen():
    A = tsgu.Matrix.of(torch.eye(4, dtype=DOUBLE).to_sparse_csr())
    B = matrices.csr(4, 5)
    torch.testing.assert_close((A @ B).to_torch().to_dense(), B.to_dense())
    A.pattern.coordinates[0] = 1
    moved = torch.eye(4, dtype=DOUBLE)
    moved[0] = moved[1]
    torch.testing.assert_close((A @ B).to_torch().to_dense(), moved @ B.to_dense())


# ===-- Matrices ------------------------------------------------------------===#


def test_operators():
    A, B = (tsgu.Matrix.of(matrices.csr(4, 4)) for _ in range(2))
    S, D = matrices.csr(4, 4), torch.rand(4, 4, dtype=DOUBLE) + 1
    a, b, s = A.to_torch().to_dense(), B.to_torch().to_dense(), S.to_dense()
    array = scipy.sparse.csr_array(s.numpy())
    cases = {
        "A @ B": (A @ B, a @ b),
        "A @ S": (A @ S, a @ s),
        "S @ A": (S @ A, s @ a),
        "A @ array": (A @ array, a @ s),
        "matmul": (torch.matmul(A, B), a @ b),
        "A + B": (A + B, a + b),
        "A + S": (A + S, a + s),
        "S + A": (S + A, s + a),
        "A - B": (A - B, a - b),
        "S - A": (S - A, s - a),
        "A + A": (A + A, 2 * a),
        "A * B": (A * B, a * b),
        "-A": (-A, -a),
        "2 * A": (2 * A, 2 * a),
        "A * 2": (A * 2, 2 * a),
        "A / 2": (A / 2, a / 2),
        "A * D": (A * D, a * D),
        "D * A": (D * A, a * D),
        "A / D": (A / D, a / D),
        "A * row": (A * D[0], a * D[0]),
        "A / column": (A / D[:, :1], a / D[:, :1]),
        "A * one": (A * D[:1, :1], a * D[0, 0]),
        "A * number": (A * D[0, 0], a * D[0, 0]),
        "A.T + B": (A.T + B, a.T + b),
        "A.T @ B.T": (A.T @ B.T, a.T @ b.T),
    }
    for name, (found, wanted) in cases.items():
        assert type(found) is tsgu.Matrix, name
        torch.testing.assert_close(found.to_torch().to_dense(), wanted, msg=name)


def test_dense_operands_have_gradients():
    A = matrices.csr(5, 4).requires_grad_()
    values = oracle.stored_values(A.detach()).requires_grad_()
    indices = tuple(oracle.indices_of(A.detach()))
    for shape in ((), (4,), (5, 1), (1, 4), (5, 4)):
        for operate, plain in ((tsgu.sparse_mul, torch.mul), (tsgu.sparse_div, torch.div)):
            D = (torch.rand(shape, dtype=DOUBLE) + 1).requires_grad_()
            wanted = plain(values, D.expand(5, 4)[indices])
            result = tsgu.values(operate(A, D))
            oracle.assert_close(result.detach(), wanted.detach())
            weight = torch.randn_like(wanted)
            found = torch.autograd.grad(result, (A, D), weight)
            expected = torch.autograd.grad(wanted, (values, D), weight)
            oracle.assert_close(found[0].values(), expected[0])
            oracle.assert_close(found[1], expected[1])


def test_batches_by_dense():
    A = matrices.coo(4, 5, items=3)
    for shape in ((5,), (4, 1), (3, 1, 1), (3, 4, 5), (3, 1, 5)):
        D = torch.rand(shape, dtype=DOUBLE) + 1
        torch.testing.assert_close(tsgu.sparse_mul(A, D).to_dense(), A.to_dense() * D)
        torch.testing.assert_close(tsgu.sparse_div(A, D).to_dense(), A.to_dense() / D)


def test_refusals():
    A, B = matrices.csr(4, 5), matrices.csr(4, 5)
    M = tsgu.Matrix.of(A)
    batch = matrices.coo(4, 5, items=2)
    cases = [
        (
            lambda: tsgu.spgemm(A, B),
            ValueError,
            r"\(4, 5\) and B of shape \(4, 5\) have no product",
        ),
        (lambda: tsgu.spgemm(batch, A.t()), ValueError, "have no product"),
        (lambda: tsgu.spgemm(A, A.to_dense().T), ValueError, "B should be sparse"),
        (lambda: tsgu.spgemm(None, A), TypeError, "A should be a Matrix"),
        (lambda: tsgu.sparse_add(A, B.t()), ValueError, "must have one shape"),
        (lambda: tsgu.sparse_add(A, B.to_dense()), ValueError, "B should be sparse"),
        (lambda: tsgu.sparse_add(A, B, alpha="1"), TypeError, "alpha should be a number"),
        (lambda: M + 1, TypeError, "B should be a Matrix"),
        (lambda: M @ 1, TypeError, "multiplies by a torch.Tensor"),
        (lambda: tsgu.sparse_mul(A, torch.ones(4)), ValueError, "does not broadcast"),
        (lambda: tsgu.sparse_mul(A, torch.ones(2, 4, 5)), ValueError, "does not broadcast"),
        (lambda: tsgu.sparse_mul(A, "2"), TypeError, "a number or a dense"),
        (lambda: tsgu.sparse_div(A, B), TypeError, "a number or a dense"),
        (lambda: tsgu.spgemm(A, B.t().to(torch.complex128)), TypeError, "would be complex"),
    ]
    for call, error, text in cases:
        with pytest.raises(error, match=text):
            call()
    with pytest.warns(UserWarning, match="converted to A's"):
        assert tsgu.spgemm(A, B.t().to(torch.float32)).dtype is DOUBLE


def test_corrupt_patterns():
    A = torch.sparse_csr_tensor([0, 1, 3], [0, 9], [1.0, 2.0], (2, 3), check_invariants=False)
    good = torch.eye(3).to_sparse_csr()
    for call in (
        lambda: tsgu.spgemm(A, good),
        lambda: tsgu.spgemm(good, A.t()),
        lambda: tsgu.sparse_add(A, A.clone()),
        lambda: tsgu.sparse_mul(A, A),
    ):
        with pytest.raises(tsgu.PatternError):
            call()
