"""Talks to a daemon: the one implementation for scripts, the command line and the editor.

    with Client() as client:
        image = client.blend([("a cat", 0.3), (Path("night.jpg"), 0.7)])

An item is a pair of something and its weight. A Path is a picture file; so is text that ends like one (".png", ".jpg",
...), and such a file must exist; a Pillow image is itself; any other text is a prompt. TextItem, PictureItem and
EmbedsItem of messages.py are sent as they are: they need no Pillow, and say exactly what is meant.

Everything that waits is built on Job.poll, which need not wait: an event loop calls `job.poll(0)` several times a
second until `job.is_over`. A client and its jobs belong to one thread.
"""

from __future__ import annotations

import itertools
import random
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from plugin_client.transport import Transport
from plugin_client.wire import codec
from plugin_client.wire.endpoint import parse_endpoint, read_connection
from plugin_client.wire.errors import (
    JobCancelled,
    JobFailed,
    KandinskyError,
    NoAnswer,
    ProtocolError,
    Refused,
    UsageError,
    VersionError,
)
from plugin_client.wire.messages import (
    Accepted,
    Blend,
    Cancel,
    ClientMessage,
    DaemonMessage,
    EmbedsItem,
    Failed,
    Item,
    JobInfo,
    JobList,
    ListJobs,
    ListModels,
    ModelInfo,
    ModelList,
    Picture,
    PictureItem,
    Ping,
    Pong,
    Progress,
    Refusal,
    Release,
    Released,
    Result,
    Shutdown,
    Status,
    Submit,
    TextItem,
    Watch,
)
from plugin_client.wire.recipe import recipes_of
from plugin_client.wire.schema import show

if TYPE_CHECKING:
    from PIL import Image

    Weighted = tuple[str | Path | Image.Image, float]

# Of every format that the model side's images.py reads, and of HEIC, which is refused by name: as prompts such names
# would be a silent surprise.
PICTURE_SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".avif", ".avifs", ".gif", ".tif", ".tiff",
    ".bmp", ".ico", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm",
    ".tga", ".icb", ".vda", ".vst", ".heic", ".heif", ".hif",
)  # fmt: skip
TIMEOUT = 10.0  # s without a word from a daemon that promises to answer at once
SLOWEST_UPLOAD = 10**6  # bytes a second: the answer to a large request may take as much longer as the request takes
KEPT_PROGRESS = 100  # of a job that nobody looks at: older ones are dropped

DRAWN_SEEDS = 2**32  # short enough to be typed again
SETTINGS = {field.name for field in fields(Blend)} - {"items"}

A = TypeVar("A", bound=DaemonMessage)


@dataclass(frozen=True)
class BlendResult:
    """What a job made: raw pictures, the recipe of each, and what the person who asked should know."""

    pictures: tuple[Picture, ...]
    recipes: list[dict[str, Any]] = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def images(self) -> list[Image.Image]:
        """The pictures as RGB Pillow images."""
        from plugin_client import pictures  # Pillow is needed from here on, and not before

        return [pictures.to_image(picture) for picture in self.pictures]


class Client:
    """A connection to one daemon.

    Args:
        endpoint: `ipc:///path` or `tcp://host:port`; None is the default daemon of this user.
        transport: carries the messages instead of a connection to `endpoint`.
        timeout: seconds of silence after which the daemon counts as gone; a large request adds 1 for each MB of it.

    Raises:
        DaemonNotRunning: nothing listens at the endpoint.
        EndpointError: the endpoint or its connection file is unusable.
        VersionError: the daemon speaks another version of the protocol.
    """

    def __init__(
        self, endpoint: str | None = None, transport: Transport | None = None, timeout: float = TIMEOUT
    ) -> None:
        self.timeout = timeout
        self._transport = transport or _connect(endpoint)
        self._jobs: dict[int, Job] = {}  # by the id of the request under which the daemon tells of them
        self._ids = itertools.count(1)
        self._awaited: int | None = None
        self._answer: DaemonMessage | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave; the jobs go on, and `job(id)` of another client comes back to them."""
        self._transport.close()

    def ping(self) -> Pong:
        """How the daemon is."""
        return self._ask(Ping(), Pong)

    def models(self) -> tuple[ModelInfo, ...]:
        """The models that it offers; the first is the default."""
        return self._ask(ListModels(), ModelList).models

    def jobs(self) -> tuple[JobInfo, ...]:
        """The jobs that it knows, from all clients."""
        return self._ask(ListJobs(), JobList).jobs

    def shutdown(self) -> None:
        """Ask the daemon to cancel what runs and end."""
        self._ask(Shutdown(), Pong)

    def submit(self, items: Iterable[Item | Weighted], **settings: Any) -> Job:
        """Ask for a blend; the job is in the daemon's hands when this returns.

        Args:
            items: what to blend, see the top of this file.
            settings: `size=(width, height)`, and the fields of messages.Blend under their names, `items` excepted.
                Without a `size` the model's own is taken, and without a `seed` one is drawn; the recipe of the result
                tells both.

        Raises:
            UsageError: the blend cannot be; nothing was sent.
            Refused: the daemon will not take it.
        """
        return self.submit_blend(make_blend(items, **settings))

    def submit_blend(self, blend: Blend, job_id: str | None = None) -> Job:
        """Ask for a blend that stands already. The same `job_id` again is harmless: it finds the first one's job."""
        _check(blend)
        job = self._new_job(job_id or str(uuid.uuid4()))
        job.ahead = self._ask(Submit(job.id, blend), Accepted, job.request_id).ahead
        return job

    def job(self, job_id: str) -> Job:
        """Come back to a job, of this client or another, by its id.

        Raises:
            UsageError: that is no job id.
            Refused: the daemon does not know it.
        """
        job = self._new_job(_canonical(job_id))
        self._ask(Watch(job.id), JobInfo, job.request_id)
        return job

    def blend(self, items: Iterable[Item | Weighted], **settings: Any) -> Image.Image:
        """One picture that lies between `items`, as a Pillow image. Settings and errors as of submit and Job.result.

        Whatever interrupts the waiting, such as Ctrl-C, cancels the job.
        """
        job = self.submit(items, **settings)
        try:
            return job.result().images[0]
        finally:
            job.discard()

    # --- messages --------------------------------------------------------------------------------------------

    def _new_job(self, job_id: str) -> Job:
        job = Job(self, job_id, next(self._ids))
        self._jobs[job.request_id] = job
        return job

    def _ask(self, message: ClientMessage, expected: type[A], request_id: int | None = None) -> A:
        """Send a request and wait for its answer; what arrives for jobs meanwhile is kept."""
        answer = self._wait_for_answer(message, next(self._ids) if request_id is None else request_id)
        if isinstance(answer, Refusal):
            raise _refused(answer)
        if not isinstance(answer, expected):
            raise ProtocolError(f"the daemon answered {message.kind!r} with {answer.kind!r}")
        return answer

    def _wait_for_answer(self, message: ClientMessage, request_id: int) -> DaemonMessage:
        self._awaited, self._answer = request_id, None
        patience = self._send(message, request_id)
        deadline = time.monotonic() + patience
        while self._answer is None:
            left = deadline - time.monotonic()
            if not self._receive(max(0.0, left)) and left <= 0:
                raise NoAnswer(f"the daemon did not answer {message.kind!r} within {patience:.3g} s")
        return self._answer

    def _send(self, message: ClientMessage, request_id: int) -> float:
        """Hand a message over; how many seconds its answer may take."""
        frames = codec.encode(message, request_id)
        self._transport.send(frames)
        return self.timeout + sum(map(len, frames)) / SLOWEST_UPLOAD

    def _receive(self, timeout: float) -> bool:
        """Take in one message, if one comes within `timeout` seconds."""
        frames = self._transport.receive(timeout)
        if frames is None:
            return False
        request_id, message = codec.decode_daemon(frames)
        is_answer = not isinstance(message, Progress | Result | Failed)
        if is_answer and request_id == self._awaited:
            self._awaited, self._answer = None, message
        elif request_id in self._jobs:
            self._jobs[request_id]._take(message)
        return True  # an answer that came too late is for nobody


class Work(ABC):
    """What one waits for: a job, or the jobs of a sweep in a row."""

    _client: Client
    ahead: int  # jobs that ran before it when it was submitted

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether the end has arrived here and all progress has been read."""

    @abstractmethod
    def poll(self, timeout: float = 0.0) -> Progress | None:
        """The next step forward, or None when none came within `timeout` seconds, or it is over.

        Raises:
            NoAnswer: the daemon has been silent for too long.
        """

    def watch(self) -> Iterator[Progress]:
        """Each step forward, until it is over however it ends. Errors as of poll."""
        while not self.is_over:
            if progress := self.poll(timeout=self._client.timeout / 10):
                yield progress

    @abstractmethod
    def result(self) -> BlendResult:
        """Wait for the end."""

    @abstractmethod
    def cancel(self) -> object:
        """Ask for its end, which comes within a step; result() then raises JobCancelled."""

    @abstractmethod
    def release(self) -> None:
        """Let the daemon forget it, which must be over, and its pictures."""

    @abstractmethod
    def discard(self) -> None:
        """Be done with it: it is cancelled unless it is over, and forgotten if it is over then."""


class Job(Work):
    """A blend in the daemon's hands. Made by Client.submit and Client.job."""

    def __init__(self, client: Client, job_id: str, request_id: int) -> None:
        self.id = job_id
        self.ahead = 0
        self.request_id = request_id  # of its submit or watch
        self._client = client
        self._progress: deque[Progress] = deque(maxlen=KEPT_PROGRESS)
        self._end: Result | Failed | Refusal | None = None
        self._heard = self._asked = time.monotonic()
        self._unanswered: float | None = None  # when the first Watch was sent after the last word

    @property
    def is_over(self) -> bool:
        """Whether the end has arrived here and all progress has been read."""
        return self._end is not None and not self._progress

    @property
    def has_failed(self) -> bool:
        """Whether it is known that there will be no result."""
        return self._end is not None and not isinstance(self._end, Result)

    def poll(self, timeout: float = 0.0) -> Progress | None:
        """The next step forward, or None when none came within `timeout` seconds, or the job is over.

        Raises:
            NoAnswer: the daemon has been silent for too long. The job may go on: come back with Client.job.
        """
        if not self._progress and self._end is None and not self._client._receive(timeout):
            self._check_alive()
        return self._progress.popleft() if self._progress else None

    def result(self) -> BlendResult:
        """Wait for the end. The daemon keeps the pictures until release(), or for a while.

        Raises:
            JobCancelled: somebody cancelled it.
            JobFailed: it failed; `code` and text say why.
            Refused: the daemon was started again and knows the job no more.
            NoAnswer: as of poll.
        """
        for _ in self.watch():
            pass
        if not isinstance(self._end, Result):
            raise _ended(self._end)
        return BlendResult(self._end.pictures, recipes_of(self._end), self._end.warnings)

    def status(self) -> JobInfo:
        """How far it is."""
        return self._client._ask(Status(self.id), JobInfo)

    def cancel(self) -> JobInfo:
        """Ask for its end, which comes within a step; result() then raises JobCancelled."""
        return self._client._ask(Cancel(self.id), JobInfo)

    def release(self) -> None:
        """Let the daemon forget the job, which must be over, and its pictures."""
        self._client._ask(Release(self.id), Released)
        self._client._jobs.pop(self.request_id, None)

    def discard(self) -> None:
        """Be done with the job: it is cancelled unless it is over, and forgotten if it is over then.

        What a running step leaves behind, or a daemon that cannot be reached, passes with the daemon's own limits.
        """
        with suppress(KandinskyError):
            if self._end is None:
                self.cancel()
            self.release()

    def _take(self, message: DaemonMessage) -> None:
        self._heard, self._unanswered = time.monotonic(), None
        if isinstance(message, Progress):
            self._progress.append(message)
        elif isinstance(message, Result | Failed | Refusal):
            self._end = message

    def _check_alive(self) -> None:
        """Watch anew after a silence: that finds out a daemon that died, or was started again and forgot the job.

        The request keeps its id, so the daemon does not tell everything twice. Silence counts from the first question:
        whoever polls may have been busy with other things for long.
        """
        now, timeout = time.monotonic(), self._client.timeout
        if self._unanswered is not None and now - self._unanswered > timeout * 2 / 3:
            raise NoAnswer(
                f"the daemon has not been heard for {timeout:g} s; job {self.id} may go on if it still lives"
            )
        if now - max(self._heard, self._asked) > timeout / 3:
            self._asked = now
            self._unanswered = self._unanswered or now
            self._client._send(Watch(self.id), self.request_id)


def make_blend(
    items: Iterable[Item | Weighted], size: tuple[int, int] | None = None, seed: int | None = None, **settings: Any
) -> Blend:
    """A checked blend from items as Client.submit takes them.

    Raises:
        UsageError: an item or setting cannot be; the text names it.
    """
    if size is not None:
        settings["width"], settings["height"] = size
    if unknown := settings.keys() - SETTINGS:
        raise UsageError(f"{min(unknown)!r} is no setting of a blend: choose from size, {', '.join(sorted(SETTINGS))}")
    drawn = random.SystemRandom().randrange(DRAWN_SEEDS) if seed is None else seed
    blend = Blend(tuple(_item(item) for item in items), seed=drawn, **settings)
    _check(blend)
    return blend


def with_model_here(blend: Blend, client: Client) -> Blend:
    """The blend of a recipe with its model's name here: the same weights, else the same name, else a folder of that
    name, else the default. The daemon checks the hash of whichever it is."""
    if not blend.model_hash:
        return blend
    offered = client.models()
    candidates = [
        *(model.name for model in offered if model.hash == blend.model_hash),
        *(model.name for model in offered if model.name == blend.model),
        *(model.name for model in offered if f"{Path(model.name).name}/" == blend.model),
    ]
    return replace(blend, model=next(iter(candidates), ""))


def _connect(endpoint: str | None) -> Transport:
    from plugin_client.zmq_transport import ZmqTransport  # an editor without pyzmq brings a transport of its own

    return ZmqTransport(read_connection(parse_endpoint(endpoint)))


def is_picture_name(text: str) -> bool:
    """Whether text given as an item means a picture file."""
    return text.lower().endswith(PICTURE_SUFFIXES)


def _item(item: Item | Weighted) -> Item:
    if isinstance(item, TextItem | PictureItem | EmbedsItem):
        return item
    if not isinstance(item, tuple) or len(item) != 2:
        raise UsageError(f"{show(item)} is no item: give pairs of a prompt, picture or picture file and its weight")
    source, weight = item
    if isinstance(source, str) and not is_picture_name(source):
        return TextItem(source, weight)
    from plugin_client import pictures  # Pillow is needed from here on, and not before

    return pictures.picture_item(source, weight)


def _check(blend: Blend) -> None:
    try:
        codec.check_blend(blend)
    except ProtocolError as exc:
        raise UsageError(str(exc)) from exc


def _canonical(job_id: str) -> str:
    try:
        return str(uuid.UUID(job_id))
    except ValueError as exc:
        raise UsageError(f"{job_id!r} is no job id: `kandinsky-blend status` lists the jobs") from exc


def _refused(refusal: Refusal) -> KandinskyError:
    return VersionError(refusal.message) if refusal.code == "bad-version" else Refused(refusal.code, refusal.message)


def _ended(end: Failed | Refusal | None) -> KandinskyError:
    """Why a job that is over has no result."""
    assert end is not None
    if isinstance(end, Refusal):
        return _refused(end)
    return (JobCancelled if end.code == "cancelled" else JobFailed)(end.code, end.message)
