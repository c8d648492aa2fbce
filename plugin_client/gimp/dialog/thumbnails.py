"""Pictures in the dialog."""

from __future__ import annotations

from gi.repository import GdkPixbuf, GLib

from plugin_client.gimp.placing import square_seen
from plugin_client.wire.messages import Picture, PictureItem

THUMBNAIL = 56  # px

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


def as_seen(item: PictureItem) -> GdkPixbuf.Pixbuf:
    """A thumbnail of what the model sees of a picture: the square of its fit, on its backdrop."""
    source = pixbuf(item.picture)
    square = square_seen(source.get_width(), source.get_height(), item.fit)
    seen = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, False, 8, THUMBNAIL, THUMBNAIL)
    red, green, blue = item.backdrop
    seen.fill(red << 24 | green << 16 | blue << 8 | 255)
    across, down = THUMBNAIL / square.width, THUMBNAIL / square.height
    left, top = max(0, round(-square.x * across)), max(0, round(-square.y * down))
    width, height = THUMBNAIL - 2 * left, THUMBNAIL - 2 * top
    offset = (-square.x * across, -square.y * down)
    source.composite(seen, left, top, width, height, *offset, across, down, _BILINEAR, 255)
    return seen
