"""Pictures as the dialog shows them."""

from __future__ import annotations

from gi.repository import GdkPixbuf, GLib

from plugin_client.editor.geometry import square_seen
from plugin_client.editor.ingredients import LayerIngredient
from plugin_client.wire.messages import Picture

THUMBNAIL = 56  # px
READ = 1024  # px of the longer side of what is read for one: of much less, a large layer comes in too large strips

_BILINEAR = GdkPixbuf.InterpType.BILINEAR


def pixbuf(picture: Picture) -> GdkPixbuf.Pixbuf:
    return GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(picture.pixels),
        GdkPixbuf.Colorspace.RGB,
        picture.channels == 4,
        8,
        picture.width,
        picture.height,
        picture.width * picture.channels,
    )


def as_seen(picture: Picture, layer: LayerIngredient) -> GdkPixbuf.Pixbuf:
    """A thumbnail of the square that the model sees of a layer's picture, with the layer's fit and backdrop."""
    source = pixbuf(picture)
    square = square_seen(picture.width, picture.height, layer.fit)
    seen = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, THUMBNAIL, THUMBNAIL)
    red, green, blue = layer.backdrop
    seen.fill(red << 24 | green << 16 | blue << 8 | 255)
    across, down = THUMBNAIL / square.width, THUMBNAIL / square.height
    left, top = max(0, round(-square.x * across)), max(0, round(-square.y * down))
    width, height = THUMBNAIL - 2 * left, THUMBNAIL - 2 * top
    offset = (-square.x * across, -square.y * down)
    source.composite(seen, left, top, width, height, *offset, across, down, _BILINEAR, 255)
    return seen
