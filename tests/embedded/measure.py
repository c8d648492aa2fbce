"""What a picture shows, measured from its pixels alone: its two main colours by area, and which shape it is.

Written for pictures like those of kandinsky_backend/embedded/train/scenes.py, and checked on them in test_measure.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from kandinsky_backend.embedded.train.scenes import COLOURS, PALETTE, PATTERNS, SHAPES, SIZE, draw_mark

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

SHADES = (0.72, 1.04)  # a colour may be this much darker or lighter: shaded and mottled pictures
MARK_MIN_AREA = 40  # px; smaller blots are not marks
TEMPLATE_SIZE = 24  # px; marks are compared at this size
PATTERN_BORDER = 0.1  # of the picture's border pixels lie on a pattern's lines; marks leave the border free


@dataclass(frozen=True)
class Seen:
    """The names of the shape, its colour and its ground's."""

    shape: str
    colour: str
    ground: str


def measure(picture: Image.Image) -> Seen:
    """The ground is the colour of the largest area, the mark's is the next."""
    shares = colour_shares(picture)
    ground, colour = sorted(shares, key=shares.__getitem__, reverse=True)[:2]
    return Seen(shape_of(mark_mask(picture, colour, ground)), colour, ground)


def colour_shares(picture: Image.Image) -> dict[str, float]:
    """Which share of the pixels is nearest to each colour of the palette, in one of its shades."""
    nearest = _nearest_colours(picture)
    return {name: float((nearest == i).mean()) for i, name in enumerate(COLOURS)}


def mean_colour(picture: Image.Image, colour: str) -> Floats:
    """The median RGB of the pixels that are nearest to `colour`."""
    return np.median(_pixels(picture)[_nearest_colours(picture) == COLOURS.index(colour)], axis=0)


def mark_mask(picture: Image.Image, colour: str, ground: str) -> Mask:
    """Pixels that are nearer to the mark's colour than to the ground's, (H, W)."""
    if not {colour, ground} <= {name for name, share in colour_shares(picture).items() if share}:
        return np.zeros((picture.height, picture.width), bool)
    pixels, mark, back = _pixels(picture), mean_colour(picture, colour), mean_colour(picture, ground)
    return np.linalg.norm(pixels - mark, axis=-1) < np.linalg.norm(pixels - back, axis=-1)


def shape_of(mask: Mask) -> str:
    """The shape whose marks, or the pattern whose lines, the mask shows."""
    if _border(mask).mean() > PATTERN_BORDER:
        return _pattern_of(mask)
    scores = dict.fromkeys(TEMPLATES, 0.0)
    for mark in components(mask, MARK_MIN_AREA):
        normalised = _fitted(mark)
        for shape, template in TEMPLATES.items():
            scores[shape] += mark.sum() * _overlap(normalised, template)
    return max(scores, key=scores.__getitem__)


def _pattern_of(mask: Mask) -> str:
    """A grid's lines are all one, and cut the ground into many pieces; stripes cross nothing."""
    lines = list(components(mask, MARK_MIN_AREA))
    grid = max((int(line.sum()) for line in lines), default=0) > 0.85 * mask.sum()
    return "grid" if grid and len(list(components(~mask, MARK_MIN_AREA))) >= 4 else "stripes"


def components(mask: Mask, min_area: int) -> Iterator[Mask]:
    """The mask's 4-connected parts of at least `min_area` pixels."""
    left = mask.copy()
    while left.any():
        part = _flooded(left, np.unravel_index(int(left.argmax()), left.shape))
        left &= ~part
        if part.sum() >= min_area:
            yield part


def _flooded(mask: Mask, start: tuple[np.intp, ...]) -> Mask:
    part = np.zeros_like(mask)
    part[start] = True
    edge = [(int(start[0]), int(start[1]))]
    while edge:
        y, x = edge.pop()
        for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]
            if inside and mask[row, column] and not part[row, column]:
                part[row, column] = True
                edge.append((row, column))
    return part


def _border(mask: Mask) -> Mask:
    return np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])


def _fitted(mark: Mask) -> Mask:
    """The mark cut out and scaled to TEMPLATE_SIZE."""
    rows, columns = np.flatnonzero(mark.any(1)), np.flatnonzero(mark.any(0))
    cut = mark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scaled = Image.fromarray(np.uint8(cut) * 255).resize((TEMPLATE_SIZE, TEMPLATE_SIZE), Image.Resampling.BOX)
    return np.asarray(scaled) > 127


def _overlap(a: Mask, b: Mask) -> float:
    """Intersection over union."""
    return float((a & b).sum() / (a | b).sum())


def _template(shape: str) -> Mask:
    mask = Image.new("L", (4 * SIZE, 4 * SIZE))  # draw_mark draws four times larger
    draw_mark(ImageDraw.Draw(mask), shape, (0.5, 0.5), 0.4)
    return _fitted(np.asarray(mask) > 127)


TEMPLATES = {shape: _template(shape) for shape in SHAPES if shape not in PATTERNS}


def _pixels(picture: Image.Image) -> Floats:
    return np.asarray(picture.convert("RGB"), np.float64)


def _nearest_colours(picture: Image.Image) -> npt.NDArray[np.intp]:
    """(H, W) of indices into COLOURS: the distance is that to the nearest shade of the colour."""
    palette = np.array([PALETTE[name] for name in COLOURS], np.float64)
    pixels = _pixels(picture)
    shade = np.clip(pixels @ palette.T / np.square(palette).sum(1), *SHADES)
    squares = np.square(pixels).sum(-1, keepdims=True) - 2 * shade * (pixels @ palette.T)
    return (squares + np.square(shade) * np.square(palette).sum(1)).argmin(-1)
