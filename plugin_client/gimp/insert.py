"""Inserts results as layers, in one undo step, and without a change to any layer that is there.

The layers are filled in an image of our own, in several goes; that they come into the artist's takes a moment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gi.repository import Gimp

from plugin_client.editor.geometry import Area, area_of
from plugin_client.editor.pending_jobs import PendingJob
from plugin_client.editor.titles import frame_title, sweep_title, title, variation_title
from plugin_client.gimp.layer_reading import Reading, at_once, empty_image_like
from plugin_client.gimp.layer_writing import filling, masking
from plugin_client.gimp.pixels import DRAWN_INTO_PARASITE, RECIPE_PARASITE
from plugin_client.gimp.place import Place, Target, find_place
from plugin_client.job import BlendResult
from plugin_client.regions import NO_GROWTH
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_

_PERSISTENT = 1  # GIMP_PARASITE_PERSISTENT and _UNDOABLE: macros, which gi does not carry
_UNDOABLE = 2
_LAYER_TYPES = {
    Gimp.ImageBaseType.RGB: Gimp.ImageType.RGBA_IMAGE,
    Gimp.ImageBaseType.GRAY: Gimp.ImageType.GRAYA_IMAGE,
}


OnNewImage = Callable[[Gimp.Image], object]
Insert = Callable[[BlendResult, Target, OnNewImage], Gimp.Layer]


def leave_to_the_script(image: Gimp.Image) -> None:
    """Show a new image nowhere: the script that asked for it does that, or does not."""


def insert(result: BlendResult, place: Target, on_new_image: OnNewImage) -> Gimp.Layer:
    """Insert at once what `inserting` inserts."""
    return at_once(inserting(result, place, on_new_image))


def inserting(result: BlendResult, place: Target, on_new_image: OnNewImage) -> Reading[Gimp.Layer]:
    """Insert the picture as a new layer above the selected one; several pictures as a group of layers.

    Without a place they come in a new image of their own size; when the place is in no open image, in one of the size
    that they were to have. `on_new_image` is called with it: it shows the image, or leaves that to a script. Only the
    last go changes an image; it returns the new layer.
    """
    with _workshop(result, place) as workshop:
        layers = yield from _filling(result, workshop)
        with _destination(workshop, place, on_new_image) as found:
            parent, position = _above(found)
            if len(layers) == 1:
                return _put(layers[0], title(result.recipes[0]), found, parent, position)
            group = Gimp.GroupLayer.new(found.image, title(result.recipes[0]))
            found.image.insert_layer(group, parent, position)
            for number, (layer, recipe) in enumerate(zip(layers, result.recipes, strict=True)):
                _put(layer, variation_title(recipe), found, group, number)
            return group


def insert_frames(result: BlendResult, place: Target, on_new_image: OnNewImage) -> Gimp.Layer:
    """Insert at once what `inserting_frames` inserts."""
    return at_once(inserting_frames(result, place, on_new_image))


def inserting_frames(result: BlendResult, place: Target, on_new_image: OnNewImage) -> Reading[Gimp.Layer]:
    """Insert the frames of a sweep as a group, the first lowest as in every animation of GIMP; return the group.

    In a new image, as of inserting, they are its layers, and the last of them is returned: GIMP exports the layers of
    an image as an animation, and a group as a single frame of it.
    """
    with _workshop(result, place) as workshop:
        layers = yield from _filling(result, workshop)
        with _destination(workshop, place, on_new_image) as found:
            if found is not place:
                return _put_frames(layers, result, found, None)
            parent, position = _above(found)
            group = Gimp.GroupLayer.new(found.image, sweep_title(result.recipes[0], result.recipes[-1]))
            found.image.insert_layer(group, parent, position)
            _put_frames(layers, result, found, group)
            return group


def insert_recovered(pending: PendingJob, result: BlendResult, on_new_image: OnNewImage) -> Gimp.Layer:
    """Insert at once what `inserting_recovered` inserts."""
    return at_once(inserting_recovered(pending, result, on_new_image))


def inserting_recovered(pending: PendingJob, result: BlendResult, on_new_image: OnNewImage) -> Reading[Gimp.Layer]:
    """Insert the result of a pending job into its image, if that is open and has the same form; else into a new one."""
    return (yield from inserting(result, find_place(pending.destination), on_new_image))


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


def _filling(result: BlendResult, workshop: Place) -> Reading[list[Gimp.Layer]]:
    """The pictures as layers of the workshop, of the size of its area, with its mask and their recipes."""
    image, area = workshop.image, workshop.area
    layers = []
    for picture, recipe in zip(result.pictures, result.recipes, strict=True):
        kind, normal = _LAYER_TYPES[image.get_base_type()], Gimp.LayerMode.NORMAL
        layer = Gimp.Layer.new(image, "picture", area.width, area.height, kind, 100.0, normal)
        image.insert_layer(layer, None, 0)
        yield
        yield from filling(layer, picture)
        if workshop.selection is not None:
            yield from masking(layer, workshop.selection)
        layer.attach_parasite(_parasite(RECIPE_PARASITE, json.dumps(recipe, sort_keys=True)))
        layers.append(layer)
    return layers


def _put(layer: Gimp.Layer, name: str, place: Place, parent: Gimp.Layer | None, position: int) -> Gimp.Layer:
    """A copy of a layer at a place. GIMP makes it in a moment, however large it is."""
    copy = Gimp.Layer.new_from_drawable(layer, place.image)
    copy.set_name(name)
    if place.selection is None and copy.get_mask():  # the image with the selection was closed meanwhile
        copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
    place.image.insert_layer(copy, parent, position)
    copy.set_offsets(place.area.x, place.area.y)
    if place.drawn_into:
        copy.attach_parasite(_parasite(DRAWN_INTO_PARASITE, place.drawn_into))
    return copy


def _put_frames(
    layers: Sequence[Gimp.Layer], result: BlendResult, place: Place, parent: Gimp.Layer | None
) -> Gimp.Layer:
    """Put each frame above the one before, and return the last."""
    for number, (layer, recipe) in enumerate(zip(layers, result.recipes, strict=True), start=1):
        last = _put(layer, frame_title(recipe, number, len(layers)), place, parent, 0)
    return last


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


def _grow(place: Place) -> None:
    """Let the canvas grow; the layers keep their places in what was there."""
    growing = place.growing
    if growing != NO_GROWTH:
        size = growing.grown_size((place.image.get_width(), place.image.get_height()))
        place.image.resize(*size, growing.left, growing.top)


def _parasite(name: str, text: str) -> Gimp.Parasite:
    return Gimp.Parasite.new(name, _PERSISTENT | _UNDOABLE, text.encode("ascii"))  # gi takes no byte above 127 here


@contextmanager
def _workshop(result: BlendResult, place: Target) -> Iterator[Place]:
    """A place like `place` in an image of our own: the artist may change or close the other one meanwhile."""
    if isinstance(place, Place) and place.image.is_valid():
        image, area = empty_image_like(place.image), place.area
    else:
        area = area_of(result.pictures[0]) if place is None else place.area
        image = Gimp.Image.new(area.width, area.height, Gimp.ImageBaseType.RGB)
        image.undo_disable()
    try:
        yield Place(image, area, place.selection if isinstance(place, Place) else None)
    finally:
        image.delete()


@contextmanager
def _destination(workshop: Place, place: Target, on_new_image: OnNewImage) -> Iterator[Place]:
    """The place that layers are put into in one undo step, if its image is still open; else a new image's."""
    if isinstance(place, Place) and place.image.is_valid():
        with _one_undo_step(place.image):
            yield place
            _grow(place)
        return
    with _new_image(Area(0, 0, workshop.area.width, workshop.area.height), on_new_image) as new:
        yield new


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
