"""Ingredients of a blend, as the one JSON text that GIMP carries between a script, the dialog and the plug-in.

    [{"layer": 7, "weight": 0.5, "fit": "pad", "backdrop": [0, 0, 0]}, {"text": "a cat", "weight": 0.3}]

"layer" is a tattoo: it survives saving and loading, which a layer's id does not. {"embeds", "weight", "label"} stands
as in a recipe, for what the model saw of a picture that is no layer here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from plugin_client.wire import schema
from plugin_client.wire.errors import BadArgument, BadValue, Path, UsageError, dotted, show
from plugin_client.wire.limits import BOUNDS, MAX_ITEMS
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import EmbedsItem, Fit, TextItem
from plugin_client.wire.recipe import item_from_plain
from plugin_client.wire.titles import one_line

MAX_CHARS = 2**20


@dataclass(frozen=True)
class LayerIngredient:
    """A layer by its tattoo; the other fields are those of messages.PictureItem."""

    layer: int
    weight: float
    fit: Fit = "crop"
    backdrop: tuple[int, int, int] = (255, 255, 255)


Ingredient = LayerIngredient | TextItem | EmbedsItem

_LAYER_SCHEMAS: dict[str, schema.Schema] = {
    "layer": schema.Whole((1, 2**32 - 1)),
    "weight": schema.Real(BOUNDS["PictureItem.weight"]),
    "fit": schema.Choice(get_args(Fit)),
    "backdrop": schema.ListOf(schema.Whole(BOUNDS["PictureItem.backdrop[]"]), (3, 3)),
}
_LAYER = schema.Record(
    LayerIngredient,
    _LAYER_SCHEMAS,
    keys={name: name for name in _LAYER_SCHEMAS},
    required=frozenset({"layer", "weight"}),
    meaning=lambda ingredient, where: None,
)
_KINDS = ("layer", "text", "embeds")


def parse(text: str) -> tuple[Ingredient, ...]:
    """The ingredients that `text` holds.

    Raises:
        UsageError: it holds none, or one of them is not as it must be; the text names it.
    """
    entries = json_list(text, "ingredients")
    if not 1 <= len(entries) <= MAX_ITEMS:
        raise UsageError(
            N_("ingredients has {number} entries: must have from 1 to {most}"), number=len(entries), most=MAX_ITEMS
        )
    try:
        return tuple(_ingredient(entry, ("ingredients", n)) for n, entry in enumerate(entries))
    except BadValue as exc:
        raise BadArgument.of(exc) from exc


def parse_any(text: str) -> tuple[Ingredient, ...]:
    """The ingredients that `text` holds, of which there may be none. Errors as of parse."""
    return parse(text) if json_list(text, "ingredients") else ()


def are_empty(ingredients: Iterable[Ingredient]) -> list[bool]:
    """Whether each ingredient is a prompt that says nothing, which a blend leaves out."""
    return [isinstance(one, TextItem) and not one_line(one.text) for one in ingredients]


def without_empty(ingredients: Sequence[Ingredient]) -> tuple[Ingredient, ...]:
    """The ingredients that a blend is made of.

    Raises:
        UsageError: every one is a prompt that says nothing.
    """
    kept = that_say_something(ingredients)
    if not kept:
        raise UsageError(N_("there is nothing to blend: write a prompt or add a layer"))
    return kept


def that_say_something(ingredients: Sequence[Ingredient]) -> tuple[Ingredient, ...]:
    """The ingredients without prompts that say nothing, of which there may be none left."""
    return tuple(one for one, is_empty in zip(ingredients, are_empty(ingredients), strict=True) if not is_empty)


def weights_without_empty(weights: Sequence[Any], ingredients: Sequence[Ingredient]) -> list[Any]:
    """The weights of the ingredients that without_empty keeps; all of them where there is not one for each."""
    if len(weights) != len(ingredients):
        return list(weights)
    return [one for one, is_empty in zip(weights, are_empty(ingredients), strict=True) if not is_empty]


def first_prompt(text: str) -> str:
    """The first prompt among the ingredients in `text`; "" where there is none."""
    try:
        return next((item.text for item in parse(text) if isinstance(item, TextItem)), "")
    except UsageError:
        return ""


def to_json(ingredients: Iterable[Ingredient]) -> str:
    """The text that `parse` reads."""
    return json.dumps([_plain(ingredient) for ingredient in ingredients], ensure_ascii=False)


def json_list(text: str, name: str) -> list[Any]:
    """The list that the argument `name` holds as JSON; "" is an empty one.

    Raises:
        UsageError: it holds none.
    """
    if len(text) > MAX_CHARS:
        raise UsageError(
            N_("{name} has {number} characters: may have {most}"), name=name, number=len(text), most=MAX_CHARS
        )
    try:
        entries = json.loads(text or "[]")
    except (ValueError, RecursionError) as exc:
        raise UsageError(
            N_("{name} is {value}, which is no JSON: {reason}"), name=name, value=show(text), reason=exc
        ) from exc
    if type(entries) is not list:
        raise UsageError(N_("{name} is {value}: must be a list"), name=name, value=show(entries))
    return entries


def _ingredient(entry: object, where: Path) -> Ingredient:
    if type(entry) is not dict or len([kind for kind in _KINDS if kind in entry]) != 1:
        raise UsageError(
            N_("{where} is {value}: must be a map with one of {kinds}"),
            where=dotted(where),
            value=show(entry),
            kinds=", ".join(_KINDS),
        )
    if "layer" not in entry:
        return item_from_plain(entry, where)
    layer: LayerIngredient = _LAYER.read(entry, where, schema.Frames([]))
    return layer


def _plain(ingredient: Ingredient) -> dict[str, Any]:
    plain = asdict(ingredient)
    if isinstance(ingredient, EmbedsItem):
        plain["embeds"] = base64.b64encode(ingredient.embeds).decode("ascii")
    return plain
