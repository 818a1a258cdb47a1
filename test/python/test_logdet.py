"""tsgu.logdet, slogdet and selected_inverse, against dense torch."""

import pytest
import torch
from run_tools import run_script

import matrices
import oracle
import tsgu
from matrices import definite, indefinite, invertible

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]
WIDE = [torch.float64, torch.complex128]
METHODS = {"lu": invertible, "cholesky": definite, "ldlt": indefinite, None: definite}


def dense_of(A, values):
    return oracle.dense(oracle.indices_of(A), values, A.shape)


def logdet_of(A, values):
    """torch.logdet, whose complex form torch 2.13 lacks on some paths."""
    sign, log = torch.linalg.slogdet(dense_of(A, values))
    return sign.log() + log if values.is_complex() else log.where(sign > 0, torch.nan)


def assert_first_order(function, reference, A, terms=1 << 12):
    """The results, tensors each, and the gradients of leaves, with one cotangent for both."""
    A = A.detach().requires_grad_()
    values = oracle.stored_values(A).requires_grad_()
    actual, expected = function(A), reference(A, values)
    for left, right in zip(actual, expected, strict=True):
        oracle.assert_close(left.detach(), right.detach(), terms)
        weight = torch.randn_like(right)
        (found,) = torch.autograd.grad(left, A, weight, retain_graph=True)
        (wanted,) = torch.autograd.grad(
            right, values, weight, retain_graph=True, materialize_grads=True
        )
        assert found.layout is A.layout
        oracle.assert_close(oracle.stored_values(found), wanted, terms)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", matrices.ALL)
def test_logdet_and_slogdet(kind, dtype, method):
    A = METHODS[method](kind, 8 if method == "ldlt" else 6, dtype)  # its determinant is positive
    if A.is_complex() or method != "lu":
        assert_first_order(lambda A: [tsgu.logdet(A, method)], lambda A, v: [logdet_of(A, v)], A)
    # A cotangent of a real determinant's sign has no effect in either.
    assert_first_order(
        lambda A: tsgu.slogdet(A, method), lambda A, v: torch.linalg.slogdet(dense_of(A, v)), A
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["csc32", "bsr", "bsc"])
def test_other_layouts(kind, dtype):
    dense = definite("coo", 12, dtype).to_dense()
    layout = {"csc32": torch.sparse_csc, "bsr": torch.sparse_bsr, "bsc": torch.sparse_bsc}[kind]
    A = dense.to_sparse(layout=layout, blocksize=None if kind == "csc32" else (2, 3))
    for method in METHODS:
        assert_first_order(
            lambda A, m=method: tsgu.slogdet(A, m),
            lambda A, v: torch.linalg.slogdet(dense_of(A, v)),
            A,
        )


def test_a_negative_determinant():
    A = torch.tensor([[0.0, 2.0], [3.0, 1.0]]).to_sparse_csr()
    assert tsgu.logdet(A).isnan()
    sign, log = tsgu.slogdet(A)
    assert sign == -1
    oracle.assert_close(log, torch.tensor(6.0).log())


def test_a_matrix_without_rows():
    A = torch.zeros(0, 0, dtype=torch.float64).to_sparse_csr()
    assert tsgu.logdet(A) == 0 and tsgu.slogdet(A) == (1, 0)
    assert tsgu.selected_inverse(A).shape == (0, 0)


def test_beyond_the_range_of_numbers():
    n = 400
    A = tsgu.csr(range(n + 1), range(n), torch.full((n,), 1e-30).double(), (n, n))
    for method in ("lu", "cholesky", "ldlt"):
        oracle.assert_close(tsgu.logdet(A, method), n * torch.tensor(1e-30).double().log())


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("method", ["lu", "cholesky", "ldlt"])
@pytest.mark.parametrize("kind", ["csr64", "coo", "uncoalesced", "ragged coo"])
def test_second_order(kind, method, dtype):
    A = METHODS[method](kind, 4, dtype)
    values = oracle.stored_values(A).requires_grad_()
    make = matrices.maker(A)

    def squared(slogdet):
        sign, log = slogdet
        return (sign * log + log) ** 2

    oracle.assert_same_derivatives(
        lambda v: squared(tsgu.slogdet(make(v), method)),
        lambda v: squared(torch.linalg.slogdet(dense_of(A, v))),
        [values],
        order=2,
        terms=1 << 16,
    )


@pytest.mark.parametrize("method", ["lu", "cholesky", "ldlt"])
@pytest.mark.parametrize("dtype", WIDE)
def test_gradcheck(dtype, method):
    A = METHODS[method]("coo", 4, dtype)
    pattern = tsgu.Pattern.of(A)
    handle = tsgu.solver(method)
    values = oracle.stored_values(A)
    if method != "lu":  # perturbations keep the matrix Hermitian
        scale = torch.ones(4, dtype=torch.float64)

        def function(scale):
            row, column = A.indices()
            scaled = values * (scale[row] * scale[column])
            return tsgu.operator("logdet")(pattern, handle, scaled).real

        inputs = (scale.requires_grad_(),)
    else:

        def function(values):
            return tsgu.operator("logdet")(pattern, handle, values)

        inputs = (values.requires_grad_(),)
    assert torch.autograd.gradcheck(function, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, inputs, check_fwd_over_rev=True)


# ===-- Inverses on the pattern ------------------------------------------------===#


def symmetric(kind, n, dtype):
    """Nonsymmetric values on a symmetric pattern."""
    A = definite(kind, n, dtype)
    values = oracle.stored_values(A)
    return matrices.rebuild(A.detach(), values * (1 + 0.3 * torch.rand(values.shape)))


def inverse_of(A, values):
    return torch.linalg.inv(dense_of(A, values))[tuple(oracle.indices_of(A))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [kind for kind in matrices.ALL if "uncoalesced" not in kind])
def test_selected_inverse(kind, dtype):
    for method, make in (("lu", symmetric), ("cholesky", definite), ("ldlt", indefinite)):
        A = make(kind, 6, dtype)

        def values_of(A, method=method):
            found = tsgu.selected_inverse(A, method)
            assert found.layout is A.layout and found.shape == A.shape
            return [tsgu.values(found).reshape(-1)]

        assert_first_order(values_of, lambda A, v: [inverse_of(A, v)], A)


@pytest.mark.parametrize("dtype", WIDE)
def test_of_duplicates(dtype):
    A = definite("uncoalesced", 6, dtype)
    found = tsgu.selected_inverse(A)
    expected = torch.linalg.inv(A.to_dense())
    oracle.assert_close(found.to_dense(), expected.where(A.to_dense() != 0, 0), 1 << 10)


@pytest.mark.parametrize("dtype", WIDE)
def test_derivatives_of_a_selected_inverse(dtype):
    A = symmetric("coo", 4, dtype)
    pattern, handle = tsgu.Pattern.of(A), tsgu.solver("lu")
    values = oracle.stored_values(A).requires_grad_()

    def ours(values):
        return tsgu.operator("inverse_on_pattern")(pattern, handle, values)

    assert torch.autograd.gradcheck(ours, (values,), check_forward_ad=True)
    tangent = torch.randn_like(values)
    for actual, expected in zip(
        torch.func.jvp(ours, (values.detach(),), (tangent,)),
        torch.func.jvp(lambda v: inverse_of(A, v), (values.detach(),), (tangent,)),
        strict=True,
    ):
        oracle.assert_close(actual, expected, 1 << 10)


def test_what_lies_beyond_says_why():
    A = symmetric("coo", 4, torch.float64)
    values = oracle.stored_values(A).requires_grad_()
    inverse = tsgu.values(tsgu.selected_inverse(tsgu.coo(A._indices(), values, A.shape), "lu"))
    (first,) = torch.autograd.grad(inverse.square().sum(), values, create_graph=True)
    with pytest.raises(tsgu.CompileError, match="a selected inverse has one"):
        first.sum().backward()
    log = tsgu.logdet(tsgu.coo(A._indices(), values, A.shape), "lu")
    (first,) = torch.autograd.grad(log, values, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), values, create_graph=True)
    with pytest.raises(tsgu.CompileError, match="log-determinant has two derivatives"):
        second.sum().backward()


# ===-- Transforms and graphs --------------------------------------------------===#


def pattern_and_values(dtype=torch.float64):
    A = definite("coo", 5, dtype)
    return tsgu.Pattern.of(A), oracle.stored_values(A), A


@pytest.mark.parametrize("dtype", WIDE)
def test_transforms(dtype):
    pattern, values, A = pattern_and_values(dtype)

    def ours(v):
        return tsgu.slogdet(tsgu.Matrix(pattern, v))[1]

    def reference(v):
        return torch.linalg.slogdet(dense_of(A, v))[1]

    for transform in (torch.func.grad, torch.func.jacfwd, torch.func.hessian):
        if dtype.is_complex and transform is not torch.func.grad:
            continue  # torch has these for real inputs
        oracle.assert_close(transform(ours)(values), transform(reference)(values), 1 << 14)
    batch = torch.stack([values, 2 * values, 3 * values])
    oracle.assert_close(torch.vmap(ours)(batch), torch.vmap(reference)(batch))
    found = torch.vmap(torch.func.grad(ours))(batch)
    oracle.assert_close(found, torch.vmap(torch.func.grad(reference))(batch), 1 << 10)


def test_one_compiled_graph():
    pattern, values, A = pattern_and_values()
    values.requires_grad_()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def ours(A):
        inverse = tsgu.selected_inverse(A)
        factors = tsgu.factorize(A)
        return tsgu.logdet(A) + inverse.values.sum() + factors.diag_inverse().sum()

    dense = dense_of(A, values)
    inverse = torch.linalg.inv(dense)
    expected = torch.logdet(dense) + inverse.trace() + inverse[tuple(A.indices())].sum()
    found = ours(tsgu.Matrix(pattern, values))
    oracle.assert_close(found.detach(), expected.detach(), 1 << 10)
    (left,), (right,) = (torch.autograd.grad(of, values) for of in (found, expected))
    oracle.assert_close(left, right, 1 << 12)


# ===-- One factorisation ------------------------------------------------------===#

COUNT = """
import torch, tsgu
n = 30
i = torch.arange(n)
rows, columns = torch.cat([i, i[1:], i[:-1]]), torch.cat([i, i[:-1], i[1:]])
values = torch.cat([torch.full((n,), 4.0), -torch.ones(2 * n - 2)]).double().requires_grad_()
A = tsgu.coo(torch.stack([rows, columns]), values, (n, n))
B = torch.ones(n, 2, dtype=torch.float64, requires_grad=True)
def made():
    return tsgu.show_config()["factorizations"]
"""


@pytest.mark.parametrize("limit", ["0", "1000000"])
@pytest.mark.parametrize("method", ["lu", "cholesky", "ldlt"])
def test_of_all_orders_and_solves_together(method, limit):
    script = f"""
sign, log = tsgu.slogdet(A, {method!r})
X = tsgu.sparse_generic_solve(A, B, {method!r})
loss = log + X.square().sum()
(first,) = torch.autograd.grad(loss, values, create_graph=True)
first.square().sum().backward()
print(made())
"""
    assert run_script(COUNT + script, TSGU_PREPARED_CACHE_BYTES=limit).split() == ["1"]


@pytest.mark.parametrize("limit", ["0", "1000000"])
def test_without_gradients(limit):
    script = """
with torch.no_grad():
    tsgu.slogdet(A, "lu")
    tsgu.logdet(2 * A.detach(), "lu")
    factors = tsgu.factorize(3 * A.detach())
    factors.slogdet(), factors.solve(B), factors.solve_transposed(B), factors.diag_inverse()
print(made())
"""
    assert run_script(COUNT + script, TSGU_PREPARED_CACHE_BYTES=limit).split() == ["3"]


# ===-- Refusals ---------------------------------------------------------------===#


def test_refusals():
    singular = torch.tensor([[1.0, 2.0], [2.0, 4.0]]).to_sparse_csr()
    for function in (tsgu.logdet, tsgu.slogdet, tsgu.selected_inverse, tsgu.factorize):
        with pytest.raises(tsgu.SingularMatrixError, match="row 1"):
            function(singular)
        with pytest.raises(tsgu.SingularMatrixError, match="not positive definite.*row 0"):
            function(-singular, "cholesky")
        with pytest.raises(ValueError, match="method must be one of 'lu', 'cholesky'"):
            function(singular, "cg")
        with pytest.raises(ValueError, match="square"):
            function(torch.ones(2, 3).to_sparse_csr())
        with pytest.raises(TypeError, match="A must be sparse"):
            function(torch.eye(2))
        with pytest.raises(TypeError, match="float32, float64"):
            function(torch.eye(2, dtype=torch.float16).to_sparse_csr())
        with pytest.raises(ValueError, match="nan"):
            function((singular * torch.nan), "lu")
    triangle = torch.tensor([[1.0, 2.0], [0.0, 4.0]]).to_sparse_csr()
    with pytest.raises(ValueError, match=r"\(0, 1\) is stored, and entry \(1, 0\) is not"):
        tsgu.selected_inverse(triangle)
    with pytest.raises(ValueError, match="not Hermitian"):
        tsgu.logdet(triangle, "cholesky")


def test_which_method_is_tried():
    """An indefinite matrix with a positive diagonal is refused by Cholesky, and goes to LU."""
    indefinite = torch.tensor([[1.0, 2.0], [2.0, 1.0]]).to_sparse_csr()
    assert tsgu.factorize(indefinite).method == "lu"
    assert tsgu.slogdet(indefinite)[0] == -1
    assert tsgu.factorize(torch.eye(3).to_sparse_csr()).method == "cholesky"
    assert tsgu.factorize(torch.ones(2, 2).triu().to_sparse_csr()).method == "lu"
