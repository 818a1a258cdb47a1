"""Patterns are found by storage, then by content; the cache is bounded."""

import gc

import torch
from run_tools import run_script

import matrices
import oracle
import tsgu


def counts():
    config = tsgu.show_config()
    names = ("hits", "hits by content", "misses", "entries")
    return [config[f"pattern cache {name}"] for name in names]


def test_the_same_storage_is_a_hit():
    A = matrices.csr(11, 12)
    B = torch.ones(12, 2, dtype=torch.float64)
    tsgu.sparse_mm(A, B)
    hits, content, misses, entries = counts()
    tsgu.sparse_mm(A, B)
    tsgu.sparse_mm(A * 2, B)
    assert counts()[2] == misses
    assert counts()[0] >= hits + 1


def test_equal_content_in_new_storage_shares_the_pattern():
    A = matrices.csr(13, 12)
    B = torch.ones(12, 2, dtype=torch.float64)
    tsgu.sparse_mm(A, B)
    _, content, misses, _ = counts()
    tsgu._patterns.pattern_cache.drop_unused()  # so that nothing is dropped in between
    patterns = tsgu.show_config()["patterns alive"]
    result = tsgu.sparse_mm(A.clone(), B)
    assert counts()[1:3] == [content + 1, misses]
    assert tsgu.show_config()["patterns alive"] == patterns
    assert torch.equal(result, tsgu.sparse_mm(A, B))


def test_indices_written_in_place_are_noticed():
    positions, coordinates = torch.tensor([0, 1, 2]), torch.tensor([0, 1])
    values, B = torch.ones(2), torch.eye(2)
    spmm = tsgu.operator("spmm")

    def product():
        dense = spmm(tsgu.Pattern.csr(positions, coordinates, 2), values, B)
        (gradient,) = torch.func.vjp(
            lambda b: spmm(tsgu.Pattern.csr(positions, coordinates, 2), values, b), B
        )[1](torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        return dense, gradient

    product()
    coordinates.copy_(torch.tensor([1, 0]))
    dense, gradient = product()
    assert dense.tolist() == [[0, 1], [1, 0]]
    assert gradient.tolist() == [[3, 4], [1, 2]]
    coordinates.fill_(5)
    try:
        product()
    except tsgu.PatternError:
        return
    raise AssertionError("a corrupt pattern was accepted")


def test_csr_tensors_copied_into_are_noticed():
    A = torch.sparse_csr_tensor([0, 1, 2], [0, 1], [1.0, 2.0], (2, 2))
    other = torch.sparse_csr_tensor([0, 1, 2], [1, 0], [3.0, 4.0], (2, 2))
    B = torch.randn(2, 2, requires_grad=True)
    tsgu.sparse_mm(A, B).sum().backward()
    A.copy_(other)
    B.grad = None
    result = tsgu.sparse_mm(A, B)
    oracle.assert_close(result.detach(), other.to_dense() @ B.detach())
    weight = torch.randn(2, 2)
    (gradient,) = torch.autograd.grad(result, B, weight)
    oracle.assert_close(gradient, other.to_dense().T @ weight)


def test_freed_storage_is_never_mistaken():
    """New tensors at the addresses of dead ones have their own patterns."""
    B = torch.randn(30, 3, dtype=torch.float64)
    for _ in range(200):
        A = matrices.csr(30, 30, density=0.1)
        oracle.assert_close(tsgu.sparse_mm(A, B), A.to_dense() @ B)


def held(*tensors):
    """Whether the cache still knows the storage of each index tensor."""
    known = {tensor.data_ptr() for tensor in torch.ops.tsgu.cached()[1]}
    return [tensor in known for tensor in tensors]


def test_what_nobody_holds_is_dropped():
    B = torch.ones(17, 2)
    spmm = tsgu.operator("spmm")

    def csr():
        A = torch.rand(17, 17).lt(0.3).float().to_sparse_csr()
        return A, A.crow_indices().data_ptr()

    def coo():
        A = torch.rand(17, 17).lt(0.3).float().to_sparse_coo()
        return A, A._indices().data_ptr()

    def strided():
        entries = torch.rand(17, 17).lt(0.3).nonzero()
        A = torch.sparse_coo_tensor(entries.T, torch.ones(len(entries)), (17, 17))
        return A, A._indices().data_ptr()

    def pattern():
        A, _ = csr()
        parts = [x.clone() for x in (A.crow_indices(), A.col_indices(), A.values())]
        return parts, parts[0].data_ptr()

    def multiply(A):
        if isinstance(A, list):
            return spmm(tsgu.Pattern.csr(A[0], A[1], 17), A[2], B)
        return tsgu.sparse_mm(A, B)

    makers = [csr, coo, strided, pattern]
    kept = [make() for make in makers]
    graph = csr()
    result = tsgu.sparse_mm(graph[0], B.clone().requires_grad_())
    addresses = [address for _, address in kept] + [graph[1]]
    del graph  # its index tensors live on in the graph of `result`
    dead = []
    for make in makers:
        A, address = make()
        multiply(A)
        dead.append(address)
        del A
    for A, _ in kept:
        multiply(A)
    tsgu._patterns.pattern_cache.drop_unused()
    assert all(held(*addresses))
    assert not any(held(*dead))
    del result
    tsgu._patterns.pattern_cache.drop_unused()
    assert held(*addresses) == [True] * 4 + [False]


def test_new_patterns_at_every_step_do_not_pile_up():
    gc.collect()
    tsgu._patterns.pattern_cache.drop_unused()
    # What other tests hold; the cache is swept whenever it has doubled.
    held = tsgu.show_config()["pattern cache entries"]
    most = 2 * (held + 32)
    B = torch.ones(50, 2)
    for _ in range(most):
        A = torch.rand(50, 50).lt(0.1).float().to_sparse_csr()
        oracle.assert_close(tsgu.sparse_mm(A, B), A.to_dense() @ B)
    for _ in range(most):
        oracle.assert_close(tsgu.sparse_mm(A.clone(), B), A.to_dense() @ B)
    assert tsgu.show_config()["pattern cache entries"] < most


def test_the_cache_is_bounded():
    program = """
import torch, tsgu
B = torch.ones(300, 1)
kept = []
for k in range(60):
    A = torch.rand(300, 300).lt(0.03).float().to_sparse_csr()
    kept.append(A)
    torch.testing.assert_close(tsgu.sparse_mm(A, B), A.to_dense() @ B)
config = tsgu.show_config()
assert config["pattern cache limit"] == 200_000
assert config["pattern cache bytes"] < 400_000, config
assert config["pattern cache evictions"] > 30, config
assert config["patterns alive"] < 20, config
"""
    run_script(program, TSGU_PATTERN_CACHE_BYTES=str(200_000))


def test_show_config_prints():
    text = str(tsgu.show_config())
    for name in ("tsgu", "torch", "cpu", "pattern cache hits"):
        assert name in text


def test_freed_storage_of_strided_indices():
    for _ in range(200):
        entries = matrices.random_indices(20, 20, 0.1).T.contiguous()
        A = torch.sparse_coo_tensor(entries.T, torch.randn(len(entries)), (20, 20))
        B = torch.randn(20, 2)
        oracle.assert_close(tsgu.sparse_mm(A, B), A.to_dense() @ B)
        del A, entries


def test_uncoalesced_softmax_finds_its_coalesced_pattern_by_storage():
    A = matrices.uncoalesced(7, 9).requires_grad_()

    def step():
        tsgu.sparse_softmax(A, -1).coalesce().values().sum().backward()

    with torch.inference_mode():  # What it leaves behind must serve autograd.
        tsgu.sparse_softmax(A.detach(), -1)
    step()
    _, content, misses, _ = counts()
    step()
    assert counts()[1:3] == [content, misses]
