"""A sparse matrix where torch's own sparse tensors cannot go: a pattern and its values."""

import torch

from ._modes import needs_matrix
from ._tensors import from_values


class Matrix:
    """What `csr`, `coo` and sparse results are in transforms of torch.func and compiled graphs.

    torch takes no sparse tensor there. Every function of the package takes a Matrix in its place;
    its values, (entries,), carry the derivatives. A pytree, whose one leaf is the values.
    """

    __slots__ = ("pattern", "values")

    def __init__(self, pattern, values):
        self.pattern = pattern
        self.values = values

    @property
    def layout(self):
        return self.pattern.layout

    @property
    def shape(self):
        return torch.Size(self.pattern.shape)

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def device(self):
        return self.values.device

    @property
    def requires_grad(self):
        return self.values.requires_grad

    @property
    def is_leaf(self):
        return False

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[dim]

    def dim(self):
        return len(self.shape)

    def dense_dim(self):
        return 0

    def is_complex(self):
        return self.values.is_complex()

    def __repr__(self):
        return f"Matrix({self.pattern}, {self.values})"

    def __getattr__(self, name):
        raise AttributeError(
            f"there is no {name!r} of a sparse matrix in a transform of torch.func or a compiled "
            "graph, where torch takes no sparse tensor: use tsgu's functions, or apply torch's to "
            "tsgu.values(A)"
        )


torch.utils._pytree.register_pytree_node(
    Matrix,
    lambda matrix: ([matrix.values], matrix.pattern),
    lambda values, pattern: Matrix(pattern, values[0]),
    serialized_type_name="tsgu.Matrix",
)


def is_tensor_or_matrix(A):
    return isinstance(A, (torch.Tensor, Matrix))


def is_hybrid(A):
    """Whether entries are dense blocks."""
    if type(A) is Matrix:
        return False
    with torch._C._DisableFuncTorch():  # whose wrappers of sparse tensors fail
        return A.dense_dim() != 0


def matrix_of(pattern, values, is_read=False):
    """As from_values; a Matrix where no sparse tensor can be."""
    if needs_matrix(values):
        return Matrix(pattern, values)
    return from_values(pattern, values, is_read)
