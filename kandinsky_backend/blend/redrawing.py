"""The pixels of a refinement or a repainting: the source at the size at which the model draws, and the way back.

The model draws on a canvas whose sides are multiples of what it takes. The source is scaled to fit into it, never
distorted, and put into its middle; its edges go on beyond it. What was drawn is cut out, scaled back, and pasted into
the source where the mask says so, so that nothing else of it changes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from PIL import Image

from kandinsky_backend.blend.request import BlendRequest, Picture, RefineRequest, RepaintRequest, Text
from kandinsky_backend.blend.roles import ImageDecoder
from kandinsky_backend.errors import BlendError
from kandinsky_backend.images import MAX_ASPECT, composite, crop_centre, open_picture
from kandinsky_backend.repainting import covered_cells, feathered, filled, grown, padded, settled
from kandinsky_backend.sampling import Array

BACKDROP = "white"  # shows through transparent parts, where a model sees colours only
FEATHER = 4  # px of the canvas over which what is new rises inside the mask: half a latent pixel
DRIFT = 32.0  # of 255: a larger difference of what was drawn again outside the mask is no drift of colours
_AREA_COUNTS = 0.5  # how much a canvas of another area is worse than one of another shape, by logarithms


@dataclass(frozen=True)
class Redrawing:
    """A picture that is redrawn, and where.

    Attributes:
        source: upright 8-bit RGB, or RGBA where it has transparency.
        shown: what the models see of it, RGB. At full strength, what is under the mask is none of it: the encoder's
            attention and norms would carry it into what is kept.
        mask: mode L, of the source's size; None: all of it is redrawn.
        width, height: of the canvas that was asked for, in px.
        cell: px of a side of a latent pixel; the canvas is padded to multiples of its square.
    """

    source: Image.Image
    shown: Image.Image
    mask: Image.Image | None
    width: int
    height: int
    cell: int

    @property
    def scaled_size(self) -> tuple[int, int]:
        """Width and height in px of the source in the canvas."""
        scale = min(self.width / self.source.width, self.height / self.source.height)
        width, height = (max(round(side * scale), 1) for side in self.source.size)
        return min(width, self.width), min(height, self.height)

    @property
    def canvas(self) -> Array:
        """Pixels (1, 3, H, W) in -1..1 of the whole canvas."""
        scaled = self.shown.resize(self.scaled_size, Image.Resampling.BICUBIC)
        pixels = (np.asarray(scaled, np.float32) / np.float32(127.5) - 1).transpose(2, 0, 1)[None]
        width, height = self.scaled_size
        framed = padded(pixels, 1, (max(self.height, height), max(self.width, width)))
        return padded(framed, self.cell**2)

    def of_source(self, latents: Array) -> Array:
        """Those of the canvas's latents (..., H, W) that show some of the source, not only what goes on beyond it."""
        return latents[..., self._span(latents.shape[-2], 1), self._span(latents.shape[-1], 0)]

    def _span(self, cells: int, axis: int) -> slice:
        """The latent pixels of an axis of the canvas, of which there are `cells`, that cover the source."""
        side = self.scaled_size[axis]
        first = (cells * self.cell - side) // 2
        return slice(first // self.cell, -(-(first + side) // self.cell))

    def keep(self, shape: tuple[int, ...]) -> Array:
        """1 for the latent pixels (1, 1, h, w) that are known, 0 for those under the mask and around them."""
        rows, columns = shape[-2:]
        if self.mask is None:
            return np.zeros((1, 1, rows, columns), np.float32)
        width, height = self.scaled_size
        cells = covered_cells(np.asarray(self.mask) > 0, height, width, self.cell, (rows, columns))
        return 1 - grown(cells)[None, None].astype(np.float32)

    def result(self, drawn: Image.Image) -> Image.Image:
        """The source with what the model drew on the canvas."""
        new = crop_centre(drawn, *self.scaled_size).resize(self.source.size, Image.Resampling.BICUBIC)
        if self.mask is None:
            return with_alpha_of(self.source, new)
        old, fresh = (np.asarray(image.convert("RGB"), np.float32) for image in (self.source, new))
        fresh = settled(fresh, old, np.asarray(self.mask) == 0, DRIFT).clip(0, 255)
        if self.source.mode == "RGBA":
            opacity = np.asarray(self.source, np.float32)[..., 3:]
            old, fresh = (
                np.concatenate([old, opacity], axis=2),
                np.pad(fresh, ((0, 0), (0, 0), (0, 1)), constant_values=255),
            )
        mixed = old + self._share[..., None] * (fresh - old)
        return Image.fromarray(mixed.round().astype(np.uint8), self.source.mode)

    @cached_property
    def _share(self) -> Array:
        """How much of each source pixel (H, W) is new, 0 to 1."""
        assert self.mask is not None, "the whole picture is redrawn"
        width = max(round(FEATHER * self.source.width / self.scaled_size[0]), 1)
        return feathered(np.asarray(self.mask, np.float32) / 255, width)


def redrawing_of(request: RefineRequest | RepaintRequest, decoder: ImageDecoder, side: int) -> Redrawing:
    """What a request that starts from a picture redraws.

    Args:
        side: px of the squares that the model draws best.

    Raises:
        BlendError: the picture or the mask cannot be used.
        PictureError: the picture is of no kind that is read.
    """
    cell = decoder.movq_scale_factor
    source = open_picture(request.source)
    check_source(source, cell)
    shown, mask = composite(source, BACKDROP), None
    if isinstance(request, RepaintRequest):
        _check_mask(request, source)
        mask = request.mask
        shown = surroundings(shown, mask) if request.strength == 1 else shown
    width, height = request.settings.width, request.settings.height
    if not (width and height):
        width, height = canvas_size(source.width, source.height, side, cell**2)
    return Redrawing(source, shown, mask, width, height, cell)


def canvas_size(width: int, height: int, side: int, multiple: int) -> tuple[int, int]:
    """Width and height of the canvas that suits a picture: multiples of `multiple`, nearly its shape, nearly side²."""
    most = max(2 * side // multiple, 1)
    sides = [n * multiple for n in range(1, most + 1)]

    def unlike(size: tuple[int, int]) -> float:
        shape = math.log(size[0] * height / (size[1] * width))
        return abs(shape) + _AREA_COUNTS * abs(math.log(size[0] * size[1] / side**2))

    return min(product(sides, sides), key=unlike)


def with_items(request: BlendRequest, shown: Image.Image, mask: Image.Image | None, side: int) -> BlendRequest:
    """A request that has items: where none says anything, the picture itself, its mask filled from around it.

    A picture that shows the surroundings alone leads the model to go on with them. It is stretched to the square of
    `side` px that the image encoder sees, so that all of it counts.
    """
    if _says_something(request):
        return request
    seen, label = (shown, "the picture itself") if mask is None else (surroundings(shown, mask), "the surroundings")
    square = seen.resize((side, side), Image.Resampling.BICUBIC)
    return replace(request, items=(Picture(square, 1.0, "stretch", label=label),))


def _says_something(request: BlendRequest) -> bool:
    """True if an item is a picture, an embedding or more than blanks."""
    return any(not isinstance(item, Text) or item.text.strip() for item in request.items)


def surroundings(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """An RGB picture in which what is under the mask, and a pixel around it, is filled from around it."""
    known = ~grown(np.asarray(mask) > 0)
    return Image.fromarray(filled(np.asarray(picture, np.float32), known).round().astype(np.uint8))


def with_alpha_of(source: Image.Image, new: Image.Image) -> Image.Image:
    """`new` with the transparency of the source, where that has any."""
    if source.mode == "RGBA":
        new.putalpha(source.getchannel("A"))
    return new


def check_source(source: Image.Image, cell: int) -> None:
    """Refuse a picture too small or too narrow. Raises: BlendError."""
    width, height = source.size
    if min(width, height) < cell:
        raise BlendError(
            "the picture is {width} x {height} px: to be redrawn it must be at least {least} px on each side",
            "small-source",
            width=width,
            height=height,
            least=cell,
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise BlendError(
            "the picture of {width} x {height} px is too narrow to be redrawn: take a part of it",
            "narrow-source",
            width=width,
            height=height,
        )


def _check_mask(request: RepaintRequest, source: Image.Image) -> None:
    mask = request.mask
    if mask.mode != "L":
        raise BlendError("the mask has the mode {mode}: give 8-bit gray (L)", "mask-mode", mode=mask.mode)
    if mask.size != source.size:
        raise BlendError(
            "the mask is {width} x {height} px and the picture {source_width} x {source_height} px: give one as large",
            "mask-size",
            width=mask.width,
            height=mask.height,
            source_width=source.width,
            source_height=source.height,
        )
    if not mask.getbbox():
        raise BlendError("the mask is empty: nothing would be repainted", "empty-mask")
    if not mask.histogram()[0] and not _says_something(request):
        raise BlendError(
            "the mask covers the whole picture: keep some of it, which is what is drawn on, or say what to draw",
            "full-mask",
        )
