"""Plain geometry, in pixels: areas of a canvas, the size that a model makes, and the square that it sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plugin_client.wire.limits import MAX_SIDE, MIN_SIDE
from plugin_client.wire.messages import Fit, ModelInfo, Picture

USUAL_SIDE = 768  # of the squares that the full model draws best: many more pixels repeat things, many fewer lose them
LEAST_SHARE = 2 / 3  # of that side, for a small area: it is quicker, and nothing is lost yet
MAX_READ_SIDE = 2048  # of a layer that is read: the model looks at 224 x 224 of it
MAX_CROP_ASPECT = 100  # of a picture that the model side cuts a square from; a longer strip is padded


@dataclass(frozen=True)
class Area:
    """A rectangle on the canvas; x and y may be negative."""

    x: int
    y: int
    width: int
    height: int

    def intersection(self, other: Area) -> Area | None:
        """The area that both cover, or None."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Area(x, y, right - x, bottom - y) if right > x and bottom > y else None

    def enlarged(self, width: int, height: int, within: Area) -> Area:
        """An area of that size with the same middle, moved into another one at 0, 0 where it fits into that."""
        x, y = self.x + (self.width - width) // 2, self.y + (self.height - height) // 2
        return Area(_moved_in(x, width, within.width), _moved_in(y, height, within.height), width, height)

    def moved(self, x: int, y: int) -> Area:
        return Area(self.x + x, self.y + y, self.width, self.height)

    def scaled(self, scale: float) -> Area:
        """The area in a picture that is scaled by a factor; no side of it is less than 1."""
        corner = round(self.x * scale), round(self.y * scale)
        return Area(*corner, max(1, round(self.width * scale)), max(1, round(self.height * scale)))


NEW_IMAGE = Area(0, 0, USUAL_SIDE, USUAL_SIDE)


def side_of(models: Sequence[ModelInfo], name: str) -> int:
    """The side of the squares that a model draws best, or the first model for ""; 0 while that is not known."""
    found = [model.side for model in models if model.name == name] or [model.side for model in models]
    return found[0] if found else 0


def made_size(area: Area, width: int, height: int, side: int) -> tuple[int, int]:
    """The size to ask the model for: `width` and `height` where they are not 0, else the shape of `area`.

    The area's proportions are kept as far as the limits of a side let them be, with as many pixels as the model is
    used to, which draws squares of `side` best. A given width or height alone sets the other.
    """
    if width and height:
        return width, height
    if width or height:
        scale = width / area.width if width else height / area.height
    else:
        pixels = area.width * area.height
        scale = math.sqrt(min(max(pixels, (LEAST_SHARE * side) ** 2), side**2) / pixels)
        short, long = sorted((area.width, area.height))
        scale = min(max(scale, MIN_SIDE / short), MAX_SIDE / long)
    return width or _side(area.width * scale), height or _side(area.height * scale)


def read_scale(area: Area, most: int = MAX_READ_SIDE) -> float:
    """The factor by which a layer is scaled when it is read, so that no side is longer than `most`; at most 1."""
    return min(1.0, most / max(area.width, area.height))


def fit_of(picture: Picture, fit: Fit) -> Fit:
    """The fit that a picture gets where `fit` is asked for: of a long strip a cut square would show next to nothing."""
    short, long = sorted((picture.width, picture.height))
    return "pad" if fit == "crop" and long > MAX_CROP_ASPECT * short else fit


def square_seen(width: int, height: int, fit: Fit) -> Area:
    """The area of a picture that the model sees: for "pad" a square that is larger than the picture."""
    if fit == "stretch":
        return Area(0, 0, width, height)
    side = min(width, height) if fit == "crop" else max(width, height)
    return Area((width - side) // 2, (height - side) // 2, side, side)


def shows_backdrop(picture: Picture, fit: Fit) -> bool:
    """Whether the model sees something of what lies behind a picture: around it, or through it."""
    is_padded = fit == "pad" and picture.width != picture.height
    return is_padded or (picture.channels == 4 and min(picture.pixels[3::4]) < 255)


def area_of(picture: Picture) -> Area:
    """The area of a picture in an image of its own."""
    return Area(0, 0, picture.width, picture.height)


def _moved_in(start: int, length: int, room: int) -> int:
    return min(max(start, 0), room - length) if length <= room else start


def _side(length: float) -> int:
    return min(max(round(length), MIN_SIDE), MAX_SIDE)
