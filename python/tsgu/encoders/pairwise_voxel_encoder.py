"""The deprecated encoder of three spatial dimensions."""

import warnings
from typing import Any

import torch

from .._typing import Shape
from .pairwise_encoder import Offset, PairwiseEncoder, _checked_shape, calc_pairwise_coo_indices_nd

__all__ = ["PairwiseVoxelEncoder", "calc_pairwise_coo_indices"]


def _check_4d(volume_shape):
    if _checked_shape(volume_shape, 4) is None:
        raise ValueError(
            "`volume_shape` must be a 4D tuple of positive integers, representing [C, H, D, W]"
        )


class PairwiseVoxelEncoder(PairwiseEncoder):
    """PairwiseEncoder for volumes (C, H, D, W). Deprecated: PairwiseEncoder takes any."""

    def __init__(
        self, radius: float, volume_shape: Shape, *arguments: Any, **keywords: Any
    ) -> None:
        warnings.warn(
            "PairwiseVoxelEncoder is deprecated: PairwiseEncoder takes volumes of any dimension",
            DeprecationWarning,
            stacklevel=2,
        )
        _check_4d(volume_shape)
        super().__init__(radius, volume_shape, *arguments, **keywords)


def calc_pairwise_coo_indices(
    radius: float, volume_shape: Shape, *arguments: Any, **keywords: Any
) -> dict[Offset, torch.Tensor]:
    """calc_pairwise_coo_indices_nd for volumes (C, H, D, W). Deprecated."""
    _check_4d(volume_shape)
    return calc_pairwise_coo_indices_nd(radius, volume_shape, *arguments, **keywords)


calc_pariwise_coo_indices = calc_pairwise_coo_indices
