"""How each menu entry opens the one dialog: with what it shows at first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from gi.repository import Gimp

from plugin_client.client import with_model_here
from plugin_client.gimp import ingredients
from plugin_client.gimp.arguments import INGREDIENTS, SETTINGS, SWEEP, TO, VARIATION
from plugin_client.gimp.commands import Call, image_of, one_layer
from plugin_client.gimp.connection import connect_to_running
from plugin_client.gimp.dialog.window import BlendDialog
from plugin_client.gimp.ingredients import Ingredient, LayerIngredient
from plugin_client.gimp.insert import recipe_of
from plugin_client.gimp.procedures import BLEND, SWEEP_FRAMES
from plugin_client.gimp.weights import even
from plugin_client.wire.errors import DaemonNotRunning
from plugin_client.wire.messages import Blend, PictureItem, TextItem
from plugin_client.wire.recipe import blend_from_recipe

TEXT_TO_IMAGE = "kandinsky-blend-text-to-image"
FIRST_VARIATIONS = 4  # that Variations of this Layer proposes

Opening = Callable[[Call, Gimp.ProcedureConfig], None]


def open_dialog(name: str, call: Call, procedure: Gimp.Procedure, config: Gimp.ProcedureConfig) -> Gimp.Layer | None:
    """Show the dialog of `procedure`, as the menu entry `name` begins it; the last layer that was made, if one was."""
    config.set_property(VARIATION.name, 0)
    OPENINGS[name](call, config)
    config.set_property(SWEEP.name, name == SWEEP_FRAMES)
    image = None if name == TEXT_TO_IMAGE else call.image
    return BlendDialog(procedure, config, image).run()


def _blend(call: Call, config: Gimp.ProcedureConfig) -> None:
    """The selected layers, evenly; without any, what was blended last."""
    if layers := image_of(call).get_selected_layers():
        _put(config, *(LayerIngredient(layer.get_tattoo(), even(len(layers))) for layer in layers))


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


def _again(call: Call, config: Gimp.ProcedureConfig) -> None:
    blend = _with_model_here(blend_from_recipe(recipe_of(one_layer(call))))
    # A recipe holds no pictures: what the model saw of them stands for them.
    _put(config, *(item for item in blend.items if not isinstance(item, PictureItem)))
    for argument in SETTINGS:
        config.set_property(argument.name, type(argument.default)(_value(blend, argument.name)))
    config.set_property(VARIATION.name, blend.variation)


def _with_model_here(blend: Blend) -> Blend:
    try:
        with connect_to_running() as client:
            return with_model_here(blend, client)
    except DaemonNotRunning:
        return replace(blend, model="")  # what a daemon offers that is started later


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
