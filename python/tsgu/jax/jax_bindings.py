"""Arrays and sparse matrices of JAX as tensors of torch, and back."""

import contextlib
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch

from .._matrices.constructors import coo, csr
from .._matrices.kinds import of_torch
from .._patterns.pattern import Pattern
from .._runtime.callbacks import level
from .._runtime.optional import is_installed, load
from .._typing import TensorOrMatrix
from ..sparse_matmul import sparse_mm

__all__ = ["have_jax", "j2t", "j2t_coo", "j2t_csr", "spmm_t4j", "t2j", "t2j_coo", "t2j_csr"]

_WIDE = (torch.float64, torch.complex128, torch.int64, torch.uint64)


have_jax = is_installed("jax")


def load_jax():
    """JAX. Raises ImportError, which says what to install, where it is not."""
    for part in ("jax.experimental.sparse", "jax.scipy.sparse.linalg"):
        load(part, "tsgu.jax", "jax")
    return sys.modules["jax"]


def keeps(dtype):
    """The context in which JAX does not cut arrays of this dtype to 32 bits.

    It is of this thread alone: JAX's global switch stays as it is.
    """
    if dtype not in _WIDE:
        return contextlib.nullcontext()
    jax = load_jax()
    return (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64(True)


# ===-- Dense -----------------------------------------------------------------===#


def _compact(x):
    """x, or a copy of it with strides that JAX takes."""
    x = x.resolve_conj().resolve_neg()
    turned = x.dim() > 1 and x.mT.is_contiguous()
    return x if turned else x.contiguous()


def t2j(x_torch: torch.Tensor) -> Any:
    """A tensor as an array of JAX, of the same dtype whatever JAX's switch for 64 bits says.

    Shares the memory where JAX takes it as it is (aligned to 64 bytes and without gaps): then do
    not write to the tensor. Operations of JAX cut 64 bits to 32 outside of
    `with jax.enable_x64(True)`, and warn. A tensor that requires grad is a BufferError.
    """
    jax = load_jax()
    x = _compact(x_torch)
    with keeps(x.dtype):
        return jax.dlpack.from_dlpack(x)


def j2t(x_jax: Any) -> torch.Tensor:
    """An array of JAX as a tensor, which shares its memory: do not write to it."""
    load_jax()
    return torch.utils.dlpack.from_dlpack(x_jax)


# ===-- Sparse ----------------------------------------------------------------===#


def _index(index, largest):
    """An index tensor for JAX, which works in 32 bits, where they hold so large numbers."""
    return t2j(index.int() if largest < 1 << 31 else index)


def _checked(x, layout, name):
    if not isinstance(x, torch.Tensor) or x.layout is not layout:
        raise TypeError(f"{name} takes a {layout} tensor{of_torch(x, layout)}")
    if x.dim() != 2 or x.dense_dim():
        raise ValueError(f"{name} takes a matrix of numbers, not a tensor of shape {x.shape}")
    Pattern.of(x).validate()


def t2j_coo(x_torch: torch.Tensor) -> Any:
    """A COO tensor (n, m) as a jax.experimental.sparse.COO of the same dtype.

    Its values are shared as by t2j, its indices are int32 where that holds them. Uncoalesced
    tensors are coalesced, with a UserWarning. Raises PatternError for a corrupt one.
    """
    _checked(x_torch, torch.sparse_coo, "t2j_coo")
    if not x_torch.is_coalesced():
        warnings.warn(
            "t2j_coo takes a sum for each element that several entries name, for the tensor is not "
            "coalesced: call .coalesce() to say so",
            UserWarning,
            stacklevel=level(),
        )
        x_torch = x_torch.coalesce()
    shape = tuple(x_torch.shape)
    indices = (_index(index, max(shape)) for index in x_torch._indices())
    with keeps(x_torch.dtype):
        return load_jax().experimental.sparse.COO(
            (t2j(x_torch._values()), *indices), shape=shape, rows_sorted=True
        )


def t2j_csr(x_torch: torch.Tensor) -> Any:
    """A CSR tensor (n, m) as a jax.experimental.sparse.CSR of the same dtype.

    Its values are shared as by t2j, its indices are int32 where that holds them. Raises
    PatternError for a corrupt tensor.
    """
    _checked(x_torch, torch.sparse_csr, "t2j_csr")
    largest = max(*x_torch.shape, x_torch._nnz())
    positions, coordinates = x_torch.crow_indices(), x_torch.col_indices()
    with keeps(x_torch.dtype):
        return load_jax().experimental.sparse.CSR(
            (t2j(x_torch.values()), _index(coordinates, largest), _index(positions, largest)),
            shape=tuple(x_torch.shape),
        )


def j2t_coo(x_jax: Any) -> torch.Tensor:
    """A COO or BCOO of JAX (n, m) as a COO tensor, which shares its values.

    Raises PatternError where its indices lie outside of its shape.
    """
    load_jax()
    if hasattr(x_jax, "row"):
        indices = torch.stack([j2t(x_jax.row), j2t(x_jax.col)])
    else:
        indices = j2t(x_jax.indices).T
    return coo(indices, j2t(x_jax.data), x_jax.shape)


def j2t_csr(x_jax: Any) -> torch.Tensor:
    """A CSR or BCSR of JAX (n, m) as a CSR tensor on its memory.

    Raises PatternError where its indices are those of no such matrix.
    """
    load_jax()
    return csr(j2t(x_jax.indptr), j2t(x_jax.indices), j2t(x_jax.data), x_jax.shape)


# ===-- Products ---------------------------------------------------------------===#


def spmm_t4j(A: TensorOrMatrix) -> Callable[[Any], Any]:
    """A function of JAX, v -> A v, that multiplies by a sparse tensor A in torch.

    v: (m,) or (m, p), of A's dtype. JAX can compile the function, map it, and differentiate it by v
    in reverse mode, to any order; A is a constant. Raises TypeError for a matrix of
    64-bit numbers while JAX cuts them to 32 bits.
    """
    jax = load_jax()
    if A.dtype in _WIDE and not jax.config.jax_enable_x64:
        raise TypeError(
            f"JAX would cut the product with a matrix of {A.dtype} to 32 bits: call spmm_t4j and "
            "what it returns within `with jax.enable_x64(True)`"
        )
    A = A.detach()
    pattern = Pattern.of(A)
    pattern.validate()
    rows, columns = pattern.shape

    def multiply(matrix, extent, v):
        def on_host(v):
            v = torch.tensor(jax.device_get(v))
            result = sparse_mm(matrix, v if v.dim() > 1 else v.unsqueeze(1))
            return (result if v.dim() > 1 else result.squeeze(1)).numpy()

        shape = jax.ShapeDtypeStruct((extent, *v.shape[1:]), v.dtype)
        return jax.pure_callback(on_host, shape, v, vmap_method="sequential")

    @jax.custom_vjp
    def product(v):
        return multiply(A, rows, v)

    @jax.custom_vjp
    def transposed(v):
        return multiply(A.mT, columns, v)

    product.defvjp(lambda v: (product(v), None), lambda _, g: (transposed(g),))
    transposed.defvjp(lambda v: (transposed(v), None), lambda _, g: (product(g),))
    return product
