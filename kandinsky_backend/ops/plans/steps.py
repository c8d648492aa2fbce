"""The steps of a plan, as the planner writes them down: what each reads, what it writes, and with which options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from kandinsky_backend.ops.plans.regions import Buffer, Region
from kandinsky_backend.ops.plans.trace import Shape, Weight

POINTWISE = ("copy", "add", "multiply", "silu", "quick_gelu", "gelu", "mean_of_four")
ACTIVATIONS = (None, "silu", "quick_gelu", "gelu")


@dataclass(frozen=True, eq=False)
class WeightPart:
    """The columns `start` to `stop` (input channels) of a weight, and the bias to add."""

    weight: Weight
    bias: Weight | None
    start: int
    stop: int

    @property
    def shape(self) -> Shape:
        out, _, *kernel = self.weight.shape
        return (out, self.stop - self.start, *kernel)

    @property
    def key(self) -> tuple[int, Shape, int]:
        """What tells it from others while its parameter is kept."""
        return (id(self.weight.parameter), self.shape, self.start)

    def values(self) -> npt.NDArray[np.float32]:
        """The columns, a view of the whole."""
        return self.weight.values()[:, self.start : self.stop]


@dataclass(frozen=True, eq=False)
class Step:
    """A step; its fields that are regions are what it reads, but for `dst`, which it writes."""

    dst: Region

    def regions(self) -> Iterator[Region]:
        """All that it reads or writes."""
        for field in fields(self):
            value: Any = getattr(self, field.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Region):
                    yield item

    def buffers(self) -> set[Buffer]:
        """The buffers that it reads or writes."""
        return {region.buffer for region in self.regions()}


@dataclass(frozen=True, eq=False)
class Linear(Step):
    """dst (rows, out) = activation(src (rows, in) weight^T + bias + residual)."""

    src: Region
    weight: WeightPart
    residual: Region | None = None
    activation: str | None = None


@dataclass(frozen=True, eq=False)
class Convolution(Step):
    """The same with maps (batch, channels, height, width), channels last; padding is that before and behind."""

    src: Region
    weight: WeightPart
    stride: int
    padding: tuple[int, int]
    residual: Region | None = None
    activation: str | None = None


@dataclass(frozen=True, eq=False)
class Winograd(Step):
    """A 3 x 3 convolution of stride 1 that keeps the size, in tiles of `tile` x `tile` pixels."""

    src: Region
    weight: WeightPart
    tile: int
    residual: Region | None = None


@dataclass(frozen=True, eq=False)
class GroupNorm(Step):
    """dst = (norm of `parts` * weight + bias) * scale + shift, and SiLU of it; see norms.h."""

    parts: tuple[Region, ...]
    weight: Region
    bias: Region
    maps: tuple[Region, ...]  # scale and shift, or nothing
    groups: int
    eps: float
    silu: bool


@dataclass(frozen=True, eq=False)
class LayerNorm(Step):
    """dst (rows, width) = the norm of each row of src, times weight plus bias."""

    src: Region
    weight: Region
    bias: Region
    eps: float


MOST_PARTS = 3  # of the keys and values of an attention


@dataclass(frozen=True, eq=False)
class Attention(Step):
    """dst = softmax(query keys^T / sqrt(width) + mask) values; keys and values in up to MOST_PARTS parts."""

    query: Region
    keys: tuple[Region, ...]
    values: tuple[Region, ...]
    mask: Region | None


@dataclass(frozen=True, eq=False)
class Gather(Step):
    """dst (count, width) = the rows of table (rows, width) that `numbers` (count) name."""

    table: Region
    numbers: Region


@dataclass(frozen=True, eq=False)
class Pointwise(Step):
    """dst = one of POINTWISE of the inputs, element by element; all have one shape and dst's strides fall."""

    kind: str
    inputs: tuple[Region, ...]
