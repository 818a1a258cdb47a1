"""What is refused, with which class and text."""

import pytest
import torch

import matrices
import tsgu
from tsgu._runtime import library


def test_errors_of_sparse_mm_in_order():
    csr = matrices.csr(3, 4, torch.float32)
    batch = matrices.batched_csr(2, 3, 4, torch.float32)
    B = torch.ones(4, 2)
    cases = [
        ((1, B), "Both A and B should be instances of torch.Tensor"),
        ((csr, [[1.0]]), "Both A and B should be instances of torch.Tensor"),
        ((csr, torch.ones(4)), "Both A and B should be at least 2-dimensional tensors"),
        ((torch.ones(4), B), "Both A and B should be at least 2-dimensional tensors"),
        ((csr, torch.ones(2, 4, 2)), "A and B must both be 2D or both be 3D tensors"),
        ((batch, B), "A and B must both be 2D or both be 3D tensors"),
        ((torch.ones(1, 1, 3, 4), torch.ones(1, 1, 4, 2)), "A and B must both be 2D or both be 3D"),
        ((torch.ones(3, 4), B), "A should be in either COO or CSR sparse format"),
        ((csr, B.to_sparse_coo()), "B must be a dense (strided) tensor"),
        ((csr, B.to_sparse_csr()), "B must be a dense (strided) tensor"),
        ((batch, torch.ones(3, 4, 2)), "If batched, A and B must have the same batch size"),
        ((csr, torch.ones(5, 2)), "Incompatible inner dimensions: A[..., 4] vs B[..., 5]"),
        ((batch, torch.ones(2, 5, 2)), "Incompatible inner dimensions: A[..., 4] vs B[..., 5]"),
        ((csr.to_sparse_coo(), torch.ones(5, 2)), "Incompatible inner dimensions: A[..., 4] vs B"),
    ]
    for operands, text in cases:
        for needs_grad in (False, True):
            arguments = [
                x.detach().requires_grad_(needs_grad) if isinstance(x, torch.Tensor) else x
                for x in operands
            ]
            with pytest.raises(ValueError) as caught:
                tsgu.sparse_mm(*arguments)
            assert str(caught.value).startswith(text)


def test_hybrid_tensors_are_refused():
    indices = torch.tensor([[0, 1], [1, 0]])
    hybrid = torch.sparse_coo_tensor(indices, torch.ones(2, 3), (2, 2, 3))
    with pytest.raises(ValueError, match="hybrid"):
        tsgu.sparse_mm(hybrid, torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match="hybrid"):
        tsgu.sparse_mm(torch.sparse_coo_tensor(indices[:1], torch.ones(2, 3)), torch.ones(3, 4))
    with pytest.raises(ValueError, match="hybrid"):
        tsgu.values(hybrid)


@pytest.mark.parametrize("dtype", [torch.complex32, torch.int64, torch.bool])
def test_dtypes_are_refused(dtype):
    A = torch.eye(3).to(dtype).to_sparse_csr()
    with pytest.raises(TypeError, match="float32"):
        tsgu.sparse_mm(A, torch.ones(3, 2).to(dtype))


def test_other_devices_are_refused():
    A = matrices.csr(3, 3, torch.float32)
    with pytest.raises(TypeError, match="CPU"):
        tsgu.sparse_mm(A, torch.ones(3, 2, device="meta"))
    spmm = tsgu.operator("spmm")
    pattern = tsgu.Pattern.of(A)
    with pytest.raises(TypeError, match="CPU"):
        spmm(pattern, A.values().to("meta"), torch.ones(3, 2, device="meta"))


def test_values_that_do_not_fit_their_pattern():
    A = matrices.csr(3, 3)
    spmm = tsgu.operator("spmm")
    B = torch.ones(3, 2, dtype=torch.float64)
    for count in (0, A.values().numel() + 1):
        with pytest.raises(ValueError):
            spmm(tsgu.Pattern.of(A), torch.ones(count, dtype=torch.float64), B)
    with pytest.raises(ValueError):
        spmm(tsgu.Pattern.of(A), A.values(), B[0])
    for arguments in ((A.values(), B), (A.values(), B, B, B), (A, A.values(), B)):
        with pytest.raises(TypeError, match="spmm takes"):
            spmm(*arguments)
    with pytest.raises(TypeError):
        spmm(tsgu.Pattern.of(A), A.values(), 3)


def test_numbers_that_are_no_program():
    A = matrices.csr(3, 3)
    B = torch.ones(3, 2, dtype=torch.float64)
    for number in (-1, 1 << 40, 65535):
        with pytest.raises(ValueError, match="no program has the number"):
            torch.ops.tsgu.run2(number, A.crow_indices(), A.col_indices(), 3, 0, A.values(), B)


def test_results_larger_than_memory():
    A = torch.zeros(10**6, 1).to_sparse_csr()
    with pytest.raises(MemoryError, match="1000000, 100000000"):
        tsgu.sparse_mm(A, torch.ones(1, 1).expand(1, 10**8))


def test_unknown_programs():
    for path in ("nonsense", "spmm/vjp7", "spmm/nonsense", "spmm/vjp-1", "/spmm", ""):
        with pytest.raises(tsgu.CompileError):
            tsgu.operator(path)
    assert issubclass(tsgu.CompileError, RuntimeError)
    assert issubclass(tsgu.PatternError, ValueError)


def test_every_status_has_a_class():
    # tsgu_status of tsgu.h, without those that are Python's own.
    classes = {2: tsgu.PatternError, 3: tsgu.CompileError, 6: tsgu.SingularMatrixError}
    classes |= {7: tsgu.ConvergenceError, 8: tsgu.CallbackError, 9: tsgu.DeviceError}
    for status, expected in classes.items():
        with pytest.raises(expected) as caught:
            library.check(status)
        assert caught.type is expected
    assert issubclass(tsgu.DeviceError, RuntimeError)


def test_softmax_arguments():
    A = matrices.csr(3, 3)
    for dim in (2, -3):
        with pytest.raises(IndexError, match="out of range"):
            tsgu.sparse_softmax(A, dim)
    with pytest.raises(ValueError, match="batch dimension"):
        tsgu.sparse_softmax(matrices.batched_csr(2, 3, 3), 0)
    with pytest.raises(ValueError, match="COO or CSR"):
        tsgu.sparse_softmax(A.to_dense(), 1)
    with pytest.raises(TypeError):
        tsgu.sparse_softmax(3, 1)


def test_a_dense_cotangent_is_refused():
    A = matrices.csr(3, 3)
    values = A.values().clone().requires_grad_()
    sparse = tsgu.csr(A.crow_indices(), A.col_indices(), values, A.shape)
    with pytest.raises(RuntimeError, match="tsgu.values"):
        (sparse @ torch.ones(3, 2, dtype=torch.float64)).sum().backward()
