"""The pictures that the small model knows: coloured shapes on coloured grounds, drawn by this program alone.

A `Scene` says what to draw; `draw` draws it, always to the same pixels. Needs numpy and Pillow, nothing else: training
and the evaluation in tests/embedded both draw their pictures here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]
Point = tuple[float, float]

SIZE = 128  # px; both sides
PALETTE: dict[str, Rgb] = {
    "red": (220, 38, 38),
    "orange": (247, 140, 22),
    "yellow": (252, 222, 52),
    "green": (38, 158, 66),
    "blue": (36, 76, 208),
    "purple": (142, 46, 166),
    "white": (244, 244, 244),
    "black": (24, 24, 24),
}
COLOURS = tuple(PALETTE)
PATTERNS = ("stripes", "grid")  # these cover the whole picture; every other shape is a mark with a margin around it
SHAPES = ("circle", "ring", "triangle", "square", "cross", "star", *PATTERNS)
COUNTS = ("one", "few", "many")
TEXTURES = ("flat", "shaded", "mottled")

# Never seen in training, in no caption and no picture: the test of whether the model combines what it knows.
HELD_OUT_SHAPES = dict(
    zip(SHAPES, ("purple", "green", "blue", "orange", "red", "yellow", "white", "black"), strict=True)
)
HELD_OUT_GROUNDS = dict(
    zip(COLOURS, ("white", "blue", "purple", "black", "orange", "yellow", "green", "red"), strict=True)
)

_OVERSAMPLING = 4  # shapes are drawn this many times larger and averaged down, which is what smooths their edges


@dataclass(frozen=True)
class Scene:
    """What a picture shows. `layout` seeds everything that no caption says: places, sizes, directions, shading."""

    shape: str
    colour: Rgb
    ground: Rgb
    count: str
    texture: str
    layout: int


def named_scene(
    shape: str, colour: str, ground: str, count: str = "one", texture: str = "flat", layout: int = 0
) -> Scene:
    """A scene in two colours of the palette, by their names."""
    return Scene(shape, PALETTE[colour], PALETTE[ground], count, texture, layout)


def held_out(shape: str, colour: str, ground: str) -> bool:
    """Whether training must never see this combination."""
    return HELD_OUT_SHAPES[shape] == colour or HELD_OUT_GROUNDS[colour] == ground


@cache
def combinations(*, unseen: bool) -> tuple[tuple[str, str, str], ...]:
    """All (shape, colour, ground) of two different colours: those kept from training, or those it may use."""
    return tuple(
        (shape, colour, ground)
        for shape in SHAPES
        for colour in COLOURS
        for ground in COLOURS
        if colour != ground and held_out(shape, colour, ground) == unseen
    )


def random_scene(rng: np.random.Generator) -> Scene:
    """One of the scenes that training may see, in palette colours."""
    seen = combinations(unseen=False)
    shape, colour, ground = seen[rng.integers(len(seen))]
    return named_scene(shape, colour, ground, *_random_rest(rng))


def random_mixed_scene(rng: np.random.Generator) -> Scene:
    """A scene whose colours lie between palette colours, so that the space between two pictures is not empty.

    One that comes near a held-out combination is drawn again: red and yellow make orange.
    """
    shape = SHAPES[rng.integers(len(SHAPES))]
    colour, ground = _random_mixture(rng), _random_mixture(rng)
    if held_out(shape, nearest_colour(colour), nearest_colour(ground)):
        return random_mixed_scene(rng)
    return Scene(shape, colour, ground, *_random_rest(rng))


def nearest_colour(rgb: Rgb) -> str:
    """The name of the palette's colour that is nearest in RGB."""
    return min(PALETTE, key=lambda name: math.dist(PALETTE[name], rgb))


def _random_mixture(rng: np.random.Generator) -> Rgb:
    """A colour between two of the palette."""
    first, second = (np.asarray(PALETTE[name]) for name in rng.choice(COLOURS, 2, replace=False))
    red, green, blue = np.rint(first + rng.random() * (second - first)).astype(int).tolist()
    return red, green, blue


def _random_rest(rng: np.random.Generator) -> tuple[str, str, int]:
    """Count, texture and layout seed."""
    count = COUNTS[rng.integers(len(COUNTS))]
    texture = TEXTURES[rng.choice(len(TEXTURES), p=(0.6, 0.2, 0.2))]
    return count, texture, int(rng.integers(2**31))


def draw(scene: Scene) -> Image.Image:
    """The scene as an RGB picture of SIZE x SIZE."""
    rng = np.random.default_rng(scene.layout)
    coverage = _pattern(scene, rng) if scene.shape in PATTERNS else _marks(scene, rng)
    canvas = np.asarray(scene.ground) + coverage[..., None] * (np.asarray(scene.colour) - np.asarray(scene.ground))
    canvas = canvas * _TEXTURES[scene.texture](rng)[..., None]
    return Image.fromarray(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), "RGB")


def coverage_of(mask: Image.Image) -> npt.NDArray[np.float64]:
    """An oversampled mask -> how much of each pixel it covers, 0 to 1, (SIZE, SIZE)."""
    return np.asarray(mask.reduce(_OVERSAMPLING), np.float64) / 255


def _blank() -> Image.Image:
    return Image.new("L", (SIZE * _OVERSAMPLING, SIZE * _OVERSAMPLING))


# --- marks: shapes with a place and a radius, in units of the picture's side -----------------------------------------


def _marks(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    mask = _blank()
    pen = ImageDraw.Draw(mask)
    for (x, y), radius in _PLACES[scene.count](rng):
        draw_mark(pen, scene.shape, (x, y), radius)
    return coverage_of(mask)


def draw_mark(pen: ImageDraw.ImageDraw, shape: str, centre: Point, radius: float) -> None:
    """Fill one mark on an oversampled mask."""
    if shape in ("circle", "ring"):
        pen.ellipse(_box(centre, radius), fill=255)
        if shape == "ring":
            pen.ellipse(_box(centre, 0.55 * radius), fill=0)
        return
    outline = [(centre[0] + radius * x, centre[1] + radius * y) for x, y in _OUTLINES[shape]]
    pen.polygon([(_px(x), _px(y)) for x, y in outline], fill=255)


def _px(unit: float) -> float:
    return unit * SIZE * _OVERSAMPLING


def _box(centre: Point, radius: float) -> tuple[float, float, float, float]:
    x, y = centre
    return _px(x - radius), _px(y - radius), _px(x + radius), _px(y + radius)


def _star() -> list[Point]:
    angles = np.pi * np.arange(10) / 5 - np.pi / 2
    return [(float(r * np.cos(a)), float(r * np.sin(a))) for a, r in zip(angles, (1.1, 0.46) * 5, strict=True)]


def _cross(arm: float = 0.3) -> list[Point]:
    quarter = [(arm, -1.0), (arm, -arm), (1.0, -arm)]
    turns: list[Callable[[float, float], Point]] = [
        lambda x, y: (x, y),
        lambda x, y: (-y, x),
        lambda x, y: (-x, -y),
        lambda x, y: (y, -x),
    ]
    return [turn(x, y) for turn in turns for x, y in quarter]


_OUTLINES: dict[str, list[Point]] = {
    "triangle": [(0.0, -1.0), (1.05, 0.85), (-1.05, 0.85)],
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "cross": _cross(),
    "star": _star(),
}


def _one_place(rng: np.random.Generator) -> Iterator[tuple[Point, float]]:
    radius = rng.uniform(0.27, 0.36)
    reach = 0.46 - 1.1 * radius
    yield (0.5 + rng.uniform(-reach, reach), 0.5 + rng.uniform(-reach, reach)), radius


def _few_places(rng: np.random.Generator) -> Iterator[tuple[Point, float]]:
    return _cells(2, int(rng.integers(2, 5)), rng.uniform(0.15, 0.19), rng)


def _many_places(rng: np.random.Generator) -> Iterator[tuple[Point, float]]:
    return _cells(3, int(rng.integers(7, 10)), rng.uniform(0.115, 0.13), rng)


def _cells(side: int, used: int, radius: float, rng: np.random.Generator) -> Iterator[tuple[Point, float]]:
    """`used` cells of a side x side grid, one mark in each, a little off its middle; no two touch."""
    free = 0.5 / side - 1.12 * radius - 0.01
    for cell in rng.permutation(side * side)[:used]:
        row, column = divmod(int(cell), side)
        x, y = ((0.04 + 0.92 * (i + 0.5) / side) + rng.uniform(-free, free) * 0.8 for i in (column, row))
        yield (x, y), radius


_PLACES: dict[str, Callable[[np.random.Generator], Iterator[tuple[Point, float]]]] = {
    "one": _one_place,
    "few": _few_places,
    "many": _many_places,
}


# --- patterns: lines over the whole picture --------------------------------------------------------------------------

_LINES = {"one": (2, 3), "few": (3, 5), "many": (5, 6)}  # how many fit across: from, below
_DIRECTIONS: tuple[Point, ...] = ((1.0, 0.0), (0.0, 1.0), (0.7071, 0.7071), (0.7071, -0.7071))  # across the lines


def _pattern(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    lines = int(rng.integers(*_LINES[scene.count]))
    if scene.shape == "stripes":
        return _lines(_DIRECTIONS[rng.integers(len(_DIRECTIONS))], lines, 0.42, rng.random())
    across, down = (_lines(_DIRECTIONS[i], lines, 0.22, rng.uniform(0.2, 0.8)) for i in range(2))
    return np.maximum(across, down)


def _lines(direction: Point, lines: int, duty: float, phase: float) -> npt.NDArray[np.float64]:
    """Coverage by parallel lines: `lines` to the picture's side, each `duty` of the period wide."""
    y, x = (np.mgrid[0:SIZE, 0:SIZE] + 0.5) / SIZE
    position = (direction[0] * x + direction[1] * y) * lines + phase
    distance = np.abs(position - np.rint(position)) / lines * SIZE  # px, to the middle of the nearest line
    half_width = duty / 2 / lines * SIZE
    coverage: npt.NDArray[np.float64] = np.clip(half_width - distance + 0.5, 0, 1)
    return coverage


# --- textures: a factor on the brightness of each pixel --------------------------------------------------------------


def _flat(_: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.ones((SIZE, SIZE))


def _shaded(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Light falls from one side: 1.04 there, 0.76 on the other."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) - 0.5
    shade: npt.NDArray[np.float64] = 0.9 + 0.2 * (np.cos(angle) * x + np.sin(angle) * y)
    return shade


def _mottled(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Soft blotches about a third of the picture wide, 0.84 to 1.04."""
    blotches = Image.fromarray((rng.random((4, 4)) * 255).astype(np.uint8), "L").resize(
        (SIZE, SIZE), Image.Resampling.BICUBIC
    )
    return 0.84 + 0.2 * np.asarray(blotches, np.float64) / 255


_TEXTURES: dict[str, Callable[[np.random.Generator], npt.NDArray[np.float64]]] = {
    "flat": _flat,
    "shaded": _shaded,
    "mottled": _mottled,
}
