"""The procedures that make pictures, run without a dialog: for a script, or with the values used last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gi.repository import Gimp

from plugin_client.editor import ingredients
from plugin_client.editor.connection import connect_or_start
from plugin_client.editor.geometry import NEW_IMAGE
from plugin_client.editor.requests import GenerateRequest, Request, Submitter
from plugin_client.gimp.arguments import (
    INGREDIENTS,
    PROMPT,
    blend_of,
    conversion_of,
    end_weights,
    frames_as_of,
    sweep_of,
)
from plugin_client.gimp.insert import Insert, OnNewImage, insert, insert_frames
from plugin_client.gimp.items import items_of
from plugin_client.gimp.pixels import layer_behind, target
from plugin_client.gimp.place import Target, destination_of, new_image_for, place_in
from plugin_client.wire.errors import KandinskyError, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Progress, TextItem
from plugin_client.wire.settings import Value


@dataclass(frozen=True)
class Call:
    """One call of a procedure.

    Args:
        image: the open one, if any.
        drawables: that are selected in it.
        values: of the arguments, by name.
        on_new_image: called with an image that is made for the result.
    """

    image: Gimp.Image | None
    drawables: Sequence[Gimp.Drawable]
    values: Mapping[str, Value]
    on_new_image: OnNewImage


def blend_layers_and_prompts(call: Call) -> Gimp.Layer:
    image = image_of(call)
    place = place_in(image, conversion_of(call.values))
    items = items_of(image, ingredients.parse(str(call.values[INGREDIENTS.name])))
    area = target(image)
    return make(call, GenerateRequest((blend_of(items, call.values, area),), area), place)


def text_to_image(call: Call) -> Gimp.Layer:
    prompt = str(call.values[PROMPT.name])
    if not prompt.strip():
        raise UsageError(N_("prompt is empty: say what the picture is of"))
    blend = blend_of((TextItem(prompt, 1.0),), call.values, NEW_IMAGE)
    return make(call, GenerateRequest((blend,), NEW_IMAGE), None)


def variations(call: Call) -> Gimp.Layer:
    image = image_of(call)
    place = place_in(image, conversion_of(call.values))
    items = items_of(image, [ingredients.LayerIngredient(one_layer(call).get_tattoo(), 1.0)])
    area = target(image)
    return make(call, GenerateRequest((blend_of(items, call.values, area),), area), place)


def sweep(call: Call) -> Gimp.Layer:
    image = image_of(call)
    place = frames_place(image, call)
    given = ingredients.parse(str(call.values[INGREDIENTS.name]))
    items, to = items_of(image, given), end_weights(call.values, given)
    area = target(image)
    return make(call, GenerateRequest(sweep_of(items, to, call.values, area), area), place, insert_frames)


def frames_place(image: Gimp.Image, call: Call) -> Target:
    """The place for the frames of a sweep. Frames that come as a new image lose no colours there."""
    conversion = conversion_of(call.values)
    return new_image_for(image) if frames_as_of(call.values) == "new-image" else place_in(image, conversion)


def make(call: Call, request: Request, place: Target, insert_: Insert = insert) -> Gimp.Layer:
    """Have a request made and insert the result; then the daemon may forget it. Errors as of Job.result."""
    Gimp.progress_init("Kandinsky")
    with connect_or_start() as client:
        submitter = Submitter(client, destination_of(place))
        try:
            work = request.submit(submitter)
            for progress in work.watch():
                show_progress(progress)
            layer = insert_(work.result(), place, call.on_new_image)
        except KandinskyError as exc:
            submitter.settle(exc)
            raise
        submitter.settle(None)
        work.discard()
        return layer


def show_progress(progress: Progress) -> None:
    """Show how far a job is in GIMP's own progress bar."""
    if progress.steps:
        Gimp.progress_update(progress.step / progress.steps)


def image_of(call: Call) -> Gimp.Image:
    if call.image is None:
        raise UsageError(N_("no image is open"))
    return call.image


def one_layer(call: Call) -> Gimp.Layer:
    """The layer that is selected, or whose mask is, or beside which a channel is.

    Raises:
        UsageError: there are several or none, or it is of another image.
    """
    layers = [found for drawable in call.drawables if (found := layer_behind(drawable))]
    if not layers and call.drawables and call.image is not None:
        layers = call.image.get_selected_layers()
    if len(layers) != 1:
        raise UsageError(N_("{number} layers are selected: select one"), number=len(layers))
    if layers[0].get_image() != call.image:
        raise UsageError(N_("the layer {layer!r} is of another image"), layer=layers[0].get_name())
    return layers[0]
