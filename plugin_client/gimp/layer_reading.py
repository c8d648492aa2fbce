"""Reads layers as pictures, in strips: each takes a few hundredths of a second, and a dialog goes on between them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from gi.repository import Gegl, Gimp

from plugin_client.editor.geometry import MAX_READ_SIDE, Area, read_scale
from plugin_client.editor.pace import Pace
from plugin_client.gimp.pixels import FORMATS, MASK_FORMAT, canvas, layer_area
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Picture

STRIP = 2**15  # pixels of a picture that are read at once, at first
MERGED_STRIP = 2**17  # pixels that GIMP puts together at once where a layer has filters, or is a group, at first
OPAQUE = 255

T = TypeVar("T")

# What is done in several goes: it yields between them, and returns the whole at the end.
Reading = Generator[None, None, T]


def at_once(reading: Reading[T]) -> T:
    """What a reading returns at its end, without a pause; for a script, which has no window."""
    while True:
        try:
            next(reading)
        except StopIteration as end:
            whole: T = end.value
            return whole


def reading(layer: Gimp.Layer, most: int = MAX_READ_SIDE) -> Reading[Picture]:
    """Read a layer or group as it looks alone: with its filters, mask and opacity, within the bounds of the canvas.

    It is read as it was at the first step, whatever becomes of it later.

    Args:
        layer: is left as it is.
        most: pixels of the longer side of the picture; a larger layer is shrunk.

    Raises:
        UsageError: it lies outside the canvas.
    """
    own, area = layer_area(layer), area_in_sight(layer)
    with _alone(layer) as (image, copy):
        yield
        if _is_to_be_merged(copy):
            merged = yield from _merged(image, area)
            return (yield from _in_strips(_Source(merged, 4), Area(0, 0, area.width, area.height), most))
        return (yield from _in_strips(_source(copy), area.moved(-own.x, -own.y), most))


def area_in_sight(layer: Gimp.Layer) -> Area:
    """The part of a layer's area that lies on the canvas.

    Raises:
        UsageError: it lies outside the canvas.
    """
    area = layer_area(layer).intersection(canvas(layer.get_image()))
    if area is None:
        raise UsageError(N_("the layer {layer!r} lies outside the image: move it into sight"), layer=layer.get_name())
    return area


@dataclass(frozen=True)
class _Source:
    """The pixels of a layer, and what hides a part of them."""

    buffer: Gegl.Buffer
    channels: int
    mask: Gegl.Buffer | None = None
    opacity: float = 1.0

    def read(self, rectangle: Gegl.Rectangle, scale: float) -> bytes:
        """The pixels in a rectangle of the buffer as it is when it is scaled."""
        pixels = _bytes_of(self.buffer, rectangle, scale, FORMATS[self.channels])
        if self.mask is None and self.opacity == 1.0:
            return pixels
        shown = bytes([OPAQUE]) * (rectangle.width * rectangle.height)
        if self.mask is not None:
            shown = _bytes_of(self.mask, rectangle, scale, MASK_FORMAT)
        return _veiled(pixels, shown.translate(bytes(round(self.opacity * value) for value in range(256))))


def _source(layer: Gimp.Layer) -> _Source:
    mask = layer.get_mask() if layer.get_mask() and layer.get_apply_mask() else None
    opacity = layer.get_opacity() / 100
    channels = 4 if layer.has_alpha() or mask or opacity < 1.0 else 3
    return _Source(layer.get_buffer(), channels, mask and mask.get_buffer(), opacity)


def _is_to_be_merged(layer: Gimp.Layer) -> bool:
    """Whether what is seen of a layer is more than its own pixels and its mask."""
    is_mask_shown = layer.get_mask() and layer.get_show_mask()
    return bool(layer.is_group() or layer.get_filters() or is_mask_shown)


def _in_strips(source: _Source, area: Area, most: int) -> Reading[Picture]:
    """The area of a source as a picture."""
    scale = read_scale(area, most)
    width, height = max(1, int(area.width * scale)), max(1, int(area.height * scale))
    x, y = int(area.x * scale), int(area.y * scale)
    strips = []
    pace = Pace(STRIP)
    for top, rows in pace.strips(width, height):
        with pace.timed():
            strips.append(source.read(Gegl.Rectangle.new(x, y + top, width, rows), scale))
        yield
    return Picture(width, height, source.channels, b"".join(strips))


def _merged(image: Gimp.Image, area: Area) -> Reading[Gegl.Buffer]:
    """What is seen of an area of an image, which is cut to a strip of it again and again.

    GIMP puts together what the canvas shows, so a small canvas is done soon.
    """
    whole = Gegl.Buffer.new(FORMATS[4], 0, 0, area.width, area.height)
    x, y = 0, 0  # of the corner of the canvas
    pace = Pace(MERGED_STRIP)
    for top, rows in pace.strips(area.width, area.height):
        image.resize(area.width, rows, x - area.x, y - area.y - top)
        x, y = area.x, area.y + top
        yield
        with pace.timed():
            strip = Gimp.Layer.new_from_visible(image, image, "strip")
            there = Gegl.Rectangle.new(0, top, area.width, rows)
            strip.get_buffer().copy(Gegl.Rectangle.new(0, 0, area.width, rows), Gegl.AbyssPolicy.NONE, whole, there)
            strip.delete()
        yield
    return whole


@contextmanager
def _alone(layer: Gimp.Layer) -> Iterator[tuple[Gimp.Image, Gimp.Layer]]:
    """An image of the same size in which only a copy of `layer` is to be seen, and the copy.

    It is made in a moment, however large the layer is. The artist may change or delete the layer meanwhile: GIMP kills
    a plug-in that reads a layer which is gone.
    """
    image = empty_image_like(layer.get_image())
    try:
        copy = Gimp.Layer.new_from_drawable(layer, image)
        image.insert_layer(copy, None, 0)
        copy.set_visible(True)
        copy.set_mode(Gimp.LayerMode.NORMAL)  # over nothing, every mode looks normal
        yield image, copy
    finally:
        image.delete()


def empty_image_like(image: Gimp.Image) -> Gimp.Image:
    """A new image of the same size, mode, precision and colours, without layers and undo."""
    base = image.get_base_type()
    kind = Gimp.ImageBaseType.RGB if base == Gimp.ImageBaseType.INDEXED else base
    empty = Gimp.Image.new_with_precision(image.get_width(), image.get_height(), kind, image.get_precision())
    empty.undo_disable()
    if profile := image.get_color_profile():
        empty.set_color_profile(profile)
    return empty


def _bytes_of(buffer: Gegl.Buffer, rectangle: Gegl.Rectangle, scale: float, form: str) -> bytes:
    return bytes(buffer.get(rectangle, scale, form, Gegl.AbyssPolicy.NONE))


def _veiled(pixels: bytes, shown: bytes) -> bytes:
    """RGBA pixels of which each is shown by so many of 255 parts only."""
    if shown.count(OPAQUE) == len(shown):
        return pixels
    alpha, veiled = pixels[3::4], bytearray(pixels)
    if alpha.count(OPAQUE) == len(alpha):
        veiled[3::4] = shown
    else:
        veiled[3::4] = bytes((a * s + OPAQUE // 2) // OPAQUE for a, s in zip(alpha, shown, strict=True))
    return bytes(veiled)
