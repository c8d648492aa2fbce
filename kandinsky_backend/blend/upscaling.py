"""The pixels of an upscaling: the source enlarged by Lanczos, cut into tiles that overlap, and put together again.

A model draws best at one size, and a larger picture takes more memory than there is; so each tile has that size. What
is drawn of two tiles goes over from one to the other where they overlap, and their random numbers are those of the
whole canvas, so that both draw the same there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from kandinsky_backend.blend.redrawing import BACKDROP, check_source, with_alpha_of
from kandinsky_backend.blend.request import UpscaleRequest
from kandinsky_backend.blend.roles import ImageDecoder
from kandinsky_backend.errors import BlendError
from kandinsky_backend.images import composite, open_picture
from kandinsky_backend.sampling import Array

OVERLAP = 0.25  # of a tile's side: the least over which two go over into each other, but for a cell of rounding
_CANVAS_BYTES = 32  # a pixel of the result while it is made: a mosaic, the enlarged source, and copies of both in bytes


@dataclass(frozen=True)
class Tile:
    """A tile of the canvas: its place in the grid, and that of its corner in px, which are multiples of a cell."""

    row: int
    column: int
    top: int
    left: int


@dataclass(frozen=True)
class Upscaling:
    """A picture that is enlarged, and how it is cut into tiles.

    Attributes:
        enlarged: by Lanczos to the size of the result; upright 8-bit RGB, or RGBA where it has transparency.
        shown: what the models see of it, RGB.
        width, height: of a tile in px, multiples of the square of `cell`.
        cell: px of a side of a latent pixel.
    """

    enlarged: Image.Image
    shown: Image.Image
    width: int
    height: int
    cell: int

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height in px of what the tiles cover: the result, and what fills up the last cell or the tile."""
        width, height = (_multiple(side, self.cell) for side in self.enlarged.size)
        return max(width, self.width), max(height, self.height)

    @cached_property
    def tiles(self) -> list[Tile]:
        """The tiles, row by row."""
        return [
            Tile(row, column, top, left)
            for row, top in enumerate(self._tops)
            for column, left in enumerate(self._lefts)
        ]

    def pixels(self, tile: Tile) -> Array:
        """Pixels (1, 3, H, W) in -1..1 of a tile; beyond the picture its edges go on."""
        rows = np.arange(tile.top, tile.top + self.height).clip(max=self.shown.height - 1)
        columns = np.arange(tile.left, tile.left + self.width).clip(max=self.shown.width - 1)
        pixels = self._colours[rows[:, None], columns].astype(np.float32) / np.float32(127.5) - 1
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])

    def add(self, mosaic: Array, tile: Tile, drawn: Array) -> None:
        """Add what was drawn of a tile (h, w, 3) to a sum of all of them (H, W, 3), in which their weights make 1."""
        rows, columns = slice(tile.top, tile.top + self.height), slice(tile.left, tile.left + self.width)
        mosaic[rows, columns] += (
            self._down[tile.row, rows, None, None] * self._across[tile.column, columns, None] * drawn
        )

    def random_numbers(self, tile: Tile, numbers: np.random.Generator) -> np.random.Generator:
        """The random numbers of a tile's latents: its part of what `numbers`, which are new, draw for the canvas."""
        return TileNumbers(numbers, self.canvas_cells, self.cells(tile))

    @property
    def canvas_cells(self) -> tuple[int, int]:
        """Rows and columns of the canvas's latent pixels."""
        width, height = self.canvas_size
        return height // self.cell, width // self.cell

    def cells(self, tile: Tile) -> tuple[slice, slice]:
        """Rows and columns of the canvas's latent pixels that a tile covers."""
        corner, size = (tile.top, tile.left), (self.height, self.width)
        down, across = (slice(n // self.cell, (n + side) // self.cell) for n, side in zip(corner, size, strict=True))
        return down, across

    def of_result(self, latents: Array) -> Array:
        """Those of the canvas's latents (..., H, W) that show some of the result, not only what fills up a tile."""
        width, height = (-(-side // self.cell) for side in self.enlarged.size)
        return latents[..., :height, :width]

    def result(self, mosaic: Array) -> Image.Image:
        """The picture of a sum of weighted tiles (H, W, 3) in 0..1, which is used up: it may be large."""
        width, height = self.enlarged.size
        mosaic *= np.float32(255)
        mosaic.round(out=mosaic).clip(0, 255, out=mosaic)
        return with_alpha_of(self.enlarged, Image.fromarray(mosaic[:height, :width].astype(np.uint8)))

    def bytes_needed(self, count: int) -> int:
        """Bytes that the canvas takes while `count` pictures are made: an estimate."""
        width, height = self.canvas_size
        return width * height * (_CANVAS_BYTES + 8 * (count - 1))

    @cached_property
    def _colours(self) -> npt.NDArray[np.uint8]:
        return np.asarray(self.shown)

    @cached_property
    def _tops(self) -> list[int]:
        return _starts(self.canvas_size[1], self.height, self.cell)

    @cached_property
    def _lefts(self) -> list[int]:
        return _starts(self.canvas_size[0], self.width, self.cell)

    @cached_property
    def _down(self) -> Array:
        return _weights(self._tops, self.height, self.canvas_size[1])

    @cached_property
    def _across(self) -> Array:
        return _weights(self._lefts, self.width, self.canvas_size[0])


class TileNumbers(np.random.Generator):
    """Random numbers for a tile's latents: drawn for the whole canvas each time, and cut out.

    Args:
        numbers: that the canvas draws.
        shape: rows and columns of the canvas, in latent pixels.
        cells: the tile's.
    """

    def __init__(self, numbers: np.random.Generator, shape: tuple[int, int], cells: tuple[slice, slice]) -> None:
        super().__init__(numbers.bit_generator)
        self._shape = shape
        self._cells = cells

    # Latents are drawn by their shape alone, so none of numpy's other ways to call it is kept.
    def standard_normal(self, size: tuple[int, ...]) -> npt.NDArray[np.float64]:  # type: ignore[override]
        """Numbers (..., h, w) for latents of the tile."""
        whole = super().standard_normal((*size[:-2], *self._shape))
        return whole[(..., *self._cells)]


def upscaling_of(request: UpscaleRequest, decoder: ImageDecoder, side: int) -> Upscaling:
    """What a request upscales.

    Args:
        side: px of the squares that the model draws best.

    Raises:
        BlendError: the picture cannot be used, or not at that size.
        PictureError: the picture is of no kind that is read.
    """
    cell = decoder.movq_scale_factor
    source = open_picture(request.source)
    check_source(source, cell)
    _check_size(request.size, source.size)
    enlarged = source.resize(request.size, Image.Resampling.LANCZOS)
    settings = request.settings
    asked = (settings.width, settings.height) if settings.width and settings.height else (side, side)
    width, height = (_multiple(min(pair), cell**2) for pair in zip(asked, request.size, strict=True))
    return Upscaling(enlarged, composite(enlarged, BACKDROP), width, height, cell)


def _check_size(size: tuple[int, int], source: tuple[int, int]) -> None:
    if size[0] < source[0] or size[1] < source[1]:
        raise BlendError(
            "{width} x {height} px are fewer than the {source_width} x {source_height} of the picture: to be upscaled "
            "it must become as large at least",
            "small-result",
            width=size[0],
            height=size[1],
            source_width=source[0],
            source_height=source[1],
        )


def _multiple(side: int, of: int) -> int:
    """The next multiple that is not smaller."""
    return -(-side // of) * of


def _starts(side: int, tile: int, cell: int) -> list[int]:
    """Where the tiles of an axis of `side` px begin, spread evenly; all are multiples of a cell."""
    if side <= tile:
        return [0]
    overlap = OVERLAP * tile
    count = math.ceil((side - overlap) / (tile - overlap))
    step = (side - tile) / (count - 1)
    return [cell * round(n * step / cell) for n in range(count)]


def _weights(starts: list[int], tile: int, side: int) -> Array:
    """How much each tile counts (N, side) along an axis: less towards its ends, and together 1."""
    places = np.arange(side, dtype=np.float32) + np.float32(0.5)
    tents = np.stack([np.minimum(places - start, start + tile - places).clip(min=0) for start in starts])
    weights: Array = tents / tents.sum(axis=0)
    return weights
