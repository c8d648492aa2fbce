"""Layers and their places, and the forms in which pixels are read and written: sRGB, whatever the image has."""

from __future__ import annotations

from gi.repository import Gegl, Gimp

from plugin_client.editor.geometry import Area
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_

RECIPE_PARASITE = "kandinsky-blend-recipe"  # of a layer that was made here
DRAWN_INTO_PARASITE = "kandinsky-blend-drawn-into"  # of one that was drawn into a picture

FORMATS = {3: "R'G'B' u8", 4: "R'G'B'A u8"}
MASK_FORMAT = "Y u8"


def canvas(image: Gimp.Image) -> Area:
    return Area(0, 0, image.get_width(), image.get_height())


def target(image: Gimp.Image) -> Area:
    """The area that a result is put over: the bounds of the selection, or the whole canvas."""
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
            N_("the image {image} has no layer with the tattoo {tattoo}"), image=image.get_name(), tattoo=tattoo
        )
    return layer


def layer_behind(drawable: Gimp.Drawable) -> Gimp.Layer | None:
    """The layer that a drawable is, or whose mask it is: GIMP hands over what is edited. None for a channel."""
    if drawable.is_layer_mask():
        return Gimp.Layer.from_mask(drawable)
    return drawable if drawable.is_layer() else None


def read_selection(image: Gimp.Image, area: Area) -> bytes | None:
    """Read the selection over an area: a byte for each pixel, row by row; None when nothing is selected."""
    if Gimp.Selection.is_empty(image):
        return None
    rectangle = Gegl.Rectangle.new(area.x, area.y, area.width, area.height)
    return bytes(image.get_selection().get_buffer().get(rectangle, 1.0, MASK_FORMAT, Gegl.AbyssPolicy.NONE))
