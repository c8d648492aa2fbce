"""The client of a daemon, for scripts, the command line and the editors.

    with Client() as client:
        image = client.blend([("a cat", 0.3), (Path("night.jpg"), 0.7)])

An item is a pair of something and its weight. A Path is a picture file; so is text that names a file that is there, or
ends like the name of a picture (".png", ".psd", ...); a Pillow image is itself; any other text is a prompt. TextItem,
PictureItem and EmbedsItem of messages.py are sent as they are: they need no Pillow, and say exactly what is meant.

Whatever waits for a job is built on Job.poll, which can also look without waiting: an event loop calls `job.poll(0)`
several times a second until `job.is_over`. A client and its jobs belong to one thread.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from plugin_client.exchange import Exchange
from plugin_client.given import job_id_of, plain, plain_item, plain_settings, sides
from plugin_client.job import BlendResult, Job
from plugin_client.library_requests import LibraryRequests
from plugin_client.picture_names import names_a_picture
from plugin_client.transports.base import Transport
from plugin_client.wire import codec
from plugin_client.wire.connection_file import read_connection
from plugin_client.wire.errors import (
    BadArgument,
    BadValue,
    UsageError,
    show,
)
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import (
    AnyRequest,
    Blend,
    EmbedsItem,
    Item,
    JobInfo,
    JobList,
    ListJobs,
    ListModels,
    ModelInfo,
    ModelList,
    PictureItem,
    Ping,
    Pong,
    Redraw,
    Release,
    Released,
    Repaint,
    Shutdown,
    Submit,
    TextItem,
)
from plugin_client.wire.paths import owner_token, parse_endpoint
from plugin_client.wire.schema import Real
from plugin_client.wire.settings import SETTINGS, Sampling, redraw_settings

if TYPE_CHECKING:
    from PIL import Image

    from plugin_client.canvas import Canvas

    Weighted = tuple[str | Path | Image.Image, float]

_SECONDS = Real((0, 86_400))  # of a timeout
TIMEOUT = 10.0  # s of silence from a daemon, which promises to answer at once
_REQUEST = (Submit.kind, "request")  # where a blend stands in what is sent
DRAWN_SEEDS = 2**32  # short enough to be typed again


class Client(LibraryRequests):
    """A connection to one daemon. It belongs to the thread that made it.

    Every request raises the errors of Exchange.ask: NoAnswer, Refused, VersionError and ProtocolError.

    Args:
        endpoint: `ipc:///path` or `tcp://host:port`; None is the default daemon of this user.
        transport: carries the messages instead of a connection to `endpoint`.
        timeout: seconds of silence after which the daemon counts as gone; a large request adds 1 for each MB of it.

    Raises:
        DaemonNotRunning: nothing listens at the endpoint.
        EndpointError: the endpoint or its connection file is unusable.
        VersionError: the daemon speaks another version of the protocol.
        BadArgument: `timeout` is no number from 0 to a day.
    """

    def __init__(
        self, endpoint: str | None = None, transport: Transport | None = None, timeout: float = TIMEOUT
    ) -> None:
        seconds = _seconds(timeout)
        self._exchange = Exchange(transport or _connect(endpoint), seconds, owner_token())

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def timeout(self) -> float:
        """Seconds of silence after which the daemon counts as gone; it may be changed between requests."""
        return self._exchange.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._exchange.timeout = _seconds(seconds)

    def close(self) -> None:
        """End the connection. The jobs go on: job() of another client comes back to them."""
        self._exchange.close()

    def ping(self) -> Pong:
        """Return the state of the daemon."""
        return self._exchange.ask(Ping(), Pong)

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the models that the daemon offers; the first is the default."""
        return self._exchange.ask(ListModels(), ModelList).models

    def jobs(self) -> tuple[JobInfo, ...]:
        """Return the newest jobs that the daemon knows from this user's programs."""
        return self._exchange.ask(ListJobs(self._exchange.owner), JobList).jobs

    def release(self, job_id: str) -> None:
        """Let the daemon forget a job that is over, and its pictures.

        Raises:
            UsageError: `job_id` is no job id; nothing was sent.
            Refused: the daemon does not know the job, or it is not over.
        """
        self._exchange.ask(Release(job_id_of(job_id)), Released)

    def shutdown(self) -> None:
        """Ask the daemon to end. The jobs that it keeps go on when it is started again."""
        self._exchange.ask(Shutdown(), Pong)

    def submit(self, items: Iterable[Item | Weighted], **settings: Any) -> Job:
        """Submit a blend. The daemon has the job when this returns.

        Args:
            items: what to blend, see the top of this file.
            settings: `size=(width, height)` in pixels or "768x512", and the fields of messages.Blend by name except
                `items`. Numbers may be NumPy's.
                Without a `size` the model's own is taken, and without a `seed` one is drawn; the recipe of the result
                holds both.

        Raises:
            UsageError: a value is wrong; nothing was sent.
            Refused: the daemon does not accept the job.
        """
        return self.submit_blend(make_blend(items, **settings))

    def submit_blend(self, blend: Blend, job_id: str | None = None) -> Job:
        """Submit a blend that was made before. Arguments and errors as of submit_request."""
        return self.submit_request(blend, job_id)

    def submit_request(self, request: AnyRequest, job_id: str | None = None) -> Job:
        """Submit a request of any kind that was made before. The same `job_id` again finds the job that has it.

        Raises:
            UsageError: a value is wrong; nothing was sent.
            Refused: the daemon does not accept the job.
        """
        job = Job(self._exchange, job_id or str(uuid.uuid4()))
        try:
            job.begin(request)
        except BadValue as exc:
            if exc.path[: len(_REQUEST)] != _REQUEST:  # of the daemon's answer
                raise
            raise BadArgument.of(exc, within=_REQUEST) from exc
        return job

    def job(self, job_id: str) -> Job:
        """Come back to a job of this or another client.

        Raises:
            UsageError: `job_id` is no job id; nothing was sent.
            Refused: the daemon does not know the job.
        """
        job = Job(self._exchange, job_id_of(job_id))
        job.rejoin()
        return job

    def blend(self, items: Iterable[Item | Weighted], **settings: Any) -> Image.Image:
        """Blend `items` into one picture and return it as a Pillow image. Arguments as of submit.

        An exception that interrupts the waiting, such as Ctrl-C, cancels the job.

        Raises:
            UsageError, Refused: as of submit.
            JobFailed, NoAnswer: as of Job.result.
        """
        return _first_image(self.submit(items, **settings))

    def repaint(
        self,
        picture: str | Path | Image.Image,
        mask: str | Path | Image.Image,
        items: Iterable[Item | Weighted] = (),
        **settings: Any,
    ) -> Image.Image:
        """Draw a blend of `items` into the part of a picture where the mask is white, and return the whole.

        Where the mask is black every pixel is what it was; gray mixes old and new. Without items what was there is
        removed: the surroundings are drawn on. Only the region of the mask and a margin are sent.

        Args:
            picture: as of an item.
            mask: of the same size; of colours their brightness counts.
            items, settings: as of submit, and `strength` (above 0 to 1: below 1 what was there shows through) and
                `resamplings`. The size is that at which the model works, and not of what is returned.

        Raises:
            UsageError: a value is wrong; nothing was sent.
            Refused, JobFailed, NoAnswer: as of blend.
        """
        from plugin_client import canvas  # Pillow is needed from here on, and not before

        return self._drawn(canvas.masked(picture, mask), items, settings)

    def extend(
        self,
        picture: str | Path | Image.Image,
        items: Iterable[Item | Weighted] = (),
        *,
        left: int = 0,
        top: int = 0,
        right: int = 0,
        bottom: int = 0,
        **settings: Any,
    ) -> Image.Image:
        """Return a picture that goes on beyond its edges, by so many pixels at each side. All else as of repaint."""
        from plugin_client import canvas

        return self._drawn(canvas.grown(picture, left, top, right, bottom), items, settings)

    def refine(
        self, picture: str | Path | Image.Image, items: Iterable[Item | Weighted] = (), **settings: Any
    ) -> Image.Image:
        """Draw a picture anew from itself, towards a blend of `items`, and return it in its size.

        `strength` is from 0, which gives the picture back, to 1. Without items the picture itself is what is drawn.
        Arguments and errors as of repaint.
        """
        from plugin_client import canvas

        return self._drawn(canvas.whole(picture), items, settings)

    def upscale(
        self,
        picture: str | Path | Image.Image,
        items: Iterable[Item | Weighted] = (),
        *,
        size: tuple[int, int] | str | None = None,
        factor: float | None = None,
        **settings: Any,
    ) -> Image.Image:
        """Enlarge a picture, draw it anew tile by tile, which adds detail, and return it.

        `size` is what it fits into, in proportion; `factor` multiplies its sides instead, by 2 where neither is given.
        A `strength` of 0 enlarges it by Lanczos and no more; much above the default, each tile shows something of the
        whole. `width` and `height` are those of a tile, which the model knows. All else as of refine.
        """
        from plugin_client import canvas

        return self._drawn(canvas.upscaled(picture, size, factor), items, settings)

    def submit_drawing(self, canvas: Canvas, request: Redraw) -> Job:
        """Submit what make_redraw has made, and note what it draws into, so that `fetch` puts it together later.

        `canvas.with_drawn` makes whole pictures of those in the result. Errors as of submit_request.
        """
        from plugin_client import origins

        job_id = str(uuid.uuid4())
        origins.note(job_id, canvas)
        return self.submit_request(request, job_id)

    def fetch(self, job_id: str) -> list[Image.Image]:
        """Wait for a job that was left, by this or another program, and return its pictures.

        Of a job that draws into a part of a picture these are the whole pictures. The daemon keeps the result:
        release() lets it go.

        Raises:
            UsageError: `job_id` is no job id; or the picture into which was drawn is gone or another one by now, or was
                in no file and too large to be noted: `job(job_id).result()` has the regions then.
            Refused, JobFailed, NoAnswer: as of job and Job.result.
        """
        from plugin_client import origins

        job = self.job(job_id)
        result = job.result()
        if not is_region(result):
            return result.images
        canvas = origins.find(job.id)
        if canvas is None:
            raise UsageError(
                N_(
                    "what job {job} was cut out of is not known here: it was asked for elsewhere, or of a picture in "
                    "no file, too large to be noted; the result of the job itself is the region alone"
                ),
                "unknown-origin",
                job=job.id,
            )
        return [canvas.with_drawn(image) for image in result.images]

    def _drawn(self, canvas: Canvas, items: Iterable[Item | Weighted], settings: dict[str, Any]) -> Image.Image:
        from plugin_client import origins

        job = self.submit_drawing(canvas, make_redraw(canvas, items, **settings))
        image = canvas.with_drawn(_first_image(job))
        origins.forget(job.id)
        return image


def is_region(result: BlendResult) -> bool:
    """Whether the pictures of a job are but a part of the picture into which was drawn."""
    return any(recipe.get("kind") == Repaint.kind for recipe in result.recipes)


def _first_image(job: Job) -> Image.Image:
    try:
        return job.result().images[0]
    finally:
        job.discard()


def make_blend(
    items: Iterable[Item | Weighted],
    size: tuple[int, int] | str | None = None,
    seed: int | None = None,
    **settings: Any,
) -> Blend:
    """Return a checked blend; arguments as of Client.submit.

    Raises:
        UsageError: an item or setting is wrong; the text names it.
    """
    blend = Blend(_items(items), **_settings(size, seed, settings))
    _check(blend)
    return blend


def make_redraw(
    canvas: Canvas,
    items: Iterable[Item | Weighted] = (),
    size: tuple[int, int] | str | None = None,
    seed: int | None = None,
    **settings: Any,
) -> Redraw:
    """Return a checked request to draw into a canvas: an Upscale where that has a target, a Repaint or a Refine.

    Arguments as of Client.repaint.

    Raises:
        UsageError: an item or setting is wrong; the text names it.
    """
    kind, given = canvas.asked
    return redraw_of(kind, given, items, size, seed, **settings)


def redraw_of(
    kind: type[Redraw],
    given: Mapping[str, Any],
    items: Iterable[Item | Weighted] = (),
    size: tuple[int, int] | str | None = None,
    seed: int | None = None,
    **settings: Any,
) -> Redraw:
    """Return a checked request of a kind, where `given` are its fields beside items and settings.

    Raises:
        UsageError: a picture, item or setting is wrong; the text names it.
    """
    own = redraw_settings(kind)
    told = {one.name: plain(settings.pop(one.name), one.type) for one in own if one.name in settings}
    request = kind(items=_items(items), **given, **told, **_settings(size, seed, settings))
    _check(request)
    return request


def _seconds(timeout: float) -> float:
    try:
        return _SECONDS.check(plain(timeout, float), ("timeout",))
    except BadValue as exc:
        raise BadArgument.of(exc) from exc


def _items(items: Iterable[Item | Weighted]) -> tuple[Item, ...]:
    return tuple(plain_item(_item(item)) for item in _listed(items))


def _settings(size: tuple[int, int] | str | None, seed: int | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as the wire has them; a seed is drawn where none was given."""
    if size is not None:
        settings["width"], settings["height"] = sides(size)
    if unknown := settings.keys() - SETTINGS:
        raise UsageError(
            N_("{value!r} is no setting of a blend: choose from size, {choices}"),
            "unknown-setting",
            value=min(unknown),
            choices=", ".join(sorted(SETTINGS)),
        )
    drawn = random.SystemRandom().randrange(DRAWN_SEEDS) if seed is None else seed
    return plain_settings({"seed": drawn, **settings})


def _check(request: AnyRequest) -> None:
    try:
        codec.check_request(request)
    except BadValue as exc:
        raise BadArgument.of(exc) from exc


def with_model_here(blend: Blend, client: Client) -> Blend:
    """Return the blend of a recipe with the name that its model has at this daemon. Errors as of Client.models."""
    return replace(blend, model=model_here(blend, client.models())) if blend.model_hash else blend


def model_here(blend: AnyRequest, offered: Sequence[ModelInfo]) -> str:
    """Return the name of a recipe's model among those that a daemon offers.

    The model is the one with the same weights, else of the same name, else a folder of that name, else "", the default.
    The daemon checks the weights' hash of whichever it is.
    """
    if not blend.model_hash:
        return blend.model
    candidates = [
        *(model.name for model in offered if model.hash == blend.model_hash),
        *(model.name for model in offered if model.name == blend.model),
        *(model.name for model in offered if f"{Path(model.name).name}/" == blend.model),
    ]
    return next(iter(candidates), "")


def best_sampling(offered: Sequence[ModelInfo], name: str) -> Sampling:
    """Return the sampler and the steps of the model `name`, or the first for "", where it is left to choose."""
    found = [model for model in offered if model.name == name or not name]
    return Sampling(found[0].sampler, found[0].steps) if found else Sampling()


def _connect(endpoint: str | None) -> Transport:
    from plugin_client.transports.zmq import ZmqTransport  # an editor without pyzmq brings a transport of its own

    return ZmqTransport(read_connection(parse_endpoint(endpoint)))


def _listed(items: Iterable[Item | Weighted]) -> list[Item | Weighted]:
    try:
        return list(items)
    except TypeError as exc:
        raise UsageError(
            N_("items are {value}: give a list of pairs of a prompt, picture or picture file and its weight"),
            "no-items",
            value=show(items),
        ) from exc


def _item(item: Item | Weighted) -> Item:
    if isinstance(item, TextItem | PictureItem | EmbedsItem):
        return item
    if not isinstance(item, tuple) or len(item) != 2:
        raise UsageError(
            N_("{value} is no item: give pairs of a prompt, picture or picture file and its weight"),
            "no-item",
            value=show(item),
        )
    source, weight = item
    if isinstance(source, str) and not names_a_picture(source):
        return TextItem(source, weight)
    from plugin_client import pictures  # Pillow is needed from here on, and not before

    try:
        return pictures.picture_item(source, weight)
    except UsageError as exc:
        if not isinstance(source, str):
            raise
        raise UsageError(
            N_("{reason} ({value} was taken for the name of a picture file; for a prompt give TextItem(text, weight))"),
            "no-picture",
            reason=exc,
            value=repr(source),
        ) from exc
