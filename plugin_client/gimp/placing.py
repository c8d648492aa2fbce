"""Where a picture goes and how large the model makes it: plain geometry, in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plugin_client.wire.limits import MAX_SIDE, MIN_SIDE
from plugin_client.wire.messages import Fit, ModelInfo, Picture

USUAL_SIDE = 768  # of the squares that the full model draws best: many more pixels repeat things, many fewer lose them
LEAST_SHARE = 2 / 3  # of that side, for a small area: it is quicker, and nothing is lost yet
MAX_READ_SIDE = 2048  # of a layer that is read: the model looks at 224 x 224 of it


@dataclass(frozen=True)
class Area:
    """A rectangle on the canvas; x and y may be negative."""

    x: int
    y: int
    width: int
    height: int

    def intersection(self, other: Area) -> Area | None:
        """What both cover, or None."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Area(x, y, right - x, bottom - y) if right > x and bottom > y else None

    def moved(self, x: int, y: int) -> Area:
        return Area(self.x + x, self.y + y, self.width, self.height)


NEW_IMAGE = Area(0, 0, USUAL_SIDE, USUAL_SIDE)


def side_of(models: Sequence[ModelInfo], name: str) -> int:
    """Of the squares that the model of this name draws best, or the first one for ""; 0 while that is not known."""
    found = [model.side for model in models if model.name == name] or [model.side for model in models]
    return found[0] if found else 0


def made_size(area: Area, width: int, height: int, side: int) -> tuple[int, int]:
    """What the model is asked for: `width` and `height` where they are given, and 0 is the shape of `area`.

    The area's proportions are kept, with as many pixels as the model is used to, which draws squares of `side` best.
    A given width or height alone sets the other.
    """
    if width and height:
        return width, height
    if width or height:
        scale = width / area.width if width else height / area.height
    else:
        pixels = area.width * area.height
        scale = math.sqrt(min(max(pixels, (LEAST_SHARE * side) ** 2), side**2) / pixels)
    return width or _side(area.width * scale), height or _side(area.height * scale)


def read_scale(area: Area) -> float:
    """By how much a layer is shrunk when it is read; 1 keeps it."""
    return min(1.0, MAX_READ_SIDE / max(area.width, area.height))


def square_seen(width: int, height: int, fit: Fit) -> Area:
    """What the model sees of a picture, as an area of it: for "pad" a square that is larger than the picture."""
    if fit == "stretch":
        return Area(0, 0, width, height)
    side = min(width, height) if fit == "crop" else max(width, height)
    return Area((width - side) // 2, (height - side) // 2, side, side)


def shows_backdrop(picture: Picture, fit: Fit) -> bool:
    """Whether the model sees something of what lies behind a picture: around it, or through it."""
    is_padded = fit == "pad" and picture.width != picture.height
    return is_padded or (picture.channels == 4 and min(picture.pixels[3::4]) < 255)


def area_of(picture: Picture) -> Area:
    """Where a picture lies in an image of its own."""
    return Area(0, 0, picture.width, picture.height)


def _side(length: float) -> int:
    return min(max(round(length), MIN_SIDE), MAX_SIDE)
