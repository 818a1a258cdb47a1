"""The same bits for every number of threads; many callers at once; forked workers."""

import pytest
import torch
from run_tools import in_threads, run_script

import matrices
import oracle
import tsgu


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def skewed(rows, columns, dtype):
    """One row holds a third of all entries, many are empty."""
    indices = matrices.random_indices(rows, columns, 0.01)
    indices = indices[:, (indices[0] % 3 != 1)]
    full = torch.stack([torch.full((columns,), rows // 2), torch.arange(columns)])
    indices = torch.cat([indices[:, indices[0] != rows // 2], full], 1)
    values = torch.randn(indices.shape[1], dtype=dtype)
    return torch.sparse_coo_tensor(indices, values, (rows, columns)).coalesce().to_sparse_csr()


def results(A, B):
    A, B = A.detach().requires_grad_(), B.detach().requires_grad_()
    product = tsgu.sparse_mm(A, B)
    weight = torch.linspace(-1, 1, product.numel(), dtype=product.dtype).view(product.shape)
    of_A, of_B = torch.autograd.grad(product, (A, B), weight)
    rows = tsgu.sparse_softmax(A, 1)
    columns = tsgu.sparse_softmax(A, 0)
    loss = (tsgu.values(rows) ** 2).sum() + (tsgu.values(columns) ** 3).sum()
    (of_softmax,) = torch.autograd.grad(loss, A)
    return [
        product.detach(),
        of_A.values(),
        of_B,
        rows.values().detach(),
        columns.values().detach(),
        of_softmax.values(),
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("columns", [1, 7, 32])
def test_same_bits_for_every_thread_count(columns, dtype, threads):
    A = skewed(3000, 2000, dtype)
    B = torch.randn(2000, columns, dtype=dtype)
    threads(1)
    expected = results(A, B)
    oracle.assert_close(expected[0], A.to_dense() @ B, terms=4096)
    for count in (2, 4, 1, 3):
        threads(count)
        for actual, reference in zip(results(A, B), expected, strict=True):
            assert torch.equal(actual, reference)


def test_many_threads_call_at_once():
    inputs = [(matrices.csr(50 + k, 40), torch.randn(40, 3, dtype=torch.float64)) for k in range(4)]
    expected = [A.to_dense() @ B for A, B in inputs]

    def work(seed):
        for k in range(50):
            A, B = inputs[(seed + k) % 4]
            oracle.assert_close(tsgu.sparse_mm(A.clone(), B), expected[(seed + k) % 4])
            A = A.detach().requires_grad_()
            tsgu.sparse_mm(A, B).sum().backward()

    in_threads(work, 8)


WORKERS = """
import torch, tsgu
A = torch.rand(300, 300).lt(0.05).double().to_sparse_csr()
big = torch.ones(300, 64, dtype=torch.float64)
expected = A.to_dense()
tsgu.sparse_mm(A, big)  # compiled, and the pool used, before the fork

class Products(torch.utils.data.Dataset):
    def __len__(self):
        return 40
    def __getitem__(self, k):
        B = torch.full((300, 1 + k % 3), float(k), dtype=torch.float64, requires_grad=True)
        result = tsgu.sparse_mm(A, B)
        result.sum().backward()
        return torch.cat([result[:, :1], B.grad[:, :1]], 1).detach()

loader = torch.utils.data.DataLoader(
    Products(), num_workers=2, batch_size=4, multiprocessing_context="fork")
for epoch in range(2):
    for number, batch in enumerate(loader):
        for offset, result in enumerate(batch):
            k = 4 * number + offset
            torch.testing.assert_close(result[:, 0], expected.sum(1) * k)
            torch.testing.assert_close(result[:, 1], expected.sum(0))
print("done")
"""


def test_forked_workers():
    assert run_script(WORKERS).strip() == "done"
