"""Programs of transposed matrices: one pattern serves, and values stay in the order they have."""

import pytest
import torch

import matrices
import oracle
import tsgu


def _taken_apart(kind, dtype):
    A = matrices.ALL[kind](7, 6, dtype)
    return tsgu.Pattern.of(A), oracle.indices_of(A), oracle.stored_values(A), A.shape


def _exchanged(indices):
    return torch.stack([*indices[:-2], indices[-1], indices[-2]])


def _suffix(shape):
    return "" if len(shape) == 2 else "/batch"


@pytest.mark.parametrize("by", ["pattern", "program"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_product(kind, dtype, by):
    """Of A^T by the pattern of A^T, and by the transposed program on the pattern of A."""
    pattern, indices, values, shape = _taken_apart(kind, dtype)
    B = torch.randn(*shape[:-2], shape[-2], 3, dtype=dtype)
    path = "spmm" + _suffix(shape)
    if by == "pattern":
        pattern = pattern.transposed()
    spmm = tsgu.operator(path if by == "pattern" else path + "/transpose")

    def reference(values, B):
        return oracle.dense(indices, values, shape).mT @ B

    inputs = values.requires_grad_(), B.requires_grad_()
    oracle.assert_same_derivatives(lambda *x: spmm(pattern, *x), reference, inputs)


@pytest.mark.parametrize("kind", matrices.ALL)
def test_forward_mode_and_vmap(kind):
    pattern, indices, values, shape = _taken_apart(kind, torch.float64)
    along = pattern.transposed()
    B = torch.randn(*shape[:-2], shape[-2], 2, dtype=torch.float64)
    spmm = tsgu.operator("spmm" + _suffix(shape))
    tangents = torch.randn_like(values), torch.randn_like(B)

    def ours(values, B):
        return spmm(along, values, B)

    def reference(values, B):
        return oracle.dense(indices, values, shape).mT @ B

    for x, y in zip(
        torch.func.jvp(ours, (values, B), tangents),
        torch.func.jvp(reference, (values, B), tangents),
        strict=True,
    ):
        oracle.assert_close(x, y)
    several = torch.randn(4, *values.shape, dtype=torch.float64)
    mapped = torch.func.vmap(ours, (0, None))(several, B)
    expected = torch.stack([reference(each, B) for each in several])
    oracle.assert_close(mapped, expected)


@pytest.mark.parametrize("include_zeros", [True, False])
@pytest.mark.parametrize("kind", matrices.ALL)
def test_rows_and_columns_have_one_pattern(kind, include_zeros):
    A = matrices.ALL[kind](9, 5, torch.float64).requires_grad_()

    def steps(dim):
        tsgu.sparse_logsumexp(A, dim, include_zeros=include_zeros).sum().backward()
        tsgu.values(tsgu.sparse_softmax(A, dim)).sum().backward()

    steps(-1)
    before = tsgu.show_config()["patterns alive"]
    steps(-2)
    assert tsgu.show_config()["patterns alive"] == before


def test_a_matrix_stored_by_columns_has_the_pattern_of_its_transpose():
    A = matrices.csr(8, 6, torch.float64)
    B, C = torch.randn(6, 2, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    expected = A.to_dense().mT @ C
    tsgu.sparse_mm(A, B)
    before = tsgu.show_config()["patterns alive"]
    positions, rows = A.crow_indices(), A.col_indices()
    T = torch.sparse_csc_tensor(positions, rows, A.values(), (6, 8))
    oracle.assert_close(tsgu.sparse_mm(T, C), expected)
    assert tsgu.show_config()["patterns alive"] == before


def test_index_tensors_written_to_between_forward_and_backward():
    """By equal values, which no gradient minds, and by others, which it does."""
    positions, coordinates = torch.tensor([0, 1, 2]), torch.tensor([0, 1])
    along = tsgu.Pattern.csr(positions, coordinates, 2).transposed()
    values, B = torch.ones(2, requires_grad=True), torch.eye(2)
    result = tsgu.operator("spmm")(along, values, B)
    coordinates.copy_(torch.tensor([0, 1]))
    result.sum().backward(retain_graph=True)
    coordinates.copy_(torch.tensor([1, 0]))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()
