"""Ingredients with the pixels of their layers, in the form in which they are sent."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gimp

from plugin_client.editor.geometry import fit_of
from plugin_client.editor.ingredients import Ingredient, LayerIngredient, without_empty
from plugin_client.editor.titles import short_name
from plugin_client.gimp.layer_reading import Reading, at_once, reading
from plugin_client.gimp.pixels import RECIPE_PARASITE, layer_of
from plugin_client.wire.errors import UsageError
from plugin_client.wire.limits import MAX_NAME_CHARS
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Item, PictureItem


def items_of(image: Gimp.Image | None, ingredients: Sequence[Ingredient]) -> tuple[Item, ...]:
    """The ingredients without empty prompts.

    Raises:
        UsageError: a layer is not there, or cannot be seen; or nothing but empty prompts is there.
    """
    return at_once(items_reading(image, without_empty(ingredients)))


def items_reading(image: Gimp.Image | None, ingredients: Sequence[Ingredient]) -> Reading[tuple[Item, ...]]:
    """Read ingredients one by one, in several goes. Errors as of items_of."""
    items: list[Item] = []
    for ingredient in ingredients:
        items.append((yield from item_reading(image, ingredient)))
    return tuple(items)


def item_reading(image: Gimp.Image | None, ingredient: Ingredient) -> Reading[Item]:
    """Read an ingredient in several goes. Errors as of items_of."""
    if not isinstance(ingredient, LayerIngredient):
        return ingredient
    if image is None:
        raise UsageError(
            N_("the layer with the tattoo {tattoo} is of an image, and none is open"), tattoo=ingredient.layer
        )
    layer = layer_of(image, ingredient.layer)
    label = _label(layer)
    picture = yield from reading(layer)
    return PictureItem(picture, ingredient.weight, fit_of(picture, ingredient.fit), ingredient.backdrop, label)


def _label(layer: Gimp.Layer) -> str:
    """The name of a layer in the titles of what is made of it; a title in a title would nest without end."""
    made = layer.get_parasite(RECIPE_PARASITE)
    name = str(layer.get_name())
    return (short_name(name) if made else name)[:MAX_NAME_CHARS]
