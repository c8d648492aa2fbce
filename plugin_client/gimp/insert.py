"""Results become layers: in one undo step, and without a change to any layer that is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gi.repository import Gimp

from plugin_client.client import BlendResult
from plugin_client.gimp.pixels import write_layer, write_mask
from plugin_client.gimp.placing import Area, area_of
from plugin_client.gimp.titles import frame_title, sweep_title, title, variation_title
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import Picture

RECIPE_PARASITE = "kandinsky-blend-recipe"

_PERSISTENT = 1  # GIMP_PARASITE_PERSISTENT and _UNDOABLE: macros, which gi does not carry
_UNDOABLE = 2
_LAYER_TYPES = {
    Gimp.ImageBaseType.RGB: Gimp.ImageType.RGBA_IMAGE,
    Gimp.ImageBaseType.GRAY: Gimp.ImageType.GRAYA_IMAGE,
    Gimp.ImageBaseType.INDEXED: Gimp.ImageType.INDEXEDA_IMAGE,
}


@dataclass(frozen=True)
class Place:
    """Where layers go: into `image`, over `area` of it, masked by the selection that there was at that time."""

    image: Gimp.Image
    area: Area
    selection: bytes | None = field(default=None, repr=False)  # over the area: see read_selection; None masks nothing


def insert(result: BlendResult, place: Place | None) -> Gimp.Layer:
    """The picture as a new layer above the selected one; several pictures as a group of layers.

    Without a place, or when its image was closed meanwhile, they come in a new image.
    """
    if place is None or not place.image.is_valid():
        with _new_image(result.pictures[0]) as place:
            return _insert(result, place)
    with _one_undo_step(place.image):
        return _insert(result, place)


def insert_frames(result: BlendResult, place: Place | None) -> Gimp.Layer:
    """The frames of a sweep, the first of them lowest as in every animation of GIMP: a group, above the selected layer.

    Without a place, or when its image was closed meanwhile, they are the layers of a new image, and the last of them
    is returned: GIMP exports the layers of an image as an animation, and a group as a single frame of it.
    """
    if place is None or not place.image.is_valid():
        with _new_image(result.pictures[0]) as place:
            return _add_frames(result, place, None)
    with _one_undo_step(place.image):
        parent, position = _above_the_selected(place.image)
        group = Gimp.GroupLayer.new(place.image, sweep_title(result.recipes[0], result.recipes[-1]))
        place.image.insert_layer(group, parent, position)
        _add_frames(result, place, group)
        return group


def recipe_of(layer: Gimp.Layer) -> dict[str, Any]:
    """The recipe that came with a layer, as it is: recipe.py checks it.

    Raises:
        UsageError: it has none.
    """
    parasite = layer.get_parasite(RECIPE_PARASITE)
    if parasite is None:
        raise UsageError(
            _("the layer {layer!r} was not made by Kandinsky Blend: it carries no settings").format(
                layer=layer.get_name()
            )
        )
    try:
        recipe: dict[str, Any] = json.loads(bytes(parasite.get_data()))
    except (ValueError, RecursionError) as exc:
        raise UsageError(
            _("the settings in the layer {layer!r} are damaged: {reason}").format(layer=layer.get_name(), reason=exc)
        ) from exc
    return recipe


def _insert(result: BlendResult, place: Place) -> Gimp.Layer:
    parent, position = _above_the_selected(place.image)
    if len(result.pictures) == 1:
        layer = _layer(result.pictures[0], title(result.recipes[0]), place)
        _add(layer, result.recipes[0], place, parent, position)
        return layer
    group = Gimp.GroupLayer.new(place.image, title(result.recipes[0]))
    place.image.insert_layer(group, parent, position)
    for number, (picture, recipe) in enumerate(zip(result.pictures, result.recipes, strict=True)):
        _add(_layer(picture, variation_title(recipe), place), recipe, place, group, number)
    return group


def _add_frames(result: BlendResult, place: Place, parent: Gimp.Layer | None) -> Gimp.Layer:
    """Each above the one before; the last."""
    for number, (picture, recipe) in enumerate(zip(result.pictures, result.recipes, strict=True), start=1):
        layer = _layer(picture, frame_title(recipe, number, len(result.pictures)), place)
        _add(layer, recipe, place, parent, 0)
    return layer


def _above_the_selected(image: Gimp.Image) -> tuple[Gimp.Layer | None, int]:
    """The group and the position in it where a new layer goes: above the topmost of the selected layers."""
    selected = image.get_selected_layers()
    if not selected:
        return None, 0
    topmost = min(selected, key=_path)
    return topmost.get_parent(), image.get_item_position(topmost)


def _path(layer: Gimp.Layer) -> tuple[int, ...]:
    """The positions of the groups that hold a layer, from the outside in, then its own."""
    parent = layer.get_parent()
    return (*(_path(parent) if parent else ()), layer.get_image().get_item_position(layer))


def _layer(picture: Picture, name: str, place: Place) -> Gimp.Layer:
    """A layer of the picture's own size, not yet in the image."""
    kind, normal = _LAYER_TYPES[place.image.get_base_type()], Gimp.LayerMode.NORMAL
    layer = Gimp.Layer.new(place.image, name, picture.width, picture.height, kind, 100.0, normal)
    write_layer(layer, picture)
    return layer


def _add(layer: Gimp.Layer, recipe: dict[str, Any], place: Place, parent: Gimp.Layer | None, position: int) -> None:
    place.image.insert_layer(layer, parent, position)
    _fit(layer, place.area)
    if place.selection is not None:
        mask = layer.create_mask(Gimp.AddMaskType.WHITE)
        layer.add_mask(mask)
        write_mask(mask, place.area, place.selection)
    layer.attach_parasite(_parasite(recipe))


def _fit(layer: Gimp.Layer, area: Area) -> None:
    if (layer.get_width(), layer.get_height()) != (area.width, area.height):
        layer.scale(area.width, area.height, False)
    layer.set_offsets(area.x, area.y)


def _parasite(recipe: dict[str, Any]) -> Gimp.Parasite:
    data = json.dumps(recipe, sort_keys=True).encode("ascii")  # gi takes no byte above 127 here
    return Gimp.Parasite.new(RECIPE_PARASITE, _PERSISTENT | _UNDOABLE, list(data))


@contextmanager
def _new_image(picture: Picture) -> Iterator[Place]:
    """An image of the picture's size, in which nothing can be undone until it is filled."""
    area = area_of(picture)
    image = Gimp.Image.new(area.width, area.height, Gimp.ImageBaseType.RGB)
    image.undo_disable()
    try:
        yield Place(image, area)
    finally:
        image.undo_enable()


@contextmanager
def _one_undo_step(image: Gimp.Image) -> Iterator[None]:
    image.undo_group_start()
    try:
        yield
    finally:
        image.undo_group_end()
