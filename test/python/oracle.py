"""What every result is compared with: dense torch, in which each stored entry is a variable.

A sparse matrix is made dense from its values by `index_put`, so that autograd of any order is
exact per stored entry, explicit zeros and duplicates included.
"""

import torch


def _indices_of_blocks(A):
    by_columns = A.layout is torch.sparse_bsc
    compressed, plain = (
        (A.ccol_indices(), A.row_indices()) if by_columns else (A.crow_indices(), A.col_indices())
    )
    height, width = A.values().shape[-2:]
    lead = [()] if A.dim() == 2 else [(item,) for item in range(A.shape[0])]
    found = []
    for item in lead:
        ends, others = compressed[item].tolist(), plain[item].tolist()
        for line in range(len(ends) - 1):
            for other in others[ends[line] : ends[line + 1]]:
                row, column = (other, line) if by_columns else (line, other)
                found += [
                    (*item, row * height + i, column * width + j)
                    for i in range(height)
                    for j in range(width)
                ]
    return torch.tensor(found, dtype=torch.int64).view(-1, A.dim()).T


def indices_of(A):
    """The coordinates, (rank, entries), of the stored entries of a sparse tensor."""
    if A.layout is torch.sparse_coo:
        return A._indices()
    if A.layout in (torch.sparse_bsr, torch.sparse_bsc):
        return _indices_of_blocks(A)
    if A.layout is torch.sparse_csc:
        arrays = A.ccol_indices(), A.row_indices(), A.values().detach()
        shape = (*A.shape[:-2], A.shape[-1], A.shape[-2])
        *item, column, row = indices_of(torch.sparse_csr_tensor(*arrays, shape))
        return torch.stack([*item, row, column])
    positions, coordinates = A.crow_indices().long(), A.col_indices().long()
    rows = torch.arange(A.shape[-2])
    if A.dim() == 2:
        return torch.stack([rows.repeat_interleave(positions.diff()), coordinates])
    parts = [
        torch.stack([torch.full_like(c, b), rows.repeat_interleave(p.diff()), c])
        for b, (p, c) in enumerate(zip(positions, coordinates, strict=True))
    ]
    return torch.cat(parts, 1) if parts else torch.zeros(3, 0, dtype=torch.int64)


def stored_values(A):
    """The values, (entries,), in the order of `indices_of`, without autograd."""
    values = A._values() if A.layout is torch.sparse_coo else A.values()
    return values.detach().reshape(-1)


def dense(indices, values, shape):
    return torch.zeros(shape, dtype=values.dtype).index_put(tuple(indices), values, accumulate=True)


def spmm(indices, values, shape, B):
    return dense(indices, values, shape) @ B


def solve(indices, values, shape, B):
    return torch.linalg.solve(dense(indices, values, shape), B)


def softmax(indices, values, shape, dim):
    """Softmax over the stored entries, as values at `indices`."""
    stored = dense(indices, torch.ones_like(values), shape) > 0
    matrix = torch.where(stored, dense(indices, values, shape), -torch.inf)
    return torch.softmax(matrix, dim)[tuple(indices)]


def assert_close(actual, expected, terms=64):
    """Equal up to the rounding of sums of so many terms, relative to the largest element."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if expected.numel() == 0:
        return
    largest = expected.abs().where(expected.isfinite(), 0).max().item()
    tolerance = terms * torch.finfo(expected.dtype).eps * (1 + largest)
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance, equal_nan=True)


def with_gradients(function, reference, A, B):
    """(actual, expected) of the result, and of its gradients in A's stored values and in B.

    `function` takes A and B, `reference` what `spmm` takes; one cotangent serves both.
    """
    A, B = A.detach().requires_grad_(), B.detach().requires_grad_()
    values, dense = stored_values(A).requires_grad_(), B.detach().requires_grad_()
    actual, expected = function(A, B), reference(indices_of(A), values, A.shape, dense)
    weight = torch.randn_like(expected)
    left = torch.autograd.grad(actual, (A, B), weight)
    right = torch.autograd.grad(expected, (values, dense), weight)
    assert left[0].layout == A.layout
    results = actual.detach(), expected.detach()
    return results, (stored_values(left[0]), right[0]), (left[1], right[1])


def assert_same_derivatives(function, reference, inputs, order=3, terms=1024):
    """Equal values and gradients up to `order` in every input, which are leaf tensors.

    Each order differentiates a random functional of all gradients of the one before, so every
    mixed derivative takes part.
    """
    results = [function(*inputs)], [reference(*inputs)]
    for level in range(order + 1):
        for actual, expected in zip(*results, strict=True):
            assert (actual is None) == (expected is None)
            if actual is not None:
                assert_close(actual.detach(), expected.detach(), terms)
        if level == order:
            break
        weights = [None if result is None else torch.randn_like(result) for result in results[1]]
        results = tuple(_gradients(side, weights, inputs) for side in results)


def _gradients(results, weights, inputs):
    functional = sum(
        (result * weight).sum().real
        for result, weight in zip(results, weights, strict=True)
        if result is not None and result.requires_grad
    )
    gradients = torch.autograd.grad(functional, inputs, create_graph=True, materialize_grads=True)
    # A later order of an input that does not take part is zero in both: kept comparable.
    return [gradient + 0 * sum(x.sum() for x in inputs) for gradient in gradients]
