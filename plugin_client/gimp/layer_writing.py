"""Fills layers with pictures, in strips: a dialog, and GIMP, go on between them.

GIMP scales a layer in one go, and stands still for seconds where that is large; GEGL gives the same pixels in strips.
"""

from __future__ import annotations

from gi.repository import Gegl, Gimp

from plugin_client.editor.pace import Pace
from plugin_client.gimp.layer_reading import Reading
from plugin_client.gimp.pixels import FORMATS, MASK_FORMAT
from plugin_client.wire.messages import Picture

STRIP = 2**15  # pixels that are written at once, at first
_SAMPLERS = {
    Gimp.InterpolationType.NONE: Gegl.SamplerType.NEAREST,
    Gimp.InterpolationType.LINEAR: Gegl.SamplerType.LINEAR,
    Gimp.InterpolationType.CUBIC: Gegl.SamplerType.CUBIC,
    Gimp.InterpolationType.NOHALO: Gegl.SamplerType.NOHALO,
    Gimp.InterpolationType.LOHALO: Gegl.SamplerType.LOHALO,
}


def filling(layer: Gimp.Layer, picture: Picture) -> Reading[None]:
    """Fill a layer with a picture that is scaled to its size, as GIMP scales layers."""
    width, height = layer.get_width(), layer.get_height()
    if (width, height) == (picture.width, picture.height):
        yield from _writing(layer.get_buffer(), picture)
        return
    source = Gegl.Buffer.new(FORMATS[4], 0, 0, picture.width, picture.height)
    yield from _writing(source, picture)
    graph = Gegl.Node()  # its nodes are gone when it is
    scaled = _scaled(graph, source, width / picture.width, height / picture.height)
    buffer, pace = layer.get_buffer(), Pace(STRIP)
    yield
    # A pixel ahead: GEGL and babl take a tenth of a second to get ready, in each process anew.
    scaled.blit_buffer(buffer, Gegl.Rectangle.new(0, 0, 1, 1), 0, Gegl.AbyssPolicy.NONE)
    yield
    for top, rows in pace.strips(width, height):
        with pace.timed():
            scaled.blit_buffer(buffer, Gegl.Rectangle.new(0, top, width, rows), 0, Gegl.AbyssPolicy.NONE)
            buffer.flush()
        yield


def masking(layer: Gimp.Layer, selection: bytes) -> Reading[None]:
    """Give a layer a mask: a byte for each of its pixels, as of pixels.read_selection."""
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    yield
    buffer, width = mask.get_buffer(), layer.get_width()
    pace = Pace(STRIP)
    for top, rows in pace.strips(width, layer.get_height()):
        with pace.timed():
            strip = selection[top * width : (top + rows) * width]
            buffer.set(Gegl.Rectangle.new(0, top, width, rows), MASK_FORMAT, strip)
            buffer.flush()
        yield


def _writing(buffer: Gegl.Buffer, picture: Picture) -> Reading[None]:
    """Fill a buffer of the picture's size with it."""
    pace, line = Pace(STRIP), picture.width * picture.channels
    for top, rows in pace.strips(picture.width, picture.height):
        with pace.timed():
            # Not as RGB: babl takes half a second to look for the best way from there to RGBA, in each process anew.
            strip = _with_alpha(picture.pixels[top * line : (top + rows) * line], picture.channels)
            buffer.set(Gegl.Rectangle.new(0, top, picture.width, rows), FORMATS[4], strip)
            buffer.flush()
        yield


def _scaled(graph: Gegl.Node, source: Gegl.Buffer, across: float, down: float) -> Gegl.Node:
    """A node whose output is the buffer scaled, with the interpolation that is set in GIMP, as GIMP itself does it."""
    pixels = graph.create_child("gegl:buffer-source")
    pixels.set_property("buffer", source)
    scaled = graph.create_child("gegl:scale-ratio")
    scaled.set_property("x", across)
    scaled.set_property("y", down)
    scaled.set_property("sampler", _SAMPLERS[Gimp.context_get_interpolation()])
    scaled.set_property("abyss-policy", Gegl.AbyssPolicy.CLAMP)
    pixels.link(scaled)
    return scaled


def _with_alpha(pixels: bytes, channels: int) -> bytes:
    """Pixels of 3 or 4 channels as RGBA."""
    if channels == 4:
        return pixels
    filled = bytearray(b"\xff") * (len(pixels) // 3 * 4)
    for channel in range(3):
        filled[channel::4] = pixels[channel::3]
    return bytes(filled)
