"""What a function was given: a Matrix or a tensor, and of which kind its result is then."""

import torch

from .._patterns.modes import needs_matrix, on_indices
from .._patterns.tensors import from_values
from .matrix import Matrix, unchecked


def is_tensor_or_matrix(A):
    return isinstance(A, (torch.Tensor, Matrix))


def is_hybrid(A):
    """Whether entries are dense blocks."""
    if type(A) is Matrix:
        return False
    return on_indices(A.dense_dim) != 0  # transforms' wrappers of sparse tensors fail


def of_torch(A, layout):
    """What to write for a Matrix where only a tensor of torch will do, as the end of an error."""
    return f": write A.to_torch({layout})" if type(A) is Matrix else ""


def matrix_among(matrices):
    """One of them that is a Matrix, or None."""
    return next((A for A in matrices if type(A) is Matrix), None)


def matrix_of(pattern, values, like=None, is_read=False):
    """As from_values; a Matrix where `like` is one, and where no sparse tensor can be."""
    if type(like) is Matrix or needs_matrix(values):
        return unchecked(pattern, values)
    return from_values(pattern, values, is_read)
