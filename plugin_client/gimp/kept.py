"""What was drawn into, kept in the layers that came of it: they are made again whatever becomes of the image."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from typing import Any

from gi.repository import GdkPixbuf, Gimp, GLib

from plugin_client.gimp.pixels import DRAWN_INTO_PARASITE
from plugin_client.packing import pack, unpack
from plugin_client.regions import NO_GROWTH, Growth, any_growth
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.messages import Picture

MOST_BYTES = 16 * 2**20  # of the pixels of a source that is kept, about 2300 x 2300 of them
_DAMAGE = (ValueError, LookupError, TypeError, GLib.Error, KandinskyError)
_COMPRESSION = "3"  # of a PNG: a tenth of a second for a million pixels


@dataclass(frozen=True)
class DrawnInto:
    """What a layer was drawn into.

    Attributes:
        source: the pixels that were sent.
        size: width and height of the layer.
        selection: over the layer, a byte for each pixel; None: all of it was refined.
    """

    source: Picture
    size: tuple[int, int]
    selection: bytes | None = field(default=None, repr=False)


def text_of(drawn: DrawnInto, growing: Growth = NO_GROWTH) -> str:
    """Return the text that layers keep of what they are drawn into; of a source of too many pixels the growth alone."""
    plain: dict[str, Any] = {"growing": asdict(growing)}
    if len(drawn.source.pixels) <= MOST_BYTES:
        plain |= {"size": drawn.size, "source": b64encode(_png(drawn.source)).decode("ascii")}
        if drawn.selection is not None:
            plain["selection"] = pack(drawn.selection)
    return json.dumps(plain)


def drawn_into(layer: Gimp.Layer) -> DrawnInto | None:
    """Return what a layer was drawn into; None where it does not hold that, or something damaged."""
    plain = _plain(layer)
    try:
        width, height = map(int, plain["size"])
        selection = unpack(plain["selection"], width * height) if "selection" in plain else None
        return DrawnInto(_picture(b64decode(plain["source"])), (width, height), selection)
    except _DAMAGE:
        return None


def growth_by(layer: Gimp.Layer) -> Growth:
    """By how much the image has grown for a layer."""
    try:
        return any_growth(**_plain(layer)["growing"])
    except _DAMAGE:
        return NO_GROWTH


def _plain(layer: Gimp.Layer) -> dict[str, Any]:
    parasite = layer.get_parasite(DRAWN_INTO_PARASITE)
    try:
        plain = json.loads(bytes(parasite.get_data())) if parasite else {}
    except (ValueError, RecursionError):
        return {}
    return plain if type(plain) is dict else {}


def _png(picture: Picture) -> bytes:
    """A PNG file of RGB or RGBA. GIMP's Python has no Pillow."""
    stride = picture.width * picture.channels
    pixels = GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(picture.pixels),
        GdkPixbuf.Colorspace.RGB,
        picture.channels == 4,
        8,
        picture.width,
        picture.height,
        stride,
    )
    _saved, data = pixels.save_to_bufferv("png", ["compression"], [_COMPRESSION])
    return bytes(data)


def _picture(png: bytes) -> Picture:
    """The picture of a PNG file. Raises GLib.Error: it is none."""
    loader = GdkPixbuf.PixbufLoader.new_with_type("png")
    try:
        loader.write(png)
    finally:
        loader.close()
    found = loader.get_pixbuf()
    width, height, channels = found.get_width(), found.get_height(), found.get_n_channels()
    padded, stride, row = found.get_pixels(), found.get_rowstride(), width * channels
    pixels = padded if stride == row else b"".join(padded[y * stride : y * stride + row] for y in range(height))
    return Picture(width, height, channels, pixels)
