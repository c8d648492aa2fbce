"""The parts of an image that are drawn into: what is read of them and sent, and the place for what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gi.repository import Gimp

from plugin_client.editor.geometry import Area
from plugin_client.editor.masks import hard, shrunk
from plugin_client.gimp.arguments import Conversion, target_with
from plugin_client.gimp.kept import DrawnInto, text_of
from plugin_client.gimp.layer_reading import Reading, area_in_sight, reading
from plugin_client.gimp.pixels import canvas, layer_area, read_selection
from plugin_client.gimp.place import Place, Target, layers_in
from plugin_client.gimp.seen_reading import seen_reading
from plugin_client.regions import Box, Growth, fitting_size, with_margin
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Picture, Redraw, Refine, Repaint, Upscale
from plugin_client.wire.settings import Value

CELL = 8  # px, of the squares that the models draw with


@dataclass(frozen=True)
class Part:
    """What is drawn into.

    Attributes:
        kind: of the request that draws into it.
        given: those of the request's fields that are known of it: the pixels that are sent, and where they have one
            their mask, which is 255 where they are drawn anew and 0 elsewhere; or the size that they get.
        place: for what comes of it.
    """

    kind: type[Redraw]
    given: Mapping[str, Any]
    place: Target


def selected_part(image: Gimp.Image, layer: Gimp.Layer | None, conversion: Conversion) -> Reading[Part]:
    """Return the selection and its surroundings, of all that is visible or of a layer alone.

    What is sent is drawn anew wherever anything is selected: the mask of the new layer, which is the selection itself,
    mixes old and new where it is feathered.

    Raises:
        UsageError: nothing is selected, or too little or too much; the image is gray or indexed, as of place_in.
    """
    size = image.get_width(), image.get_height()
    _, has_selection, *bounds = Gimp.Selection.bounds(image)
    if not has_selection:
        raise UsageError(
            N_('nothing is selected: select what is to be drawn anew, or set region to "layer" for the whole layer')
        )
    region: Box = bounds[0], bounds[1], bounds[2], bounds[3]
    _check_selected(region)
    area = area_of_box(with_margin(region, size))
    _check_overlap(layer, area)
    selection = read_selection(image, area)
    assert selection is not None, "something is selected"
    if 0 not in selection:
        raise UsageError(
            N_("all of the image is selected, so nothing is left to join: select a part of it, or refine the layer")
        )
    above = layer.get_tattoo() if layer else 0
    place = Place(image, area, selection, is_on_top=layer is None, above=above)
    return (yield from _part(seen_reading(image, area, layer), place, conversion))


def layer_part(layer: Gimp.Layer, conversion: Conversion) -> Reading[Part]:
    """Return a whole layer, as it looks alone, to be refined.

    Raises:
        UsageError: it lies outside the canvas, or is too small; the image is gray or indexed, as of place_in.
    """
    return (yield from _layer_part(layer, area_in_sight(layer), conversion))


def upscaled_part(layer: Gimp.Layer, values: Mapping[str, Value], conversion: Conversion) -> Reading[Part]:
    """Return a whole layer, as it looks alone, to be upscaled, around its middle and within the image where it fits.

    Raises:
        UsageError: as of layer_part and upscaled_area.
    """
    area = upscaled_area(layer, values)
    part = yield from _layer_part(layer, area, conversion)
    return replace(part, kind=Upscale, given={**part.given, "target_width": area.width, "target_height": area.height})


def upscaled_area(layer: Gimp.Layer, values: Mapping[str, Value]) -> Area:
    """The area that a layer covers when it is upscaled.

    Raises:
        UsageError: as of area_in_sight and target_with.
    """
    own, whole = area_in_sight(layer), canvas(layer.get_image())
    return own.enlarged(*target_with(values, (own.width, own.height), (whole.width, whole.height)), whole)


def _layer_part(layer: Gimp.Layer, area: Area, conversion: Conversion) -> Reading[Part]:
    """A whole layer, and a place for what comes of it. Errors as of layer_part."""
    _check_layer(layer, area_in_sight(layer))
    place = Place(layer.get_image(), area, above=layer.get_tattoo())
    most = max(fitting_size(layer.get_width(), layer.get_height(), 4))
    return (yield from _part(reading(layer, most), place, conversion))


def visible_part(layer: Gimp.Layer, conversion: Conversion) -> Reading[Part]:
    """Return all that is visible where a layer lies, to be refined. Errors as of layer_part."""
    area = area_in_sight(layer)
    _check_layer(layer, area)
    image = layer.get_image()
    place = Place(image, area, is_on_top=True)
    return (yield from _part(seen_reading(image, area, None), place, conversion))


def grown_part(image: Gimp.Image, growing: Growth, conversion: Conversion) -> Reading[Part]:
    """Return what an image grows by and its surroundings; the image grows when the result is inserted.

    The place is where that lies now, before the image has grown, so its x and y may be negative.

    Raises:
        UsageError: the image is gray or indexed, as of place_in.
    """
    size = image.get_width(), image.get_height()
    box = with_margin(growing.region(size), growing.grown_size(size))
    area = area_of_box(box).moved(-growing.left, -growing.top)
    fading = growing.mask(size, box)
    place = Place(image, area, fading, growing, is_on_top=True)
    return (yield from _part(seen_reading(image, area, None), place, conversion))


def area_of_box(box: Box) -> Area:
    return Area(box[0], box[1], box[2] - box[0], box[3] - box[1])


def sent_mask(selection: bytes, area: Area) -> Picture:
    """Return the mask that is sent for a selection over an area: white wherever anything is selected."""
    width, height = fitting_size(area.width, area.height, 3)
    return Picture(width, height, 1, shrunk(hard(selection), (area.width, area.height), (width, height)))


def _part(source_reading: Reading[Picture], place: Place, conversion: Conversion) -> Reading[Part]:
    """The part of which the source is sent, its mask from the selection in its place. Errors as of layers_in."""
    layers_in(place.image, conversion, place)  # refuses before anything is read
    source = yield from source_reading
    given = {"source": source}
    if place.selection is not None:
        given["mask"] = sent_mask(place.selection, place.area)
    yield
    drawn = DrawnInto(source, (place.area.width, place.area.height), place.selection)
    kept = replace(place, drawn_into=text_of(drawn, place.growing))
    return Part(Repaint if "mask" in given else Refine, given, layers_in(place.image, conversion, kept))


def _check_selected(region: Box) -> None:
    width, height = region[2] - region[0], region[3] - region[1]
    if max(width, height) < CELL:
        raise UsageError(
            N_("the selection is of {width} x {height} pixels: select at least {least} in one direction"),
            width=width,
            height=height,
            least=CELL,
        )


def _check_layer(layer: Gimp.Layer, area: Area) -> None:
    if min(area.width, area.height) < CELL:
        raise UsageError(
            N_("of the layer {layer!r} {width} x {height} pixels are in sight: must be at least {least} x {least}"),
            layer=layer.get_name(),
            width=area.width,
            height=area.height,
            least=CELL,
        )


def _check_overlap(layer: Gimp.Layer | None, area: Area) -> None:
    if layer is not None and layer_area(layer).intersection(area) is None:
        raise UsageError(N_("the selection lies beside the layer {layer!r}"), layer=layer.get_name())
