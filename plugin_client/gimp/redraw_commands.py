"""The procedures that draw into an image, run without a dialog: for a script, or with the values used last."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gi.repository import Gimp

from plugin_client.editor import ingredients
from plugin_client.editor.requests import RedrawRequest
from plugin_client.gimp.arguments import (
    INGREDIENTS,
    REGION,
    conversion_of,
    growth_of,
    redraw_with,
    region_of,
    seen_of,
)
from plugin_client.gimp.commands import Call, image_of, make, one_layer
from plugin_client.gimp.items import item_reading
from plugin_client.gimp.layer_reading import Reading, at_once
from plugin_client.gimp.redraws import Part, grown_part, layer_part, selected_part, upscaled_part, visible_part
from plugin_client.wire.messages import Item
from plugin_client.wire.settings import Value

FindPart = Callable[[Call], Reading[Part]]


def repaint(call: Call) -> Gimp.Layer:
    given = ingredients.parse(str(call.values[INGREDIENTS.name]))
    ingredients.without_empty(given)
    return _redraw(call, repaint_part)


def remove(call: Call) -> Gimp.Layer:
    return _redraw(call, repaint_part)


def refine(call: Call) -> Gimp.Layer:
    return _redraw(call, refine_part)


def upscale(call: Call) -> Gimp.Layer:
    return _redraw(call, upscale_part)


def extend(call: Call) -> Gimp.Layer:
    return _redraw(call, extend_part)


def repaint_part(call: Call) -> Reading[Part]:
    """What Repaint Selection and Remove Selection draw into.

    Raises:
        UsageError: as of selected_part and layer_part.
    """
    conversion, is_alone = conversion_of(call.values), seen_of(call.values) == "layer"
    if REGION.name in call.values and region_of(call.values) == "layer":
        return (layer_part if is_alone else visible_part)(one_layer(call), conversion)
    return selected_part(image_of(call), one_layer(call) if is_alone else None, conversion)


def refine_part(call: Call) -> Reading[Part]:
    """What Refine Layer draws into. Errors as of layer_part."""
    return layer_part(one_layer(call), conversion_of(call.values))


def upscale_part(call: Call) -> Reading[Part]:
    """What Upscale Layer enlarges. Errors as of upscaled_part."""
    return upscaled_part(one_layer(call), call.values, conversion_of(call.values))


def extend_part(call: Call) -> Reading[Part]:
    """What Extend Canvas draws into. Errors as of growth_of and grown_part."""
    image = image_of(call)
    growing = growth_of(call.values, (image.get_width(), image.get_height()))
    return grown_part(image, growing, conversion_of(call.values))


def items_in(image: Gimp.Image | None, values: Mapping[str, Value]) -> tuple[Item, ...]:
    """The ingredients with the pixels of their layers, of which there may be none. Errors as of items_of."""
    given = ingredients.parse_any(str(values.get(INGREDIENTS.name, "")))
    return tuple(at_once(item_reading(image, one)) for one in ingredients.that_say_something(given))


def _redraw(call: Call, find: FindPart) -> Gimp.Layer:
    items, part = items_in(image_of(call), call.values), at_once(find(call))
    return make(call, request_of(part, items, call.values), part.place)


def request_of(part: Part, items: tuple[Item, ...], values: Mapping[str, Value]) -> RedrawRequest:
    """The request that draws into a part. Errors as of redraw_with."""
    return RedrawRequest(redraw_with(part.kind, part.given, items, values))
