"""A daemon that answers from a real socket what a test tells it to. It makes a picture of one colour."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import zmq

from plugin_client.wire import codec
from plugin_client.wire.connection_file import Endpoint, write_connection
from plugin_client.wire.messages import (
    Accepted,
    AnyRequest,
    Blend,
    Cancel,
    ClientMessage,
    DaemonMessage,
    EmbedsItem,
    FetchModel,
    Item,
    JobInfo,
    JobList,
    JobState,
    LibraryList,
    ListJobs,
    ListLibrary,
    ListModels,
    ModelInfo,
    ModelList,
    Picture,
    PictureItem,
    Ping,
    Pong,
    Progress,
    Refine,
    Refusal,
    Release,
    Released,
    RemoveModel,
    Repaint,
    Result,
    Shutdown,
    Status,
    StopFetch,
    StoredModel,
    Submit,
    TextItem,
    Upscale,
    Watch,
)
from plugin_client.wire.paths import default_address, make_data_folder
from plugin_client.wire.recipe import picture_hash
from plugin_client.wire.settings import RECIPE_VERSION, Sampling, recorded

OWN_SIDE = 24  # px; of the pictures of which no size was asked
OWN_SAMPLING = Sampling("unipc", 20)  # of those of which none was
PONG = Pong("0.1.0", 4711, 63.0, "CPU", "float32", 0, 0, 2_100_000_000)


def job_info(job: str, state: JobState = "running", **changes: Any) -> JobInfo:
    known = {"stage": "denoising", "step": 1, "steps": 3, "ahead": 0, "elapsed": 1.0, "remaining": 2.0, "title": "cat"}
    return JobInfo(job, state, **(known | changes))


def result(submit: Submit) -> Result:
    """One picture for each variation, whose colour follows from seed and variation: all of it, whatever a mask says."""
    request = submit.request
    if isinstance(request, Blend) and not request.width:
        request = replace(request, width=OWN_SIDE, height=OWN_SIDE)
    request = replace(request, **Sampling(request.sampler, request.steps).by(OWN_SAMPLING)._asdict())
    width, height = _made_size(request)
    pictures = tuple(
        Picture(width, height, 3, bytes((request.seed % 256, request.variation + n, 7)) * width * height)
        for n in range(request.count)
    )
    return Result(submit.job, pictures, recipe(request), warnings=("the prompt was cut",))


def _made_size(request: AnyRequest) -> tuple[int, int]:
    match request:
        case Blend():
            return request.width, request.height
        case Upscale():
            return request.target_width, request.target_height
    return request.source.width, request.source.height


def _kind(request: AnyRequest) -> dict[str, Any]:
    match request:
        case Refine():
            return {"kind": "refine", "source": picture_hash(request.source), "strength": request.strength}
        case Repaint():
            hashes = {"source": picture_hash(request.source), "mask": picture_hash(request.mask)}
            told = {"strength": request.strength, "resamplings": request.resamplings, "inpainting": "known-region"}
            return {"kind": "repaint", **hashes, **told}
        case Upscale():
            told = {"target_width": request.target_width, "target_height": request.target_height}
            return {"kind": "upscale", "source": picture_hash(request.source), **told, "strength": request.strength}
    return {"kind": "blend"}


def recipe(blend: AnyRequest) -> dict[str, Any]:
    """As the model side writes it."""
    return {
        "recipe": RECIPE_VERSION,
        **_kind(blend),
        "items": [_recorded(item) for item in blend.items if item.weight],
        **recorded(blend),
        "model": blend.model or "embedded",
        "model_hash": "f00d",
        "precision": "float32",
        "device": "CPU",
        "version": "0.1.0",
    }


def _recorded(item: Item) -> dict[str, Any]:
    if isinstance(item, TextItem):
        return {"kind": "text", "text": item.text, "weight": item.weight}
    if isinstance(item, EmbedsItem):
        embeds = base64.b64encode(item.embeds).decode()
        return {"kind": "embeds", "embeds": embeds, "weight": item.weight, "label": item.label}
    assert isinstance(item, PictureItem)
    seen = {"embeds": base64.b64encode(bytes(12)).decode(), "picture": "ab" * 32, "fit": item.fit}
    return {"kind": "embeds", "weight": item.weight, "label": item.label, **seen}


@dataclass
class Script:
    """What a daemon answers. Tests change a field, or override a method."""

    jobs: tuple[JobInfo, ...] = ()
    models: tuple[ModelInfo, ...] = (
        ModelInfo("kandinsky-2-1", "hub", "f00d" * 8, True, "random weights", **OWN_SAMPLING._asdict()),
    )
    library: tuple[StoredModel, ...] = (StoredModel("kandinsky-2-1", "hub", "here", 13_200_000_000, removable=True),)
    asked: list[ClientMessage] = field(default_factory=list)
    submitted: dict[str, Submit] = field(default_factory=dict)

    def answer(self, message: ClientMessage) -> Iterable[DaemonMessage]:
        self.asked.append(message)
        match message:
            case Submit():
                self.submitted[message.job] = message
                return [Accepted(message.job, 0), *self.work(message)]
            case Watch():
                return self.watched(message.job)
            case Ping() | Shutdown():
                return [PONG]
            case ListModels():
                return [ModelList(self.models)]
            case ListLibrary() | FetchModel() | StopFetch() | RemoveModel():
                return [LibraryList(self.library, "/cache", 10**11)]
            case ListJobs():
                return [JobList(self.jobs)]
            case Status():
                return [job_info(message.job)]
            case Cancel():
                return self.cancelled(message.job)
            case Release():
                return [Released(message.job)]
        return [Refusal("bad-message", f"a {message.kind} is not in the script")]

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        """What follows a submit: three steps and the result."""
        steps = [Progress(submit.job, "denoising", n, 3, 0, n / 10, 0.3 - n / 10) for n in range(1, 4)]
        return [*steps, self.end(submit)]

    def end(self, submit: Submit) -> DaemonMessage:
        return result(submit)

    def watched(self, job: str) -> Iterable[DaemonMessage]:
        if job not in self.submitted:
            return [Refusal("unknown-job", f"no job {job} is known")]
        return [job_info(job, "done"), self.end(self.submitted[job])]

    def cancelled(self, job: str) -> Iterable[DaemonMessage]:
        return [job_info(job, "cancelling")]


class ScriptedDaemon:
    """A ROUTER on a real Unix socket, in a thread."""

    def __init__(self, script: Script, address: str | None = None) -> None:
        self.script = script
        self.address = address or default_address()
        self._stop = threading.Event()
        self._bound = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ScriptedDaemon:
        make_data_folder()
        self._thread.start()
        assert self._bound.wait(5)
        write_connection(self.address, Endpoint(self.address, os.getpid()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        Path(self.address.removeprefix("ipc://")).unlink(missing_ok=True)

    def _serve(self) -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
            router.linger = 0
            router.bind(self.address)
            self._bound.set()
            while not self._stop.is_set():
                if router.poll(10):
                    client, *frames = router.recv_multipart()
                    request_id, message = codec.decode_client(frames)
                    for answer in self.script.answer(message):
                        router.send_multipart([client, *codec.encode(answer, request_id)])
