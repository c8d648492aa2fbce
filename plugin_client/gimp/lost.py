"""Results whose plug-in process was killed: what is known of them, and the way to the image where they belong."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from gi.repository import Gimp

from plugin_client.client import BlendResult, Client
from plugin_client.gimp.claims import Claim, Held, Home
from plugin_client.gimp.insert import Place, insert
from plugin_client.gimp.pixels import read_selection, target
from plugin_client.gimp.titles import blend_title
from plugin_client.wire.errors import Refused
from plugin_client.wire.messages import Blend, JobInfo, Progress

KEY_PARASITE = "kandinsky-blend-key"  # of an image, while it is open: it is never saved


@dataclass(frozen=True)
class Found:
    """A lost job, and what the daemon says of it: None when it knows it no more."""

    held: Held
    info: JobInfo | None

    @property
    def is_ready(self) -> bool:
        return self.info is not None and self.info.state == "done"

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing will come of it."""
        return self.info is None or self.info.state in ("failed", "cancelled", "cancelling")


def claim_of(blend: Blend, place: Place | None) -> Claim:
    """What is to be kept of a blend before it is submitted, under a new id."""
    return Claim(str(uuid.uuid4()), blend_title(blend), _home(place) if place else None)


def place_of(claim: Claim) -> Place | None:
    """Where the result belongs, if that image is open and still looks as it did; None is a new image."""
    home = claim.home
    image = home and _image_of(home)
    if home is None or image is None:
        return None
    still_selected = home.selected and target(image) == home.area
    return Place(image, home.area, read_selection(image, home.area) if still_selected else None)


def look_for(client: Client, lost: Iterable[Held]) -> list[Found]:
    """What became of them."""
    known = {info.job: info for info in client.jobs()}
    return [Found(held, known.get(held.claim.job)) for held in lost]


def fetch(client: Client, held: Held, show: Callable[[Progress], None]) -> BlendResult:
    """Wait for the result, which the daemon keeps. Errors as of Client.job and Job.result."""
    job = client.job(held.claim.job)
    for progress in job.watch():
        show(progress)
    return job.result()


def put_home(held: Held, result: BlendResult, show: Callable[[Gimp.Image], object]) -> Gimp.Layer:
    """Insert the result where it belongs, `show` the image if it is a new one, and only then forget the claim."""
    place = place_of(held.claim)
    layer = insert(result, place)
    if place is None:
        show(layer.get_image())
    held.settle(None)
    return layer


def release(client: Client, held: Held) -> None:
    """Have the daemon forget the job, which is stopped if it runs. Errors as of Client.job."""
    with suppress(Refused):  # it has done so already
        client.job(held.claim.job).discard()


def _home(place: Place) -> Home:
    return Home(_key(place.image), _file(place.image), _looks(place.image), place.area, place.selection is not None)


def _key(image: Gimp.Image) -> str:
    """What an image is known by while it is open, given to it now if it has none. That is no change of the image."""
    if parasite := image.get_parasite(KEY_PARASITE):
        return bytes(parasite.get_data()).decode("ascii", "replace")
    key = str(uuid.uuid4())
    image.attach_parasite(Gimp.Parasite.new(KEY_PARASITE, 0, list(key.encode())))
    return key


def _file(image: Gimp.Image) -> str:
    file = image.get_file() or image.get_imported_file()
    return file.get_uri() if file else ""


def _looks(image: Gimp.Image) -> str:
    return f"{image.get_width()} x {image.get_height()}, {image.get_base_type().value_nick}"


def _image_of(home: Home) -> Gimp.Image | None:
    """The open image, which its key tells; after GIMP was started again, its file."""
    alike = [image for image in Gimp.get_images() if _looks(image) == home.looks]
    same = [image for image in alike if _key(image) == home.key]
    same = same or [image for image in alike if home.file and _file(image) == home.file]
    return min(same, key=lambda image: image.get_id(), default=None)  # a copy of an image carries its key
