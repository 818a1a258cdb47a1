"""Sparse matrices at random: their elements are distinct, and every choice of them as likely.

(But for n m / 2^63, by which a remainder of 63 random bits favours some.)

Numbers come from torch's generator (torch.manual_seed), or from `generator`. All take O(entries)
memory, and time for sorting them.
"""

import operator
from typing import Any

import torch

from .._typing import Device, Shape
from ._sampling import distinct

__all__ = [
    "generate_random_sparse_coo_matrix",
    "generate_random_sparse_csr_matrix",
    "generate_random_sparse_strictly_triangular_coo_matrix",
    "generate_random_sparse_strictly_triangular_csr_matrix",
    "generate_random_sparse_triangular_coo_matrix",
    "generate_random_sparse_triangular_csr_matrix",
    "make_spd_sparse",
    "rand_sparse",
    "rand_sparse_tri",
]

_DOUBLE = (torch.float64, torch.complex128)


# ===-- Elements ------------------------------------------------------------------===#


def _below_diagonal(index):
    """Row and column of each element of a strict lower triangle, counted row by row."""
    row = ((1 + (1 + 8 * index.double()).sqrt()) / 2).long()
    row = row - (row * (row - 1) // 2 > index).long()  # what rounding the root may have done
    row = row + (row * (row + 1) // 2 <= index).long()
    return row, index - row * (row - 1) // 2


def _off_diagonal(index, n, m):
    """Row and column of each element off the diagonal of an (n, m) matrix, row by row."""
    crossed = min(n, m)
    row, column = index // max(m - 1, 1), index % max(m - 1, 1)
    column = column + (column >= row)
    beyond = index - crossed * (m - 1)
    is_beyond = row >= crossed
    return (
        torch.where(is_beyond, crossed + beyond // m, row),
        torch.where(is_beyond, beyond % m, column),
    )


def _merged(first, second, columns):
    """Rows and columns, (items, entries), of both lists of elements, in order."""
    keys = torch.cat([row * columns + column for row, column in (first, second)], 1).sort(1)[0]
    return keys // max(columns, 1), keys % max(columns, 1)


def _diagonal(items, n, device):
    diagonal = torch.arange(n, device=device).expand(items, n)
    return diagonal, diagonal


def _general_elements(items, nnz, n, m, with_diagonal, device, generator):
    if not with_diagonal:
        index = distinct(items, nnz, n * m, device, generator)
        return index // max(m, 1), index % max(m, 1)
    crossed = min(n, m)
    if nnz <= crossed:
        diagonal = distinct(items, nnz, crossed, device, generator)
        return diagonal, diagonal
    index = distinct(items, nnz - crossed, n * m - crossed, device, generator)
    return _merged(_diagonal(items, crossed, device), _off_diagonal(index, n, m), m)


def _triangular_elements(items, nnz, n, upper, strict, device, generator):
    size = n * (n - 1) // 2
    count = nnz if strict else nnz - n
    index = distinct(items, count, size, device, generator)
    if upper:  # The lower triangle from its end, turned around.
        row, column = (n - 1 - place for place in _below_diagonal(size - 1 - index))
    else:
        row, column = _below_diagonal(index)
    return (row, column) if strict else _merged(_diagonal(items, n, device), (row, column), n)


# ===-- Values ---------------------------------------------------------------------===#


def _uniform(shape, dtype, device, generator):
    """Numbers in (0, 1], in double or single precision; those of complex ones have such parts."""
    real = torch.float64 if dtype in _DOUBLE else torch.float32
    if dtype.is_complex:
        parts = 1 - torch.rand(*shape, 2, dtype=real, device=device, generator=generator)
        return torch.view_as_complex(parts)
    return 1 - torch.rand(shape, dtype=real, device=device, generator=generator)


def _spread_over(fraction, value_range):
    low, high = value_range
    if fraction.is_complex():
        return torch.view_as_complex(low + (high - low) * torch.view_as_real(fraction))
    return low + (high - low) * fraction


def _sums(sizes, index, count):
    """For each entry, the sum of the sizes of the entries with its index, per item."""
    total = sizes.new_zeros(len(sizes), count).scatter_add_(1, index, sizes)
    return total.gather(1, index)


def _conditioned(values, row, column, n, m, least, fraction):
    """Well-conditioned values on these elements, from values and numbers in (0, 1].

    The diagonal D lies in [least, 2 least]. What is off it, E, is scaled down until its sizes sum
    to at most least / 2 in each row and column, so that norm(E) <= least / 2; where all of D is
    stored, singular values are between least / 2 and 5 least / 2 (Weyl's inequality).
    """
    on_diagonal = row == column
    sizes = torch.where(on_diagonal, 0, values.abs())
    largest = torch.maximum(_sums(sizes, row, n), _sums(sizes, column, m))
    scale = least / (2 * largest).clamp_min(least)
    return torch.where(on_diagonal, least * (1 + fraction.abs().clamp_max(1)), values * scale)


# ===-- Assembly --------------------------------------------------------------------===#


def _assembled(row, column, values, size, layout, indices_dtype, values_dtype):
    """The tensor of elements (items, entries) in order."""
    values = values.to(values_dtype)
    items, n = len(row), size[-2]
    lead = size[:-2]
    if layout is torch.sparse_coo:
        indices = torch.stack([row.flatten(), column.flatten()])
        if lead:
            item = torch.arange(items, device=row.device).repeat_interleave(row.shape[1])
            indices = torch.cat([item.unsqueeze(0), indices])
        return torch.sparse_coo_tensor(
            indices.to(indices_dtype),
            values.flatten(),
            size,
            is_coalesced=True,
            check_invariants=False,
        )
    ends = row.new_zeros(items, n + 1)
    ends[:, 1:].scatter_add_(1, row, torch.ones_like(row))
    positions = ends.cumsum(1).to(indices_dtype).view(*lead, n + 1)
    coordinates = column.to(indices_dtype).view(*lead, row.shape[1])
    return torch.sparse_csr_tensor(
        positions, coordinates, values.view(coordinates.shape), size, check_invariants=False
    )


def _check_types(layout, indices_dtype, values_dtype):
    if indices_dtype not in (torch.int32, torch.int64):
        raise ValueError(f"indices_dtype must be torch.int64 or torch.int32, not {indices_dtype}")
    if layout not in (torch.sparse_coo, torch.sparse_csr):
        raise ValueError(
            "Unsupported layout type. It should be either torch.sparse_coo or torch.sparse_csr, "
            f"not {layout}"
        )
    if not (values_dtype.is_floating_point or values_dtype.is_complex):
        raise ValueError(f"values_dtype must be floating-point or complex, not {values_dtype}")


def _checked_size(size):
    """(items, n, m), and the size as a tuple."""
    size = tuple(operator.index(extent) for extent in size)
    if len(size) < 2:
        raise ValueError("size must have at least 2 dimensions")
    if len(size) > 3:
        raise ValueError(f"size must be (n, m) or (b, n, m), not {size}")
    if min(size) < 0 or size[-1] * size[-2] >= 1 << 63:
        raise ValueError(f"size must be nonnegative, with less than 2^63 elements, not {size}")
    items = size[0] if len(size) == 3 else 1
    return items, *size[-2:], size


def _check_diagonal(well_conditioned, min_diag_value):
    if well_conditioned and not min_diag_value > 0:
        raise ValueError(f"min_diag_value must be positive, not {min_diag_value}")


# ===-- Matrices --------------------------------------------------------------------===#


def rand_sparse(
    size: Shape,
    nnz: int,
    layout: torch.layout = torch.sparse_coo,
    *,
    indices_dtype: torch.dtype = torch.int64,
    values_dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
    well_conditioned: bool = False,
    min_diag_value: float = 1.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """A matrix (n, m), or a batch (b, n, m), with nnz entries (per item) in (0, 1].

    layout: torch.sparse_coo (coalesced; torch keeps its indices as int64) or torch.sparse_csr.
    indices_dtype: int32 or int64. values_dtype: floating-point or complex, whose real and
    imaginary parts are in (0, 1]. generator: a torch.Generator of the device, or torch's own.

    well_conditioned: the diagonal is stored, between min_diag_value and twice that, and other
    entries are scaled down until their sizes sum to at most min_diag_value / 2 in every row and
    column. The condition number is then at most 5. (With fewer entries than the diagonal has, these
    are some of it.)

    Raises ValueError for another size, more entries than elements, and types that are none of
    these.
    """
    items, n, m, size = _checked_size(size)
    if not 0 <= nnz <= n * m:
        raise ValueError(f"nnz must be less than or equal to n_r * n_c, {n * m}, and is {nnz}")
    _check_types(layout, indices_dtype, values_dtype)
    _check_diagonal(well_conditioned, min_diag_value)
    row, column = _general_elements(items, nnz, n, m, well_conditioned, device, generator)
    values = _uniform(row.shape, values_dtype, device, generator)
    if well_conditioned:
        fraction = _uniform(row.shape, values_dtype, device, generator)
        values = _conditioned(values, row, column, n, m, min_diag_value, fraction)
    return _assembled(row, column, values, size, layout, indices_dtype, values_dtype)


def rand_sparse_tri(
    size: Shape,
    nnz: int,
    layout: torch.layout = torch.sparse_coo,
    *,
    upper: bool = True,
    strict: bool = False,
    indices_dtype: torch.dtype = torch.int64,
    values_dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
    value_range: tuple[float, float] = (0, 1),
    well_conditioned: bool = False,
    min_diag_value: float = 1.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """A triangular matrix (n, n), or a batch (b, n, n), with nnz entries (per item).

    Values lie in value_range, (low, high]. The whole diagonal is stored, unless strict=True: then
    none of it. well_conditioned: as for `rand_sparse`; with strict=True the matrix whose diagonal
    is ones instead is well conditioned. Other arguments as there.

    Raises ValueError for a size that is not square, nnz outside of n to n (n + 1) / 2 (or 0 to
    n (n - 1) / 2), and types as there.
    """
    items, n, m, size = _checked_size(size)
    if n != m:
        raise ValueError("size must be a square matrix or batched square matrix")
    if strict and not 0 <= nnz <= n * (n - 1) // 2:
        raise ValueError(
            f"nnz must be less than or equal to n*(n-1)/2, {n * (n - 1) // 2}, and is {nnz}"
        )
    if not strict and not n <= nnz <= n * (n + 1) // 2:
        raise ValueError(
            f"nnz must be between n and n*(n+1)/2, {n} and {n * (n + 1) // 2}, and is {nnz}"
        )
    _check_types(layout, indices_dtype, values_dtype)
    _check_diagonal(well_conditioned, min_diag_value)
    row, column = _triangular_elements(items, nnz, n, upper, strict, device, generator)
    values = _spread_over(_uniform(row.shape, values_dtype, device, generator), value_range)
    if well_conditioned:
        least = 1.0 if strict else min_diag_value
        fraction = _uniform(row.shape, values_dtype, device, generator)
        values = _conditioned(values, row, column, n, n, least, fraction)
    return _assembled(row, column, values, size, layout, indices_dtype, values_dtype)


def make_spd_sparse(
    n: int,
    layout: torch.layout,
    value_dtype: torch.dtype,
    index_dtype: torch.dtype,
    device: Device,
    sparsity_ratio: float = 0.5,
    nz: int | None = None,
    *,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A symmetric positive definite matrix (n, n), sparse and dense: (A, A_dense).

    nz: how many elements off the diagonal are not stored, in pairs: nz // 2 of them; by default
    the fraction sparsity_ratio of all n (n - 1). The condition number is at most 5 (`rand_sparse`
    says why). Only A_dense takes n^2 memory. Other arguments as for `rand_sparse`.

    Raises ValueError for nz or sparsity_ratio out of range, and types as there.
    """
    _check_types(layout, index_dtype, value_dtype)
    if not 0 <= sparsity_ratio <= 1:
        raise ValueError(f"sparsity_ratio must be between 0 and 1, not {sparsity_ratio}")
    nz = int(n * (n - 1) * sparsity_ratio) if nz is None else nz
    if not 0 <= nz <= n * (n - 1):
        raise ValueError(f"nz must be between 0 and n (n - 1), {n * (n - 1)}, and is {nz}")
    pairs = n * (n - 1) // 2
    index = distinct(1, pairs - nz // 2, pairs, device, generator)
    below = _below_diagonal(index)
    half = _spread_over(_uniform(index.shape, value_dtype, device, generator), (-1, 1))
    fraction = _uniform((1, n), value_dtype, device, generator)
    diagonal = torch.arange(n, device=device).expand(1, n)
    row = torch.cat([below[0], below[1], diagonal], 1)
    column = torch.cat([below[1], below[0], diagonal], 1)
    values = torch.cat([half, half.conj(), fraction], 1)
    order = (row * n + column).argsort(1)
    row, column, values = (x.gather(1, order) for x in (row, column, values))
    values = _conditioned(values, row, column, n, n, 1.0, values)
    A = _assembled(row, column, values, (n, n), layout, index_dtype, value_dtype)
    dense = torch.zeros(n, n, dtype=value_dtype, device=device)
    return A, dense.index_put((row[0], column[0]), values[0].to(value_dtype))


# ===-- One layout each ---------------------------------------------------------------===#


def generate_random_sparse_coo_matrix(size: Shape, nnz: int, **options: Any) -> torch.Tensor:
    """`rand_sparse` in COO, with its other options."""
    return rand_sparse(size, nnz, torch.sparse_coo, **options)


def generate_random_sparse_csr_matrix(size: Shape, nnz: int, **options: Any) -> torch.Tensor:
    """`rand_sparse` in CSR, with its other options."""
    return rand_sparse(size, nnz, torch.sparse_csr, **options)


def generate_random_sparse_strictly_triangular_coo_matrix(
    size: Shape, nnz: int, **options: Any
) -> torch.Tensor:
    """`rand_sparse_tri` without a diagonal in COO, with its other options."""
    return rand_sparse_tri(size, nnz, torch.sparse_coo, strict=True, **options)


def generate_random_sparse_strictly_triangular_csr_matrix(
    size: Shape, nnz: int, **options: Any
) -> torch.Tensor:
    """`rand_sparse_tri` without a diagonal in CSR, with its other options."""
    return rand_sparse_tri(size, nnz, torch.sparse_csr, strict=True, **options)


def generate_random_sparse_triangular_coo_matrix(
    size: Shape, nnz: int, **options: Any
) -> torch.Tensor:
    """`rand_sparse_tri` with its diagonal in COO, with its other options."""
    return rand_sparse_tri(size, nnz, torch.sparse_coo, strict=False, **options)


def generate_random_sparse_triangular_csr_matrix(
    size: Shape, nnz: int, **options: Any
) -> torch.Tensor:
    """`rand_sparse_tri` with its diagonal in CSR, with its other options."""
    return rand_sparse_tri(size, nnz, torch.sparse_csr, strict=False, **options)
