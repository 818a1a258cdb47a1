"""Complex values: torch's conjugated gradients, to every order, against dense torch."""

import pytest
import torch

import matrices
import oracle
import tsgu
from matrices import rebuild

DTYPES = [torch.complex64, torch.complex128]

# y_i = sum over the stored entries of row i of a (a - b) / (b + 2) - a
RATIONAL = """
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>

func.func @rational(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                    %b: tensor<?xf64> {tsgu.name = "b"}) -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %two = arith.constant 2.0 : f64
  %n = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%n) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%A, %b : tensor<?x?xf64, #CSR>, tensor<?xf64>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %x: f64, %sum: f64):
    %difference = arith.subf %a, %x : f64
    %product = arith.mulf %a, %difference : f64
    %divisor = arith.addf %x, %two : f64
    %quotient = arith.divf %product, %divisor : f64
    %negated = arith.negf %a : f64
    %term = arith.addf %quotient, %negated : f64
    %next = arith.addf %sum, %term : f64
    linalg.yield %next : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
"""

# C = A .* B as a dense matrix, zero where A has no entry.
MASKED = """
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>

func.func @masked(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @A},
                  %B: tensor<?x?xf64> {tsgu.name = "B"}) -> tensor<?x?xf64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %B, %c0 : tensor<?x?xf64>
  %columns = tensor.dim %B, %c1 : tensor<?x?xf64>
  %empty = tensor.empty(%rows, %columns) : tensor<?x?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?x?xf64>) -> tensor<?x?xf64>
  %C = linalg.generic {indexing_maps = [#entry, #entry, #entry],
                       iterator_types = ["parallel", "parallel"]}
      ins(%A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64>) outs(%init : tensor<?x?xf64>) {
  ^bb0(%a: f64, %b: f64, %c: f64):
    %product = arith.mulf %a, %b : f64
    linalg.yield %product : f64
  } -> tensor<?x?xf64>
  return %C : tensor<?x?xf64>
}
"""


def product(A):
    """sparse_mm as a function of the values of A and B."""
    return lambda values, B: tsgu.sparse_mm(rebuild(A, values), B)


def operands(kind, rows, columns, width, dtype):
    A = matrices.ALL[kind](rows, columns, dtype)
    B = torch.randn(*A.shape[:-2], columns, width, dtype=dtype, requires_grad=True)
    return A, oracle.stored_values(A).requires_grad_(), B


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 3, 8, 33])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_derivatives_of_a_product(kind, width, dtype):
    A, values, B = operands(kind, 7, 6, width, dtype)
    indices = oracle.indices_of(A)
    multiply = product(A)
    # Of a function that is not holomorphic, so that conjugates enter at every order.
    oracle.assert_same_derivatives(
        lambda v, b: multiply(v, b) * multiply(v, b.conj()).conj(),
        lambda v, b: (
            oracle.spmm(indices, v, A.shape, b) * oracle.spmm(indices, v, A.shape, b.conj()).conj()
        ),
        (values, B),
        order=2,
    )


@pytest.mark.parametrize("width", [300, 2000])
def test_wide_products(width):
    A, values, B = operands("csr32", 9, 8, width, torch.complex64)
    result = product(A)(values, B)
    expected = oracle.spmm(oracle.indices_of(A), values, A.shape, B)
    oracle.assert_close(result.detach(), expected.detach())
    weight = torch.randn_like(expected)
    for actual, reference in zip(
        torch.autograd.grad(result, (values, B), weight),
        torch.autograd.grad(expected, (values, B), weight),
        strict=True,
    ):
        oracle.assert_close(actual, reference, terms=width)


@pytest.mark.parametrize("kind", ["csr32", "uncoalesced", "batched csr64", "ragged coo"])
def test_gradcheck(kind):
    A, values, B = operands(kind, 4, 3, 2, torch.complex128)
    assert torch.autograd.gradcheck(product(A), (values, B))
    assert torch.autograd.gradgradcheck(product(A), (values, B))


@pytest.mark.parametrize("kind", ["csr32", "coo", "ragged uncoalesced"])
def test_gradient_of_a_leaf(kind):
    A, values, B = operands(kind, 6, 5, 3, torch.complex128)
    leaf = A.detach().requires_grad_()
    weight = torch.randn(*A.shape[:-1], 3, dtype=torch.complex128)
    tsgu.sparse_mm(leaf, B).backward(weight)
    expected = oracle.spmm(oracle.indices_of(A), values, A.shape, B)
    (reference,) = torch.autograd.grad(expected, values, weight)
    assert leaf.grad.layout is A.layout
    oracle.assert_close(oracle.stored_values(leaf.grad), reference)


@pytest.mark.parametrize("kind", ["csr32", "coo"])
def test_tangents(kind):
    A, values, B = operands(kind, 6, 5, 3, torch.complex128)
    indices = oracle.indices_of(A)
    tangents = torch.randn_like(values), torch.randn_like(B)
    spmm, pattern = tsgu.operator("spmm"), tsgu.Pattern.of(A)
    actual = torch.func.jvp(lambda v, b: spmm(pattern, v, b), (values, B), tangents)
    expected = torch.func.jvp(
        lambda v, b: oracle.spmm(indices, v, A.shape, b), (values, B), tangents
    )
    for left, right in zip(actual, expected, strict=True):
        oracle.assert_close(left.detach(), right.detach())


def test_vmap():
    A, values, B = operands("csr64", 6, 5, 3, torch.complex64)
    spmm, pattern = tsgu.operator("spmm"), tsgu.Pattern.of(A)
    many = torch.randn(4, *values.shape, dtype=torch.complex64)
    result = torch.func.vmap(lambda v: spmm(pattern, v, B))(many)
    indices = oracle.indices_of(A)
    for item, v in zip(result.detach(), many, strict=True):
        oracle.assert_close(item, oracle.spmm(indices, v, A.shape, B).detach())


@pytest.mark.parametrize("dtype", DTYPES)
def test_compile(dtype):
    A, values, B = operands("csr64", 6, 5, 3, dtype)
    spmm, pattern = tsgu.operator("spmm"), tsgu.Pattern.of(A)
    compiled = torch.compile(lambda v, b: spmm(pattern, v, b), fullgraph=True, backend="aot_eager")
    result = compiled(values, B)
    expected = oracle.spmm(oracle.indices_of(A), values, A.shape, B)
    oracle.assert_close(result.detach(), expected.detach())
    weight = torch.randn_like(expected)
    for actual, reference in zip(
        torch.autograd.grad(result, (values, B), weight),
        torch.autograd.grad(expected, (values, B), weight),
        strict=True,
    ):
        oracle.assert_close(actual, reference)


def test_lazy_conjugates_are_resolved():
    A, _, B = operands("csr32", 6, 5, 3, torch.complex128)
    dense = A.to_dense()
    for given in (
        B.detach().conj(),
        B.detach().mT.clone().conj().mT,
        (1j * B.detach().conj().imag),
    ):
        oracle.assert_close(tsgu.sparse_mm(A, given), dense @ given)
    conjugated = tsgu.csr(A.crow_indices(), A.col_indices(), A.values().clone().conj(), A.shape)
    oracle.assert_close(tsgu.sparse_mm(conjugated, B.detach()), dense.conj() @ B.detach())
    spmm, pattern = tsgu.operator("spmm"), tsgu.Pattern.of(A)
    result = spmm(pattern, A.values().clone().conj(), B.detach())
    oracle.assert_close(result, dense.conj() @ B.detach())


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_payload(dtype):
    op = tsgu.load_program(RATIONAL)
    A = matrices.csr(7, 6, dtype)
    rows, columns = oracle.indices_of(A)
    values = A.values().clone().requires_grad_()
    b = torch.randn(6, dtype=dtype, requires_grad=True)

    def reference(v, b):
        x = b[columns]
        terms = v * (v - x) / (x + 2) - v
        return torch.zeros(7, dtype=dtype).index_add(0, rows, terms)

    oracle.assert_same_derivatives(
        lambda v, b: op(tsgu.Pattern.of(A), v, b), reference, (values, b), order=2, terms=1 << 14
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *DTYPES])
def test_a_dense_result_is_zero_where_nothing_is_stored(dtype):
    op = tsgu.load_program(MASKED)
    A = matrices.csr(17, 13, dtype)
    values = A.values().clone().requires_grad_()
    B = torch.randn(17, 13, dtype=dtype, requires_grad=True)
    indices = oracle.indices_of(A)
    torch.full((17, 13), torch.nan, dtype=dtype)  # for the allocator to hand out
    oracle.assert_same_derivatives(
        lambda v, b: op(tsgu.Pattern.of(A), v, b),
        lambda v, b: oracle.dense(indices, v, A.shape) * b,
        (values, B),
        order=2,
    )


def test_entries_that_are_not_stored_take_no_part():
    A = torch.sparse_csr_tensor([0, 1, 1], [1], torch.tensor([1j]), (2, 2))
    B = torch.tensor([[torch.nan + 0j], [2 + 1j]])
    assert torch.equal(tsgu.sparse_mm(A, B), torch.tensor([[2j - 1], [0j]]))


def test_what_has_no_meaning_is_refused():
    A = matrices.csr(3, 3, torch.complex64)
    with pytest.raises(TypeError, match="should be real, not torch.complex64"):
        tsgu.sparse_softmax(A, -1)
    with pytest.raises(tsgu.CompileError, match="logaddexp.*no meaning for complex numbers"):
        tsgu.operator("softmax")(tsgu.Pattern.of(A), A.values())
    text = RATIONAL.replace("f64", "complex<f64>").replace("rational", "of_complex")
    text = text.replace("arith.constant 0.0 :", "complex.constant [0.0, 0.0] :")
    text = text.replace("arith.constant 2.0 :", "complex.constant [2.0, 0.0] :")
    for name in ("add", "sub", "mul", "div", "neg"):
        text = text.replace(f"arith.{name}f", f"complex.{name}")
    with pytest.raises(tsgu.CompileError, match="write it for f64"):
        tsgu.load_program(text)
