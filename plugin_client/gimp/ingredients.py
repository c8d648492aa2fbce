"""What to blend, as the one JSON text that GIMP carries between a script, the dialog and the plug-in.

    [{"layer": 7, "weight": 0.5, "fit": "pad", "backdrop": [0, 0, 0]}, {"text": "a cat", "weight": 0.3}]

"layer" is a tattoo: it survives saving and loading, which a layer's id does not. {"embeds", "weight", "label"} stands
as in a recipe, for what the model saw of a picture that is no layer here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, get_args

from plugin_client.gimp.translation import _
from plugin_client.wire import schema
from plugin_client.wire.errors import ProtocolError, UsageError
from plugin_client.wire.limits import BOUNDS, MAX_ITEMS
from plugin_client.wire.messages import EmbedsItem, Fit, Picture, PictureItem, TextItem
from plugin_client.wire.recipe import plain_item
from plugin_client.wire.schema import show

MAX_CHARS = 2**20


@dataclass(frozen=True)
class LayerIngredient:
    """A layer by its tattoo; the other fields are those of messages.PictureItem."""

    layer: int
    weight: float
    fit: Fit = "crop"
    backdrop: tuple[int, int, int] = (255, 255, 255)

    def item(self, picture: Picture, label: str) -> PictureItem:
        """What is sent of it."""
        return PictureItem(picture, self.weight, self.fit, self.backdrop, label)


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
_RECORDED = schema.one_of((TextItem, EmbedsItem))
_KINDS = ("layer", "text", "embeds")


def parse(text: str) -> tuple[Ingredient, ...]:
    """The ingredients that `text` holds.

    Raises:
        UsageError: it holds none, or one of them is not as it must be; the text names it.
    """
    entries = json_list(text, "ingredients")
    if not 1 <= len(entries) <= MAX_ITEMS:
        raise UsageError(
            _("ingredients has {number} entries: must have from 1 to {most}").format(
                number=len(entries), most=MAX_ITEMS
            )
        )
    try:
        return tuple(_ingredient(entry, f"ingredients[{n}]") for n, entry in enumerate(entries))
    except ProtocolError as exc:
        raise UsageError(str(exc)) from exc


def first_prompt(text: str) -> str:
    """Of the ingredients that `text` holds; "" where there is none."""
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
            _("{name} has {number} characters: may have {most}").format(name=name, number=len(text), most=MAX_CHARS)
        )
    try:
        entries = json.loads(text or "[]")
    except (ValueError, RecursionError) as exc:
        raise UsageError(
            _("{name} is {value}, which is no JSON: {reason}").format(name=name, value=show(text), reason=exc)
        ) from exc
    if type(entries) is not list:
        raise UsageError(_("{name} is {value}: must be a list").format(name=name, value=show(entries)))
    return entries


def _ingredient(entry: object, where: str) -> Ingredient:
    if type(entry) is not dict or len([kind for kind in _KINDS if kind in entry]) != 1:
        raise UsageError(
            _("{where} is {value}: must be a map with one of {kinds}").format(
                where=where, value=show(entry), kinds=", ".join(_KINDS)
            )
        )
    ingredient: Ingredient
    if "layer" in entry:
        ingredient = _LAYER.read(entry, where, schema.Frames([]))
    else:
        ingredient = _RECORDED.read(plain_item(entry, where), where, schema.Frames([]))
    return ingredient


def _plain(ingredient: Ingredient) -> dict[str, Any]:
    plain = asdict(ingredient)
    if isinstance(ingredient, EmbedsItem):
        plain["embeds"] = base64.b64encode(ingredient.embeds).decode("ascii")
    return plain
