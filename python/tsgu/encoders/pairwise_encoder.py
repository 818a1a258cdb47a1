"""From values at the sites of a volume to a sparse matrix over pairs of sites."""

import itertools
import math
import operator
import warnings
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import nn

from .._matrices.kinds import matrix_of
from .._patterns.modes import outside_graphs
from .._patterns.pattern import Pattern
from .._typing import Device, Shape

__all__ = ["PairwiseEncoder", "calc_pairwise_coo_indices_nd"]

Relation: TypeAlias = Literal["indep", "intra", "inter"]
Offset: TypeAlias = tuple[int, ...]  # (channel, *spatial)

_RELATIONS = ("indep", "intra", "inter")


# ===-- Offsets ---------------------------------------------------------------===#


def _gen_coords_nd(radius, spatial_dims):
    """The set of integer points of a ball around 0 in so many dimensions, without 0."""
    if spatial_dims < 1:
        raise ValueError("spatial_dims must be a positive integer")
    reach = math.floor(radius)
    cube = itertools.product(range(-reach, reach + 1), repeat=spatial_dims)
    return {point for point in cube if 0 < sum(x * x for x in point) <= radius * radius}


def _gen_coords(radius):
    return _gen_coords_nd(radius, 3)


def _order(offset):
    channel, *spatial = offset
    squares = (10 * channel) ** 2 + sum(x * x for x in spatial)
    return squares, tuple(map(abs, offset)), tuple(x >= 0 for x in offset)


def _gen_offsets_nd(
    radius, spatial_dims, upper=None, num_channels=1, channel_voxel_relation="indep"
):
    """The offsets (channel, *spatial) between related sites, but for a site's own, in order."""
    zero = (0,) * spatial_dims
    coords = _gen_coords_nd(radius, spatial_dims)
    offsets = [(0, *point) for point in coords]
    if channel_voxel_relation != "indep":
        beside = {zero, *coords} if channel_voxel_relation == "inter" else {zero}
        offsets += [(c, *point) for c in range(1, num_channels) for point in beside]
    if upper is not None:
        # The sign of the first component that is not zero is that of row - column.
        offsets = [offset for offset in offsets if (offset < (0, *zero)) == bool(upper)]
    return sorted(offsets, key=_order)


def _gen_offsets(radius, upper=None, num_channels=1, channel_voxel_relation="indep"):
    return _gen_offsets_nd(radius, 3, upper, num_channels, channel_voxel_relation)


def _part(offset, shape):
    """The slices of a volume of the sites that have another one at site - offset."""
    return tuple(
        slice(max(step, 0), max(extent + min(step, 0), 0))
        for step, extent in zip(offset, shape, strict=True)
    )


def _trim_nd(x, offsets):
    """The part of x, of one dimension for each component, whose sites have one at site - offset."""
    if x.dim() != len(offsets):
        raise ValueError(
            f"Number of dimensions in tensor ({x.dim()}) does not match number of offsets "
            f"({len(offsets)})"
        )
    return x[_part(offsets, x.shape)]


# ===-- Checks ----------------------------------------------------------------===#


def _checked_shape(volume_shape, rank=None):
    """The shape as a tuple of ints; None where it is none, or has not `rank` dimensions."""
    try:
        shape = tuple(map(operator.index, volume_shape))
    except TypeError:
        return None
    right = len(shape) >= 2 if rank is None else len(shape) == rank
    return shape if right and min(shape) > 0 else None


def _check_relation(radius, channels, relation):
    if not radius >= 1:
        raise ValueError("radius must be >= 1")
    if math.isinf(radius):
        raise ValueError("radius must be finite")
    if relation not in _RELATIONS:
        raise ValueError("channel_voxel_relation must be 'indep', 'intra', or 'inter'")
    if channels == 1 and relation != "indep":
        raise ValueError("channel_voxel_relation must be 'indep' when number of channels is 1")


def _check_fits(dtype, numbers):
    if dtype.is_floating_point or dtype.is_complex or dtype is torch.bool:
        raise ValueError(f"indices are integers, not {dtype}")
    if numbers > torch.iinfo(dtype).max:
        raise ValueError(f"the volume has indices up to {numbers}, which do not fit in {dtype}")


# ===-- Indices ---------------------------------------------------------------===#


def _all_offsets(radius, shape, diag, upper, relation):
    offsets = _gen_offsets_nd(radius, len(shape) - 1, upper, shape[0], relation)
    return [(0,) * len(shape), *offsets] if diag else offsets


def _distance(offset, shape):
    """Row minus column of the sites that an offset relates."""
    distance = 0
    for step, extent in zip(offset, shape, strict=True):
        distance = distance * extent + step
    return distance


def calc_pairwise_coo_indices_nd(
    radius: float,
    volume_shape: Shape,
    diag: bool = False,
    upper: bool | None = None,
    channel_voxel_relation: Relation = "indep",
    dtype: torch.dtype = torch.int64,
    device: Device = torch.device("cpu"),  # noqa: B008
) -> dict[Offset, torch.Tensor]:
    """{offset: (2, M)}: rows and columns of the sites that each offset of an encoder relates.

    The arguments are those of PairwiseEncoder; dtype is that of the indices. Raises ValueError as
    PairwiseEncoder does, and for a dtype that cannot hold them.
    """
    shape = _checked_shape(volume_shape)
    if shape is None:
        raise ValueError("volume_shape must be a tuple of at least 2 positive integers")
    _check_relation(radius, shape[0], channel_voxel_relation)
    _check_fits(dtype, math.prod(shape) - 1)
    sites = torch.arange(math.prod(shape), dtype=dtype, device=device).view(shape)
    return {
        offset: torch.stack([_trim_nd(sites, x).flatten() for x in (offset, _negative(offset))])
        for offset in _all_offsets(radius, shape, diag, upper, channel_voxel_relation)
    }


def _negative(offset):
    return tuple(-x for x in offset)


def _entries(offsets, shape, device):
    """(rows, columns, source) of the entries in order of rows and columns.

    source: where an entry's value is in values (offsets, sites), flattened. In every row, entries
    of larger distance come first, so that nothing has to be sorted.
    """
    sites = math.prod(shape)
    distances = torch.tensor([_distance(o, shape) for o in offsets], dtype=torch.int64)
    order = [
        k for k in distances.argsort(descending=True).tolist() if _is_within(offsets[k], shape)
    ]
    stored = torch.zeros(*shape, len(order), dtype=torch.bool, device=device)
    for place, k in enumerate(order):
        stored[(*_part(offsets[k], shape), place)] = True
    rows, places = stored.view(sites, -1).nonzero().unbind(1)
    numbers = torch.tensor(order, dtype=torch.int64, device=device)
    columns = rows - distances.to(device)[numbers][places]
    return rows, columns, numbers[places].mul_(sites).add_(rows)


def _is_within(offset, shape):
    return all(abs(step) < extent for step, extent in zip(offset, shape, strict=True))


def _narrow(source, numbers):
    """32 bits where they hold so many numbers: less to keep, and faster to gather by."""
    return source.int() if numbers < 1 << 31 else source


def _pattern(rows, columns, sites, layout, dtype):
    shape = (sites, sites)
    if layout is torch.sparse_coo:
        return Pattern.coo(torch.stack([rows, columns]), shape, coalesced=True)
    positions = torch.zeros(sites + 1, dtype=dtype, device=rows.device)
    positions[1:] = torch.bincount(rows, minlength=sites).cumsum(0)
    return Pattern.csr(positions, columns.to(dtype), sites)


def _repeated(pattern, items):
    """The pattern of a batch of matrices on one pattern."""
    if pattern.layout is torch.sparse_csr:
        indices = pattern.positions, pattern.coordinates
        return Pattern.csr(*(x.repeat(items, 1) for x in indices), pattern.columns)
    item = torch.arange(items, device=pattern.positions.device).repeat_interleave(pattern.entries)
    indices = torch.cat([item.unsqueeze(0), pattern.positions.repeat(1, items)])
    return Pattern.coo(indices, (items, *pattern.shape), coalesced=True)


# ===-- The encoder -----------------------------------------------------------===#


class PairwiseEncoder(nn.Module):
    """Makes a sparse matrix over pairs of sites of values that are given at sites.

    Sites are those of a volume (C, *spatial), numbered in order; S of them. Two are related where
    they differ by one of `offsets`, (channel, *spatial): row = site, column = site - offset, which
    has to lie in the volume. These are the spatial offsets of a length up to `radius` within a
    channel, for channel_voxel_relation="intra" also those from a channel to the same voxel of an
    earlier one, for "inter" to its neighbours there, too. diag=True puts the offset 0 first.
    upper=True keeps offsets whose first component that is not 0 is negative (row < column),
    upper=False the others; relations across channels go one way, to row > column.

    Calling it with values (N, *volume_shape) or (B, N, *volume_shape), N = len(offsets), float32 or
    float64, gives a sparse tensor (S, S) or (B, S, S): entry (row, column) of offset k is values[k]
    at the row's site; values whose column is outside the volume are not read. It is differentiable
    to any order, in memory of the order of its entries. layout: torch.sparse_coo, then it is
    coalesced, or torch.sparse_csr, whose indices are of `indices_dtype`; COO indices of torch are
    int64 always. A matrix lies on the index tensors of its encoder: do not write to them.

    `indices` (2, entries), of COO, has the entries offset by offset; `crow_indices`, `col_indices`
    those of the matrix, and csr_permutation leads from the order of `indices` to the matrix's.
    `.to(device)` moves them; no state_dict contains them. Raises ValueError for arguments and
    values that do not fit.
    """

    def __init__(
        self,
        radius: float,
        volume_shape: Shape,
        diag: bool = False,
        upper: bool | None = None,
        channel_voxel_relation: Relation = "indep",
        layout: torch.layout = torch.sparse_coo,
        indices_dtype: torch.dtype = torch.int64,
        device: Device = torch.device("cpu"),  # noqa: B008
    ) -> None:
        super().__init__()
        shape = _checked_shape(volume_shape)
        if shape is None:
            raise ValueError(
                "`volume_shape` must be a tuple of at least 2 positive integers, representing "
                "[C, *spatial_dims]"
            )
        _check_relation(radius, shape[0], channel_voxel_relation)
        if layout not in (torch.sparse_coo, torch.sparse_csr):
            raise ValueError("layout must be either torch.sparse_coo or torch.sparse_csr")
        if indices_dtype not in (torch.int64, torch.int32):
            raise ValueError(f"`indices_dtype` must be torch.int64 or torch.int32 for {layout}")
        self.radius = radius
        self.volume_shape = shape
        self.diag = diag
        self.upper = upper
        self.channel_voxel_relation = channel_voxel_relation
        self.layout = layout
        self.indices_dtype = indices_dtype
        self.volume_numel = math.prod(shape)
        self.spatial_dims = len(shape) - 1
        self.offsets = _all_offsets(radius, shape, diag, upper, channel_voxel_relation)
        rows, columns, source = _entries(self.offsets, shape, device)
        _check_fits(indices_dtype, max(self.volume_numel - 1, rows.numel()))
        self._source = _narrow(source, len(self.offsets) * self.volume_numel)
        self._pattern = _pattern(rows, columns, self.volume_numel, layout, indices_dtype)
        self._of_batch = (0, None)

    @property
    def device(self) -> torch.device:
        return self._source.device

    @property
    def indices(self) -> torch.Tensor:
        self._needs(torch.sparse_coo, "indices")
        return self._pattern.positions[:, self._source.argsort()].to(self.indices_dtype)

    @property
    def crow_indices(self) -> torch.Tensor:
        self._needs(torch.sparse_csr, "crow_indices")
        return self._pattern.positions

    @property
    def col_indices(self) -> torch.Tensor:
        self._needs(torch.sparse_csr, "col_indices")
        return self._pattern.coordinates

    @property
    def csr_permutation(self) -> torch.Tensor | None:
        return self._source.argsort().argsort() if self.layout is torch.sparse_csr else None

    def _needs(self, layout, name):
        if self.layout is not layout:
            raise AttributeError(f"an encoder to {self.layout} has no {name!r}")

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        batched = self._check(values)
        flat = values.flatten(1 if batched else 0)
        if not batched:
            return matrix_of(self._pattern, flat.index_select(0, self._source))
        of_entries = flat.index_select(1, self._source)
        return matrix_of(self._pattern_of(len(values)), of_entries.flatten())

    def _check(self, values):
        """Whether values are a batch. Raises ValueError where they do not fit."""
        rank = len(self.volume_shape) + 1
        if not isinstance(values, torch.Tensor):
            raise ValueError(f"values must be a torch.Tensor, not {type(values).__name__}")
        if values.dim() not in (rank, rank + 1):
            raise ValueError(
                f"values must have {rank} dimensions (N, C, *spatial_dims) or {rank + 1} "
                "dimensions (B, N, C, *spatial_dims)"
            )
        count, channels = values.shape[-rank : 2 - rank]
        if count != len(self.offsets):
            raise ValueError(
                f"Shape of values at index {-rank} ({count}) must match number of offsets "
                f"({len(self.offsets)})"
            )
        if channels != self.volume_shape[0]:
            raise ValueError(
                f"Channels do not match: expected {self.volume_shape[0]}, got {channels}"
            )
        if tuple(values.shape[2 - rank :]) != self.volume_shape[1:]:
            raise ValueError(
                f"Spatial dimensions do not match: expected {self.volume_shape[1:]}, got "
                f"{values.shape[2 - rank :]}"
            )
        if values.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                "values must be either torch.float32 or torch.float64 for sparse tensors"
            )
        return values.dim() > rank

    def _pattern_of(self, items):
        """The pattern of a batch, kept for the next one."""
        known, pattern = self._of_batch
        if known != items or pattern is None:
            pattern = _repeated(self._pattern, items)
            self._of_batch = items, pattern
        return pattern

    def _apply(self, function, *arguments, **keywords):
        # Asked of a tensor of its own: some of what is applied leaves contents or types behind.
        device = function(torch.empty(0, device=self.device)).device
        if device != self.device:
            self._source, self._pattern = self._source.to(device), self._pattern.to(device)
            self._of_batch = (0, None)
        return super()._apply(function, *arguments, **keywords)

    def extra_repr(self) -> str:
        names = "radius", "volume_shape", "diag", "upper", "channel_voxel_relation", "layout"
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


# torch.compile takes the module into its graph, and otherwise runs it as it is.
outside_graphs(PairwiseEncoder.forward)


def deprecated(module, name):
    """What the module's __getattr__ gives for a name, with a warning where it is deprecated."""
    if name not in ("calc_pairwise_coo_indices", "calc_pariwise_coo_indices"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    from . import pairwise_voxel_encoder

    text = f"{name} is deprecated: calc_pairwise_coo_indices_nd takes volumes of any dimension"
    warnings.warn(text, DeprecationWarning, stacklevel=3)
    return pairwise_voxel_encoder.calc_pairwise_coo_indices


if not TYPE_CHECKING:

    def __getattr__(name):
        return deprecated(__name__, name)
