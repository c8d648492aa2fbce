"""Regions of buffers, strided, in which the values of a plan lie.

A region's strides and offset are those of a numpy array that is never read, so that numpy itself says what a transpose,
a slice, or a reshape without a copy does to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from mindspore import Tensor

from kandinsky_backend.ops.plans.trace import Shape, reshaped

Placeholder = npt.NDArray[np.int8]
Change = Callable[[Placeholder], Placeholder]


class Dtype(Enum):
    """The type of a buffer's elements; the value is oneDNN's number of it."""

    BFLOAT16 = 2
    FLOAT32 = 3
    INT32 = 4

    @property
    def nbytes(self) -> int:
        return {Dtype.BFLOAT16: 2, Dtype.FLOAT32: 4, Dtype.INT32: 4}[self]


@dataclass(eq=False)
class Buffer:
    """Memory of a plan: `count` elements of its arena, of an argument, or values that are known now.

    `values` are an array, or a tensor whose memory is used as it is.
    """

    count: int
    dtype: Dtype
    argument: int | None = None
    values: npt.NDArray[Any] | Tensor | None = None
    base: Placeholder = field(default_factory=lambda: np.empty(1, np.int8), repr=False)

    @property
    def nbytes(self) -> int:
        return self.count * self.dtype.nbytes

    @property
    def address(self) -> int:
        """Address of the values."""
        if isinstance(self.values, Tensor):
            return int(self.values.data_ptr())
        assert self.values is not None
        return int(self.values.ctypes.data)

    @property
    def in_arena(self) -> bool:
        return self.argument is None and self.values is None


@dataclass(frozen=True, eq=False)
class Region:
    """Elements of a buffer. `array` has their shape and, as its elements are bytes, their strides and offset."""

    buffer: Buffer
    array: Placeholder

    @property
    def shape(self) -> Shape:
        return self.array.shape

    @property
    def strides(self) -> Shape:
        return self.array.strides

    @property
    def offset(self) -> int:
        """In elements, of the first one."""
        return int(self.array.__array_interface__["data"][0] - self.buffer.base.__array_interface__["data"][0])

    @property
    def dtype(self) -> Dtype:
        return self.buffer.dtype

    def changed(self, change: Change) -> Region | None:
        """The region after a change of shape or order; None where that needs a copy."""
        try:
            return Region(self.buffer, change(self.array))
        except AttributeError:  # of trace.reshaped
            return None

    def broadcast_to(self, shape: Shape) -> Region:
        """With elements repeated by strides of 0."""
        return Region(self.buffer, np.broadcast_to(self.array, shape))

    def with_layout_of(self, other: Region) -> Region:
        """The elements from this region's first one on, in the shape and strides of `other`."""
        return strided(self.buffer, other.shape, other.strides, self.offset)

    def has_layout_of(self, other: Region) -> bool:
        """Whether the elements lie to each other as those of `other` do."""
        return self.shape == other.shape and all(
            size == 1 or mine == yours
            for size, mine, yours in zip(self.shape, self.strides, other.strides, strict=True)
        )

    def rows(self) -> Region | None:
        """As a matrix whose rows are the last axis; None where that needs a copy."""
        matrix = self.changed(lambda array: reshaped(array, (-1, array.shape[-1])))
        if matrix is None or (matrix.strides[1] != 1 and matrix.shape[1] > 1):
            return None
        width = matrix.shape[1]
        row = width if matrix.shape[0] == 1 else matrix.strides[0]  # numpy leaves the stride of a single row open
        return strided(self.buffer, matrix.shape, (row, 1), self.offset) if row >= width else None


def strided(buffer: Buffer, shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> Region:
    """A region of `buffer`; strides and offset in elements."""
    array = np.lib.stride_tricks.as_strided(buffer.base, (1,), (1,))
    if offset:
        # A pointer further on, which is never followed.
        array = np.lib.stride_tricks.as_strided(buffer.base, (offset + 1,), (1,))[offset:]
    return Region(buffer, np.lib.stride_tricks.as_strided(array, tuple(shape), tuple(strides)))


def in_order(buffer: Buffer, shape: Shape, axes: Sequence[int]) -> Region:
    """All of `buffer` as a region of `shape` without gaps, `axes` naming its axes from the outermost in memory on."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(axes):
        strides[axis] = step
        step *= shape[axis]
    return strided(buffer, shape, strides)


def row_major(buffer: Buffer, shape: Shape) -> Region:
    """All of `buffer` as numpy would lay out an array."""
    return in_order(buffer, shape, range(len(shape)))


def channels_last(buffer: Buffer, shape: Shape) -> Region:
    """All of `buffer` as a map (batch, channels, height, width) whose channels lie next to each other."""
    return in_order(buffer, shape, (0, 2, 3, 1))


def axes_by_stride(region: Region) -> list[int]:
    """The axes from the outermost in memory on."""
    return sorted(range(len(region.shape)), key=lambda axis: -region.strides[axis])


def is_channels_last(region: Region) -> bool:
    """Whether a map lies without gaps, its channels next to each other."""
    return region.has_layout_of(channels_last(region.buffer, region.shape))


def merged(regions: Sequence[Region]) -> list[Region]:
    """The same elements of regions of one shape with as few axes as all of them allow, the first's strides falling."""
    first = regions[0]
    axes = [axis for axis in axes_by_stride(first) if first.shape[axis] != 1]
    kept: list[int] = []
    sizes: dict[int, int] = {}
    for axis in axes:
        size = first.shape[axis]
        if kept and all(r.strides[kept[-1]] == r.strides[axis] * size for r in regions):
            size *= sizes.pop(kept.pop())
        kept.append(axis)
        sizes[axis] = size
    shape = [sizes[axis] for axis in kept]
    return [strided(r.buffer, shape, [r.strides[axis] for axis in kept], r.offset) for r in regions]
