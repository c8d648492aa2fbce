"""From checked arguments to layers, for whoever shows the progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gi.repository import Gimp

from plugin_client.client import BlendResult, Client, Job, Work
from plugin_client.gimp.arguments import Conversion
from plugin_client.gimp.claims import Held, keep
from plugin_client.gimp.ingredients import Ingredient, LayerIngredient
from plugin_client.gimp.insert import Place
from plugin_client.gimp.lost import claim_of
from plugin_client.gimp.pixels import layer_of, read_layer, read_selection, target
from plugin_client.gimp.placing import USUAL_SIDE, Area, made_size, side_of
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import KandinskyError, UsageError
from plugin_client.wire.limits import MAX_NAME_CHARS
from plugin_client.wire.messages import Blend, Item, Progress

_MODE_NAMES = {Gimp.ImageBaseType.GRAY: _("gray"), Gimp.ImageBaseType.INDEXED: _("indexed")}


def items_of(image: Gimp.Image | None, ingredients: Iterable[Ingredient]) -> tuple[Item, ...]:
    """The ingredients with the pixels of their layers.

    Raises:
        UsageError: a layer is not there, or cannot be seen.
    """
    return tuple(_item(image, ingredient) for ingredient in ingredients)


def place_of(image: Gimp.Image, conversion: Conversion) -> Place | None:
    """Where the result goes; None is a new image.

    Raises:
        UsageError: the image is gray or indexed, and nobody said what becomes of the colours.
    """
    mode = _MODE_NAMES.get(image.get_base_type())
    if mode and conversion == "ask":
        raise UsageError(
            _(
                "the image {image} is {mode}, so a new layer would lose its colours: set conversion to "
                '"layer" to have that, or to "new-image"'
            ).format(image=image.get_name(), mode=mode)
        )
    if mode and conversion == "new-image":
        return None
    area = target(image)
    return Place(image, area, read_selection(image, area))


SIDE_SECONDS = 20.0  # for a daemon that was just started to tell of its models


def fitted(blends: Sequence[Blend], client: Client, area: Area) -> list[Blend]:
    """Blends alike in model and size; without a size, in the shape of `area` and as large as the model draws best."""
    if blends[0].width:
        return list(blends)
    width, height = made_size(area, 0, 0, _side(client, blends[0].model))
    return [replace(blend, width=width, height=height) for blend in blends]


def _side(client: Client, model: str) -> int:
    """Of the squares that the model draws best, as soon as the daemon knows."""
    deadline = time.monotonic() + SIDE_SECONDS
    while time.monotonic() < deadline:
        if side := side_of(client.models(), model):
            return side
        time.sleep(0.05)
    return USUAL_SIDE


Insert = Callable[[BlendResult, Place | None], Gimp.Layer]


class Claimant:
    """Submits blends whose pictures belong to `place`, and holds a claim of each until it is settled."""

    def __init__(self, client: Client, place: Place | None) -> None:
        self.client = client
        self._place = place
        self._held: list[Held] = []

    def submit(self, blend: Blend) -> Job:
        """Errors as of Client.submit_blend and claims.keep."""
        held = keep(claim_of(blend, self._place))
        self._held.append(held)
        return self.client.submit_blend(blend, held.claim.job)

    def settle(self, end: object) -> None:
        """Forget the claims when what was submitted has ended so, as of Held.settle."""
        for held in self._held:
            held.settle(end)


def make_layer(
    client: Client,
    place: Place | None,
    submit: Callable[[Claimant], Work],
    show: Callable[[Progress], None],
    put: Insert,
) -> Gimp.Layer:
    """Have made what `submit` asks for and `put` where it belongs; the daemon may then forget it.

    Errors as of Job.result.
    """
    claimant = Claimant(client, place)
    try:
        work = submit(claimant)
        for progress in work.watch():
            show(progress)
        layer = put(work.result(), place)
    except KandinskyError as exc:
        claimant.settle(exc)
        raise
    claimant.settle(None)
    work.discard()
    return layer


def _item(image: Gimp.Image | None, ingredient: Ingredient) -> Item:
    if not isinstance(ingredient, LayerIngredient):
        return ingredient
    if image is None:
        raise UsageError(
            _("the layer with the tattoo {tattoo} is of an image, and none is open").format(tattoo=ingredient.layer)
        )
    layer = layer_of(image, ingredient.layer)
    return ingredient.item(read_layer(layer), layer.get_name()[:MAX_NAME_CHARS])
