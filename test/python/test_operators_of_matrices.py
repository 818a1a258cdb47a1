"""Operators on matrices instead of patterns and values; nodes that take a CSR tensor apart."""

import pytest
import scipy.sparse
import torch
from test_user_programs import CHAIN, WEIGHTED_ROW_SUM

import matrices
import oracle
import tsgu

KINDS = {**matrices.ALL, **matrices.OTHERS}

# The sum of the products of two matrices, element by element.
PAIR = """
#CSR = #sparse_tensor.encoding<{ map = (i, j) -> (i : dense, j : compressed) }>
#entry = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @paired_row_sums(%A: tensor<?x?xf64, #CSR> {tsgu.name = "A", tsgu.pattern = @P},
                           %B: tensor<?x?xf64, #CSR> {tsgu.name = "B", tsgu.pattern = @P})
    -> tensor<?xf64> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %rows = tensor.dim %A, %c0 : tensor<?x?xf64, #CSR>
  %empty = tensor.empty(%rows) : tensor<?xf64>
  %init = linalg.fill ins(%zero : f64) outs(%empty : tensor<?xf64>) -> tensor<?xf64>
  %y = linalg.generic {indexing_maps = [#entry, #entry, #row],
                       iterator_types = ["parallel", "reduction"]}
      ins(%A, %B : tensor<?x?xf64, #CSR>, tensor<?x?xf64, #CSR>) outs(%init : tensor<?xf64>) {
  ^bb0(%a: f64, %b: f64, %sum: f64):
    %term = arith.mulf %a, %b : f64
    %next = arith.addf %sum, %term : f64
    linalg.yield %next : f64
  } -> tensor<?xf64>
  return %y : tensor<?xf64>
}
"""


@pytest.fixture(scope="module")
def row_sum():
    return tsgu.load_program(WEIGHTED_ROW_SUM.replace("@weighted_row_sum", "@row_sum_of_matrices"))


def as_given(A, how):
    return tsgu.Matrix.of(A) if how == "Matrix" else A


@pytest.mark.parametrize("how", ["tensor", "Matrix"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "uncoalesced" not in kind])
def test_a_program_from_text(row_sum, kind, how):
    """With gradients of every operand, to the second order."""
    A = KINDS[kind](4, 6, torch.float64)
    w = torch.randn(*A.shape[:-2], 6, dtype=torch.float64, requires_grad=True)
    indices, shape = oracle.indices_of(A), tuple(A.shape)
    pattern = tsgu.Pattern.of(A)

    def ours(values, w):
        made = tsgu.Matrix(pattern, values)
        return row_sum(made if how == "Matrix" else made.to_torch(), w)

    def reference(values, w):
        return (oracle.dense(indices, values, shape).square() @ w.unsqueeze(-1)).squeeze(-1)

    values = oracle.stored_values(A).clone().requires_grad_()
    oracle.assert_same_derivatives(ours, reference, (values, w), order=2)


def test_two_patterns_and_scipy():
    chain = tsgu.load_program(CHAIN.replace("@chain", "@chain_of_matrices"))
    A, B = matrices.csr(5, 4), matrices.coo(3, 5)
    x = torch.randn(4, dtype=torch.float64)
    expected = B.to_dense() @ (A.to_dense() @ x)
    oracle.assert_close(chain(A, B, x), expected)
    array = scipy.sparse.csc_array(B.to_dense().numpy())
    oracle.assert_close(chain(tsgu.Matrix.of(A), array, x), expected)


@pytest.mark.parametrize("kind", ["csr32", "coo", "csc64", "bsr", "batched csr64", "ragged coo"])
def test_sparse_results_are_of_the_kind_that_was_given(kind):
    A = KINDS[kind](4, 6, torch.float64)
    indices, shape = oracle.indices_of(A), tuple(A.shape)
    G = torch.randn(*shape[:-1], 2, dtype=torch.float64)
    B = torch.randn(*shape[:-2], 6, 2, dtype=torch.float64)
    for how in ("tensor", "Matrix"):
        given = as_given(A, how)
        weights = tsgu.operator("softmax")(given)
        assert type(weights) is type(given) and weights.layout is A.layout
        expected = oracle.softmax(indices, oracle.stored_values(A), shape, -1)
        oracle.assert_close(tsgu.values(weights).reshape(-1), expected)
        if A.dim() == 2:  # the gradient of a product is sampled on the matrix
            sampled = tsgu.operator("spmm/vjp0")(given, B, G)
            assert type(sampled) is type(given)
            oracle.assert_close(tsgu.values(sampled).reshape(-1), (G @ B.mT)[tuple(indices)])


def test_operands_of_one_pattern():
    pair = tsgu.load_program(PAIR)
    A = matrices.csr(4, 5, density=0.5)
    B = torch.sparse_csr_tensor(A.crow_indices(), A.col_indices(), A.values().cos(), A.shape)
    expected = (A.to_dense() * B.to_dense()).sum(1)
    oracle.assert_close(pair(A, B), expected)
    oracle.assert_close(pair(tsgu.Matrix.of(A), B.clone()), expected)
    other = matrices.csr(4, 5, density=0.5)
    with pytest.raises(ValueError, match="A and B of paired_row_sums lie on one pattern"):
        pair(A, other)


def test_what_is_none_of_the_operands():
    spmm, A = tsgu.operator("spmm"), matrices.csr(4, 5)
    for arguments in [(torch.eye(4), torch.eye(4)), (tsgu.Pattern.of(A), A.values()), (None, None)]:
        with pytest.raises(TypeError, match="spmm takes pattern A, A, B; 2 given"):
            spmm(*arguments)
    with pytest.raises(TypeError, match=r"a tsgu\.Pattern first"):
        spmm(A, A.values(), torch.ones(5, 2))
    with pytest.raises(TypeError, match="are tensors, not"):
        spmm(tsgu.Pattern.of(A), A.values(), 2.0)
    with pytest.raises(TypeError, match="dense"):
        spmm(tsgu.Pattern.of(A), A, torch.ones(5, 2, dtype=torch.float64))


# ===-- Nodes that take a CSR tensor whole -------------------------------------------===#


def solves(A, B):
    return tsgu.sparse_triangular_solve(A, B, upper=False)


def reference_solves(A, B):
    return torch.linalg.solve(A.tril(), B)


@pytest.mark.parametrize(
    "ours, reference",
    [
        (tsgu.sparse_mm, torch.matmul),
        (solves, reference_solves),
        (tsgu.SparseSolver.apply, torch.linalg.solve),
        (tsgu.direct.solve, torch.linalg.solve),
    ],
    ids=["product", "triangle", "cholesky", "lu"],
)
def test_one_node_for_a_csr_leaf(ours, reference):
    """A gradient in a leaf's layout, through one node, added up over passes and uses."""
    dense = torch.randn(4, 4, dtype=torch.float64)
    dense = dense @ dense.mT + 4 * torch.eye(4)
    leaf, B = dense.to_sparse_csr().requires_grad_(), torch.randn(4, 2, dtype=torch.float64)
    B.requires_grad_()
    copy, C = dense.clone().requires_grad_(), B.detach().clone().requires_grad_()
    result = ours(leaf, B)
    kinds = {type(node).__name__ for node, _ in result.grad_fn.next_functions if node is not None}
    assert kinds == {"AccumulateGrad"}
    for _ in range(2):
        (ours(leaf, B) * ours(leaf, B).cos()).sum().backward()
        (reference(copy, C) * reference(copy, C).cos()).sum().backward()
    assert leaf.grad.layout is torch.sparse_csr
    oracle.assert_close(leaf.grad.values(), copy.grad.reshape(-1), terms=1 << 14)
    oracle.assert_close(B.grad, C.grad, terms=1 << 14)
    totals = []
    for f, a, b in ((ours, leaf, B), (reference, copy, C)):
        of_a, of_b = torch.autograd.grad(f(a, b).sin().sum(), (a, b), create_graph=True)
        of_a = tsgu.values(of_a) if of_a.layout is torch.sparse_csr else of_a
        totals.append(torch.autograd.grad(of_a.square().sum() + of_b.sum(), (a, b)))
    oracle.assert_close(totals[0][0].values(), totals[1][0].reshape(-1), terms=1 << 18)
    oracle.assert_close(totals[0][1], totals[1][1], terms=1 << 18)


def test_a_csr_tensor_that_is_no_leaf():
    """Its graph is its own; it keeps its gradient where it is asked to."""
    values = torch.randn(3, dtype=torch.float64, requires_grad=True)
    A = tsgu.csr([0, 2, 3], [0, 1, 2], 2 * values, (2, 3))
    A.retain_grad()
    B = torch.randn(3, 2, dtype=torch.float64)
    tsgu.sparse_mm(A, B).sum().backward()
    expected = B.sum(1)
    oracle.assert_close(A.grad.values(), expected)
    oracle.assert_close(values.grad, 2 * expected)


def test_hybrid_and_misshapen_tensors_are_refused_by_nodes():
    hybrid = torch.sparse_csr_tensor([0, 1, 2], [0, 1], torch.randn(2, 2), (2, 2, 2))
    with pytest.raises(ValueError):
        tsgu.sparse_mm(hybrid.requires_grad_(), torch.ones(2, 2))
    short = torch.sparse_csr_tensor([0, 1], [0], torch.ones(1), (2, 2), check_invariants=False)
    with pytest.raises(tsgu.PatternError, match="n rows need n"):
        tsgu.sparse_mm(short.requires_grad_(), torch.ones(2, 2))


def test_a_batch_of_dense_operands_beside_a_csr_leaf():
    A = matrices.csr(4, 5).requires_grad_()
    B = torch.randn(3, 5, 2, dtype=torch.float64, requires_grad=True)
    result = tsgu.operator("spmm").on(A, B)
    oracle.assert_close(result.detach(), A.detach().to_dense() @ B.detach())
    weight = torch.randn_like(result)
    left = torch.autograd.grad(result, (A, B), weight)
    dense = A.detach().to_dense()
    expected = (weight @ B.detach().mT).sum(0)[tuple(oracle.indices_of(A.detach()))]
    oracle.assert_close(left[0].values(), expected)
    oracle.assert_close(left[1], dense.mT @ weight)
