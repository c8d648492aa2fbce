"""When a 3 x 3 convolution is done with fewer products, and the kernels for it. See native/winograd.h."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
import numpy.typing as npt

from kandinsky_backend.ops.plans import build
from kandinsky_backend.ops.plans.regions import Dtype
from kandinsky_backend.ops.plans.steps import WeightPart
from kandinsky_backend.ops.plans.trace import Shape

# Kernels of three values to as many as a tile of this size has places.
_TRANSFORMS = {
    2: np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
    4: np.array(
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ]
    ),
}

LEAST_CHANNELS = 96  # with fewer, the tiles' way in and out costs what the products save
# By precision and tile: with fewer tiles the larger weights, which are read for each band of them, cost what the
# products save. Tiles of 4 x 4 lose too many digits for bfloat16.
LEAST_TILES = {Dtype.FLOAT32: {4: 512, 2: 512}, Dtype.BFLOAT16: {2: 128}}


def tile_for(dtype: Dtype, src: Shape, weight: Shape, stride: int, padding: tuple[int, int]) -> int:
    """The side of the tiles for a convolution of a map (batch, in, height, width) in `dtype`; 0: by oneDNN's own."""
    batch, channels, height, width = src
    if weight[2:] != (3, 3) or stride != 1 or padding != (1, 1) or min(channels, weight[0]) < LEAST_CHANNELS:
        return 0
    if dtype == Dtype.BFLOAT16 and has_matrix_unit():
        return 0
    for tile, least in LEAST_TILES[dtype].items():
        if batch * -(-height // tile) * -(-width // tile) >= least:
            return tile
    return 0


@lru_cache
def has_matrix_unit() -> bool:
    """Whether the processor multiplies bfloat16 so fast (AMX) that the tiles' way in and out would be most of it."""
    return "amx_bf16" in build.processor().split()


@dataclass(frozen=True, eq=False)
class TransformedWeight(WeightPart):
    """The kernels of a 3 x 3 convolution for tiles of `tile`: (places, in, out)."""

    tile: int

    @property
    def shape(self) -> Shape:
        return ((self.tile + 2) ** 2, self.stop - self.start, self.weight.shape[0])

    def values(self) -> npt.NDArray[np.float32]:
        """The kernels, transformed in both directions."""
        kernels = super().values()
        transform = _TRANSFORMS[self.tile].astype(np.float32)
        matrix = np.einsum("ik,jl->ijkl", transform, transform).reshape(prod(self.shape[:1]), 9)
        out, channels = kernels.shape[:2]
        flat = kernels.reshape(out * channels, 9)
        return (matrix @ flat.T).reshape(-1, out, channels).transpose(0, 2, 1)
