"""Sparse matrices of relations between the sites of a volume."""

from typing import TYPE_CHECKING

from .pairwise_encoder import PairwiseEncoder, calc_pairwise_coo_indices_nd

__all__ = ["PairwiseEncoder", "calc_pairwise_coo_indices_nd"]


if TYPE_CHECKING:
    from .pairwise_voxel_encoder import PairwiseVoxelEncoder as PairwiseVoxelEncoder
else:

    def __getattr__(name):
        if name == "PairwiseVoxelEncoder":
            from .pairwise_voxel_encoder import PairwiseVoxelEncoder

            return PairwiseVoxelEncoder
        from .pairwise_encoder import deprecated

        return deprecated(__name__, name)
