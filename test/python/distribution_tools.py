"""Normal distributions with sparse factors of every kind, beside torch's of dense matrices."""

from dataclasses import dataclass

import torch
from torch.distributions import MultivariateNormal

import oracle
import tsgu
from matrices import BATCHES
from tsgu.distributions import SparseMultivariateNormal

KINDS = ["coo", "uncoalesced", "csr32", "csr64", "csc64"]
BATCHED = ["ragged coo", "ragged uncoalesced", "batched csr32", "batched csc64"]
FORMS = [(name, ldlt) for name in ("scale_tril", "precision_tril") for ldlt in (False, True)]
FORM_IDS = ["covariance LL", "covariance LDL", "precision LL", "precision LDL"]


def lower_indices(n, items=None, strict=False, ragged=False):
    """Sorted coordinates: the diagonal unless `strict`, and an entry left of it in most rows."""
    found = []
    for item in range(items or 1):
        for row in range(n):
            lead = () if items is None else (item,)
            if row > 0 and not (ragged and (row + item) % 3 == 0):
                found.append((*lead, row, int(torch.randint(row, ()))))
            if not strict:
                found.append((*lead, row, row))
    rank = 2 if items is None else 3
    return torch.tensor(found, dtype=torch.int64).reshape(-1, rank).T.contiguous()


def factor(kind, n, dtype=torch.float64, strict=False):
    """A lower triangle, or batch of 3, whose diagonal has entries of both signs."""
    items = 3 if kind in BATCHES or kind in BATCHED else None
    indices = lower_indices(n, items, strict, "ragged" in kind)
    values = torch.randn(indices.shape[1], dtype=dtype) / 2
    on = indices[-1] == indices[-2]
    values[on] = (1 + torch.rand(int(on.sum()), dtype=dtype)) * torch.randn(int(on.sum())).sign()
    shape = (n, n) if items is None else (items, n, n)
    if "uncoalesced" in kind:  # each element as the sum of two entries
        share = torch.rand(values.numel(), dtype=dtype)
        values = torch.cat([share * values, (1 - share) * values])
        order = torch.randperm(values.numel())
        return torch.sparse_coo_tensor(indices.repeat(1, 2)[:, order], values[order], shape)
    A = torch.sparse_coo_tensor(indices, values, shape, is_coalesced=True, check_invariants=True)
    if "coo" in kind:
        return A
    if "csc" in kind:
        return _compressed(A.mT.coalesce(), torch.int64).mT
    return _compressed(A, torch.int32 if "32" in kind else torch.int64)


def _compressed(A, index):
    """The CSR tensor of a coalesced COO tensor whose items have equal numbers of entries."""
    *items, n, _ = A.shape
    count, indices = (items[0] if items else 1), A.indices()
    row = indices[-2] + (indices[0] * n if items else 0)
    per_row = torch.bincount(row, minlength=count * n).view(count, n)
    positions = torch.cat([torch.zeros(count, 1, dtype=torch.int64), per_row.cumsum(1)], 1)
    columns, values = indices[-1].view(count, -1), A.values().view(count, -1)
    if not items:
        positions, columns, values = positions[0], columns[0], values[0]
    return torch.sparse_csr_tensor(positions.to(index), columns.to(index), values, A.shape)


@dataclass
class Case:
    """A distribution, its parameters and the same with dense matrices."""

    name: str
    A: torch.Tensor
    loc: torch.Tensor
    D: torch.Tensor | None

    def __post_init__(self):
        self.indices, self.rebuild = oracle.indices_of(self.A), rebuilder(self.A)

    @property
    def parameters(self):
        """Leaf tensors: the factor's stored values, loc, and D where there is one."""
        tensors = [oracle.stored_values(self.A), self.loc, *([] if self.D is None else [self.D])]
        return [x.detach().clone().requires_grad_() for x in tensors]

    def sparse(self, values, loc, D=None, **options):
        return SparseMultivariateNormal(loc, D, **{self.name: self.rebuild(values)}, **options)

    def root(self, values, D=None):
        """The dense factor of the covariance or precision."""
        M = oracle.dense(self.indices, values, self.A.shape)
        if D is None:
            return M.tril()
        return (M.tril(-1) + torch.eye(M.shape[-1], dtype=M.dtype)) * D.sqrt().unsqueeze(-2)

    def dense(self, values, loc, D=None):
        root = self.root(values, D)
        matrix = "covariance_matrix" if self.name == "scale_tril" else "precision_matrix"
        # Its validation fails where there are no values.
        return MultivariateNormal(loc, **{matrix: root @ root.mT}, validate_args=False)

    def sample(self, eps, values, loc, D=None):
        """The sample that is made of eps."""
        root, eps = self.root(values, D), eps.unsqueeze(-1)
        if self.name == "scale_tril":
            return loc + (root @ eps).squeeze(-1)
        return loc + torch.linalg.solve_triangular(root.mT, eps, upper=True).squeeze(-1)


def rebuilder(A):
    """A function of values that gives the tensor of A's pattern with them; none for blocks."""
    shape = tuple(A.shape)
    if A.layout is torch.sparse_coo:
        indices = A._indices()
        return lambda values: tsgu.coo(indices, values, shape)
    if A.layout is torch.sparse_csc:
        turned = rebuilder(A.mT)
        return lambda values: turned(values).mT
    if A.layout is not torch.sparse_csr:
        return None
    positions, columns = A.crow_indices(), A.col_indices()
    return lambda values: tsgu.csr(positions, columns, values.view(columns.shape), shape)


def make(kind, form, n=6, dtype=torch.float64, batch=()):
    """A Case; loc and D of the given batch shape, or that of a batched factor."""
    name, ldlt = form
    A = factor(kind, n, dtype, strict=ldlt)
    batch = tuple(A.shape[:-2]) or batch
    loc = torch.randn(*batch, n, dtype=dtype)
    return Case(name, A, loc, torch.rand(*batch, n, dtype=dtype) + 0.5 if ldlt else None)
