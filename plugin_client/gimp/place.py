"""The place in an image where results go, and how it is found again after a crash."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from gi.repository import Gimp

from plugin_client.editor.geometry import Area
from plugin_client.editor.pending_jobs import Destination
from plugin_client.editor.translation import _
from plugin_client.gimp.arguments import Conversion
from plugin_client.gimp.pixels import read_selection, target
from plugin_client.regions import NO_GROWTH, Growth
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_

KEY_PARASITE = "kandinsky-blend-key"  # of an image, while it is open: it is never saved

_MODE_NAMES = {Gimp.ImageBaseType.GRAY: _("gray"), Gimp.ImageBaseType.INDEXED: _("indexed")}


@dataclass(frozen=True)
class Place:
    """An area of an image that layers are put over, masked by the selection that there was at that time."""

    image: Gimp.Image
    area: Area
    selection: bytes | None = field(default=None, repr=False)  # over the area: see read_selection; None masks nothing
    growing: Growth = NO_GROWTH  # of the image, once the layers are there
    is_on_top: bool = False  # above all layers
    above: int = 0  # the tattoo of the layer that new ones go above, while it is there; else that is the selected one
    drawn_into: str = field(default="", repr=False)  # what the layers keep of it, as of kept.text_of


@dataclass(frozen=True)
class NewImage:
    """A new image of the area's size."""

    area: Area


# Where results go; None is a new image of the size that they are made at.
Target = Place | NewImage | None


def new_image_for(image: Gimp.Image) -> NewImage:
    """A new image, of the size of the selection in `image` or of all of it."""
    return NewImage(target(image))


def place_in(image: Gimp.Image, conversion: Conversion) -> Place | NewImage:
    """The selection in an image, or all of it; a new image of that size if `conversion` says so.

    Raises:
        UsageError: the image is gray or indexed, and `conversion` is "ask".
    """
    area = target(image)
    return layers_in(image, conversion, Place(image, area, read_selection(image, area)))


def layers_in(image: Gimp.Image, conversion: Conversion, place: Place) -> Place | NewImage:
    """A place in an image; a new image of the size of its area if `conversion` says so. Errors as of place_in."""
    mode = _MODE_NAMES.get(image.get_base_type())
    if mode and conversion == "ask":
        raise UsageError(
            N_(
                "the image {image} is {mode}, so a new layer would lose its colours: set conversion to "
                '"layer" to have that, or to "new-image"'
            ),
            image=image.get_name(),
            mode=mode,
        )
    if mode and conversion == "new-image":
        return NewImage(place.area)
    return place


def destination_of(place: Target) -> Destination | None:
    """A place in the form in which it is written down with a pending job."""
    if not isinstance(place, Place):
        return None
    image = place.image
    where = place.area, place.selection, place.growing, place.is_on_top, place.above, place.drawn_into
    return Destination(_key(image), _file(image), _form(image), *where)


def find_place(destination: Destination | None) -> Place | None:
    """The place that was written down, if its image is open and has the same form; None is a new image."""
    image = destination and _find_image(destination)
    if destination is None or image is None:
        return None
    found = destination
    where = found.area, found.mask, found.growing, found.is_on_top, found.above, found.drawn_into
    return Place(image, *where)


def _find_image(destination: Destination) -> Gimp.Image | None:
    """The open image with the same key; after GIMP was started again, the one with the same file."""
    alike = [image for image in Gimp.get_images() if _form(image) == destination.form]
    same = [image for image in alike if _key(image) == destination.key]
    same = same or [image for image in alike if destination.file and _file(image) == destination.file]
    return min(same, key=lambda image: image.get_id(), default=None)  # a copy of an image carries its key


def _key(image: Gimp.Image) -> str:
    """The key by which an image is recognised while it is open. It is made now if there is none, and is no change."""
    if parasite := image.get_parasite(KEY_PARASITE):
        return bytes(parasite.get_data()).decode("ascii", "replace")
    key = str(uuid.uuid4())
    image.attach_parasite(Gimp.Parasite.new(KEY_PARASITE, 0, list(key.encode())))
    return key


def _file(image: Gimp.Image) -> str:
    file = image.get_file() or image.get_imported_file()
    return file.get_uri() if file else ""


def _form(image: Gimp.Image) -> str:
    return f"{image.get_width()} x {image.get_height()}, {image.get_base_type().value_nick}"
