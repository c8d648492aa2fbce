"""The procedure that makes the picture of a layer once more, run without a dialog."""

from __future__ import annotations

from dataclasses import replace

from gi.repository import Gimp

from plugin_client.editor.geometry import Area
from plugin_client.editor.requests import GenerateRequest, RedrawRequest, Request
from plugin_client.gimp.arguments import conversion_of
from plugin_client.gimp.commands import Call, image_of, make, one_layer
from plugin_client.gimp.insert import OnNewImage, insert, recipe_of
from plugin_client.gimp.kept import drawn_into, growth_by, text_of
from plugin_client.gimp.pixels import layer_area, target
from plugin_client.gimp.place import Place, Target, layers_in, place_in
from plugin_client.gimp.redraws import sent_mask
from plugin_client.job import BlendResult
from plugin_client.regions import NO_GROWTH
from plugin_client.wire.errors import BadValue, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Redraw
from plugin_client.wire.recipe import Recipe, parse_recipe


def again(call: Call) -> Gimp.Layer:
    layer = one_layer(call)
    recipe = parse_recipe(recipe_of(layer))
    request, place = _drawn(call, layer, recipe) if recipe.redrawn else _blended(call, recipe)

    def insert_with_provenance(result: BlendResult, place: Target, on_new_image: OnNewImage) -> Gimp.Layer:
        recipes = [parse_recipe(made).knowing(recipe).plain() for made in result.recipes]
        return insert(replace(result, recipes=recipes), place, on_new_image)

    return make(call, request, place, insert_with_provenance)


def _blended(call: Call, recipe: Recipe) -> tuple[Request, Target]:
    """The request of a blend, and its place: the selection or the image as they are now."""
    image = image_of(call)
    return GenerateRequest((recipe.blend,), target(image)), place_in(image, conversion_of(call.values))


def _drawn(call: Call, layer: Gimp.Layer, recipe: Recipe) -> tuple[Request, Target]:
    """The request that draws into the same once more, and its place: above the layer, under the same mask.

    What is seen of the image by now does not matter, and an image that grew for the layer does not grow once more.

    Raises:
        UsageError: the layer does not hold what it was drawn into.
    """
    kept, grown = drawn_into(layer), growth_by(layer)
    at = layer_area(layer)
    try:
        if kept is None:
            raise _not_kept(layer, recipe)
        area = Area(at.x, at.y, *kept.size)
        masks = () if kept.selection is None else (sent_mask(kept.selection, area),)
        request: Redraw = recipe.redraw(kept.source, *masks)
    except (BadValue, ValueError) as exc:  # damaged
        raise _not_kept(layer, recipe) from exc
    place = Place(call.image, area, kept.selection, above=layer.get_tattoo(), drawn_into=text_of(kept, grown))
    return RedrawRequest(request), layers_in(call.image, conversion_of(call.values), place)


def _not_kept(layer: Gimp.Layer, recipe: Recipe) -> UsageError:
    return UsageError(
        N_(
            "the layer {layer!r} does not hold the picture that it was drawn into, which was too large or is damaged: "
            "call {procedure} with that picture and the layer's settings"
        ),
        layer=layer.get_name(),
        procedure=procedure_of(layer, recipe),
    )


def procedure_of(layer: Gimp.Layer, recipe: Recipe) -> str:
    """The name of the procedure by which a layer was drawn into a picture."""
    return f"kandinsky-blend-{recipe.kind if growth_by(layer) == NO_GROWTH else 'extend'}"
