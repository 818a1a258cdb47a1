"""Arrays and sparse matrices of CuPy, or of NumPy and SciPy, as tensors of torch, and back."""

import functools
import warnings
from types import ModuleType
from typing import Any

import torch

from .._matrices.constructors import coo, csr
from .._matrices.kinds import of_torch
from .._patterns.pattern import Pattern
from .._runtime.callbacks import level
from .._runtime.optional import is_installed, load

__all__ = ["c2t_coo", "c2t_csr", "have_cupy", "t2c_coo", "t2c_csr"]


have_cupy = is_installed("cupy")
_load = functools.partial(load, user="tsgu.cupy")
_cupy = functools.partial(_load, install="cupy-cuda12x")


def _is_on_gpu(x):
    """Whether a tensor is CuPy's to work on, or what it is belongs to CuPy."""
    if isinstance(x, torch.Tensor):
        return x.is_cuda
    return type(x).__module__.partition(".")[0] in ("cupy", "cupyx")


def _get_array_modules(x: Any) -> tuple[ModuleType, ModuleType]:
    """(cupy, cupyx.scipy.sparse) for what is on a GPU, (numpy, scipy.sparse) for all else."""
    if _is_on_gpu(x):
        return _cupy("cupy"), _cupy("cupyx.scipy.sparse")
    return _load("numpy", install="numpy"), _load("scipy.sparse", install="scipy")


# ===-- Dense -----------------------------------------------------------------===#


def _torch_to_backend(tensor: torch.Tensor, xp: ModuleType) -> Any:
    """A tensor as an array of xp, cupy or numpy, on the same memory."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    return tensor.numpy() if xp.__name__ == "numpy" else xp.from_dlpack(tensor)


def _backend_to_torch(array: Any) -> torch.Tensor:
    """An array as a tensor, on the same memory where torch takes it as it is."""
    if _is_on_gpu(array):
        return torch.utils.dlpack.from_dlpack(array)
    array = _load("numpy", install="numpy").asarray(array)
    # torch knows no negative strides, and warns of memory that must not be written to.
    if not array.flags.writeable or any(step < 0 for step in array.strides):
        array = array.copy()
    return torch.from_numpy(array)


# ===-- Sparse ----------------------------------------------------------------===#


def _checked(x, layout, name):
    """The pattern of a matrix. Raises where it is none of this layout."""
    if not isinstance(x, torch.Tensor) or x.layout is not layout:
        raise TypeError(f"{name} takes a {layout} tensor{of_torch(x, layout)}")
    if x.dim() != 2 or x.dense_dim():
        raise ValueError(f"{name} takes a matrix of numbers, not a tensor of shape {x.shape}")
    return Pattern.of(x)


def _check_format(x, format, name):
    """Raises TypeError for what is not a matrix of this format: a CSC's parts look like a CSR's."""
    found = getattr(x, "format", None)
    if found != format:
        what = f"format {found}" if found else f"type {type(x).__name__}"
        raise TypeError(f"{name} takes a {format} matrix of CuPy or SciPy, not one of {what}")


def t2c_csr(x_torch: torch.Tensor) -> Any:
    """A CSR tensor (n, m) as a csr_matrix of CuPy or SciPy, on the same memory.

    SciPy itself copies int64 indices to int32 where these do. All is copied where entries are not
    sorted and unique: SciPy's functions would make them so in place. Raises PatternError for a
    corrupt tensor.
    """
    pattern = _checked(x_torch, torch.sparse_csr, "t2c_csr")
    xp, sparse = _get_array_modules(x_torch)
    parts = [x_torch.values(), pattern.coordinates, pattern.positions]
    if pattern.validate() != 0:
        parts = [part.clone() for part in parts]
    arrays = tuple(_torch_to_backend(part, xp) for part in parts)
    return sparse.csr_matrix(arrays, shape=tuple(x_torch.shape))


def t2c_coo(x_torch: torch.Tensor) -> Any:
    """A COO tensor (n, m) as a coo_matrix of CuPy or SciPy, on the same values.

    Uncoalesced tensors are coalesced, with a UserWarning. Raises PatternError for a corrupt one.
    """
    _checked(x_torch, torch.sparse_coo, "t2c_coo").validate()
    if not x_torch.is_coalesced():
        warnings.warn(
            "Requested a conversion from torch to cupy/numpy on a non-coalesced tensor -> "
            "coalescing implicitly",
            UserWarning,
            stacklevel=level(),
        )
        x_torch = x_torch.coalesce()
    xp, sparse = _get_array_modules(x_torch)
    values, *indices = (
        _torch_to_backend(part, xp) for part in (x_torch._values(), *x_torch._indices())
    )
    return sparse.coo_matrix((values, tuple(indices)), shape=tuple(x_torch.shape))


def c2t_csr(x_cupy: Any) -> torch.Tensor:
    """A CSR matrix of CuPy or SciPy as a CSR tensor on its memory.

    Raises TypeError for other formats, PatternError for indices that are those of no such matrix.
    """
    _check_format(x_cupy, "csr", "c2t_csr")
    parts = x_cupy.indptr, x_cupy.indices, x_cupy.data
    positions, coordinates, values = map(_backend_to_torch, parts)
    return csr(positions, coordinates, values, tuple(x_cupy.shape))


def c2t_coo(x_cupy: Any) -> torch.Tensor:
    """A COO matrix of CuPy or SciPy as a COO tensor on its values.

    Raises TypeError for other formats, PatternError for indices outside of its shape.
    """
    _check_format(x_cupy, "coo", "c2t_coo")
    indices = torch.stack([_backend_to_torch(index).long() for index in (x_cupy.row, x_cupy.col)])
    return coo(indices, _backend_to_torch(x_cupy.data), tuple(x_cupy.shape))
