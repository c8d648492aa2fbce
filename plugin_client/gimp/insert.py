"""Inserts results as layers, in one undo step, and without a change to any layer that is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gi.repository import Gimp

from plugin_client.editor.geometry import Area, area_of
from plugin_client.editor.pending_jobs import PendingJob
from plugin_client.editor.titles import frame_title, sweep_title, title, variation_title
from plugin_client.gimp.pixels import DRAWN_INTO_PARASITE, RECIPE_PARASITE, write_layer, write_mask
from plugin_client.gimp.place import Place, Target, find_place
from plugin_client.job import BlendResult
from plugin_client.regions import NO_GROWTH
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Picture

_PERSISTENT = 1  # GIMP_PARASITE_PERSISTENT and _UNDOABLE: macros, which gi does not carry
_UNDOABLE = 2
_LAYER_TYPES = {
    Gimp.ImageBaseType.RGB: Gimp.ImageType.RGBA_IMAGE,
    Gimp.ImageBaseType.GRAY: Gimp.ImageType.GRAYA_IMAGE,
    Gimp.ImageBaseType.INDEXED: Gimp.ImageType.INDEXEDA_IMAGE,
}


OnNewImage = Callable[[Gimp.Image], object]
Insert = Callable[[BlendResult, Target, OnNewImage], Gimp.Layer]


def leave_to_the_script(image: Gimp.Image) -> None:
    """Show a new image nowhere: the script that asked for it does that, or does not."""


def insert(result: BlendResult, place: Target, on_new_image: OnNewImage) -> Gimp.Layer:
    """Insert the picture as a new layer above the selected one; several pictures as a group of layers.

    Without a place they come in a new image of their own size; when the place is in no open image, in one of the size
    that they were to have. `on_new_image` is called with it: it shows the image, or leaves that to a script.
    """
    if not isinstance(place, Place) or not place.image.is_valid():
        with _new_image(_new_area(result, place), on_new_image) as place:
            return _insert(result, place)
    with _one_undo_step(place.image):
        layer = _insert(result, place)
        _grow(place)
        return layer


def insert_frames(result: BlendResult, place: Target, on_new_image: OnNewImage) -> Gimp.Layer:
    """Insert the frames of a sweep as a group, the first lowest as in every animation of GIMP; return the group.

    In a new image, as of insert, they are its layers, and the last of them is returned: GIMP exports the layers of an
    image as an animation, and a group as a single frame of it.
    """
    if not isinstance(place, Place) or not place.image.is_valid():
        with _new_image(_new_area(result, place), on_new_image) as place:
            return _add_frames(result, place, None)
    with _one_undo_step(place.image):
        parent, position = _above(place)
        group = Gimp.GroupLayer.new(place.image, sweep_title(result.recipes[0], result.recipes[-1]))
        place.image.insert_layer(group, parent, position)
        _add_frames(result, place, group)
        return group


def insert_recovered(pending: PendingJob, result: BlendResult, on_new_image: OnNewImage) -> Gimp.Layer:
    """Insert the result of a pending job into its image, if that is open and has the same form; else into a new one."""
    return insert(result, find_place(pending.destination), on_new_image)


def recipe_of(layer: Gimp.Layer) -> dict[str, Any]:
    """The recipe that is attached to a layer, not yet checked.

    Raises:
        UsageError: it has none.
    """
    parasite = layer.get_parasite(RECIPE_PARASITE)
    if parasite is None:
        raise UsageError(
            N_("the layer {layer!r} was not made by Kandinsky Blend: it carries no settings"), layer=layer.get_name()
        )
    try:
        recipe: dict[str, Any] = json.loads(bytes(parasite.get_data()))
    except (ValueError, RecursionError) as exc:
        raise UsageError(
            N_("the settings in the layer {layer!r} are damaged: {reason}"), layer=layer.get_name(), reason=exc
        ) from exc
    return recipe


def _insert(result: BlendResult, place: Place) -> Gimp.Layer:
    parent, position = _above(place)
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
    """Insert each frame above the one before, and return the last."""
    for number, (picture, recipe) in enumerate(zip(result.pictures, result.recipes, strict=True), start=1):
        layer = _layer(picture, frame_title(recipe, number, len(result.pictures)), place)
        _add(layer, recipe, place, parent, 0)
    return layer


def _above(place: Place) -> tuple[Gimp.Layer | None, int]:
    """The group and the position in it where a new layer goes: above the named one, or the topmost selected one."""
    named = place.image.get_layer_by_tattoo(place.above) if place.above else None
    below = [named] if named else place.image.get_selected_layers()
    if place.is_on_top or not below:
        return None, 0
    topmost = min(below, key=_path)
    return topmost.get_parent(), place.image.get_item_position(topmost)


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
    layer.attach_parasite(_parasite(RECIPE_PARASITE, json.dumps(recipe, sort_keys=True)))
    if place.drawn_into:
        layer.attach_parasite(_parasite(DRAWN_INTO_PARASITE, place.drawn_into))


def _fit(layer: Gimp.Layer, area: Area) -> None:
    if (layer.get_width(), layer.get_height()) != (area.width, area.height):
        layer.scale(area.width, area.height, False)
    layer.set_offsets(area.x, area.y)


def _grow(place: Place) -> None:
    """Let the canvas grow; the layers keep their places in what was there."""
    growing = place.growing
    if growing != NO_GROWTH:
        size = growing.grown_size((place.image.get_width(), place.image.get_height()))
        place.image.resize(*size, growing.left, growing.top)


def _parasite(name: str, text: str) -> Gimp.Parasite:
    return Gimp.Parasite.new(name, _PERSISTENT | _UNDOABLE, text.encode("ascii"))  # gi takes no byte above 127 here


def _new_area(result: BlendResult, place: Target) -> Area:
    """The area of a new image for a result: the size that the place has, or else that of the pictures."""
    return area_of(result.pictures[0]) if place is None else Area(0, 0, place.area.width, place.area.height)


@contextmanager
def _new_image(area: Area, on_new_image: OnNewImage) -> Iterator[Place]:
    """An image of the area's size, in which nothing can be undone until it is filled."""
    image = Gimp.Image.new(area.width, area.height, Gimp.ImageBaseType.RGB)
    image.undo_disable()
    try:
        yield Place(image, area)
    finally:
        image.undo_enable()
    on_new_image(image)


@contextmanager
def _one_undo_step(image: Gimp.Image) -> Iterator[None]:
    image.undo_group_start()
    try:
        yield
    finally:
        image.undo_group_end()
