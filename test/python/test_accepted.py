"""Index tensors that are unusual but not corrupt give right results."""

import torch

import oracle
import tsgu


def check(A, indices, values):
    B = torch.randn(A.shape[-1], 3, dtype=values.dtype)
    A = A.requires_grad_()
    result = tsgu.sparse_mm(A, B)
    oracle.assert_close(result.detach(), oracle.spmm(indices, values, A.shape, B))
    weight = torch.randn_like(result)
    (gradient,) = torch.autograd.grad(result, A, weight)
    expected = (weight @ B.T)[tuple(indices)]
    oracle.assert_close(oracle.stored_values(gradient), expected)


def test_unsorted_columns():
    values = torch.tensor([1.0, 2.0, 3.0])
    A = torch.sparse_csr_tensor([0, 2, 3], [2, 0, 1], values, (2, 3), check_invariants=False)
    check(A, torch.tensor([[0, 0, 1], [2, 0, 1]]), values)
    softmax = tsgu.sparse_softmax(A.detach(), 1)
    expected = torch.softmax(values[:2], 0)
    oracle.assert_close(softmax.values(), torch.cat([expected, torch.ones(1)]))


def test_repeated_columns_are_summed():
    values = torch.tensor([1.0, 2.0, 3.0])
    A = torch.sparse_csr_tensor([0, 2, 3], [1, 1, 1], values, (2, 3), check_invariants=False)
    check(A, torch.tensor([[0, 0, 1], [1, 1, 1]]), values)


def test_wrongly_flagged_coalesced():
    values = torch.tensor([1.0, 2.0, 3.0])
    for indices in ([[1, 0, 1], [2, 0, 2]], [[1, 0, 0], [2, 1, 0]]):
        A = torch.sparse_coo_tensor(
            indices, values, (2, 3), is_coalesced=True, check_invariants=False
        )
        check(A, torch.tensor(indices), values)


def test_index_tensors_with_strides():
    values = torch.tensor([1.0, 2.0, 3.0])
    indices = torch.tensor([[0, 0], [0, 2], [1, 1]]).T
    assert not indices.is_contiguous()
    check(torch.sparse_coo_tensor(indices, values, (2, 3)), indices, values)
    positions = torch.tensor([0, 9, 2, 9, 3])[::2]
    coordinates = torch.tensor([0, 9, 2, 9, 1])[::2]
    spmm = tsgu.operator("spmm")
    B = torch.randn(3, 2)
    result = spmm(tsgu.Pattern.csr(positions, coordinates, 3), values, B)
    oracle.assert_close(result, oracle.spmm(indices, values, (2, 3), B))


def test_values_with_strides():
    values = torch.randn(6)[::2]
    pattern = tsgu.Pattern.csr(torch.tensor([0, 2, 3]), torch.tensor([0, 2, 1]), 3)
    B = torch.randn(3, 2)
    indices = torch.tensor([[0, 0, 1], [0, 2, 1]])
    result = tsgu.operator("spmm")(pattern, values, B)
    oracle.assert_close(result, oracle.spmm(indices, values, (2, 3), B))
    expanded = torch.tensor([2.0]).expand(3)
    result = tsgu.operator("spmm")(pattern, expanded, B)
    oracle.assert_close(result, oracle.spmm(indices, expanded, (2, 3), B))


def test_inference_mode():
    with torch.inference_mode():
        A = torch.eye(3).to_sparse_csr()
        B = torch.randn(3, 2)
        for _ in range(2):
            assert torch.equal(tsgu.sparse_mm(A, B), B)
    A = torch.eye(3).to_sparse_csr()
    with torch.inference_mode():
        assert torch.equal(tsgu.sparse_mm(A, B), B)


def test_zero_times_infinity_is_only_computed_where_stored():
    A = torch.sparse_csr_tensor([0, 1, 2], [0, 1], [0.0, 1.0], (2, 2))
    B = torch.tensor([[torch.inf, 1.0], [2.0, torch.nan]])
    result = tsgu.sparse_mm(A, B)
    assert result[0, 0].isnan() and result[0, 1] == 0
    assert result[1, 0] == 2 and result[1, 1].isnan()
