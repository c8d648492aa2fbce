"""What each procedure does when a script calls it, or the last values are used again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gi.repository import Gimp

from plugin_client.client import BlendResult, Work, with_model_here
from plugin_client.gimp import ingredients
from plugin_client.gimp.arguments import INGREDIENTS, PROMPT, Value, blend_of, conversion_of, frames_as_of, sweep_of
from plugin_client.gimp.connection import connect
from plugin_client.gimp.insert import Place, insert, insert_frames, recipe_of
from plugin_client.gimp.pixels import target
from plugin_client.gimp.placing import NEW_IMAGE, Area
from plugin_client.gimp.running import Claimant, Insert, fitted, items_of, make_layer, place_of
from plugin_client.gimp.translation import _
from plugin_client.sweep import Sweep
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import Blend, Progress, TextItem
from plugin_client.wire.recipe import blend_from_recipe, with_provenance


@dataclass(frozen=True)
class Call:
    """One call of a procedure: the image that is open, what is selected in it, and the arguments by name."""

    image: Gimp.Image | None
    drawables: Sequence[Gimp.Drawable]
    values: Mapping[str, Value]


def blend_layers_and_prompts(call: Call) -> Gimp.Layer:
    image = image_of(call)
    place = place_of(image, conversion_of(call.values))
    items = items_of(image, ingredients.parse(str(call.values[INGREDIENTS.name])))
    return _make(blend_of(items, call.values, target(image)), place, target(image))


def text_to_image(call: Call) -> Gimp.Layer:
    prompt = str(call.values[PROMPT.name])
    if not prompt.strip():
        raise UsageError(_("prompt is empty: say what the picture is of"))
    return _make(blend_of((TextItem(prompt, 1.0),), call.values, NEW_IMAGE), None, NEW_IMAGE)


def variations(call: Call) -> Gimp.Layer:
    image = image_of(call)
    place = place_of(image, conversion_of(call.values))
    layer = one_layer(call)
    items = items_of(image, [ingredients.LayerIngredient(layer.get_tattoo(), 1.0)])
    return _make(blend_of(items, call.values, target(image)), place, target(image))


def again(call: Call) -> Gimp.Layer:
    image = image_of(call)
    place = place_of(image, conversion_of(call.values))
    recipe = recipe_of(one_layer(call))

    def put(result: BlendResult, place: Place | None) -> Gimp.Layer:
        recipes = [with_provenance(made, recipe) for made in result.recipes]
        return insert(replace(result, recipes=recipes), place)

    return _make(blend_from_recipe(recipe), place, target(image), put)


def sweep(call: Call) -> Gimp.Layer:
    image = image_of(call)
    place = frames_place(image, call)
    items = items_of(image, ingredients.parse(str(call.values[INGREDIENTS.name])))
    area = target(image)
    frames = sweep_of(items, call.values, area)

    def submit(claimant: Claimant) -> Work:
        return Sweep(claimant.submit, fitted(frames, claimant.client, area))

    return _wait(submit, place, insert_frames)


def frames_place(image: Gimp.Image, call: Call) -> Place | None:
    """Where the frames of a sweep go. Frames that come as a new image lose no colours there."""
    conversion = conversion_of(call.values)
    return None if frames_as_of(call.values) == "new-image" else place_of(image, conversion)


def _make(blend: Blend, place: Place | None, area: Area, put: Insert = insert) -> Gimp.Layer:
    def submit(claimant: Claimant) -> Work:
        (sized,) = fitted([with_model_here(blend, claimant.client)], claimant.client, area)
        return claimant.submit(sized)

    return _wait(submit, place, put)


def _wait(submit: Callable[[Claimant], Work], place: Place | None, put: Insert) -> Gimp.Layer:
    Gimp.progress_init("Kandinsky")
    with connect() as client:
        return make_layer(client, place, submit, show_progress, put)


def show_progress(progress: Progress) -> None:
    if progress.steps:
        Gimp.progress_update(progress.step / progress.steps)


def image_of(call: Call) -> Gimp.Image:
    if call.image is None:
        raise UsageError(_("no image is open"))
    return call.image


def one_layer(call: Call) -> Gimp.Layer:
    layers = [drawable for drawable in call.drawables if drawable.is_layer()]
    if len(layers) != 1:
        raise UsageError(_("{number} layers are selected: select one").format(number=len(layers)))
    if layers[0].get_image() != call.image:
        raise UsageError(_("the layer {layer!r} is of another image").format(layer=layers[0].get_name()))
    return layers[0]
