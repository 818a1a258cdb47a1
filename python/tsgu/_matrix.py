"""A sparse matrix where torch's own sparse tensors cannot go: a pattern and its values."""

import contextlib

import torch
from torch._C import _functorch
from torch.autograd import forward_ad

_is_compiling = torch.compiler.is_compiling
_transforms_active = torch._C._are_functorch_transforms_active


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


def needs_matrix(values):
    """Whether torch can make no sparse tensor of these values that keeps their derivatives."""
    if _is_compiling() or _transforms_active():
        return True
    if forward_ad._current_level < 0:
        return False
    return forward_ad.unpack_dual(values).tangent is not None


def outside_graphs(function):
    """`function`, which torch.compile runs as it is wherever it meets it outside of a graph.

    Otherwise it would compile each of the functions that this one calls, on tensors that it cannot
    take. Within a graph nothing changes.
    """
    with contextlib.suppress(ImportError):  # torch's own, and it may move
        from torch._C._dynamo.eval_frame import _FrameAction as Action
        from torch._C._dynamo.eval_frame import _FrameExecStrategy as Strategy
        from torch._C._dynamo.eval_frame import set_code_exec_strategy

        set_code_exec_strategy(function.__code__, Strategy(Action.SKIP, Action.SKIP))
    return function


# ===-- Index tensors within transforms ----------------------------------------===#


def without_levels(index):
    """An index tensor without the wrappers of transforms, which made or saw it."""
    while _functorch.is_gradtrackingtensor(index):
        index = _functorch.get_unwrapped(index)
    if _functorch.is_batchedtensor(index):
        raise mapped_indices()
    return index


def mapped_indices():
    """The error of a vmap over index tensors."""
    return ValueError(
        "positions and coordinates cannot be mapped over: make one pattern of the batch, with a "
        "leading dimension of items"
    )


def on_indices(function, *indices):
    """`function` of index tensors, unseen by transforms."""
    if _is_compiling() or not _transforms_active():
        return function(*indices)
    indices = [without_levels(index) for index in indices]
    with torch._C._DisableFuncTorch():
        return function(*indices)
