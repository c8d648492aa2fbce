"""Layers as pictures, and back: always consistent sRGB, whatever precision, mode or profile the image has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gi.repository import Gegl, Gimp

from plugin_client.gimp.placing import Area, read_scale
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import Picture

_FORMATS = {3: "R'G'B' u8", 4: "R'G'B'A u8"}
_MASK_FORMAT = "Y u8"


def canvas(image: Gimp.Image) -> Area:
    return Area(0, 0, image.get_width(), image.get_height())


def target(image: Gimp.Image) -> Area:
    """Where a result goes: the bounds of the selection, or the whole canvas."""
    _, has_selection, left, top, right, bottom = Gimp.Selection.bounds(image)
    return Area(left, top, right - left, bottom - top) if has_selection else canvas(image)


def layer_area(layer: Gimp.Layer) -> Area:
    _, x, y = layer.get_offsets()
    return Area(x, y, layer.get_width(), layer.get_height())


def layer_of(image: Gimp.Image, tattoo: int) -> Gimp.Layer:
    """The layer or group with this tattoo.

    Raises:
        UsageError: there is none.
    """
    layer = image.get_layer_by_tattoo(tattoo)
    if layer is None:
        raise UsageError(
            _("the image {image} has no layer with the tattoo {tattoo}").format(image=image.get_name(), tattoo=tattoo)
        )
    return layer


def read_layer(layer: Gimp.Layer) -> Picture:
    """What the artist sees of a layer or group alone: with its filters, mask and opacity, as far as the canvas goes.

    Raises:
        UsageError: it lies outside the canvas.
    """
    image = layer.get_image()
    own = layer_area(layer)
    area = own.intersection(canvas(image))
    if area is None:
        raise UsageError(
            _("the layer {layer!r} lies outside the image: move it into sight").format(layer=layer.get_name())
        )
    if _is_as_seen(layer):
        return _read(layer, area.moved(-own.x, -own.y))
    with _alone(layer) as copy:
        return _read(copy, area)


def read_selection(image: Gimp.Image, area: Area) -> bytes | None:
    """How much of each pixel of an area is selected, a byte each, row by row; None when nothing is selected."""
    if Gimp.Selection.is_empty(image):
        return None
    rectangle = Gegl.Rectangle.new(area.x, area.y, area.width, area.height)
    return bytes(image.get_selection().get_buffer().get(rectangle, 1.0, _MASK_FORMAT, Gegl.AbyssPolicy.NONE))


def write_mask(mask: Gimp.LayerMask, area: Area, selection: bytes) -> None:
    """Fill the mask of a layer that covers an area with what read_selection found there."""
    mask.get_buffer().set(Gegl.Rectangle.new(0, 0, area.width, area.height), _MASK_FORMAT, selection)
    mask.get_buffer().flush()
    mask.update(0, 0, area.width, area.height)


def write_layer(layer: Gimp.Layer, picture: Picture) -> None:
    """Fill a layer of the picture's size with it."""
    buffer = layer.get_buffer()
    area = Gegl.Rectangle.new(0, 0, picture.width, picture.height)
    # Not as RGB: babl takes half a second to look for the best way from there to RGBA, in each process anew.
    buffer.set(area, _FORMATS[4], _with_alpha(picture))
    buffer.flush()
    layer.update(0, 0, picture.width, picture.height)


def _with_alpha(picture: Picture) -> bytes:
    """The picture's pixels as RGBA."""
    if picture.channels == 4:
        return picture.pixels
    pixels = bytearray(b"\xff") * (picture.width * picture.height * 4)
    for channel in range(3):
        pixels[channel::4] = picture.pixels[channel::3]
    return bytes(pixels)


def _is_as_seen(layer: Gimp.Layer) -> bool:
    """Whether the layer's own buffer is all that is seen of it, which spares a copy of the whole image."""
    return not (layer.is_group() or layer.get_mask() or layer.get_filters()) and layer.get_opacity() == 100.0


@contextmanager
def _alone(layer: Gimp.Layer) -> Iterator[Gimp.Layer]:
    """A layer that holds what is seen of `layer` when nothing else is; it lives in a copy of the image.

    A layer's own buffer has neither its filters nor its mask and opacity.
    """
    image = layer.get_image().duplicate()
    try:
        Gimp.Selection.none(image)
        _show_only(image, _counterpart(layer, image))
        yield Gimp.Layer.new_from_visible(image, image, "alone")
    finally:
        image.delete()


def _counterpart(layer: Gimp.Layer, copy: Gimp.Image) -> Gimp.Layer:
    """The same layer in a copy of its image, by its position: a copy gives out new tattoos."""
    parent = layer.get_parent()
    siblings = _counterpart(parent, copy).get_children() if parent else copy.get_layers()
    return siblings[layer.get_image().get_item_position(layer)]


def _show_only(image: Gimp.Image, layer: Gimp.Layer) -> None:
    """Hide what lies beside the layer and beside the groups that hold it. Over nothing, every mode looks normal."""
    layer.set_mode(Gimp.LayerMode.NORMAL)
    while layer is not None:
        parent = layer.get_parent()
        for sibling in parent.get_children() if parent else image.get_layers():
            sibling.set_visible(sibling == layer)
        layer = parent


def _read(layer: Gimp.Layer, area: Area) -> Picture:
    scale = read_scale(area)
    width, height = max(1, int(area.width * scale)), max(1, int(area.height * scale))
    corner = (int(area.x * scale), int(area.y * scale))
    channels = 4 if layer.has_alpha() else 3
    pixels = layer.get_buffer().get(
        Gegl.Rectangle.new(*corner, width, height), scale, _FORMATS[channels], Gegl.AbyssPolicy.NONE
    )
    return Picture(width, height, channels, bytes(pixels))
