"""Opens the one dialog for each menu entry, with what it shows at first."""

from __future__ import annotations

import json
from collections.abc import Callable

from gi.repository import Gimp

from plugin_client.editor import ingredients
from plugin_client.editor.ingredients import Ingredient, LayerIngredient
from plugin_client.editor.translation import unmarked
from plugin_client.editor.weights import even
from plugin_client.gimp.arguments import GROWTH_SIDES, INGREDIENTS, SETTINGS, SWEEP, TARGET_SIDES, TO, VARIATION
from plugin_client.gimp.commands import Call, image_of, one_layer
from plugin_client.gimp.dialog.redraw_window import KINDS, RedrawDialog
from plugin_client.gimp.dialog.window import BlendDialog
from plugin_client.gimp.insert import recipe_of
from plugin_client.gimp.kept import growth_by
from plugin_client.gimp.pixels import RECIPE_PARASITE
from plugin_client.gimp.procedures import BLEND, PROCEDURES, SWEEP_FRAMES
from plugin_client.regions import NO_GROWTH, Growth
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import Blend, PictureItem, TextItem
from plugin_client.wire.recipe import Recipe, Upscaled, blend_from_recipe, parse_recipe
from plugin_client.wire.settings import redraw_settings

TEXT_TO_IMAGE = "kandinsky-blend-text-to-image"
FIRST_VARIATIONS = 4  # that Variations of this Layer proposes

# Sets the values that are shown at first. Returns the blend of a recipe, if they are of one: its model is chosen once
# the daemon has told which ones it offers.
Opening = Callable[[Call, Gimp.ProcedureConfig], Blend | None]


def open_dialog(name: str, call: Call, procedure: Gimp.Procedure, config: Gimp.ProcedureConfig) -> Gimp.Layer | None:
    """Show the dialog of `procedure` for the menu entry `name`; the last layer that was made, if one was."""
    config.set_property(VARIATION.name, 0)
    recipe = OPENINGS[name](call, config)
    config.set_property(SWEEP.name, name == SWEEP_FRAMES)
    image = None if name == TEXT_TO_IMAGE else call.image
    return BlendDialog(procedure, config, image, window_title(name), recipe).run()


def open_redraw(
    procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, call: Call, recipe: Recipe | None = None
) -> Gimp.Layer | None:
    """Show the dialog of a procedure that draws into the image, with the values of a recipe if there is one."""
    request = None
    if recipe:
        request = _show_recipe(recipe, config)
        _show_growth(growth_by(one_layer(call)), config)
    return RedrawDialog(procedure, config, call, window_title(procedure.get_name()), request).run()


def redraw_recipe(call: Call) -> Recipe | None:
    """The recipe in the selected layer, if that was drawn into a picture. Errors as of recipe_of and parse_recipe."""
    recipe = parse_recipe(recipe_of(one_layer(call)))
    return recipe if recipe.redrawn else None


def _show_recipe(recipe: Recipe, config: Gimp.ProcedureConfig) -> Blend:
    """Show the values of a recipe, and return the blend in it."""
    blend = recipe.blend
    _show_settings(blend, config)
    for one in redraw_settings(KINDS[recipe.kind]):
        config.set_property(one.option, getattr(recipe.redrawn, one.name))
    if isinstance(recipe.redrawn, Upscaled):
        for side in TARGET_SIDES:
            config.set_property(side.name, getattr(recipe.redrawn, side.name.replace("-", "_")))
    return blend


def _show_growth(growing: Growth, config: Gimp.ProcedureConfig) -> None:
    """Show by how much the image grows, where it does."""
    for one in GROWTH_SIDES if growing != NO_GROWTH else ():
        config.set_property(one.name, getattr(growing, one.name))


def window_title(name: str) -> str:
    """The label of a menu entry, without its mnemonic and the dots that tell of a dialog."""
    return unmarked(PROCEDURES[name].label).rstrip(" .…")


def _blend(call: Call, config: Gimp.ProcedureConfig) -> None:
    """The selected layers, evenly. Without any, and where a result is selected, what was blended last."""
    image = image_of(call)
    layers = image.get_selected_layers()
    if len(layers) == 1 and layers[0].get_parasite(RECIPE_PARASITE) and _are_there(image, config):
        return
    if layers:
        _put(config, *(LayerIngredient(layer.get_tattoo(), even(len(layers))) for layer in layers))


def _are_there(image: Gimp.Image, config: Gimp.ProcedureConfig) -> bool:
    """Whether there are ingredients of the last blend, all of them in this image."""
    try:
        last = ingredients.parse(config.get_property(INGREDIENTS.name) or "")
    except UsageError:
        return False
    return all(image.get_layer_by_tattoo(one.layer) for one in last if isinstance(one, LayerIngredient))


def _sweep(call: Call, config: Gimp.ProcedureConfig) -> None:
    """From the first of the selected layers to the last."""
    if layers := image_of(call).get_selected_layers():
        weights = [1.0] + [0.0] * (len(layers) - 1)
        _put(config, *(LayerIngredient(layer.get_tattoo(), w) for layer, w in zip(layers, weights, strict=True)))
        config.set_property(TO.name, json.dumps(weights[::-1]))


def _text_to_image(call: Call, config: Gimp.ProcedureConfig) -> None:
    _put(config, TextItem("", 1.0))


def _variations(call: Call, config: Gimp.ProcedureConfig) -> None:
    _put(config, LayerIngredient(one_layer(call).get_tattoo(), 1.0))
    config.set_property("count", FIRST_VARIATIONS)


def _again(call: Call, config: Gimp.ProcedureConfig) -> Blend:
    """The settings in the selected layer."""
    blend = blend_from_recipe(recipe_of(one_layer(call)))
    _show_settings(blend, config)
    config.set_property(VARIATION.name, blend.variation)
    return blend


def _show_settings(blend: Blend, config: Gimp.ProcedureConfig) -> None:
    """Show what is blended, and its settings, without the model."""
    # A recipe holds no pictures: what the model saw of them stands for them.
    _put(config, *(item for item in blend.items if not isinstance(item, PictureItem)))
    for argument in SETTINGS:
        config.set_property(argument.name, type(argument.default)(_value(blend, argument.name)))
    config.set_property("model", "")


def _value(blend: Blend, argument: str) -> str | int | float | bool:
    value: str | int | float | bool = getattr(blend, argument.replace("-", "_"))
    return value


def _put(config: Gimp.ProcedureConfig, *first: Ingredient) -> None:
    config.set_property(INGREDIENTS.name, ingredients.to_json(first))


OPENINGS: dict[str, Opening] = {
    BLEND: _blend,
    SWEEP_FRAMES: _sweep,
    TEXT_TO_IMAGE: _text_to_image,
    "kandinsky-blend-variations": _variations,
    "kandinsky-blend-again": _again,
}
