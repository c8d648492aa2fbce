"""The part of a picture that a job draws into, as boxes and sizes in pixels: what is sent, and how far a picture grows.

Without pixels, so that an editor, which has its own, and scripts, which have Pillow's, cut and grow by the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from plugin_client.given import plain, sides
from plugin_client.wire.errors import BadArgument, BadValue, UsageError
from plugin_client.wire.limits import MAX_PICTURE_BYTES, MAX_PICTURE_SIDE
from plugin_client.wire.marking import N_
from plugin_client.wire.schema import Real, Whole

MARGIN = 0.5  # of the region's longer side, around it
LEAST_MARGIN = 64  # px
OVERLAP = 16  # px of a picture, at each side that grows, over which what is new goes over into it
MOST_GROWTH = 4096  # px, of one side

FACTOR = 2.0  # by which a picture is upscaled where nothing is said
MAX_FACTOR = 64.0

_TARGET_SIDE = Whole((1, MAX_PICTURE_SIDE))
_FACTOR = Real((1, MAX_FACTOR))
_GROWTH = Whole((0, MOST_GROWTH))

Box = tuple[int, int, int, int]  # left, top, right, bottom


def with_margin(region: Box, size: tuple[int, int]) -> Box:
    """Return a region of a picture with a margin around it, as far as the picture goes."""
    left, top, right, bottom = region
    margin = max(LEAST_MARGIN, round(MARGIN * max(right - left, bottom - top)))
    return max(0, left - margin), max(0, top - margin), min(size[0], right + margin), min(size[1], bottom + margin)


def sendable(box: Box, channels: int) -> Box:
    """Return the box of a part of a picture that one frame of a message can carry.

    Raises:
        UsageError: it is too large.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    most = fitting_size(width, height, channels)
    if most != (width, height):
        raise UsageError(
            N_("{width} x {height} pixels are too many to be drawn into at once: at most {most_width} x {most_height}"),
            "too-large-region",
            width=width,
            height=height,
            most_width=most[0],
            most_height=most[1],
        )
    return box


def fitting_size(width: int, height: int, channels: int) -> tuple[int, int]:
    """Return the largest (width, height) in pixels, in proportion and never enlarged, that the protocol allows."""
    by_side = MAX_PICTURE_SIDE / max(width, height)
    by_bytes = math.sqrt(MAX_PICTURE_BYTES / (width * height * channels))
    scale = min(1.0, by_side, by_bytes)
    return max(1, int(width * scale)), max(1, int(height * scale))


def target_of(size: tuple[int, int], channels: int, within: Any = None, factor: Any = None) -> tuple[int, int]:
    """Return the size to which a picture of `size` is upscaled, in proportion.

    Args:
        within: width and height into which it fits, as of `given.sides`.
        factor: what both are multiplied by instead; without both, FACTOR.

    Raises:
        BadArgument: a side or the factor is out of range.
        UsageError: both are given; or as of check_target.
    """
    if within is not None and factor is not None:
        raise UsageError(N_("both a size and a factor were given: give one of them"), "size-and-factor")
    try:
        if within is not None:
            width, height = (_TARGET_SIDE.check(plain(side, int), ("size",)) for side in sides(within))
            return check_target(size_within(size, (width, height)), size, channels)
        by = FACTOR if factor is None else plain(factor, float)
        return check_target(_multiplied(size, _FACTOR.check(by, ("factor",))), size, channels)
    except BadValue as exc:
        raise BadArgument.of(exc) from exc


def size_within(size: tuple[int, int], limits: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (width, height) in proportion to a size that lies within limits, of which a 0 is none."""
    scale = min(limit / side for side, limit in zip(size, limits, strict=True) if limit)
    return _multiplied(size, scale)


def check_target(target: tuple[int, int], size: tuple[int, int], channels: int) -> tuple[int, int]:
    """Return the size to which a picture of `size` is upscaled.

    Raises:
        UsageError: it is smaller than the picture, or larger than one that a message can carry.
    """
    if target[0] < size[0] or target[1] < size[1]:
        raise UsageError(
            N_(
                "{width} x {height} pixels are fewer than the {source_width} x {source_height} of the picture, and "
                "upscaling makes none smaller: give a larger size"
            ),
            "small-target",
            width=target[0],
            height=target[1],
            source_width=size[0],
            source_height=size[1],
        )
    most = fitting_size(*target, channels)
    if most != target:
        raise UsageError(
            N_("{width} x {height} pixels are too many for one picture: at most {most_width} x {most_height}"),
            "large-target",
            width=target[0],
            height=target[1],
            most_width=most[0],
            most_height=most[1],
        )
    return target


@dataclass(frozen=True)
class Growth:
    """By how many pixels a picture goes on at each side, 0 to MOST_GROWTH; `growth` checks them."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def grown_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return width and height of a picture of `size` that has grown."""
        return size[0] + self.left + self.right, size[1] + self.top + self.bottom

    def fading(self, size: tuple[int, int]) -> Iterator[tuple[Box, int]]:
        """Yield the boxes of the grown picture's mask, each within the one before, and the mask's value in each.

        The first is all of it, drawn anew (255); the last is what stays (0) of the picture of `size`, whose outermost
        OVERLAP pixels at each side that grows lie between. A picture too small for that ends with a value above 0.
        """
        width, height = self.grown_size(size)
        yield (0, 0, width, height), 255
        for n in range(1, OVERLAP + 1):
            left, top, right, bottom = (side + n if side else 0 for side in self._sides)
            box = left, top, width - right, height - bottom
            if box[0] < box[2] and box[1] < box[3]:
                yield box, 255 - round(255 * n / OVERLAP)

    def region(self, size: tuple[int, int]) -> Box:
        """Return the bounds of what is drawn anew in the grown picture of `size`: all of it, or one side's strip."""
        width, height = self.grown_size(size)
        kept, value = list(self.fading(size))[-1]
        growing = [side for side, pixels in enumerate(self._sides) if pixels]
        if value or len(growing) != 1:
            return 0, 0, width, height
        strips = [
            (0, 0, kept[0], height),
            (0, 0, width, kept[1]),
            (kept[2], 0, width, height),
            (0, kept[3], width, height),
        ]
        return strips[growing[0]]

    def mask(self, size: tuple[int, int], box: Box) -> bytes:
        """Return the mask of the grown picture of `size` within a box, a byte for each pixel, row by row."""
        width, height = box[2] - box[0], box[3] - box[1]
        mask = bytearray(width * height)
        for (left, top, right, bottom), value in self.fading(size):
            first, last = max(left, box[0]) - box[0], min(right, box[2]) - box[0]
            row = bytes([value]) * max(0, last - first)
            for y in range(max(top, box[1]) - box[1], min(bottom, box[3]) - box[1]):
                mask[y * width + first : y * width + first + len(row)] = row
        return bytes(mask)

    @property
    def _sides(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom


NO_GROWTH = Growth()


def growth(**sides: Any) -> Growth:
    """Return the growth of a picture by numbers of pixels for `left`, `top`, `right` and `bottom`, those of NumPy too.

    Raises:
        BadArgument: a number is out of range.
        UsageError: all are 0.
    """
    found = any_growth(**sides)
    if found == NO_GROWTH:
        raise UsageError(N_("the picture does not grow: give pixels for at least one side"), "no-growth")
    return found


def any_growth(**sides: Any) -> Growth:
    """Return what `growth` does, which may be none. Raises: BadArgument."""
    try:
        return Growth(**{name: _GROWTH.check(plain(value, int), (name,)) for name, value in sides.items()})
    except BadValue as exc:
        raise BadArgument.of(exc) from exc


def growth_to_aspect(size: tuple[int, int], aspect: float) -> Growth:
    """Return by how much each side grows so that width / height is `aspect`, the picture in the middle; it may be none.

    Raises:
        BadArgument: a side would grow by more than MOST_GROWTH.
    """
    width, height = size
    if width / height < aspect:
        more = max(0, round(height * aspect) - width)
        return any_growth(left=more // 2, right=more - more // 2)
    more = max(0, round(width / aspect) - height)
    return any_growth(top=more // 2, bottom=more - more // 2)


def _multiplied(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
