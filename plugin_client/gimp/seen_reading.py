"""Reads areas of what is to be seen of an image, over white and beyond its edges, for models to go on from."""

from __future__ import annotations

from gi.repository import Gegl, Gimp

from plugin_client.editor.geometry import Area
from plugin_client.editor.pace import Pace
from plugin_client.gimp.layer_reading import STRIP, Reading, empty_image_like
from plugin_client.gimp.pixels import FORMATS, canvas
from plugin_client.regions import fitting_size
from plugin_client.wire.messages import Picture


def seen_reading(image: Gimp.Image, area: Area, layer: Gimp.Layer | None) -> Reading[Picture]:
    """Read an area of what is to be seen of an image, or of a layer alone, over white, as the models see it.

    It is read in several goes. Where the area goes beyond the canvas, the pixels of its edge go on. An area too large
    to be sent is shrunk.

    Args:
        image: is left as it is.
        area: overlaps the canvas.
        layer: of the image; None is all that is visible.

    Returns:
        RGB of the area's size, or smaller in proportion.
    """
    seen = area.intersection(canvas(image))
    assert seen is not None, "asked of an area that overlaps the canvas"
    copy = empty_image_like(image)
    try:
        own = Gimp.Layer.new_from_drawable(layer, copy) if layer else Gimp.Layer.new_from_visible(image, copy, "seen")
        yield
        copy.insert_layer(own, None, 0)
        own.set_visible(True)
        own.set_mode(Gimp.LayerMode.NORMAL)
        copy.insert_layer(_white(copy), None, 1)
        copy.crop(seen.width, seen.height, seen.x, seen.y)
        yield
        merged = Gimp.Layer.new_from_visible(copy, copy, "over white")
        yield
        return (yield from _reading_beyond(merged, area.moved(-seen.x, -seen.y)))
    finally:
        copy.delete()


def _white(image: Gimp.Image) -> Gimp.Layer:
    """A white layer of the size of an RGB or gray image, not yet in it."""
    kind = Gimp.ImageType.GRAY_IMAGE if image.get_base_type() == Gimp.ImageBaseType.GRAY else Gimp.ImageType.RGB_IMAGE
    size = image.get_width(), image.get_height()
    layer = Gimp.Layer.new(image, "white", *size, kind, 100.0, Gimp.LayerMode.NORMAL)
    layer.fill(Gimp.FillType.WHITE)
    return layer


def _reading_beyond(layer: Gimp.Layer, area: Area) -> Reading[Picture]:
    """Read an area of a layer, around which the pixels of its edge go on."""
    width, height = fitting_size(area.width, area.height, 3)
    scale = min(width / area.width, height / area.height)
    left, upper = round(area.x * scale), round(area.y * scale)
    buffer, strips, pace = layer.get_buffer(), [], Pace(STRIP)
    for top, rows in pace.strips(width, height):
        with pace.timed():
            rectangle = Gegl.Rectangle.new(left, upper + top, width, rows)
            strips.append(bytes(buffer.get(rectangle, scale, FORMATS[3], Gegl.AbyssPolicy.CLAMP)))
        yield
    return Picture(width, height, 3, b"".join(strips))
