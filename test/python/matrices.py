"""Sparse matrices of every kind that the package accepts."""

import functools

import torch

import tsgu


def random_indices(rows, columns, density=0.3, items=None, generator=None):
    """Sorted, unique coordinates; items (if any) have different numbers of entries."""
    shape = (rows, columns) if items is None else (items, rows, columns)
    return (torch.rand(shape, generator=generator) < density).nonzero().T.contiguous()


def coo(rows, columns, dtype=torch.float64, items=None, density=0.3):
    """Coalesced; ragged if batched."""
    indices = random_indices(rows, columns, density, items)
    shape = (rows, columns) if items is None else (items, rows, columns)
    values = torch.randn(indices.shape[1], dtype=dtype)
    return torch.sparse_coo_tensor(indices, values, shape, is_coalesced=True, check_invariants=True)


def uncoalesced(rows, columns, dtype=torch.float64, items=None):
    """Unsorted, with elements that are named several times."""
    indices = random_indices(rows, columns, items=items)
    count = indices.shape[1]
    order = torch.randint(0, max(count, 1), (count + count // 2,))
    shape = (rows, columns) if items is None else (items, rows, columns)
    values = torch.randn(order.numel(), dtype=dtype)
    return torch.sparse_coo_tensor(indices[:, order], values, shape)


def csr(rows, columns, dtype=torch.float64, index=torch.int64, density=0.3):
    A = coo(rows, columns, dtype, density=density).to_sparse_csr()
    return torch.sparse_csr_tensor(
        A.crow_indices().to(index), A.col_indices().to(index), A.values(), (rows, columns)
    )


def batched_csr(items, rows, columns, dtype=torch.float64, index=torch.int64):
    """Items of equal numbers of entries but different patterns."""
    per_row = min(3, columns)
    coordinates = torch.stack(
        [
            torch.cat([torch.randperm(columns)[:per_row].sort()[0] for _ in range(rows)])
            if rows
            else torch.zeros(0, dtype=torch.int64)
            for _ in range(items)
        ]
    )
    positions = (torch.arange(rows + 1) * per_row).expand(items, -1)
    values = torch.randn(items, rows * per_row, dtype=dtype)
    return torch.sparse_csr_tensor(
        positions.to(index).contiguous(), coordinates.to(index), values, (items, rows, columns)
    )


# name -> a maker of (rows, columns, dtype)
MATRICES = {
    "csr32": lambda n, m, dtype: csr(n, m, dtype, torch.int32),
    "csr64": lambda n, m, dtype: csr(n, m, dtype, torch.int64),
    "coo": lambda n, m, dtype: coo(n, m, dtype),
    "uncoalesced": lambda n, m, dtype: uncoalesced(n, m, dtype),
}
BATCHES = {
    "batched csr32": lambda n, m, dtype: batched_csr(3, n, m, dtype, torch.int32),
    "batched csr64": lambda n, m, dtype: batched_csr(3, n, m, dtype, torch.int64),
    "ragged coo": lambda n, m, dtype: coo(n, m, dtype, items=3),
    "ragged uncoalesced": lambda n, m, dtype: uncoalesced(n, m, dtype, items=3),
}
ALL = {**MATRICES, **BATCHES}


def blocks(rows, columns, dtype=torch.float64, items=None, size=(2, 3), by_columns=False):
    """BSR or BSC: every second block of a chessboard, moved on by one in each item."""
    grid = rows // size[0], columns // size[1]
    lead = () if items is None else (items,)
    board = sum(torch.meshgrid(*(torch.arange(n) for n in (*lead, *grid)), indexing="ij"))
    board = (board % 2 == 0).mT if by_columns else board % 2 == 0
    lines = board.sum(-1)
    ends = torch.cat([torch.zeros(*lead, 1, dtype=torch.int64), lines.cumsum(-1)], -1)
    others = board.nonzero()[:, -1].view(*lead, -1)
    values = torch.randn(*others.shape, *size, dtype=dtype)
    make = torch.sparse_bsc_tensor if by_columns else torch.sparse_bsr_tensor
    return make(ends, others, values, (*lead, rows, columns))


# Layouts of torch whose leaves have no .grad; rows are a multiple of 4, columns of 6.
OTHERS = {
    "csc32": lambda n, m, dtype: csr(m, n, dtype, torch.int32).t(),
    "csc64": lambda n, m, dtype: csr(m, n, dtype, torch.int64).t(),
    "bsr": lambda n, m, dtype: blocks(n, m, dtype),
    "bsc": lambda n, m, dtype: blocks(n, m, dtype, by_columns=True),
    "batched csc": lambda n, m, dtype: batched_csr(3, m, n, dtype).mT,
    "batched bsr": lambda n, m, dtype: blocks(n, m, dtype, items=3),
    "batched bsc": lambda n, m, dtype: blocks(n, m, dtype, items=3, by_columns=True),
}


# ===-- Square ones, for solves ------------------------------------------------===#


def _entries(n, items, per_row, diagonal, dtype):
    """Sorted indices and values: a diagonal of size `diagonal` and per_row others in each row."""
    lead = () if items is None else (items,)
    scores = torch.rand(*lead, n, n)
    scores.diagonal(dim1=-2, dim2=-1).fill_(2)
    stored = torch.zeros(*lead, n, n, dtype=torch.bool)
    stored.scatter_(-1, scores.topk(min(per_row + 1, n)).indices, True)
    indices = stored.nonzero().T.contiguous()
    values = torch.randn(indices.shape[1], dtype=dtype) / 2
    on_diagonal = indices[-1] == indices[-2]
    sizes = diagonal * (1 + torch.rand(int(on_diagonal.sum())).to(dtype))
    values[on_diagonal] = sizes * torch.randn(sizes.shape).sign()
    return indices, values


def invertible(kind, n, dtype=torch.float64, per_row=3, diagonal=4.0):
    """A matrix, or batch, of a kind in ALL: well conditioned, nonsymmetric, both triangles."""
    items = 3 if kind in BATCHES else None
    shape = (n, n) if items is None else (items, n, n)
    indices, values = _entries(n, items, per_row, diagonal, dtype)
    if "csr" in kind:
        index = torch.int32 if "32" in kind else torch.int64
        dense = torch.sparse_coo_tensor(indices, values, shape).coalesce()
        rows = n * (items or 1)
        row = indices[-2] + (indices[0] * n if items else 0)
        positions = torch.zeros(rows + 1, dtype=index)
        positions[1:] = torch.bincount(row, minlength=rows).cumsum(0)
        if items is None:
            return torch.sparse_csr_tensor(positions, indices[1].to(index), dense.values(), shape)
        starts = positions[:-1].view(items, n)[:, :1]
        ends = positions[1:].view(items, n)
        positions = torch.cat([starts, ends], 1) - starts
        columns = indices[2].to(index).view(items, -1)
        return torch.sparse_csr_tensor(positions, columns, values.view(items, -1), shape)
    if "uncoalesced" in kind:
        order = torch.randperm(2 * indices.shape[1]) % max(indices.shape[1], 1)
        return torch.sparse_coo_tensor(indices[:, order], values[order] / 2, shape)
    return torch.sparse_coo_tensor(indices, values, shape, is_coalesced=True)


def without_diagonal(A):
    """What is left of a matrix, or batch, that stores its diagonal: a unit triangle has none."""
    if A.layout is torch.sparse_coo:
        indices, values = A._indices(), A._values()
        kept = indices[-1] != indices[-2]
        flag = A.is_coalesced()
        return torch.sparse_coo_tensor(indices[:, kept], values[kept], A.shape, is_coalesced=flag)
    positions, columns, n = A.crow_indices(), A.col_indices(), A.shape[-1]
    counts = positions.diff().reshape(-1)
    rows = torch.arange(counts.numel()).repeat_interleave(counts) % n
    kept = columns.reshape(-1) != rows
    shape = (*columns.shape[:-1], -1)
    return torch.sparse_csr_tensor(
        positions - torch.arange(n + 1, dtype=positions.dtype),
        columns.reshape(-1)[kept].reshape(shape),
        A.values().reshape(-1)[kept].reshape(shape),
        A.shape,
    )


# ===-- Operands of matrices ---------------------------------------------------===#


def rebuild(A, values):
    """The tensor of A's pattern with these values, through the package's own constructors."""
    return maker(A)(values)


def maker(A):
    """values -> the CSR or COO tensor of A's pattern, also in transforms, which may not see A."""
    if A.layout is torch.sparse_coo:
        return functools.partial(_coo_of, A._indices(), A.shape)
    return functools.partial(_csr_of, A.crow_indices(), A.col_indices(), A.shape)


def _coo_of(indices, shape, values):
    return tsgu.coo(indices, values, shape)


def _csr_of(positions, coordinates, shape, values):
    return tsgu.csr(positions, coordinates, values.view(coordinates.shape), shape)


def right_side(A, columns=2):
    """B of A X = B."""
    return torch.randn(*A.shape[:-1], columns, dtype=A.dtype)


def indefinite(kind, n, dtype=torch.float64):
    """As `definite`, with an eigenvalue of each sign for each row of their signs."""
    return definite(kind, n, dtype, signs=-1)


def definite(kind, n, dtype=torch.float64, per_row=2, signs=1):
    """A Hermitian positive definite matrix, or a ragged batch, of a kind of ALL.

    signs: of every second row's diagonal.
    """
    A = invertible("ragged coo" if kind in BATCHES else "coo", n, dtype, per_row)
    dense = A.to_dense() / 4
    stored = dense != 0
    dense = dense + dense.mH + 8 * torch.eye(n, dtype=dtype)
    dense.diagonal(dim1=-2, dim2=-1)[..., 1::2] *= signs
    if kind not in BATCHES:
        sparse = dense.to_sparse_coo()
        if kind == "uncoalesced":  # every entry in two halves, the last first
            indices, values = sparse.indices().flip(1), sparse.values().flip(0) / 2
            both = torch.cat([indices, indices], 1), torch.cat([values, values])
            return torch.sparse_coo_tensor(*both, dense.shape)
        if kind == "coo":
            return sparse
        sparse = sparse.to_sparse_csr()
        index = torch.int32 if "32" in kind else torch.int64
        rows, columns = sparse.crow_indices().to(index), sparse.col_indices().to(index)
        return torch.sparse_csr_tensor(rows, columns, sparse.values(), dense.shape)
    if "csr" not in kind:
        return dense.to_sparse_coo()
    # One pattern: the items of a batch of CSR have as many entries.
    stored = (stored | stored.mT).any(0).expand(dense.shape)
    sparse = torch.where(stored, dense, 0)
    pattern = stored[0].double().to_sparse_csr()
    index = torch.int32 if "32" in kind else torch.int64
    return torch.sparse_csr_tensor(
        pattern.crow_indices().to(index).expand(len(dense), -1).contiguous(),
        pattern.col_indices().to(index).expand(len(dense), -1).contiguous(),
        sparse[stored].view(len(dense), -1),
        dense.shape,
    )
